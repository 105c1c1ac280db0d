//! The autoscaler of workloads: every fifteen seconds it compares what is measured with what is wanted and sets the replicas
//! of its target (upstream `pkg/controller/podautoscaler`).
//!
//! | file | what is in it |
//! |---|---|
//! | `horizontal` | one round, as a chain of steps: read the scale, ask for metrics, scale, write the status |
//! | `scale` | the scale of a target |
//! | `metrics_client` | what the metrics APIs answer, by pod |
//! | `replica_calculator` | from a metric to replicas: ratios, tolerance, pods that are missing or not ready |
//! | `metric_status` | one metric of the spec: its question, its proposal, its status |
//! | `normalize` | from a proposal to a size: stabilization, policies, bounds |
//! | `memory` | what is remembered from round to round |

mod horizontal;
mod memory;
mod metric_status;
mod metrics_client;
mod normalize;
#[cfg(test)]
mod normalize_tests;
mod replica_calculator;
#[cfg(test)]
mod replica_calculator_tests;
mod scale;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::api::{
    Change, ChangeType, Context, Enqueue, KindSet, Part, RateLimit, Reconciler, Request, Response, Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, WallTime};

pub use horizontal::{Next, Round};
pub use memory::{Memory, Recommendation, ScaleEvent, Selectors};
pub use scale::{Scale, ScaleError, scale_of};

/// Settings of the controller (flags `--horizontal-pod-autoscaler-*` of kube-controller-manager).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HorizontalPodAutoscalerConfig {
    /// How often each autoscaler looks (`sync-period`).
    pub sync_period: SimDuration,
    /// How long past recommendations hold fewer replicas back where the spec does not say it (`downscale-stabilization`).
    pub downscale_stabilization: SimDuration,
    /// How far off the target the figures may be without anything being done, as a ratio (`tolerance`).
    pub tolerance: f64,
    /// How long the CPU of a pod that has just started is taken with care (`cpu-initialization-period`).
    pub cpu_initialization_period: SimDuration,
    /// A pod that stops being ready within this time of its start was never ready (`initial-readiness-delay`).
    pub initial_readiness_delay: SimDuration,
    /// The feature gate `HPAScaleToZero`, alpha and off by default: a target may be scaled to zero and back. The API server
    /// takes `minReplicas: 0` only with it, and only beside a metric of type `Object` or `External`.
    pub scale_to_zero: bool,
}

impl Default for HorizontalPodAutoscalerConfig {
    fn default() -> Self {
        Self {
            sync_period: SimDuration::from_secs(15),
            downscale_stabilization: SimDuration::from_secs(300),
            tolerance: 0.1,
            cpu_initialization_period: SimDuration::from_secs(300),
            initial_readiness_delay: SimDuration::from_secs(30),
            scale_to_zero: false,
        }
    }
}

/// Scales workloads by what is measured of them.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::HorizontalPodAutoscalerController;
/// assert_eq!(HorizontalPodAutoscalerController::default().name(), "horizontal-pod-autoscaler");
/// ```
#[derive(Clone, Debug, Default)]
pub struct HorizontalPodAutoscalerController {
    config: HorizontalPodAutoscalerConfig,
    memory: BTreeMap<Key, Memory>,
    selectors: Selectors,
}

impl HorizontalPodAutoscalerController {
    /// A controller with these settings.
    #[must_use]
    pub fn new(config: HorizontalPodAutoscalerConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// The next step of a round.
    fn step(&mut self, view: &View, key: &Key, mut round: Box<Round>, next: Next) -> Step<Box<Round>> {
        let mut requests: Vec<Request> = round.take_events().into_iter().map(Request::Event).collect();
        match next {
            Next::Measure(queries) => requests.extend(queries.into_iter().map(Request::Metrics)),
            Next::Scale(scale, replicas) => {
                requests.push(Request::Scale { kind: scale.kind, key: scale.key, replicas });
            }
            Next::Write(autoscaler) => {
                requests.push(Request::Update((*autoscaler).into(), Part::Status));
            }
            Next::Done => {
                let scale = view.horizontal_pod_autoscalers.get(key).and_then(|now| scale_of(view, now).ok());
                let memory = self.memory.entry(key.clone()).or_default();
                memory.wants_more = round.wants_another_size(scale.map(|scale| scale.spec_replicas));
                requests.extend(round.take_late_events().into_iter().map(Request::Event));
                return Step::last(requests).requeue_after(self.config.sync_period);
            }
        }
        requests.extend(round.take_late_events().into_iter().map(Request::Event));
        Step::call(requests, round)
    }
}

impl Reconciler for HorizontalPodAutoscalerController {
    type State = Box<Round>;

    fn name(&self) -> &'static str {
        "horizontal-pod-autoscaler"
    }

    /// Failed or not, the next round is a period later (upstream `NewDefaultHPARateLimiter`).
    fn rate_limit(&self) -> RateLimit {
        let period = self.config.sync_period;
        RateLimit { base: period, max: period, bucket: None, give_up_after: None }
    }

    /// It looks for ever. A cluster is busy as long as an autoscaler wants another size than its target has.
    fn is_background(&self) -> bool {
        self.memory.values().all(|memory| !memory.wants_more)
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::HorizontalPodAutoscaler])
    }

    /// Whatever happens to an autoscaler, it is looked at a period later, or earlier if that was planned.
    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        let key = change.object.key();
        if change.change_type == ChangeType::Deleted {
            self.selectors.remove(&key);
            self.memory.remove(&key);
            return;
        }
        self.selectors.register(key.clone());
        self.memory.entry(key.clone()).or_insert_with(|| Memory { wants_more: true, ..Memory::default() });
        queue.add_after(key, self.config.sync_period);
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Box<Round>> {
        let Some(autoscaler) = cx.view.horizontal_pod_autoscalers.get(key) else {
            self.memory.remove(key);
            return Step::done();
        };
        let mut round = Box::new(Round::new(autoscaler, self.config));
        let scale = scale_of(cx.view, autoscaler);
        let memory = self.memory.entry(key.clone()).or_default();
        let next = round.begin(cx.view, cx.now, scale, memory, &mut self.selectors);
        self.step(cx.view, key, round, next)
    }

    fn resume(
        &mut self,
        cx: Context<'_>,
        key: &Key,
        mut round: Box<Round>,
        responses: Vec<Response>,
    ) -> Step<Box<Round>> {
        let memory = self.memory.entry(key.clone()).or_default();
        let next = round.go_on(cx.view, cx.now, responses, memory);
        self.step(cx.view, key, round, next)
    }
}
