//! Kernel parameters that a pod may set (upstream `pkg/kubelet/sysctl`).

use super::Rejection;
use crate::objects::Pod;
use crate::objects::wire::Wire;

/// Those that concern nobody but the pod, with the namespace that they belong to.
const SAFE: [(&str, &str); 12] = [
    ("kernel.shm_rmid_forced", "IPC"),
    ("net.ipv4.ip_local_port_range", "Net"),
    ("net.ipv4.tcp_syncookies", "Net"),
    ("net.ipv4.ping_group_range", "Net"),
    ("net.ipv4.ip_unprivileged_port_start", "Net"),
    ("net.ipv4.ip_local_reserved_ports", "Net"),
    ("net.ipv4.tcp_keepalive_time", "Net"),
    ("net.ipv4.tcp_fin_timeout", "Net"),
    ("net.ipv4.tcp_keepalive_intvl", "Net"),
    ("net.ipv4.tcp_keepalive_probes", "Net"),
    ("net.ipv4.tcp_rmem", "Net"),
    ("net.ipv4.tcp_wmem", "Net"),
];

pub(super) fn refused(pod: &Pod) -> Option<Rejection> {
    let spec = pod.spec.wire();
    let context = spec.get("securityContext")?;
    let host_ipc = spec.get("hostIPC").and_then(serde_json::Value::as_bool).unwrap_or(false);
    let complaint = |name: &str| {
        let dotted = with_dots(name);
        match SAFE.iter().find(|(safe, _)| *safe == dotted) {
            None => Some(format!("{dotted:?} not allowlisted")),
            Some((_, space)) if (*space == "IPC" && host_ipc) || (*space == "Net" && pod.spec.host_network) => {
                Some(format!("{dotted:?} not allowed with host {space} enabled"))
            }
            Some(_) => None,
        }
    };
    let why = context.list("sysctls").iter().find_map(|sysctl| complaint(sysctl.text("name")))?;
    Some(Rejection::new("SysctlForbidden", format!("forbidden sysctl: {why}")))
}

/// With dots between the parts. If the first separator is a slash, slashes separate and dots belong to names.
fn with_dots(name: &str) -> String {
    if name.find(['.', '/']).is_none_or(|at| name[at..].starts_with('.')) {
        return name.to_owned();
    }
    let swap = |c: char| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    name.chars().map(swap).collect()
}
