//! Keeps pods in the zone and region that the labels of their volumes name (upstream `plugins/volumezone`).

use std::sync::Arc;

use crate::objects::storage::claim_phase;
use crate::objects::{Key, Labels, Pod, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};

/// Labels that name a place, and what they are called since they are stable.
const TOPOLOGY: [(&str, &str); 4] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];
/// Between the values of a label that names several places.
const SEPARATOR: &str = "__";

#[derive(Debug)]
pub(super) struct VolumeZone;

/// A label of a volume: its key and that since it is stable, and its value.
type Place = (&'static str, &'static str, Arc<str>);

fn reject(why: impl Into<Text>) -> PreFilter {
    PreFilter::Reject(Code::UnschedulableAndUnresolvable, why.into())
}

fn places(labels: &Labels) -> impl Iterator<Item = Place> + '_ {
    TOPOLOGY.into_iter().filter_map(|(key, stable)| Some((key, stable, labels.get(key)?.into())))
}

impl Plugin for VolumeZone {
    type State = Vec<Place>;

    fn name(&self) -> &'static str {
        "VolumeZone"
    }

    fn events(&self) -> Actions {
        Actions::CLASS_ADD
            | Actions::NODE_ADD
            | Actions::NODE_LABEL
            | Actions::CLAIM_ADD
            | Actions::CLAIM_UPDATE
            | Actions::VOLUME_ADD
            | Actions::VOLUME_UPDATE
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let named = |key: &Key| pod.claims().any(|claim| claim == *key);
        let queue = match event.subject {
            Subject::Claim(_, claim) => named(&Key::new(claim.meta.namespace.clone(), claim.meta.name.clone())),
            Subject::Class(_, class) => class.waits_for_consumer(),
            Subject::Volume(Some(old), new) => !places(&old.meta.labels).eq(places(&new.meta.labels)),
            _ => true,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut Vec<Place>) -> PreFilter {
        state.clear();
        for claim_name in
            cycle.pod.spec.volumes.iter().filter_map(|v| Some(&v.persistent_volume_claim.as_ref()?.claim_name))
        {
            let key = Key::new(cycle.pod.meta.namespace.clone(), claim_name.clone());
            let Some(claim) = cycle.view.persistent_volume_claims.get(&key) else {
                return reject(format!("persistentvolumeclaim {claim_name:?} not found"));
            };
            if claim.spec.volume_name.is_empty() {
                if claim.class().is_empty() {
                    return reject("PersistentVolumeClaim had no pv name and storageClass name");
                }
                match cycle.view.storage_classes.get(&Key::new("", claim.class())) {
                    None => return reject(format!("storageclass.storage.k8s.io {:?} not found", claim.class())),
                    Some(class) if class.waits_for_consumer() => continue,
                    Some(_) => return reject("PersistentVolume had no name"),
                }
            }
            debug_assert_ne!(claim.phase(), claim_phase::LOST, "VolumeBinding has turned the pod away");
            let volume = Key::new("", &*claim.spec.volume_name);
            let Some(volume) = cycle.view.persistent_volumes.get(&volume) else {
                return reject(format!("persistentvolume {:?} not found", volume.name));
            };
            state.extend(places(&volume.meta.labels));
        }
        if state.is_empty() { PreFilter::Skip } else { PreFilter::Filter }
    }

    fn filter(&self, _: &Cycle<'_>, state: &Vec<Place>, node: &NodeInfo) -> Code {
        let labels = &node.node().meta.labels;
        if TOPOLOGY.iter().all(|(key, _)| !labels.contains_key(key)) {
            return Code::Success;
        }
        let suits = |(key, stable, values): &Place| {
            let value = labels.get(key).or_else(|| labels.get(stable));
            value.is_some_and(|value| values.split(SEPARATOR).any(|one| one == value))
        };
        if state.iter().all(suits) { Code::Success } else { Code::UnschedulableAndUnresolvable }
    }

    fn reasons(&self, _: &Cycle<'_>, _: &Vec<Place>, _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) had no available volume zone".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, bound_to, claim, labelled, using, volume};

    #[test]
    fn a_pod_stays_in_a_zone_of_its_volume() {
        let zone = "topology.kubernetes.io/zone";
        let mut bench = Bench::default();
        bench.add(labelled("in-a", &[(zone, "a")]));
        bench.add(labelled("in-b", &[(zone, "b")]));
        for (label, values, expected) in [
            (zone, "b", Ok("in-b")),
            (zone, "c__b", Ok("in-b")),
            ("failure-domain.beta.kubernetes.io/zone", "a", Ok("in-a")),
            (zone, "c", Err("0/2 nodes are available: 2 node(s) had no available volume zone.")),
        ] {
            bench.apply(volume("disk", json!({"metadata": {"labels": {label: values}}})));
            bench.apply(claim("data", bound_to("disk")));
            match expected {
                Ok(node) => assert_eq!(bench.placed(&using("p", &["data"])), node, "{label}={values}"),
                Err(why) => assert!(bench.failure(&using("p", &["data"])).starts_with(why)),
            }
        }
        bench.add(labelled("nowhere", &[]));
        assert_eq!(bench.placed(&using("p", &["data"])), "nowhere", "a node without a place has no say");
    }
}
