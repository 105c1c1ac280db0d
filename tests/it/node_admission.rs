//! Pods that their kubelet does not take, and room that it makes for those that the system needs.

use seatrial::kernel::{SimDuration, SimTime};
use seatrial::kubelet::{Eaten, MachineResource};
use seatrial::objects::{Key, Pod, PodPhase, Resource};
use seatrial::sim::{Delays, NodeTemplate, Simulation};
use serde_json::{Value, json};

fn cluster() -> Simulation {
    let node = NodeTemplate::new("n").capacity("example.com/gpu", "1").expect("a quantity");
    Simulation::builder().delays(Delays::ideal()).events(true).node(node).build().expect("a cluster")
}

/// A pod that somebody binds by name, past the scheduler.
fn bind(sim: &mut Simulation, name: &str, fields: Value) {
    bind_in(sim, "default", name, fields);
}

fn bind_in(sim: &mut Simulation, namespace: &str, name: &str, fields: Value) {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
    });
    for (key, value) in fields.as_object().expect("fields") {
        let (part, field) = key.split_once('.').unwrap_or(("spec", key));
        pod[part][field] = value.clone();
    }
    sim.apply(&pod.to_string()).expect("a pod");
    sim.run_for(SimDuration::from_secs(1));
}

fn asking(resources: Value) -> Value {
    json!({"containers": [{"name": "c", "image": "i", "resources": {"requests": resources, "limits": resources}}]})
}

fn pod<'a>(sim: &'a Simulation, name: &str) -> &'a Pod {
    sim.view().pods.iter().find(|pod| *pod.meta.name == *name).expect("a pod")
}

/// Reason and message of a pod that was refused.
fn refusal(sim: &Simulation, name: &str) -> (String, String) {
    let pod = pod(sim, name);
    assert_eq!(pod.status.phase, PodPhase::Failed, "{name}");
    let message = pod.status.message.strip_prefix("Pod was rejected: ").expect("a refusal").to_owned();
    let told = sim.view().events.iter().any(|event| {
        *event.involved_object.name == *name && event.reason == pod.status.reason && event.message == *message
    });
    assert!(told, "an Event says the same of {name}");
    assert!(pod.status.conditions.is_empty() && pod.status.start_time.is_some());
    (pod.status.reason.to_string(), message)
}

fn runs(sim: &Simulation, name: &str) -> bool {
    pod(sim, name).status.phase == PodPhase::Running
}

#[test]
fn what_does_not_fit_is_refused_in_upstreams_words() {
    let mut sim = cluster();
    bind(&mut sim, "half", asking(json!({"cpu": "3", "memory": "5Gi"})));
    assert!(runs(&sim, "half"));
    for (name, asked, reason, numbers) in [
        ("cpu", json!({"cpu": "1500m"}), "OutOfcpu", "cpu, requested: 1500, used: 3000, capacity: 4000"),
        (
            "memory",
            json!({"memory": "4Gi"}),
            "OutOfmemory",
            "memory, requested: 4294967296, used: 5368709120, capacity: 8589934592",
        ),
        (
            "disk",
            json!({"ephemeral-storage": "101Gi"}),
            "OutOfephemeral-storage",
            "ephemeral-storage, requested: 108447924224, used: 0, capacity: 107374182400",
        ),
        (
            "gpu",
            json!({"example.com/gpu": "2"}),
            "OutOfexample.com/gpu",
            "example.com/gpu, requested: 2, used: 0, capacity: 1",
        ),
        ("both", json!({"cpu": "2", "memory": "4Gi"}), "OutOfcpu", "cpu, requested: 2000, used: 3000, capacity: 4000"),
    ] {
        bind(&mut sim, name, asking(asked));
        let message = format!("Node didn't have enough resource: {numbers}");
        assert_eq!(refusal(&sim, name), (reason.to_owned(), message));
    }
    // What was refused takes no room, and a resource that the node does not know is not its own to refuse.
    bind(&mut sim, "rest", asking(json!({"cpu": "1", "memory": "3Gi", "example.com/licence": "5"})));
    assert!(runs(&sim, "rest"));
}

#[test]
fn the_number_of_pods_is_bounded() {
    let node = NodeTemplate::new("n").capacity("pods", "2").expect("a quantity");
    let mut sim = Simulation::builder().delays(Delays::ideal()).events(true).node(node).build().expect("a cluster");
    ["a", "b", "c"].into_iter().for_each(|name| bind(&mut sim, name, json!({})));
    let message = "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2".to_owned();
    assert_eq!(refusal(&sim, "c"), ("OutOfpods".to_owned(), message));
    sim.delete(&"pod/a".parse().expect("a target"), Default::default()).expect("deleted");
    sim.run_for(SimDuration::from_secs(40));
    bind(&mut sim, "d", json!({}));
    assert!(runs(&sim, "d"));
}

#[test]
fn predicates_have_their_reasons() {
    let mut sim = cluster();
    sim.taint("n", &json!([{"key": "maintenance", "effect": "NoExecute"}])).expect("tainted");
    let bears = json!([{"operator": "Exists"}]);
    let port = json!([{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}]);
    bind(&mut sim, "first", json!({"containers": port, "tolerations": bears}));
    assert!(runs(&sim, "first"));
    for (name, fields, reason, message) in [
        (
            "selector",
            json!({"nodeSelector": {"disk": "ssd"}, "tolerations": bears}),
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            "port",
            json!({"containers": port, "tolerations": bears}),
            "NodePorts",
            "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
        ),
        (
            "windows",
            json!({"os": {"name": "windows"}, "tolerations": bears}),
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
        ),
        (
            "labelled",
            json!({"metadata.labels": {"kubernetes.io/os": "windows"}, "tolerations": bears}),
            "PodOSSelectorNodeLabelDoesNotMatch",
            "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
        ),
        (
            "sysctl",
            json!({"securityContext": {"sysctls": [{"name": "kernel/msgmax", "value": "1"}]}, "tolerations": bears}),
            "SysctlForbidden",
            "forbidden sysctl: \"kernel.msgmax\" not allowlisted",
        ),
    ] {
        bind(&mut sim, name, fields);
        assert_eq!(refusal(&sim, name), (reason.to_owned(), message.to_owned()), "{name}");
    }
    // Who does not bear the taint is deleted besides.
    bind(&mut sim, "taint", json!({}));
    let told = sim.view().events.iter().find(|event| event.reason == *"TaintToleration").expect("an Event");
    assert_eq!(told.message, "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
    assert!(sim.view().pods.get(&Key::new("default", "taint")).is_none());
}

#[test]
fn under_memory_pressure_best_effort_pods_are_refused_and_under_disk_pressure_all() {
    let mut sim = cluster();
    sim.press("n", MachineResource::Memory, Eaten::Percent(99), None).expect("pressed");
    sim.run_until(SimTime::from_secs(11));
    bind(&mut sim, "nothing", json!({}));
    let refused = |names: &str| ("Evicted".to_owned(), format!("The node had condition: [{names}]. "));
    assert_eq!(refusal(&sim, "nothing"), refused("MemoryPressure"));
    let taint = json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}]);
    bind(&mut sim, "bears-it", json!({"tolerations": taint}));
    bind(&mut sim, "asks", asking(json!({"memory": "1Gi"})));
    // Taken, though the next round evicts one of them.
    assert!(runs(&sim, "bears-it") && runs(&sim, "asks"));
    sim.press("n", MachineResource::Disk, Eaten::Percent(99), None).expect("pressed");
    sim.run_for(SimDuration::from_secs(20));
    bind(&mut sim, "late", asking(json!({"memory": "1Gi"})));
    assert_eq!(refusal(&sim, "late"), refused("MemoryPressure DiskPressure"));
    bind_in(&mut sim, "kube-system", "critical", json!({"priorityClassName": "system-node-critical"}));
    assert!(runs(&sim, "critical"));
}

#[test]
fn room_is_made_for_a_critical_pod() {
    let mut sim = cluster();
    bind(&mut sim, "web", asking(json!({"cpu": "2", "memory": "1Gi"})));
    bind(&mut sim, "batch", {
        let request = json!({"requests": {"cpu": "2"}});
        json!({"containers": [{"name": "c", "image": "i", "resources": request}]})
    });
    let mut critical = asking(json!({"cpu": "1", "memory": "1Gi"}));
    critical["priorityClassName"] = "system-cluster-critical".into();
    bind_in(&mut sim, "kube-system", "critical", critical.clone());
    sim.run_for(SimDuration::from_secs(60));
    assert!(runs(&sim, "web") && runs(&sim, "critical"));
    let victim = pod(&sim, "batch");
    assert_eq!(victim.status.phase, PodPhase::Failed);
    assert_eq!(victim.status.reason, "Preempting");
    assert_eq!(victim.status.message, "Preempted in order to admit critical pod");
    let disruption = &victim.status.conditions[0];
    assert_eq!((&*disruption.kind, &*disruption.reason), ("DisruptionTarget", "TerminationByKubelet"));
    assert_eq!(disruption.message, "Pod was preempted by Kubelet to accommodate a critical pod.");
    // There is not enough in all: nobody is killed in vain.
    critical["containers"][0]["resources"] = json!({"requests": {"cpu": "8"}});
    bind_in(&mut sim, "kube-system", "too-big", critical);
    let (reason, message) = refusal(&sim, "too-big");
    assert_eq!(reason, "UnexpectedAdmissionError");
    let missing = "no set of running pods found to reclaim resources: [(res: cpu, q: 5000), ]";
    assert!(message.ends_with(missing), "{message}");
    assert!(runs(&sim, "web"));
}

#[test]
fn a_critical_pod_that_is_deleted_while_it_waits_never_starts() {
    let mut sim = cluster();
    let mut slow = asking(json!({"cpu": "4", "memory": "1Gi"}));
    let hook = json!({"preStop": {"sleep": {"seconds": 20}}});
    slow["containers"][0]["lifecycle"] = hook;
    bind(&mut sim, "slow", slow);
    let mut critical = asking(json!({"cpu": "1", "memory": "1Gi"}));
    critical["priorityClassName"] = "system-node-critical".into();
    bind_in(&mut sim, "kube-system", "critical", critical);
    assert_eq!(pod(&sim, "critical").status.phase, PodPhase::Pending);
    sim.delete(&"kube-system/pod/critical".parse().expect("a target"), Default::default()).expect("deleted");
    sim.run_for(SimDuration::from_secs(60));
    assert!(sim.view().pods.get(&Key::new("kube-system", "critical")).is_none());
    assert_eq!(pod(&sim, "slow").status.phase, PodPhase::Failed);
    assert_eq!(pod(&sim, "slow").key().name, "slow".into());
}

#[test]
fn a_pod_that_is_refused_while_it_is_being_deleted_goes() {
    let mut sim = cluster();
    bind(&mut sim, "a", asking(json!({"cpu": "1", "memory": "1Gi"})));
    sim.node_down("n").expect("down");
    sim.delete(&"pod/a".parse().expect("a target"), Default::default()).expect("deleted");
    sim.taint("n", &json!([{"key": "maintenance", "effect": "NoExecute"}])).expect("tainted");
    sim.node_up("n").expect("up");
    sim.run_for(SimDuration::from_secs(5));
    assert!(sim.view().pods.get(&Key::new("default", "a")).is_none());
}
