//! The API server goes away, and comes back.

use crate::api::{ApiError, EventSpec, Reason};
use crate::kernel::{SimDuration, SimTime, Stream};
use crate::objects::WallTime;
use crate::sim::event::ProcessId;
use crate::sim::simulation::Simulation;
use crate::sim::watch::{Break, Informer};

use super::leaders::{Leader, Vacancy};
use super::link::left_of;
use super::{Incident, Recovery};

/// Events that a process keeps while they cannot be recorded (client-go `record.maxQueuedEvents`).
pub(super) const EVENTS_MAX: usize = 1000;
/// Wait before an Event is sent again (`record.defaultSleepDuration`).
const EVENT_RETRY: SimDuration = SimDuration::from_secs(10);
/// After so long the first of them is given up, then the next: twelve attempts, the first wait half as long on average
/// (`record.maxTriesPerEvent`).
const EVENT_GIVEN_UP_AFTER: SimDuration = SimDuration::from_secs(105);

/// First wait of a reflector before it tries again to watch, and the longest; each comes up to twice as late (client-go
/// `tools/cache/reflector.go`).
const RECONNECT_BASE: SimDuration = SimDuration::from_millis(800);
const RECONNECT_MAX: SimDuration = SimDuration::from_secs(30);

/// An Event that could not be recorded yet.
#[derive(Clone)]
pub(super) struct KeptEvent {
    at: WallTime,
    pub(super) component: &'static str,
    instance: u32,
    host: Box<str>,
    spec: EventSpec,
}

/// How many Events a process has given up after trying for so long.
pub(super) const fn events_given_up(tried: SimDuration) -> usize {
    (tried.as_nanos() / EVENT_GIVEN_UP_AFTER.as_nanos()) as usize
}

/// From now until somebody who lost a connection at `lost` next tries to make it again.
pub(super) fn attempt_after(lost: SimTime, now: SimTime, luck: &mut Stream) -> SimDuration {
    let (mut at, mut wait) = (lost, RECONNECT_BASE);
    while at < now {
        let jitter = SimDuration::from_nanos(luck.below(wait.as_nanos()));
        at += wait + jitter;
        wait = (wait * 2).min(RECONNECT_MAX);
    }
    at.since(now)
}

impl Simulation {
    /// Refuses, if the API server does not run.
    pub(crate) fn api_server_answers(&self) -> Result<(), ApiError> {
        if !self.disturbances.api_server_down {
            return Ok(());
        }
        let message = "dial tcp 172.16.0.1:6443: connect: connection refused";
        Err(ApiError::new(Reason::ServiceUnavailable, message))
    }

    pub(super) fn begin_outage(&mut self, incident: Incident) {
        self.cancel_takeovers();
        for process in self.watching() {
            self.break_watch(process, Break::Disconnected);
        }
        self.disturbances.api_server_down = true;
        self.begin_outage_of_proxies();
        self.watch_leases(incident);
    }

    /// Everybody who watches; kubelets that watch on their own are others than those that do together.
    fn watching(&mut self) -> Vec<ProcessId> {
        let managers = (0..self.managers.len()).map(|manager| ProcessId::Controllers(manager as u16));
        let apart = self.kubelets.apart.iter().map(|node| ProcessId::Node(*node));
        let all = managers.chain([ProcessId::Scheduler, ProcessId::Kubelets]).chain(apart);
        let mut all: Vec<ProcessId> = all.collect();
        all.retain(|process| self.informer(*process).is_some_and(|informer| !informer.is_broken_by(Break::Down)));
        all
    }

    pub(super) fn end_outage(&mut self, since: SimTime) {
        self.disturbances.api_server_down = false;
        let lasted = self.now().since(since);
        for process in self.watching() {
            match process {
                ProcessId::Controllers(_) | ProcessId::Scheduler => self.reconnect_later(process, since),
                ProcessId::Kubelets | ProcessId::Node(_) => {}
            }
        }
        for leader in Leader::BOTH {
            if !self.has_leader(leader) {
                self.fill(leader, Vacancy::Outage(lasted));
            }
        }
        self.reconnect_kubelets(since);
        self.end_outage_of_proxies(since);
        if !self.disturbances.events.is_empty() {
            let ideal = self.delays.watch.is_zero();
            let delay = if ideal { SimDuration::ZERO } else { left_of(EVENT_RETRY, lasted) };
            let given_up = events_given_up(lasted + delay).min(self.disturbances.events.len());
            self.disturbances.events.drain(..given_up);
            self.recover_after(delay, Recovery::ResendEvents);
        }
    }

    fn reconnect_later(&mut self, process: ProcessId, since: SimTime) {
        let mut luck = self.luck();
        let ideal = self.delays.watch.is_zero();
        let delay = if ideal { SimDuration::ZERO } else { attempt_after(since, self.now(), &mut luck) };
        self.recover_after(delay, Recovery::Reconnect(process));
    }

    /// Every kubelet comes back in its own time. Until then it sees what it saw before.
    fn reconnect_kubelets(&mut self, since: SimTime) {
        let ideal = self.delays.watch.is_zero();
        let seen = self.kubelets.informer.seen(self.server.view());
        for node in 0..self.kubelets.nodes.len() as u32 {
            self.resend_soon(node);
            if !ideal {
                let link = self.kubelets.nodes[node as usize].link.get_or_insert_default();
                link.informer.get_or_insert_with(|| Informer::broken(seen.clone(), Break::Disconnected));
            }
            self.reconnect_later(ProcessId::Node(node), since);
        }
        drop(seen);
        self.mend_watch(ProcessId::Kubelets, Break::Disconnected, false);
        for node in 0..self.kubelets.nodes.len() as u32 {
            self.start_if_it_waited(node);
        }
    }

    /// Starts a kubelet that waited for what the others see too.
    fn start_if_it_waited(&mut self, node: u32) {
        let Some(link) = &mut self.kubelets.nodes[node as usize].link else { return };
        if link.informer.is_none() && std::mem::take(&mut link.waits_to_start) {
            self.start_machine(node);
            self.forget_usual_link(node);
        }
    }

    pub(super) fn reconnect(&mut self, process: ProcessId) {
        if !self.disturbances.api_server_down {
            let again = !matches!(process, ProcessId::Node(_));
            self.mend_watch(process, Break::Disconnected, again);
        }
    }

    /// Keeps an Event that cannot be recorded. Returns whether it does.
    pub(in crate::sim) fn keeps_event(
        &mut self,
        component: &'static str,
        instance: u32,
        host: &str,
        spec: &EventSpec,
    ) -> bool {
        if !self.disturbances.api_server_down {
            return false;
        }
        if self.disturbances.events.len() < EVENTS_MAX {
            let event = KeptEvent { at: self.wall(), component, instance, host: host.into(), spec: spec.clone() };
            self.disturbances.events.push(event);
        }
        true
    }

    pub(super) fn resend_events(&mut self) {
        if self.disturbances.api_server_down {
            return;
        }
        for KeptEvent { at, component, instance, host, spec } in std::mem::take(&mut self.disturbances.events) {
            self.record_event_of(at, component, instance, &host, &spec);
        }
    }
}
