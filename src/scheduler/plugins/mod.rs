//! Upstream's in-tree plugins, a file each, and the one list that puts them in order.

mod default_preemption;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_balanced_allocation;
mod node_resources_fit;
mod node_unschedulable;
mod node_volume_limits;
mod pod_topology_spread;
mod scheduling_gates;
mod taint_toleration;
mod volume_binding;
mod volume_restrictions;
mod volume_zone;

use super::framework::{Local, Registry};

/// The order and weights of upstream's default profile (`apis/config/v1/default_plugins.go`).
///
/// Not there yet: DynamicResources, NodeDeclaredFeatures. PrioritySort is how the queue sorts, DefaultBinder how an attempt
/// ends.
pub(super) fn default_registry() -> Registry {
    Registry::empty()
        .push_upstream(scheduling_gates::SchedulingGates, 0)
        .push_local(node_unschedulable::NodeUnschedulable, 0, Local::FILTER)
        .push_upstream(node_name::NodeName, 0)
        .push_local(taint_toleration::TaintToleration, 3, Local::BOTH)
        .push_local(node_affinity::NodeAffinity, 2, Local::BOTH)
        .push_local(node_ports::NodePorts, 0, Local::FILTER)
        .push_local(node_resources_fit::NodeResourcesFit, 1, Local::BOTH)
        .push_upstream(volume_restrictions::VolumeRestrictions, 0)
        .push_upstream(node_volume_limits::NodeVolumeLimits, 0)
        .push_upstream(volume_binding::VolumeBinding, 0)
        .push_upstream(volume_zone::VolumeZone, 0)
        .push_upstream(pod_topology_spread::PodTopologySpread, 2)
        .push_upstream(inter_pod_affinity::InterPodAffinity, 2)
        .push_upstream(default_preemption::DefaultPreemption, 0)
        .push_local(node_resources_balanced_allocation::NodeResourcesBalancedAllocation, 1, Local::SCORE)
        .push_upstream(image_locality::ImageLocality, 1)
}

/// Brings points into 0 to 100 in proportion to the largest (upstream `helper.DefaultNormalizeScore`).
fn normalize(scores: &mut [i64], reverse: bool) {
    let max = scores.iter().copied().max().unwrap_or(0);
    if max == 0 {
        return scores.fill(if reverse { 100 } else { 0 });
    }
    for score in scores {
        let share = score.saturating_mul(100) / max;
        *score = if reverse { 100 - share } else { share };
    }
}
