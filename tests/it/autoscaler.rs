//! The cluster autoscaler: machines that come for pods without room, and machines that go because they are hardly used.

use serde_json::{Value, json};

use seatrial::api::PatchType;
use seatrial::autoscaler::{AutoscalerOptions, Blocker, Expander, blocker};
use seatrial::kernel::{Sampler, SimDuration, SimTime};
use seatrial::objects::Key;
use seatrial::sim::{Delays, NodeGroup, NodeTemplate, Simulation, Target};

fn group(name: &str, min: u32, max: u32, cores: u32) -> NodeGroup {
    let template = NodeTemplate::new(name).capacity("cpu", &cores.to_string()).expect("a quantity");
    NodeGroup::new(template, min, max)
}

fn cluster(groups: Vec<NodeGroup>, options: AutoscalerOptions) -> Simulation {
    let builder = Simulation::builder().delays(Delays::ideal()).events(true).autoscaler(options);
    groups.into_iter().fold(builder, |builder, group| builder.node_group(group)).build().expect("a cluster")
}

fn web(replicas: u32, cpu: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web", "resources": {"requests": {"cpu": cpu}}}]},
            },
        },
    })
}

fn apply(sim: &mut Simulation, manifest: &Value) {
    sim.apply(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}: {manifest}"));
}

fn scale(sim: &mut Simulation, replicas: i32) {
    sim.scale(&"deployment/web".parse().expect("a target"), replicas).expect("it exists");
}

fn nodes(sim: &Simulation) -> Vec<String> {
    let mut names: Vec<String> = sim.view().nodes.iter().map(|node| node.meta.name.to_string()).collect();
    names.sort();
    names
}

fn taints(sim: &Simulation, node: &str) -> Vec<String> {
    let node = sim.view().nodes.get(&Key::new("", node)).expect("the node");
    node.spec.taints.iter().map(|taint| format!("{}:{}", taint.key, taint.effect)).collect()
}

/// What was said for a reason, each once.
fn messages(sim: &Simulation, reason: &str) -> Vec<String> {
    let events = sim.view().events.iter().filter(|event| *event.reason == *reason);
    let mut messages: Vec<String> = events.map(|event| event.message.to_string()).collect();
    messages.sort();
    messages.dedup();
    messages
}

fn quick() -> AutoscalerOptions {
    let minute = SimDuration::from_mins(1);
    AutoscalerOptions {
        scale_down_unneeded_time: minute,
        scale_down_delay_after_add: minute,
        ..AutoscalerOptions::default()
    }
}

#[test]
fn as_many_machines_come_as_the_pods_need_and_no_more_than_may_be() {
    let mut sim = cluster(vec![group("pool", 0, 4, 4)], AutoscalerOptions::default());
    apply(&mut sim, &web(5, "2"));
    sim.run_until(SimTime::from_secs(15));
    assert!(nodes(&sim).is_empty() && sim.autoscaler().expect("it runs").groups()[0].size() == 3);
    assert_eq!(messages(&sim, "TriggeredScaleUp"), ["pod triggered scale-up: [{pool 0->3 (max: 4)}]"]);
    sim.run_until(SimTime::from_secs(120));
    assert_eq!(nodes(&sim), ["pool-0", "pool-1", "pool-2"]);
    scale(&mut sim, 20);
    sim.run_until(SimTime::from_secs(300));
    assert_eq!(nodes(&sim).len(), 4);
    let told = messages(&sim, "NotTriggerScaleUp");
    assert_eq!(told, ["pod didn't trigger scale-up: 1 max node group size reached"]);
}

#[test]
fn pods_that_no_machine_would_take_are_told_why() {
    let mut sim = cluster(vec![group("pool", 1, 4, 2), group("other", 0, 4, 1)], AutoscalerOptions::default());
    apply(&mut sim, &web(1, "3"));
    sim.run_until(SimTime::from_secs(30));
    assert_eq!(nodes(&sim), ["pool-0"]);
    assert_eq!(messages(&sim, "NotTriggerScaleUp"), ["pod didn't trigger scale-up: 2 Insufficient cpu"]);
}

#[test]
fn daemon_pods_take_their_part_of_a_machine_to_come() {
    let daemon = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "c", "image": "a", "resources": {"requests": {"cpu": "1"}}}]},
            },
        },
    });
    let mut sim = cluster(vec![group("pool", 1, 9, 4)], AutoscalerOptions::default());
    apply(&mut sim, &daemon);
    sim.run_until(SimTime::from_secs(5));
    // Beside the daemon pod there is room for one pod of two cores on each machine, not for two.
    apply(&mut sim, &web(4, "2"));
    sim.run_until(SimTime::from_secs(300));
    assert_eq!(nodes(&sim).len(), 4);
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
}

#[test]
fn the_expander_chooses_between_groups() {
    let chosen = |expander: Expander, seed: u64| {
        let mut large = group("large", 0, 5, 16);
        large.priority = 10;
        let options = AutoscalerOptions { expander, ..AutoscalerOptions::default() };
        let builder = Simulation::builder().delays(Delays::ideal()).seed(seed).autoscaler(options);
        let mut sim = builder.node_group(group("small", 0, 5, 2)).node_group(large).build().expect("a cluster");
        apply(&mut sim, &web(1, "1500m"));
        sim.run_until(SimTime::from_secs(120));
        nodes(&sim).concat()
    };
    assert_eq!(chosen(Expander::LeastWaste, 0), "small-0");
    assert_eq!(chosen(Expander::Priority, 0), "large-0");
    let drawn: Vec<String> = (0..12).map(|seed| chosen(Expander::Random, seed)).collect();
    assert!(drawn.contains(&"small-0".to_owned()) && drawn.contains(&"large-0".to_owned()), "{drawn:?}");
    assert_eq!(chosen(Expander::Random, 3), drawn[3], "the same seed, the same choice");
}

#[test]
fn a_machine_that_takes_too_long_is_given_up_and_its_group_left_alone_for_a_while() {
    let mut slow = group("slow", 0, 5, 4);
    slow.provision = Sampler::constant(SimDuration::from_mins(20));
    let mut sim = cluster(vec![slow], AutoscalerOptions::default());
    apply(&mut sim, &web(1, "1"));
    sim.run_until(SimTime::from_mins(16));
    assert_eq!(messages(&sim, "ScaleUpTimedOut"), ["Nodes added to group slow failed to register within 15m0s"]);
    let told = messages(&sim, "NotTriggerScaleUp");
    assert_eq!(told, ["pod didn't trigger scale-up: 1 in backoff after failed scale-up"]);
    sim.run_until(SimTime::from_mins(19));
    assert_eq!(sim.autoscaler().expect("it runs").groups()[0].size(), 0);
    sim.run_until(SimTime::from_mins(23));
    assert_eq!(sim.autoscaler().expect("it runs").groups()[0].size(), 1, "tried again after five minutes");
    assert!(nodes(&sim).is_empty(), "the first one is not wanted any more");
}

#[test]
fn a_machine_that_is_hardly_used_is_marked_drained_and_taken_away() {
    let mut sim = cluster(vec![group("pool", 1, 3, 4)], quick());
    apply(&mut sim, &web(6, "1500m"));
    sim.run_until(SimTime::from_mins(3));
    assert_eq!(nodes(&sim).len(), 3);
    scale(&mut sim, 2);
    sim.run_for(SimDuration::from_secs(20));
    let marked: Vec<String> = nodes(&sim).into_iter().filter(|node| !taints(&sim, node).is_empty()).collect();
    assert!(!marked.is_empty(), "there are candidates");
    assert_eq!(taints(&sim, &marked[0]), ["DeletionCandidateOfClusterAutoscaler:PreferNoSchedule"]);
    sim.run_for(SimDuration::from_mins(10));
    assert_eq!(nodes(&sim).len(), 1, "two pods fit on one machine");
    assert!(taints(&sim, &nodes(&sim)[0]).is_empty());
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
    assert!(messages(&sim, "ScaleDown").contains(&"marked the node as toBeDeleted/unschedulable".to_owned()));
}

#[test]
fn a_machine_is_kept_by_the_minimum_by_its_annotation_and_by_pods_that_fit_nowhere_else() {
    let gone_after = |keep: &dyn Fn(&mut Simulation)| {
        let mut sim = cluster(vec![group("pool", 1, 3, 4)], quick());
        apply(&mut sim, &web(2, "2500m"));
        sim.run_until(SimTime::from_mins(3));
        assert_eq!(nodes(&sim).len(), 2);
        keep(&mut sim);
        sim.run_for(SimDuration::from_mins(10));
        2 - nodes(&sim).len()
    };
    let one_pod = |sim: &mut Simulation| scale(sim, 1);
    assert_eq!(gone_after(&one_pod), 1, "down to the minimum of one");
    assert_eq!(gone_after(&|_| {}), 0, "both are used");
    let annotated = |sim: &mut Simulation| {
        scale(sim, 1);
        for node in nodes(sim) {
            let target: Target = format!("node/{node}").parse().expect("a target");
            let annotation = json!({"cluster-autoscaler.kubernetes.io/scale-down-disabled": "true"});
            let patch = json!({"metadata": {"annotations": annotation}});
            sim.patch(&target, PatchType::Merge, &patch).expect("it exists");
        }
    };
    assert_eq!(gone_after(&annotated), 0);
}

#[test]
fn pods_that_keep_their_machine_are_known() {
    let options = AutoscalerOptions::default();
    let told = |changes: Value, budget: Option<u32>| {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build().expect("a cluster");
        let mut set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                     "template": {"metadata": {"labels": {"app": "web"}},
                                  "spec": {"containers": [{"name": "c", "image": "web"}]}}},
        });
        for (path, value) in changes.as_object().expect("changes") {
            let (parent, name) = path.rsplit_once('/').expect("a path");
            set.pointer_mut(parent).expect("its parent")[name] = value.clone();
        }
        let namespace = set["metadata"]["namespace"].as_str().expect("a namespace").to_owned();
        if namespace != "default" && namespace != "kube-system" {
            apply(&mut sim, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        }
        apply(&mut sim, &set);
        if let Some(least) = budget {
            let spec = json!({"minAvailable": least, "selector": {}});
            let metadata = json!({"name": "all", "namespace": namespace});
            apply(
                &mut sim,
                &json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}),
            );
        }
        sim.run_until(SimTime::from_secs(60));
        let pod = sim.view().pods.iter().next().expect("a pod").clone();
        blocker(&options, sim.view(), &pod)
    };
    let template = "/spec/template";
    let annotation = |value: &str| json!({format!("{template}/metadata/annotations"): {"cluster-autoscaler.kubernetes.io/safe-to-evict": value}});
    let volume = |source: Value| {
        let mut volume = json!({"name": "scratch"});
        volume.as_object_mut().expect("a map").extend(source.as_object().expect("a source").clone());
        json!({format!("{template}/spec/volumes"): [volume]})
    };
    assert_eq!(told(json!({}), None), None);
    assert_eq!(told(json!({}), Some(0)), None);
    assert_eq!(told(json!({}), Some(1)), Some(Blocker::NotEnoughPdb));
    assert_eq!(told(annotation("false"), None), Some(Blocker::NotSafeToEvict));
    assert_eq!(told(annotation("true"), Some(1)), Some(Blocker::NotEnoughPdb), "a budget counts all the same");
    assert_eq!(told(volume(json!({"emptyDir": {}})), None), Some(Blocker::LocalStorageRequested));
    assert_eq!(told(volume(json!({"hostPath": {"path": "/x"}})), None), Some(Blocker::LocalStorageRequested));
    assert_eq!(told(volume(json!({"emptyDir": {"medium": "Memory"}})), None), None);
    let system = || json!({"/metadata/namespace": "kube-system"});
    assert_eq!(told(system(), None), Some(Blocker::UnmovableKubeSystemPod));
    assert_eq!(told(system(), Some(0)), None);
}

#[test]
fn a_machine_stays_if_its_pods_cannot_be_evicted_in_time() {
    let pool = NodeGroup { initial: 2, ..group("pool", 1, 3, 4) };
    let mut sim = cluster(vec![pool], quick());
    apply(&mut sim, &web(2, "1500m"));
    let leaves = |sim: &Simulation| {
        nodes(sim)
            .into_iter()
            .find(|node| taints(sim, node).contains(&"ToBeDeletedByClusterAutoscaler:NoSchedule".into()))
    };
    while leaves(&sim).is_none() {
        assert!(sim.now() < SimTime::from_mins(20), "one of the machines has to go");
        sim.run_for(SimDuration::from_secs(1));
    }
    let node = leaves(&sim).expect("found");
    assert_eq!(sim.view().pods_on(&node).count(), 1);
    let spec = json!({"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}});
    apply(
        &mut sim,
        &json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}),
    );
    sim.run_for(SimDuration::from_mins(3));
    assert!(nodes(&sim).contains(&node) && taints(&sim, &node).is_empty(), "{:?}", taints(&sim, &node));
    let why = "failed to drain the node, aborting ScaleDown: timed out waiting for the eviction of pods";
    assert_eq!(messages(&sim, "ScaleDownFailed"), [why]);
    assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
}
