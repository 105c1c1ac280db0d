use serde_json::json;

use super::*;
use crate::scheduler::testing::{bound, labelled, requesting, with_meta};

fn order(cache: &mut Cache) -> Vec<&str> {
    cache.refresh_order();
    cache.order().iter().map(|id| &**cache.node(*id).name()).collect()
}

fn zoned(name: &str, zone: &str) -> Arc<Node> {
    labelled(name, &[("topology.kubernetes.io/zone", zone)])
}

#[test]
fn zones_take_turns() {
    let mut cache = Cache::default();
    for (name, zone) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a"), ("c1", "c"), ("b2", "b")] {
        cache.set_node(&zoned(name, zone));
    }
    assert_eq!(order(&mut cache), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    cache.remove_node(&zoned("a1", "a"));
    assert_eq!(order(&mut cache), ["a2", "b1", "c1", "a3", "b2"]);
    cache.set_node(&zoned("a2", "c"));
    assert_eq!(order(&mut cache), ["a3", "b1", "c1", "b2", "a2"], "a node that moves goes to the end of its zone");
}

#[test]
fn a_node_that_comes_back_finds_its_pods() {
    let mut cache = Cache::default();
    let node = zoned("n", "a");
    cache.set_node(&node);
    let pod = bound(&requesting("p", 100, 5), "n");
    cache.set_pod(&pod);
    cache.remove_node(&node);
    assert_eq!(cache.id("n"), None);
    cache.set_node(&node);
    let id = cache.id("n").expect("the node");
    assert_eq!((cache.node(id).pod_count(), cache.node(id).requested().cpu_milli), (1, 100));
    cache.remove_node(&node);
    cache.remove_pod(&pod.meta.uid);
    cache.set_node(&zoned("other", "a"));
    assert_eq!(cache.node_count(), 1, "the place of a node that is gone for good is used again");
}

#[test]
fn an_assumed_pod_counts_once_when_it_is_confirmed() {
    let mut cache = Cache::default();
    cache.set_node(&zoned("n", "a"));
    let pod = requesting("p", 100, 5);
    let id = cache.id("n").expect("the node");
    cache.assume(&pod, id);
    assert!(cache.is_assumed(&pod.meta.uid));
    cache.set_pod(&bound(&pod, "n"));
    assert!(!cache.is_assumed(&pod.meta.uid));
    assert_eq!(cache.node(id).requested().cpu_milli, 100);
    cache.remove_pod(&pod.meta.uid);
    assert_eq!(cache.node(id).requested().cpu_milli, 0);
}

#[test]
fn containers_that_do_not_say_count_with_a_default_when_scoring() {
    let spec = |json| crate::scheduler::testing::pod("p", json).spec.clone();
    let both = CpuMemory::non_zero_of(&spec(json!({"containers": [
        {"name": "a", "resources": {"requests": {"cpu": "0"}}},
        {"name": "b", "resources": {"requests": {"memory": "1Mi"}}},
    ]})));
    assert_eq!((both.cpu_milli, both.memory), (100, 201 << 20), "an explicit zero stays zero");
    let sidecar =
        json!({"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "2", "memory": "1"}}});
    let init = json!({"name": "i", "resources": {"requests": {"cpu": "5", "memory": "1"}}});
    let one = json!({"name": "a", "resources": {"requests": {"cpu": "1", "memory": "1"}}});
    let with_init = spec(json!({"initContainers": [sidecar, init], "containers": [one], "overhead": {"cpu": "1"}}));
    assert_eq!(CpuMemory::non_zero_of(&with_init).cpu_milli, 8_000);
}

#[test]
fn label_groups_without_pods_are_forgotten() {
    let mut cache = Cache::default();
    cache.set_node(&zoned("n", "a"));
    for number in 0..5_000 {
        let labels = [("job", number.to_string())].into_iter().collect();
        let pod = with_meta(&bound(&requesting("p", 1, 1), "n"), |pod| pod.meta.labels = labels);
        cache.set_pod(&pod);
        cache.remove_pod(&pod.meta.uid);
    }
    assert!(cache.groups().of_namespace("default").len() <= 64);
}
