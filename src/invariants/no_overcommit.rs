//! The scheduler gives no node more pods than it has room for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Kind, Pod, Resources};
use crate::sim::Simulation;

use super::bindings::Bindings;
use super::violation::names;
use super::{Invariant, Violation};

/// At the instant at which a pod is bound by a scheduler, the pods of its node do not request more than the node may give
/// to pods, of anything that this pod requests. Who binds pods himself, or makes a node smaller, may overcommit it.
#[derive(Debug)]
pub struct NoOvercommit {
    bindings: Bindings,
    window: SimDuration,
    /// First id of a node that was not met yet.
    met: u32,
    /// What each node may give, and since when if that was ever anything else.
    nodes: BTreeMap<Arc<str>, (Option<SimTime>, Arc<Resources>)>,
}

impl NoOvercommit {
    /// Of a scheduler that knows everything at once.
    #[must_use]
    pub fn new() -> Self {
        Self::within(SimDuration::ZERO)
    }

    /// Of a scheduler that may not know yet what others did in the last `window`.
    #[must_use]
    pub fn within(window: SimDuration) -> Self {
        Self { bindings: Bindings::default(), window, met: 0, nodes: BTreeMap::new() }
    }

    /// Notes what new nodes may give: whoever knows of such a node knows that.
    fn meet_new_nodes(&mut self, sim: &Simulation) {
        for key in sim.view().created_since(Kind::Node, &mut self.met) {
            if let Some(node) = sim.view().nodes.get(&key) {
                self.nodes.insert(node.meta.name.clone(), (None, node.status.allocatable.clone()));
            }
        }
    }

    /// Whether the node may give the same as it did a while ago, or as it always did.
    fn is_steady(&mut self, sim: &Simulation, name: &Arc<str>, room: &Arc<Resources>) -> bool {
        let now = sim.now();
        let (since, known) = self.nodes.entry(name.clone()).or_insert_with(|| (Some(now), room.clone()));
        if known != room {
            (*since, *known) = (Some(now), room.clone());
        }
        self.window == SimDuration::ZERO || since.is_none_or(|since| since + self.window <= now)
    }

    fn check_pod(&mut self, sim: &Simulation, pod: &Pod) -> Result<(), Violation> {
        let view = sim.view();
        let Some(node) = view.nodes.get(&Key::new("", pod.node_name.clone())) else { return Ok(()) };
        let room = &node.status.allocatable;
        if !self.is_steady(sim, &pod.node_name, room) {
            return Ok(());
        }
        let since = SimTime::from_nanos(sim.now().as_nanos().saturating_sub(self.window.as_nanos()));
        let (mut used, mut pods) = (Resources::default(), 0i64);
        for other in view.pods_on(&pod.node_name).filter(|other| !other.is_terminal()) {
            if self.bindings.is_known(other, since) {
                used.add(&other.spec.requests);
                pods += 1;
            }
        }
        let wanted = &pod.spec.requests;
        let extended =
            wanted.extended.iter().map(|(name, amount)| (&**name, *amount, used.extended(name), room.extended(name)));
        let amounts = [
            ("pods", 1, pods, room.pods),
            ("cpu (m)", wanted.cpu_milli, used.cpu_milli, room.cpu_milli),
            ("memory", wanted.memory, used.memory, room.memory),
            ("ephemeral-storage", wanted.ephemeral_storage, used.ephemeral_storage, room.ephemeral_storage),
        ];
        let mut amounts = amounts.into_iter().chain(extended);
        let Some((resource, _, used, room)) = amounts.find(|(_, wanted, used, room)| *wanted > 0 && used > room) else {
            return Ok(());
        };
        Err(Violation {
            invariant: "noOvercommit()".to_owned(),
            at: sim.now(),
            story: format!(
                "pod {}/{} was bound to {}, whose pods now request {used} of {resource}; it has {room}. Its pods: {}",
                pod.meta.namespace,
                pod.meta.name,
                pod.node_name,
                names(view.pods_on(&pod.node_name).filter(|other| !other.is_terminal()).map(|other| &other.meta.name)),
            ),
        })
    }
}

impl Default for NoOvercommit {
    fn default() -> Self {
        Self::new()
    }
}

impl Invariant for NoOvercommit {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        self.meet_new_nodes(sim);
        let bound = self.bindings.new_ones(sim);
        bound.iter().try_for_each(|pod| self.check_pod(sim, pod))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Request;
    use crate::invariants::Always;
    use crate::sim::Delays;

    #[test]
    fn a_pod_too_many_is_told_also_at_the_very_beginning() {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build().unwrap();
        let mut promises = Always::for_every_workload();
        let node = sim.view().nodes.iter().next().unwrap().meta.name.clone();
        let most = sim.view().nodes.iter().next().unwrap().status.allocatable.cpu_milli;
        let requests = json!({"cpu": format!("{}m", most * 2 / 3)});
        for (name, holds) in [("a", true), ("b", false)] {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                "spec": {
                    "schedulerName": "careless",
                    "containers": [{"name": "c", "image": "c", "resources": {"requests": requests}}],
                },
            });
            sim.apply(&pod.to_string()).unwrap();
            promises.check(&sim).unwrap();
            let pod = Key::new("default", name);
            let uid = sim.view().pods.get(&pod).unwrap().meta.uid.clone();
            sim.execute(&Request::Bind { pod, uid, node: node.clone() }).unwrap();
            assert_eq!(promises.check(&sim).is_ok(), holds, "{name}");
        }
    }
}
