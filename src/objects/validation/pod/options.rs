//! What stored objects may keep although today's rules refuse it.

use serde_json::Value;

use super::{all_containers, scheduling, security};
use crate::objects::validation::checks::{local_non_reserved_path, quantities};
use crate::objects::validation::resources::{is_huge_pages, is_whole_pages};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

/// Upstream's `PodValidationOptions`, without those that features on by default fix.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::objects::validation) struct PodOptions {
    /// A pod, not a template.
    pub(in crate::objects::validation) is_pod: bool,
    pub(super) allow_invalid_deletion_cost: bool,
    pub(super) allow_indivisible_huge_pages: bool,
    pub(in crate::objects::validation) allow_invalid_label_value_in_selector: bool,
    pub(super) allow_invalid_label_value_in_node_affinity: bool,
    pub(super) allow_invalid_spread_selector: bool,
    pub(super) old_violates_match_label_keys: bool,
    pub(super) allow_non_local_token_path: bool,
    pub(super) allow_host_sysctls: bool,
    pub(super) allow_restart_container_for_non_sidecar: bool,
    pub(super) allow_user_namespaces_with_devices: bool,
    pub(super) allow_user_namespaces_with_host_network: bool,
    pub(super) allow_comparing_tolerations: bool,
    pub(super) allow_se_linux_mount_option: bool,
}

impl PodOptions {
    /// The options for an update of an object whose pod spec and metadata are these
    /// (`GetValidationOptionsFromPodSpecAndMeta`).
    pub(in crate::objects::validation) fn from_old(metadata: &Value, spec: &Value) -> Self {
        let (invalid_selector, invalid_keys) = scheduling::invalid_spread(spec);
        let cost = metadata.at("annotations").text_some(super::DELETION_COST);
        let user_namespaces = spec.flag_some("hostUsers") == Some(false);
        Self {
            is_pod: false,
            allow_invalid_deletion_cost: cost.is_some_and(|cost| !super::is_deletion_cost(cost)),
            allow_indivisible_huge_pages: has_indivisible_huge_pages(spec),
            allow_invalid_label_value_in_selector: scheduling::has_invalid_selectors(spec),
            allow_invalid_label_value_in_node_affinity: scheduling::has_invalid_node_values(spec),
            allow_invalid_spread_selector: invalid_selector,
            old_violates_match_label_keys: invalid_keys,
            allow_non_local_token_path: has_non_local_token_path(spec),
            allow_host_sysctls: has_host_sysctl(spec),
            allow_restart_container_for_non_sidecar: restarts_non_sidecar_on_resize(spec),
            allow_user_namespaces_with_devices: user_namespaces
                && all_containers(spec).any(|(_, _, container)| !container.list("volumeDevices").is_empty()),
            allow_user_namespaces_with_host_network: user_namespaces && spec.flag("hostNetwork"),
            allow_comparing_tolerations: spec
                .list("tolerations")
                .iter()
                .any(|toleration| matches!(toleration.text("operator"), "Lt" | "Gt")),
            allow_se_linux_mount_option: spec.at("securityContext").has("seLinuxChangePolicy"),
        }
    }

    /// The same for a template.
    pub(in crate::objects::validation) fn from_old_template(template: &Value) -> Self {
        Self::from_old(template.at("metadata"), template.at("spec"))
    }
}

fn has_indivisible_huge_pages(spec: &Value) -> bool {
    let broken = |owner: &Value, list: &str| {
        quantities(owner, list).into_iter().any(|(name, amount)| is_huge_pages(name) && !is_whole_pages(name, amount))
    };
    let in_containers = all_containers(spec).any(|(_, _, container)| {
        let resources = container.at("resources");
        broken(resources, "limits") || broken(resources, "requests")
    });
    in_containers || broken(spec, "overhead")
}

fn has_non_local_token_path(spec: &Value) -> bool {
    let mut faults = Errors::new();
    for source in spec.list("volumes").iter().flat_map(|volume| volume.at("projected").list("sources")) {
        if let Some(token) = source.get_some("serviceAccountToken") {
            local_non_reserved_path(token.text("path"), &Path::root(""), &mut faults);
        }
    }
    !faults.is_empty()
}

fn has_host_sysctl(spec: &Value) -> bool {
    let sysctls = spec.at("securityContext").list("sysctls");
    sysctls.iter().any(|sysctl| security::host_sysctl_fault(sysctl.text("name"), spec).is_some())
}

fn restarts_non_sidecar_on_resize(spec: &Value) -> bool {
    let mut init = spec.list("initContainers").iter().filter(|container| container.text("restartPolicy") != "Always");
    init.any(|container| {
        container.list("resizePolicy").iter().any(|policy| policy.text("restartPolicy") == "RestartContainer")
    })
}
