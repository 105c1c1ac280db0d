//! Random histories of pods.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::tests::{Cluster, cluster, key, pod, restart, service, set_ready, slices, start};
use super::{MAX_ENDPOINTS_PER_SLICE, candidates::has_endpoint};
use crate::api::DeleteOptions;
use crate::objects::{Kind, PodPhase};

/// What happens to a pod.
#[derive(Clone, Copy, Debug)]
enum Act {
    Create(u16),
    Start(u16),
    Ready(u16, bool),
    Relabel(u16, bool),
    Delete(u16),
    Finish(u16),
    Fail(u16),
    /// The controller has its turn.
    Sync,
}

fn act(pods: u16) -> impl Strategy<Value = Act> {
    let at = 0..pods;
    prop_oneof![
        4 => at.clone().prop_map(Act::Create),
        6 => at.clone().prop_map(Act::Start),
        2 => (at.clone(), any::<bool>()).prop_map(|(at, ready)| Act::Ready(at, ready)),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, web)| Act::Relabel(at, web)),
        2 => at.clone().prop_map(Act::Delete),
        2 => at.clone().prop_map(Act::Finish),
        1 => at.prop_map(Act::Fail),
        2 => Just(Act::Sync),
    ]
}

fn has_ended(cluster: &Cluster, name: &str) -> bool {
    cluster.store.pods.get(&key(name)).is_some_and(|pod| pod.is_terminal())
}

fn perform(cluster: &mut Cluster, act: Act) {
    let now = cluster.now.timestamp();
    let (Act::Create(at)
    | Act::Start(at)
    | Act::Ready(at, _)
    | Act::Relabel(at, _)
    | Act::Delete(at)
    | Act::Finish(at)
    | Act::Fail(at)) = act
    else {
        cluster.run();
        return;
    };
    let name = format!("web-{at}");
    let exists = cluster.store.pods.get(&key(&name)).is_some();
    match act {
        Act::Create(_) if !exists => {
            let number = 8000 + at % 2;
            let ports = json!([{"name": "http", "containerPort": number, "protocol": "TCP"}]);
            cluster.apply(pod(&name, json!({"app": "web"}), ports));
        }
        _ if !exists => {}
        // A pod that has ended stays so. A change of phase alone, to or fro, is no reason for a sync.
        Act::Start(_) | Act::Ready(..) | Act::Fail(_) if has_ended(cluster, &name) => {}
        Act::Start(_) => start(cluster, &name, &format!("10.1.{}.{}", at / 250, at % 250 + 1)),
        Act::Ready(_, ready) => cluster.change_pod(&key(&name), |pod| set_ready(pod, ready, now)),
        Act::Relabel(_, web) => cluster.change_pod(&key(&name), |pod| {
            pod.meta.labels = pod.meta.labels.with("app", if web { "web" } else { "other" });
        }),
        Act::Delete(_) => drop(cluster.delete(Kind::Pod, &key(&name), &DeleteOptions::default())),
        Act::Finish(_) => cluster.finish(&key(&name)),
        Act::Fail(_) if cluster.store.pods.get(&key(&name)).is_some_and(|pod| pod.is_ready()) => {
            cluster.change_pod(&key(&name), |pod| {
                pod.status.phase = PodPhase::Failed;
                set_ready(pod, false, now);
            });
        }
        Act::Create(_) | Act::Fail(_) | Act::Sync => {}
    }
}

/// Endpoints by pod, with the number of times each is there.
fn published(cluster: &Cluster, service: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for slice in slices(cluster, service) {
        for endpoint in &slice.endpoints {
            let target = endpoint.target_ref.as_ref().expect("a pod");
            *found.entry(target.name.to_string()).or_insert(0) += 1;
        }
    }
    found
}

fn check(cluster: &Cluster, service: &str, named: bool) -> Result<(), TestCaseError> {
    let eligible: BTreeMap<String, usize> = cluster
        .store
        .pods
        .iter()
        .filter(|pod| has_endpoint(pod) && pod.meta.labels.get("app") == Some("web"))
        .map(|pod| (pod.meta.name.to_string(), 1))
        .collect();
    prop_assert_eq!(published(cluster, service), eligible);
    let slices = slices(cluster, service);
    prop_assert!(!slices.is_empty());
    for slice in &slices {
        prop_assert!(slice.endpoints.len() <= MAX_ENDPOINTS_PER_SLICE);
        prop_assert!(!slice.endpoints.is_empty() || slices.len() == 1, "an empty slice among others");
        for endpoint in &slice.endpoints {
            let name = &endpoint.target_ref.as_ref().expect("a pod").name;
            let pod = cluster.store.pods.get(&key(name)).expect("the pod exists");
            let conditions = endpoint.conditions;
            prop_assert_eq!(conditions.ready, Some(pod.is_ready() && !pod.meta.is_deleting()));
            prop_assert_eq!(conditions.serving, Some(pod.is_ready()));
            prop_assert_eq!(conditions.terminating, Some(pod.meta.is_deleting()));
            if named {
                prop_assert_eq!(slice.ports[0].port, Some(pod.spec.containers[0].ports[0].container_port));
            }
        }
    }
    Ok(())
}

/// The content of each slice, to tell which had to be written.
fn content(cluster: &Cluster, service: &str) -> BTreeMap<String, (u64, String)> {
    let content = |slice: &crate::objects::EndpointSlice| format!("{:?} {:?}", slice.ports, slice.endpoints);
    slices(cluster, service)
        .iter()
        .map(|slice| (slice.meta.name.to_string(), (slice.meta.resource_version, content(slice))))
        .collect()
}

/// A slice whose version changed has other content; and one whose pods are as they were stays as it was, unless it
/// was chosen for new endpoints.
fn check_only_needed_writes(
    before: &BTreeMap<String, (u64, String)>,
    after: &BTreeMap<String, (u64, String)>,
) -> Result<(), TestCaseError> {
    for (name, (version, content)) in after {
        if let Some((old_version, old_content)) = before.get(name) {
            prop_assert_eq!(version != old_version, content != old_content, "{} was written for nothing", name);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn slices_hold_exactly_the_eligible_pods_once(acts in prop::collection::vec(act(24), 1..200), named: bool) {
        let mut cluster = cluster();
        let port = if named { json!("http") } else { json!(8080) };
        service(&mut cluster, "web", json!({
            "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "targetPort": port, "protocol": "TCP"}]}));
        cluster.run();
        for act in acts {
            let before = content(&cluster, "web");
            perform(&mut cluster, act);
            check_only_needed_writes(&before, &content(&cluster, "web"))?;
            if matches!(act, Act::Sync) {
                check(&cluster, "web", named)?;
            }
        }
        cluster.run_for(10);
        check(&cluster, "web", named)?;
        prop_assert!(cluster.failures.is_empty(), "{:?}", cluster.failures);
        let writes = cluster.writes.len();
        cluster.sync_now(&key("web"));
        prop_assert_eq!(cluster.writes.len(), writes, "a sync without a change writes nothing");
        restart(&mut cluster);
        prop_assert_eq!(cluster.writes.len(), writes, "a look at everything finds nothing else");
    }

    #[test]
    fn a_lagging_view_delays_and_does_not_mislead(
        acts in prop::collection::vec(prop_oneof![6 => act(8).prop_map(Some), 1 => Just(None)], 1..120)
    ) {
        let mut cluster = cluster();
        service(&mut cluster, "web", json!({
            "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]}));
        for act in acts {
            match act {
                Some(act) => perform(&mut cluster, act),
                None => {
                    cluster.frozen = !cluster.frozen;
                    if !cluster.frozen {
                        cluster.catch_up();
                    }
                }
            }
        }
        cluster.frozen = false;
        cluster.catch_up();
        cluster.run_for(30);
        check(&cluster, "web", true)?;
        let writes = cluster.writes.len();
        restart(&mut cluster);
        prop_assert_eq!(cluster.writes.len(), writes, "a look at everything finds nothing else");
    }

    #[test]
    fn many_pods_stay_packed_and_a_change_touches_one_slice(count in 101u16..350, gone in prop::collection::btree_set(0u16..350, 0..60)) {
        let mut cluster = cluster();
        service(&mut cluster, "web", json!({
            "selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}));
        cluster.run();
        for at in 0..count {
            perform(&mut cluster, Act::Create(at));
            perform(&mut cluster, Act::Start(at));
        }
        cluster.run();
        check(&cluster, "web", false)?;
        let gone: BTreeSet<u16> = gone.into_iter().filter(|at| *at < count).collect();
        for at in gone {
            let writes = cluster.writes.len();
            perform(&mut cluster, Act::Finish(at));
            cluster.run();
            prop_assert_eq!(cluster.writes.len(), writes + 1);
        }
        check(&cluster, "web", false)?;
    }
}
