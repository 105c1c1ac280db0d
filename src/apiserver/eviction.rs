//! Eviction of pods (`pods/eviction`): a deletion that asks the pod's disruption budget first (upstream
//! `pkg/registry/core/pod/storage/eviction.go`).
//!
//! Requests are answered one at a time here, so the conflicts that upstream retries do not come up, but for a version that
//! the client itself demands.

use std::sync::Arc;

use crate::api::{ApiError, Cause, DeleteOptions, Reason, Response};
use crate::objects::{
    Condition, ConditionStatus, Conditions, DISRUPTION_TARGET, Key, Kind, Pod, PodDisruptionBudget,
    PodDisruptionBudgetStatus, PodPhase, Timestamp, WallTime, disruption_reason,
};

use super::delete::check_preconditions;
use super::{ApiServer, errors};

/// Evictions under way that a budget remembers at most.
const MAX_DISRUPTED_PODS: usize = 2000;
/// Seconds after which a client may ask again, where the budget's status is behind.
const RETRY_AFTER: u32 = 10;

impl ApiServer {
    pub(super) fn evict(&mut self, now: WallTime, key: &Key, options: &DeleteOptions) -> Response {
        let Some(pod) = self.view().pods.get(key).cloned() else {
            return Err(errors::not_found(Kind::Pod, key));
        };
        if !needs_no_budget(&pod) {
            self.spend_budget(now, &pod)?;
        }
        self.evict_for_good(now, key, &pod, options)
    }

    /// Asks the budget of a running pod, and takes one disruption from it unless the pod is not healthy anyway.
    fn spend_budget(&mut self, now: WallTime, pod: &Pod) -> Result<(), ApiError> {
        let Some(budget) = self.budget_of(pod)? else { return Ok(()) };
        let status = &budget.status;
        let enough = status.current_healthy >= status.desired_healthy && status.desired_healthy > 0;
        if !pod.is_ready() && (budget.always_allows_unhealthy() || enough) {
            return Ok(());
        }
        check(&budget)?;
        let spent = PodDisruptionBudget { status: spent(status, pod, now.timestamp()), ..(*budget).clone() };
        self.replace(budget, spent);
        Ok(())
    }

    fn budget_of(&self, pod: &Pod) -> Result<Option<Arc<PodDisruptionBudget>>, ApiError> {
        let namespace = self.view().pod_disruption_budgets.in_namespace(&pod.meta.namespace);
        let mut covering = namespace.filter(|budget| budget.covers(pod));
        let first = covering.next();
        if covering.next().is_some() {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(ApiError::new(Reason::InternalError, message));
        }
        Ok(first.cloned())
    }

    fn evict_for_good(&mut self, now: WallTime, key: &Key, pod: &Arc<Pod>, options: &DeleteOptions) -> Response {
        check_preconditions(Kind::Pod, key, &pod.meta, options)?;
        let target = Condition::new(DISRUPTION_TARGET, ConditionStatus::True, now.timestamp())
            .because(disruption_reason::EVICTION_BY_EVICTION_API, "Eviction API: evicting");
        let mut marked = Pod::clone(pod);
        marked.status.conditions = pod.status.conditions.with(target);
        if marked != **pod {
            self.replace(pod.clone(), marked);
        }
        let mut options = options.clone();
        options.preconditions.resource_version = 0;
        self.delete(now, Kind::Pod, key, &options)
    }
}

/// Whether the pod's disruption is nothing new: it has ended, has not started, or is going already.
fn needs_no_budget(pod: &Pod) -> bool {
    pod.is_terminal() || pod.status.phase == PodPhase::Pending || pod.meta.is_deleting()
}

/// Whether the budget has a disruption left.
fn check(budget: &PodDisruptionBudget) -> Result<(), ApiError> {
    let (name, status) = (&budget.meta.name, &budget.status);
    let forbidden = |why: &str| {
        Err(ApiError::new(Reason::Forbidden, format!("poddisruptionbudget.policy {:?} is forbidden: {why}", &**name)))
    };
    if status.observed_generation < budget.meta.generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(ApiError { retry_after: Some(RETRY_AFTER), ..exhausted(why) });
    }
    if status.disruptions_allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if status.disrupted_pods.len() > MAX_DISRUPTED_PODS {
        return forbidden("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if status.disruptions_allowed == 0 {
        return Err(exhausted(why_none_is_left(name, status)));
    }
    Ok(())
}

fn why_none_is_left(name: &str, status: &PodDisruptionBudgetStatus) -> String {
    let told = status.conditions.find(PodDisruptionBudgetStatus::DISRUPTION_ALLOWED);
    let told = told.filter(|condition| condition.status == ConditionStatus::False && !condition.message.is_empty());
    let refusal = format!("The disruption budget {name} does not allow evicting pods currently");
    match told {
        Some(failure) if failure.reason == *PodDisruptionBudgetStatus::SYNC_FAILED => {
            format!("{refusal} because it failed sync: {}", failure.message)
        }
        _ if status.current_healthy <= status.desired_healthy => {
            let (needs, has) = (status.desired_healthy, status.current_healthy);
            format!("The disruption budget {name} needs {needs} healthy pods and has {has} currently")
        }
        Some(other) => format!("{refusal} ({}): {}", other.reason, other.message),
        None => refusal,
    }
}

fn exhausted(why: String) -> ApiError {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let cause = Cause { field: String::new(), kind: "DisruptionBudget".to_owned(), text: why };
    ApiError { causes: vec![cause], ..ApiError::new(Reason::TooManyRequests, message) }
}

/// The status after a disruption was granted. The controller counts the pod as gone until it sees it go, or does not.
fn spent(status: &PodDisruptionBudgetStatus, pod: &Pod, at: Timestamp) -> PodDisruptionBudgetStatus {
    let mut spent = status.clone();
    spent.disruptions_allowed -= 1;
    if spent.disruptions_allowed == 0 {
        spent.update_condition(at);
    }
    spent.disrupted_pods.insert(pod.meta.name.clone(), at);
    spent
}
