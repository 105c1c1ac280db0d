//! Keeps the number of volumes on a node within what its drivers can attach (upstream `plugins/nodevolumelimits`). The
//! limits are those of CSINode objects, `spec.drivers[].allocatable.count`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::View;
use crate::objects::wire::Wire;
use crate::objects::{Key, Pod, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};

#[derive(Debug)]
pub(super) struct NodeVolumeLimits;

/// Driver and handle of a volume.
type Disk = (Arc<str>, Arc<str>);

fn disk_of_volume(view: &View, name: &str) -> Option<Disk> {
    let volume = view.persistent_volumes.get(&Key::new("", name))?;
    let csi = volume.spec.rest.get("csi")?;
    Some((csi.text("driver").into(), csi.text("volumeHandle").into()))
}

/// The disks of a pod's claims, also of those whose volumes are still to be made.
fn disks<'a>(view: &'a View, pod: &'a Pod) -> impl Iterator<Item = Disk> + 'a {
    pod.claims().filter_map(|key| {
        let claim = view.persistent_volume_claims.get(&key)?;
        if !claim.spec.volume_name.is_empty() {
            return disk_of_volume(view, &claim.spec.volume_name);
        }
        let class = view.storage_classes.get(&Key::new("", claim.class()))?;
        Some((class.body.provisioner.as_str().into(), format!("unbound:{key}").into()))
    })
}

/// How many volumes of a driver a node can have, if that is limited.
fn limit(view: &View, node: &str, driver: &str) -> Option<usize> {
    let node = view.opaque.get(&Key::new("", format!("CSINode.storage.k8s.io/{node}")))?;
    let drivers = node.rest.get("spec")?.list("drivers");
    let count = drivers.iter().find(|known| known.text("name") == driver)?.at("allocatable").int_some("count")?;
    usize::try_from(count).ok()
}

impl Plugin for NodeVolumeLimits {
    type State = BTreeSet<Disk>;

    fn name(&self) -> &'static str {
        "NodeVolumeLimits"
    }

    fn events(&self) -> Actions {
        Actions::POD_DELETE | Actions::CLAIM_ADD | Actions::ATTACHMENT_DELETE
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Pod(Some(gone), None) => gone.claims().next().is_some(),
            Subject::Claim(_, claim) => {
                let key = Key::new(claim.meta.namespace.clone(), claim.meta.name.clone());
                pod.claims().any(|claim| claim == key)
            }
            _ => true,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut BTreeSet<Disk>) -> PreFilter {
        state.clear();
        if !cycle.pod.spec.volumes.is_empty() {
            state.extend(disks(cycle.view, cycle.pod));
        }
        if state.is_empty() { PreFilter::Skip } else { PreFilter::Filter }
    }

    fn filter(&self, cycle: &Cycle<'_>, state: &BTreeSet<Disk>, node: &NodeInfo) -> Code {
        let drivers: BTreeSet<&Arc<str>> = state.iter().map(|(driver, _)| driver).collect();
        for driver in drivers {
            let Some(limit) = limit(cycle.view, node.name(), driver) else { continue };
            let pods = node.pods().iter().filter_map(|uid| cycle.cache.pod(uid));
            let mut there: BTreeSet<Disk> = pods.flat_map(|pod| disks(cycle.view, pod)).collect();
            let attached = cycle.view.attachments_on(node.name());
            there.extend(attached.filter_map(|a| disk_of_volume(cycle.view, &a.spec.source.persistent_volume_name)));
            let of_driver = |disk: &&Disk| disk.0 == *driver;
            let new = state.iter().filter(of_driver).filter(|disk| !there.contains(*disk)).count();
            if new > 0 && there.iter().filter(of_driver).count() + new > limit {
                return Code::Unschedulable;
            }
        }
        Code::Success
    }

    fn reasons(&self, _: &Cycle<'_>, _: &BTreeSet<Disk>, _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) exceed max volume count".into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::objects::{Object, Resource, VolumeAttachment};
    use crate::scheduler::testing::{Bench, bound_to, claim, node, using, volume};

    #[test]
    fn a_node_takes_as_many_volumes_as_its_driver_can_attach() {
        let mut bench = Bench::default();
        bench.add(node("n", json!({})));
        for name in ["a", "b", "c"] {
            let csi = json!({"spec": {"nfs": null, "csi": {"driver": "disk.example.com", "volumeHandle": name}}});
            bench.apply(volume(name, csi));
            bench.apply(claim(name, bound_to(name)));
        }
        bench.add_bound("n", &using("first", &["a"]));
        assert_eq!(bench.placed(&using("p", &["b", "c"])), "n", "no limit is known");
        let limits = json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSINode", "metadata": {"name": "n"},
            "spec": {"drivers": [{"name": "disk.example.com", "allocatable": {"count": 2}}]}});
        bench.apply(Object::from_wire(limits).expect("well-formed"));
        assert_eq!(bench.placed(&using("p", &["a", "b"])), "n", "what is there already does not count again");
        let full = "0/1 nodes are available: 1 node(s) exceed max volume count.";
        assert!(bench.failure(&using("p", &["b", "c"])).starts_with(full));
        let attachment = json!({"metadata": {"name": "x"}, "spec": {"attacher": "disk.example.com", "nodeName": "n",
            "source": {"persistentVolumeName": "c"}}});
        bench.apply(VolumeAttachment::from_wire(attachment).expect("well-formed"));
        assert!(bench.failure(&using("p", &["b"])).starts_with(full), "also what no pod uses any more");
    }
}
