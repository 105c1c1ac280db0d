//! A node's ways to and from the control plane, while they are not as everybody's; what its kubelet keeps until it can be sent.

use std::collections::VecDeque;

use crate::api::{EventSpec, Request};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Uid, WallTime};
use crate::sim::simulation::Simulation;
use crate::sim::watch::{Break, Informer};

use super::Recovery;
use super::outage::{EVENTS_MAX, events_given_up};

/// How often a kubelet sends again what could not be sent (`pkg/kubelet/status` `syncPeriod`).
const RESEND_INTERVAL: SimDuration = SimDuration::from_secs(10);
/// First wait for the lease after one that failed, and the longest (`component-helpers/apimachinery/lease`).
const LEASE_RETRY_BASE: SimDuration = SimDuration::from_millis(200);
const LEASE_RETRY_MAX: SimDuration = SimDuration::from_secs(7);

/// A node's ways to and from the control plane, while they are not as everybody's.
#[derive(Clone, Default)]
pub(in crate::sim) struct Link {
    /// Its own picture of the cluster, while it sees nothing or late.
    pub(in crate::sim) informer: Option<Informer>,
    /// Since when its writes are lost.
    pub(super) mute: Option<SimTime>,
    /// The machine was started, and its kubelet waits until it sees what it is to run.
    pub(super) waits_to_start: bool,
    /// Heartbeats in a row that could not be sent.
    missed_heartbeats: u32,
    /// What could not be sent, and since when.
    outbox: VecDeque<Request>,
    events: VecDeque<(WallTime, EventSpec)>,
    unsent_since: Option<SimTime>,
}

impl Link {
    /// Nothing that its kubelet remembered is left.
    pub(in crate::sim) fn machine_stopped(&mut self) {
        self.waits_to_start = false;
        self.outbox.clear();
        self.events.clear();
        self.unsent_since = None;
        self.missed_heartbeats = 0;
    }

    pub(in crate::sim) const fn is_mute(&self) -> bool {
        self.mute.is_some()
    }

    /// Whether all is again as with everybody.
    const fn is_usual(&self) -> bool {
        let sends = self.mute.is_none() && self.unsent_since.is_none() && self.missed_heartbeats == 0;
        self.informer.is_none() && sends && !self.waits_to_start
    }

    /// Keeps what cannot be sent: of a pod's status and of what a node says of itself the newest.
    fn keep(&mut self, now: SimTime, wall: WallTime, requests: Vec<Request>) {
        self.unsent_since.get_or_insert(now);
        for request in requests {
            match request {
                Request::Event(spec) if self.events.len() < EVENTS_MAX => self.events.push_back((wall, spec)),
                Request::Event(_) => {}
                request => match self.outbox.iter_mut().find(|kept| same_subject(kept, &request)) {
                    Some(kept) => *kept = request,
                    None => self.outbox.push_back(request),
                },
            }
        }
    }

    /// Takes back what was under way when the API server went: what was said since is newer.
    fn take_back(&mut self, now: SimTime, wall: WallTime, requests: Vec<Request>) {
        let newer = std::mem::take(&mut self.outbox);
        self.keep(now, wall, requests);
        self.keep(now, wall, newer.into());
    }

    /// Drops what is out of date because of what is sent now.
    fn supersede(&mut self, sent: &[Request]) {
        self.outbox.retain(|kept| !sent.iter().any(|request| same_subject(kept, request)));
    }
}

/// Whether the later of two requests of a kubelet stands for both.
fn same_subject(a: &Request, b: &Request) -> bool {
    match (a, b) {
        (Request::ReportPod { uid: a, .. }, Request::ReportPod { uid: b, .. }) => a == b,
        (Request::Delete { key: a, options, .. }, Request::Delete { key: b, options: other, .. }) => {
            let uid = &options.preconditions.uid;
            a == b && *uid == other.preconditions.uid && *uid != Uid::None
        }
        (Request::Patch { key: a, kind, part, .. }, Request::Patch { key: b, kind: other, part: of, .. }) => {
            (a, kind, part) == (b, other, of)
        }
        _ => false,
    }
}

impl Simulation {
    fn link(&mut self, node: u32) -> &mut Link {
        self.kubelets.nodes[node as usize].link.get_or_insert_default()
    }

    /// Whether what a node sends is lost.
    pub(in crate::sim) fn is_mute(&self, node: u32) -> bool {
        let link = self.kubelets.nodes[node as usize].link.as_ref();
        self.disturbances.api_server_down || link.is_some_and(|link| link.mute.is_some())
    }

    /// What a kubelet is about to send, or nothing if it has to keep it.
    pub(in crate::sim) fn pass_on(&mut self, node: u32, requests: Vec<Request>) -> Option<Vec<Request>> {
        if self.is_mute(node) {
            let (now, wall) = (self.now(), self.wall());
            self.link(node).keep(now, wall, requests);
            return None;
        }
        if let Some(link) = &mut self.kubelets.nodes[node as usize].link {
            link.supersede(&requests);
        }
        Some(requests)
    }

    /// What of a kubelet arrives, or nothing if it has to keep it: there is no API server any more.
    pub(in crate::sim) fn accept_report(&mut self, node: u32, requests: Vec<Request>) -> Option<Vec<Request>> {
        if !self.disturbances.api_server_down {
            return Some(requests);
        }
        let (now, wall) = (self.now(), self.wall());
        self.link(node).take_back(now, wall, requests);
        None
    }

    /// Whether a machine that is started now cannot see what it is to run. Then its kubelet starts when it can.
    pub(in crate::sim) fn start_must_wait(&mut self, node: u32) -> bool {
        let own = self.kubelets.nodes[node as usize].link.as_ref().and_then(|link| link.informer.as_ref());
        let informer = own.unwrap_or(&self.kubelets.informer);
        let waits = informer.is_broken_by(Break::Disconnected) || informer.is_broken_by(Break::Partition);
        if waits {
            self.link(node).waits_to_start = true;
        }
        waits
    }

    /// The time to the next renewal of the lease: soon, if this one could not be sent.
    pub(in crate::sim) fn next_heartbeat(&mut self, node: u32) -> SimDuration {
        if self.is_mute(node) {
            let link = self.link(node);
            link.missed_heartbeats = link.missed_heartbeats.saturating_add(1);
            let doubled = LEASE_RETRY_BASE * (1 << u64::from((link.missed_heartbeats - 1).min(10)));
            return doubled.min(LEASE_RETRY_MAX);
        }
        if let Some(link) = &mut self.kubelets.nodes[node as usize].link {
            link.missed_heartbeats = 0;
            self.forget_usual_link(node);
        }
        crate::kubelet::LEASE_RENEW_INTERVAL
    }

    pub(super) fn forget_usual_link(&mut self, node: u32) {
        let link = &mut self.kubelets.nodes[node as usize].link;
        if link.as_ref().is_some_and(|link| link.is_usual()) {
            *link = None;
        }
    }

    /// What a kubelet kept can be sent again: at its next look.
    pub(super) fn resend_soon(&mut self, node: u32) {
        let (now, ideal) = (self.now(), self.delays.watch.is_zero());
        let link = self.kubelets.nodes[node as usize].link.as_ref();
        if let Some(since) = link.and_then(|link| link.unsent_since) {
            let delay = if ideal { SimDuration::ZERO } else { left_of(RESEND_INTERVAL, now.since(since)) };
            self.recover_after(delay, Recovery::Resend(node));
        }
    }

    pub(super) fn resend(&mut self, node: u32) {
        if self.is_mute(node) {
            return;
        }
        let now = self.now();
        let process = &mut self.kubelets.nodes[node as usize];
        let name = process.kubelet.node_name().clone();
        let Some(link) = &mut process.link else { return };
        let Some(since) = link.unsent_since.take() else { return };
        let requests = std::mem::take(&mut link.outbox);
        let given_up = events_given_up(now.since(since)).min(link.events.len());
        let mut events = std::mem::take(&mut link.events);
        events.drain(..given_up);
        self.forget_usual_link(node);
        events.truncate(if self.recorders.enabled { events.len() } else { 0 });
        for (at, spec) in events {
            self.record_event_of(at, "kubelet", node + 1, &name, &spec);
        }
        if !requests.is_empty() {
            self.send_report(node, requests.into());
        }
    }
}

/// What is left of the interval that is under way, if one began every `interval`; a whole one at its beginning.
pub(super) fn left_of(interval: SimDuration, elapsed: SimDuration) -> SimDuration {
    SimDuration::from_nanos(interval.as_nanos() - elapsed.as_nanos() % interval.as_nanos())
}
