//! Claims of pods: names, owners, and what waits for them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Cluster, key};
use crate::api::DeleteOptions;
use crate::controllers::controller_ref::controller_reference;
use crate::objects::{Kind, ObjectMeta, PersistentVolumeClaim, PodPhase, Uid};

fn spec(deleted: &str, scaled: &str) -> Value {
    json!({
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": deleted, "whenScaled": scaled},
        "volumeClaimTemplates": [{
            "metadata": {"name": "data", "labels": {"tier": "db"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }],
    })
}

fn claim(cluster: &Cluster, name: &str) -> Arc<PersistentVolumeClaim> {
    cluster.object(name).expect("it is there")
}

/// Kinds of the owners of each claim.
fn owners(cluster: &Cluster) -> Vec<String> {
    let claims = cluster.0.store.persistent_volume_claims.iter();
    let owners = |claim: &Arc<PersistentVolumeClaim>| {
        let owners = claim.meta.owner_references.iter().map(|owner| format!("{}/{}", owner.kind, owner.name));
        format!("{}: {}", claim.meta.name, owners.collect::<Vec<_>>().join(" ")).trim_end().to_owned()
    };
    let mut owners: Vec<String> = claims.map(owners).collect();
    owners.sort();
    owners
}

#[test]
fn each_pod_gets_its_claims_before_it_is_made() {
    let mut cluster = Cluster::new(spec("Retain", "Retain"));
    let claim = claim(&cluster, "data-web-0");
    assert_eq!((claim.meta.labels.get("tier"), claim.meta.labels.get("app")), (Some("db"), Some("web")));
    assert!(claim.meta.owner_references.is_empty());
    let volume = &cluster.pod("web-0").spec.wire()["volumes"][0];
    assert_eq!(*volume, json!({"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}));
    assert_eq!(
        cluster.events(),
        [
            "SuccessfulCreate Create Claim data-web-0 Pod web-0 in StatefulSet web success",
            "SuccessfulCreate Create Pod web-0 in StatefulSet web successful"
        ]
    );
}

#[test]
fn a_claim_replaces_a_volume_of_its_name() {
    let mut with_volumes = spec("Retain", "Retain");
    let volumes = json!([{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]);
    with_volumes["template"] = json!({"spec": {"volumes": volumes}});
    let cluster = Cluster::new(with_volumes);
    let volumes = cluster.pod("web-0").spec.wire()["volumes"].as_array().unwrap().clone();
    assert_eq!(volumes.len(), 2);
    assert!(volumes[0].get("persistentVolumeClaim").is_some() && volumes[1]["name"] == "tmp");
}

#[test]
fn claims_stay_when_pods_go() {
    let mut cluster = Cluster::ready(spec("Retain", "Retain"));
    let uid = claim(&cluster, "data-web-2").meta.uid.clone();
    cluster.patch(&json!({"replicas": 1}));
    cluster.finish();
    assert_eq!(owners(&cluster), ["data-web-0:", "data-web-1:", "data-web-2:"]);
    cluster.patch(&json!({"replicas": 3}));
    cluster.finish();
    assert_eq!(claim(&cluster, "data-web-2").meta.uid, uid);
}

#[test]
fn the_policy_decides_who_owns_the_claims() {
    let scaled_in = |deleted, scaled| {
        let mut cluster = Cluster::ready(spec(deleted, scaled));
        let before = owners(&cluster).join(", ");
        cluster.patch(&json!({"replicas": 2}));
        let after = owners(&cluster).pop().unwrap();
        (before, after)
    };
    let all = |owner: &str| [0, 1, 2].map(|n| format!("data-web-{n}: {owner}").trim_end().to_owned()).join(", ");
    let (set, pod) = ("data-web-2: StatefulSet/web".to_owned(), "data-web-2: Pod/web-2".to_owned());
    assert_eq!(scaled_in("Retain", "Retain"), (all(""), "data-web-2:".to_owned()));
    assert_eq!(scaled_in("Delete", "Retain"), (all("StatefulSet/web"), set));
    assert_eq!(scaled_in("Retain", "Delete"), (all(""), pod.clone()));
    assert_eq!(scaled_in("Delete", "Delete"), (all("StatefulSet/web"), pod));
}

#[test]
fn a_changed_policy_changes_the_owners_of_existing_claims() {
    let mut cluster = Cluster::ready(spec("Retain", "Retain"));
    cluster.patch(&spec("Delete", "Retain"));
    assert_eq!(owners(&cluster)[0], "data-web-0: StatefulSet/web");
    assert_eq!(cluster.events()[0], "SuccessfulUpdate Update Pod web-0 in StatefulSet web successful");
    cluster.patch(&spec("Retain", "Retain"));
    assert_eq!(owners(&cluster)[0], "data-web-0:");
}

#[test]
fn a_pod_waits_while_its_claim_belongs_to_its_predecessor() {
    let mut cluster = Cluster::ready(spec("Retain", "Delete"));
    cluster.patch(&json!({"replicas": 2}));
    cluster.remove("web-2");
    // The garbage collector has not got to the claim yet.
    cluster.patch(&json!({"replicas": 3}));
    assert_eq!(cluster.pods(), "web-0 web-1");
    cluster.0.delete(Kind::PersistentVolumeClaim, &key("data-web-2"), &DeleteOptions::default()).unwrap();
    cluster.0.sync_now(&key("web"));
    assert_eq!((cluster.pods(), owners(&cluster).len()), ("web-0 web-1 web-2".to_owned(), 3));
}

#[test]
fn a_claim_that_is_being_deleted_holds_its_pod_up() {
    let mut cluster = Cluster::ready(spec("Retain", "Retain"));
    let held = claim(&cluster, "data-web-2");
    let mut held = PersistentVolumeClaim::clone(&held);
    held.meta.finalizers = vec!["kubernetes.io/pvc-protection".into()].into();
    cluster.0.update(&held.into()).unwrap();
    cluster.0.delete(Kind::PersistentVolumeClaim, &key("data-web-2"), &DeleteOptions::default()).unwrap();
    cluster.delete("web-2");
    cluster.remove("web-2");
    assert_eq!(cluster.pods(), "web-0 web-1");
    let told = "FailedCreate Create Pod web-2 in StatefulSet web failed error: pvc data-web-2 is being deleted";
    assert!(cluster.events().contains(&told.to_owned()));
}

#[test]
fn a_pending_pod_gets_a_claim_that_vanished() {
    let mut cluster = Cluster::new(spec("Retain", "Retain"));
    cluster.0.delete(Kind::PersistentVolumeClaim, &key("data-web-0"), &DeleteOptions::default()).unwrap();
    cluster.change("web-0", PodPhase::Pending, false);
    assert_eq!(owners(&cluster), ["data-web-0:"]);
}

#[test]
fn claims_that_something_else_manages_are_left_alone_and_that_is_told() {
    let mut cluster = Cluster::ready(spec("Retain", "Retain"));
    let mut other = PersistentVolumeClaim::clone(&claim(&cluster, "data-web-0"));
    let operator = ObjectMeta { name: "op".into(), uid: Uid::uuid(77), ..ObjectMeta::default() };
    other.meta.owner_references = vec![controller_reference(Kind::ReplicaSet, &operator)].into();
    cluster.0.update(&other.into()).unwrap();
    cluster.patch(&spec("Delete", "Retain"));
    assert_eq!(owners(&cluster)[..2], ["data-web-0: ReplicaSet/op", "data-web-1: StatefulSet/web"]);
}

#[test]
fn claims_of_an_earlier_set_of_that_name_are_left_alone() {
    let mut cluster = Cluster::ready(spec("Delete", "Retain"));
    let mut stale = PersistentVolumeClaim::clone(&claim(&cluster, "data-web-0"));
    let earlier = ObjectMeta { name: "web".into(), uid: Uid::uuid(77), ..ObjectMeta::default() };
    stale.meta.owner_references = vec![controller_reference(Kind::StatefulSet, &earlier)].into();
    cluster.0.update(&stale.into()).unwrap();
    cluster.0.sync_now(&key("web"));
    assert_eq!(claim(&cluster, "data-web-0").meta.owner_references[0].uid, Uid::uuid(77));
}
