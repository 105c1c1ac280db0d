//! Network policies judged in the plain way: of what a node's agent has heard, for every connection anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bed::{home_of, node_name, pod_object};
use crate::api::{Change, View};
use crate::kernel::{SimDuration, SimTime};
use crate::network::policy::{Connection, OUTSIDE, Peer, verdict};
use crate::objects::{Object, Pod};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Pod(usize),
    Node(usize),
    Outside,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    history: Vec<(SimTime, Change)>,
    /// After so many changes of the history.
    views: Vec<View>,
    lag: SimDuration,
    /// Since when each node's agent hears nothing, and until when it goes by that.
    cuts: BTreeMap<usize, (SimTime, SimTime)>,
    nodes: usize,
    pods: BTreeMap<usize, Arc<Pod>>,
}

impl Shadow {
    pub(super) fn new(lag: SimDuration, nodes: usize) -> Self {
        Self { lag, nodes, views: vec![View::default()], ..Self::default() }
    }

    pub(super) fn follow(&mut self, change: Change, now: SimTime) {
        let mut view = self.views.last().cloned().unwrap_or_default();
        view.apply(&change);
        self.views.push(view);
        self.history.push((now, change));
    }

    pub(super) fn cut(&mut self, node: usize, now: SimTime) {
        let cut = self.cuts.entry(node).or_insert((now, SimTime::MAX));
        // An agent that has not come back yet knows no more than before.
        let since = if cut.1 > now { cut.0 } else { now };
        *cut = (since, SimTime::MAX);
    }

    pub(super) fn mend(&mut self, node: usize, again: SimTime) {
        if let Some(cut) = self.cuts.get_mut(&node).filter(|cut| cut.1 == SimTime::MAX) {
            cut.1 = again + self.lag;
        }
    }

    /// What the agent of a node has programmed.
    fn view(&self, node: usize, now: SimTime) -> &View {
        let seen = self.cuts.get(&node).filter(|cut| cut.1 > now).map_or(now, |cut| cut.0);
        let heard = self.history.iter().take_while(|(at, _)| *at + self.lag <= seen).count();
        &self.views[heard]
    }

    fn pod(&mut self, pod: usize) -> Arc<Pod> {
        let nodes = self.nodes;
        let make = || match Object::from_wire(pod_object(pod, nodes)) {
            Ok(Object::Pod(pod)) => pod,
            other => panic!("{other:?} is no pod"),
        };
        self.pods.entry(pod).or_insert_with(make).clone()
    }

    /// Whether a connection passes. A machine that is down lets nothing in anyway.
    pub(super) fn passes(&mut self, from: Source, (to, is_up): (usize, bool), port: u16, now: SimTime) -> bool {
        if self.history.is_empty() {
            return true;
        }
        let target = self.pod(to);
        let sender = match from {
            Source::Pod(pod) => Some(self.pod(pod)),
            _ => None,
        };
        let (name, node) = match from {
            Source::Pod(pod) => (node_name(0), home_of(pod, self.nodes)),
            Source::Node(node) => (node_name(node), node),
            Source::Outside => (node_name(0), 0),
        };
        let from = match (&sender, from) {
            (Some(pod), _) => Peer::Pod(pod),
            (None, Source::Outside) => Peer::Address(OUTSIDE),
            (None, _) => Peer::Node(&name, Some([192, 0, 2, node as u8].into())),
        };
        let connection = Connection { from, to: Peer::Pod(&target), port, protocol: "TCP" };
        let leaves = verdict(self.view(node, now), &connection).egress;
        let enters = verdict(self.view(home_of(to, self.nodes), now), &connection).ingress;
        leaves.is_open() && (!is_up || enters.is_open())
    }
}
