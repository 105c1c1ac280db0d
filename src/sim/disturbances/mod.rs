//! What goes wrong with the control plane, and on the ways to and from it.
//!
//! A [`Disturbance`] lasts, until its time is over or somebody ends it; of each [`Place`] there is at most one at a time.
//! [`Simulation::crash_leader`] is over at once. Nothing here costs anything while it is not used.

mod leaders;
mod link;
mod outage;
mod partition;
mod proxies;
#[cfg(test)]
mod tests;
mod watches;
mod writes;

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kernel::{Purpose, Sampler, SimDuration, SimTime, Stream};

pub use leaders::{ControlPlane, Leader, LeaderElection};
pub(super) use link::Link;
pub use partition::Cut;
pub use watches::Watcher;
pub use writes::ConflictStorm;

use super::error::SimError;
use super::event::{Event, ProcessId, rank};
use super::recorder::StepRecord;
use super::simulation::Simulation;
use writes::Storm;

/// Luck of what happens in a disturbance and after it.
const LUCK: Purpose = Purpose::new(0x5ea_0010);

/// Something that is wrong with the control plane, or on the ways to and from it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Disturbance {
    /// The API server does not run. Whoever writes is refused and tries again in his own way; nobody sees anything new.
    /// kube-controller-manager and kube-scheduler exit when they cannot renew their lease.
    ApiServerDown,
    /// No kube-controller-manager runs. What it knew beyond the API is lost.
    ControllerManagerDown,
    /// No kube-scheduler runs. What it knew beyond the API is lost.
    SchedulerDown,
    /// The way between a node and the control plane is cut.
    Partition {
        /// The node.
        node: Arc<str>,
        /// Which way.
        cut: Cut,
    },
    /// Somebody sees what happens late, or not at all.
    SlowWatch {
        /// Who.
        watcher: Watcher,
        /// From a write until it is seen; `None` = nothing is seen until the disturbance ends.
        delay: Option<SimDuration>,
    },
    /// Writes of controllers, scheduler and kubelets take so long, instead of [`Delays::write`](super::Delays::write).
    SlowWrites(Sampler),
    /// Updates by controllers and scheduler are refused, as if somebody else changed the same objects all the time.
    Conflicts(ConflictStorm),
}

/// Where something can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The API server.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// The way between this node and the control plane.
    Node(Arc<str>),
    /// What comes through a watch.
    Watch(Watcher),
    /// How long writes take.
    Writes,
    /// Whether updates are refused.
    Conflicts,
}

impl Disturbance {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::ApiServerDown => Place::ApiServer,
            Self::ControllerManagerDown => Place::ControllerManager,
            Self::SchedulerDown => Place::Scheduler,
            Self::Partition { node, .. } => Place::Node(node.clone()),
            Self::SlowWatch { watcher, .. } => Place::Watch(watcher.clone()),
            Self::SlowWrites(_) => Place::Writes,
            Self::Conflicts(_) => Place::Conflicts,
        }
    }

    /// Its verb in scenarios.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::ApiServerDown => "apiServerDown",
            Self::ControllerManagerDown => "controllerManagerDown",
            Self::SchedulerDown => "schedulerDown",
            Self::Partition { .. } => "partition",
            Self::SlowWatch { .. } => "slowWatch",
            Self::SlowWrites(_) => "slowWrites",
            Self::Conflicts(_) => "conflicts",
        }
    }

    /// The step of a scenario that does it for so long.
    pub(super) fn as_step(&self, lasts: SimDuration) -> Value {
        let mut fields = match self {
            Self::ApiServerDown | Self::ControllerManagerDown | Self::SchedulerDown => json!({}),
            Self::Partition { node, cut } => json!({"node": node, "cut": cut.as_str()}),
            Self::SlowWatch { watcher, delay } => {
                let mut fields = match watcher {
                    Watcher::Kubelet(node) => json!({"node": node}),
                    Watcher::Kubelets => json!({"process": "kubelets"}),
                    process => json!({"process": process.to_string()}),
                };
                if let Some(delay) = delay {
                    fields["delay"] = delay.to_string().into();
                }
                fields
            }
            Self::SlowWrites(write) => json!({"write": write}),
            Self::Conflicts(storm) => {
                let kinds: Vec<&str> = storm.kinds.iter().map(|kind| kind.as_str()).collect();
                let mut fields = json!({"kinds": kinds, "percent": storm.percent});
                if let Some(namespace) = &storm.namespace {
                    fields["namespace"] = namespace.as_str().into();
                }
                fields
            }
        };
        fields["for"] = lasts.to_string().into();
        json!({self.verb(): fields})
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiServer => f.write_str("kube-apiserver"),
            Self::ControllerManager => f.write_str(Leader::ControllerManager.as_str()),
            Self::Scheduler => f.write_str(Leader::Scheduler.as_str()),
            Self::Node(node) => write!(f, "the way to node {node}"),
            Self::Watch(watcher) => write!(f, "the watch of {watcher}"),
            Self::Writes => f.write_str("the time that writes take"),
            Self::Conflicts => f.write_str("conflicts"),
        }
    }
}

/// Names one disturbance of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incident(u32);

/// What goes on in a disturbance, or after it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recovery {
    /// The time of a disturbance is over.
    End(Incident),
    /// A leader could not renew its lease during this outage of the API server.
    LeaseLost(Leader, Incident),
    /// A process becomes leader, unless something came in between.
    Lead { leader: Leader, epoch: u32 },
    /// A process tries again to watch.
    Reconnect(ProcessId),
    /// A kubelet tries again to send what it has to say.
    Resend(u32),
    /// Processes of the control plane try again to record Events.
    ResendEvents,
}

/// What is wrong now.
#[derive(Clone, Default)]
pub(super) struct Disturbances {
    active: Vec<Active>,
    begun: u32,
    /// Streams of luck that were handed out.
    draws: u32,
    api_server_down: bool,
    /// How long writes take when nothing is wrong, while they take longer.
    usual_writes: Option<Sampler>,
    conflicts: Option<Box<Storm>>,
    events: Vec<outage::KeptEvent>,
}

#[derive(Clone)]
struct Active {
    incident: Incident,
    what: Disturbance,
    since: SimTime,
}

impl Simulation {
    /// Lets something go wrong with the control plane, for a while or until [`restore`](Self::restore) is called.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::sim::{Disturbance, Simulation};
    ///
    /// let mut sim = Simulation::builder().nodes(1).build()?;
    /// sim.disturb(Disturbance::ApiServerDown, Some(SimDuration::from_secs(30)))?;
    /// let pod = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}";
    /// let refused = sim.apply(pod).expect_err("nobody is there");
    /// assert!(refused.to_string().contains("connection refused"));
    /// sim.run_for(SimDuration::from_secs(31));
    /// sim.apply(pod)?;
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    ///
    /// # Errors
    /// If something is wrong at that place already, if there is no such node, or if it would last no time.
    pub fn disturb(&mut self, what: Disturbance, lasts: Option<SimDuration>) -> Result<Incident, SimError> {
        let place = what.place();
        if self.is_disturbed(&place) {
            return Err(SimError::Cluster(format!("{place} is disturbed already")));
        }
        if lasts.is_some_and(SimDuration::is_zero) {
            return Err(SimError::Cluster(format!("{place}: a disturbance lasts longer than 0")));
        }
        let incident = Incident(self.disturbances.begun);
        self.begin(incident, &what)?;
        self.disturbances.begun += 1;
        let since = self.now();
        self.disturbances.active.push(Active { incident, what, since });
        if let Some(lasts) = lasts {
            self.queue.push(since + lasts, rank::USER, Event::Recovery(Recovery::End(incident)));
        }
        Ok(incident)
    }

    /// Ends what is wrong at a place.
    ///
    /// # Errors
    /// If nothing is wrong there.
    pub fn restore(&mut self, place: &Place) -> Result<(), SimError> {
        let found = self.disturbances.active.iter().find(|active| active.what.place() == *place);
        let incident = found.map(|active| active.incident);
        let incident = incident.ok_or_else(|| SimError::Cluster(format!("{place} is not disturbed")))?;
        self.end(incident);
        Ok(())
    }

    /// Whether something is wrong at a place.
    #[must_use]
    pub fn is_disturbed(&self, place: &Place) -> bool {
        self.disturbances.active.iter().any(|active| active.what.place() == *place)
    }

    /// Ends a disturbance, if it goes on. Returns whether it did.
    pub(super) fn end(&mut self, incident: Incident) -> bool {
        let active = &mut self.disturbances.active;
        let Some(at) = active.iter().position(|active| active.incident == incident) else { return false };
        let Active { what, since, .. } = active.remove(at);
        self.finish(what, since);
        true
    }

    fn begin(&mut self, incident: Incident, what: &Disturbance) -> Result<(), SimError> {
        match what {
            Disturbance::ApiServerDown => self.begin_outage(incident),
            Disturbance::ControllerManagerDown => self.stop_leading(Leader::ControllerManager),
            Disturbance::SchedulerDown => self.stop_leading(Leader::Scheduler),
            Disturbance::Partition { node, cut } => self.begin_partition(node, *cut)?,
            Disturbance::SlowWatch { watcher, delay } => self.begin_slow_watch(watcher, *delay)?,
            Disturbance::SlowWrites(delay) => self.begin_slow_writes(delay.clone()),
            Disturbance::Conflicts(storm) => self.begin_conflicts(storm.clone()),
        }
        Ok(())
    }

    fn finish(&mut self, what: Disturbance, since: SimTime) {
        match what {
            Disturbance::ApiServerDown => self.end_outage(since),
            Disturbance::ControllerManagerDown => self.end_down(Leader::ControllerManager),
            Disturbance::SchedulerDown => self.end_down(Leader::Scheduler),
            Disturbance::Partition { node, cut } => self.end_partition(&node, cut, since),
            Disturbance::SlowWatch { watcher, delay } => self.end_slow_watch(&watcher, delay),
            Disturbance::SlowWrites(_) => self.end_slow_writes(),
            Disturbance::Conflicts(_) => self.disturbances.conflicts = None,
        }
    }

    pub(super) fn recover(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::End(incident) => {
                let place = self.disturbances.active.iter().find(|active| active.incident == incident);
                let place = place.map(|active| active.what.place().to_string());
                if self.end(incident) {
                    self.record_turn("restored", json!({"what": place}));
                }
            }
            Recovery::LeaseLost(leader, incident) => self.lose_lease(leader, incident),
            Recovery::Lead { leader, epoch } => self.lead(leader, epoch),
            Recovery::Reconnect(process) => self.reconnect(process),
            Recovery::Resend(node) => self.resend(node),
            Recovery::ResendEvents => self.resend_events(),
        }
    }

    fn recover_after(&mut self, delay: SimDuration, recovery: Recovery) {
        if delay.is_zero() {
            self.recover(recovery);
        } else {
            self.queue.push(self.now() + delay, rank::USER, Event::Recovery(recovery));
        }
    }

    /// Notes in the recording what nobody did.
    fn record_turn(&mut self, name: &str, args: Value) {
        self.record_step(StepRecord { name: name.to_owned(), args, result: json!(200) });
    }

    /// Fresh luck: the n-th of the run.
    fn luck(&mut self) -> Stream {
        self.disturbances.draws += 1;
        self.streams.stream(LUCK, self.disturbances.draws)
    }
}
