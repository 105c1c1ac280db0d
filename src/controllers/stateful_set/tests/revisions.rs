//! Updates: the order, partitions, broken revisions, and the history.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Cluster;
use crate::controllers::history;
use crate::objects::{ControllerRevision, PodPhase};

#[test]
fn an_update_goes_from_the_highest_ordinal_down_and_waits_for_each_pod() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.set_image("web:v2");
    assert_eq!(cluster.pods(), "web-0 web-1 (web-2)");
    assert_eq!((cluster.set().status.current_replicas, cluster.set().status.updated_replicas), (2, 0));
    cluster.remove("web-2");
    assert_eq!(cluster.images(), "v1 v1 v2");
    cluster.change("web-2", PodPhase::Running, false);
    assert_eq!(cluster.pods(), "web-0 web-1 web-2");
    cluster.make_ready("web-2");
    assert_eq!(cluster.pods(), "web-0 (web-1) web-2");
    assert_ne!(cluster.set().status.current_revision, cluster.set().status.update_revision);
    cluster.finish();
    assert_eq!(cluster.images(), "v2 v2 v2");
    let status = &cluster.set().status;
    assert_eq!((status.current_replicas, status.updated_replicas), (3, 3));
    assert_eq!(status.current_revision, status.update_revision);
}

#[test]
fn parallel_pods_are_updated_one_at_a_time_too() {
    let mut cluster = Cluster::ready(json!({"podManagementPolicy": "Parallel"}));
    cluster.set_image("web:v2");
    assert_eq!(cluster.pods(), "web-0 web-1 (web-2)");
}

fn partition(partition: i32) -> Value {
    json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}})
}

#[test]
fn pods_below_the_partition_keep_the_old_revision_also_when_they_are_made_anew() {
    let mut cluster = Cluster::ready(partition(2));
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!(cluster.images(), "v1 v1 v2");
    let (old, new) = (cluster.set().status.current_revision.clone(), cluster.set().status.update_revision.clone());
    assert_ne!(old, new);
    cluster.delete("web-0");
    cluster.finish();
    assert_eq!((cluster.images(), cluster.revision_of("web-0")), ("v1 v1 v2".to_owned(), old.to_string()));
    cluster.patch(&json!({"replicas": 5}));
    cluster.finish();
    assert_eq!(cluster.images(), "v1 v1 v2 v2 v2");
    cluster.patch(&partition(0));
    cluster.finish();
    assert_eq!(cluster.images(), "v2 v2 v2 v2 v2");
    assert_eq!(cluster.set().status.current_revision, new);
}

#[test]
fn the_partition_counts_from_the_first_ordinal() {
    let mut spec = partition(1);
    spec["ordinals"] = json!({"start": 5});
    let mut cluster = Cluster::ready(spec);
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!((cluster.pods(), cluster.images()), ("web-5 web-6 web-7".to_owned(), "v1 v2 v2".to_owned()));
}

#[test]
fn on_delete_leaves_it_to_whoever_deletes() {
    let mut cluster = Cluster::ready(json!({"updateStrategy": {"type": "OnDelete"}}));
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!(cluster.images(), "v1 v1 v1");
    cluster.delete("web-1");
    cluster.finish();
    assert_eq!(cluster.images(), "v1 v2 v1");
    // Such an update never ends.
    cluster.delete("web-0");
    cluster.delete("web-2");
    cluster.finish();
    assert_ne!(cluster.set().status.current_revision, cluster.set().status.update_revision);
}

#[test]
fn a_broken_revision_holds_up_its_own_repair_until_somebody_deletes_the_pod() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.set_image("web:broken");
    cluster.remove("web-2");
    cluster.set_image("web:v1");
    assert_eq!((cluster.pods(), cluster.images()), ("web-0 web-1 web-2".to_owned(), "v1 v1 broken".to_owned()));
    cluster.delete("web-2");
    cluster.finish();
    assert_eq!(cluster.images(), "v1 v1 v1");
}

#[test]
fn a_broken_revision_of_parallel_pods_is_repaired_at_once() {
    let mut cluster = Cluster::ready(json!({"podManagementPolicy": "Parallel"}));
    cluster.set_image("web:broken");
    cluster.remove("web-2");
    cluster.set_image("web:v1");
    assert_eq!((cluster.pods(), cluster.images()), ("web-0 web-1 web-2".to_owned(), "v1 v1 v1".to_owned()));
}

#[test]
fn going_back_gives_the_old_revision_the_highest_number() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.set_image("web:v2");
    cluster.finish();
    let first = cluster.revisions()[0].meta.name.clone();
    cluster.set_image("web:v1");
    let numbers: Vec<i64> = cluster.revisions().iter().map(|revision| revision.revision).collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!((&cluster.revisions()[1].meta.name, &cluster.set().status.update_revision), (&first, &first));
}

#[test]
fn the_history_keeps_what_lives_and_so_many_more() {
    for (limit, kept) in [(0, 1), (2, 3), (-1, 6)] {
        let mut cluster = Cluster::ready(json!({"revisionHistoryLimit": limit}));
        for version in 2..=6 {
            cluster.set_image(&format!("web:v{version}"));
            cluster.finish();
        }
        assert_eq!(cluster.revisions().len(), kept, "limit {limit}");
    }
}

#[test]
fn a_revision_that_pods_live_on_stays() {
    let mut cluster = Cluster::ready(json!({"revisionHistoryLimit": 0, "updateStrategy": {"type": "OnDelete"}}));
    for version in 2..=4 {
        cluster.set_image(&format!("web:v{version}"));
        cluster.delete("web-1");
        cluster.finish();
    }
    assert_eq!(cluster.images(), "v1 v4 v1");
    assert_eq!(cluster.revisions().iter().map(|revision| revision.revision).collect::<Vec<_>>(), [1, 4]);
}

#[test]
fn a_taken_name_leads_to_another_one() {
    let mut cluster = Cluster::ready(json!({}));
    let template = Arc::clone(&cluster.set().spec.template);
    let wire = template.to_wire().to_string().replace("web:v1", "web:v2");
    let next = crate::objects::PodTemplate::from_wire(Some(&serde_json::from_str(&wire).unwrap())).unwrap();
    let hash = history::hash(&history::template_patch(&next), Some(0));
    let mut taken = ControllerRevision { data: Arc::new(json!({"else": 1})), ..ControllerRevision::default() };
    taken.meta.name = history::revision_name("web", &hash).into();
    taken.meta.namespace = "default".into();
    cluster.0.create(&taken.into()).unwrap();
    cluster.set_image("web:v2");
    assert_eq!(cluster.set().status.collision_count, Some(1));
    let expected = history::revision_name("web", &history::hash(&history::template_patch(&next), Some(1)));
    assert_eq!(*cluster.set().status.update_revision, expected);
}

#[test]
fn a_revision_from_before_a_new_default_is_the_same_one() {
    let mut cluster = Cluster::ready(json!({}));
    let mut old = ControllerRevision::clone(&cluster.revisions()[0]);
    let mut data = Value::clone(&old.data);
    let spec = data.pointer_mut("/spec/template/spec").unwrap().as_object_mut().unwrap();
    assert!(spec.remove("schedulerName").is_some());
    old.data = Arc::new(data);
    cluster.0.update(&old.into()).unwrap();
    cluster.0.sync_now(&super::key("web"));
    assert_eq!(cluster.revisions().len(), 1);
    cluster.delete("web-2");
    cluster.finish();
    assert_eq!(&*cluster.pod("web-2").spec.scheduler_name, "default-scheduler");
}

#[test]
fn orphaned_revisions_are_adopted() {
    let mut cluster = Cluster::ready(json!({}));
    let mut orphan = ControllerRevision::clone(&cluster.revisions()[0]);
    orphan.meta.owner_references = Vec::new().into();
    cluster.0.update(&orphan.into()).unwrap();
    cluster.0.sync_now(&super::key("web"));
    assert_eq!(cluster.revisions()[0].meta.controller().map(|owner| &*owner.name), Some("web"));
    assert_eq!(cluster.revisions().len(), 1);
}

#[test]
fn without_bounds_the_first_pods_are_of_the_current_revision() {
    let mut cluster = Cluster::ready(json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": null}}));
    cluster.set_image("web:v2");
    cluster.finish();
    assert_eq!(cluster.images(), "v2 v2 v2");
    assert_eq!(cluster.set().status.current_revision, cluster.set().status.update_revision);
}

#[test]
fn revisions_bear_the_labels_of_the_template_and_the_annotations_of_the_set() {
    let cluster = Cluster::ready(json!({}));
    let revision = &cluster.revisions()[0];
    assert_eq!(revision.meta.labels.get("app"), Some("web"));
    assert_eq!(revision.meta.annotations, cluster.set().meta.annotations);
    assert_eq!(revision.meta.controller().map(|owner| &owner.uid), Some(&cluster.set().meta.uid));
}
