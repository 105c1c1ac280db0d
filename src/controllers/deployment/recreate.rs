//! Recreate: all old pods go before a new one comes (upstream `recreate.go`).

use crate::kernel::SimDuration;

use super::scaling::Resize;
use super::sync::DeploymentSync;
use crate::controllers::script::Flow;

impl DeploymentSync<'_> {
    /// One step of a rollout that recreates.
    pub(super) fn recreate(&mut self) -> Flow<Option<SimDuration>> {
        let old: Vec<usize> = self.sets.active_old().map(|(at, _)| at).collect();
        if !old.is_empty() {
            let before = self.sets.clone();
            for at in old {
                self.resize(Resize { at, to: 0 })?;
            }
            return self.sync_rollout_status(&before);
        }
        if !self.old_pods_running() {
            self.ensure_new_replica_set()?;
            let before = self.sets.clone();
            let to = self.deployment.spec.replicas;
            if let Some(at) = self.sets.new_index().filter(|at| before.all()[*at].spec.replicas != to) {
                self.resize(Resize { at, to })?;
            }
            self.clean_up_if_complete()?;
            return self.sync_rollout_status(&before);
        }
        let sets = std::mem::take(&mut self.sets);
        self.sync_rollout_status(&sets)
    }
}
