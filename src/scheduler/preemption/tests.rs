use std::sync::Arc;

use serde_json::json;

use crate::objects::{Condition, ConditionStatus, Pod, PodDisruptionBudget, Resource, Timestamp, disruption_reason};
use crate::scheduler::cycle::Explanation;
use crate::scheduler::testing::{Bench, bound, requesting, sized, with_meta};

use super::priority;

/// A pod of that priority that has run since that second.
fn pod(name: &str, priority: i32, cpu_milli: i64, since: i64) -> Arc<Pod> {
    with_meta(&requesting(name, cpu_milli, 0), |pod| {
        let mut spec = (*pod.spec).clone();
        spec.priority = Some(priority);
        pod.spec = spec.into();
        pod.meta.labels = [("app", "web")].into_iter().collect();
        pod.status.start_time = Some(Timestamp::from_unix_secs(since));
    })
}

/// Name, priority, thousandths of a core, and since which second.
type OnNode = (&'static str, i32, i64, i64);
type Nodes<'a> = &'a [&'a [OnNode]];

/// Nodes with 500m each and their pods.
fn bench(nodes: Nodes<'_>) -> Bench {
    let mut bench = Bench::default();
    for (at, pods) in nodes.iter().enumerate() {
        let node = format!("n{}", at + 1);
        bench.add(sized(&node, 500, 1 << 30, 32));
        for (name, priority, cpu_milli, since) in *pods {
            bench.add_bound(&node, &pod(name, *priority, *cpu_milli, *since));
        }
    }
    bench
}

fn chosen(explanation: &Explanation) -> (String, Vec<String>) {
    let chosen = explanation.nominated.as_ref().expect("a node that can be made to fit");
    (chosen.node.to_string(), chosen.victims.iter().map(|pod| pod.meta.name.to_string()).collect())
}

fn node_for(nodes: Nodes<'_>) -> String {
    chosen(&bench(nodes).explained(&pod("p", 1000, 500, 0))).0
}

#[test]
fn the_cheapest_node_is_chosen() {
    let mid = ("a", 100, 200, 0);
    let cases: [(&str, Nodes<'_>); 5] = [
        (
            "n3",
            &[
                &[mid, ("b", 100, 300, 0)],
                &[("c", 100, 200, 0), ("d", 0, 200, 0)],
                &[("e", 0, 200, 0), ("f", 0, 200, 0)],
            ],
        ),
        ("n2", &[&[mid, ("b", 100, 300, 0)], &[("c", 100, 300, 0), ("d", 0, 200, 0)]]),
        ("n2", &[&[mid, ("b", -100, 100, 0), ("c", -100, 100, 0)], &[("d", 100, 200, 0), ("e", -100, 200, 0)]]),
        ("n2", &[&[mid, ("b", 100, 200, 2)], &[("c", 100, 400, 3)], &[("d", 100, 400, 1)]]),
        ("n1", &[&[("b", 100, 400, 3)], &[("c", 100, 400, 3)]]),
    ];
    for (expected, nodes) in cases {
        assert_eq!(node_for(nodes), expected, "{nodes:?}");
    }
}

#[test]
fn as_few_and_as_unimportant_pods_as_possible_go() {
    let on_node: [OnNode; 2] = [("low", 0, 100, 0), ("mid", 100, 300, 0)];
    let explanation = bench(&[&on_node]).explained(&pod("p", 1000, 300, 0));
    assert_eq!(
        chosen(&explanation),
        ("n1".into(), vec!["mid".into()]),
        "the lower one would not be enough, so it stays"
    );
    let explanation = bench(&[&[("old", 0, 250, 1), ("young", 0, 250, 2)]]).explained(&pod("p", 1000, 250, 0));
    assert_eq!(chosen(&explanation).1, ["young"]);
}

#[test]
fn nobody_of_equal_priority_goes() {
    let explanation = bench(&[&[("same", 1000, 400, 0)]]).explained(&pod("p", 1000, 500, 0));
    assert!(explanation.nominated.is_none());
    let message = explanation.message.expect("no node");
    assert!(message.ends_with("0/1 nodes are available: 1 No preemption victims found for incoming pod."), "{message}");
}

#[test]
fn budgets_are_kept_if_another_node_will_do() {
    let mut bench = bench(&[&[("a", 0, 400, 0)], &[("b", 50, 400, 0)]]);
    let budget = |allowed: i32, disrupted: serde_json::Value| {
        let wire = json!({"metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"guarded": "yes"}}},
            "status": {"disruptionsAllowed": allowed, "disruptedPods": disrupted}});
        PodDisruptionBudget::from_wire(wire).expect("a budget")
    };
    let guarded = with_meta(&pod("a", 0, 400, 0), |pod| pod.meta.labels = [("guarded", "yes")].into_iter().collect());
    bench.add_bound("n1", &guarded);
    bench.apply(budget(0, json!({})));
    let preemptor = pod("p", 1000, 500, 0);
    let explanation = bench.explained(&preemptor);
    assert_eq!(chosen(&explanation).0, "n2", "n1 has a pod of lower priority that is guarded");
    let violations: Vec<_> = explanation.candidates.iter().map(|c| (&*c.node, c.pdb_violations)).collect();
    assert_eq!(violations, [("n2", 0), ("n1", 1)]);
    for other in [budget(1, json!({})), budget(0, json!({"a": "2026-01-01T00:00:00Z"}))] {
        bench.apply(other);
        assert_eq!(chosen(&bench.explained(&preemptor)).0, "n1");
    }
}

#[test]
fn a_pod_that_waits_for_its_victims_takes_no_more() {
    let leaving = |reason: &str| {
        with_meta(&pod("leaving", 0, 400, 0), |pod| {
            pod.meta.deletion_timestamp = Some(Timestamp::from_unix_secs(1));
            let condition = Condition::new("DisruptionTarget", ConditionStatus::True, Timestamp::from_unix_secs(1));
            pod.status.conditions = vec![Condition { reason: reason.to_owned().into(), ..condition }].into();
        })
    };
    let waiting = with_meta(&pod("p", 1000, 500, 0), |pod| pod.status.nominated_node_name = "n1".into());
    let mut bench = bench(&[&[], &[("other", 0, 400, 0)]]);
    bench.add_bound("n1", &leaving(disruption_reason::PREEMPTION_BY_SCHEDULER));
    let message = bench.failure(&waiting);
    assert!(message.ends_with("preemption: not eligible due to a terminating pod on the nominated node."), "{message}");
    bench.add_bound("n1", &leaving("EvictionByEvictionAPI"));
    assert!(bench.explained(&waiting).nominated.is_some(), "it leaves for another reason");
}

#[test]
fn a_pod_may_be_told_not_to_displace_others() {
    let polite = with_meta(&pod("p", 1000, 500, 0), |pod| {
        let mut spec = (*pod.spec).clone();
        spec.preemption_policy = "Never".into();
        pod.spec = spec.into();
    });
    let explanation = bench(&[&[("low", 0, 400, 0)]]).explained(&polite);
    assert!(explanation.nominated.is_none() && explanation.candidates.len() == 1);
    let message = explanation.message.expect("no node");
    assert!(message.ends_with("preemption: not eligible due to preemptionPolicy=Never."), "{message}");
}

#[test]
fn room_that_is_kept_for_a_nominated_pod_is_not_taken_by_lower_ones() {
    use crate::scheduler::cache::Nominating;
    let mut bench = bench(&[&[]]);
    let nominated = pod("nominated", 100, 400, 0);
    bench.cache.nominate(&nominated, &Nominating::To("n1".into()));
    let message = bench.failure(&pod("p", 0, 200, 0));
    assert!(message.starts_with("0/1 nodes are available: 1 Insufficient cpu."), "{message}");
    assert_eq!(bench.placed(&pod("p", 0, 100, 0)), "n1");
    assert_eq!(bench.placed(&pod("p", 1000, 500, 0)), "n1", "a higher one may");
    assert_eq!(bench.placed(&nominated), "n1", "it does not stand in its own way");
}

#[test]
fn what_was_tried_out_leaves_no_trace() {
    let bench = bench(&[&[("a", 0, 200, 0), ("b", 10, 200, 0)], &[("c", 5, 500, 0)]]);
    let preemptor = pod("p", 1000, 500, 0);
    let first = format!("{:?}", bench.explained(&preemptor));
    assert_eq!(first, format!("{:?}", bench.explained(&preemptor)));
    assert_eq!(priority(&bound(&preemptor, "n1")), 1000);
}
