//! From what metrics ask for to a size that may be: stabilization, rates, bounds (upstream `normalizeDesiredReplicas`,
//! `normalizeDesiredReplicasWithBehaviors`).

use crate::kernel::SimDuration;
use crate::objects::{
    HorizontalPodAutoscalerBehavior, HpaScalingPolicy, HpaScalingRules, ScalingPolicySelect, WallTime,
};

use super::HorizontalPodAutoscalerConfig;
use super::memory::{Memory, Recommendation, ScaleEvent};

/// Without a behavior a round at most doubles the replicas, or makes them this many.
const SCALE_UP_LIMIT_MINIMUM: i32 = 4;

/// What the replicas are made to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) current: i32,
    pub(super) min: i32,
    pub(super) max: i32,
}

/// A size, and what conditions say of how it came about: reason and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Normalized {
    pub(super) replicas: i32,
    /// Condition `AbleToScale`.
    pub(super) able: (&'static str, &'static str),
    /// Condition `ScalingLimited`, and whether it holds.
    pub(super) limited: (bool, &'static str, &'static str),
}

const READY: (&str, &str) = ("ReadyForNewScale", "recommended size matches current size");
const HIGHER_BEFORE: &str =
    "recent recommendations were higher than current one, applying the highest recent recommendation";
const LOWER_BEFORE: &str =
    "recent recommendations were lower than current one, applying the lowest recent recommendation";
const WITHIN_RANGE: (&str, &str) = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: (&str, &str) = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: (&str, &str) = ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FAST_UP: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: (&str, &str) =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");

/// The size that comes of what metrics ask for, which is remembered.
pub(super) fn normalize(
    desired: i32,
    bounds: Bounds,
    behavior: Option<&HorizontalPodAutoscalerBehavior>,
    config: &HorizontalPodAutoscalerConfig,
    memory: &mut Memory,
    now: WallTime,
) -> Normalized {
    let (stabilized, able, (replicas, (reason, message))) = match behavior {
        None => {
            let stabilized = stabilize(desired, config, memory, now);
            (stabilized, ("ScaleDownStabilized", HIGHER_BEFORE), within_rules(stabilized, bounds))
        }
        Some(behavior) => {
            let (up, down) = (behavior.scale_up.clone(), behavior.scale_down.clone());
            let (up, down) = (up.unwrap_or_default(), down.unwrap_or_default());
            let stabilized = stabilize_by_rules(desired, bounds.current, [&up, &down], config, memory, now);
            let able = if desired >= bounds.current {
                ("ScaleUpStabilized", LOWER_BEFORE)
            } else {
                ("ScaleDownStabilized", HIGHER_BEFORE)
            };
            (stabilized, able, within_rates(stabilized, bounds, [&up, &down], memory, now))
        }
    };
    let able = if stabilized == desired { READY } else { able };
    Normalized { replicas, able, limited: (replicas != stabilized, reason, message) }
}

/// The most that was asked for within the window (`stabilizeRecommendation`).
fn stabilize(desired: i32, config: &HorizontalPodAutoscalerConfig, memory: &mut Memory, now: WallTime) -> i32 {
    let cutoff = before(now, config.downscale_stabilization);
    let known = memory.recommendations.get_or_insert_default();
    let recent = known.iter().filter(|known| known.at >= cutoff).map(|known| known.replicas);
    let most = recent.fold(desired, i32::max);
    remember(known, desired, now, |known| known.at < cutoff);
    most
}

/// The least that was asked for within the window for more replicas, and the most within the one for fewer
/// (`stabilizeRecommendationWithBehaviors`).
fn stabilize_by_rules(
    desired: i32,
    current: i32,
    [up, down]: [&HpaScalingRules; 2],
    config: &HorizontalPodAutoscalerConfig,
    memory: &mut Memory,
    now: WallTime,
) -> i32 {
    let window = |rules: &HpaScalingRules| rules.stabilization_window_seconds.map(seconds);
    let up_cutoff = before(now, window(up).unwrap_or(SimDuration::ZERO));
    let down_cutoff = before(now, window(down).unwrap_or(config.downscale_stabilization));
    let known = memory.recommendations.get_or_insert_default();
    let since = |cutoff: WallTime| known.iter().filter(move |known| known.at > cutoff).map(|known| known.replicas);
    let least = since(up_cutoff).fold(desired, i32::min);
    let most = since(down_cutoff).fold(desired, i32::max);
    remember(known, desired, now, |known| known.at < up_cutoff && known.at < down_cutoff);
    current.max(least).min(most)
}

/// Notes a recommendation in the place of the last one that is too old, or at the end.
fn remember(known: &mut Vec<Recommendation>, replicas: i32, now: WallTime, is_old: impl Fn(&Recommendation) -> bool) {
    let recommendation = Recommendation { replicas, at: now };
    match known.iter_mut().rfind(|known| is_old(known)) {
        Some(old) => *old = recommendation,
        None => known.push(recommendation),
    }
}

/// Notes a scaling in the place of the last one that no policy looks at any more, or at the end (`storeScaleEvent`).
pub(super) fn remember_scaling(
    memory: &mut Memory,
    behavior: Option<&HorizontalPodAutoscalerBehavior>,
    from: i32,
    to: i32,
    now: WallTime,
) {
    let Some(behavior) = behavior else { return };
    let (rules, events) = if to > from {
        (&behavior.scale_up, &mut memory.scale_up_events)
    } else {
        (&behavior.scale_down, &mut memory.scale_down_events)
    };
    let periods = rules.iter().flat_map(|rules| rules.policies()).map(|policy| policy.period_seconds);
    let cutoff = before(now, seconds(periods.max().unwrap_or(0)));
    for event in events.iter_mut().filter(|event| event.at < cutoff) {
        event.outdated = true;
    }
    let event = ScaleEvent { change: to.wrapping_sub(from).wrapping_abs(), at: now, outdated: false };
    match events.iter_mut().rfind(|event| event.outdated) {
        Some(old) => *old = event,
        None => events.push(event),
    }
}

/// Bounds and the rate without a behavior (`convertDesiredReplicasWithRules`).
fn within_rules(desired: i32, bounds: Bounds) -> (i32, (&'static str, &'static str)) {
    let fastest = bounds.current.saturating_mul(2).max(SCALE_UP_LIMIT_MINIMUM);
    let (most, why) = if bounds.max > fastest { (fastest, TOO_FAST_UP) } else { (bounds.max, TOO_MANY) };
    if desired < bounds.min {
        (bounds.min, TOO_FEW)
    } else if desired > most {
        (most, why)
    } else {
        (desired, WITHIN_RANGE)
    }
}

/// Bounds and the rates of a behavior (`convertDesiredReplicasWithBehaviorRate`).
fn within_rates(
    desired: i32,
    bounds: Bounds,
    [up, down]: [&HpaScalingRules; 2],
    memory: &Memory,
    now: WallTime,
) -> (i32, (&'static str, &'static str)) {
    let Bounds { current, min, max } = bounds;
    if desired > current {
        let fastest = limit(current, up, memory, now, Direction::Up).max(current);
        let (most, why) = if max > fastest { (fastest, TOO_FAST_UP) } else { (max, TOO_MANY) };
        if desired > most {
            return (most, why);
        }
    } else if desired < current {
        let fastest = limit(current, down, memory, now, Direction::Down).min(current);
        let (least, why) = if min < fastest { (fastest, TOO_FAST_DOWN) } else { (min, TOO_FEW) };
        if desired < least {
            return (least, why);
        }
    }
    (desired, WITHIN_RANGE)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// How far the policies let the replicas go (`calculateScaleUpLimitWithScalingRules`,
/// `calculateScaleDownLimitWithBehaviors`).
fn limit(current: i32, rules: &HpaScalingRules, memory: &Memory, now: WallTime, direction: Direction) -> i32 {
    let select = rules.select_policy.unwrap_or_default();
    if select == ScalingPolicySelect::Disabled {
        return current;
    }
    let proposals = rules.policies().iter().map(|policy| {
        let added = changed(&memory.scale_up_events, policy.period_seconds, now);
        let removed = changed(&memory.scale_down_events, policy.period_seconds, now);
        allowed(current.wrapping_sub(added).wrapping_add(removed), policy, direction)
    });
    if (select == ScalingPolicySelect::Max) == (direction == Direction::Up) {
        proposals.fold(i32::MIN, i32::max)
    } else {
        proposals.fold(i32::MAX, i32::min)
    }
}

/// Where a policy lets the replicas go that were `start` at the beginning of its period. A percentage up is rounded up, so that
/// a small target can grow at all.
fn allowed(start: i32, policy: &HpaScalingPolicy, direction: Direction) -> i32 {
    let share = f64::from(policy.value) / 100.0;
    match (&*policy.kind, direction) {
        ("Percent", Direction::Up) => libm::ceil(f64::from(start) * (1.0 + share)) as i32,
        ("Percent", Direction::Down) => (f64::from(start) * (1.0 - share)) as i32,
        (_, Direction::Up) => start.wrapping_add(policy.value),
        (_, Direction::Down) => start.wrapping_sub(policy.value),
    }
}

/// By how much scalings changed the replicas within a period (`getReplicasChangePerPeriod`).
fn changed(events: &[ScaleEvent], period: i32, now: WallTime) -> i32 {
    let cutoff = before(now, seconds(period));
    events.iter().filter(|event| event.at > cutoff).fold(0, |sum, event| sum.wrapping_add(event.change))
}

fn seconds(count: i32) -> SimDuration {
    SimDuration::from_secs(u64::try_from(count).unwrap_or(0))
}

fn before(now: WallTime, duration: SimDuration) -> WallTime {
    now.plus_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX).wrapping_neg())
}
