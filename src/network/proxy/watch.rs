//! Nodes whose kube-proxy hears nothing, or late: they keep the rules that they have, however old. If their machine starts anew they
//! have none.

use super::super::ids::{NodeId, PortId};
use super::table::ProxyTable;

/// Why a node's agents hear nothing. There may be several reasons at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Silence {
    /// The way between the node and the control plane is cut.
    Partition = 1,
    /// The API server does not run.
    Outage = 2,
    /// The watch of this node's kube-proxy hangs.
    Stall = 4,
    /// The watches of all kube-proxies hang.
    StallOfAll = 8,
}

/// What is about the agents of all nodes, also of those that come up meanwhile.
const OF_ALL: u8 = Silence::Outage as u8 | Silence::StallOfAll as u8;

/// How a node's kube-proxy hears of changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hearing {
    /// Reasons of [`Silence`] that hold.
    silent: u8,
    /// How much later than usual, ns, where it is not as for all.
    late: Option<u64>,
    /// In the list of nodes that may have older rules.
    is_apart: bool,
}

/// Nodes that may have older rules than the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Apart {
    nodes: Vec<NodeId>,
    /// All of them have programmed so many changes, as far as was looked.
    programmed: u32,
    /// When to look again, ns.
    look_at: u64,
    /// How much later than usual all proxies hear of changes, ns.
    late: u64,
    /// Reasons of [`Silence`] for which none of them hears anything.
    silent: u8,
}

/// How often it is looked whether nodes that were apart have caught up, ns.
const LOOK_INTERVAL: u64 = 1_000_000_000;

/// How often it is looked whether all nodes have programmed a port, ns.
const PORT_LOOK_INTERVAL: u64 = 10_000_000;

impl ProxyTable {
    /// The place of the version of a port that a node has programmed, as long as it was not found that all nodes have the newest.
    pub(super) fn find_version(&mut self, port: PortId, node: NodeId, now: u64) -> Option<usize> {
        if now >= self.ports[port.at()].look_at {
            let settled = self.settled_before(now);
            let port = &mut self.ports[port.at()];
            port.look_at = now.saturating_add(PORT_LOOK_INTERVAL);
            if port.versions.last()?.since <= settled {
                port.is_settled = true;
                port.versions.drain(..port.versions.len() - 1);
                return Some(0);
            }
        }
        let changes = self.nodes[node.at()].runner.programmed(now, &self.log, &self.timing);
        self.ports[port.at()].versions.iter().rposition(|version| version.since <= changes)
    }

    /// All nodes that were heard of.
    pub(in crate::network) fn all_nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// A node hears nothing more from `now` on, ns.
    pub(in crate::network) fn fall_silent(&mut self, node: NodeId, why: Silence, now: u64) {
        self.apart.silent |= why as u8 & OF_ALL;
        let hearing = &mut self.nodes[node.at()].hearing;
        let before = hearing.silent;
        hearing.silent |= why as u8;
        if before == 0 {
            self.hear(node, now, 0);
        }
    }

    /// A reason is over for which a node heard nothing. If it was the last, it hears again from `again` on, ns: of all that it missed.
    pub(in crate::network) fn hear_again(&mut self, node: NodeId, why: Silence, now: u64, again: u64) {
        self.apart.silent &= !(why as u8);
        let hearing = &mut self.nodes[node.at()].hearing;
        let before = hearing.silent;
        hearing.silent &= !(why as u8);
        if before != 0 && hearing.silent == 0 {
            self.hear(node, now, again);
        }
    }

    /// Whether a node hears nothing for a reason that is about all that watches there.
    pub(in crate::network) fn is_cut_off(&self, node: NodeId) -> bool {
        self.nodes[node.at()].hearing.silent & (Silence::Partition as u8 | Silence::Outage as u8) != 0
    }

    /// A node's proxy, or all of them, hear of changes so much after the writes, ns; `None` = as usual.
    pub(in crate::network) fn set_late(&mut self, node: Option<NodeId>, delay: Option<u64>, now: u64) {
        let late = delay.map(|delay| delay.saturating_sub(self.watch));
        match node {
            Some(node) => {
                self.nodes[node.at()].hearing.late = late;
                self.hear(node, now, now);
            }
            None => {
                self.apart.late = late.unwrap_or(0);
                for node in self.all_nodes() {
                    self.hear(node, now, now);
                }
            }
        }
    }

    /// A machine has started, without rules. At `begins`, ns, its proxy is there: what it lists is what there is, unless nobody can list
    /// anything; from then on its watch is as slow as those of all.
    pub(super) fn start_proxy(&mut self, node: NodeId, begins: u64) {
        self.nodes[node.at()].hearing.silent |= self.apart.silent;
        let (can_list, late) = (!self.is_cut_off(node), self.lateness(node));
        self.nodes[node.at()].runner.start(begins, can_list, late);
        self.set_apart(node);
        for port in &mut self.ports {
            (port.is_settled, port.look_at) = (false, 0);
        }
    }

    fn hear(&mut self, node: NodeId, now: u64, not_before: u64) {
        let late = self.lateness(node);
        let Self { nodes, log, timing, .. } = self;
        let runner = &mut nodes[node.at()].runner;
        match runner.begins_after(now) {
            Some(begins) => self.start_proxy(node, begins.max(not_before)),
            None => {
                runner.hear(now, (late, not_before), log, timing);
                self.set_apart(node);
            }
        }
        if self.nodes[node.at()].runner.has_no_rules() {
            self.refresh_pools(now);
        }
    }

    /// How much later than usual a node hears of changes, ns; `u64::MAX` = never.
    fn lateness(&self, node: NodeId) -> u64 {
        match self.nodes[node.at()].hearing {
            Hearing { silent: 0, late, .. } => late.unwrap_or(self.apart.late),
            _ => u64::MAX,
        }
    }

    /// A node may have older rules than the others.
    fn set_apart(&mut self, node: NodeId) {
        if !std::mem::replace(&mut self.nodes[node.at()].hearing.is_apart, true) {
            self.apart.nodes.push(node);
        }
        self.apart.look_at = 0;
    }

    /// How many changes all nodes are sure to have programmed at `now`, ns, and so at any later instant.
    pub(super) fn settled_before(&mut self, now: u64) -> u32 {
        let usual = self.log.settled_before(now, &self.timing);
        if self.apart.nodes.is_empty() {
            return usual;
        }
        if now >= self.apart.look_at {
            let Self { apart, nodes, log, timing, .. } = self;
            let mut least = u32::MAX;
            apart.nodes.retain(|node| {
                let machine = &mut nodes[node.at()];
                let programmed = machine.runner.programmed(now, log, timing);
                least = least.min(programmed);
                machine.hearing.is_apart = programmed < usual || !machine.runner.hears_as_usual(now);
                machine.hearing.is_apart
            });
            (apart.programmed, apart.look_at) = (least, now.saturating_add(LOOK_INTERVAL));
        }
        usual.min(self.apart.programmed)
    }
}
