//! Which kinds there are in groups to which nobody can add one.

use crate::objects::{Kind, schema};

/// Versions of Kubernetes' own groups, with what they serve beside the kinds that have a schema here.
const OTHERS: [(&str, &[&str]); 11] = [
    ("v1", &["ComponentStatus"]),
    ("apps/v1", &[]),
    ("autoscaling/v1", &[]),
    ("autoscaling/v2", &[]),
    ("batch/v1", &[]),
    ("discovery.k8s.io/v1", &[]),
    ("networking.k8s.io/v1", &["IPAddress", "ServiceCIDR"]),
    ("node.k8s.io/v1", &[]),
    ("policy/v1", &[]),
    ("scheduling.k8s.io/v1", &[]),
    ("storage.k8s.io/v1", &["CSIDriver", "CSINode", "CSIStorageCapacity", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// Whether the version is known to have no such kind: a misspelt one, most likely. Lists of a kind are not looked at.
pub(super) fn is_missing(api_version: &str, kind: &str) -> bool {
    let others = OTHERS.iter().find(|(version, _)| *version == api_version);
    others.is_some_and(|(_, others)| {
        let is_served = Kind::of(api_version, kind).is_some() || schema::lookup(api_version, kind).is_some();
        !is_served && !others.contains(&kind) && !kind.ends_with("List")
    })
}
