//! An autoscaler keeps to its bounds, and to the steps that it may take.

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{
    HorizontalPodAutoscalerSpec, HpaScalingPolicy, HpaScalingRules, Key, Kind, ScalingPolicySelect, Timestamp,
};
use crate::sim::Simulation;

use super::window::Window;
use super::{Invariant, Violation};

/// Whenever a HorizontalPodAutoscaler scales, it scales to no fewer than `minReplicas` and no more than `maxReplicas`; and as long
/// as the replicas were within these bounds, in one step by no more than its behavior allows (without one, to twice the
/// replicas or four at most). What a policy allows is counted from the replicas before, and what was taken away shortly
/// before; that steps together keep to it only a controller manager can promise that does not forget.
#[derive(Debug)]
pub struct HpaBounds {
    autoscaler: Key,
    specs: Window<Arc<HorizontalPodAutoscalerSpec>>,
    last: Option<Timestamp>,
    /// Scalings that were seen: when, and by how many replicas.
    scalings: Vec<(SimTime, i32)>,
}

/// Longest period of a policy, in seconds.
const PERIOD_MAX: u64 = 1800;

impl HpaBounds {
    /// By the current spec, or one that was current at the same instant.
    #[must_use]
    pub fn of(autoscaler: Key) -> Self {
        Self::within(autoscaler, SimDuration::ZERO)
    }

    /// By any spec that was current in the last `window`: for control planes with delays.
    #[must_use]
    pub fn within(autoscaler: Key, window: SimDuration) -> Self {
        Self { autoscaler, specs: Window::new(window), last: None, scalings: Vec::new() }
    }

    /// The replicas that were taken away (or added, if `up` is false) since an instant.
    fn undone(&self, since: SimTime, up: bool) -> i32 {
        let recent = self.scalings.iter().filter(|(at, change)| *at >= since && (*change < 0) == up);
        recent.map(|(_, change)| change.saturating_abs()).fold(0, i32::saturating_add)
    }

    /// What speaks against a scaling under a spec.
    fn objection(&self, spec: &HorizontalPodAutoscalerSpec, now: SimTime, from: i32, to: i32) -> Option<String> {
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        if to < min.min(max) || to > max.max(min) {
            return Some(format!("promised {min} to {max} replicas, but it scaled from {from} to {to}"));
        }
        if from < min || from > max || to == min {
            return None;
        }
        let (fastest, what) = match (&spec.behavior, to > from) {
            (None, true) => (from.saturating_mul(2).max(4), "twice the replicas or 4"),
            (None, false) => return None,
            (Some(behavior), true) => (self.limit(behavior.scale_up.as_ref()?, now, from, true), "its policies"),
            (Some(behavior), false) => (self.limit(behavior.scale_down.as_ref()?, now, from, false), "its policies"),
        };
        let too_fast = if to > from { to > fastest } else { to < fastest };
        too_fast.then(|| format!("{what} allow to scale from {from} to {fastest}, but it scaled to {to}"))
    }

    fn limit(&self, rules: &HpaScalingRules, now: SimTime, from: i32, up: bool) -> i32 {
        let select = rules.select_policy.unwrap_or_default();
        if select == ScalingPolicySelect::Disabled {
            return from;
        }
        let reach = |policy: &HpaScalingPolicy| {
            let period = SimDuration::from_secs(u64::try_from(policy.period_seconds).unwrap_or(0) + 2);
            let since = now.checked_sub(period).unwrap_or_default();
            let undone = self.undone(since, up);
            let start = i64::from(if up { from.saturating_add(undone) } else { from.saturating_sub(undone) });
            let value = i64::from(policy.value);
            let change = if &*policy.kind == "Percent" { (start.max(0) * value + 99) / 100 } else { value };
            if up { start + change } else { start - change }
        };
        let reaches = rules.policies().iter().map(reach);
        let widest = (select == ScalingPolicySelect::Max) == up;
        let limit = if widest { reaches.max() } else { reaches.min() };
        limit.map_or(from, |limit| i32::try_from(limit).unwrap_or(if up { i32::MAX } else { 0 }))
    }
}

impl Invariant for HpaBounds {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(autoscaler) = sim.view().horizontal_pod_autoscalers.get(&self.autoscaler) else {
            return Ok(());
        };
        let (now, status) = (sim.now(), &autoscaler.status);
        self.specs.push(now, autoscaler.spec.clone());
        if status.last_scale_time == self.last {
            return Ok(());
        }
        self.last = status.last_scale_time;
        let (from, to) = (status.current_replicas, status.desired_replicas);
        let objections: Vec<Option<String>> =
            self.specs.iter().map(|spec| self.objection(spec, now, from, to)).collect();
        let kept = now.checked_sub(SimDuration::from_secs(PERIOD_MAX)).unwrap_or_default();
        self.scalings.retain(|(at, _)| *at >= kept);
        self.scalings.push((now, to.saturating_sub(from)));
        if objections.iter().any(Option::is_none) {
            return Ok(());
        }
        let story = objections.into_iter().flatten().next_back().unwrap_or_default();
        let invariant = Violation::name("hpaBounds", Kind::HorizontalPodAutoscaler, &self.autoscaler);
        Err(Violation { invariant, at: now, story })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{HorizontalPodAutoscaler, Resource};
    use serde_json::{Value, json};

    fn objection(spec: Value, before: &[(u64, i32)], from: i32, to: i32) -> Option<String> {
        let mut spec = spec;
        spec["scaleTargetRef"] = json!({"kind": "Deployment", "name": "web"});
        let wire = json!({"metadata": {"name": "web"}, "spec": spec});
        let autoscaler = HorizontalPodAutoscaler::from_wire(wire).expect("an autoscaler");
        let mut checker = HpaBounds::of(autoscaler.key());
        checker.scalings = before.iter().map(|(at, change)| (SimTime::from_secs(*at), *change)).collect();
        checker.objection(&autoscaler.spec, SimTime::from_secs(1000), from, to)
    }

    #[test]
    fn bounds_and_the_usual_rate() {
        let spec = || json!({"minReplicas": 2, "maxReplicas": 20});
        for (from, to, fine) in [
            (2, 4, true),
            (3, 6, true),
            (3, 7, false),
            (20, 2, true),
            (5, 1, false),
            (15, 21, false),
            (30, 20, true),
            (0, 2, true),
        ] {
            assert_eq!(objection(spec(), &[], from, to).is_none(), fine, "{from} to {to}");
        }
    }

    #[test]
    fn policies_bound_a_step_by_what_was_undone_before() {
        let up = |select: &str| {
            json!({"maxReplicas": 100, "behavior": {"scaleUp": {"selectPolicy": select, "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 60}, {"type": "Percent", "value": 10, "periodSeconds": 60}]}}})
        };
        for (select, before, to, fine) in [
            ("Max", None, 14, true),
            ("Max", None, 15, false),
            ("Min", None, 11, true),
            ("Min", None, 12, false),
            ("Disabled", None, 11, false),
            ("Max", Some((990, -3)), 17, true),
            ("Max", Some((990, -3)), 18, false),
            ("Max", Some((900, -3)), 17, false),
        ] {
            let before: Vec<(u64, i32)> = before.into_iter().collect();
            assert_eq!(objection(up(select), &before, 10, to).is_none(), fine, "{select} {before:?} {to}");
        }
    }
}
