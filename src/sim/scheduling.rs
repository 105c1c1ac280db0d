//! The scheduler process in the simulation, and what can be asked of it.

use std::sync::Arc;

use crate::api::{ApiError, Change, Request};
use crate::kernel::{SimDuration, SimTime, Stream};
use crate::objects::Key;
use crate::scheduler::{Attempt, Decision, Explanation, Registry, Scheduler};

use super::delays::Delays;
use super::event::{Binding, Event, rank};
use super::simulation::Simulation;
use super::watch::Informer;

/// Who speaks in its Events.
pub(super) const COMPONENT: &str = "default-scheduler";

#[derive(Clone)]
pub(super) struct SchedulerProcess {
    pub(super) informer: Informer,
    scheduler: Scheduler,
    cycle_scheduled: bool,
    wake_at: Option<SimTime>,
    writes: Stream,
    /// Counts restarts, so that what an earlier life sent is known as stale.
    pub(super) epoch: u32,
    /// Whether it runs and leads.
    pub(super) leads: bool,
    /// The scheduler as it is at a start.
    fresh: Arc<Scheduler>,
}

impl SchedulerProcess {
    pub(super) fn new(scheduler: Scheduler, informer: Informer, writes: Stream) -> Self {
        let fresh = Arc::new(scheduler.clone());
        Self { informer, scheduler, cycle_scheduled: false, wake_at: None, writes, epoch: 0, leads: true, fresh }
    }

    /// Forgets everything that a process remembers.
    pub(super) fn restart(&mut self) {
        self.epoch += 1;
        self.scheduler = (*self.fresh).clone();
        (self.cycle_scheduled, self.wake_at) = (false, None);
    }
}

impl Simulation {
    /// How long things take in the control plane.
    #[must_use]
    pub const fn delays(&self) -> &Delays {
        &self.delays
    }

    /// Why a pod is where it is, or why it is nowhere: what came of the scheduler's last attempt for it. Nothing if there
    /// is no such pod, or if the scheduler has not tried it: because it was given a node otherwise, is for another
    /// scheduler, or has scheduling gates. Of pods that have a node, the last 512 are remembered.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::scheduler::Outcome;
    /// use seatrial::sim::{Delays, Simulation};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build()?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
    /// sim.run_for(SimDuration::from_secs(1));
    /// let decision = sim.scheduling_decision("default", "web").expect("it was tried");
    /// let Outcome::Placed(placement) = &decision.outcome else { panic!("there is room") };
    /// assert_eq!((&*placement.node, placement.feasible), ("node-0", 2));
    /// assert!(placement.scores.iter().any(|(plugin, points)| *plugin == "NodeResourcesFit" && *points > 0));
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn scheduling_decision(&self, namespace: &str, pod: &str) -> Option<&Decision> {
        let pod = self.view().pods.get(&Key::new(namespace, pod))?;
        self.scheduler.scheduler.decision(&pod.meta.uid)
    }

    /// What the scheduler would make of a pod now, node by node, from what it knows; nothing if there is no such pod. A pod
    /// that has a node is looked at as if it were still to be placed, beside itself. Nothing comes of it.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::scheduler::Verdict;
    /// use seatrial::sim::{Delays, Simulation};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {nodeSelector: {disk: ssd},
    ///     containers: [{name: c, image: nginx}]}}")?;
    /// sim.run_for(SimDuration::from_secs(1));
    /// let explanation = sim.explain_scheduling("default", "web").expect("the pod");
    /// let (node, verdict) = &explanation.nodes[0];
    /// let Verdict::Refused { plugin, reasons, .. } = verdict else { panic!("no node has the label") };
    /// assert_eq!((&**node, *plugin), ("node-0", Some("NodeAffinity")));
    /// assert_eq!(reasons[0], *"node(s) didn't match Pod's node affinity/selector");
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn explain_scheduling(&self, namespace: &str, pod: &str) -> Option<Explanation> {
        let pod = self.view().pods.get(&Key::new(namespace, pod))?;
        let view = self.scheduler.informer.view(self.view());
        Some(self.scheduler.scheduler.clone().explain(view, pod))
    }

    /// The plugins of the scheduler.
    pub(super) const fn scheduler_plugins(&self) -> &Registry {
        self.scheduler.scheduler.registry()
    }

    pub(super) fn tell_scheduler(&mut self, change: &Change) {
        let now = self.wall();
        let process = &mut self.scheduler;
        process.scheduler.on_change(process.informer.view(self.server.view()), change, now);
    }

    pub(super) fn wake_cycle(&mut self) {
        let now = self.clock();
        let process = &mut self.scheduler;
        if process.scheduler.has_ready(now.wall) {
            if !std::mem::replace(&mut process.cycle_scheduled, true) {
                self.queue.push(
                    now.sim + self.delays.scheduling,
                    rank::SCHEDULER,
                    Event::Schedule { epoch: process.epoch },
                );
            }
        } else if let Some(wake) = process.scheduler.next_wake(now.wall) {
            let delay = u64::try_from(wake.nanos_since(now.wall)).unwrap_or(0);
            let at = now.sim + SimDuration::from_nanos(delay);
            if process.wake_at.is_none_or(|set| set <= now.sim || at < set) {
                process.wake_at = Some(at);
                self.queue.push(at, rank::SCHEDULER, Event::WakeScheduler(at));
            }
        }
    }

    pub(super) fn wake_scheduler(&mut self, at: SimTime) {
        if self.scheduler.wake_at == Some(at) {
            self.scheduler.wake_at = None;
            self.wake_cycle();
        }
    }

    pub(super) fn schedule(&mut self, epoch: u32) {
        let now = self.wall();
        let process = &mut self.scheduler;
        if process.epoch != epoch {
            return;
        }
        process.cycle_scheduled = false;
        let view = process.informer.view(self.server.view());
        if let Some(attempt) = process.scheduler.attempt(view, now) {
            let Attempt { id, requests, displaced } = attempt;
            let binding = Binding { epoch, attempt: id, requests, displaced };
            let delay = self.delays.write.sample(&mut process.writes);
            if delay.is_zero() {
                self.bind(binding);
            } else {
                self.queue.push(self.queue.now() + delay, rank::SCHEDULER, Event::Bind(Box::new(binding)));
            }
        }
        self.wake_cycle();
    }

    pub(super) fn bind(&mut self, binding: Binding) {
        if self.scheduler.epoch != binding.epoch {
            return self.execute_orphaned(&binding.requests);
        }
        let mut failed = self.execute_for_scheduler(&binding.requests);
        for requests in &binding.displaced {
            let error = self.execute_for_scheduler(requests);
            failed = failed.or(error.filter(|error| !error.is_not_found()));
        }
        let now = self.wall();
        let process = &mut self.scheduler;
        let view = process.informer.view(self.server.view());
        let requests = process.scheduler.on_result(view, now, binding.attempt, failed.as_ref());
        self.execute_for_scheduler(&requests);
        self.wake_cycle();
    }

    /// Carries requests out until the first error. Events tell of what was done before them; of what failed there is
    /// nothing to tell.
    fn execute_for_scheduler(&mut self, requests: &[Request]) -> Option<ApiError> {
        for request in requests {
            match request {
                Request::Event(spec) => self.record_event(COMPONENT, 0, "", spec),
                request => {
                    if let Err(error) = self.execute_for_component(request) {
                        return Some(error);
                    }
                }
            }
        }
        None
    }
}
