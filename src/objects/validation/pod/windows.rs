//! What only concerns pods for Windows, and what such pods cannot have.

use serde_json::Value;

use crate::objects::names;
use crate::objects::validation::checks::{Report, supported};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const CREDENTIAL_SPEC_MAX: usize = 64 * 1024;
const DOMAIN_MAX: usize = 256;
const USER_MAX: usize = 104;

/// `validateWindowsSecurityContextOptions`.
pub(super) fn validate_windows_options(options: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(name) = options.text_some("gmsaCredentialSpecName") {
        errors.complain(&path.child("gmsaCredentialSpecName"), name, names::dns1123_subdomain(name));
    }
    if let Some(spec) = options.text_some("gmsaCredentialSpec") {
        let path = path.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.push(path.invalid(spec, "gmsaCredentialSpec cannot be an empty string"));
        } else if spec.len() > CREDENTIAL_SPEC_MAX {
            errors.push(path.invalid(spec, "gmsaCredentialSpec size must be under 64 KiB"));
        }
    }
    if let Some(user) = options.text_some("runAsUserName") {
        let path = path.child("runAsUserName");
        errors.extend(user_name_faults(user).into_iter().map(|fault| path.invalid(user, fault)));
    }
}

/// `[DOMAIN\]USER`
fn user_name_faults(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.chars().any(|character| character.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let (domain, user) = match name.split('\\').collect::<Vec<_>>().as_slice() {
        [user] => (None, *user),
        [domain, user] => (Some(*domain), *user),
        _ => return vec!["runAsUserName cannot contain more than one backslash"],
    };
    let mut faults = Vec::new();
    let mut add = |fault: &'static str, found: bool| faults.extend(found.then_some(fault));
    add(
        "runAsUserName's Domain length must be under 256 characters",
        domain.is_some_and(|domain| domain.len() >= DOMAIN_MAX),
    );
    add(
        "runAsUserName's Domain doesn't match the NetBios nor the DNS format",
        domain.is_some_and(|domain| !is_net_bios_name(domain) && !is_dns_domain(domain)),
    );
    add("runAsUserName's User cannot be empty", user.is_empty());
    add("runAsUserName's User length must not be longer than 104 characters", user.len() > USER_MAX);
    let only_dots = !user.is_empty() && user.chars().all(|character| matches!(character, '.' | ' '));
    add("runAsUserName's User cannot contain only periods or spaces", only_dots);
    add(
        r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#,
        user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']),
    );
    faults
}

fn is_net_bios_name(domain: &str) -> bool {
    let forbidden = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
    (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(forbidden)
}

fn is_dns_domain(domain: &str) -> bool {
    let label = |part: &str| {
        let inner = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&part.len()) && inner && !part.starts_with('-') && !part.ends_with('-')
    };
    domain.split('.').all(label)
}

/// `validateWindowsHostProcessPod`: either all containers are host processes or none.
pub(super) fn validate_host_process(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let flag = |context: &Value| context.at("windowsOptions").flag_some("hostProcess");
    let pod = flag(spec.at("securityContext"));
    let (mut total, mut host_processes) = (0, 0);
    for (list, index, container) in super::all_containers(spec) {
        total += 1;
        let own = flag(container.at("securityContext"));
        if let (Some(pod), Some(own)) = (pod, own)
            && pod != own
        {
            let list = path.child(list);
            let at = list.index(index);
            let detail = format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errors.push(at.child("securityContext.windowsOptions.hostProcess").invalid(own, detail));
        }
        host_processes += usize::from(own.or(pod) == Some(true));
    }
    if host_processes == 0 {
        return;
    }
    if host_processes != total {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(path.invalid("", detail));
    }
    if !spec.flag("hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(path.child("hostNetwork").invalid(false, detail));
    }
}

/// `validateOS`, `validateLinux`, `validateWindows`.
pub(super) fn validate_os(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(os) = spec.get_some("os") else { return };
    let name = os.text("name");
    let os_path = path.child("os");
    match name {
        "" => errors.push(os_path.child("name").required("")),
        "linux" => forbid_windows_options(spec, path, errors),
        "windows" => forbid_linux_fields(spec, path, errors),
        _ => supported(name, &["linux", "windows"], &os_path, errors),
    }
}

fn forbid_windows_options(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const DETAIL: &str = "windows options cannot be set for a linux pod";
    if spec.at("securityContext").has("windowsOptions") {
        errors.push(path.child("securityContext.windowsOptions").forbidden(DETAIL));
    }
    for (list, index, container) in super::all_containers(spec) {
        if container.at("securityContext").has("windowsOptions") {
            let list = path.child(list);
            let at = list.index(index);
            errors.push(at.child("securityContext.windowsOptions").forbidden(DETAIL));
        }
    }
}

const LINUX_POD_FIELDS: [&str; 15] = [
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
];

const LINUX_CONTAINER_FIELDS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

fn forbid_linux_fields(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const DETAIL: &str = "cannot be set for a windows pod";
    for field in LINUX_POD_FIELDS {
        let given = match field.split_once('.') {
            Some((context, field)) => spec.at(context).has(field),
            None => spec.has(field),
        };
        if given {
            errors.push(path.child(field).forbidden(DETAIL));
        }
    }
    for (list, index, container) in super::all_containers(spec) {
        for field in LINUX_CONTAINER_FIELDS {
            if container.at("securityContext").has(field) {
                let list = path.child(list);
                let at = list.index(index);
                let context = at.child("securityContext");
                errors.push(context.child(field).forbidden(DETAIL));
            }
        }
    }
}
