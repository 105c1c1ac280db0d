//! Filtering a node for which other pods wait: it must do with them and without (upstream
//! `RunFilterPluginsWithNominatedPods`).

use std::sync::Arc;

use crate::objects::{Pod, Text};
use crate::scheduler::cache::{NodeId, NodeInfo};
use crate::scheduler::framework::{Code, Refusal, Registry};
use crate::scheduler::preemption::priority;

use super::Cycle;

/// Why a node will not do.
pub(in crate::scheduler) type Reasons = Vec<Text>;

/// Pods that the node is kept for and that this one must not push aside.
fn kept_for(cycle: &Cycle<'_>, node: &NodeInfo) -> Vec<Arc<Pod>> {
    let nominated = cycle.cache.nominations().on(node.name()).iter();
    let ahead = |other: &&Arc<Pod>| priority(other) >= priority(cycle.pod) && other.meta.uid != cycle.pod.meta.uid;
    nominated.filter(ahead).cloned().collect()
}

/// Whether any of the nodes is kept for other pods.
pub(super) fn any_is_kept(cycle: &Cycle<'_>, nodes: &[NodeId]) -> bool {
    let nominations = cycle.cache.nominations();
    !nominations.is_empty() && nodes.iter().any(|id| !nominations.on(cycle.cache.node(*id).name()).is_empty())
}

/// Asks the plugins about one node, also with the pods that it is kept for. The reasons are those of the plugin that refuses.
pub(in crate::scheduler) fn check(
    registry: &mut Registry,
    cycle: &Cycle<'_>,
    filtering: &[u8],
    node: &NodeInfo,
) -> Result<(), (Refusal, Reasons)> {
    let others = kept_for(cycle, node);
    if !others.is_empty() {
        let mut with = node.clone();
        for other in &others {
            with.add_pod(other);
            registry.add_pod(filtering, cycle, other, &with);
        }
        let refused = ask(registry, cycle, filtering, &with);
        others.iter().for_each(|other| registry.remove_pod(filtering, cycle, other, &with));
        refused?;
    }
    ask(registry, cycle, filtering, node)
}

fn ask(registry: &Registry, cycle: &Cycle<'_>, filtering: &[u8], node: &NodeInfo) -> Result<(), (Refusal, Reasons)> {
    for &plugin in filtering {
        let slot = registry.slot(plugin);
        let code = slot.filter(cycle, node);
        if code != Code::Success {
            let mut reasons = Vec::new();
            slot.reasons(cycle, node, &mut |reason| reasons.push(reason));
            return Err((Refusal { node: node.id(), plugin, code }, reasons));
        }
    }
    Ok(())
}
