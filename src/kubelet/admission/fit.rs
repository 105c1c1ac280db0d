//! Whether a pod fits beside those that the kubelet has (upstream `noderesources.Fits`, `nodeports.Fits`).

use std::sync::Arc;

use super::Rejection;
use crate::objects::{HostPort, Node, PodSpec, Resources};

/// More of something is asked for than is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub(super) resource: Arc<str>,
    pub(super) requested: i64,
    pub(super) used: i64,
    pub(super) capacity: i64,
}

impl Lack {
    /// How much too much it is.
    pub(super) const fn missing(&self) -> i64 {
        self.requested - (self.capacity - self.used)
    }

    pub(super) fn rejection(&self) -> Rejection {
        let Self { resource, requested, used, capacity } = self;
        let message = format!(
            "Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}"
        );
        Rejection::new(format!("OutOf{resource}"), message)
    }
}

/// What the node has too little of, in upstream's order: pods, CPU (in thousandths), memory, storage, others by name.
pub(super) fn lacking(asked: &Resources, used: &Resources, pods: usize, node: &Node) -> Vec<Lack> {
    let has = &node.status.allocatable;
    let pods = i64::try_from(pods).unwrap_or(i64::MAX);
    let amounts = [
        ("pods", 1, pods, has.pods),
        ("cpu", asked.cpu_milli, used.cpu_milli, has.cpu_milli),
        ("memory", asked.memory, used.memory, has.memory),
        ("ephemeral-storage", asked.ephemeral_storage, used.ephemeral_storage, has.ephemeral_storage),
    ];
    let lack = |resource: Arc<str>, requested: i64, used: i64, capacity: i64| {
        let is_short = requested > 0 && requested > capacity.saturating_sub(used);
        is_short.then_some(Lack { resource, requested, used, capacity })
    };
    let own = amounts.into_iter().filter_map(|(name, asked, used, has)| lack(name.into(), asked, used, has));
    // An extended resource that the node does not know is the cluster's, and not the node's to refuse.
    let known = asked.extended.iter().filter(|(name, _)| {
        let is_extended = name.contains('/') && !name.contains("kubernetes.io/");
        !is_extended || has.extended.iter().any(|(there, _)| there == name)
    });
    let others =
        known.filter_map(|(name, amount)| lack(name.clone(), *amount, used.extended(name), has.extended(name)));
    own.chain(others).collect()
}

/// Whether the pod wants a port of the node that is taken.
pub(super) fn ports_conflict<'a, I: Iterator<Item = &'a Arc<PodSpec>>>(spec: &PodSpec, taken: impl Fn() -> I) -> bool {
    HostPort::of(spec).any(|wanted| taken().any(|other| HostPort::of(other).any(|port| port.conflicts_with(&wanted))))
}
