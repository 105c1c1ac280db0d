//! Conditions of disruptions that never came.

use crate::api::{Change, Context, Enqueue, KindSet, Part, Reconciler, Request, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Conditions, DISRUPTION_TARGET, Key, Kind, Pod, Resource, WallTime, disruption_reason,
};

/// How long a pod may carry the condition without being deleted.
const STALE_AFTER: SimDuration = SimDuration::from_secs(120);

/// Sets `DisruptionTarget` to false on pods that were not deleted within two minutes of it: the second work queue of
/// upstream's disruption controller.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::StaleDisruptionController;
/// assert_eq!(StaleDisruptionController::default().name(), "disruption-controller");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StaleDisruptionController;

impl Reconciler for StaleDisruptionController {
    type State = ();

    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Pod])
    }

    fn on_change(&mut self, _view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        if let Some((_, pod)) = change.of::<Pod>()
            && let Some(wait) = until_stale(pod, now)
        {
            queue.add_after(pod.key(), wait);
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(pod) = cx.view.pods.get(key) else { return Step::done() };
        match until_stale(pod, cx.now) {
            None => Step::done(),
            Some(wait) if !wait.is_zero() => Step::done().requeue_after(wait),
            Some(_) => {
                let mut condition = Condition::new(DISRUPTION_TARGET, ConditionStatus::False, cx.now.timestamp());
                let current = pod.status.conditions.find(DISRUPTION_TARGET);
                condition.observed_generation = current.and_then(|current| current.observed_generation);
                let mut reset = Pod::clone(pod);
                reset.status.conditions = pod.status.conditions.with(condition);
                Step::last(vec![Request::Update(reset.into(), Part::Status)])
            }
        }
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), _responses: Vec<Response>) -> Step<()> {
        Step::done()
    }
}

/// How long until the condition of a pod is stale, if it can become so (upstream
/// `nonTerminatingPodHasStaleDisruptionCondition`).
fn until_stale(pod: &Pod, now: WallTime) -> Option<SimDuration> {
    let condition = pod.status.conditions.find(DISRUPTION_TARGET)?;
    let may_be =
        condition.status == ConditionStatus::True && condition.reason != *disruption_reason::TERMINATION_BY_KUBELET;
    if !may_be || pod.meta.is_deleting() || pod.is_terminal() {
        return None;
    }
    let since = condition.last_transition_time.map_or(i64::MAX, |at| now.nanos_since(at.wall()));
    let left = i64::try_from(STALE_AFTER.as_nanos()).unwrap_or(i64::MAX).saturating_sub(since);
    Some(SimDuration::from_nanos(left.max(0).unsigned_abs()))
}
