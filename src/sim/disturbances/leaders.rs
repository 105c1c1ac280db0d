//! Who leads: kube-controller-manager and kube-scheduler crash, and start again or are replaced (client-go
//! `tools/leaderelection`).

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::api::Request;
use crate::kernel::{SimDuration, Stream};
use crate::sim::error::SimError;
use crate::sim::event::{Event, ProcessId, rank};
use crate::sim::simulation::Simulation;
use crate::sim::watch::Break;

use super::{Incident, Place, Recovery};

/// From a crash until the kubelet has noticed it and started the static pod's container again: 1 s for its look at the runtime,
/// and up to as long again for the start.
const RESTART: SimDuration = SimDuration::from_secs(1);

/// A process of which one at a time leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leader {
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
}

impl Leader {
    pub(super) const BOTH: [Self; 2] = [Self::ControllerManager, Self::Scheduler];

    /// Name of the program.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
        }
    }

    pub(super) const fn process(self) -> ProcessId {
        match self {
            Self::ControllerManager => ProcessId::Controllers(0),
            Self::Scheduler => ProcessId::Scheduler,
        }
    }

    const fn place(self) -> Place {
        match self {
            Self::ControllerManager => Place::ControllerManager,
            Self::Scheduler => Place::Scheduler,
        }
    }
}

/// How the control plane is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPlane {
    /// How many kube-controller-managers and kube-schedulers there are; one of each leads. Default 1. The API server counts as
    /// one, however many run behind its address.
    pub replicas: u32,
    /// How they find out who leads; `None` (`--leader-elect=false`) = whoever starts works at once.
    pub leader_election: Option<LeaderElection>,
}

impl Default for ControlPlane {
    fn default() -> Self {
        Self { replicas: 1, leader_election: Some(LeaderElection::default()) }
    }
}

/// Times of the leader election; the default is that of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LeaderElection {
    /// How long the others wait after the last renewal that they saw (`--leader-elect-lease-duration`, 15 s). A process that
    /// starts first saw it then, even that of its own earlier life.
    pub lease_duration: SimDuration,
    /// How long a leader tries to renew before it gives up and exits (`--leader-elect-renew-deadline`, 10 s).
    pub renew_deadline: SimDuration,
    /// Time between two renewals, or two looks at the lease (`--leader-elect-retry-period`, 2 s; looks come up to 2.2 times as
    /// late).
    pub retry_period: SimDuration,
}

impl Default for LeaderElection {
    fn default() -> Self {
        let [lease_duration, renew_deadline, retry_period] = [15, 10, 2].map(SimDuration::from_secs);
        Self { lease_duration, renew_deadline, retry_period }
    }
}

impl ControlPlane {
    /// That the times make sense together.
    ///
    /// # Errors
    /// What is wrong, with the field in front.
    pub fn validate(&self) -> Result<(), String> {
        if self.replicas == 0 {
            return Err("replicas: must be greater than 0".to_owned());
        }
        let Some(election) = &self.leader_election else {
            let alone = self.replicas == 1;
            return if alone { Ok(()) } else { Err("replicas: several need leader election".to_owned()) };
        };
        if election.lease_duration <= election.renew_deadline {
            return Err("leaseDuration: must be greater than renewDeadline".to_owned());
        }
        if election.renew_deadline <= jittered(election.retry_period) {
            return Err("renewDeadline: must be greater than retryPeriod*1.2".to_owned());
        }
        if election.retry_period.is_zero() {
            return Err("retryPeriod: must be greater than 0".to_owned());
        }
        Ok(())
    }

    /// From a vacancy until somebody leads.
    fn takeover(&self, vacancy: Vacancy, restart: SimDuration, luck: &mut Stream) -> SimDuration {
        let Some(LeaderElection { lease_duration, retry_period, .. }) = self.leader_election else {
            return match vacancy {
                Vacancy::Crash => restart,
                Vacancy::Started | Vacancy::Outage(_) => SimDuration::ZERO,
            };
        };
        let below = |luck: &mut Stream, bound: SimDuration| SimDuration::from_nanos(luck.below(bound.as_nanos()));
        // Time between two looks at the lease.
        let look = |luck: &mut Stream| retry_period + below(luck, jittered(retry_period));
        let until_look = |luck: &mut Stream| {
            let between = look(luck);
            below(luck, between)
        };
        // Who starts now sees the lease for the first time.
        let newcomer = |luck: &mut Stream| lease_duration + until_look(luck);
        let standbys = self.replicas - 1;
        let first = |luck: &mut Stream, count: u32, one: &dyn Fn(&mut Stream) -> SimDuration| {
            (0..count).map(|_| one(luck)).min().unwrap_or_default()
        };
        match vacancy {
            Vacancy::Crash if standbys == 0 => restart + newcomer(luck),
            Vacancy::Crash => first(luck, standbys, &|luck| {
                let seen = lease_duration + until_look(luck);
                seen - below(luck, retry_period) + until_look(luck)
            }),
            Vacancy::Started => first(luck, self.replicas, &newcomer),
            Vacancy::Outage(_) if standbys == 0 => until_look(luck) + newcomer(luck),
            Vacancy::Outage(lasted) => first(luck, standbys, &|luck| lease_duration - lasted + until_look(luck)),
        }
    }
}

/// Upstream's `JitterFactor`, 1.2.
const fn jittered(period: SimDuration) -> SimDuration {
    SimDuration::from_nanos(period.as_nanos() / 5 * 6)
}

/// Why nobody leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Vacancy {
    /// The leader crashed.
    Crash,
    /// All were down, and start now.
    Started,
    /// The API server was away for so long, and is back.
    Outage(SimDuration),
}

impl Simulation {
    /// The kube-controller-manager or kube-scheduler that leads crashes. What it had sent may arrive or not. A standby takes
    /// over when the lease has run out; without one the same program starts again, and has to wait for the lease of its earlier
    /// life all the same. Whoever leads then begins with what the API shows.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::sim::{Leader, Simulation};
    ///
    /// let mut sim = Simulation::builder().nodes(1).build()?;
    /// sim.crash_leader(Leader::Scheduler)?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
    /// sim.run_for(SimDuration::from_secs(15));
    /// assert!(!sim.has_leader(Leader::Scheduler));
    /// sim.run_for(SimDuration::from_secs(10));
    /// assert!(sim.has_leader(Leader::Scheduler));
    /// assert!(sim.view().pods.iter().all(|pod| pod.is_bound()));
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    ///
    /// # Errors
    /// If none leads now.
    pub fn crash_leader(&mut self, leader: Leader) -> Result<(), SimError> {
        if !self.has_leader(leader) {
            return Err(SimError::Cluster(format!("no {} leads now", leader.as_str())));
        }
        self.stop_leading(leader);
        self.fill(leader, Vacancy::Crash);
        Ok(())
    }

    /// Whether one of these programs runs and leads.
    #[must_use]
    pub const fn has_leader(&self, leader: Leader) -> bool {
        match leader {
            // It is made first, and stays.
            Leader::ControllerManager => match self.managers.as_slice().first() {
                Some(manager) => manager.leads,
                None => false,
            },
            Leader::Scheduler => self.scheduler.leads,
        }
    }

    /// How the control plane is run.
    #[must_use]
    pub const fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The process is gone, with all that it remembered.
    pub(super) fn stop_leading(&mut self, leader: Leader) {
        let components: Vec<&'static str> = match leader {
            Leader::ControllerManager => {
                let manager = &mut self.managers[0];
                manager.leads = false;
                manager.restart();
                manager.controllers.iter().map(|host| host.name()).collect()
            }
            Leader::Scheduler => {
                self.scheduler.leads = false;
                self.scheduler.restart();
                vec![crate::sim::scheduling::COMPONENT]
            }
        };
        self.recorders.by_component.retain(|(component, _), _| !components.contains(component));
        self.disturbances.events.retain(|event| !components.contains(&event.component));
        self.lose_watch(leader.process());
    }

    /// Sees to it that somebody leads again, if he can.
    pub(super) fn fill(&mut self, leader: Leader, vacancy: Vacancy) {
        if self.disturbances.api_server_down || self.is_disturbed(&leader.place()) {
            return;
        }
        let epoch = self.epoch_of(leader);
        let mut luck = self.luck();
        let restart = if self.delays.watch.is_zero() {
            SimDuration::ZERO
        } else {
            RESTART + SimDuration::from_nanos(luck.below(RESTART.as_nanos()))
        };
        let delay = self.control_plane.takeover(vacancy, restart, &mut luck);
        self.recover_after(delay, Recovery::Lead { leader, epoch });
    }

    pub(super) fn lead(&mut self, leader: Leader, epoch: u32) {
        if self.epoch_of(leader) != epoch || self.has_leader(leader) || self.disturbances.api_server_down {
            return;
        }
        match leader {
            Leader::ControllerManager => self.managers[0].leads = true,
            Leader::Scheduler => self.scheduler.leads = true,
        }
        self.record_turn("leads", json!({"process": leader.as_str()}));
        self.mend_watch(leader.process(), Break::Down, false);
    }

    /// A leader could not renew its lease: it exits. It starts again at once, and waits for the API server.
    pub(super) fn lose_lease(&mut self, leader: Leader, outage: Incident) {
        let goes_on = self.disturbances.active.iter().any(|active| active.incident == outage);
        if goes_on && self.has_leader(leader) {
            self.stop_leading(leader);
            self.record_turn("exits", json!({"process": leader.as_str(), "why": "leader election lost"}));
        }
    }

    /// When leaders give up that cannot renew: some time since the last renewal is over already.
    pub(super) fn watch_leases(&mut self, outage: Incident) {
        let Some(election) = self.control_plane.leader_election else { return };
        for leader in Leader::BOTH {
            let mut luck = self.luck();
            let left = SimDuration::from_nanos(luck.below(election.retry_period.as_nanos()));
            let at = self.now() + election.renew_deadline + left;
            self.queue.push(at, rank::USER, Event::Recovery(Recovery::LeaseLost(leader, outage)));
        }
    }

    /// All instances may run again.
    pub(super) fn end_down(&mut self, leader: Leader) {
        self.fill(leader, Vacancy::Started);
    }

    /// Makes void what is under way for somebody who wants to lead.
    pub(super) fn cancel_takeovers(&mut self) {
        for leader in Leader::BOTH {
            match leader {
                _ if self.has_leader(leader) => {}
                Leader::ControllerManager => self.managers[0].epoch += 1,
                Leader::Scheduler => self.scheduler.epoch += 1,
            }
        }
    }

    fn epoch_of(&self, leader: Leader) -> u32 {
        match leader {
            Leader::ControllerManager => self.managers[0].epoch,
            Leader::Scheduler => self.scheduler.epoch,
        }
    }

    /// Requests of a process that is gone: as many of them as had left it arrive, in their order, and nobody hears the answers.
    pub(in crate::sim) fn execute_orphaned(&mut self, requests: &[Request]) {
        let sent = self.luck().below(requests.len() as u64 + 1);
        for request in requests.iter().take(usize::try_from(sent).unwrap_or(usize::MAX)) {
            if !matches!(request, Request::Event(_)) {
                drop(self.execute_for_component(request));
            }
        }
    }
}
