//! Where a new volume is made (`external-provisioner/pkg/controller/topology.go`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::View;
use crate::objects::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PersistentVolumeClaim, StorageClass,
    VolumeNodeAffinity,
};

/// Label of the zone that a node is in.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The zone of a new volume: that of the node that its consumer was given; else one that the claim's name decides, so that
/// the claims of a StatefulSet take turns. `None` if nodes have no zones.
pub(super) fn zone(
    view: &View,
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: Option<&Node>,
) -> Option<Arc<str>> {
    if let Some(node) = node {
        return node.meta.labels.get(ZONE).map(Arc::from);
    }
    let allowed = view.nodes.iter().filter(|node| class.allows(&node.meta.labels));
    let zones: BTreeSet<&str> = allowed.filter_map(|node| node.meta.labels.get(ZONE)).collect();
    let (hash, index) = hash_and_index(&claim.meta.name);
    let turn = u64::from(hash) + u64::from(index);
    let at = usize::try_from(turn.checked_rem(zones.len() as u64)?).ok()?;
    zones.into_iter().nth(at).map(Arc::from)
}

/// Where volumes of a zone can be reached from.
pub(super) fn affinity(zone: &Arc<str>) -> VolumeNodeAffinity {
    let requirement = NodeSelectorRequirement { key: ZONE.into(), operator: "In".into(), values: vec![zone.clone()] };
    let term = NodeSelectorTerm { match_expressions: vec![requirement], ..NodeSelectorTerm::default() };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}

/// The hash of a claim's name and, if it is that of a StatefulSet's pod, the pod's number
/// (`getPVCNameHashAndIndexOffset`).
fn hash_and_index(name: &str) -> (u32, u32) {
    let (hashed, index) = match name.rsplit_once('-').map(|(front, number)| (front, number.parse())) {
        Some((front, Ok(index))) => (front.rsplit_once('-').map_or(front, |(_, set)| set), index),
        _ => (name, 0),
    };
    let fnv = hashed.bytes().fold(0x811c_9dc5_u32, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte));
    (fnv, index)
}
