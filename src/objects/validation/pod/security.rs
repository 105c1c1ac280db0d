//! Security contexts of pods and containers.

use std::collections::BTreeSet;

use serde_json::Value;

use super::PodOptions;
use super::windows::validate_windows_options;
use crate::objects::names;
use crate::objects::validation::checks::{local_descending_path, required_enum, supported, supported_if_given};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const PROFILE_TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const APP_ARMOR_PROFILE_MAX: usize = 4095;
const SYSCTL_MAX: usize = 253;
const SYSCTL_REGEX: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// `validatePodSpecSecurityContext`.
pub(super) fn validate_pod_security(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let context = spec.at("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        validate_id(context, field, path, errors);
    }
    let groups = path.child("supplementalGroups");
    for (index, group) in context.list("supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or(0);
        errors.extend(names::user_id(group).into_iter().map(|complaint| groups.index(index).invalid(group, complaint)));
    }
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(path.child("shareProcessNamespace").invalid(true, detail));
    }
    validate_sysctls(spec, options, &path.child("sysctls"), errors);
    supported_if_given(context, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], path, errors);
    validate_seccomp(context, path, errors);
    validate_windows_options(context.at("windowsOptions"), &path.child("windowsOptions"), errors);
    validate_app_armor(context.at("appArmorProfile"), &path.child("appArmorProfile"), errors);
    supported_if_given(context, "supplementalGroupsPolicy", &["Merge", "Strict"], path, errors);
    let se_linux: &[&str] =
        if options.allow_se_linux_mount_option { &["MountOption", "Recursive"] } else { &["Recursive"] };
    supported_if_given(context, "seLinuxChangePolicy", se_linux, path, errors);
}

/// `ValidateSecurityContext` of a container.
pub(super) fn validate_container_security(context: &Value, host_users: bool, path: &Path<'_>, errors: &mut Errors) {
    if !context.is_object() {
        return;
    }
    for field in ["runAsUser", "runAsGroup"] {
        validate_id(context, field, path, errors);
    }
    if let Some(mount) = context.text_some("procMount") {
        let path = path.child("procMount");
        supported(mount, &["Default", "Unmasked"], &path, errors);
        if host_users && mount == "Unmasked" {
            errors.push(path.invalid(mount, "`hostUsers` must be false to use `Unmasked`"));
        }
    }
    validate_seccomp(context, path, errors);
    if context.flag_some("allowPrivilegeEscalation") == Some(false) {
        if context.flag("privileged") {
            errors
                .push(path.invalid(context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
        }
        for _ in context.at("capabilities").texts("add").into_iter().filter(|capability| *capability == "CAP_SYS_ADMIN")
        {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.push(path.invalid(context, detail));
        }
    }
    validate_windows_options(context.at("windowsOptions"), &path.child("windowsOptions"), errors);
    validate_app_armor(context.at("appArmorProfile"), &path.child("appArmorProfile"), errors);
}

fn validate_id(context: &Value, field: &str, path: &Path<'_>, errors: &mut Errors) {
    let Some(id) = context.int_some(field) else { return };
    errors.extend(names::user_id(id).into_iter().map(|complaint| path.child(field).invalid(id, complaint)));
}

fn validate_seccomp(context: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = context.get_some("seccompProfile") else { return };
    let path = path.child("seccompProfile");
    let kind = profile.text("type");
    if kind.is_empty() {
        errors.push(path.child("type").required("type is required when seccompProfile is set"));
    } else {
        supported(kind, &PROFILE_TYPES, &path.child("type"), errors);
    }
    let file_path = path.child("localhostProfile");
    match (kind == "Localhost", profile.text_some("localhostProfile")) {
        (true, None) => errors.push(file_path.required("must be set when seccomp type is Localhost")),
        (true, Some(file)) => local_descending_path(file, &file_path, errors),
        (false, Some(_)) => errors.push(file_path.invalid(profile, "can only be set when seccomp type is Localhost")),
        (false, None) => {}
    }
}

/// `ValidateAppArmorProfileField`.
fn validate_app_armor(profile: &Value, path: &Path<'_>, errors: &mut Errors) {
    if !profile.is_object() {
        return;
    }
    let file_path = path.child("localhostProfile");
    let file = profile.text_some("localhostProfile");
    match (profile.text("type"), file) {
        ("Localhost", None) => errors.push(file_path.required("must be set when AppArmor type is Localhost")),
        ("Localhost", Some(file)) => {
            if file.trim() != file {
                errors.push(file_path.invalid(file, "must not be padded with whitespace"));
            } else if file.is_empty() {
                errors.push(file_path.required("must be set when AppArmor type is Localhost"));
            }
            if file.len() > APP_ARMOR_PROFILE_MAX {
                errors.push(file_path.too_long(APP_ARMOR_PROFILE_MAX));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(file)) => {
            errors.push(file_path.invalid(file, "can only be set when AppArmor type is Localhost"));
        }
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.push(path.child("type").required("type is required when appArmorProfile is set")),
        (other, _) => required_enum(other, &PROFILE_TYPES, &path.child("type"), errors),
    }
}

fn validate_sysctls(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, sysctl) in spec.at("securityContext").list("sysctls").iter().enumerate() {
        let at = path.index(index);
        let path = at.child("name");
        let name = sysctl.text("name");
        if name.is_empty() {
            errors.push(path.required(""));
        } else if !is_sysctl_name(name) {
            let detail = format!("must have at most {SYSCTL_MAX} characters and match regex {SYSCTL_REGEX}");
            errors.push(path.invalid(name, detail));
        } else if seen.contains(name) {
            errors.push(path.duplicate(name));
        }
        if let Some(fault) = host_sysctl_fault(name, spec).filter(|_| !options.allow_host_sysctls) {
            errors.push(path.invalid(name, fault));
        }
        seen.insert(name);
    }
}

/// Why a sysctl of the node cannot be set by a pod that shares the node's namespace (`ValidateHostSysctl`).
pub(super) fn host_sysctl_fault(name: &str, spec: &Value) -> Option<&'static str> {
    let normalized = name.replace('/', ".");
    let stem = normalized.split('*').next().unwrap_or_default();
    let is_below = |prefix: &str| stem.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
    let ipc = matches!(
        stem,
        "kernel.sem"
            | "kernel.shmall"
            | "kernel.shmmax"
            | "kernel.shmmni"
            | "kernel.shm_rmid_forced"
            | "kernel.shm"
            | "kernel.msgmax"
            | "kernel.msgmnb"
            | "kernel.msgmni"
            | "kernel.msg"
    );
    if spec.flag("hostNetwork") && is_below("net") {
        Some("may not be specified when 'hostNetwork' is true")
    } else if spec.flag("hostIPC") && (ipc || is_below("fs.mqueue")) {
        Some("may not be specified when 'hostIPC' is true")
    } else {
        None
    }
}

fn is_sysctl_name(name: &str) -> bool {
    let end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let segment = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().is_some_and(|first| end(*first))
            && bytes.last().is_some_and(|last| end(*last))
            && bytes.iter().all(|byte| end(*byte) || matches!(byte, b'-' | b'_'))
    };
    name.len() <= SYSCTL_MAX && name.split(['.', '/']).all(segment)
}

/// Annotations of old that name seccomp profiles, and their agreement with the fields that replaced them.
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR_CONTAINER: &str = "container.apparmor.security.beta.kubernetes.io/";

/// `ValidateSeccompPodAnnotations`, `ValidateAppArmorPodAnnotations`.
pub(super) fn validate_profile_annotations(annotations: &Value, spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(profile) = annotations.text_some(SECCOMP_POD) {
        validate_seccomp_annotation(profile, &path.child(SECCOMP_POD), errors);
    }
    let entries: Vec<(&str, &str)> = texts_of(annotations);
    for (key, profile) in entries.iter().filter(|(key, _)| key.starts_with(SECCOMP_CONTAINER)) {
        validate_seccomp_annotation(profile, &path.child(key), errors);
    }
    for (key, profile) in entries {
        let Some(container) = key.strip_prefix(APP_ARMOR_CONTAINER) else { continue };
        if !super::all_containers(spec).any(|(_, _, found)| found.text("name") == container) {
            errors.push(path.key(key).invalid(container, "container not found"));
        }
        if !matches!(profile, "" | "runtime/default" | "unconfined") && !profile.starts_with("localhost/") {
            let detail = format!("invalid AppArmor profile name: {}", names::quoted(profile));
            errors.push(path.key(key).invalid(profile, detail));
        }
    }
}

fn texts_of(annotations: &Value) -> Vec<(&str, &str)> {
    let members = annotations.as_object().into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

fn validate_seccomp_annotation(profile: &str, path: &Path<'_>, errors: &mut Errors) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match profile.strip_prefix("localhost/") {
        Some(file) => local_descending_path(file, path, errors),
        None => errors.push(path.invalid(profile, "must be a valid seccomp profile")),
    }
}

/// `validateSeccompAnnotationsAndFields`, `validateAppArmorAnnotationsAndFieldsMatchOnCreate`.
pub(super) fn validate_profiles_agree(annotations: &Value, spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let pod_context = spec.at("securityContext");
    if let (Some(annotation), Some(profile)) =
        (annotations.text_some(SECCOMP_POD), pod_context.get_some("seccompProfile"))
    {
        let at = path.child("securityContext.seccompProfile");
        agree(annotation, profile, &["runtime/default", "docker/default"], "seccomp", &at, errors);
    }
    for (list, index, container) in super::all_containers(spec) {
        let Some(profile) = container.at("securityContext").get_some("seccompProfile") else { continue };
        let Some(annotation) = annotations.text_some(&format!("{SECCOMP_CONTAINER}{}", container.text("name"))) else {
            continue;
        };
        let (list, field) = (path.child(list), "securityContext.seccompProfile");
        let at = list.index(index);
        agree(annotation, profile, &["runtime/default", "docker/default"], "seccomp", &at.child(field), errors);
    }
    if spec.at("os").text("name") == "windows" {
        return;
    }
    for (list, index, container) in super::all_containers(spec) {
        let own = container.at("securityContext").get_some("appArmorProfile");
        let Some(profile) = own.or_else(|| pod_context.get_some("appArmorProfile")) else { continue };
        let Some(annotation) = annotations.text_some(&format!("{APP_ARMOR_CONTAINER}{}", container.text("name")))
        else {
            continue;
        };
        let (list, field) = (path.child(list), "securityContext.appArmorProfile");
        let at = list.index(index);
        agree(annotation, profile, &["runtime/default"], "apparmor", &at.child(field), errors);
    }
}

fn agree(annotation: &str, profile: &Value, defaults: &[&str], what: &str, path: &Path<'_>, errors: &mut Errors) {
    let type_agrees = match profile.text("type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => defaults.contains(&annotation),
        "Localhost" => annotation.starts_with("localhost/"),
        _ => return,
    };
    if !type_agrees {
        errors.push(path.child("type").forbidden(format!("{what} type in annotation and field must match")));
    } else if profile.text("type") == "Localhost"
        && annotation.strip_prefix("localhost/") != profile.text_some("localhostProfile")
    {
        errors.push(
            path.child("localhostProfile").forbidden(format!("{what} profile in annotation and field must match")),
        );
    }
}
