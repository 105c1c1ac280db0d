//! Containers, init containers and ephemeral containers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::PodOptions;
use super::env::{validate_env, validate_env_from};
use super::probes::{validate_lifecycle, validate_probes};
use super::security::validate_container_security;
use super::volumes::{Volumes, validate_pull_policy};
use crate::objects::names;
use crate::objects::validation::checks::{self, PROTOCOLS, Report, dns_label, required_enum, supported};
use crate::objects::validation::resources::{RequirementOptions, validate_requirements};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const RESTART_POLICIES: [&str; 3] = ["Always", "Never", "OnFailure"];
const RESTART_RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;

/// What of a pod the checks of its containers need.
pub(super) struct ContainerContext<'a> {
    pub(super) spec: &'a Value,
    pub(super) volumes: Volumes<'a>,
    pub(super) claims: BTreeSet<&'a str>,
    pub(super) grace: Option<i64>,
    pub(super) host_users: bool,
    pub(super) options: &'a PodOptions,
}

/// `validateContainers`.
pub(super) fn validate_containers(context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let containers = context.spec.list("containers");
    if containers.is_empty() {
        errors.push(path.required(""));
        return;
    }
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        validate_common(container, context, &path, errors);
        if !names.insert(container.text("name")) {
            errors.push(path.child("name").duplicate(container.text("name")));
        }
        validate_lifecycle(container, context.grace, &path, errors);
        validate_probes(container, &path, errors);
        validate_restart_policy(container, &path, errors);
    }
    validate_host_ports(containers, path, errors);
}

/// `validateInitContainers`.
pub(super) fn validate_init_containers(context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut names: BTreeSet<&str> =
        context.spec.list("containers").iter().map(|container| container.text("name")).collect();
    for (index, container) in context.spec.list("initContainers").iter().enumerate() {
        let at = path.index(index);
        validate_common(container, context, &at, errors);
        if container.has("restartPolicy") || !container.list("restartPolicyRules").is_empty() {
            validate_restart_policy(container, &at, errors);
        }
        let name = container.text("name");
        if names.contains(name) {
            errors.push(at.child("name").duplicate(name));
        } else if !name.is_empty() {
            names.insert(name);
        }
        validate_host_ports(std::slice::from_ref(container), path, errors);
        let sidecar = container.text("restartPolicy") == "Always";
        if sidecar {
            validate_lifecycle(container, context.grace, &at, errors);
            validate_probes(container, &at, errors);
        } else {
            forbid_sidecar_fields(container, &at, errors);
            validate_non_sidecar_resize(container, context.options, &at, errors);
        }
    }
}

fn forbid_sidecar_fields(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if container.has(field) {
            let detail = "may not be set for init containers without restartPolicy=Always";
            errors.push(path.child(field).forbidden(detail));
        }
    }
}

fn validate_non_sidecar_resize(container: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    if options.allow_restart_container_for_non_sidecar {
        return;
    }
    let list = path.child("resizePolicy");
    for (index, policy) in container.list("resizePolicy").iter().enumerate() {
        if policy.text("restartPolicy") == "RestartContainer" {
            let at = list.index(index);
            let detail = "must not be set to 'RestartContainer' for non-sidecar initContainers";
            errors.push(at.child("restartPolicy").invalid("RestartContainer", detail));
        }
    }
}

/// The fields that ephemeral containers cannot have.
const NOT_EPHEMERAL: [&str; 9] = [
    "ports",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
];

/// `validateEphemeralContainers`.
pub(super) fn validate_ephemeral_containers(context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let spec = context.spec;
    let others: BTreeSet<&str> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| spec.list(list).iter().map(|container| container.text("name")))
        .collect();
    let mut names = others.clone();
    for (index, container) in spec.list("ephemeralContainers").iter().enumerate() {
        let path = path.index(index);
        validate_common(container, context, &path, errors);
        validate_image_is_trimmed(container, &path, errors);
        let name = container.text("name");
        if !names.insert(name) {
            errors.push(path.child("name").duplicate(name));
        }
        let target = container.text("targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errors.push(path.child("targetContainerName").not_found(target));
        }
        for field in NOT_EPHEMERAL {
            let given = container.get_some(field).is_some_and(|value| field != "resources" || !is_empty_object(value));
            if given {
                errors.push(path.child(field).forbidden("cannot be set for an Ephemeral Container"));
            }
        }
        forbid_sub_paths(container, &path, errors);
    }
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn forbid_sub_paths(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mounts = path.child("volumeMounts");
    for (index, mount) in container.list("volumeMounts").iter().enumerate() {
        for field in ["subPath", "subPathExpr"] {
            if !mount.text(field).is_empty() {
                let at = mounts.index(index);
                errors.push(at.child(field).forbidden("cannot be set for an Ephemeral Container"));
            }
        }
    }
}

/// `validateContainerOnlyForPod`.
pub(super) fn validate_image_is_trimmed(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let image = container.text("image");
    if image.trim().len() != image.len() {
        errors.push(path.child("image").invalid(image, "must not have leading or trailing whitespace"));
    }
}

/// `validateContainerCommon`.
fn validate_common(container: &Value, context: &ContainerContext<'_>, path: &Path<'_>, errors: &mut Errors) {
    let name = container.text("name");
    if name.is_empty() {
        errors.push(path.child("name").required(""));
    } else {
        dns_label(name, &path.child("name"), errors);
    }
    if container.text("image").is_empty() {
        errors.push(path.child("image").required(""));
    }
    let message_policy = container.text("terminationMessagePolicy");
    required_enum(message_policy, &["File", "FallbackToLogsOnError"], &path.child("terminationMessagePolicy"), errors);
    validate_ports(container.list("ports"), &path.child("ports"), errors);
    validate_env(container.list("env"), &path.child("env"), errors);
    validate_env_from(container.list("envFrom"), &path.child("envFrom"), errors);
    validate_mounts(container, &context.volumes, &path.child("volumeMounts"), errors);
    validate_devices(container, &context.volumes, &path.child("volumeDevices"), errors);
    validate_pull_policy(container.text("imagePullPolicy"), &path.child("imagePullPolicy"), errors);
    let options = RequirementOptions {
        pod_level: false,
        allow_broken_pages: context.options.allow_indivisible_huge_pages,
        claims: &context.claims,
    };
    validate_requirements(container.at("resources"), options, &path.child("resources"), errors);
    validate_resize_policy(
        container.list("resizePolicy"),
        context.spec.text("restartPolicy"),
        &path.child("resizePolicy"),
        errors,
    );
    validate_container_security(
        container.at("securityContext"),
        context.host_users,
        &path.child("securityContext"),
        errors,
    );
}

fn validate_ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.text("name");
        if !name.is_empty() {
            let complaints = names::port_name(name);
            let valid = complaints.is_empty();
            errors.complain(&path.child("name"), name, complaints);
            if valid && !names.insert(name) {
                errors.push(path.child("name").duplicate(name));
            }
        }
        match port.int("containerPort") {
            0 => errors.push(path.child("containerPort").required("")),
            number => checks::port_number(number, &path.child("containerPort"), errors),
        }
        match port.int("hostPort") {
            0 => {}
            number => checks::port_number(number, &path.child("hostPort"), errors),
        }
        required_enum(port.text("protocol"), &PROTOCOLS, &path.child("protocol"), errors);
    }
}

/// A port of the node can be taken once (`checkHostPortConflicts`).
fn validate_host_ports(containers: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let at = path.index(index);
        let ports = at.child("ports");
        for (index, port) in container.list("ports").iter().enumerate() {
            let number = port.int("hostPort");
            let key = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if number != 0 && !taken.insert(key.clone()) {
                let at = ports.index(index);
                errors.push(at.child("hostPort").duplicate(&key));
            }
        }
    }
}

fn paths_by_name<'a>(container: &'a Value, list: &str, field: &str) -> BTreeMap<&'a str, &'a str> {
    container.list(list).iter().map(|entry| (entry.text("name"), entry.text(field))).collect()
}

/// `ValidateVolumeMounts`.
fn validate_mounts(container: &Value, volumes: &Volumes<'_>, path: &Path<'_>, errors: &mut Errors) {
    let devices = paths_by_name(container, "volumeDevices", "devicePath");
    let mut mounted = BTreeSet::new();
    for (index, mount) in container.list("volumeMounts").iter().enumerate() {
        let at = path.index(index);
        let (name, name_path) = (mount.text("name"), at.child("name"));
        let (directory, directory_path) = (mount.text("mountPath"), at.child("mountPath"));
        if name.is_empty() {
            errors.push(name_path.required(""));
        }
        if !volumes.contains_key(name) {
            errors.push(name_path.not_found(name));
        }
        if directory.is_empty() {
            errors.push(directory_path.required(""));
        }
        if !mounted.insert(directory) {
            errors.push(directory_path.invalid(directory, "must be unique"));
        }
        if devices.contains_key(name) {
            errors.push(name_path.invalid(name, "must not already exist in volumeDevices"));
        }
        if devices.values().any(|device| *device == directory) {
            errors.push(directory_path.invalid(directory, "must not already exist as a path in volumeDevices"));
        }
        validate_mount_options(mount, container, &at, path, errors);
    }
}

/// As upstream, the paths of most of these errors do not say which mount it is.
fn validate_mount_options(mount: &Value, container: &Value, at: &Path<'_>, list: &Path<'_>, errors: &mut Errors) {
    let (sub_path, expression) = (mount.text("subPath"), mount.text("subPathExpr"));
    if !sub_path.is_empty() {
        checks::local_descending_path(sub_path, &list.child("subPath"), errors);
    }
    if !expression.is_empty() {
        if !sub_path.is_empty() {
            errors.push(at.child("subPathExpr").invalid(expression, "subPathExpr and subPath are mutually exclusive"));
        }
        checks::local_descending_path(expression, &list.child("subPathExpr"), errors);
    }
    if let Some(propagation) = mount.text_some("mountPropagation") {
        let path = list.child("mountPropagation");
        supported(propagation, &["Bidirectional", "HostToContainer", "None"], &path, errors);
        if propagation == "Bidirectional" && !container.at("securityContext").flag("privileged") {
            errors.push(path.forbidden("Bidirectional mount propagation is available only to privileged containers"));
        }
    }
    validate_recursive_read_only(mount, &list.child("recursiveReadOnly"), errors);
}

fn validate_recursive_read_only(mount: &Value, path: &Path<'_>, errors: &mut Errors) {
    match mount.text_some("recursiveReadOnly") {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if !mount.flag("readOnly") {
                errors.push(path.forbidden("may only be specified when readOnly is true"));
            }
            if mount.text_some("mountPropagation").is_some_and(|propagation| propagation != "None") {
                errors.push(path.forbidden("may only be specified when mountPropagation is None or not specified"));
            }
        }
        Some(other) => errors.push(path.not_supported(other, &["Disabled", "Enabled", "IfPossible"])),
    }
}

/// `ValidateVolumeDevices`.
fn validate_devices(container: &Value, volumes: &Volumes<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mounts = paths_by_name(container, "volumeMounts", "mountPath");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.list("volumeDevices").iter().enumerate() {
        let at = path.index(index);
        let (name, name_path) = (device.text("name"), at.child("name"));
        let (device, device_path) = (device.text("devicePath"), at.child("devicePath"));
        if name.is_empty() {
            errors.push(name_path.required(""));
        }
        if names.contains(name) {
            errors.push(name_path.invalid(name, "must be unique"));
        }
        match volumes.get(name) {
            None => errors.push(name_path.not_found(name)),
            Some(volume) if !volume.has("persistentVolumeClaim") && !volume.has("ephemeral") => {
                let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(name_path.invalid(name, detail));
            }
            Some(_) => {}
        }
        if device.is_empty() {
            errors.push(device_path.required(""));
        }
        if paths.contains(device) {
            errors.push(device_path.invalid(device, "must be unique"));
        }
        if device.split('/').any(|part| part == "..") {
            errors.push(device_path.invalid(device, "can not contain backsteps ('..')"));
        } else {
            paths.insert(device);
        }
        if mounts.contains_key(name) {
            errors.push(name_path.invalid(name, "must not already exist in volumeMounts"));
        }
        if mounts.values().any(|mount| *mount == device) {
            errors.push(device_path.invalid(device, "must not already exist as a path in volumeMounts"));
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}

fn validate_resize_policy(policies: &[Value], pod_restart_policy: &str, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, policy) in policies.iter().enumerate() {
        let (resource, restart) = (policy.text("resourceName"), policy.text("restartPolicy"));
        if !seen.insert(resource) {
            errors.push(path.index(index).duplicate(resource));
        }
        required_enum(resource, &["cpu", "memory"], path, errors);
        required_enum(restart, &["NotRequired", "RestartContainer"], path, errors);
        if pod_restart_policy == "Never" && restart != "NotRequired" {
            errors.push(path.invalid(restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"));
        }
    }
}

/// `validateContainerRestartPolicy`.
fn validate_restart_policy(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rules = container.list("restartPolicyRules");
    match container.text_some("restartPolicy") {
        None if rules.is_empty() => return,
        None => {
            errors.push(path.child("restartPolicy").required("must specify restartPolicy when restart rules are used"))
        }
        Some(policy) => supported(policy, &RESTART_POLICIES, &path.child("restartPolicy"), errors),
    }
    let list = path.child("restartPolicyRules");
    if rules.len() > RESTART_RULES_MAX {
        errors.push(list.too_many(rules.len(), RESTART_RULES_MAX));
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_restart_rule(rule, &list.index(index), errors);
    }
}

fn validate_restart_rule(rule: &Value, path: &Path<'_>, errors: &mut Errors) {
    supported(rule.text("action"), &["Restart", "RestartAllContainers"], &path.child("action"), errors);
    let path = path.child("exitCodes");
    let Some(codes) = rule.get_some("exitCodes") else {
        errors.push(path.required("must be specified"));
        return;
    };
    supported(codes.text("operator"), &["In", "NotIn"], &path.child("operator"), errors);
    if codes.list("values").len() > EXIT_CODES_MAX {
        errors.push(path.child("values").too_many(codes.list("values").len(), EXIT_CODES_MAX));
    }
}
