//! One round of an autoscaler, as a chain of steps (upstream `reconcileAutoscaler` in `horizontal.go`).

use std::sync::Arc;

use crate::api::{EventKind, EventSpec, MetricsQuery, Response, View};
use crate::objects::{
    Condition, ConditionStatus, Conditions, HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, HpaScalingRules,
    Kind, MetricSource, MetricStatus, ObjectReference, Pod, Quantity, ScalingPolicySelect, Selector, Text, WallTime,
};

use super::HorizontalPodAutoscalerConfig;
use super::memory::{Memory, Recommendation, Selectors};
use super::metric_status::{Failure, Measured, measure, query};
use super::normalize::{Bounds, normalize, remember_scaling};
use super::replica_calculator::{Calculator, Tolerances};
use super::scale::{Scale, ScaleError};

/// Type of the condition that says whether the autoscaler itself scaled its target to zero.
const SCALED_TO_ZERO: &str = "ScaledToZero";

/// What a round needs next; then it goes on with the answers.
#[derive(Clone, Debug)]
pub enum Next {
    /// Answers to these questions, in their order.
    Measure(Vec<MetricsQuery>),
    /// That its target be scaled to so many replicas.
    Scale(Scale, i32),
    /// That the status of the autoscaler be written.
    Write(Box<HorizontalPodAutoscaler>),
    /// Nothing any more.
    Done,
}

/// One round of one autoscaler.
///
/// ```
/// use seatrial::api::View;
/// use seatrial::controllers::horizontal_pod_autoscaler::{Memory, Next, Round, Scale, Selectors};
/// use seatrial::objects::{HorizontalPodAutoscaler, Key, Kind, WallTime};
///
/// let autoscaler = HorizontalPodAutoscaler::default();
/// let mut round = Round::new(&autoscaler, Default::default());
/// let key = Key::new("shop", "web");
/// let scale = Scale { kind: Kind::Deployment, key, spec_replicas: 3, status_replicas: 3, selector: "app=web".into() };
/// let (mut memory, mut selectors) = (Memory::default(), Selectors::default());
/// let next = round.begin(&View::default(), WallTime::default(), Ok(scale), &mut memory, &mut selectors);
/// assert!(matches!(next, Next::Scale(_, 0)), "three replicas are more than maxReplicas, which is zero here");
/// ```
#[derive(Clone, Debug)]
pub struct Round {
    autoscaler: HorizontalPodAutoscaler,
    before: HorizontalPodAutoscalerStatus,
    config: HorizontalPodAutoscalerConfig,
    stage: Stage,
    events: Vec<EventSpec>,
    /// Those that come after the next write.
    late_events: Vec<EventSpec>,
    error: Option<String>,
    metrics: Vec<MetricStatus>,
    /// What metrics asked for, within the bounds.
    wanted: Option<i32>,
}

#[derive(Clone, Debug)]
enum Stage {
    New,
    /// The questions of the metrics were asked.
    Measuring(Box<(Scale, Selector)>),
    Scaling {
        from: i32,
        to: i32,
        reason: String,
    },
    Writing,
}

impl Round {
    /// A round that looks at an autoscaler now.
    #[must_use]
    pub fn new(autoscaler: &HorizontalPodAutoscaler, config: HorizontalPodAutoscalerConfig) -> Self {
        Self {
            before: autoscaler.status.clone(),
            autoscaler: autoscaler.clone(),
            config,
            stage: Stage::New,
            events: Vec::new(),
            late_events: Vec::new(),
            error: None,
            metrics: Vec::new(),
            wanted: None,
        }
    }

    /// Events to record before what is needed next.
    pub fn take_events(&mut self) -> Vec<EventSpec> {
        std::mem::take(&mut self.events)
    }

    /// Events to record behind what is needed next.
    pub fn take_late_events(&mut self) -> Vec<EventSpec> {
        std::mem::take(&mut self.late_events)
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Begins with the scale of the target, or why there is none.
    pub fn begin(
        &mut self,
        view: &View,
        now: WallTime,
        scale: Result<Scale, ScaleError>,
        memory: &mut Memory,
        selectors: &mut Selectors,
    ) -> Next {
        let scale = match scale {
            Ok(scale) => scale,
            Err(error) => return self.without_scale(&error, now),
        };
        let got = "the HPA controller was able to get the target's current scale";
        self.condition(HorizontalPodAutoscaler::ABLE_TO_SCALE, true, "SucceededGetScale", got, now);
        let current = scale.spec_replicas;
        memory.recommendations.get_or_insert_with(|| vec![Recommendation { replicas: current, at: now }]);
        let (min, max) = (self.autoscaler.min_replicas(), self.autoscaler.spec.max_replicas);
        if current == 0 && !self.may_leave_zero() {
            let why = "scaling is disabled since the replica count of the target is zero";
            self.condition(HorizontalPodAutoscaler::SCALING_ACTIVE, false, "ScalingDisabled", why, now);
            if !self.config.scale_to_zero {
                self.forget_scaled_to_zero();
            }
            return self.finish(current, current, None);
        }
        if current > max {
            return self.rescale(scale, max, "Current number of replicas above Spec.MaxReplicas".to_owned());
        }
        if current < min && current != 0 {
            return self.rescale(scale, min, "Current number of replicas below Spec.MinReplicas".to_owned());
        }
        match self.check_selector(view, &scale, selectors, now) {
            Ok(selector) => self.ask(scale, selector),
            Err(why) => self.without_metrics(current, why),
        }
    }

    /// Goes on with the answers to what was needed.
    pub fn go_on(&mut self, view: &View, now: WallTime, answers: Vec<Response>, memory: &mut Memory) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Writing) {
            Stage::Measuring(asked) => {
                let (scale, selector) = *asked;
                self.measured(view, now, (scale, selector), answers, memory)
            }
            Stage::Scaling { from, to, reason } => {
                let refusal = answers.into_iter().next().and_then(Response::err);
                match refusal {
                    None => self.scaled(from, to, &reason, now, memory),
                    Some(error) => self.not_scaled(from, to, &reason, &error.to_string(), now),
                }
            }
            Stage::Writing | Stage::New => {
                if let Some(error) = answers.into_iter().next().and_then(Response::err) {
                    self.event(EventKind::Warning, "FailedUpdateStatus", error.to_string());
                    let name = &self.autoscaler.meta.name;
                    self.error = Some(format!("failed to update status for {name}: {error}"));
                }
                Next::Done
            }
        }
    }

    /// Whether metrics asked for another size than the target now has, and nothing but time stands between.
    pub(super) fn wants_another_size(&self, current: Option<i32>) -> bool {
        let (Some(wanted), Some(current)) = (self.wanted, current) else { return false };
        let behavior = self.autoscaler.spec.behavior.as_ref();
        let rules =
            behavior.and_then(
                |behavior| {
                    if wanted > current { behavior.scale_up.as_ref() } else { behavior.scale_down.as_ref() }
                },
            );
        let is_disabled = |rules: &HpaScalingRules| rules.select_policy == Some(ScalingPolicySelect::Disabled);
        wanted != current && !rules.is_some_and(is_disabled)
    }

    fn without_scale(&mut self, error: &ScaleError, now: WallTime) -> Next {
        self.event(EventKind::Warning, "FailedGetScale", error.to_string());
        let why = format!("the HPA controller was unable to get the target's current scale: {error}");
        self.condition(HorizontalPodAutoscaler::ABLE_TO_SCALE, false, "FailedGetScale", why, now);
        let target = &self.autoscaler.spec.scale_target_ref;
        let reference = format!("{}/{}/{}", target.kind, self.autoscaler.meta.namespace, target.name);
        self.error = Some(match error {
            ScaleError::ApiVersion(why) => format!("invalid API version in scale target reference: {why}"),
            ScaleError::NoSuchKind(why) => format!("unable to determine resource for scale target reference: {why}"),
            ScaleError::Query(why) => format!("failed to query scale subresource for {reference}: {why}"),
        });
        self.write()
    }

    /// Whether a target without replicas is looked at: only one that the autoscaler scaled to zero itself.
    fn may_leave_zero(&self) -> bool {
        let did = self.config.scale_to_zero && self.autoscaler.status.conditions.is_true(SCALED_TO_ZERO);
        did && (self.autoscaler.min_replicas() != 0 || self.has_outer_metrics())
    }

    /// Whether a metric is there without any pods.
    fn has_outer_metrics(&self) -> bool {
        self.autoscaler
            .spec
            .metrics
            .iter()
            .any(|metric| matches!(metric.source, MetricSource::Object { .. } | MetricSource::External { .. }))
    }

    fn forget_scaled_to_zero(&mut self) {
        let conditions = &mut self.autoscaler.status.conditions;
        if conditions.find(SCALED_TO_ZERO).is_some() {
            *conditions = conditions.iter().filter(|known| known.kind != *SCALED_TO_ZERO).cloned().collect();
        }
    }

    /// The selector of the target's pods, which no other autoscaler may share (`validateAndParseSelector`).
    fn check_selector(
        &mut self,
        view: &View,
        scale: &Scale,
        selectors: &mut Selectors,
        now: WallTime,
    ) -> Result<Selector, String> {
        let active = HorizontalPodAutoscaler::SCALING_ACTIVE;
        if scale.selector.is_empty() {
            self.event(EventKind::Warning, "SelectorRequired", "selector is required");
            let why = "the HPA target's scale is missing a selector";
            self.condition(active, false, "InvalidSelector", why, now);
            return Err("selector is required".to_owned());
        }
        let selector: Selector = match scale.selector.parse() {
            Ok(selector) => selector,
            Err(error) => {
                let why = format!("couldn't convert selector into a corresponding internal selector object: {error}");
                self.event(EventKind::Warning, "InvalidSelector", why.clone());
                self.condition(active, false, "InvalidSelector", why.clone(), now);
                return Err(why);
            }
        };
        let meta = &self.autoscaler.meta;
        let key = crate::objects::Key::new(meta.namespace.clone(), meta.name.clone());
        selectors.put(&key, &selector);
        let pods: Vec<&Arc<Pod>> = view.pods_matching(&meta.namespace, &selector).collect();
        let selecting = selectors.selecting(&meta.namespace, &pods);
        if selecting.len() > 1 {
            let all = selecting.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let why = format!("pods by selector {} are controlled by multiple HPAs: [{all}]", scale.selector);
            self.event(EventKind::Warning, "AmbiguousSelector", why.clone());
            self.condition(active, false, "AmbiguousSelector", why.clone(), now);
            return Err(why);
        }
        Ok(selector)
    }

    fn ask(&mut self, scale: Scale, selector: Selector) -> Next {
        let metrics = &self.autoscaler.spec.metrics;
        let queries = metrics.iter().map(|metric| query(&self.autoscaler, &metric.source, &selector)).collect();
        self.stage = Stage::Measuring(Box::new((scale, selector)));
        Next::Measure(queries)
    }

    /// Works out the replicas from the answers, makes them fit, and scales if they are others.
    fn measured(
        &mut self,
        view: &View,
        now: WallTime,
        (scale, selector): (Scale, Selector),
        answers: Vec<Response>,
        memory: &mut Memory,
    ) -> Next {
        let current = scale.spec_replicas;
        let found = self.evaluate(view, now, (&scale, &selector), answers);
        let (wanted, name) = match found {
            Ok(found) => found,
            Err(why) => return self.without_metrics(current, why),
        };
        let desired = wanted.max(0);
        let mut reason = match desired.cmp(&current) {
            std::cmp::Ordering::Greater => format!("{name} above target"),
            std::cmp::Ordering::Less => "All metrics below target".to_owned(),
            std::cmp::Ordering::Equal => String::new(),
        };
        let (min, max) = (self.autoscaler.min_replicas(), self.autoscaler.spec.max_replicas);
        self.wanted = Some(desired.min(max).max(min));
        let bounds = Bounds { current, min, max };
        let behavior = self.autoscaler.spec.behavior.as_ref();
        let normalized = normalize(desired, bounds, behavior, &self.config, memory, now);
        let (limited, why, message) = normalized.limited;
        self.condition(HorizontalPodAutoscaler::ABLE_TO_SCALE, true, normalized.able.0, normalized.able.1, now);
        self.condition(HorizontalPodAutoscaler::SCALING_LIMITED, limited, why, message, now);
        let mut desired = normalized.replicas;
        if current == 0 && min != 0 && desired < min {
            desired = min;
            if reason.is_empty() {
                reason = "Current number of replicas below Spec.MinReplicas".to_owned();
            }
        }
        if desired == current {
            return self.finish(current, current, None);
        }
        self.rescale(scale, desired, reason)
    }

    /// The most replicas that any metric asks for, and what that metric is called (`computeReplicasForMetrics`). What went
    /// wrong with single metrics is noted.
    fn evaluate(
        &mut self,
        view: &View,
        now: WallTime,
        (scale, selector): (&Scale, &Selector),
        answers: Vec<Response>,
    ) -> Result<(i32, String), String> {
        let namespace = self.autoscaler.meta.namespace.clone();
        let pods: Vec<&Arc<Pod>> = view.pods_matching(&namespace, selector).collect();
        let config = self.config;
        let tolerances = self.tolerances();
        let calculator = Calculator { pods: &pods, config: &config, tolerances, now, current: scale.spec_replicas };
        let specs = self.autoscaler.spec.clone();
        let (mut replicas, mut name) = (0, String::new());
        let mut first_failure: Option<Failure> = None;
        let mut failed = 0;
        for (spec, answer) in specs.metrics.iter().zip(&answers) {
            match measure(&calculator, &namespace, scale.status_replicas, spec, answer) {
                Ok(Measured { replicas: proposal, name: called, current }) => {
                    self.metrics.push(MetricStatus { source: Some(spec.source.clone()), current });
                    if replicas == 0 || proposal > replicas {
                        (replicas, name) = (proposal, called);
                    }
                }
                Err(failure) => {
                    self.metrics.push(MetricStatus::default());
                    self.event(EventKind::Warning, failure.reason, failure.message.clone());
                    failed += 1;
                    first_failure.get_or_insert(failure);
                }
            }
        }
        let active = HorizontalPodAutoscaler::SCALING_ACTIVE;
        let all = specs.metrics.len();
        if let Some(failure) = first_failure {
            let error = format!("invalid metrics ({failed} invalid out of {all}), first error is: {}", failure.error);
            if failed >= all || replicas < scale.spec_replicas {
                let why = format!("the HPA was unable to compute the replica count: {}", failure.message);
                self.condition(active, false, failure.reason, why, now);
                return Err(error);
            }
            self.error = Some(error);
        }
        let why = format!("the HPA was able to successfully calculate a replica count from {name}");
        self.condition(active, true, "ValidMetricFound", why, now);
        Ok((replicas, name))
    }

    /// Nothing can be worked out: the status says why.
    fn without_metrics(&mut self, current: i32, why: String) -> Next {
        let target = &self.autoscaler.spec.scale_target_ref;
        let reference = format!("{}/{}/{}", target.kind, self.autoscaler.meta.namespace, target.name);
        let event = self.about(EventKind::Warning, "FailedComputeMetricsReplicas", why.clone());
        self.error = Some(format!(
            "failed to compute desired number of replicas based on listed metrics for {reference}: {why}"
        ));
        let desired = self.autoscaler.status.desired_replicas;
        self.set_status(current, desired, None);
        let next = self.write();
        self.late_events.push(event);
        next
    }

    fn rescale(&mut self, scale: Scale, replicas: i32, reason: String) -> Next {
        self.stage = Stage::Scaling { from: scale.spec_replicas, to: replicas, reason };
        Next::Scale(scale, replicas)
    }

    fn scaled(&mut self, from: i32, to: i32, reason: &str, now: WallTime, memory: &mut Memory) -> Next {
        let did = format!("the HPA controller was able to update the target scale to {to}");
        self.condition(HorizontalPodAutoscaler::ABLE_TO_SCALE, true, "SucceededRescale", did, now);
        self.event(EventKind::Normal, "SuccessfulRescale", format!("New size: {to}; reason: {reason}"));
        remember_scaling(memory, self.autoscaler.spec.behavior.as_ref(), from, to, now);
        if !self.config.scale_to_zero {
            self.forget_scaled_to_zero();
        } else if from > 0 && to == 0 && self.autoscaler.min_replicas() == 0 && self.has_outer_metrics() {
            let why = "the HPA controller scaled the workload to zero";
            self.condition(SCALED_TO_ZERO, true, "ScaledToZero", why, now);
        } else {
            let why = "the HPA controller did not scale the workload to zero";
            self.condition(SCALED_TO_ZERO, false, "NotScaledToZero", why, now);
        }
        self.finish(from, to, Some(now))
    }

    fn not_scaled(&mut self, from: i32, to: i32, reason: &str, error: &str, now: WallTime) -> Next {
        let message = format!("New size: {to}; reason: {reason}; error: {error}");
        self.event(EventKind::Warning, "FailedRescale", message);
        let why = format!("the HPA controller was unable to update the target scale: {error}");
        self.condition(HorizontalPodAutoscaler::ABLE_TO_SCALE, false, "FailedUpdateScale", why, now);
        let target = &self.autoscaler.spec.scale_target_ref;
        let reference = format!("{}/{}/{}", target.kind, self.autoscaler.meta.namespace, target.name);
        self.error = Some(format!("failed to rescale {reference}: {error}"));
        let desired = self.autoscaler.status.desired_replicas;
        self.finish(from, desired, None)
    }

    fn finish(&mut self, current: i32, desired: i32, scaled: Option<WallTime>) -> Next {
        self.set_status(current, desired, scaled);
        self.write()
    }

    fn set_status(&mut self, current: i32, desired: i32, scaled: Option<WallTime>) {
        let status = &mut self.autoscaler.status;
        status.observed_generation = None;
        (status.current_replicas, status.desired_replicas) = (current, desired);
        status.current_metrics = std::mem::take(&mut self.metrics).into();
        if let Some(now) = scaled {
            status.last_scale_time = Some(now.timestamp());
        }
    }

    /// The status is written if it is another one.
    fn write(&mut self) -> Next {
        self.stage = Stage::Writing;
        if self.autoscaler.status == self.before {
            return Next::Done;
        }
        Next::Write(Box::new(self.autoscaler.clone()))
    }

    /// How far off the target figures may be: what the spec says, or the controller's setting (`tolerancesForHpa`).
    fn tolerances(&self) -> Tolerances {
        let behavior = self.autoscaler.spec.behavior.as_ref();
        let of = |rules: Option<&HpaScalingRules>| {
            let tolerance = rules.and_then(|rules| rules.tolerance);
            tolerance.map_or(self.config.tolerance, Quantity::as_approximate_f64)
        };
        Tolerances {
            scale_down: of(behavior.and_then(|behavior| behavior.scale_down.as_ref())),
            scale_up: of(behavior.and_then(|behavior| behavior.scale_up.as_ref())),
        }
    }

    fn condition(
        &mut self,
        kind: &'static str,
        holds: bool,
        reason: &'static str,
        why: impl Into<Text>,
        now: WallTime,
    ) {
        let condition = Condition::new(kind, ConditionStatus::of(holds), now.timestamp()).because(reason, why);
        let status = &mut self.autoscaler.status;
        status.conditions = status.conditions.with(condition);
    }

    fn event(&mut self, kind: EventKind, reason: &'static str, message: impl Into<Text>) {
        let event = self.about(kind, reason, message);
        self.events.push(event);
    }

    fn about(&self, kind: EventKind, reason: &'static str, message: impl Into<Text>) -> EventSpec {
        let about = ObjectReference::to(Kind::HorizontalPodAutoscaler, &self.autoscaler.meta);
        EventSpec { about, kind, reason: reason.into(), message: message.into() }
    }
}
