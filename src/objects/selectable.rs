//! Fields that the API server lets users select objects by (`kubectl --field-selector`).

use std::borrow::Cow;

use super::object::{Kind, Object};
use super::selector::FieldSelector;

/// Fields of single kinds, beside name and namespace (`*ToSelectableFields` of the registries).
const SELECTABLE: &[(Kind, &[&str])] = &[
    (
        Kind::Pod,
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (Kind::Node, &["spec.unschedulable"]),
    (Kind::Namespace, &["status.phase"]),
    (Kind::ReplicaSet, &["status.replicas"]),
    (Kind::ReplicationController, &["status.replicas"]),
    (Kind::Job, &["status.successful"]),
    (Kind::Service, &["spec.clusterIP", "spec.type"]),
    (
        Kind::Event,
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
];

/// Whether objects of a kind can be selected by a field, such as `status.phase`.
///
/// ```
/// use seatrial::objects::{Kind, is_selectable_by};
/// assert!(is_selectable_by(Kind::Pod, "spec.nodeName") && !is_selectable_by(Kind::Pod, "spec.priority"));
/// ```
#[must_use]
pub fn is_selectable_by(kind: Kind, field: &str) -> bool {
    field == "metadata.name"
        || (field == "metadata.namespace" && kind.is_namespaced())
        || SELECTABLE.iter().any(|(of, fields)| *of == kind && fields.contains(&field))
}

/// Whether a field selector selects an object; fields that the kind cannot be selected by select nothing.
#[must_use]
pub fn is_selected(object: &Object, fields: &FieldSelector) -> bool {
    fields.terms().all(|(field, equal, value)| field_of(object, field).is_some_and(|found| (found == value) == equal))
}

fn field_of<'a>(object: &'a Object, field: &str) -> Option<Cow<'a, str>> {
    if !is_selectable_by(object.kind(), field) {
        return None;
    }
    Some(match (object, field) {
        (_, "metadata.name") => Cow::Borrowed(&*object.meta().name),
        (_, "metadata.namespace") => Cow::Borrowed(&*object.meta().namespace),
        (Object::Pod(pod), "spec.nodeName") => Cow::Borrowed(&*pod.node_name),
        (Object::Pod(pod), "status.phase") => Cow::Borrowed(pod.status.phase.as_str()),
        (Object::Job(job), "status.successful") => Cow::Owned(job.status.succeeded.to_string()),
        (Object::Event(event), "source") => Cow::Borrowed(&*event.component),
        (Object::Node(node), "spec.unschedulable") => Cow::Owned(node.spec.unschedulable.to_string()),
        (Object::Pod(pod), "spec.hostNetwork") => Cow::Owned(pod.spec.host_network.to_string()),
        _ => Cow::Owned(wire_text(object, field)),
    })
}

/// Any other field, from the wire form.
fn wire_text(object: &Object, field: &str) -> String {
    let wire = object.to_wire();
    match field.split('.').try_fold(&wire, |value, key| value.get(key)) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) if !value.is_null() => value.to_string(),
        _ => String::new(),
    }
}
