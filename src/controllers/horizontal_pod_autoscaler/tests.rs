//! Autoscalers under random loads: they keep to bounds and policies, and come to rest.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::objects::{
    HorizontalPodAutoscaler, HpaScalingRules, Object, OpaqueObject, Pod, Resource, ScalingPolicySelect, Timestamp,
};

/// A target of equal pods that share a load, and its autoscaler.
struct World {
    view: View,
    autoscaler: HorizontalPodAutoscaler,
    replicas: i32,
    memory: Memory,
    selectors: Selectors,
    now: WallTime,
    /// When it scaled, from and to.
    scalings: Vec<(WallTime, i32, i32)>,
}

const START: i64 = 1_000_000;
const REQUEST: i64 = 100;

fn pod(number: i32) -> Pod {
    let long_ago = Timestamp::from_unix_secs(START - 100_000).to_string();
    let wire = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{number}"), "namespace": "shop", "uid": format!("{number}"), "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": format!("{REQUEST}m")}}}]},
        "status": {"phase": "Running", "startTime": long_ago,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": long_ago}]},
    });
    Pod::from_wire(wire).expect("a pod")
}

impl World {
    fn new(spec: Value, replicas: i32) -> Self {
        let wire = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
        let mut world = Self {
            view: View::default(),
            autoscaler: HorizontalPodAutoscaler::from_wire(wire).expect("an autoscaler"),
            replicas: 0,
            memory: Memory::default(),
            selectors: Selectors::default(),
            now: Timestamp::from_unix_secs(START).wall(),
            scalings: Vec::new(),
        };
        world.scale(replicas);
        world
    }

    fn scale(&mut self, replicas: i32) {
        let mut change = |change_type, number| {
            let object = Object::from(Arc::new(pod(number)));
            self.view.apply(&Change { change_type, object, old: None, resource_version: 1 });
        };
        (self.replicas..replicas).for_each(|number| change(ChangeType::Added, number));
        (replicas..self.replicas).for_each(|number| change(ChangeType::Deleted, number));
        self.replicas = replicas;
    }

    /// What the pods use, of a load in thousandths of a core.
    fn usage(&self, load: i64) -> Response {
        let each = load / i64::from(self.replicas.max(1));
        let timestamp = self.now.timestamp().to_string();
        let item = |number: i32| {
            let usage = json!({"cpu": format!("{each}m")});
            json!({"metadata": {"name": format!("web-{number}")}, "timestamp": timestamp, "window": "15s",
                "containers": [{"name": "c", "usage": usage}]})
        };
        let items: Vec<Value> = (0..self.replicas).map(item).collect();
        Ok(Object::Opaque(OpaqueObject::from_wire(json!({"items": items})).expect("a list").into()))
    }

    /// One round, fifteen seconds after the last.
    fn look(&mut self, load: i64) {
        self.now = self.now.plus_nanos(15_000_000_000);
        let mut round = Round::new(&self.autoscaler, HorizontalPodAutoscalerConfig::default());
        let key = Key::new("shop", "web");
        let (spec_replicas, selector) = (self.replicas, "app=web".into());
        let scale = Scale { kind: Kind::Deployment, key, spec_replicas, status_replicas: spec_replicas, selector };
        let mut next = round.begin(&self.view, self.now, Ok(scale), &mut self.memory, &mut self.selectors);
        loop {
            let answers = match next {
                Next::Measure(_) => vec![self.usage(load)],
                Next::Scale(_, to) => {
                    self.scalings.push((self.now, self.replicas, to));
                    self.scale(to);
                    vec![Ok(self.autoscaler.clone().into())]
                }
                Next::Write(written) => {
                    self.autoscaler = *written;
                    vec![Ok(self.autoscaler.clone().into())]
                }
                Next::Done => return,
            };
            next = round.go_on(&self.view, self.now, answers, &mut self.memory);
        }
    }

    /// By how much scalings in one direction changed the replicas within a period before the last one.
    fn changed(&self, period: i32, up: bool) -> i32 {
        let (last, earlier) = self.scalings.split_last().expect("a scaling");
        let recent = earlier
            .iter()
            .filter(|(at, from, to)| last.0.nanos_since(*at) < i64::from(period) * 1_000_000_000 && (to > from) == up);
        recent.map(|(_, from, to)| (to - from).abs()).sum()
    }

    /// Whether the policies allow the last scaling.
    fn is_allowed(&self) -> bool {
        let Some((_, from, to)) = self.scalings.last().copied() else { return true };
        let Some(behavior) = &self.autoscaler.spec.behavior else { return to <= (2 * from).max(4) };
        let up = to > from;
        let rules: &HpaScalingRules =
            if up { behavior.scale_up.as_ref() } else { behavior.scale_down.as_ref() }.expect("rules");
        let reaches = |policy: &crate::objects::HpaScalingPolicy| {
            let start = from - self.changed(policy.period_seconds, true) + self.changed(policy.period_seconds, false);
            let share = f64::from(start) * f64::from(policy.value) / 100.0;
            match (&*policy.kind, up) {
                ("Percent", true) => to <= libm::ceil(f64::from(start) + share + 1e-9) as i32,
                ("Percent", false) => to >= libm::floor(f64::from(start) - share - 1e-9) as i32,
                (_, true) => to <= start + policy.value,
                (_, false) => to >= start - policy.value,
            }
        };
        match rules.select_policy.unwrap_or_default() {
            ScalingPolicySelect::Max => rules.policies().iter().any(reaches),
            ScalingPolicySelect::Min => rules.policies().iter().all(reaches),
            ScalingPolicySelect::Disabled => false,
        }
    }
}

fn rules() -> impl Strategy<Value = Value> {
    let policy = (prop_oneof![Just("Pods"), Just("Percent")], 1..60i32, 1..200i32)
        .prop_map(|(kind, value, period)| json!({"type": kind, "value": value, "periodSeconds": period}));
    let select = prop_oneof![3 => Just("Max"), 2 => Just("Min"), 1 => Just("Disabled")];
    (prop::collection::vec(policy, 1..3), select, 0..120i32).prop_map(|(policies, select, window)| {
        json!({"policies": policies, "selectPolicy": select, "stabilizationWindowSeconds": window})
    })
}

fn spec() -> impl Strategy<Value = Value> {
    (1..4i32, 0..10i32, 30..120i32, prop::option::of((rules(), rules()))).prop_map(|(min, more, target, behavior)| {
        let target = json!({"type": "Utilization", "averageUtilization": target});
        let mut spec = json!({
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": min, "maxReplicas": min + more,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        });
        if let Some((up, down)) = behavior {
            spec["behavior"] = json!({"scaleUp": up, "scaleDown": down});
        }
        spec
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_autoscaler_keeps_to_bounds_and_policies_and_comes_to_rest(
        spec in spec(),
        first in 1..12i32,
        loads in prop::collection::vec((0..2_500i64, 1..12usize), 1..6),
    ) {
        let mut world = World::new(spec, first);
        let (min, max) = (world.autoscaler.min_replicas(), world.autoscaler.spec.max_replicas);
        for (load, rounds) in &loads {
            for _ in 0..*rounds {
                let (known, before) = (world.scalings.len(), world.replicas);
                world.look(*load);
                prop_assert!((min..=max).contains(&world.replicas), "{} of {min} to {max}", world.replicas);
                // Into its bounds it goes at once.
                if world.scalings.len() > known && (min..=max).contains(&before) && world.replicas != min {
                    prop_assert!(world.is_allowed(), "{:?}", world.scalings);
                }
            }
        }
        // Slow policies take a pod in 200 seconds.
        let load = loads.last().map_or(0, |(load, _)| *load);
        (0..220).for_each(|_| world.look(load));
        let rests = world.replicas;
        for _ in 0..30 {
            world.look(load);
            prop_assert_eq!(world.replicas, rests);
        }
    }
}

#[test]
fn fewer_replicas_are_held_back_for_five_minutes_and_no_longer() {
    let target = json!({"type": "Utilization", "averageUtilization": 50});
    let mut world = World::new(
        json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1,
            "maxReplicas": 10, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]}),
        2,
    );
    (0..4).for_each(|_| world.look(400));
    assert_eq!(world.replicas, 8);
    let peak = world.now;
    while world.replicas == 8 {
        world.look(100);
    }
    assert_eq!(world.replicas, 2);
    let waited = world.now.nanos_since(peak) / 1_000_000_000;
    assert_eq!(waited, 315, "the last high recommendation is older than 300 s");
}
