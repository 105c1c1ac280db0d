//! Random StatefulSets under random changes and faults: the invariants hold, and the cluster comes to rest.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::api::{DeleteOptions, PatchType};
use seatrial::invariants::{Always, AtMostOne, OnePodPerOrdinal, OrderedPods};
use seatrial::kernel::{SimDuration, SimTime};
use seatrial::objects::{Key, Kind, Pod, Resource, StatefulSet};
use seatrial::sim::{Delays, Simulation, Target};

use crate::random::{self, play, rest, settled, some_cases};

/// Never becomes ready.
const BROKEN: u8 = 3;

#[derive(Clone, Debug)]
enum Action {
    Image(u8),
    Scale(i32),
    Start(i32),
    Partition(i32),
    Restart,
    Undo,
    OnDelete(bool),
    KillPod(usize),
    NodeDown(usize),
    NodeUp(usize),
    Wait(u64),
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    replicas: i32,
    start: i32,
    parallel: bool,
    partition: i32,
    min_ready: i32,
    history_limit: i32,
    ready_secs: u64,
    start_secs: u64,
    crash: Option<u64>,
    delays: bool,
    actions: Vec<Action>,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..=BROKEN).prop_map(Action::Image),
        3 => (0..=8i32).prop_map(Action::Scale),
        1 => (0..4i32).prop_map(Action::Start),
        2 => (0..8i32).prop_map(Action::Partition),
        1 => Just(Action::Restart),
        1 => Just(Action::Undo),
        1 => any::<bool>().prop_map(Action::OnDelete),
        3 => (0..8usize).prop_map(Action::KillPod),
        1 => (0..3usize).prop_map(Action::NodeDown),
        2 => (0..3usize).prop_map(Action::NodeUp),
        5 => (0..60u64).prop_map(Action::Wait),
        1 => (300..600u64).prop_map(Action::Wait),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (any::<u64>(), 0..=8i32, 0..3i32, any::<bool>(), prop_oneof![3 => Just(0), 1 => 0..6i32], 0..3i32);
    let min_ready = prop_oneof![2 => Just(0), 1 => 1..15i32];
    let luck = (0..8u64, 0..5u64, prop_oneof![3 => Just(None), 1 => (1..60u64).prop_map(Some)], any::<bool>());
    (shape, min_ready, luck, prop::collection::vec(action(), 1..14)).prop_map(|(shape, min_ready, luck, actions)| {
        let (seed, replicas, start, parallel, partition, history_limit) = shape;
        let (ready_secs, start_secs, crash, delays) = luck;
        Case {
            seed,
            replicas,
            start,
            parallel,
            partition,
            min_ready,
            history_limit,
            ready_secs,
            start_secs,
            crash,
            delays,
            actions,
        }
    })
}

fn web() -> Target {
    "statefulset/web".parse().expect("a target")
}

fn set(sim: &Simulation) -> &StatefulSet {
    sim.view().stateful_sets.get(&web().key).expect("it is there")
}

fn patch(sim: &mut Simulation, spec: &Value) {
    sim.patch(&web(), PatchType::Merge, &json!({ "spec": spec })).expect("a valid patch");
}

fn delete(sim: &mut Simulation, pod: &Key) {
    drop(sim.delete(&Target { kind: Kind::Pod, key: pod.clone() }, DeleteOptions::default()));
}

impl random::Case for Case {
    type Action = Action;

    fn cluster(&self) -> Simulation {
        let good = random::behaviour(self.start_secs, self.ready_secs, self.crash);
        let broken = json!({"image": format!("web:v{BROKEN}"), "ready": "never"});
        let broken = serde_json::from_value(broken).expect("a behaviour");
        let delays = if self.delays { Delays::realistic() } else { Delays::ideal() };
        let builder = Simulation::builder().seed(self.seed).delays(delays).nodes(3);
        let mut sim = builder.behaviour(good).behaviour(broken).build().expect("a cluster");
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {
                "replicas": self.replicas, "minReadySeconds": self.min_ready, "serviceName": "web",
                "ordinals": {"start": self.start}, "revisionHistoryLimit": self.history_limit,
                "podManagementPolicy": if self.parallel { "Parallel" } else { "OrderedReady" },
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": self.partition}},
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "web:v0", "resources": {"requests": {"cpu": "100m"}}}]},
                },
            },
        });
        sim.apply(&manifest.to_string()).expect("a valid StatefulSet");
        sim
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn act(&self, sim: &mut Simulation, action: &Action) -> SimDuration {
        match action {
            Action::Image(version) => drop(sim.set_image(&web(), "c", &format!("web:v{version}"))),
            Action::Scale(replicas) => drop(sim.scale(&web(), *replicas)),
            Action::Start(start) => patch(sim, &json!({"ordinals": {"start": start}})),
            Action::Partition(partition) => {
                let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": partition}});
                patch(sim, &json!({"updateStrategy": rolling}));
            }
            // No revision to go back to, and two restarts within a second: refusals are part of the game.
            Action::Restart => drop(sim.rollout_restart(&web())),
            Action::Undo => drop(sim.rollout_undo(&web(), None)),
            Action::OnDelete(true) => {
                patch(sim, &json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}))
            }
            Action::OnDelete(false) => patch(sim, &json!({"updateStrategy": {"type": "RollingUpdate"}})),
            // Pods that are not asked for any more are the controller's to delete.
            Action::KillPod(nth) => {
                let wanted =
                    |pod: &Pod| set(sim).ordinal_of(&pod.meta.name).is_some_and(|n| set(sim).spec.has_ordinal(n));
                let pods: Vec<Key> = sim.view().pods.iter().filter(|pod| wanted(pod)).map(|pod| pod.key()).collect();
                if !pods.is_empty() {
                    delete(sim, &pods[nth % pods.len()]);
                }
            }
            Action::NodeDown(node) => random::node_up(sim, *node, false),
            Action::NodeUp(node) => random::node_up(sim, *node, true),
            Action::Wait(seconds) => return SimDuration::from_secs(*seconds),
        }
        SimDuration::ZERO
    }

    fn promises(&self) -> Always {
        let slack = SimDuration::from_secs(if self.delays { 2 } else { 0 });
        let key = web().key;
        let by_name = Always::new().and(OrderedPods::within(key.clone(), slack)).and(OnePodPerOrdinal::of(key.clone()));
        by_name.and(AtMostOne::of(key))
    }

    fn calm(&self, sim: &mut Simulation, _: &mut Always) -> Result<(), String> {
        (0..3).for_each(|node| random::node_up(sim, node, true));
        Ok(())
    }

    fn limit(&self) -> SimDuration {
        SimDuration::from_hours(4)
    }

    /// Whoever mends a broken revision has to delete the pod that waits; then all pods are of the new one.
    fn at_rest(&self, sim: &mut Simulation) -> Result<(), String> {
        self.act(sim, &Action::Image(0));
        self.act(sim, &Action::Partition(0));
        let stuck: Vec<Key> = sim.view().pods.iter().filter(|pod| !pod.is_ready()).map(|pod| pod.key()).collect();
        stuck.iter().for_each(|pod| delete(sim, pod));
        // Some of them may be such that are not asked for any more.
        rest(sim, &mut self.promises(), self.limit(), None)?;
        settled(sim)?;
        complete(sim)
    }
}

/// Every pod is there, ready and of the newest revision, and the history is short.
fn complete(sim: &Simulation) -> Result<(), String> {
    let (spec, status) = (&set(sim).spec, &set(sim).status);
    let counts = [status.replicas, status.ready_replicas, status.available_replicas, status.updated_replicas];
    if counts.iter().any(|count| *count != spec.replicas) || status.current_revision != status.update_revision {
        return Err(format!("not complete: {status:?} of {} replicas", spec.replicas));
    }
    let mut names: Vec<&str> = sim.view().pods.iter().map(|pod| &*pod.meta.name).collect();
    names.sort_by_key(|name| set(sim).ordinal_of(name));
    let first = spec.first_ordinal();
    let expected: Vec<String> = (first..first + spec.replicas).map(|ordinal| format!("web-{ordinal}")).collect();
    if names != expected {
        return Err(format!("pods {names:?} in place of {expected:?}"));
    }
    let revisions = sim.view().controller_revisions.len();
    if revisions > 2 + usize::try_from(spec.revision_history_limit).unwrap_or(0) {
        return Err(format!("{revisions} revisions with a limit of {}", spec.revision_history_limit));
    }
    Ok(())
}

proptest! {
    #![proptest_config(some_cases(500))]

    #[test]
    fn random_stateful_sets_keep_their_promises_and_come_to_rest(case in case()) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}

#[test]
fn pods_of_the_manifest_with_a_shared_volume_keep_their_names() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/manifests/statefulset-nfs.yaml");
    let manifest = std::fs::read_to_string(path).expect("a manifest");
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(3).build().expect("a cluster");
    sim.apply(&manifest).expect("a valid manifest");
    sim.run_until(SimTime::from_secs(120));
    let names = |sim: &Simulation| -> Vec<String> {
        sim.view().pods.iter().map(|pod| format!("{} {}", pod.meta.name, pod.is_ready())).collect()
    };
    // In the order of creation.
    assert_eq!(names(&sim), ["st-nginx-0 true", "st-nginx-1 true", "st-nginx-2 true"]);
    let key = Key::new("default", "st-nginx-1");
    let uid = sim.view().pods.get(&key).expect("it is there").meta.uid.clone();
    delete(&mut sim, &key);
    sim.run_until(SimTime::from_secs(240));
    assert_eq!(names(&sim), ["st-nginx-0 true", "st-nginx-2 true", "st-nginx-1 true"]);
    assert_ne!(sim.view().pods.get(&key).expect("it is back").meta.uid, uid);
}

#[test]
fn verbs_of_rollouts_work_on_stateful_sets_as_kubectl_has_them() {
    let case = Case {
        seed: 0,
        replicas: 2,
        start: 0,
        parallel: false,
        partition: 0,
        min_ready: 0,
        history_limit: 2,
        ready_secs: 0,
        start_secs: 0,
        crash: None,
        delays: false,
        actions: Vec::new(),
    };
    let mut sim = random::Case::cluster(&case);
    let pass = |sim: &mut Simulation| {
        let end = sim.now() + SimDuration::from_secs(60);
        sim.run_until(end);
    };
    let images = |sim: &Simulation| -> Vec<String> {
        sim.view().pods.iter().map(|pod| pod.spec.containers[0].image.to_string()).collect()
    };
    pass(&mut sim);
    sim.set_image(&web(), "c", "web:v1").expect("it is accepted");
    pass(&mut sim);
    assert_eq!(images(&sim), ["web:v1", "web:v1"]);
    assert_eq!(sim.rollout_undo(&web(), None).expect("there is one"), "rolled back");
    pass(&mut sim);
    assert_eq!(images(&sim), ["web:v0", "web:v0"]);
    let revision = set(&sim).status.update_revision.clone();
    assert_eq!(sim.rollout_restart(&web()).expect("it works"), "restarted");
    pass(&mut sim);
    assert_eq!(images(&sim), ["web:v0", "web:v0"]);
    assert_ne!(set(&sim).status.current_revision, revision);
    let refused = sim.rollout_pause(&web()).expect_err("StatefulSets know no pause").to_string();
    assert_eq!(refused, "error: statefulsets.apps \"web\" pausing is not supported");
    let refused = sim.rollout_resume(&web()).expect_err("nor its end").to_string();
    assert_eq!(refused, "error: statefulsets.apps \"web\" resuming is not supported");
}

#[test]
fn a_name_that_is_too_long_for_the_labels_of_its_pods_is_told() {
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).events(true).build().expect("a cluster");
    let name = "n".repeat(60);
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:v0"}]},
            },
        },
    });
    sim.apply(&manifest.to_string()).expect("the name of the set itself is valid");
    sim.run_until(SimTime::from_secs(5));
    assert!(sim.view().pods.is_empty());
    let told = sim.view().events.iter().find(|event| event.reason == *"FailedCreate").expect("an Event");
    assert!(told.message.contains("metadata.labels: Invalid value") && told.message.contains("63"), "{}", told.message);
}

#[test]
fn pods_of_one_template_share_their_spec_whenever_they_were_made() {
    let set = |replicas: i32, service: &str, image: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: web}}, spec: {{replicas: {replicas}, serviceName: {service}, \
             selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, \
             spec: {{containers: [{{name: c, image: {image}}}]}}}}}}}}"
        )
    };
    let mut sim = Simulation::builder().delays(Delays::realistic()).nodes(2).build().expect("a cluster");
    let pod = |sim: &Simulation, name: &str| sim.view().pods.get(&Key::new("default", name)).cloned().expect("a pod");
    for replicas in [2, 4] {
        sim.apply(&set(replicas, "web", "one")).expect("accepted");
        sim.run_for(SimDuration::from_secs(120));
    }
    let first = pod(&sim, "web-0");
    for name in ["web-1", "web-2", "web-3"] {
        let other = pod(&sim, name);
        assert!(Arc::ptr_eq(&first.spec, &other.spec), "{name}");
        assert_eq!((&**other.hostname(), &*other.spec.subdomain), (name, "web"));
        assert_eq!(other.to_wire()["spec"]["hostname"], name);
    }
    sim.apply(&set(4, "web", "two")).expect("accepted");
    sim.run_for(SimDuration::from_secs(300));
    let renewed = pod(&sim, "web-0");
    assert_eq!(*renewed.spec.containers[0].image, *"two");
    assert!(!Arc::ptr_eq(&first.spec, &renewed.spec) && Arc::ptr_eq(&renewed.spec, &pod(&sim, "web-3").spec));
}
