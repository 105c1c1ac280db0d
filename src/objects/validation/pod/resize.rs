//! Changing the resources of a running pod (`ValidatePodResize`).

use serde_json::{Map, Value};

use super::update::update_options;
use super::{MIRROR, validate_metadata_and_spec};
use crate::objects::pod_resources::qos_class;
use crate::objects::validation::meta::validate_meta_update;
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::{Wire, WireMut};

const LISTS: [&str; 2] = ["containers", "initContainers"];
const RESIZABLE: [&str; 2] = ["cpu", "memory"];
const ONLY_COMPUTE: &str = "only cpu and memory resources are mutable";

pub(in crate::objects::validation) fn validate_resize(new: &Value, old: &Value, errors: &mut Errors) {
    if old.at("metadata").at("annotations").has(MIRROR) {
        errors.push(Path::root("").forbidden("static pods cannot be resized"));
        return;
    }
    if old.at("spec").at("os").text("name") == "windows" {
        errors.push(Path::root("").forbidden("windows pods cannot be resized"));
        return;
    }
    validate_meta_update(new, old, errors);
    validate_metadata_and_spec(new, &update_options(old), errors);
    let path = Path::root("spec");
    validate_qos(new, old, &path, errors);
    if !is_supported_by_node(old) {
        errors.push(path.forbidden("Pod running on node without support for resize"));
    }
    let mut munged = new.at("spec").clone();
    validate_pod_level(new.at("spec"), old.at("spec"), &mut munged, &path, errors);
    if !validate_order(new.at("spec"), old.at("spec"), &path, errors) {
        return;
    }
    validate_nothing_removed(new.at("spec"), old.at("spec"), &path, errors);
    munge_containers(&mut munged, old.at("spec"), &path, errors);
    if errors.is_empty() && munged != *old.at("spec") {
        errors.push(path.forbidden(ONLY_COMPUTE));
    }
}

fn validate_qos(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let stored = old.at("status").text("qosClass");
    let before = if stored.is_empty() { qos_class(old.at("spec")).as_str() } else { stored };
    if before != qos_class(new.at("spec")).as_str() {
        let shown = new.at("status").text("qosClass");
        errors.push(path.invalid(shown, "Pod QOS Class may not change as a result of resizing"));
    }
}

/// Kubelets that can resize report the resources of running containers.
fn is_supported_by_node(pod: &Value) -> bool {
    let mut running =
        pod.at("status").list("containerStatuses").iter().filter(|status| status.at("state").has("running"));
    running.next().is_none_or(|status| status.has("resources"))
}

fn validate_pod_level(new: &Value, old: &Value, munged: &mut Value, path: &Path<'_>, errors: &mut Errors) {
    let is_set = |spec: &Value| {
        let resources = spec.at("resources");
        !resources.entries("requests").is_empty() || !resources.entries("limits").is_empty()
    };
    if !is_set(new) && !is_set(old) {
        return;
    }
    let resources = path.child("resources");
    if old.has("resources") && !new.has("resources") {
        errors.push(resources.forbidden("pod-level resources cannot be removed"));
        return;
    }
    for (list, detail) in [
        ("requests", "pod-level resource requests cannot be removed"),
        ("limits", "pod-level resource limits cannot be removed"),
    ] {
        if old.has("resources") && is_removed(new.at("resources"), old.at("resources"), list) {
            errors.push(resources.child(list).forbidden(detail));
        }
    }
    if let Some(resources) = munged.object_mut("resources") {
        restore_compute(resources, old.at("resources"));
    }
    let emptied = munged.at("resources").as_object().is_some_and(Map::is_empty);
    if emptied && !old.has("resources") {
        munged.take_field("resources");
    }
    if munged.at("resources") != old.at("resources") {
        errors.push(path.forbidden("only cpu and memory resources are mutable at pod-level"));
    }
}

/// False if containers cannot be compared one by one.
fn validate_order(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) -> bool {
    let before = errors.len();
    for list in LISTS {
        let at = path.child(list);
        if new.list(list).len() != old.list(list).len() {
            errors.push(at.forbidden(format!("{list} may not be added or removed on resize")));
            continue;
        }
        for (index, (new, old)) in new.list(list).iter().zip(old.list(list)).enumerate() {
            if new.text("name") != old.text("name") {
                let container = at.index(index);
                errors.push(
                    container.child("name").forbidden(format!("{list} may not be renamed or reordered on resize")),
                );
            }
        }
    }
    errors.len() == before
}

fn validate_nothing_removed(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    for list in ["initContainers", "containers"] {
        let at = path.child(list);
        for (index, (new, old)) in new.list(list).iter().zip(old.list(list)).enumerate() {
            let container = at.index(index);
            let resources = container.child("resources");
            for amounts in ["requests", "limits"] {
                if is_removed(new.at("resources"), old.at("resources"), amounts) {
                    errors.push(resources.child(amounts).forbidden(format!("resource {amounts} cannot be removed")));
                }
            }
        }
    }
}

fn is_removed(new: &Value, old: &Value, list: &str) -> bool {
    let kept = new.at(list);
    let (new, old) = (new.entries(list), old.entries(list));
    old.len() > new.len() || old.iter().any(|(name, _)| !kept.has(name))
}

/// Sets cpu and memory back to their old amounts; what differs then may not.
fn munge_containers(munged: &mut Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (container, old) in munged.list_mut("containers").iter_mut().zip(old.list("containers")) {
        restore_container(container, old);
        if container != old {
            errors.push(path.forbidden(ONLY_COMPUTE));
        }
    }
    let init = path.child("initContainers");
    for (index, (container, old)) in
        munged.list_mut("initContainers").iter_mut().zip(old.list("initContainers")).enumerate()
    {
        let modified = container != old;
        restore_container(container, old);
        if container != old {
            let detail = "only cpu and memory resources for init or sidecar containers are mutable";
            errors.push(init.index(index).forbidden(detail));
        }
        if modified && container.text("restartPolicy") != "Always" {
            let restarts = container
                .list("resizePolicy")
                .iter()
                .filter(|policy| policy.text("restartPolicy") == "RestartContainer");
            let detail = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
            errors.extend(restarts.map(|_| init.index(index).forbidden(detail)));
        }
    }
}

fn restore_container(container: &mut Value, old: &Value) {
    let claims_dropped = |resources: &mut Value| resources.take_field("claims");
    if let Some(resources) = container.ensure_object("resources") {
        claims_dropped(resources);
        restore_compute(resources, old.at("resources"));
    }
}

fn restore_compute(resources: &mut Value, old: &Value) {
    for list in ["limits", "requests"] {
        let mut amounts = resources.at(list).as_object().cloned().unwrap_or_default();
        for name in RESIZABLE {
            amounts.remove(name);
            if let Some(amount) = old.at(list).get_some(name) {
                amounts.insert(name.to_owned(), amount.clone());
            }
        }
        if amounts.is_empty() {
            resources.take_field(list);
        } else {
            resources.set(list, amounts);
        }
    }
}
