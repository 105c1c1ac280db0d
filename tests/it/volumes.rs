//! Volumes from claim to mount, and back: binder, drivers, attaching, kubelets and protection together.

use seatrial::api::{DeleteOptions, PatchType};
use seatrial::invariants::{ClaimKept, Invariant};
use seatrial::kernel::{SimDuration, SimTime};
use seatrial::kubelet::{BehaviourSpec, Exit, Writes};
use seatrial::objects::{Key, Kind};
use seatrial::report::{GetOptions, OutputFormat, Query, get};
use seatrial::sim::{Delays, NodeTemplate, Simulation, Target};
use serde_json::json;

const DISK: &str = "
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  capacity: {storage: 10Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: manual
  csi: {driver: disk.example.com, volumeHandle: disk-1}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], storageClassName: manual, resources: {requests: {storage: 10Gi}}}
";

fn pod(name: &str, node: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  nodeName: {node}
  tolerations: [{{operator: Exists}}]
  containers: [{{name: c, image: app}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
"
    )
}

fn target(text: &str) -> Target {
    text.parse().expect("a target")
}

/// Two machines, all delays, and containers that write to a volume named `data`.
fn cluster() -> Simulation {
    let writes = Writes { volume: "data".into(), token: None };
    let app = BehaviourSpec { image: "*".into(), writes: Some(writes), ..BehaviourSpec::default() };
    Simulation::builder().behaviour(app).events(true).nodes(2).build().expect("a cluster")
}

fn apply(sim: &mut Simulation, manifests: &str) {
    sim.apply(manifests).expect("accepted");
}

fn pass(sim: &mut Simulation, seconds: u64) {
    sim.run_for(SimDuration::from_secs(seconds));
}

fn is_ready(sim: &Simulation, name: &str) -> bool {
    sim.view().pods.get(&Key::new("default", name)).is_some_and(|pod| pod.is_ready())
}

fn delete(sim: &mut Simulation, what: &str, grace: Option<i64>) {
    let options = DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() };
    sim.delete(&target(what), options).expect("it exists");
}

fn messages(sim: &Simulation, reason: &str) -> Vec<String> {
    let events = sim.view().events.iter().filter(|event| *event.reason == *reason);
    events.map(|event| event.message.to_string()).collect()
}

fn attached_to(sim: &Simulation, volume: &str) -> Vec<String> {
    sim.view().attachments_of(volume).map(|attachment| attachment.spec.node_name.to_string()).collect()
}

#[test]
fn a_pod_starts_once_its_volume_is_attached_and_mounted() {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    apply(&mut sim, &pod("app", "node-0"));
    assert!(sim.run_until_condition(SimTime::from_secs(60), |view| view.pods.iter().all(|pod| pod.is_ready())));
    assert!(sim.now() >= SimTime::from_secs(7), "attaching takes 5 s, mounting 1 s, starting a while: {}", sim.now());
    assert_eq!(messages(&sim, "SuccessfulAttachVolume"), ["AttachVolume.Attach succeeded for volume \"disk\" "]);
    let node = sim.view().nodes.get(&Key::new("", "node-0")).expect("the node").status.rest.clone();
    let name = "kubernetes.io/csi/disk.example.com^disk-1";
    assert_eq!(
        (node["volumesInUse"].clone(), node["volumesAttached"][0]["name"].clone()),
        (json!([name]), json!(name))
    );
    delete(&mut sim, "pod/app", None);
    pass(&mut sim, 60);
    assert!(attached_to(&sim, "disk").is_empty());
    let node = &sim.view().nodes.get(&Key::new("", "node-0")).expect("the node").status.rest;
    assert!(node.get("volumesInUse").is_none() && node.get("volumesAttached").is_none());
}

#[test]
fn a_kubelet_says_why_it_waits_for_a_claim_that_is_not_bound() {
    let mut sim = cluster();
    apply(&mut sim, DISK.split("---").nth(1).expect("the claim"));
    apply(&mut sim, &pod("app", "node-0"));
    pass(&mut sim, 10);
    let why = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process \
               volumes=[data]: error processing PVC default/data: PVC is not bound";
    assert_eq!(messages(&sim, "FailedMount"), [why]);
    apply(&mut sim, DISK.split("---").next().expect("the volume"));
    pass(&mut sim, 60);
    assert!(is_ready(&sim, "app"));
}

#[test]
fn a_volume_for_one_node_moves_when_the_first_pod_has_gone() {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    apply(&mut sim, &pod("first", "node-0"));
    pass(&mut sim, 30);
    apply(&mut sim, &pod("second", "node-1"));
    pass(&mut sim, 30);
    let why = "Multi-Attach error for volume \"disk\" Volume is already used by pod(s) first";
    assert_eq!(messages(&sim, "FailedAttachVolume"), [why]);
    assert!(!is_ready(&sim, "second") && attached_to(&sim, "disk") == ["node-0"]);
    delete(&mut sim, "pod/first", None);
    pass(&mut sim, 60);
    assert!(is_ready(&sim, "second") && attached_to(&sim, "disk") == ["node-1"]);
    let found = |name: &str| {
        let pod = sim.view().pods.get(&Key::new("default", name)).expect("the pod");
        sim.disks().was_found_by(&pod.meta.uid)
    };
    assert!(found("second"));
    assert!(
        sim.disks()
            .content_of_claim(sim.view(), &Key::new("default", "data"))
            .is_some_and(|c| c.token.starts_with("first/"))
    );
}

/// A node dies with the volume attached; the pod on it is deleted by force, and another wants the volume.
fn after_node_loss() -> Simulation {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    apply(&mut sim, &pod("first", "node-0"));
    pass(&mut sim, 30);
    sim.node_down("node-0").expect("it is up");
    pass(&mut sim, 120);
    apply(&mut sim, &pod("second", "node-1"));
    pass(&mut sim, 10);
    sim
}

#[test]
fn a_dead_node_keeps_its_volume_for_six_minutes() {
    let mut sim = after_node_loss();
    delete(&mut sim, "pod/first", Some(0));
    pass(&mut sim, 359);
    assert_eq!(attached_to(&sim, "disk"), ["node-0"]);
    pass(&mut sim, 60);
    assert!(is_ready(&sim, "second") && attached_to(&sim, "disk") == ["node-1"]);
}

#[test]
fn a_node_that_comes_back_lets_the_volume_go() {
    let mut sim = after_node_loss();
    delete(&mut sim, "pod/first", Some(0));
    pass(&mut sim, 30);
    sim.node_up("node-0").expect("it was down");
    pass(&mut sim, 60);
    assert!(is_ready(&sim, "second") && attached_to(&sim, "disk") == ["node-1"]);
}

#[test]
fn a_node_that_is_out_of_service_lets_the_volume_go_at_once() {
    let mut sim = after_node_loss();
    let pods = |sim: &Simulation| sim.view().pods.len();
    // Tolerating everything, the pod is not evicted; being deleted, it is collected from a node out of service.
    delete(&mut sim, "pod/first", None);
    pass(&mut sim, 60);
    assert_eq!(pods(&sim), 2, "no kubelet confirms that it is gone");
    let taint = json!([{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute", "value": "nodeshutdown"}]);
    sim.taint("node-0", &taint).expect("the node");
    pass(&mut sim, 60);
    assert_eq!(pods(&sim), 1);
    assert!(is_ready(&sim, "second") && attached_to(&sim, "disk") == ["node-1"]);
}

const CLASS: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}
provisioner: disk.example.com
reclaimPolicy: Delete
";

fn claim(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 10Gi}}}}}}
"
    )
}

#[test]
fn a_volume_is_made_for_a_claim_and_deleted_with_it() {
    let mut sim = cluster();
    apply(&mut sim, CLASS);
    apply(&mut sim, &claim("data"));
    apply(&mut sim, &pod("app", "node-0"));
    pass(&mut sim, 60);
    assert!(is_ready(&sim, "app"));
    let volumes = |sim: &Simulation| -> Vec<String> {
        sim.view().persistent_volumes.iter().map(|v| format!("{} {}", v.phase(), v.meta.finalizers.join(","))).collect()
    };
    let finalizers = "external-provisioner.volume.kubernetes.io/finalizer,kubernetes.io/pv-protection";
    assert_eq!(volumes(&sim), [format!("Bound {finalizers}")]);
    delete(&mut sim, "pvc/data", None);
    pass(&mut sim, 60);
    assert_eq!(volumes(&sim), [format!("Bound {finalizers}")], "the claim is in use");
    delete(&mut sim, "pod/app", None);
    pass(&mut sim, 60);
    assert!(sim.view().persistent_volume_claims.is_empty() && volumes(&sim).is_empty());
    assert!(sim.view().volume_attachments.is_empty());
}

#[test]
fn claims_of_a_set_take_turns_in_the_zones() {
    let mut builder = Simulation::builder().delays(Delays::ideal());
    for zone in ["a", "b", "c"] {
        builder = builder.node(NodeTemplate::new(format!("in-{zone}")).label("topology.kubernetes.io/zone", zone));
    }
    let mut sim = builder.build().expect("a cluster");
    apply(&mut sim, CLASS);
    (0..6).for_each(|n| apply(&mut sim, &claim(&format!("data-db-{n}"))));
    assert!(sim.run_until_quiescent(SimTime::from_secs(60)));
    let zones: Vec<String> = (0..6)
        .map(|n| {
            let claim =
                sim.view().persistent_volume_claims.get(&Key::new("default", format!("data-db-{n}"))).expect("it");
            let volume = sim.view().persistent_volumes.get(&Key::new("", &*claim.spec.volume_name)).expect("bound");
            let terms = &volume
                .spec
                .node_affinity
                .as_ref()
                .and_then(|a| a.required.as_ref())
                .expect("a zone")
                .node_selector_terms;
            terms[0].match_expressions[0].values[0].to_string()
        })
        .collect();
    assert_eq!(zones[..3], zones[3..]);
    assert_eq!(zones[..3].iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{zones:?}");
}

#[test]
fn what_is_in_use_is_protected() {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    pass(&mut sim, 5);
    delete(&mut sim, "pv/disk", None);
    pass(&mut sim, 5);
    assert!(sim.view().persistent_volumes.len() == 1, "it is bound");
    // A pod without a node does not hold a claim, one that has ended does.
    apply(&mut sim, &pod("ended", "node-0").replace("containers:", "restartPolicy: Never\n  containers:"));
    pass(&mut sim, 30);
    let ended = json!({"status": {"phase": "Succeeded"}});
    sim.patch(&target("pod/ended"), PatchType::Merge, &ended).expect("patched");
    delete(&mut sim, "pvc/data", None);
    pass(&mut sim, 5);
    assert_eq!(sim.view().persistent_volume_claims.len(), 1);
    delete(&mut sim, "pod/ended", None);
    pass(&mut sim, 60);
    assert!(sim.view().persistent_volume_claims.is_empty() && sim.view().persistent_volumes.is_empty());
}

#[test]
fn the_content_of_an_empty_dir_outlives_containers_and_goes_with_the_pod() {
    let writes = Writes { volume: "scratch".into(), token: Some("mine".into()) };
    let exit = Exit { after: SimDuration::from_secs(5).into(), once: true, code: 1 };
    let app = BehaviourSpec { image: "*".into(), writes: Some(writes), exit: Some(exit), ..BehaviourSpec::default() };
    let mut sim = Simulation::builder().behaviour(app).nodes(1).build().expect("a cluster");
    let manifest = "
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers: [{name: c, image: app}]
  volumes: [{name: scratch, emptyDir: {}}]
";
    for round in 0..2 {
        apply(&mut sim, manifest);
        pass(&mut sim, 60);
        let pod = sim.view().pods.get(&Key::new("default", "app")).expect("the pod").clone();
        assert_eq!(pod.status.container_statuses[0].restart_count, 1);
        assert!(!sim.disks().was_found_by(&pod.meta.uid), "round {round}");
        delete(&mut sim, "pod/app", None);
        pass(&mut sim, 60);
    }
}

#[test]
fn a_claim_that_is_lost_although_its_volume_is_there_is_a_broken_promise() {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    apply(&mut sim, &pod("app", "node-0"));
    pass(&mut sim, 30);
    let mut kept = ClaimKept::of(Key::new("default", "data"));
    assert!(kept.check(&sim).is_ok());
    let stolen = json!({"spec": {"claimRef": {"uid": "another"}}});
    sim.patch(&target("pv/disk"), PatchType::Merge, &stolen).expect("patched");
    apply(
        &mut sim,
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, labels: {look: again}}, spec: {accessModes: [ReadWriteOnce], storageClassName: manual, resources: {requests: {storage: 10Gi}}}}",
    );
    pass(&mut sim, 5);
    assert_eq!(messages(&sim, "ClaimMisbound").len(), 1);
    let violation = kept.check(&sim).expect_err("it is lost");
    assert_eq!(violation.story, "the claim is lost, although volume disk is there");
}

#[test]
fn storage_is_listed_as_kubectl_lists_it() {
    let mut sim = cluster();
    apply(&mut sim, DISK);
    apply(&mut sim, CLASS);
    apply(&mut sim, &pod("app", "node-0"));
    pass(&mut sim, 30);
    let table = |kind: Kind, format: OutputFormat| {
        let query = Query { namespace: Some("default".into()), ..Query::all(kind) };
        get(&sim, &GetOptions { format, ..query.into() }).expect("a table").text
    };
    let all = [
        table(Kind::PersistentVolume, OutputFormat::Table),
        table(Kind::PersistentVolumeClaim, OutputFormat::Wide),
        table(Kind::StorageClass, OutputFormat::Table),
        table(Kind::VolumeAttachment, OutputFormat::Table),
    ];
    insta::assert_snapshot!(all.join("\n"));
}
