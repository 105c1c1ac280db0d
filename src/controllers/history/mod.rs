//! The history of a workload as ControllerRevisions: names, equality, order, adoption (upstream
//! `pkg/controller/history`). StatefulSets and DaemonSets share it.

mod hash;
pub mod kubectl;
mod manage;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::View;
use crate::objects::{
    Annotations, ControllerRevision, Kind, Labels, ObjectMeta, PodTemplate, Selector, SharedList, WireError,
};

use super::controller_ref::controller_reference;
pub use hash::hash;
pub(crate) use manage::{adopt_orphans, create, renumber};

/// Label of a revision with the hash of its data (upstream `ControllerRevisionHashLabel`).
pub const HASH_LABEL: &str = "controller.kubernetes.io/hash";
/// Label of a pod with the revision it was made from (upstream `ControllerRevisionHashLabelKey`).
pub const POD_REVISION_LABEL: &str = "controller-revision-hash";

/// Longest part of a revision's name before its hash, in bytes.
const MAX_PREFIX: usize = 223;

/// What a revision is made from.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Kind of the workload.
    pub kind: Kind,
    /// The workload.
    pub parent: &'a ObjectMeta,
    /// Labels of the revision: those of the pod template.
    pub labels: &'a Labels,
    /// Annotations of the revision: those of the workload.
    pub annotations: &'a Annotations,
    /// The state to keep.
    pub data: Value,
    /// Number of the revision.
    pub revision: i64,
    /// How many names were taken before.
    pub probe: Option<i32>,
}

impl Draft<'_> {
    /// The revision, named after the hash of its data (upstream `NewControllerRevision`).
    #[must_use]
    pub fn into_revision(self) -> ControllerRevision {
        let hash = hash(&self.data, self.probe);
        let meta = ObjectMeta {
            name: revision_name(&self.parent.name, &hash).into(),
            namespace: Arc::clone(&self.parent.namespace),
            labels: self.labels.with(HASH_LABEL, &hash),
            annotations: self.annotations.clone(),
            owner_references: SharedList::from(vec![controller_reference(self.kind, self.parent)]),
            ..ObjectMeta::default()
        };
        ControllerRevision { meta, data: Arc::new(self.data), revision: self.revision }
    }
}

/// `<prefix>-<hash>`, the prefix cut where that is too long (upstream `ControllerRevisionName`).
#[must_use]
pub fn revision_name(prefix: &str, hash: &str) -> String {
    format!("{}-{hash}", &prefix[..prefix.floor_char_boundary(MAX_PREFIX)])
}

/// What a revision keeps of a workload: a patch that puts the pod template back (upstream `getPatch` of both
/// controllers).
#[must_use]
pub fn template_patch(template: &PodTemplate) -> Value {
    let mut template = template.to_wire();
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

/// Whether a revision holds that very template: the equality of [`template_patch`] without making the patch.
#[must_use]
pub fn holds(revision: &ControllerRevision, template: &PodTemplate) -> bool {
    let only = |value: &Value, key: &str| value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(key));
    let data = &*revision.data;
    only(data, "spec")
        && only(&data["spec"], "template")
        && data["spec"]["template"]["$patch"] == "replace"
        && template.is_wire(&data["spec"]["template"], &["$patch"])
}

/// The template that a revision holds, in wire form.
#[must_use]
pub fn template_wire(revision: &ControllerRevision) -> Value {
    let mut template = revision.data["spec"]["template"].clone();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

/// The template that a revision holds.
///
/// # Errors
/// If somebody wrote a revision that holds none that can be read.
pub fn template_of(revision: &ControllerRevision) -> Result<PodTemplate, WireError> {
    PodTemplate::from_wire(Some(&template_wire(revision)))
}

/// The revisions that belong to a workload or to nobody and that its selector selects, oldest first (upstream
/// `ListControllerRevisions`).
#[must_use]
pub fn list(view: &View, parent: &ObjectMeta, selector: &Selector) -> Vec<Arc<ControllerRevision>> {
    let all = &view.controller_revisions;
    let candidates = all.controlled_by(&parent.uid).chain(all.orphans(&parent.namespace));
    let mut revisions: Vec<_> =
        candidates.filter(|revision| selector.matches(&revision.meta.labels)).cloned().collect();
    revisions.sort_by(|a, b| by_revision(a, b));
    revisions
}

/// The order of revisions: by number, then by age, then by name (upstream `byRevision`).
#[must_use]
pub fn by_revision(a: &ControllerRevision, b: &ControllerRevision) -> Ordering {
    let order = |revision: &ControllerRevision| (revision.revision, revision.meta.creation_timestamp);
    order(a).cmp(&order(b)).then_with(|| a.meta.name.cmp(&b.meta.name))
}

/// The number of the next revision after these, which must be in order.
#[must_use]
pub fn next_revision(revisions: &[Arc<ControllerRevision>]) -> i64 {
    revisions.last().map_or(1, |newest| newest.revision.saturating_add(1))
}

/// The revisions to delete: of those that nothing lives on the oldest, until only `limit` of them are left; a negative
/// limit keeps all (upstream `truncateHistory` of the StatefulSet controller). `revisions` must be in order.
pub fn obsolete(
    revisions: &[Arc<ControllerRevision>],
    limit: i32,
    is_live: impl Fn(&ControllerRevision) -> bool,
) -> Vec<&Arc<ControllerRevision>> {
    let Ok(limit) = usize::try_from(limit) else { return Vec::new() };
    if revisions.len() <= limit {
        return Vec::new();
    }
    let mut idle: Vec<_> = revisions.iter().filter(|revision| !is_live(revision)).collect();
    idle.truncate(idle.len().saturating_sub(limit));
    idle
}
