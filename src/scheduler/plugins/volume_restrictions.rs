//! Keeps pods apart that cannot have a volume both (upstream `plugins/volumerestrictions`).

use serde_json::Value;

use crate::objects::storage::AccessMode;
use crate::objects::wire::Wire;
use crate::objects::{Key, Pod, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};

#[derive(Debug)]
pub(super) struct VolumeRestrictions;

#[derive(Debug, Default)]
pub(super) struct Restrictions {
    /// The pod brings disks of its own, without a claim.
    has_disks: bool,
    /// Claims of the pod that are for one pod alone.
    exclusive: Vec<Key>,
    /// How often other pods use those.
    taken: usize,
}

impl Restrictions {
    fn uses(&self, pod: &Pod) -> usize {
        pod.claims().filter(|claim| self.exclusive.contains(claim)).count()
    }
}

/// Disks that a pod names itself.
fn disks(pod: &Pod) -> impl Iterator<Item = &Value> {
    let volumes = pod.spec.wire().get("volumes").and_then(Value::as_array);
    let restricted = ["gcePersistentDisk", "awsElasticBlockStore", "rbd", "iscsi"];
    volumes.into_iter().flatten().filter(move |volume| restricted.iter().any(|source| volume.has(source)))
}

/// Whether two volumes are one disk that only one of them can have.
fn conflict(one: &Value, other: &Value) -> bool {
    let both = |source: &str| Some((one.get_some(source)?, other.get_some(source)?));
    let writes = |(a, b): (&Value, &Value)| !(a.flag("readOnly") && b.flag("readOnly"));
    let same = |(a, b): (&Value, &Value), field: &str| a.text(field) == b.text(field);
    let overlap =
        |(a, b): (&Value, &Value)| a.texts("monitors").iter().any(|monitor| b.texts("monitors").contains(monitor));
    both("gcePersistentDisk").is_some_and(|disks| same(disks, "pdName") && writes(disks))
        || both("awsElasticBlockStore").is_some_and(|disks| same(disks, "volumeID"))
        || both("iscsi").is_some_and(|disks| same(disks, "iqn") && writes(disks))
        || both("rbd")
            .is_some_and(|disks| overlap(disks) && same(disks, "pool") && same(disks, "image") && writes(disks))
}

fn conflicts(pod: &Pod, other: &Pod) -> bool {
    disks(pod).any(|disk| disks(other).any(|taken| conflict(disk, taken)))
}

impl Plugin for VolumeRestrictions {
    type State = Restrictions;

    fn name(&self) -> &'static str {
        "VolumeRestrictions"
    }

    fn events(&self) -> Actions {
        Actions::POD_DELETE | Actions::NODE_ADD | Actions::CLAIM_ADD
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Pod(Some(gone), None) => {
                gone.meta.namespace == pod.meta.namespace
                    && (conflicts(pod, gone) || gone.claims().any(|key| pod.claims().any(|claim| claim == key)))
            }
            Subject::Claim(_, claim) => {
                let key = Key::new(claim.meta.namespace.clone(), claim.meta.name.clone());
                pod.claims().any(|claim| claim == key)
            }
            Subject::Node(..) => true,
            _ => false,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut Restrictions) -> PreFilter {
        *state = Restrictions::default();
        if cycle.pod.spec.volumes.is_empty() {
            return PreFilter::Skip;
        }
        state.has_disks = disks(cycle.pod).next().is_some();
        for volume in &cycle.pod.spec.volumes {
            let Some(source) = &volume.persistent_volume_claim else { continue };
            let key = Key::new(cycle.pod.meta.namespace.clone(), source.claim_name.clone());
            let Some(claim) = cycle.view.persistent_volume_claims.get(&key) else {
                let why = format!("persistentvolumeclaim {:?} not found", key.name);
                return PreFilter::Reject(Code::UnschedulableAndUnresolvable, why.into());
            };
            let placed = |pod: &Pod| pod.meta.uid != cycle.pod.meta.uid && cycle.cache.pod(&pod.meta.uid).is_some();
            if claim.spec.access_modes.contains(AccessMode::ReadWriteOncePod) {
                // One pod at most can use it.
                state.taken += usize::from(cycle.view.pods_using(&key).any(|pod| placed(pod)));
                state.exclusive.push(key);
            }
        }
        if state.has_disks || state.taken > 0 { PreFilter::Filter } else { PreFilter::Skip }
    }

    fn filter(&self, cycle: &Cycle<'_>, state: &Restrictions, node: &NodeInfo) -> Code {
        if state.taken > 0 || has_conflict(cycle, state, node) { Code::Unschedulable } else { Code::Success }
    }

    fn add_pod(&self, _: &Cycle<'_>, state: &mut Restrictions, pod: &Pod, _: &NodeInfo) {
        state.taken += state.uses(pod);
    }

    fn remove_pod(&self, _: &Cycle<'_>, state: &mut Restrictions, pod: &Pod, _: &NodeInfo) {
        state.taken = state.taken.saturating_sub(state.uses(pod));
    }

    fn reasons(&self, cycle: &Cycle<'_>, state: &Restrictions, node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say(if has_conflict(cycle, state, node) {
            "node(s) had no available disk".into()
        } else {
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
                .into()
        });
    }
}

fn has_conflict(cycle: &Cycle<'_>, state: &Restrictions, node: &NodeInfo) -> bool {
    state.has_disks && node.pods().iter().filter_map(|uid| cycle.cache.pod(uid)).any(|pod| conflicts(cycle.pod, pod))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::scheduler::testing::{Bench, bound_to, claim, node, pod, using, volume};

    #[test]
    fn a_claim_for_one_pod_is_for_one_pod() {
        let mut bench = Bench::default();
        bench.add(node("n", json!({})));
        bench.apply(volume("disk", json!({"spec": {"accessModes": ["ReadWriteOncePod"]}})));
        let mut once = bound_to("disk");
        once["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
        bench.apply(claim("data", once));
        assert_eq!(bench.placed(&using("p", &["data"])), "n");
        bench.add_bound("n", &using("first", &["data"]));
        let why = "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access \
                   mode already in-use by another pod.";
        let told = bench.failure(&using("p", &["data"]));
        assert!(told.starts_with(why), "{told}");
    }

    #[test]
    fn a_disk_that_pods_name_themselves_is_not_shared() {
        let disk = |read_only: bool| json!({"volumes": [{"name": "v", "gcePersistentDisk": {"pdName": "d", "readOnly": read_only}}]});
        let mut bench = Bench::default();
        bench.add(node("n", json!({})));
        bench.add_bound("n", &pod("first", disk(true)));
        assert_eq!(bench.placed(&pod("p", disk(true))), "n");
        let told = bench.failure(&pod("p", disk(false)));
        assert!(told.starts_with("0/1 nodes are available: 1 node(s) had no available disk."), "{told}");
    }
}
