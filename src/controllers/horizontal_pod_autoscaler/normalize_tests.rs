//! Rows of upstream's `horizontal_test.go`: from what metrics ask for to a size that may be.

use serde_json::{Value, json};

use super::HorizontalPodAutoscalerConfig;
use super::memory::{Memory, Recommendation, ScaleEvent};
use super::normalize::{Bounds, normalize};
use crate::objects::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, Resource, Timestamp, WallTime, defaults,
};

fn ago(seconds: i64) -> WallTime {
    Timestamp::from_unix_secs(1_000_000 - seconds).wall()
}

/// What metrics asked for, and so many minutes ago.
fn recommended(recommendations: &[(i32, i64)]) -> Memory {
    let each =
        recommendations.iter().map(|(replicas, minutes)| Recommendation { replicas: *replicas, at: ago(minutes * 60) });
    Memory { recommendations: Some(each.collect()), ..Memory::default() }
}

/// A behavior with the defaults of the API server.
fn behavior(behavior: &Value) -> HorizontalPodAutoscalerBehavior {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let mut wire = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web", "namespace": "n"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 1000, "behavior": behavior},
    });
    defaults::apply("HorizontalPodAutoscaler", "autoscaling/v2", &mut wire);
    let autoscaler = HorizontalPodAutoscaler::from_wire(wire).expect("an autoscaler");
    autoscaler.spec.behavior.clone().expect("a behavior")
}

/// `replicas reason`.
fn sized(
    desired: i32,
    bounds: [i32; 3],
    behavior: Option<&HorizontalPodAutoscalerBehavior>,
    memory: &mut Memory,
) -> String {
    let [current, min, max] = bounds;
    let config = HorizontalPodAutoscalerConfig::default();
    let size = normalize(desired, Bounds { current, min, max }, behavior, &config, memory, ago(0));
    format!("{} {}", size.replicas, size.limited.1)
}

/// Rows of `TestConvertDesiredReplicasWithRules`.
#[test]
fn without_a_behavior_replicas_double_at_most() {
    for (bounds, desired, expected) in [
        ([5, 3, 8], 7, "7 DesiredWithinRange"),
        ([3, 2, 8], 1, "2 TooFewReplicas"),
        ([1, 0, 10], 0, "0 DesiredWithinRange"),
        ([20, 1, 10], 1000, "10 TooManyReplicas"),
        ([3, 1, 2000], 1000, "6 ScaleUpLimit"),
        // To four from however few.
        ([1, 1, 2000], 1000, "4 ScaleUpLimit"),
    ] {
        assert_eq!(sized(desired, bounds, None, &mut Memory::default()), expected, "{bounds:?} {desired}");
    }
}

/// Rows of `TestNormalizeDesiredReplicas`: how many are remembered then, too.
#[test]
fn without_a_behavior_the_most_of_five_minutes_counts() {
    for (before, desired, expected, remembered) in [
        (&[][..], 5, 5, 1),
        (&[(4, 2), (5, 1)], 3, 5, 3),
        (&[(1, 2), (2, 1)], 3, 3, 3),
        (&[(10, 10), (9, 9)], 3, 3, 2),
        (&[(10, 10), (4, 1), (5, 2), (9, 9)], 3, 5, 4),
    ] {
        let mut memory = recommended(before);
        let size = sized(desired, [100, 1, 1000], None, &mut memory);
        assert_eq!(size, format!("{expected} DesiredWithinRange"), "{before:?}");
        assert_eq!(memory.recommendations.map(|known| known.len()), Some(remembered), "{before:?}");
    }
}

/// Rows of `TestNormalizeDesiredReplicasWithBehavior`.
#[test]
fn a_behavior_has_a_window_in_each_direction() {
    for (before, [up, down], current, desired, expected) in [
        (&[][..], [0, 0], 100, 5, 5),
        (&[(4, 2), (5, 1)], [0, 180], 100, 3, 5),
        (&[(4, 2), (5, 1)], [300, 0], 1, 7, 4),
        (&[(1, 2), (2, 1)], [300, 0], 100, 3, 3),
        (&[(4, 2), (5, 1)], [0, 300], 1, 3, 3),
        (&[(10, 100), (6, 1), (5, 2), (9, 3)], [300, 0], 1, 100, 5),
        (&[(2, 100), (3, 3)], [300, 300], 2, 1, 2),
        (&[(2, 100), (1, 3)], [300, 300], 2, 3, 2),
    ] {
        let any = json!([{"type": "Percent", "value": 100_000, "periodSeconds": 15}]);
        let rules = |window: i32| json!({"stabilizationWindowSeconds": window, "policies": any});
        let behavior = behavior(&json!({"scaleUp": rules(up), "scaleDown": rules(down)}));
        let size = sized(desired, [current, 1, 1000], Some(&behavior), &mut recommended(before));
        assert_eq!(
            size.split(' ').next(),
            Some(&*expected.to_string()),
            "{before:?} {up}/{down} from {current} to {desired}"
        );
    }
}

/// Rows of `TestScalingWithRules`: what was added and removed counts for as long as the period of a policy.
#[test]
fn policies_bound_what_changes_in_a_period() {
    let pods = |value: i32, period: i32| json!({"type": "Pods", "value": value, "periodSeconds": period});
    let percent = |value: i32, period: i32| json!({"type": "Percent", "value": value, "periodSeconds": period});
    let up =
        |policies: &[Value]| json!({"scaleUp": {"policies": policies}, "scaleDown": {"stabilizationWindowSeconds": 0}});
    let down = |policies: &[Value]| json!({"scaleDown": {"policies": policies, "stabilizationWindowSeconds": 0}});
    let usual = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
    let (none, one_five_nine): (&[i32], &[i32]) = (&[], &[1, 5, 9]);
    for (behavior_wire, added, removed, [min, max], current, desired, expected) in [
        (usual.clone(), none, none, [1, 1000], 10, 50, "20 ScaleUpLimit"),
        (up(&[pods(100, 60), percent(100, 60)]), none, none, [1, 1000], 10, 500, "110 ScaleUpLimit"),
        (up(&[pods(2, 60), percent(100, 60)]), none, none, [1, 1000], 10, 500, "20 ScaleUpLimit"),
        (up(&[pods(30, 60)]), none, none, [1, 1000], 10, 50, "40 ScaleUpLimit"),
        (up(&[percent(200, 60)]), none, none, [1, 1000], 10, 50, "30 ScaleUpLimit"),
        (up(&[percent(1, 60)]), none, none, [1, 2000], 3, 1000, "4 ScaleUpLimit"),
        (usual.clone(), none, none, [1, 150], 100, 1000, "150 TooManyReplicas"),
        (up(&[pods(5, 120)]), one_five_nine, none, [1, 1000], 100, 500, "100 ScaleUpLimit"),
        (up(&[pods(150, 120)]), one_five_nine, none, [1, 1000], 100, 500, "235 ScaleUpLimit"),
        (up(&[percent(200, 120)]), one_five_nine, none, [1, 1000], 100, 500, "255 ScaleUpLimit"),
        (up(&[percent(300, 300)]), &[4], &[2], [1, 1000], 6, 24, "16 ScaleUpLimit"),
        (up(&[pods(300, 60)]), one_five_nine, none, [1, 200], 100, 500, "200 TooManyReplicas"),
        (down(&[pods(20, 60), percent(1, 60)]), none, none, [1, 1000], 100, 2, "80 ScaleDownLimit"),
        (down(&[pods(2, 60), percent(1, 60)]), none, none, [1, 1000], 100, 2, "98 ScaleDownLimit"),
        (down(&[pods(100, 60)]), none, none, [1, 1000], 10, 0, "1 TooFewReplicas"),
        (down(&[percent(100, 60)]), none, none, [5, 1000], 10, 2, "5 TooFewReplicas"),
        (down(&[pods(5, 60)]), none, none, [1, 1000], 10, 2, "5 ScaleDownLimit"),
        (down(&[percent(50, 60)]), none, none, [1, 1000], 10, 5, "5 DesiredWithinRange"),
        (usual, none, one_five_nine, [1, 1000], 10, 5, "5 DesiredWithinRange"),
        (down(&[pods(5, 120)]), none, one_five_nine, [1, 1000], 100, 2, "100 ScaleDownLimit"),
        (down(&[percent(50, 120)]), none, &[2, 4, 6], [1, 1000], 100, 0, "56 ScaleDownLimit"),
        (down(&[percent(50, 180)]), &[2], &[4], [1, 1000], 10, 1, "6 ScaleDownLimit"),
        (down(&[percent(10, 120)]), none, &[10, 10, 10], [1, 1000], 100, 0, "100 ScaleDownLimit"),
        // Skipped upstream; the formula has it.
        (down(&[percent(2, 60)]), none, none, [1, 1000], 1000, 2, "980 ScaleDownLimit"),
    ] {
        let events = |changes: &[i32]| -> Vec<ScaleEvent> {
            changes.iter().map(|change| ScaleEvent { change: *change, at: ago(1), outdated: false }).collect()
        };
        let mut memory =
            Memory { scale_up_events: events(added), scale_down_events: events(removed), ..Memory::default() };
        let behavior = behavior(&behavior_wire);
        let size = sized(desired, [current, min, max], Some(&behavior), &mut memory);
        assert_eq!(size, expected, "{behavior_wire} after {added:?} {removed:?}: {current} to {desired}");
    }
}
