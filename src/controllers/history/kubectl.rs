//! What `kubectl rollout` computes for workloads whose history is ControllerRevisions (upstream
//! `kubectl/pkg/polymorphichelpers`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Part, PatchType, Request, View};
use crate::controllers::deployment::kubectl::{CHANGE_CAUSE, RESTARTED_AT, Rollout, revision_table};
use crate::objects::{
    ControllerRevision, DaemonSet, Key, Kind, ObjectMeta, ObjectSelector, PodTemplate, StatefulSet, WallTime,
};

use super::{by_revision, holds};

/// A workload as `kubectl rollout` sees it.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a> {
    kind: Kind,
    meta: &'a ObjectMeta,
    template: &'a PodTemplate,
    selector: &'a ObjectSelector,
}

impl<'a> From<&'a StatefulSet> for Workload<'a> {
    fn from(set: &'a StatefulSet) -> Self {
        Self { kind: Kind::StatefulSet, meta: &set.meta, template: &set.spec.template, selector: &set.spec.selector }
    }
}

impl<'a> From<&'a DaemonSet> for Workload<'a> {
    fn from(set: &'a DaemonSet) -> Self {
        Self { kind: Kind::DaemonSet, meta: &set.meta, template: &set.spec.template, selector: &set.spec.selector }
    }
}

impl Workload<'_> {
    /// Its revisions, oldest first (upstream `controlledHistoryV1`).
    fn revisions(&self, view: &View) -> Vec<Arc<ControllerRevision>> {
        let own = view.controller_revisions.controlled_by(&self.meta.uid);
        let own = own.filter(|revision| self.selector.compiled.matches(&revision.meta.labels));
        let mut revisions: Vec<_> = own.cloned().collect();
        revisions.sort_by(|a, b| by_revision(a, b));
        revisions
    }

    fn patch(&self, document: Arc<Value>) -> Request {
        let key = Key { namespace: Arc::clone(&self.meta.namespace), name: Arc::clone(&self.meta.name) };
        Request::Patch { kind: self.kind, key, patch_type: PatchType::Strategic, document, part: Part::Main }
    }

    /// Goes back to a revision, 0 = the last but one (`kubectl rollout undo`).
    ///
    /// # Errors
    /// kubectl's words where there is no such revision.
    pub fn undo(&self, view: &View, to: i64) -> Result<Rollout, String> {
        let not_found = || format!("unable to find specified revision {to} in history");
        if to < 0 {
            return Err(not_found());
        }
        let revisions = self.revisions(view);
        let chosen = if to == 0 {
            let last_but_one = revisions.len().checked_sub(2).and_then(|at| revisions.get(at));
            last_but_one.ok_or_else(|| "no last revision to roll back to".to_owned())?
        } else {
            revisions.iter().find(|revision| revision.revision == to).ok_or_else(not_found)?
        };
        if holds(chosen, self.template) {
            let result = format!("skipped rollback (current template already matches revision {to})");
            return Ok(Rollout { result, request: None });
        }
        Ok(Rollout { result: "rolled back".to_owned(), request: Some(self.patch(Arc::clone(&chosen.data))) })
    }

    /// The revisions that can be gone back to, with why they were made (`kubectl rollout history`).
    #[must_use]
    pub fn history(&self, view: &View) -> String {
        let revisions: BTreeMap<i64, Arc<ControllerRevision>> =
            self.revisions(view).into_iter().map(|revision| (revision.revision, revision)).collect();
        let cause = |revision: &ControllerRevision| {
            let cause = revision.meta.annotations.get(CHANGE_CAUSE).filter(|cause| !cause.is_empty());
            cause.unwrap_or("<none>").to_owned()
        };
        revision_table(revisions.iter().map(|(number, revision)| (*number, cause(revision))))
    }

    /// The pod template of a revision (`kubectl rollout history --revision`).
    #[must_use]
    pub fn template(&self, view: &View, number: i64) -> Option<PodTemplate> {
        let revision = self.revisions(view).into_iter().rfind(|revision| revision.revision == number)?;
        let mut template = revision.data.get("spec")?.get("template")?.clone();
        if let Value::Object(fields) = &mut template {
            fields.remove("$patch");
        }
        PodTemplate::from_wire(Some(&template)).ok()
    }

    /// Rolls all pods without another change (`kubectl rollout restart`).
    ///
    /// # Errors
    /// kubectl's words if that was done within the same second.
    pub fn restart(&self, now: WallTime) -> Result<Rollout, String> {
        let at = now.timestamp().to_string();
        if self.template.annotations.get(RESTARTED_AT) == Some(&at) {
            let why = "if restart has already been triggered within the past second, please wait before attempting \
                       to trigger another";
            return Err(format!("failed to create patch for {}: {why}", self.meta.name));
        }
        let document = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}});
        Ok(Rollout { result: "restarted".to_owned(), request: Some(self.patch(Arc::new(document))) })
    }

    /// What kubectl says to `rollout pause` and `rollout resume`, which only Deployments know.
    #[must_use]
    pub fn refuse(&self, doing: &str) -> String {
        format!("{} {:?} {doing} is not supported", self.kind.resource(), &*self.meta.name)
    }
}
