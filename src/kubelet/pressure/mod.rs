//! A node that runs short: when its kubelet looks (every ten seconds, but only where there is something to see), whom it evicts,
//! and whom the kernel kills if that comes too late.

mod machine;
mod round;

use smallvec::SmallVec;

pub use machine::{Eaten, Machine, MachineResource};
pub(super) use round::EVICTED;

use crate::kernel::SimDuration;
use crate::objects::{Uid, WallTime};

use super::driver::{Kubelet, KubeletContext};
use super::eviction::{Manager, Observation, Observations, PressureConditions, StorageLimits};
use super::node::NodeHealth;
use super::usage::{ContainerUse, Growth, first_instant};
use super::worker::{Worker, until};

/// Upstream's `evictionMonitoringPeriod`.
const ROUND: i64 = 10_000_000_000;
/// From an evicted pod's end to the next round (upstream `podCleanupPollFreq`).
const CLEANUP_POLL: i64 = 1_000_000_000;

/// Something that a kubelet wants to be told of later, about its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeTimer {
    due: Due,
    at: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The kubelet looks at what is left.
    Round,
    /// The machine has no memory left.
    MemoryOut,
    /// A group of pods has had its time to end before the machine is shut down.
    ShutdownGroup,
}

/// What a kubelet knows of the use of its machine. There is none as long as nothing uses anything.
#[derive(Clone, Debug, Default)]
pub(super) struct NodePressure {
    /// What is used outside the pods.
    outside: Vec<Outside>,
    manager: Manager,
    /// Rounds are every ten seconds from here.
    anchor: WallTime,
    last_round: WallTime,
    round: Option<WallTime>,
    memory_out: Option<WallTime>,
    /// Evicted pods that the next round waits for.
    cleaning: SmallVec<[Uid; 1]>,
    /// Thresholds are met and nobody is left to be evicted.
    idle: bool,
}

/// Something outside the pods that uses the machine.
#[derive(Clone, Copy, Debug)]
struct Outside {
    number: u64,
    resource: MachineResource,
    growth: Growth,
    since: WallTime,
}

impl NodePressure {
    pub(super) fn outside(&self, resource: MachineResource, now: WallTime) -> i64 {
        let of_it = self.outside.iter().filter(|outside| outside.resource == resource);
        of_it.map(|outside| outside.growth.at(until(outside.since, now))).fold(0, i64::saturating_add)
    }

    /// The first round at or after an instant.
    fn round_at(&self, instant: WallTime) -> WallTime {
        let rounds = |at: WallTime| at.nanos_since(self.anchor).max(0).div_euclid(ROUND);
        let exact = instant.nanos_since(self.anchor).max(0) % ROUND == 0;
        let next = self.anchor.plus_nanos((rounds(instant) + i64::from(!exact)) * ROUND);
        if next > self.last_round { next } else { self.anchor.plus_nanos((rounds(self.last_round) + 1) * ROUND) }
    }
}

impl Kubelet {
    /// The conditions of the node as its kubelet knows them.
    #[must_use]
    pub fn pressure_conditions(&self) -> PressureConditions {
        self.pressure.as_ref().map(|pressure| pressure.manager.conditions()).unwrap_or_default()
    }

    /// How the node is as its kubelet knows it.
    #[must_use]
    pub fn health(&self) -> NodeHealth {
        NodeHealth { pressure: self.pressure_conditions(), shutting_down: self.is_shutting_down() }
    }

    /// Whether the kubelet will do something about the use of its machine without anything else happening.
    #[must_use]
    pub fn expects_pressure(&self) -> bool {
        self.pressure.as_ref().is_some_and(|pressure| {
            pressure.memory_out.is_some()
                || (pressure.round.is_some() && !pressure.idle)
                || !pressure.cleaning.is_empty()
        })
    }

    /// Something outside the pods begins to use the machine. `number` names it for [`Self::relieve`].
    pub fn press(&mut self, cx: &mut KubeletContext<'_>, number: u64, resource: MachineResource, eaten: Eaten) {
        let growth = eaten.on(self.setup.machine.of(resource));
        let pressure = self.pressure.get_or_insert_default();
        pressure.outside.push(Outside { number, resource, growth, since: cx.now });
        self.plan_pressure(cx);
    }

    /// That of that number ends.
    pub fn relieve(&mut self, cx: &mut KubeletContext<'_>, number: u64) {
        if let Some(pressure) = &mut self.pressure {
            pressure.outside.retain(|outside| outside.number != number);
            self.plan_pressure(cx);
        }
    }

    /// A timer about the node is due.
    pub fn on_node_timer(&mut self, cx: &mut KubeletContext<'_>, timer: NodeTimer) {
        if timer.due == Due::ShutdownGroup {
            return self.shutdown_timer(cx, timer.at);
        }
        let Some(pressure) = self.pressure.as_mut().filter(|_| self.running) else { return };
        match timer.due {
            Due::Round if pressure.round == Some(timer.at) => {
                pressure.round = None;
                self.round(cx);
            }
            Due::MemoryOut if pressure.memory_out == Some(timer.at) => {
                pressure.memory_out = None;
                self.kill_for_memory(cx);
            }
            // Planned otherwise since.
            Due::Round | Due::MemoryOut | Due::ShutdownGroup => return,
        }
        self.plan_pressure(cx);
    }

    /// Asks to be told when a group of pods has had its time.
    pub(super) fn schedule_shutdown(&self, cx: &mut KubeletContext<'_>, delay: SimDuration, at: WallTime) {
        cx.effects.node_timers.push((delay, NodeTimer { due: Due::ShutdownGroup, at }));
    }

    /// What a stop of the machine leaves: what is on its disk.
    pub(super) fn forget_pressure(&mut self) {
        if let Some(mut old) = self.pressure.take() {
            old.outside.retain(|outside| outside.resource == MachineResource::Disk);
            if !old.outside.is_empty() {
                self.pressure = Some(Box::new(NodePressure { outside: old.outside, ..NodePressure::default() }));
            }
        }
    }

    /// Begins to count rounds, with the machine.
    pub(super) fn start_rounds(&mut self, cx: &mut KubeletContext<'_>) {
        self.admitted.since = cx.now;
        if self.pressure.is_some() {
            self.plan_pressure(cx);
        }
    }

    /// A pod is gone. A round that waits for it may begin.
    pub(super) fn pod_is_cleaned_up(&mut self, now: WallTime, uid: &Uid) {
        let Some(pressure) = &mut self.pressure else { return };
        if let Some(at) = pressure.cleaning.iter().position(|waiting| waiting == uid) {
            pressure.cleaning.remove(at);
            if pressure.cleaning.is_empty() {
                pressure.anchor = now.plus_nanos(CLEANUP_POLL);
            }
        }
    }

    /// What the machine has left at an instant, if nothing starts or ends until then.
    fn observe(&self, cx: &KubeletContext<'_>, now: WallTime) -> Observations {
        let (mut memory, mut disk, mut processes) = match &self.pressure {
            Some(pressure) => {
                let outside = |resource| pressure.outside(resource, now);
                (outside(MachineResource::Memory), outside(MachineResource::Disk), outside(MachineResource::Processes))
            }
            None => (0, 0, 0),
        };
        for worker in self.workers.values().filter(|worker| worker.uses_something(cx.behaviours)) {
            let used = worker.pod_use(cx.behaviours, now);
            memory = memory.saturating_add(used.memory);
            disk = disk.saturating_add(used.disk);
            processes = processes.saturating_add(used.processes);
        }
        Observations {
            memory: Observation::new(self.setup.machine.memory, memory),
            disk: Observation::new(self.setup.machine.disk, disk),
            processes: Observation::new(self.setup.machine.processes, processes),
        }
    }

    /// Works out when the next round has something to find and when memory is out, and asks for timers if that is news.
    pub(super) fn plan_pressure(&mut self, cx: &mut KubeletContext<'_>) {
        if !self.running {
            return;
        }
        let uses = self.workers.values().any(|worker| worker.uses_something(cx.behaviours));
        if self.pressure.is_none() && !uses {
            return;
        }
        let started = self.admitted.since;
        let fresh = || Box::new(NodePressure { anchor: started, last_round: started, ..NodePressure::default() });
        let pressure = self.pressure.get_or_insert_with(fresh);
        if pressure.anchor < started {
            (pressure.anchor, pressure.last_round) = (started, started);
        }
        let round = self.next_round(cx);
        let memory_out = self.next_memory_out(cx);
        let Some(pressure) = &mut self.pressure else { return };
        for (due, planned, next) in
            [(Due::Round, &mut pressure.round, round), (Due::MemoryOut, &mut pressure.memory_out, memory_out)]
        {
            if let Some(at) = next.filter(|next| *planned != Some(*next)) {
                cx.effects.node_timers.push((until(cx.now, at), NodeTimer { due, at }));
            }
            *planned = next;
        }
    }

    fn next_round(&self, cx: &KubeletContext<'_>) -> Option<WallTime> {
        let pressure = self.pressure.as_ref().filter(|pressure| pressure.cleaning.is_empty())?;
        let now = cx.now;
        let shortage = first_instant(now, |at| Manager::would_act(&self.setup.config, &self.observe(cx, at)));
        let busy = pressure.manager.is_busy().then_some(now);
        let limited = self.storage_limits(cx).into_iter();
        let violations = limited.filter_map(|(_, worker, limits)| {
            first_instant(now, |at| limits.violation(worker, cx.behaviours, at).is_some())
        });
        let relief = pressure.manager.next_relief(&self.setup.config);
        let first = violations.chain(shortage).chain(busy).chain(relief).min()?;
        Some(pressure.round_at(first.max(now)))
    }

    /// The pods that use something and have limits of local storage, in the order of their names.
    fn storage_limits(&self, cx: &KubeletContext<'_>) -> Vec<(&Uid, &Worker, StorageLimits)> {
        let using = self.workers.iter().filter(|(_, worker)| worker.uses_something(cx.behaviours));
        let limited = using.filter_map(|(uid, worker)| Some((uid, &**worker, StorageLimits::of(worker)?)));
        let mut limited: Vec<_> = limited.filter(|(_, worker, _)| !worker.is_spared()).collect();
        limited.sort_by(|(_, a, _), (_, b, _)| a.key.cmp(&b.key));
        limited
    }

    fn next_memory_out(&self, cx: &KubeletContext<'_>) -> Option<WallTime> {
        if self.setup.machine.memory <= 0 || self.first_to_be_killed(cx).is_none() {
            return None;
        }
        // Nothing is left long before a byte too much is asked for; the difference is a byte.
        let is_out = |at: WallTime| {
            let pressure = self.pressure.as_ref().map_or(0, |pressure| pressure.outside(MachineResource::Memory, at));
            let pods = self.workers.values().map(|worker| worker.pod_use(cx.behaviours, at).memory);
            pods.fold(pressure, i64::saturating_add) > self.setup.machine.memory
        };
        first_instant(cx.now, is_out)
    }

    /// The container that the kernel would kill now: of those that use memory.
    fn first_to_be_killed(&self, cx: &KubeletContext<'_>) -> Option<(Uid, usize)> {
        let using = self.workers.iter().flat_map(|(uid, worker)| {
            let places = (0..worker.containers.len()).filter(|at| worker.containers[*at].is_up());
            places.filter_map(move |at| {
                let ContainerUse { memory, .. } = worker.container_use(at, cx.behaviours, cx.now);
                let points = worker.badness(at, memory, self.setup.machine.memory);
                (memory > 0).then_some(((points, &worker.key, std::cmp::Reverse(at)), uid))
            })
        });
        using.max_by(|(a, _), (b, _)| a.cmp(b)).map(|((_, _, at), uid)| (uid.clone(), at.0))
    }

    fn kill_for_memory(&mut self, cx: &mut KubeletContext<'_>) {
        if let Some((uid, at)) = self.first_to_be_killed(cx) {
            self.sync(cx, &uid, |pod| pod.kill_for_memory(at));
        }
    }
}

/// How long a pod has that is evicted at once, in seconds (upstream `immediateEvictionGracePeriodSeconds`).
const AT_ONCE: SimDuration = SimDuration::from_secs(1);
