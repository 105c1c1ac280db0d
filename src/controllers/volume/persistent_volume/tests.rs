use serde_json::{Value, json};

use super::PersistentVolumeController;
use crate::api::{DeleteOptions, Part, Request};
use crate::controllers::test_cluster::TestCluster;
use crate::objects::{Key, Kind, Object, PersistentVolume, PersistentVolumeClaim};

type Cluster = TestCluster<PersistentVolumeController>;

fn merge(document: &mut Value, changes: Value) {
    match (document, changes) {
        (Value::Object(document), Value::Object(changes)) => {
            changes.into_iter().for_each(|(key, change)| merge(document.entry(key).or_insert(Value::Null), change));
        }
        (document, change) => *document = change,
    }
}

fn volume(cluster: &mut Cluster, name: &str, size: &str, modes: &[&str], changes: Value) {
    let mut wire = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {"capacity": {"storage": size}, "accessModes": modes, "storageClassName": "manual",
                 "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/d"}}});
    merge(&mut wire, changes);
    cluster.apply(wire);
}

fn claim(cluster: &mut Cluster, name: &str, size: &str, modes: &[&str], changes: Value) {
    let mut wire = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"}, "status": {"phase": "Pending"},
        "spec": {"accessModes": modes, "storageClassName": "manual", "resources": {"requests": {"storage": size}}}});
    merge(&mut wire, changes);
    cluster.apply(wire);
}

fn class(cluster: &mut Cluster, name: &str, provisioner: &str, mode: &str, annotations: Value) {
    cluster.apply(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations}, "provisioner": provisioner, "volumeBindingMode": mode}));
}

fn get(cluster: &Cluster, name: &str) -> PersistentVolumeClaim {
    cluster.store.persistent_volume_claims.get(&Key::new("default", name)).expect("the claim").as_ref().clone()
}

fn get_volume(cluster: &Cluster, name: &str) -> PersistentVolume {
    cluster.store.persistent_volumes.get(&Key::new("", name)).expect("the volume").as_ref().clone()
}

/// Phase and volume of a claim.
fn state(cluster: &Cluster, name: &str) -> String {
    let claim = get(cluster, name);
    format!("{} {}", claim.status.phase, claim.spec.volume_name)
}

fn phase(cluster: &Cluster, volume: &str) -> String {
    get_volume(cluster, volume).status.phase.to_string()
}

fn said(cluster: &Cluster) -> Vec<String> {
    cluster.events.iter().map(|event| format!("{} {}", event.reason, event.message)).collect()
}

fn delete_claim(cluster: &mut Cluster, name: &str) {
    let key = Key::new("default", name);
    cluster.delete(Kind::PersistentVolumeClaim, &key, &DeleteOptions::default()).expect("it exists");
}

const RWO: &[&str] = &["ReadWriteOnce"];

#[test]
fn a_claim_gets_the_smallest_volume_in_four_writes() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "big", "10Gi", RWO, json!({}));
    volume(&mut cluster, "fits", "3Gi", RWO, json!({}));
    volume(&mut cluster, "small", "1Gi", RWO, json!({}));
    cluster.run();
    cluster.writes.clear();
    claim(&mut cluster, "data", "2Gi", RWO, json!({}));
    cluster.run();
    let expected = [
        "update Main PersistentVolume/fits",
        "update Status PersistentVolume/fits",
        "update Main PersistentVolumeClaim/default/data",
        "update Status PersistentVolumeClaim/default/data",
    ];
    assert_eq!(cluster.writes, expected);
    assert_eq!(state(&cluster, "data"), "Bound fits");
    let claim = get(&cluster, "data");
    assert_eq!((claim.capacity().to_string(), claim.status.access_modes.to_string()), ("3Gi".into(), "RWO".into()));
    assert_eq!(claim.meta.annotations.get("pv.kubernetes.io/bind-completed"), Some("yes"));
    assert_eq!(claim.meta.annotations.get("pv.kubernetes.io/bound-by-controller"), Some("yes"));
    assert_eq!(get_volume(&cluster, "fits").spec.claim_ref.clone().map(|claim| claim.uid), Some(claim.meta.uid));
    assert_eq!([phase(&cluster, "big"), phase(&cluster, "fits")], ["Available", "Bound"]);
}

#[test]
fn just_the_modes_asked_for_come_before_the_size() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "many", "2Gi", &["ReadWriteOnce", "ReadOnlyMany"], json!({}));
    volume(&mut cluster, "once", "100Gi", RWO, json!({}));
    cluster.run();
    claim(&mut cluster, "a", "2Gi", RWO, json!({}));
    claim(&mut cluster, "b", "2Gi", RWO, json!({}));
    claim(&mut cluster, "c", "2Gi", &["ReadWriteMany"], json!({}));
    cluster.run();
    assert_eq!(["a", "b", "c"].map(|name| state(&cluster, name)), ["Bound once", "Bound many", "Pending "]);
}

#[test]
fn class_selector_mode_and_phase_must_suit() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "class", "2Gi", RWO, json!({"spec": {"storageClassName": "other"}}));
    volume(&mut cluster, "device", "2Gi", RWO, json!({"spec": {"volumeMode": "Block"}}));
    volume(&mut cluster, "unlabelled", "2Gi", RWO, json!({}));
    volume(&mut cluster, "going", "2Gi", RWO, json!({"metadata": {"labels": {"disk": "fast"}, "finalizers": ["x/y"]}}));
    cluster.run();
    cluster.delete(Kind::PersistentVolume, &Key::new("", "going"), &DeleteOptions::default()).expect("it exists");
    claim(&mut cluster, "data", "1Gi", RWO, json!({"spec": {"selector": {"matchLabels": {"disk": "fast"}}}}));
    cluster.run();
    assert_eq!(state(&cluster, "data"), "Pending ");
    assert_eq!(said(&cluster), ["ProvisioningFailed storageclass.storage.k8s.io \"manual\" not found"]);
    volume(&mut cluster, "labelled", "2Gi", RWO, json!({"metadata": {"labels": {"disk": "fast"}}}));
    cluster.run();
    assert_eq!(state(&cluster, "data"), "Pending ", "until the next look at everything");
    cluster.run_for(15);
    assert_eq!(state(&cluster, "data"), "Bound labelled");
}

#[test]
fn a_volume_kept_for_a_claim_wins_and_is_not_marked() {
    let mut cluster = Cluster::default();
    let kept = json!({"spec": {"claimRef": {"namespace": "default", "name": "data"}}});
    volume(&mut cluster, "kept", "10Gi", RWO, kept);
    volume(&mut cluster, "small", "1Gi", RWO, json!({}));
    let stale = json!({"spec": {"claimRef": {"namespace": "default", "name": "new", "uid": "another"}}});
    volume(&mut cluster, "stale", "1Gi", RWO, stale);
    cluster.run();
    assert_eq!(phase(&cluster, "stale"), "Released");
    claim(&mut cluster, "data", "1Gi", RWO, json!({}));
    cluster.run();
    assert_eq!(state(&cluster, "data"), "Bound kept");
    assert_eq!(get_volume(&cluster, "kept").meta.annotations.get("pv.kubernetes.io/bound-by-controller"), None);
    delete_claim(&mut cluster, "data");
    cluster.run();
    assert_eq!(phase(&cluster, "kept"), "Released", "policy Retain");
    claim(&mut cluster, "data", "5Gi", RWO, json!({}));
    cluster.run();
    assert_eq!(state(&cluster, "data"), "Pending ", "a new claim of that name is another claim");
}

#[test]
fn a_named_volume_is_taken_as_it_is_or_not_at_all() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "disk", "1Gi", RWO, json!({}));
    cluster.run();
    let named = |volume: &str| json!({"spec": {"volumeName": volume}});
    for (name, size, modes, why) in [
        ("big", "2Gi", RWO, "requested PV is too small"),
        ("many", "1Gi", &["ReadWriteMany"], "incompatible accessMode"),
    ] {
        cluster.events.clear();
        claim(&mut cluster, name, size, modes, named("disk"));
        cluster.run();
        assert_eq!(said(&cluster), [format!("VolumeMismatch Cannot bind to requested volume \"disk\": {why}")]);
    }
    let mut mine = named("disk");
    merge(&mut mine, json!({"spec": {"selector": {"matchLabels": {"no": "such"}}}}));
    claim(&mut cluster, "mine", "1Gi", RWO, mine);
    cluster.run();
    assert_eq!(state(&cluster, "mine"), "Bound disk", "whatever the selector says");
    assert_eq!(get(&cluster, "mine").meta.annotations.get("pv.kubernetes.io/bound-by-controller"), None);
    cluster.events.clear();
    claim(&mut cluster, "late", "1Gi", RWO, named("disk"));
    claim(&mut cluster, "early", "1Gi", RWO, named("to-come"));
    cluster.run();
    assert_eq!(said(&cluster), ["FailedBinding volume \"disk\" already bound to a different claim."]);
    assert_eq!([state(&cluster, "late"), state(&cluster, "early")], ["Pending disk", "Pending to-come"]);
}

#[test]
fn a_claim_that_waits_only_takes_what_is_kept_for_it() {
    let mut cluster = Cluster::default();
    class(&mut cluster, "manual", "kubernetes.io/no-provisioner", "WaitForFirstConsumer", json!({}));
    volume(&mut cluster, "free", "1Gi", RWO, json!({}));
    volume(&mut cluster, "kept", "1Gi", RWO, json!({"spec": {"claimRef": {"namespace": "default", "name": "kept"}}}));
    claim(&mut cluster, "waits", "1Gi", RWO, json!({}));
    cluster.run();
    assert_eq!(said(&cluster), ["WaitForFirstConsumer waiting for first consumer to be created before binding"]);
    claim(&mut cluster, "kept", "1Gi", RWO, json!({}));
    cluster.apply(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "waits"}}]}}));
    cluster.run_for(15);
    assert_eq!([state(&cluster, "waits"), state(&cluster, "kept")], ["Pending ", "Bound kept"]);
    assert_eq!(
        said(&cluster).last().map(String::as_str),
        Some("WaitForPodScheduled waiting for pod web to be scheduled")
    );
}

#[test]
fn the_default_class_is_given_afterwards_and_its_provisioner_is_asked() {
    let mut cluster = Cluster::default();
    claim(&mut cluster, "data", "1Gi", RWO, json!({"spec": {"storageClassName": null}}));
    cluster.run();
    let none = "FailedBinding no persistent volumes available for this claim and no storage class is set";
    assert_eq!(said(&cluster), [none]);
    let default = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    class(&mut cluster, "fast", "disk.example.com", "Immediate", default);
    cluster.events.clear();
    cluster.run_for(15);
    let claim = get(&cluster, "data");
    assert_eq!(claim.class_given(), Some("fast"));
    assert_eq!(claim.meta.annotations.get("volume.kubernetes.io/storage-provisioner"), Some("disk.example.com"));
    assert!(said(&cluster)[0].starts_with("ExternalProvisioning Waiting for a volume to be created either by the external provisioner 'disk.example.com' or manually"));
    class(&mut cluster, "none", "kubernetes.io/no-provisioner", "Immediate", json!({}));
    cluster.events.clear();
    super::tests::claim(&mut cluster, "never", "1Gi", RWO, json!({"spec": {"storageClassName": "none"}}));
    cluster.run();
    assert_eq!(said(&cluster), ["ProvisioningFailed no volume plugin matched name: kubernetes.io/no-provisioner"]);
}

#[test]
fn a_bound_claim_whose_volume_goes_is_lost() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "disk", "1Gi", RWO, json!({}));
    cluster.run();
    claim(&mut cluster, "data", "1Gi", RWO, json!({}));
    cluster.run();
    cluster.delete(Kind::PersistentVolume, &Key::new("", "disk"), &DeleteOptions::default()).expect("it exists");
    cluster.run();
    assert_eq!(state(&cluster, "data"), "Lost disk");
    assert_eq!(said(&cluster), ["ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!"]);
}

fn released(policy: &str, source: Value) -> Cluster {
    let mut cluster = Cluster::default();
    let spec = json!({"spec": {"persistentVolumeReclaimPolicy": policy, "hostPath": null}});
    volume(&mut cluster, "disk", "1Gi", RWO, spec);
    let key = Key::new("", "disk");
    let mut wire = cluster.store.object(Kind::PersistentVolume, &key).expect("it exists").to_wire();
    merge(&mut wire["spec"], source);
    cluster.update(&Object::from_wire(wire).expect("well-formed")).expect("it exists");
    cluster.run();
    claim(&mut cluster, "data", "1Gi", RWO, json!({}));
    cluster.run();
    delete_claim(&mut cluster, "data");
    cluster.run();
    cluster
}

#[test]
fn a_volume_to_be_deleted_goes_or_fails() {
    let cluster = released("Delete", json!({"hostPath": {"path": "/tmp/d"}}));
    assert!(cluster.store.persistent_volumes.is_empty());
    for (source, why) in [
        (json!({"hostPath": {"path": "/d"}}), "host_path deleter only supports /tmp/.+ but received provided /d"),
        (
            json!({"nfs": {"server": "s", "path": "/"}}),
            "error getting deleter volume plugin for volume \"disk\": no deletable volume plugin matched",
        ),
    ] {
        let cluster = released("Delete", source);
        let disk = get_volume(&cluster, "disk");
        assert_eq!((&*disk.status.phase, &*disk.status.message), ("Failed", why));
        assert_eq!(said(&cluster), [format!("VolumeFailedDelete {why}")]);
    }
    let cluster = released("Delete", json!({"csi": {"driver": "disk.example.com", "volumeHandle": "h"}}));
    assert_eq!(phase(&cluster, "disk"), "Released", "for its driver to delete");
}

#[test]
fn a_volume_to_be_recycled_is_free_again_after_a_while() {
    let mut cluster = released("Recycle", json!({"nfs": {"server": "s", "path": "/"}}));
    assert_eq!(phase(&cluster, "disk"), "Released");
    cluster.run_for(9);
    assert_eq!(phase(&cluster, "disk"), "Released");
    cluster.run_for(1);
    assert_eq!(
        (phase(&cluster, "disk"), said(&cluster)),
        ("Available".into(), vec!["VolumeRecycled Volume recycled".into()])
    );
    assert_eq!(get_volume(&cluster, "disk").spec.claim_ref, None);
    let cluster = released("Recycle", json!({"local": {"path": "/d"}}));
    assert_eq!(phase(&cluster, "disk"), "Failed");
}

#[test]
fn two_claims_that_the_informer_shows_late_do_not_get_the_same_volume() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "one", "1Gi", RWO, json!({}));
    volume(&mut cluster, "two", "2Gi", RWO, json!({}));
    cluster.run();
    claim(&mut cluster, "a", "1Gi", RWO, json!({}));
    claim(&mut cluster, "b", "1Gi", RWO, json!({}));
    cluster.frozen = true;
    cluster.run();
    assert_eq!([state(&cluster, "a"), state(&cluster, "b")], ["Bound one", "Bound two"]);
    assert!(cluster.failures.is_empty());
}

#[test]
fn a_binding_that_broke_off_goes_on() {
    for refused in ["Status PersistentVolume/", "Main PersistentVolumeClaim", "Status PersistentVolumeClaim"] {
        let mut cluster = Cluster::default();
        volume(&mut cluster, "disk", "1Gi", RWO, json!({}));
        cluster.run();
        cluster.refuse = Some(refused);
        claim(&mut cluster, "data", "1Gi", RWO, json!({}));
        cluster.run();
        assert!(!cluster.failures.is_empty(), "{refused}");
        cluster.refuse = None;
        cluster.run_for(1);
        assert_eq!(
            (state(&cluster, "data"), phase(&cluster, "disk")),
            ("Bound disk".into(), "Bound".into()),
            "{refused}"
        );
    }
}

#[test]
fn a_claim_that_is_bound_again_is_found_out() {
    let mut cluster = Cluster::default();
    volume(&mut cluster, "disk", "1Gi", RWO, json!({}));
    cluster.run();
    claim(&mut cluster, "data", "1Gi", RWO, json!({}));
    cluster.run();
    let mut disk = get_volume(&cluster, "disk");
    std::sync::Arc::make_mut(&mut disk.spec).claim_ref = None;
    let request = Request::Update(disk.into(), Part::Main);
    if let Request::Update(object, _) = &request {
        cluster.update(object).expect("it exists");
    }
    cluster.run();
    assert_eq!(phase(&cluster, "disk"), "Available", "until the claim is looked at");
    let data: Object = get(&cluster, "data").into();
    cluster.update(&data.with_meta(|meta| meta.resource_version = 0)).expect("it exists");
    cluster.run();
    assert_eq!((state(&cluster, "data"), phase(&cluster, "disk")), ("Bound disk".into(), "Bound".into()));
}
