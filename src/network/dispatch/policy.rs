//! Network policies in the way of connections. Those that are open stay so, whatever policies come.

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::PolicyType;

use super::super::clients::Sender;
use super::super::ids::{NodeId, ServerId};
use super::super::outcome::Cause;
use super::super::policy::{End, OUTSIDE, Port};
use super::super::proxy::Silence;
use super::super::servers::{Pod, State};
use super::Network;
use super::control::NODE_ADDRESSES;

/// Stands above the numbers of clients outside.
const OUTSIDE_NUMBERS: u64 = 1 << 61;

/// A connection that is to be made, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// Whose addresses it comes from, if from outside.
    pub(super) client: u16,
    pub(super) from: Sender,
    /// The node whose rules it meets, if its source address is replaced there by the node's.
    pub(super) masquerade: Option<NodeId>,
    pub(super) server: ServerId,
    pub(super) port: Port,
}

impl Network {
    /// Whether network policies let a new connection pass: out of the pod that opens it, and in to the one that it goes to.
    /// A pod reaches itself, and a node the pods that it runs, whatever they say (`networking/v1`).
    ///
    /// # Errors
    /// Why nothing ever comes back.
    #[inline(always)]
    pub(super) fn passes(&mut self, attempt: Attempt, now: u64) -> Result<(), Cause> {
        if self.policies.is_idle() || !attempt.server.is_some() {
            return Ok(());
        }
        let from = Some(attempt.from.address).filter(|number| number & NODE_ADDRESSES == 0);
        if self.policies.is_free(from, self.fleet.servers[attempt.server.at()].pod, now) {
            return Ok(());
        }
        self.judge(attempt, now)
    }

    fn judge(&mut self, attempt: Attempt, now: u64) -> Result<(), Cause> {
        let Self { policies, fleet, proxies, clients, .. } = self;
        policies.advance(now, |uid| fleet.number_of(uid));
        let server = &fleet.servers[attempt.server.at()];
        let (Some(to), is_down) = (fleet.pod(server.pod), server.state == State::NodeDown) else { return Ok(()) };
        let own = Some(attempt.from.address).filter(|number| number & NODE_ADDRESSES == 0);
        let from = own.and_then(|number| fleet.pod(number));
        let host = |node: NodeId| End {
            number: NODE_ADDRESSES | u64::from(node.0),
            pod: None,
            address: proxies.address(node),
        };
        // Packets are filtered before their source is replaced: on the node itself they still come from outside.
        let masquerade = attempt.masquerade.filter(|entry| *entry != to.node);
        let (source, source_node) = match (from, attempt.from.node.is_some()) {
            (Some(pod), _) => (end(pod), pod.node),
            (None, true) => (host(attempt.from.node), attempt.from.node),
            (None, false) => match masquerade {
                Some(entry) => (host(entry), entry),
                None => {
                    let spec = clients.get(usize::from(attempt.client)).map(|client| &client.spec);
                    let address = spec.and_then(|spec| spec.network).map_or(OUTSIDE, |network| network.base());
                    let number = OUTSIDE_NUMBERS | u64::from(attempt.client);
                    (End { number, pod: None, address: Some(address) }, NodeId::NONE)
                }
            },
        };
        let (leaves_pod, enters_pod) = (from.is_some_and(|pod| !pod.host_network), !to.host_network);
        let is_own = source.number == to.number || (source_node == to.node && !(leaves_pod && enters_pod));
        if is_own {
            return Ok(());
        }
        let (target, port) = (end(to), attempt.port);
        if leaves_pod && !policies.is_open((source_node, now), PolicyType::Egress, (source, target), port) {
            return Err(Cause::PolicyDenied);
        }
        if is_down {
            return Ok(());
        }
        // Of a pod's connection that is masqueraded the other end sees the node.
        let seen = masquerade.filter(|_| leaves_pod).map_or(source, host);
        if enters_pod && !policies.is_open((to.node, now), PolicyType::Ingress, (target, seen), port) {
            return Err(Cause::PolicyDenied);
        }
        Ok(())
    }

    /// Whether network policies let a pod ask a cluster DNS of which no pods are simulated: they are taken to be where kubeadm has them.
    pub(super) fn may_ask_dns(&mut self, sender: Sender, now: u64) -> bool {
        let Self { policies, fleet, .. } = self;
        if policies.is_idle() || sender.address & NODE_ADDRESSES != 0 {
            return true;
        }
        policies.advance(now, |uid| fleet.number_of(uid));
        let Some(pod) = fleet.pod(sender.address).filter(|pod| !pod.host_network) else { return true };
        policies.may_ask_dns((pod.node, now), end(pod))
    }

    // ---- nodes that hear nothing ----

    /// The agents of a node (`None` = of all nodes) hear of nothing new: kube-proxy and the network plugin's keep their rules.
    pub fn fall_silent(&mut self, node: Option<&Arc<str>>, why: Silence, now: SimTime) {
        let now = now.as_nanos();
        let Self { policies, fleet, proxies, .. } = self;
        policies.advance(now, |uid| fleet.number_of(uid));
        for node in nodes(proxies, node) {
            proxies.fall_silent(node, why, now);
            if proxies.is_cut_off(node) {
                policies.freeze(node, now);
            }
        }
    }

    /// A reason is over for which the agents of a node (`None` = of all nodes) heard nothing. If it was the last, they hear again
    /// after `wait`, of all that they missed.
    pub fn hear_again(&mut self, node: Option<&Arc<str>>, why: Silence, now: SimTime, wait: SimDuration) {
        let (now, again) = (now.as_nanos(), (now + wait).as_nanos());
        for node in nodes(&mut self.proxies, node) {
            let was_cut_off = self.proxies.is_cut_off(node);
            self.proxies.hear_again(node, why, now, again);
            if was_cut_off && !self.proxies.is_cut_off(node) {
                self.policies.thaw(node, again);
            }
        }
    }

    /// kube-proxy on a node (`None` = on all of them) hears of changes so long after the writes (`None` = as usual).
    pub fn delay_proxies(&mut self, node: Option<&Arc<str>>, delay: Option<SimDuration>, now: SimTime) {
        let node = node.map(|name| self.proxies.node(name));
        self.proxies.set_late(node, delay.map(SimDuration::as_nanos), now.as_nanos());
    }
}

fn end(pod: &Pod) -> End<'_> {
    End { number: pod.number, pod: (!pod.host_network).then_some(&pod.uid), address: Some(pod.address) }
}

fn nodes(proxies: &mut super::ProxyTable, node: Option<&Arc<str>>) -> Vec<NodeId> {
    match node {
        Some(name) => vec![proxies.node(name)],
        None => proxies.all_nodes().collect(),
    }
}
