//! Containers that the kernel kills because they use more memory than their control group may.

use crate::objects::oom_score_adj;

use super::behaviour::Behaviours;
use super::driver::PodSync;
use super::termination::EXIT_CODE_KILLED;
use super::usage::first_instant;
use super::worker::{Cause, Due, Worker, until};
use crate::objects::WallTime;

impl Worker {
    /// Memory limit of the pod as a whole, in bytes.
    fn pod_limit(&self) -> Option<i64> {
        let limits = &self.spec.resources.as_ref()?.limits;
        Some(limits.memory).filter(|limit| *limit > 0)
    }

    /// The container that is killed because it, or the pod, uses more than it may.
    fn over_limit(&self, behaviours: &Behaviours, now: WallTime) -> Option<usize> {
        let uses = |at: usize| self.container_use(at, behaviours, now).memory;
        let places = || (0..self.containers.len()).filter(|at| self.containers[*at].is_up());
        let limit = |at: usize| self.container_spec(at).resources.limits.memory;
        if let Some(at) = places().find(|at| limit(*at) > 0 && uses(*at) > limit(*at)) {
            return Some(at);
        }
        let most = self.pod_limit()?;
        let total = places().map(uses).fold(0, i64::saturating_add);
        if total <= most {
            return None;
        }
        let points = |at: usize| self.badness(at, uses(at), most);
        places().max_by_key(|at| (points(*at), std::cmp::Reverse(*at)))
    }

    /// How much the kernel would like to kill a container that uses that much, where `memory` is all there is
    /// (`oom_badness`).
    pub(super) fn badness(&self, at: usize, used: i64, memory: i64) -> i128 {
        let adjusted = oom_score_adj(&self.spec, self.container_spec(at), self.is_static(), memory);
        i128::from(used) + i128::from(adjusted) * i128::from(memory) / 1000
    }
}

impl PodSync<'_, '_> {
    /// A container began or ceased to use memory: works out when one will have too much.
    pub(super) fn watch_memory(&mut self) {
        let (worker, behaviours, now) = (&*self.worker, self.cx.behaviours, self.cx.now);
        if !worker.uses_something(behaviours) {
            return;
        }
        if let Some(instant) = first_instant(now, |at| worker.over_limit(behaviours, at).is_some()) {
            self.schedule_for(until(now, instant), 0, 0, Due::OutOfMemory);
        }
    }

    /// One of the containers may have too much memory now.
    pub(super) fn memory_is_out(&mut self) {
        if let Some(at) = self.worker.over_limit(self.cx.behaviours, self.cx.now) {
            self.kill_for_memory(at);
        }
    }

    /// The kernel kills all processes of a container.
    pub(super) fn kill_for_memory(&mut self, at: usize) {
        self.container_ended(at, EXIT_CODE_KILLED, Cause::OutOfMemory);
        self.watch_memory();
    }
}
