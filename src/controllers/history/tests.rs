//! Names, order and equality of revisions.

use super::*;
use crate::controllers::testing::template;
use crate::objects::{Timestamp, Uid};

fn parent() -> ObjectMeta {
    ObjectMeta { name: "web".into(), namespace: "default".into(), uid: Uid::uuid(7), ..ObjectMeta::default() }
}

fn draft(parent: &ObjectMeta, image: &str, revision: i64) -> ControllerRevision {
    let (labels, annotations) = ([("app", "web")].into_iter().collect(), [("why", "x")].into_iter().collect());
    let data = template_patch(&template(image));
    let (kind, probe) = (Kind::ReplicaSet, Some(0));
    Draft { kind, parent, labels: &labels, annotations: &annotations, data, revision, probe }.into_revision()
}

#[test]
fn a_revision_is_named_after_its_data_and_belongs_to_its_workload() {
    let revision = draft(&parent(), "web:v1", 3);
    let hash = revision.meta.labels.get(HASH_LABEL).unwrap();
    assert_eq!(&*revision.meta.name, format!("web-{hash}"));
    assert_eq!(revision.meta.labels.get("app"), Some("web"));
    assert_eq!(revision.meta.annotations.get("why"), Some("x"));
    assert_eq!(revision.meta.controller().map(|owner| (&*owner.kind, &owner.uid)), Some(("ReplicaSet", &Uid::uuid(7))));
    assert_ne!(revision.meta.name, draft(&parent(), "web:v2", 3).meta.name);
}

#[test]
fn a_revision_holds_the_template_that_it_was_made_from() {
    let revision = draft(&parent(), "web:v1", 1);
    assert!(holds(&revision, &template("web:v1")));
    assert!(!holds(&revision, &template("web:v2")));
    assert_eq!(template_of(&revision), Ok(template("web:v1")));
    assert_eq!(*revision.data, template_patch(&template("web:v1")));
}

#[test]
fn a_revision_with_anything_else_in_it_is_another_one() {
    let revision = draft(&parent(), "web:v1", 1);
    for path in ["/spec/template/x", "/spec/x", "/x"] {
        let mut data = Value::clone(&revision.data);
        let (parent, key) = path.rsplit_once('/').unwrap();
        data.pointer_mut(parent).unwrap()[key] = 1.into();
        assert!(
            !holds(&ControllerRevision { data: Arc::new(data), ..revision.clone() }, &template("web:v1")),
            "{path}"
        );
    }
    for data in [Value::Null, json!([1]), json!({"spec": 1}), json!({"spec": {"template": "x"}})] {
        let odd = ControllerRevision { data: Arc::new(data), ..revision.clone() };
        assert!(!holds(&odd, &template("web:v1")));
        assert!(template_of(&odd).is_ok_and(|template| template.labels.is_empty()));
    }
}

#[test]
fn long_names_are_cut() {
    assert_eq!(revision_name(&"x".repeat(300), "85748b7f68").len(), 223 + 11);
    assert_eq!(revision_name("web", "85748b7f68"), "web-85748b7f68");
}

fn numbered(revision: i64, created: i64, name: &str) -> Arc<ControllerRevision> {
    let creation_timestamp = Some(Timestamp::from_unix_secs(created));
    let meta = ObjectMeta { name: name.into(), creation_timestamp, ..ObjectMeta::default() };
    Arc::new(ControllerRevision { meta, revision, ..ControllerRevision::default() })
}

#[test]
fn revisions_are_ordered_by_number_then_age_then_name() {
    let mut revisions =
        vec![numbered(2, 0, "a"), numbered(1, 5, "b"), numbered(1, 4, "d"), numbered(1, 4, "c"), numbered(3, 0, "e")];
    revisions.sort_by(|a, b| by_revision(a, b));
    assert_eq!(revisions.iter().map(|revision| &*revision.meta.name).collect::<String>(), "cdbae");
    assert_eq!((next_revision(&revisions), next_revision(&[])), (4, 1));
}

#[test]
fn the_oldest_that_nothing_lives_on_go_first() {
    let revisions: Vec<_> = (1..=6).map(|n| numbered(n, 0, &format!("r{n}"))).collect();
    let names = |limit| -> String {
        let gone = obsolete(&revisions, limit, |revision| revision.revision == 1 || revision.revision == 6);
        gone.iter().map(|revision| format!("{} ", revision.meta.name)).collect()
    };
    assert_eq!(
        (names(2), names(0), names(4), names(-1)),
        ("r2 r3 ".into(), "r2 r3 r4 r5 ".into(), "".into(), "".into())
    );
}
