//! Controller managers in the simulation: their work queues, and the way of a sync to the API server and back.

use std::sync::Arc;

use crate::api::{EventSpec, KindSet, Request};
use crate::kernel::Stream;
use crate::objects::{Key, WallTime};

use super::controller::{ControllerHost, Progress};
use super::event::{Event, rank};
use super::simulation::Simulation;
use super::watch::Informer;

/// A controller manager: controllers that share one informer cache.
pub(super) struct Manager {
    pub(super) informer: Informer,
    pub(super) controllers: Vec<Box<dyn ControllerHost>>,
    /// Kinds that each controller watches.
    watches: Arc<[KindSet]>,
    /// Which controllers have a pending look at their queue.
    awake: Vec<bool>,
    /// Controllers that were told of something since their queues were last looked at.
    told: Vec<u16>,
    pub(super) writes: Stream,
    /// Counts restarts, so that what an earlier life sent is known as stale.
    pub(super) epoch: u32,
    /// Whether it runs and leads.
    pub(super) leads: bool,
    /// The controllers as they are at a start.
    pub(super) fresh: Arc<[Box<dyn ControllerHost>]>,
}

impl Clone for Manager {
    fn clone(&self) -> Self {
        Self {
            informer: self.informer.clone(),
            controllers: self.controllers.iter().map(|host| host.clone_box()).collect(),
            watches: Arc::clone(&self.watches),
            awake: self.awake.clone(),
            told: self.told.clone(),
            writes: self.writes.clone(),
            epoch: self.epoch,
            leads: self.leads,
            fresh: Arc::clone(&self.fresh),
        }
    }
}

impl Manager {
    pub(super) fn new(controllers: Vec<Box<dyn ControllerHost>>, informer: Informer, writes: Stream) -> Self {
        let fresh = controllers.iter().map(|host| host.clone_box()).collect();
        let watches = controllers.iter().map(|host| host.watches()).collect();
        let awake = vec![false; controllers.len()];
        Self { informer, watches, awake, told: Vec::new(), controllers, writes, epoch: 0, leads: true, fresh }
    }

    /// Forgets everything that a process remembers.
    pub(super) fn restart(&mut self) {
        self.epoch += 1;
        self.controllers = self.fresh.iter().map(|host| host.clone_box()).collect();
        self.awake.fill(false);
        self.told.clear();
    }
}

impl Simulation {
    pub(super) fn tell_controllers(&mut self, process: u16, change: &crate::api::Change) {
        let (now, kind) = (self.clock(), change.kind());
        let manager = &mut self.managers[process as usize];
        let view = manager.informer.view(self.server.view());
        for (at, host) in manager.controllers.iter_mut().enumerate() {
            if !manager.watches[at].contains(kind) {
                continue;
            }
            let controller = at as u16;
            host.on_change(view, change, now, &mut self.timers);
            if manager.told.last() != Some(&controller) {
                manager.told.push(controller);
            }
            if !self.timers.is_empty() {
                self.background += self.timers.len();
                for (key, due) in self.timers.drain(..) {
                    let event = Event::Due { process, controller, epoch: manager.epoch, key };
                    self.queue.push(due, rank::CONTROLLERS, event);
                }
            }
        }
    }

    /// Lets the controllers that were told of something look at their queues, in their order.
    pub(super) fn wake_workers(&mut self, process: u16) {
        let mut told = std::mem::take(&mut self.managers[process as usize].told);
        told.sort_unstable();
        told.dedup();
        told.drain(..).for_each(|controller| self.wake_worker(process, controller));
        self.managers[process as usize].told = told;
    }

    pub(super) fn wake_worker(&mut self, process: u16, controller: u16) {
        let manager = &mut self.managers[process as usize];
        let at = controller as usize;
        if manager.controllers[at].can_start() && !std::mem::replace(&mut manager.awake[at], true) {
            self.queue.push(self.queue.now(), rank::CONTROLLERS, Event::Work { process, controller });
        }
    }

    pub(super) fn work(&mut self, process: u16, controller: u16) {
        let now = self.clock();
        self.managers[process as usize].awake[controller as usize] = false;
        while self.managers[process as usize].controllers[controller as usize].can_start() {
            self.count_instant(self.now());
            if self.livelock.is_some() {
                return;
            }
            let manager = &mut self.managers[process as usize];
            let view = manager.informer.view(self.server.view());
            let progress = manager.controllers[controller as usize].start(view, now, &mut self.timers);
            self.proceed(process, controller, progress);
        }
    }

    /// Sends a sync's requests: at once where writes take no time, else after their delay.
    pub(super) fn proceed(&mut self, process: u16, controller: u16, mut progress: Progress) {
        loop {
            self.start_timers(process, controller);
            let Progress::Requests(flight, requests) = progress else { return };
            let manager = &mut self.managers[process as usize];
            let delay = self.delays.write.sample(&mut manager.writes);
            if delay.is_zero() || requests.is_empty() {
                progress = self.perform(process, controller, flight, requests);
            } else {
                let epoch = manager.epoch;
                let event = Event::Execute { process, controller, flight, epoch, requests };
                self.queue.push(self.queue.now() + delay, rank::CONTROLLERS, event);
                return;
            }
        }
    }

    pub(super) fn perform(&mut self, process: u16, controller: u16, flight: u32, requests: Vec<Request>) -> Progress {
        let name = self.managers[process as usize].controllers[controller as usize].name();
        let mut responses = Vec::with_capacity(requests.len());
        for request in &requests {
            match request {
                Request::Event(spec) => self.record_event(name, 0, "", spec),
                request => responses.push(self.execute_for_component(request)),
            }
        }
        let now = self.clock();
        let manager = &mut self.managers[process as usize];
        let view = manager.informer.view(self.server.view());
        manager.controllers[controller as usize].resume(flight, view, now, responses, &mut self.timers)
    }

    pub(super) fn execute_sync(
        &mut self,
        process: u16,
        controller: u16,
        flight: u32,
        epoch: u32,
        requests: Vec<Request>,
    ) {
        if self.managers[process as usize].epoch != epoch {
            return self.execute_orphaned(&requests);
        }
        let progress = self.perform(process, controller, flight, requests);
        self.proceed(process, controller, progress);
        self.wake_worker(process, controller);
    }

    pub(super) fn start_timers(&mut self, process: u16, controller: u16) {
        let epoch = self.managers[process as usize].epoch;
        self.background += self.timers.len();
        for (key, due) in self.timers.drain(..) {
            self.queue.push(due, rank::CONTROLLERS, Event::Due { process, controller, epoch, key });
        }
    }

    pub(super) fn due(&mut self, process: u16, controller: u16, epoch: u32, key: &Key) {
        let now = self.now();
        let manager = &mut self.managers[process as usize];
        if manager.epoch == epoch {
            manager.controllers[controller as usize].on_timer(key, now);
            self.wake_worker(process, controller);
        }
    }

    /// Records an Event in the name of a component, unless Events are off.
    pub(super) fn record_event(&mut self, component: &'static str, instance: u32, host: &str, spec: &EventSpec) {
        if !self.recorders.enabled || self.keeps_event(component, instance, host, spec) {
            return;
        }
        let now = self.wall();
        self.record_event_of(now, component, instance, host, spec);
    }

    /// Records an Event that was about to be recorded at `now`.
    pub(super) fn record_event_of(
        &mut self,
        now: WallTime,
        component: &'static str,
        instance: u32,
        host: &str,
        spec: &EventSpec,
    ) {
        let recorder = self.recorders.by_component.entry((component, instance)).or_default();
        recorder.record(&mut self.server, now, component, host, spec);
        self.publish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DeleteOptions;
    use crate::kernel::{SimDuration, SimTime};
    use crate::sim::{Delays, Digest, RecordMode, Simulation};

    const CLUSTER: &str = include_str!("watched.yaml");

    /// A cluster with something of every controller, in which nodes come and go.
    fn play(delays: Delays, prepare: impl Fn(&mut Simulation)) -> Digest {
        let mut sim = Simulation::builder().delays(delays).nodes(4).record(RecordMode::Digest).build().unwrap();
        prepare(&mut sim);
        sim.apply(CLUSTER).unwrap();
        sim.run_until(SimTime::from_secs(150));
        sim.node_down("node-1").unwrap();
        sim.scale(&"deployment/web".parse().unwrap(), 3).unwrap();
        sim.run_for(SimDuration::from_secs(500));
        sim.node_up("node-1").unwrap();
        sim.set_image(&"statefulset/db".parse().unwrap(), "c", "db:v2").unwrap();
        sim.run_for(SimDuration::from_secs(200));
        sim.delete_node("node-2").unwrap();
        sim.delete(&"deployment/web".parse().unwrap(), DeleteOptions::default()).unwrap();
        sim.run_for(SimDuration::from_secs(300));
        assert!(sim.changes() > 200, "{}", sim.changes());
        sim.recording().digest()
    }

    #[test]
    fn whoever_is_not_told_of_a_change_would_have_made_nothing_of_it() {
        for delays in [Delays::ideal(), Delays::realistic()] {
            let told_of_all = play(delays.clone(), |sim| {
                for manager in &mut sim.managers {
                    manager.watches = manager.watches.iter().map(|_| KindSet::ALL).collect();
                }
                sim.scheduler.informer.watch_all();
                sim.kubelets.informer.watch_all();
            });
            assert_eq!(play(delays, |_| {}), told_of_all);
        }
    }
}
