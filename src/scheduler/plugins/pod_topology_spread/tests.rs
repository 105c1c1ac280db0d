use std::sync::Arc;

use serde_json::json;

use crate::objects::{Node, OwnerReference, Pod, ReplicaSet, Resource, Service};
use crate::scheduler::testing::{Bench, labelled, pod, second, with_meta};

const NAME: &str = "PodTopologySpread";

fn node(name: &str, zone: Option<&str>) -> Arc<Node> {
    let zone: Vec<_> = zone.map(|zone| ("topology.kubernetes.io/zone", zone)).into_iter().collect();
    labelled(name, &zone)
}

fn web(name: &str) -> Arc<Pod> {
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": true});
    let owner: OwnerReference = serde_json::from_value(owner).expect("an owner");
    with_meta(&pod(name, json!({})), |pod| {
        pod.meta.labels = [("app", "web")].into_iter().collect();
        pod.meta.owner_references = vec![owner].into();
    })
}

fn bench(nodes: &[(&str, Option<&str>)]) -> Bench {
    let mut bench = Bench::default();
    for (name, zone) in nodes {
        bench.add(node(name, *zone));
    }
    let set = json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "rs"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}},
    });
    bench.apply(ReplicaSet::from_wire(set).expect("a ReplicaSet"));
    for (at, node) in ["a", "a", "b"].into_iter().enumerate() {
        bench.add_bound(node, &web(&format!("old-{at}")));
    }
    bench
}

#[test]
fn nodes_with_fewer_pods_of_the_workload_get_more_points() {
    // Raw points: 2 ln 5 + 2, ln 5 + 2 and 2, rounded 5, 4 and 2.
    let bench = bench(&[("a", None), ("b", None), ("c", None)]);
    assert_eq!(bench.scores(NAME, &web("new")), [40, 60, 100]);
}

#[test]
fn zones_count_beside_nodes() {
    // Zone x has all three pods: 3 ln 4 + 4 more on a and b, just 4 more on c.
    let bench = bench(&[("a", Some("x")), ("c", Some("y")), ("b", Some("x"))]);
    assert_eq!(bench.scores(NAME, &web("new")), [46, 100, 53]);
}

#[test]
fn pods_that_leave_or_live_elsewhere_do_not_count() {
    let mut bench = bench(&[("a", None), ("b", None), ("c", None)]);
    let leaving = with_meta(&web("x"), |pod| pod.meta.deletion_timestamp = Some(second(0.0).timestamp()));
    bench.add_bound("c", &leaving);
    bench.add_bound("c", &with_meta(&web("y"), |pod| pod.meta.namespace = "other".into()));
    assert_eq!(bench.scores(NAME, &web("new")), [40, 60, 100]);
}

#[test]
fn a_service_makes_a_workload_too() {
    let mut bench = bench(&[("a", None), ("b", None), ("c", None)]);
    let single = with_meta(&web("new"), |pod| pod.meta.owner_references = Vec::new().into());
    assert_eq!(bench.scores(NAME, &single), [0, 0, 0], "it belongs to nothing");
    let service = json!({"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"app": "web"}}});
    bench.apply(Service::from_wire(service).expect("a Service"));
    assert_eq!(bench.scores(NAME, &single), [40, 60, 100]);
}

fn spread_over(key: &str, change: serde_json::Value) -> Arc<Pod> {
    let mut constraint = json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}}});
    for (field, value) in change.as_object().into_iter().flatten() {
        constraint[field] = value.clone();
    }
    let spec = json!({"topologySpreadConstraints": [constraint]});
    with_meta(&web("new"), |p| p.spec = pod("p", spec).spec.clone())
}

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
const REASON: &str = "node(s) didn't match pod topology spread constraints";

/// The nodes that pass, in order of their names.
fn passing(bench: &Bench, pod: &Pod) -> Vec<String> {
    let mut nodes = bench.passing(pod);
    nodes.sort_unstable();
    nodes
}

#[test]
fn own_soft_constraints_stand_in_for_the_default_ones() {
    let bench = bench(&[("a", None), ("b", None), ("c", None)]);
    let soft = spread_over(HOSTNAME, json!({"whenUnsatisfiable": "ScheduleAnyway"}));
    // Raw points: 2 ln 5, ln 5 and 0, rounded 3, 2 and 0.
    assert_eq!(bench.scores(NAME, &soft), [0, 33, 100]);
    let without_label = spread_over("rack", json!({"whenUnsatisfiable": "ScheduleAnyway"}));
    assert_eq!(bench.scores(NAME, &without_label), [0, 0, 0], "no node has the label");
    assert_eq!(bench.scores(NAME, &spread_over(HOSTNAME, json!({}))), [0, 0, 0], "a hard one gives no points");
}

#[test]
fn a_place_may_have_so_many_pods_more_than_the_emptiest() {
    let nodes = [("a", Some("x")), ("b", Some("x")), ("c", Some("y"))];
    let bench = bench(&nodes);
    assert_eq!(passing(&bench, &spread_over(HOSTNAME, json!({}))), ["c"]);
    assert_eq!(passing(&bench, &spread_over(HOSTNAME, json!({"maxSkew": 2}))), ["b", "c"]);
    assert_eq!(passing(&bench, &spread_over(ZONE, json!({"maxSkew": 3}))), ["c"]);
    assert_eq!(passing(&bench, &spread_over(ZONE, json!({"maxSkew": 4}))), ["a", "b", "c"]);
    assert_eq!(passing(&bench, &spread_over(ZONE, json!({"maxSkew": 3, "labelSelector": {}}))), ["a", "b", "c"]);
}

#[test]
fn nodes_without_the_label_are_refused_for_good() {
    let bench = bench(&[("a", Some("x")), ("b", None), ("c", Some("y"))]);
    let message = bench.failure(&spread_over("rack", json!({})));
    assert!(message.contains(&format!("3 {REASON} (missing required label).")), "{message}");
    assert_eq!(passing(&bench, &spread_over(ZONE, json!({}))), ["c"]);
}

#[test]
fn too_few_places_make_the_emptiest_count_as_empty() {
    let mut bench = bench(&[("a", Some("x")), ("b", Some("y"))]);
    let zones = |least: i32| spread_over(ZONE, json!({"maxSkew": 2, "minDomains": least}));
    assert_eq!(passing(&bench, &zones(2)), ["a", "b"]);
    assert_eq!(passing(&bench, &zones(3)), ["b"]);
    bench.add_bound("b", &web("more"));
    assert!(bench.failure(&zones(3)).contains(&format!("2 {REASON}.")));
}

#[test]
fn the_policies_say_which_nodes_count() {
    let mut bench = bench(&[("a", None), ("b", None)]);
    let taint = json!({"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}});
    bench.add(crate::scheduler::testing::node("tainted", taint));
    let message = bench.failure(&spread_over(HOSTNAME, json!({})));
    assert!(message.contains(&format!("2 {REASON}")), "the tainted node is empty: {message}");
    assert_eq!(passing(&bench, &spread_over(HOSTNAME, json!({"nodeTaintsPolicy": "Honor"}))), ["b"]);
    let picky = |policy: &str| {
        let constraint = json!({"maxSkew": 1, "topologyKey": HOSTNAME, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}, "nodeAffinityPolicy": policy});
        let spec = json!({"nodeSelector": {HOSTNAME: "a"}, "topologySpreadConstraints": [constraint]});
        with_meta(&web("new"), |p| p.spec = pod("p", spec).spec.clone())
    };
    assert_eq!(passing(&bench, &picky("Honor")), ["a"], "only the selected node counts");
    assert!(bench.failure(&picky("Ignore")).contains(REASON));
}

#[test]
fn only_changes_that_can_even_pods_out_wake_them() {
    use crate::scheduler::event::{Actions, ClusterEvent, Subject};
    use crate::scheduler::framework::{Hint, Plugin};
    use crate::scheduler::testing::bound;
    let waiting = spread_over(HOSTNAME, json!({}));
    let hint =
        |subject| super::PodTopologySpread.hint(&waiting, &ClusterEvent { action: Actions::POD_DELETE, subject });
    let other = bound(&web("old"), "a");
    assert_eq!(hint(Subject::Pod(Some(&other), None)), Hint::Queue);
    let unlabelled = bound(&pod("x", json!({})), "a");
    assert_eq!(hint(Subject::Pod(Some(&unlabelled), None)), Hint::Skip);
    let elsewhere = with_meta(&other, |pod| pod.meta.namespace = "other".into());
    assert_eq!(hint(Subject::Pod(Some(&elsewhere), None)), Hint::Skip);
    let (plain, bare) = (node("n", None), with_labels("n", &[]));
    assert_eq!(hint(Subject::Node(None, Some(&plain))), Hint::Queue);
    assert_eq!(hint(Subject::Node(None, Some(&bare))), Hint::Skip);
    assert_eq!(hint(Subject::Node(Some(&bare), Some(&plain))), Hint::Queue);
}

fn with_labels(name: &str, labels: &[(&str, &str)]) -> Arc<Node> {
    let mut node = (*labelled(name, &[])).clone();
    node.meta.labels = labels.iter().copied().collect();
    Arc::new(node)
}
