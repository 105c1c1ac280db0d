//! Rolling update: new pods come and old ones go within bounds (upstream `rolling.go`).

use crate::kernel::SimDuration;
use crate::objects::{Deployment, DeploymentSpec, DeploymentStrategy, IntOrPercentError, ReplicaSet, Rounding};

use super::progress::is_complete;
use super::scaling::Resize;
use super::sync::DeploymentSync;
use super::util::fenceposts::Fenceposts;
use super::util::sets::ReplicaSets;
use crate::controllers::script::{Flow, Halt};

impl DeploymentSync<'_> {
    /// One step of a rolling update: at most one kind of scaling.
    pub(super) fn roll(&mut self) -> Flow<Option<SimDuration>> {
        self.ensure_new_replica_set()?;
        if let Some(resize) = grow_new(&self.deployment, &self.sets).map_err(|error| error.to_string())? {
            let before = self.sets.clone();
            self.resize(resize)?;
            return self.sync_rollout_status(&before);
        }
        let plan = shrink_old(&self.deployment, &self.sets);
        if !plan.resizes.is_empty() {
            let before = self.sets.clone();
            let scaled = self.shrink(&plan)?;
            if !scaled {
                self.clean_up_if_complete()?;
            }
            return self.sync_rollout_status(&before);
        }
        self.clean_up_if_complete()?;
        let sets = std::mem::take(&mut self.sets);
        self.sync_rollout_status(&sets)
    }

    /// Scales old ReplicaSets down. A failure counts as nothing done: the next change drives it on.
    fn shrink(&mut self, plan: &Shrinkage) -> Flow<bool> {
        for resize in &plan.resizes {
            match self.resize(*resize) {
                Err(Halt::Failed(_)) => return Ok(false),
                other => other?,
            }
        }
        Ok(plan.scaled)
    }

    /// Cleans the history up once the stored status says that the rollout is complete.
    pub(super) fn clean_up_if_complete(&mut self) -> Flow<()> {
        if is_complete(&self.deployment, &self.deployment.status) { self.clean_up() } else { Ok(()) }
    }
}

/// The size that the new ReplicaSet of `size` pods gets where all have `total`: as many as fit under the upper bound
/// (upstream `NewRSNewReplicas`).
///
/// # Errors
/// If `maxSurge` is a text and no percentage.
pub fn new_replica_set_size(spec: &DeploymentSpec, total: i32, size: i32) -> Result<i32, IntOrPercentError> {
    let DeploymentStrategy::RollingUpdate { max_surge, .. } = &spec.strategy else { return Ok(spec.replicas) };
    let surge = max_surge.as_ref().map_or(Ok(0), |surge| surge.scaled_value(spec.replicas, Rounding::Up))?;
    let most = spec.replicas.wrapping_add(surge);
    if total >= most {
        return Ok(size);
    }
    Ok(size.wrapping_add(most.wrapping_sub(total).min(spec.replicas.wrapping_sub(size))))
}

/// What the new ReplicaSet is scaled to, if it is (upstream `reconcileNewReplicaSet`).
///
/// # Errors
/// If `maxSurge` is a text and no percentage.
pub fn grow_new(deployment: &Deployment, sets: &ReplicaSets) -> Result<Option<Resize>, IntOrPercentError> {
    let (Some(at), spec) = (sets.new_index(), &deployment.spec) else { return Ok(None) };
    let size = sets.all()[at].spec.replicas;
    let to = match size.cmp(&spec.replicas) {
        std::cmp::Ordering::Equal => size,
        std::cmp::Ordering::Greater => spec.replicas,
        std::cmp::Ordering::Less => new_replica_set_size(spec, sets.desired(), size)?,
    };
    Ok((to != size).then_some(Resize { at, to }))
}

/// What old ReplicaSets are scaled down to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shrinkage {
    /// The sizes, in the order of the writes; one may be scaled down twice.
    pub resizes: Vec<Resize>,
    /// Whether this counts as having scaled. It does not where one of them has more available pods than it wants,
    /// which upstream takes for an error.
    pub scaled: bool,
}

/// What old ReplicaSets are scaled down to (upstream `reconcileOldReplicaSets`).
#[must_use]
pub fn shrink_old(deployment: &Deployment, sets: &ReplicaSets) -> Shrinkage {
    let mut plan = Shrinkage::default();
    let mut olds: Vec<Old<'_>> =
        sets.active_old().map(|(at, set)| Old { at, set, replicas: set.spec.replicas }).collect();
    let Some(new) = sets.new_set().filter(|_| !olds.is_empty()) else { return plan };
    let unavailable = Fenceposts::of(&deployment.spec).unavailable;
    let min_available = deployment.spec.replicas.wrapping_sub(unavailable);
    let starting = new.spec.replicas.wrapping_sub(new.status.available_replicas);
    let budget = sets.desired().wrapping_sub(min_available).wrapping_sub(starting);
    if budget <= 0 || !drop_unavailable(&mut olds, budget, &mut plan.resizes) {
        return plan;
    }
    let olds_available = olds.iter().fold(0i32, |sum, old| sum.wrapping_add(old.set.status.available_replicas));
    let available = olds_available.wrapping_add(new.status.available_replicas);
    if available > min_available {
        drop_replaced(&mut olds, available.wrapping_sub(min_available), &mut plan.resizes);
    }
    plan.scaled = !plan.resizes.is_empty();
    plan
}

/// An old ReplicaSet and its size so far.
struct Old<'a> {
    at: usize,
    set: &'a ReplicaSet,
    replicas: i32,
}

impl Old<'_> {
    fn shrink_by(&mut self, count: i32, plan: &mut Vec<Resize>) {
        self.replicas -= count;
        plan.push(Resize { at: self.at, to: self.replicas });
    }
}

/// First go the pods that are not available anyway (upstream `cleanupUnhealthyReplicas`). Tells whether to go on: a
/// ReplicaSet with more available pods than it wants stops the whole of it.
fn drop_unavailable(olds: &mut [Old<'_>], budget: i32, plan: &mut Vec<Resize>) -> bool {
    let mut left = budget;
    for old in olds.iter_mut() {
        let unavailable = old.replicas.wrapping_sub(old.set.status.available_replicas);
        if left <= 0 {
            break;
        }
        if unavailable < 0 {
            return false;
        }
        let count = unavailable.min(left);
        if count > 0 {
            old.shrink_by(count, plan);
            left -= count;
        }
    }
    true
}

/// Then go those that are available beyond the lower bound (upstream `scaleDownOldReplicaSetsForRollingUpdate`).
fn drop_replaced(olds: &mut [Old<'_>], budget: i32, plan: &mut Vec<Resize>) {
    let mut left = budget;
    for old in olds {
        if left <= 0 {
            return;
        }
        let count = old.replicas.min(left);
        if count > 0 {
            old.shrink_by(count, plan);
            left -= count;
        }
    }
}
