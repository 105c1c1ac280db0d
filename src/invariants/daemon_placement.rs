//! A DaemonSet makes pods only for nodes that are to have one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Uid};
use crate::sim::Simulation;

use super::daemon_state::{DaemonState, name};
use super::{Invariant, Violation};

/// The DaemonSet controller makes no pod for a node that its template does not accept, or whose taints it does not tolerate. Pods
/// that were there before a taint may stay, and adopted ones are left out.
#[derive(Debug)]
pub struct DaemonPlacement {
    set: Key,
    window: SimDuration,
    /// When each node was last one that is to have a pod.
    eligible: BTreeMap<Arc<str>, SimTime>,
    known: Option<BTreeSet<Uid>>,
}

impl DaemonPlacement {
    /// By anything that was true in the last `window`: zero, or longer for control planes with delays.
    #[must_use]
    pub const fn within(set: Key, window: SimDuration) -> Self {
        Self { set, window, eligible: BTreeMap::new(), known: None }
    }

    fn is_new(&self, sim: &Simulation, pod: &Key) -> bool {
        let created = sim.view().pods.get(pod).and_then(|pod| pod.meta.creation_timestamp);
        let window = i64::try_from(self.window.as_nanos()).unwrap_or(i64::MAX);
        created.is_some_and(|at| at >= sim.wall().plus_nanos(-window).timestamp())
    }
}

impl Invariant for DaemonPlacement {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(set) = sim.view().daemon_sets.get(&self.set).filter(|set| !set.meta.is_deleting()) else {
            self.known = None;
            return Ok(());
        };
        let (now, state) = (sim.now(), DaemonState::of(sim, set));
        self.eligible.extend(state.eligible().map(|(node, _)| (Arc::clone(node), now)));
        let pods = || state.nodes.iter().flat_map(|(node, is)| is.live.iter().map(move |pod| (node, pod)));
        let before = self.known.replace(pods().map(|(_, pod)| pod.uid.clone()).collect());
        let Some(before) = before else { return Ok(()) };
        for (node, pod) in pods().filter(|(_, pod)| !before.contains(&pod.uid)) {
            let last = self.eligible.get(node).copied();
            if last.is_none_or(|last| last + self.window < now) && self.is_new(sim, &pod.key) {
                let since = last.map_or_else(|| "ever".to_owned(), |last| format!("since {last}"));
                let story = format!(
                    "promised pods only where they are to be, but {} was made for {node}, where none is to be {since}",
                    pod.key
                );
                return Err(Violation::new(name("daemonPlacement", &self.set), sim, story));
            }
        }
        Ok(())
    }
}
