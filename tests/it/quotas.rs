//! LimitRanges and ResourceQuotas: what the API server fills in and refuses, and what the controller gives back.

use seatrial::kernel::SimDuration;
use seatrial::objects::Key;
use seatrial::sim::{Delays, Simulation, Target};

fn cluster(manifests: &str) -> Simulation {
    let mut sim = Simulation::builder().delays(Delays::realistic()).nodes(2).build().expect("a cluster");
    sim.apply(manifests).expect("accepted");
    sim.run_for(SimDuration::from_secs(10));
    sim
}

fn pod(name: &str, resources: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: i, resources: {resources}}}]}}}}"
    )
}

const QUOTA: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: team}
spec: {hard: {requests.cpu: \"2\", pods: \"3\"}}
";

fn used(sim: &Simulation, resource: &str) -> String {
    let quota = sim.view().resource_quotas.get(&Key::new("default", "team")).expect("a quota");
    quota.status.used.get(resource).map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_quota_has_room_until_it_has_not_and_what_is_deleted_is_given_back() {
    let mut sim = cluster(QUOTA);
    sim.apply(&pod("a", "{requests: {cpu: 1500m}}")).expect("there is room");
    assert_eq!((used(&sim, "requests.cpu"), used(&sim, "pods")), ("1500m".to_owned(), "1".to_owned()));
    let refused = sim.apply(&pod("b", "{requests: {cpu: \"1\"}}")).expect_err("no room").to_string();
    assert_eq!(
        refused,
        "pods \"b\" is forbidden: exceeded quota: team, requested: requests.cpu=1, used: requests.cpu=1500m, limited: \
         requests.cpu=2"
    );
    let target: Target = "pod/a".parse().expect("a target");
    sim.delete(&target, Default::default()).expect("deleted");
    sim.run_for(SimDuration::from_secs(60));
    assert_eq!((used(&sim, "requests.cpu"), used(&sim, "pods")), ("0".to_owned(), "0".to_owned()));
    sim.apply(&pod("b", "{requests: {cpu: \"1\"}}")).expect("there is room again");
}

#[test]
fn what_is_used_after_a_deletion_is_what_the_others_use() {
    let early = pod("early", "{requests: {cpu: 250m}}");
    let mut sim = cluster(&early);
    sim.apply(QUOTA).expect("accepted");
    sim.run_for(SimDuration::from_secs(10));
    for name in ["a", "b"] {
        sim.apply(&pod(name, "{requests: {cpu: 500m}}")).expect("there is room");
    }
    let target: Target = "pod/a".parse().expect("a target");
    sim.delete(&target, Default::default()).expect("deleted");
    sim.run_for(SimDuration::from_secs(60));
    assert_eq!((used(&sim, "requests.cpu"), used(&sim, "pods")), ("750m".to_owned(), "2".to_owned()));
}

#[test]
fn a_quota_for_cpu_makes_every_container_name_it() {
    let mut sim = cluster(QUOTA);
    let refused = sim.apply(&pod("a", "{}")).expect_err("it names nothing").to_string();
    assert_eq!(refused, "pods \"a\" is forbidden: failed quota: team: must specify requests.cpu for: c");
}

#[test]
fn a_replica_set_runs_into_the_quota_and_says_so() {
    let web = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 100m}}}]}
";
    let mut sim = cluster(QUOTA);
    sim.apply(web).expect("accepted");
    sim.run_for(SimDuration::from_secs(30));
    assert_eq!(sim.view().pods.len(), 3);
    let set = sim.view().replica_sets.iter().next().expect("a ReplicaSet");
    let failure = set.status.conditions.iter().find(|condition| *condition.kind == *"ReplicaFailure");
    let message = failure.map(|condition| condition.message.to_string()).unwrap_or_default();
    assert!(message.ends_with("exceeded quota: team, requested: pods=1, used: pods=3, limited: pods=3"), "{message}");
}

#[test]
fn limit_ranges_fill_in_and_refuse() {
    let limits = "
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec:
  limits:
  - {type: Container, defaultRequest: {cpu: 100m}, default: {cpu: 200m}, max: {cpu: \"1\"}}
";
    let mut sim = cluster(limits);
    sim.apply(&pod("a", "{}")).expect("filled in");
    let stored = sim.get(&"pod/a".parse().expect("a target")).expect("a pod").to_wire();
    assert_eq!(
        stored["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
    assert_eq!(stored["status"]["qosClass"], "Burstable");
    let refused = sim.apply(&pod("b", "{limits: {cpu: \"2\"}}")).expect_err("too large").to_string();
    assert_eq!(refused, "pods \"b\" is forbidden: maximum cpu usage per Container is 1, but limit is 2");
}
