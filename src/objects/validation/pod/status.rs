//! The status that kubelets and controllers report for pods (`ValidatePodStatusUpdate`).

use serde_json::Value;

use super::update::{update_options, validate_annotation_update};
use super::validate_name;
use crate::objects::names;
use crate::objects::validation::checks::{IMMUTABLE, legacy_ip, qualified_name};
use crate::objects::validation::meta::validate_meta_update;
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

pub(in crate::objects::validation) fn validate_status_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    validate_annotation_update(new, old, &update_options(old), errors);
    let path = Path::root("status");
    let (status, old_status) = (new.at("status"), old.at("status"));
    validate_conditions(status.list("conditions"), &path.child("conditions"), errors);
    if new.at("spec").text("nodeName") != old.at("spec").text("nodeName") {
        errors.push(path.child("nodeName").forbidden("may not be changed directly"));
    }
    validate_nomination(new, old, &path.child("nominatedNodeName"), errors);
    if status.int("observedGeneration") < 0 {
        let detail = "must be a non-negative integer";
        errors.push(path.child("observedGeneration").invalid(status.int("observedGeneration"), detail));
    }
    if status.text("qosClass") != old_status.text("qosClass") {
        errors.push(path.child("qosClass").invalid(status.text("qosClass"), IMMUTABLE));
    }
    validate_transitions(new, old, &path, errors);
    validate_addresses("podIPs", status, old_status, &path, errors);
    validate_host_addresses(status, old_status, &path, errors);
}

fn validate_conditions(conditions: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        let generation = condition.int("observedGeneration");
        if generation < 0 {
            errors.push(path.child("observedGeneration").invalid(generation, "must be a non-negative integer"));
        }
        let kind = condition.text("type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            qualified_name(kind, &path.child("Type"), errors);
        }
    }
}

fn validate_nomination(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let node = new.at("status").text("nominatedNodeName");
    if node == old.at("status").text("nominatedNodeName") {
        return;
    }
    validate_name(node, names::name_is_dns_subdomain, path, errors);
    if !node.is_empty() && !old.at("spec").text("nodeName").is_empty() {
        errors.push(path.forbidden("may not be set on pods that are already bound to a node"));
    }
}

/// A container that terminated for good does not run again (`ValidateContainerStateTransition` and its kin).
fn validate_transitions(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let spec = old.at("spec");
    let lists = [
        ("containerStatuses", Some("containers")),
        ("initContainerStatuses", Some("initContainers")),
        ("ephemeralContainerStatuses", None),
    ];
    for (list, containers) in lists {
        if containers.is_some() && all_containers_could_restart(spec) {
            continue;
        }
        let path = path.child(list);
        for (index, before) in old.at("status").list(list).iter().enumerate() {
            let Some(terminated) = before.at("state").get_some("terminated") else { continue };
            let name = before.text("name");
            let after = new.at("status").list(list).iter().find(|status| status.text("name") == name);
            let restarted = after.is_some_and(|status| !status.at("state").has("terminated"));
            let container =
                containers.and_then(|list| spec.list(list).iter().find(|container| container.text("name") == name));
            let allowed =
                container.is_some_and(|container| should_restart(container, spec, terminated.int("exitCode")));
            if restarted && !allowed {
                let at = path.index(index);
                errors.push(at.child("state").forbidden("may not be transitioned to non-terminated state"));
            }
        }
    }
}

/// Whether some rule restarts all containers of the pod (`AllContainersCouldRestart`).
fn all_containers_could_restart(spec: &Value) -> bool {
    super::all_containers(spec)
        .flat_map(|(_, _, container)| container.list("restartPolicyRules"))
        .any(|rule| rule.text("action") == "RestartAllContainers")
}

/// `ContainerShouldRestart`.
fn should_restart(container: &Value, spec: &Value, exit_code: i64) -> bool {
    let Some(policy) = container.text_some("restartPolicy") else {
        return restarts(spec.text("restartPolicy"), exit_code);
    };
    let matched = container.list("restartPolicyRules").iter().any(|rule| {
        let codes = rule.at("exitCodes");
        let listed = codes.list("values").iter().any(|code| code.as_i64() == Some(exit_code));
        listed == (codes.text("operator") == "In")
    });
    matched || restarts(policy, exit_code)
}

fn restarts(policy: &str, exit_code: i64) -> bool {
    match policy {
        "Always" => true,
        "OnFailure" => exit_code != 0,
        _ => false,
    }
}

fn addresses<'a>(status: &'a Value, list: &str) -> Vec<&'a str> {
    status.list(list).iter().map(|address| address.text("ip")).collect()
}

fn validate_addresses(list: &str, status: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child(list);
    let (new, old) = (addresses(status, list), addresses(old, list));
    for (index, address) in new.iter().enumerate() {
        legacy_ip(address, &old, &path.index(index), errors);
    }
    let families = new.iter().filter(|address| address.contains(':')).count();
    if new.len() > 2 || (new.len() == 2 && families != 1) {
        errors.push(path.invalid(status.at(list), "may specify no more than one IP for each IP family"));
    }
}

fn validate_host_addresses(status: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(first) = addresses(status, "hostIPs").first().copied() else { return };
    if status.text("hostIP") != first {
        let list = path.child("hostIPs");
        let at = list.index(0);
        errors.push(at.child("ip").invalid(first, "must be equal to `hostIP`"));
    }
    validate_addresses("hostIPs", status, old, path, errors);
}
