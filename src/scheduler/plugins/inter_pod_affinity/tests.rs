use std::sync::Arc;

use serde_json::{Value, json};

use crate::objects::{Namespace, Pod, Resource};
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Hint, Plugin};
use crate::scheduler::testing::{Bench, bound, labelled, pod, with_meta};

use super::InterPodAffinity;

const NAME: &str = "InterPodAffinity";
const ZONE: &str = "zone";

fn named(name: &str, app: &str, affinity: Value) -> Arc<Pod> {
    with_meta(&pod(name, json!({"affinity": affinity})), |pod| pod.meta.labels = [("app", app)].into_iter().collect())
}

fn term(app: &str, key: &str) -> Value {
    json!({"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}})
}

fn required(part: &str, terms: Value) -> Value {
    json!({part: {"requiredDuringSchedulingIgnoredDuringExecution": terms}})
}

fn preferred(part: &str, weight: i32, term: Value) -> Value {
    let weighted = json!({"weight": weight, "podAffinityTerm": term});
    json!({part: {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}})
}

/// `a` and `b` in zone x, `c` in zone y, `d` in none.
fn bench() -> Bench {
    let mut bench = Bench::default();
    for (name, zone) in [("a", "x"), ("b", "x"), ("c", "y")] {
        bench.add(labelled(name, &[(ZONE, zone)]));
    }
    bench.add(labelled("d", &[]));
    bench
}

#[test]
fn affinity_needs_such_a_pod_in_the_same_place() {
    let mut bench = bench();
    bench.add_bound("a", &named("db", "db", json!({})));
    let near_db = named("p", "web", required("podAffinity", json!([term("db", ZONE)])));
    assert_eq!(bench.passing(&near_db), ["a", "b"]);
    let message = bench.failure(&named("p", "web", required("podAffinity", json!([term("gone", ZONE)]))));
    assert!(message.starts_with("0/4 nodes are available: 4 node(s) didn't match pod affinity rules."), "{message}");
    assert!(message.ends_with("4 Preemption is not helpful for scheduling."), "{message}");
}

#[test]
fn one_pod_must_fulfil_all_terms() {
    let mut bench = bench();
    bench.add_bound("a", &named("db", "db", json!({})));
    bench.add_bound("b", &named("cache", "cache", json!({})));
    let both = json!([term("db", ZONE), term("cache", ZONE)]);
    assert!(bench.passing(&named("p", "web", required("podAffinity", both))).is_empty());
}

#[test]
fn the_first_of_pods_that_want_each_other_is_let_in_where_the_labels_are() {
    let mut bench = bench();
    let own = named("p", "web", required("podAffinity", json!([term("web", ZONE)])));
    assert_eq!(bench.passing(&own), ["a", "b", "c"]);
    bench.add_bound("c", &named("first", "web", json!({})));
    assert_eq!(bench.passing(&own), ["c"]);
}

#[test]
fn anti_affinity_keeps_pods_apart_both_ways() {
    let mut bench = bench();
    let apart = required("podAntiAffinity", json!([term("web", ZONE)]));
    bench.add_bound("a", &named("web", "web", json!({})));
    assert_eq!(bench.passing(&named("p", "web", apart.clone())), ["c", "d"], "a node without the label is no place");
    bench.add_bound("c", &named("shy", "other", apart));
    let message = bench.failure(&with_node(&named("p", "web", json!({})), "c"));
    assert!(message.contains("1 node(s) didn't satisfy existing pods anti-affinity rules"), "{message}");
    assert_eq!(bench.passing(&named("p", "db", json!({}))).len(), 4);
}

fn with_node(pod: &Arc<Pod>, node: &str) -> Arc<Pod> {
    let selector = json!({"nodeSelector": {"kubernetes.io/hostname": node}});
    with_meta(pod, |p| p.spec = crate::scheduler::testing::pod("x", selector).spec.clone())
}

#[test]
fn leaving_pods_still_count() {
    let mut bench = bench();
    let leaving = with_meta(&named("web", "web", json!({})), |pod| {
        pod.meta.deletion_timestamp = Some(crate::scheduler::testing::second(0.0).timestamp());
    });
    bench.add_bound("a", &leaving);
    let apart = required("podAntiAffinity", json!([term("web", ZONE)]));
    assert_eq!(bench.passing(&named("p", "web", apart)), ["c", "d"]);
}

#[test]
fn namespaces_are_listed_or_selected_by_label() {
    let mut bench = bench();
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "shop"}}});
    bench.apply(Namespace::from_wire(namespace).expect("a Namespace"));
    bench.add_bound("a", &with_meta(&named("db", "db", json!({})), |pod| pod.meta.namespace = "shop".into()));
    let near = |change: Value| {
        let mut term = term("db", ZONE);
        for (field, value) in change.as_object().into_iter().flatten() {
            term[field] = value.clone();
        }
        named("p", "web", required("podAffinity", json!([term])))
    };
    assert!(bench.passing(&near(json!({}))).is_empty(), "another namespace");
    for change in [
        json!({"namespaces": ["shop"]}),
        json!({"namespaceSelector": {}}),
        json!({"namespaceSelector": {"matchLabels": {"team": "shop"}}}),
    ] {
        assert_eq!(bench.passing(&near(change)), ["a", "b"]);
    }
    assert!(bench.passing(&near(json!({"namespaceSelector": {"matchLabels": {"team": "x"}}}))).is_empty());
}

#[test]
fn preferences_of_both_sides_give_points() {
    let mut bench = bench();
    let order = ["a", "b", "c", "d"];
    let nodes = |scores: Vec<i64>| order.into_iter().zip(scores).collect::<std::collections::BTreeMap<_, _>>();
    bench.add_bound("a", &named("db", "db", json!({})));
    let near = named("p", "web", preferred("podAffinity", 5, term("db", ZONE)));
    let scores = nodes(bench.scores(NAME, &near));
    assert_eq!((scores["a"], scores["b"], scores["c"], scores["d"]), (100, 100, 0, 0));
    let away = named("p", "web", preferred("podAntiAffinity", 5, term("db", ZONE)));
    let scores = nodes(bench.scores(NAME, &away));
    assert_eq!((scores["a"], scores["c"]), (0, 100));
    let plain = named("p", "web", json!({}));
    assert_eq!(bench.scores(NAME, &plain), [0, 0, 0, 0]);
    bench.add_bound("c", &named("wants", "x", preferred("podAffinity", 3, term("web", ZONE))));
    bench.add_bound("a", &named("needs", "x", required("podAffinity", json!([term("web", ZONE)]))));
    let scores = nodes(bench.scores(NAME, &plain));
    assert_eq!((scores["a"], scores["b"], scores["c"], scores["d"]), (33, 33, 100, 0), "a required term counts 1");
}

#[test]
fn only_changes_that_can_help_wake_a_pod() {
    let hint = |pod: &Pod, subject| InterPodAffinity.hint(pod, &ClusterEvent { action: Actions::POD_DELETE, subject });
    let apart = named("p", "web", required("podAntiAffinity", json!([term("web", ZONE)])));
    let near = named("p", "web", required("podAffinity", json!([term("db", ZONE)])));
    let (web, db) = (bound(&named("w", "web", json!({})), "a"), bound(&named("d", "db", json!({})), "a"));
    assert_eq!(hint(&apart, Subject::Pod(Some(&web), None)), Hint::Queue);
    assert_eq!(hint(&apart, Subject::Pod(Some(&db), None)), Hint::Skip);
    assert_eq!(hint(&near, Subject::Pod(None, Some(&db))), Hint::Queue);
    assert_eq!(hint(&near, Subject::Pod(None, Some(&web))), Hint::Skip);
    let shy = bound(&named("s", "x", required("podAntiAffinity", json!([term("web", ZONE)]))), "a");
    let plain = named("p", "web", json!({}));
    assert_eq!(hint(&plain, Subject::Pod(Some(&shy), None)), Hint::Queue);
    let (with, without) = (labelled("n", &[(ZONE, "x")]), labelled("n", &[]));
    assert_eq!(hint(&near, Subject::Node(None, Some(&with))), Hint::Queue);
    assert_eq!(hint(&near, Subject::Node(None, Some(&without))), Hint::Skip);
    assert_eq!(hint(&apart, Subject::Node(Some(&with), Some(&without))), Hint::Queue);
    assert_eq!(hint(&apart, Subject::Node(Some(&without), Some(&with))), Hint::Skip);
}
