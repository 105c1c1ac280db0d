//! The disruption controller: works out how many pods of each PodDisruptionBudget may be evicted (upstream
//! `pkg/controller/disruption`).

mod expected;
mod stale;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{
    ApiError, Change, ChangeType, Context, Enqueue, EventKind, EventSpec, KindSet, Part, Reconciler, Request, Response,
    Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Conditions, Key, Kind, ObjectReference, Pod, PodDisruptionBudget,
    PodDisruptionBudgetStatus, Resource, Timestamp, WallTime,
};

use expected::{Expected, expected_pods};

pub use stale::StaleDisruptionController;

/// How long a pod whose eviction was granted may take until it is seen going; after that it counts again.
const DELETION_TIMEOUT: SimDuration = SimDuration::from_secs(120);

/// Writes the status of PodDisruptionBudgets.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::DisruptionController;
/// assert_eq!(DisruptionController::default().name(), "disruption-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct DisruptionController {
    /// What the next sync of a budget has to say about pods that other budgets cover too.
    ambiguous: BTreeMap<Key, Vec<EventSpec>>,
}

/// What a sync remembers while its status is written.
#[derive(Clone, Debug)]
pub struct Written {
    budget: Arc<PodDisruptionBudget>,
    recheck: Option<SimDuration>,
    /// Whether this is the status that is written when all else failed.
    fail_safe: bool,
}

impl DisruptionController {
    /// A pod is news for the budget that covers it; of several, for the first.
    fn pod_changed(&mut self, view: &View, pod: &Pod, is_gone: bool, queue: &mut Enqueue) {
        let namespace = view.pod_disruption_budgets.in_namespace(&pod.meta.namespace);
        let mut covering = namespace.filter(|budget| budget.covers(pod));
        let Some(first) = covering.next() else { return };
        if !is_gone && covering.next().is_some() {
            let message = format!(
                "Pod {:?}/{:?} matches multiple PodDisruptionBudgets.  Chose {:?} arbitrarily.",
                &*pod.meta.namespace, &*pod.meta.name, &*first.meta.name
            );
            self.ambiguous.entry(first.key()).or_default().push(warning(
                ObjectReference::to(Kind::Pod, &pod.meta),
                "MultiplePodDisruptionBudgets",
                message,
            ));
        }
        queue.add(first.key());
    }
}

impl Reconciler for DisruptionController {
    type State = Written;

    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::PodDisruptionBudget, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        match change.kind() {
            Kind::PodDisruptionBudget => queue.add(change.object.key()),
            Kind::Pod if !view.pod_disruption_budgets.is_empty() => {
                if let Some((_, pod)) = change.of::<Pod>() {
                    self.pod_changed(view, pod, change.change_type == ChangeType::Deleted, queue);
                }
            }
            _ => {}
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Written> {
        let mut requests: Vec<Request> =
            self.ambiguous.remove(key).unwrap_or_default().into_iter().map(Request::Event).collect();
        let Some(budget) = cx.view.pod_disruption_budgets.get(key) else { return Step::last(requests) };
        let pods: Vec<&Arc<Pod>> = match &budget.spec.selector {
            Some(selector) => cx.view.pods_matching(&budget.meta.namespace, &selector.compiled).collect(),
            None => Vec::new(),
        };
        let about = ObjectReference::to(Kind::PodDisruptionBudget, &budget.meta);
        if pods.is_empty() {
            requests.push(Request::Event(EventSpec {
                about: about.clone(),
                kind: EventKind::Normal,
                reason: "NoPods".into(),
                message: "No matching pods found".into(),
            }));
        }
        let expected = match expected_pods(cx.view, budget, &pods) {
            Ok(expected) => expected,
            Err(why) => {
                let message = format!("Failed to calculate the number of expected pods: {why}");
                requests.push(Request::Event(warning(about, "CalculateExpectedPodCountFailed", message)));
                return fail_safe(budget, &why, cx.now, requests);
            }
        };
        if expected.unmanaged {
            requests.push(Request::Event(warning(about, "UnmanagedPods", unmanaged(budget))));
        }
        let (disrupted_pods, recheck) = disrupted_pods(budget, &pods, cx.now, &mut requests);
        let status = status(budget, &pods, &expected, disrupted_pods, cx.now);
        let Some(status) = status else {
            let step = Step::last(requests);
            return if let Some(recheck) = recheck { step.requeue_after(recheck) } else { step };
        };
        write(budget, status, requests, recheck, false)
    }

    fn resume(&mut self, cx: Context<'_>, _key: &Key, state: Written, responses: Vec<Response>) -> Step<Written> {
        let refusal: Option<ApiError> = responses.into_iter().next_back().and_then(Response::err);
        match (refusal, state.recheck) {
            (None, None) => Step::done(),
            (None, Some(recheck)) => Step::done().requeue_after(recheck),
            (Some(refusal), _) if refusal.is_conflict() || state.fail_safe => Step::retry(refusal.message),
            (Some(refusal), _) => fail_safe(&state.budget, &refusal.message, cx.now, Vec::new()),
        }
    }
}

fn write(
    budget: &Arc<PodDisruptionBudget>,
    status: PodDisruptionBudgetStatus,
    mut requests: Vec<Request>,
    recheck: Option<SimDuration>,
    fail_safe: bool,
) -> Step<Written> {
    let written = PodDisruptionBudget { status, ..PodDisruptionBudget::clone(budget) };
    requests.push(Request::Update(written.into(), Part::Status));
    Step::call(requests, Written { budget: budget.clone(), recheck, fail_safe })
}

/// Writes that nothing may be evicted, and why.
fn fail_safe(budget: &Arc<PodDisruptionBudget>, why: &str, now: WallTime, requests: Vec<Request>) -> Step<Written> {
    let mut status = PodDisruptionBudgetStatus { disruptions_allowed: 0, ..budget.status.clone() };
    let kind = PodDisruptionBudgetStatus::DISRUPTION_ALLOWED;
    let mut condition = Condition::new(kind, ConditionStatus::False, now.timestamp())
        .because(PodDisruptionBudgetStatus::SYNC_FAILED, why.to_owned());
    condition.observed_generation = Some(status.observed_generation).filter(|generation| *generation != 0);
    status.conditions = status.conditions.with(condition);
    write(budget, status, requests, None, true)
}

/// The new status, or `None` if the present one is right.
fn status(
    budget: &PodDisruptionBudget,
    pods: &[&Arc<Pod>],
    expected: &Expected,
    disrupted_pods: BTreeMap<Arc<str>, Timestamp>,
    now: WallTime,
) -> Option<PodDisruptionBudgetStatus> {
    let current = pods.iter().filter(|pod| is_healthy(pod, &disrupted_pods, now)).count();
    let current_healthy = i32::try_from(current).unwrap_or(i32::MAX);
    let allowed = current_healthy.saturating_sub(expected.desired_healthy).max(0);
    let old = &budget.status;
    let mut status = PodDisruptionBudgetStatus {
        observed_generation: budget.meta.generation,
        disrupted_pods,
        // A budget that matches nothing yet is safe for the first pods that come.
        disruptions_allowed: if expected.pods <= 0 { 0 } else { allowed },
        current_healthy,
        desired_healthy: expected.desired_healthy,
        expected_pods: expected.pods,
        conditions: old.conditions.clone(),
    };
    if status == *old && status.condition_is_current() {
        return None;
    }
    status.update_condition(now.timestamp());
    Some(status)
}

fn is_healthy(pod: &Pod, disrupted_pods: &BTreeMap<Arc<str>, Timestamp>, now: WallTime) -> bool {
    let is_going = disrupted_pods.get(&pod.meta.name).is_some_and(|granted| timeout(*granted) > now);
    !pod.meta.is_deleting() && !is_going && pod.is_ready()
}

fn timeout(granted: Timestamp) -> WallTime {
    granted.wall().plus_nanos(i64::try_from(DELETION_TIMEOUT.as_nanos()).unwrap_or(i64::MAX))
}

/// The pods whose eviction was granted and that are still expected to go, and when to look again. Of those that did not go
/// in time an Event tells.
fn disrupted_pods(
    budget: &PodDisruptionBudget,
    pods: &[&Arc<Pod>],
    now: WallTime,
    requests: &mut Vec<Request>,
) -> (BTreeMap<Arc<str>, Timestamp>, Option<SimDuration>) {
    let mut still = BTreeMap::new();
    let mut recheck: Option<WallTime> = None;
    for pod in pods.iter().filter(|pod| !pod.meta.is_deleting()) {
        let Some(granted) = budget.status.disrupted_pods.get(&pod.meta.name) else { continue };
        let end = timeout(*granted);
        if end < now {
            // Upstream names the namespace twice.
            let namespace = &budget.meta.namespace;
            let message = format!("Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't");
            let about = ObjectReference::to(Kind::Pod, &pod.meta);
            requests.push(Request::Event(warning(about, "NotDeleted", message)));
            continue;
        }
        recheck = Some(recheck.map_or(end, |earlier| earlier.min(end)));
        still.insert(pod.meta.name.clone(), *granted);
    }
    // What ends now is over only in a moment; time must not stand still until then.
    let wait = recheck.map(|at| SimDuration::from_nanos(at.nanos_since(now).max(1).unsigned_abs()));
    (still, wait)
}

fn warning(about: ObjectReference, reason: &'static str, message: String) -> EventSpec {
    EventSpec { about, kind: EventKind::Warning, reason: reason.into(), message: message.into() }
}

fn unmanaged(budget: &PodDisruptionBudget) -> String {
    let selector =
        budget.spec.selector.as_ref().map_or_else(|| "nil".to_owned(), |selector| selector.wire.to_go_string());
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the \
         status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these \
         pods please set \".spec.minAvailable\" field of the PDB to an integer value."
    )
}
