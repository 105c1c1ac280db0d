//! What control events change, and what is due in between.

use std::sync::Arc;

use crate::api::Change;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Pod, Uid};

use super::super::accounting::Settled;
use super::super::clients::{Origin, Sender};
use super::super::dns::ResolvConf;
use super::super::ids::{NodeId, ServerId};
use super::super::outcome::Cause;
use super::super::relay::{NO_SLOT, ReverseProxy};
use super::super::servers::{NO_PASSAGE, NO_TICKET, Pending, PodUp, ProcessChange, State};
use super::settle::count;
use super::{Due, Network, Turn};

/// Least time from a request of a user to the next one, ns.
const SHORTEST_TURN: u64 = 1000;
/// Stands above the numbers of pods in the addresses of senders.
pub(super) const NODE_ADDRESSES: u64 = 1 << 62;

/// The node that a number stands for.
pub(super) const fn node_of(address: u64) -> Option<NodeId> {
    if address & NODE_ADDRESSES == 0 { None } else { Some(NodeId(address as u32)) }
}

impl Network {
    /// A write was accepted at `now`.
    pub fn follow(&mut self, change: &Change, now: SimTime) {
        let machines = self.proxies.machines();
        self.proxies.follow(change, now.as_nanos());
        self.policies.follow(change, now.as_nanos());
        self.senders_changed |= machines != self.proxies.machines();
        if let Some(names) = &mut self.names {
            names.follow(change, now.as_nanos());
        }
        for (slot, at) in self.relays.follow(change, now.as_nanos()) {
            self.due.push(at, Turn::sync(slot), Due::Sync { slot, life: self.relays.life(slot) });
        }
    }

    /// The settings of a pod's resolver, if any client asks for a host or a URL.
    #[must_use]
    pub fn resolv_conf(&self, pod: &Pod) -> Option<ResolvConf> {
        self.names.as_ref().map(|names| names.resolv_conf(pod)).or_else(|| self.relays.resolv_conf(pod))
    }

    /// A machine runs, or not any more: its processes are gone, and nobody says so to those that are connected to them.
    pub fn set_node_up(&mut self, name: &Arc<str>, up: bool, now: SimTime) {
        let node = self.proxies.set_up(name, up, now.as_nanos());
        if !up {
            self.affinity.forget(node);
            self.balancer.forget(node);
        }
        self.senders_changed = true;
        for uid in self.fleet.pods_on(node) {
            if up {
                // What starts there now are other processes, with other addresses.
                self.remove_pod(&uid, now);
                continue;
            }
            for server in self.fleet.servers_of(&uid) {
                self.hang_up(server, now.as_nanos());
            }
        }
    }

    /// How long a request that comes next would wait for its turn at a container; `None` if it would be turned away.
    #[must_use]
    pub fn wait_at(&self, pod: &Uid, container: u16) -> Option<SimDuration> {
        let Some(id) = self.fleet.server_of(pod, container) else { return Some(SimDuration::ZERO) };
        let server = &self.fleet.servers[id.at()];
        server.wait(self.now, &self.fleet.models[server.model()]).map(SimDuration::from_nanos)
    }

    /// A pod has got its network. Its machine may have run one of that uid before it went down.
    pub fn add_pod(&mut self, pod: &PodUp, now: SimTime) {
        self.remove_pod(&pod.uid, now);
        let node = self.proxies.node(&pod.node);
        if self.fleet.free_forgotten(now.as_nanos()) {
            self.settle_all(now.as_nanos() - 1);
        }
        let ledger = &mut self.ledger;
        let number = self.fleet.add(pod, node, |version| ledger.group(version));
        if let Some(names) = &mut self.names {
            names.pod_up(number, pod.resolv_conf.as_ref());
        }
        if let Some((place, what)) = &pod.reverse_proxy
            && let Some(id) = self.fleet.server_of(&pod.uid, *place)
        {
            let slot = self.relays.add(what, pod, (id, number));
            let server = &mut self.fleet.servers[id.at()];
            server.slot = slot;
            if let ReverseProxy::Ingress(controller) = what {
                server.grace = controller.shutdown_grace.as_nanos();
            }
            if pod.host_network || !pod.host_ports.is_empty() {
                self.relays.open_door(slot, node, pod.host_ports.clone(), now.as_nanos());
            }
        }
    }

    /// Whether a pod has its network.
    #[must_use]
    pub fn knows_pod(&self, uid: &Uid) -> bool {
        self.fleet.knows(uid)
    }

    /// Nothing is left of a pod; its address is free.
    pub fn remove_pod(&mut self, uid: &Uid, now: SimTime) {
        let mut was_down = false;
        for server in self.fleet.servers_of(uid) {
            if self.fleet.servers[server.at()].state == State::NodeDown {
                was_down = true;
                self.fleet.servers[server.at()].end(State::Gone);
            } else {
                self.cut(server, State::Gone, now.as_nanos());
            }
            let slot = self.fleet.servers[server.at()].slot;
            if slot != NO_SLOT {
                self.relays.remove(slot, now.as_nanos());
            }
        }
        if let (Some(names), Some(number)) = (&mut self.names, self.fleet.number_of(uid)) {
            names.pod_gone(number);
        }
        self.fleet.number_of(uid).into_iter().for_each(|number| self.policies.forget(number));
        let longest = self.clients.iter().map(|client| client.timeout).max();
        self.fleet.remove(uid, longest.filter(|_| was_down).map(|longest| now.as_nanos().saturating_add(longest)));
        self.senders_changed = true;
    }

    /// Something happens to the process of a container.
    pub fn process(&mut self, pod: &Uid, container: u16, change: ProcessChange, now: SimTime) {
        let Some(id) = self.fleet.server_of(pod, container) else { return };
        let now = now.as_nanos();
        let model = &self.fleet.models[self.fleet.servers[id.at()].model()];
        let server = &mut self.fleet.servers[id.at()];
        if server.state == State::NodeDown {
            // Nothing happens on a machine that is down, and nobody there says anything.
            return;
        }
        match change {
            ProcessChange::Started => server.start(model),
            ProcessChange::Listening => {
                server.listen(now);
                if server.slot != NO_SLOT {
                    self.relays.begin(server.slot, now, &mut self.proxies);
                }
            }
            ProcessChange::Hung => self.hang(id, now),
            ProcessChange::Stopping { sigterm, stops } => {
                let sigterm = sigterm.map(|sigterm| now.saturating_add(sigterm.as_nanos()));
                server.plan_stop(sigterm, now.saturating_add(stops.as_nanos()), model);
                let due = Due::Stop { server: id, plan: server.plan };
                self.due.push(server.stops, Turn::stop(id), due);
            }
            ProcessChange::Ended => {
                self.cut(id, State::NoProcess, now);
                self.process_gone(id);
                self.fleet.servers[id.at()].terminating = false;
            }
        }
        self.senders_changed = true;
    }

    /// Finds again whom requests of clients inside the cluster come from.
    pub(super) fn find_senders(&mut self) {
        self.senders_changed = false;
        let Self { clients, fleet, proxies, names, .. } = self;
        for (number, client) in clients.iter_mut().enumerate() {
            match &client.spec.from {
                Origin::External => {}
                Origin::Node(name) => {
                    let node = proxies.find_node(name).filter(|node| proxies.is_up(*node));
                    let sender = node.map(|node| Sender { node, address: NODE_ADDRESSES | u64::from(node.0) });
                    client.senders = sender.into_iter().collect();
                }
                Origin::Pods(namespace, selector) => {
                    let chosen = fleet.pods().filter(|pod| {
                        pod.namespace == *namespace && selector.matches(&pod.labels) && fleet.is_running(pod)
                    });
                    client.senders = chosen.map(|pod| Sender { node: pod.node, address: pod.number }).collect();
                    client.senders.sort_unstable_by_key(|sender| sender.address);
                }
            }
            if let Some(names) = names {
                names.senders_of(number, &client.senders);
            }
        }
    }

    /// What is due at `now` first.
    pub(super) fn take_due(&mut self, now: u64) {
        match self.due.pop() {
            Some(Due::End { ticket, attempt }) if self.tickets.get(ticket).attempt == attempt => {
                self.attempt_ends(ticket, now);
            }
            Some(Due::Send { ticket }) => {
                let client = usize::from(self.tickets.get(ticket).client);
                let is_over = self.clients[client].spec.stop.is_some_and(|stop| stop.as_nanos() <= now);
                if is_over && self.tickets.get(ticket).tries == 0 {
                    self.tickets.close(ticket)
                } else {
                    self.attempt(client, now, ticket)
                }
            }
            Some(Due::Dial { ticket }) => self.redial(ticket, now),
            Some(Due::Stop { server, plan }) if self.fleet.servers[server.at()].plan == plan => {
                self.cut(server, State::NoProcess, now);
                self.process_gone(server);
            }
            Some(Due::Passage { passage, version }) if self.passages.get(passage).version == version => {
                self.resume(passage, now);
            }
            Some(Due::Sync { slot, life }) => {
                let workers = self.relays.workers(slot);
                if let Some(at) = self.relays.sync(slot, life, now, &mut self.proxies) {
                    self.due.push(at, Turn::adopt(slot), Due::Adopt { slot, life });
                }
                self.replace_workers((slot, life, workers), now);
            }
            Some(Due::Adopt { slot, life }) => {
                let workers = self.relays.workers(slot);
                self.relays.adopt(slot, life, now);
                self.replace_workers((slot, life, workers), now);
            }
            Some(Due::Retire { slot, life, workers }) => {
                if let Some(front) = self.relays.server_of(slot, life) {
                    self.cut_passages(front, workers, now);
                }
            }
            Some(Due::End { .. } | Due::Stop { .. } | Due::Passage { .. }) | None => {}
        }
    }

    /// If those are not the workers of a pod any more, they have some time to end what they have begun.
    fn replace_workers(&mut self, (slot, life, workers): (u32, u32, u32), now: u64) {
        if self.relays.workers(slot) != workers {
            let at = now.saturating_add(self.relays.shutdown(slot));
            self.due.push(at, Turn::adopt(slot), Due::Retire { slot, life, workers });
        }
    }

    /// If the process was a reverse proxy, it syncs no more.
    pub(super) fn process_gone(&mut self, server: ServerId) {
        let slot = self.fleet.servers[server.at()].slot;
        if slot != NO_SLOT {
            self.relays.end(slot);
        }
    }

    /// An attempt that somebody waits for has ended.
    fn attempt_ends(&mut self, number: u32, now: u64) {
        let ticket = *self.tickets.get(number);
        let (cause, client) = (ticket.cause, ticket.client);
        let (group, node, terminating) = (ticket.group, ticket.node, ticket.terminating);
        self.ledger.attempt(Settled { client, group, node, cause, terminating });
        let sender = &mut self.clients[usize::from(client)];
        let succeeded = cause == Cause::Served;
        if !succeeded && let Some(wait) = sender.wait_to_retry(ticket.tries) {
            return self.due.push(now.saturating_add(wait.as_nanos()), ticket.turn, Due::Send { ticket: number });
        }
        self.ledger.request(client, succeeded, now - ticket.begun);
        if sender.clock.is_some() {
            return self.tickets.close(number);
        }
        // The user thinks, and asks for something else.
        let think = sender.think.sample(&mut sender.arrivals).as_nanos();
        self.tickets.get(number).tries = 0;
        // Time passes from one request to the next, even if nothing takes any.
        let next = now.saturating_add(think).max(ticket.begun.saturating_add(SHORTEST_TURN));
        self.due.push(next, ticket.turn, Due::Send { ticket: number });
    }

    /// A process has ended, and `then` is what takes its place: its connections are cut. Reverse proxies try others, each request in its
    /// turn.
    fn cut(&mut self, id: ServerId, then: State, now: u64) {
        let pending = std::mem::take(&mut self.fleet.servers[id.at()].pending);
        self.fleet.servers[id.at()].end(then);
        self.under_way -= pending.len();
        let mut behind_others = Vec::new();
        for mut attempt in pending {
            if attempt.ends >= now {
                if attempt.passage != NO_PASSAGE {
                    behind_others.push((self.passages.get(attempt.passage).turn, attempt.passage));
                    continue;
                }
                (attempt.cause, attempt.ends) = (Cause::Killed, now);
                self.change_mind(&attempt);
            }
            self.passages.release(attempt.passage);
            count(&mut self.ledger, Some(&self.fleet.servers[id.at()]), &attempt);
        }
        self.cut_passages(id, u32::MAX, now);
        behind_others.sort_unstable();
        behind_others.into_iter().for_each(|(_, passage)| self.upstream_ends(passage, now));
    }

    /// A machine has gone down: those who are connected to the process wait in vain.
    fn hang_up(&mut self, id: ServerId, now: u64) {
        self.silence(id, now, Cause::NodeDown);
        self.fleet.servers[id.at()].end(State::NodeDown);
    }

    /// A process hangs: those who wait do so in vain.
    fn hang(&mut self, id: ServerId, now: u64) {
        self.silence(id, now, Cause::Hung);
        self.fleet.servers[id.at()].state = State::Hung;
    }

    /// What is under way at a server ends by the timeouts of the clients, or of reverse proxies.
    fn silence(&mut self, id: ServerId, now: u64, cause: Cause) {
        let mut pending = std::mem::take(&mut self.fleet.servers[id.at()].pending);
        for attempt in pending.iter_mut().filter(|attempt| attempt.ends >= now) {
            if attempt.passage != NO_PASSAGE {
                self.upstream_hangs(attempt, cause);
                continue;
            }
            let timeout = self.clients[usize::from(attempt.client)].timeout;
            (attempt.cause, attempt.ends) = (cause, attempt.sent.saturating_add(timeout));
            self.change_mind(attempt);
        }
        self.fleet.servers[id.at()].pending = pending;
        self.silence_passages(id, cause, now);
    }

    /// An attempt that somebody waits for ends otherwise, and at another time.
    pub(super) fn change_mind(&mut self, attempt: &Pending) {
        if attempt.ticket == NO_TICKET {
            return;
        }
        let ticket = self.tickets.get(attempt.ticket);
        ticket.attempt += 1;
        ticket.cause = attempt.cause;
        self.due.push(attempt.ends, ticket.turn, Due::End { ticket: attempt.ticket, attempt: ticket.attempt });
    }
}
