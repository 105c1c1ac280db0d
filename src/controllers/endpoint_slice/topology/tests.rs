//! Rows of upstream's `topologycache_test.go` and `reconciler_test.go`.

use serde_json::{Value, json};

use super::shares::is_overloaded;
use super::*;
use crate::controllers::endpoint_slice::packing::Plan;
use crate::objects::{EndpointSlice, Resource as _};

fn node(zone: &str, cpu: &str, ready: &str, labels: &[&str]) -> Node {
    let mut all = json!({});
    labels.iter().for_each(|label| all[*label] = json!(""));
    if !zone.is_empty() {
        all["topology.kubernetes.io/zone"] = json!(zone);
    }
    let status = json!({"allocatable": {"cpu": cpu}, "conditions": [{"type": "Ready", "status": ready}]});
    Node::from_wire(json!({"metadata": {"name": "n", "labels": all}, "status": status})).expect("a node")
}

fn cache(nodes: &[Node]) -> TopologyCache {
    let mut cache = TopologyCache::default();
    for (at, node) in nodes.iter().enumerate() {
        cache.set(&format!("n{at}").as_str().into(), share(node));
    }
    cache
}

fn zones(cpus: &[(&str, u32)]) -> TopologyCache {
    let nodes: Vec<Node> = cpus.iter().map(|(zone, cpu)| node(zone, &format!("{cpu}m"), "True", &[])).collect();
    cache(&nodes)
}

#[test]
fn zones_share_by_the_cpu_of_their_nodes_that_count() {
    let plain = |zone: &str, cpu: &str| node(zone, cpu, "True", &[]);
    let master = |zone: &str| node(zone, "1", "True", &["node-role.kubernetes.io/control-plane"]);
    let down = |zone: &str| node(zone, "1", "False", &[]);
    for (nodes, expected) in [
        (vec![], ""),
        (vec![plain("a", "1")], ""),
        (vec![plain("a", "1"), plain("a", "1")], ""),
        (vec![plain("a", "1"), plain("b", "1")], "a=0.5 b=0.5"),
        (vec![down("a"), plain("b", "1")], ""),
        (vec![plain("a", "1"), master("b")], ""),
        (vec![plain("a", "1"), plain("b", "1"), down("b"), master("b")], "a=0.5 b=0.5"),
        (vec![plain("a", "1"), plain("b", "1"), plain("", "1")], ""),
        (vec![plain("a", "1"), plain("b", "1"), plain("a", "0")], ""),
        (
            vec![
                plain("a", "1"),
                plain("a", "1"),
                plain("a", "1"),
                plain("a", "2"),
                plain("b", "3"),
                plain("b", "1500m"),
                plain("c", "500m"),
            ],
            "a=0.5 b=0.45 c=0.05",
        ),
    ] {
        let ratios = cache(&nodes).ratios().unwrap_or_default();
        let text: Vec<String> = ratios.iter().map(|(zone, ratio)| format!("{zone}={ratio}")).collect();
        assert_eq!(text.join(" "), expected);
    }
}

#[test]
fn a_node_that_changes_or_goes_counts_for_what_it_is() {
    let mut cache = zones(&[("a", 1000), ("b", 1000), ("b", 2000)]);
    assert_eq!(cache.ratios().map(|ratios| ratios["b"]), Some(0.75));
    cache.set(&"n2".into(), share(&node("a", "2", "True", &[])));
    assert_eq!(cache.ratios().map(|ratios| ratios["a"]), Some(0.75));
    cache.set(&"n2".into(), Some(Share::Unknown));
    assert_eq!(cache.ratios(), None);
    cache.set(&"n2".into(), None);
    assert_eq!(cache.ratios().map(|ratios| ratios["a"]), Some(0.5));
    cache.set(&"n1".into(), None);
    assert_eq!(cache.ratios(), None, "one zone");
}

/// A slice: zones of endpoints; in upper case those that are not ready, with a `>` the hint that they have.
fn slice(endpoints: &str) -> EndpointSlice {
    let endpoint = |text: &str| -> Value {
        let (zone, hint) = text.split_once('>').unwrap_or((text, ""));
        let ready = zone.chars().all(|c| c.is_ascii_lowercase());
        let mut endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}});
        if zone != "none" {
            endpoint["zone"] = json!(zone.to_lowercase());
        }
        if !hint.is_empty() {
            endpoint["hints"] = json!({"forZones": [{"name": hint}]});
        }
        endpoint
    };
    let endpoints: Vec<Value> = endpoints.split_whitespace().map(endpoint).collect();
    EndpointSlice::from_wire(json!({"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": endpoints}))
        .expect("a slice")
}

fn hints(slice: &EndpointSlice) -> String {
    let hint = |endpoint: &crate::objects::Endpoint| {
        let name = endpoint.rest.get("hints").and_then(|hints| hints["forZones"][0]["name"].as_str());
        name.unwrap_or("-").to_owned()
    };
    slice.endpoints.iter().map(hint).collect::<Vec<_>>().join(" ")
}

/// The hints of all slices that are written, and what is told.
fn add(cache: &mut TopologyCache, create: &[&str], update: &[&str], unchanged: &[&str]) -> (Vec<String>, String) {
    let service = Key::new("ns", "svc");
    let slices = |texts: &[&str]| texts.iter().map(|text| slice(text)).collect();
    let mut plan = Plan { create: slices(create), update: slices(update), delete: Vec::new() };
    let unchanged: Vec<Arc<EndpointSlice>> = unchanged.iter().map(|text| Arc::new(slice(text))).collect();
    let unchanged = unchanged.iter().collect();
    let mut info = SliceInfo { service: &service, address_type: "IPv4", plan: &mut plan, unchanged };
    let told = cache.add_hints(&mut info);
    let told = told.map_or_else(String::new, |told| told.message.replace(", addressType: IPv4", ""));
    (plan.create.iter().chain(&plan.update).map(hints).collect(), told)
}

#[test]
fn hints_follow_the_shares_of_zones() {
    const ENABLED: &str = "Topology Aware Hints has been enabled";
    const NO_INFO: &str = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes";
    for (ratios, create, update, expected, told) in [
        (&[][..], &[][..], &[][..], &[][..], NO_INFO),
        (&[], &["a"], &[], &["-"], NO_INFO),
        (
            &[("a", 30), ("b", 40), ("c", 30)],
            &["a b"],
            &[],
            &["- -"],
            "Insufficient number of endpoints (2 endpoints, 3 zones)",
        ),
        (&[("a", 45), ("b", 55)], &["a b"], &[], &["a b"], ENABLED),
        (&[("a", 45), ("b", 55)], &["a b B B"], &[], &["a b - -"], ENABLED),
        (
            &[("a", 35), ("b", 35), ("c", 30)],
            &["a b", "c c a"],
            &["a a", "b c a"],
            &["b b", "c c a", "a a", "b c a"],
            ENABLED,
        ),
        // `TestReconcile_TrafficDistribution`: 1, 3 and 2 endpoints in zones of equal CPU.
        (&[("a", 10), ("b", 10), ("c", 10)], &["a b b b c c"], &[], &["a a b b c c"], ENABLED),
        (&[("a", 45), ("b", 55)], &["a none>a"], &[], &["- -"], "One or more endpoints do not have a zone specified"),
        (
            &[("a", 51), ("b", 49), ("c", 900)],
            &["a b c"],
            &[],
            &["- - -"],
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 3 zones)",
        ),
    ] {
        let mut cache = zones(ratios);
        let (found, message) = add(&mut cache, create, update, &[]);
        assert_eq!((found, message.as_str()), (expected.iter().map(ToString::to_string).collect(), told), "{create:?}");
        assert_eq!(cache.populated.is_empty(), told != ENABLED);
    }
}

#[test]
fn a_slice_stays_as_it_is_unless_its_hints_are_missing_wrong_or_too_many() {
    for (unchanged, written) in [
        ("a>a b>b", None),
        ("a>a b>b B", None),
        ("a b>b", Some("a b")),
        ("a>c b>b", Some("a b")),
        // Both for one zone: the other would have none.
        ("a>b b>b", Some("a b")),
    ] {
        let mut cache = zones(&[("a", 50), ("b", 50)]);
        let (found, _) = add(&mut cache, &[], &[], &[unchanged]);
        assert_eq!(found.first().map(String::as_str), written, "{unchanged}");
    }
}

#[test]
fn it_is_told_once_that_there_are_hints_and_whenever_there_cannot_be() {
    let mut cache = zones(&[("a", 50), ("b", 50)]);
    let told = |cache: &mut TopologyCache, endpoints: &str| add(cache, &[endpoints], &[], &[]).1.len();
    assert!(told(&mut cache, "a b") > 0 && told(&mut cache, "a b a b") == 0);
    assert!(told(&mut cache, "a") > 0 && told(&mut cache, "a") > 0);
    assert!(cache.given.is_empty() && told(&mut cache, "a b") > 0);
    assert!(cache.remove(&Key::new("ns", "svc"), "IPv4") && !cache.remove(&Key::new("ns", "svc"), "IPv4"));
}

#[test]
fn a_service_is_overloaded_where_a_zone_has_too_few_endpoints() {
    let by_zone = |counts: &[(&str, usize)]| counts.iter().map(|(zone, n)| (Arc::from(*zone), *n)).collect::<ByZone>();
    let ratios = |cpus: &[(&str, u32)]| zones(cpus).ratios();
    let even = ratios(&[("a", 40), ("b", 60)]);
    assert!(!is_overloaded(&by_zone(&[]), even.as_ref()));
    assert!(is_overloaded(&by_zone(&[("a", 3)]), None));
    assert!(!is_overloaded(&by_zone(&[("a", 4), ("b", 6)]), even.as_ref()));
    // Of ten, b must have five.
    assert!(!is_overloaded(&by_zone(&[("a", 5), ("b", 5)]), even.as_ref()));
    assert!(is_overloaded(&by_zone(&[("a", 6), ("b", 4)]), even.as_ref()));
    assert!(is_overloaded(&by_zone(&[("a", 10)]), even.as_ref()), "a zone without endpoints");
}
