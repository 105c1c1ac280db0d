//! What a kubelet tells of its containers (upstream `/metrics/resource`).

use std::sync::Arc;

use crate::kubelet::behaviour::Behaviours;
use crate::kubelet::driver::Kubelet;
use crate::kubelet::pressure::MachineResource;
use crate::kubelet::worker::{Worker, until};
use crate::objects::{Key, Uid, WallTime};

/// What was counted of a container since its start, requests apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerCount {
    /// Its place among all containers of the pod.
    pub place: u16,
    /// Its name.
    pub name: Arc<str>,
    /// When it started.
    pub started: WallTime,
    /// CPU time that it used on its own account, ns.
    pub cpu_nanos: u64,
    /// Limit of its CPU in thousandths of a core; 0 = none.
    pub cpu_limit: u32,
    /// Bytes in use now, volumes in memory included.
    pub memory: i64,
}

impl Kubelet {
    /// The containers of a pod that run, and what was counted of them.
    #[must_use]
    pub fn counts_of(&self, pod: &Uid, behaviours: &Behaviours, now: WallTime) -> Vec<ContainerCount> {
        self.workers.get(pod).map(|worker| worker.counts(behaviours, now)).unwrap_or_default()
    }

    /// The pods that the kubelet works on, in no order that means anything.
    pub fn pods(&self) -> impl Iterator<Item = (&Uid, &Key)> {
        self.workers.iter().map(|(uid, worker)| (uid, &worker.key))
    }

    /// Bytes of the machine's memory that are in use outside of pods.
    #[must_use]
    pub fn memory_outside(&self, now: WallTime) -> i64 {
        self.pressure.as_ref().map_or(0, |pressure| pressure.outside(MachineResource::Memory, now))
    }
}

impl Worker {
    fn counts(&self, behaviours: &Behaviours, now: WallTime) -> Vec<ContainerCount> {
        let running = (0..self.containers.len()).filter(|at| self.containers[*at].is_running());
        let counts = running.map(|at| {
            let (container, spec) = (&self.containers[at], self.container_spec(at));
            let cpu = behaviours.get(container.behaviour).cpu.unwrap_or_default();
            ContainerCount {
                place: u16::try_from(at).unwrap_or(u16::MAX),
                name: spec.name.clone(),
                started: container.running_since,
                cpu_nanos: cpu.nanos_after(until(container.running_since, now)),
                cpu_limit: u32::try_from(spec.resources.limits.cpu_milli).unwrap_or(0),
                memory: self.container_use(at, behaviours, now).memory,
            }
        });
        counts.collect()
    }
}
