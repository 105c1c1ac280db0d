//! The scheduler gives no node more pods than it has room for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Pod, Resources};
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
    /// What each node may give, and since when.
    nodes: BTreeMap<Arc<str>, (SimTime, Arc<Resources>)>,
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
        Self { bindings: Bindings::default(), window, nodes: BTreeMap::new() }
    }

    /// Whether the node may give the same as it did a while ago.
    fn is_steady(&mut self, sim: &Simulation, name: &Arc<str>, room: &Arc<Resources>) -> bool {
        let now = sim.now();
        let (since, known) = self.nodes.entry(name.clone()).or_insert_with(|| (now, room.clone()));
        if known != room {
            (*since, *known) = (now, room.clone());
        }
        self.window == SimDuration::ZERO || *since + self.window <= now
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
        let bound = self.bindings.new_ones(sim);
        bound.iter().try_for_each(|pod| self.check_pod(sim, pod))
    }
}
