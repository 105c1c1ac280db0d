//! What `kubectl rollout` computes on its side: requests and texts, from what the API server shows (upstream
//! `kubectl/pkg/polymorphichelpers`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::api::{Part, PatchType, Request, View};
use crate::objects::{Deployment, Kind, POD_TEMPLATE_HASH, PodTemplate, ReplicaSet, Resource, WallTime};

use super::util::annotations::{revision, rolled_back};
use super::util::conditions::{PROGRESS_DEADLINE_EXCEEDED, progressing};
use super::util::sets::ReplicaSets;

/// Annotation of a pod template that a restart sets.
pub const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Annotation that says why a revision was made.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// What kubectl says and does.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// What happened, as it stands behind the object's name: `rolled back`, `restarted`.
    pub result: String,
    /// The request that does it, if there is anything to do.
    pub request: Option<Request>,
}

/// Where a rollout is (`kubectl rollout status`), and whether it is done. With a `revision` other than 0 that must be
/// the running one.
///
/// # Errors
/// kubectl's words where the rollout failed or is another one.
pub fn status(deployment: &Deployment, wanted_revision: i64) -> Result<(String, bool), String> {
    let (name, spec, status) = (&*deployment.meta.name, &deployment.spec, &deployment.status);
    if wanted_revision > 0 {
        let running = revision(&deployment.meta);
        let running = running.ok_or_else(|| format!("cannot get the revision of deployment {name:?}"))?;
        if running != wanted_revision {
            let wanted = wanted_revision;
            return Err(format!("desired revision ({wanted}) is different from the running revision ({running})"));
        }
    }
    if deployment.meta.generation > status.observed_generation {
        return Ok(("Waiting for deployment spec update to be observed...".to_owned(), false));
    }
    if progressing(deployment).is_some_and(|condition| condition.reason == PROGRESS_DEADLINE_EXCEEDED) {
        return Err(format!("deployment {name:?} exceeded its progress deadline"));
    }
    let (updated, available) = (status.updated_replicas, status.available_replicas);
    let waiting = if updated < spec.replicas {
        format!("{updated} out of {} new replicas have been updated...", spec.replicas)
    } else if status.replicas > updated {
        format!("{} old replicas are pending termination...", status.replicas - updated)
    } else if available < updated {
        format!("{available} of {updated} updated replicas are available...")
    } else {
        return Ok((format!("deployment {name:?} successfully rolled out"), true));
    };
    Ok((format!("Waiting for deployment {name:?} rollout to finish: {waiting}"), false))
}

/// Goes back to a revision, 0 = the last but one (`kubectl rollout undo`).
///
/// # Errors
/// kubectl's words where that is not possible.
pub fn undo(view: &View, deployment: &Arc<Deployment>, to: i64) -> Result<Rollout, String> {
    let set = revision_to_restore(view, deployment, to)?;
    if deployment.spec.paused {
        let hint = "resume it first with 'kubectl rollout resume' and try again";
        return Err(format!("you cannot rollback a paused deployment; {hint}"));
    }
    let template = &set.spec.template;
    if template.equal_ignoring_hash(&deployment.spec.template) {
        let result = format!("skipped rollback (current template already matches revision {to})");
        return Ok(Rollout { result, request: None });
    }
    let restored = template.with_labels(template.labels.without(POD_TEMPLATE_HASH));
    let annotations = rolled_back(&deployment.meta.annotations, &set.meta.annotations);
    let document = json!([
        {"op": "replace", "path": "/spec/template", "value": restored.to_wire()},
        {"op": "replace", "path": "/metadata/annotations", "value": annotations},
    ]);
    let request = patch(deployment, PatchType::Json, document);
    Ok(Rollout { result: "rolled back".to_owned(), request: Some(request) })
}

fn revision_to_restore(view: &View, deployment: &Arc<Deployment>, to: i64) -> Result<Arc<ReplicaSet>, String> {
    let not_found = || format!("unable to find specified revision {to} in history");
    if to < 0 {
        return Err(not_found());
    }
    let sets = replica_sets(view, deployment);
    if to > 0 {
        return in_listed_order(&sets).find(|set| revision(&set.meta) == Some(to)).cloned().ok_or_else(not_found);
    }
    let (mut latest, mut previous) = ((-1, None), (-1, None));
    for set in in_listed_order(&sets) {
        let Some(number) = revision(&set.meta) else { continue };
        if number > latest.0 {
            previous = std::mem::replace(&mut latest, (number, Some(set)));
        } else if number > previous.0 {
            previous = (number, Some(set));
        }
    }
    let none = || format!("no rollout history found for deployment {:?}", &*deployment.meta.name);
    previous.1.cloned().ok_or_else(none)
}

/// The revisions that can be gone back to, with why they were made (`kubectl rollout history`).
#[must_use]
pub fn history(view: &View, deployment: &Arc<Deployment>) -> String {
    let revisions = revisions(view, deployment);
    revision_table(revisions.iter().map(|(number, set)| (*number, change_cause(set).to_owned())))
}

/// Revisions and why they were made, as kubectl prints them.
pub(crate) fn revision_table(revisions: impl Iterator<Item = (i64, String)>) -> String {
    let mut rows = vec![("REVISION".to_owned(), "CHANGE-CAUSE".to_owned())];
    rows.extend(revisions.map(|(number, cause)| (number.to_string(), cause)));
    if rows.len() == 1 {
        return "No rollout history found.".to_owned();
    }
    let width = rows.iter().map(|(number, _)| number.len()).max().unwrap_or(0) + 2;
    rows.iter().map(|(number, cause)| format!("{number:width$}{cause}\n")).collect()
}

/// The ReplicaSet of each revision; of equal ones the new ReplicaSet, else the newest.
#[must_use]
pub fn revisions(view: &View, deployment: &Arc<Deployment>) -> BTreeMap<i64, Arc<ReplicaSet>> {
    let sets = replica_sets(view, deployment);
    let numbered = in_listed_order(&sets).filter_map(|set| Some((revision(&set.meta)?, Arc::clone(set))));
    numbered.collect()
}

/// The pod template of a revision, with why it was made (`kubectl rollout history --revision`).
#[must_use]
pub fn template(view: &View, deployment: &Arc<Deployment>, revision: i64) -> Option<PodTemplate> {
    let set = revisions(view, deployment).remove(&revision)?;
    let mut template = (*set.spec.template).clone();
    let cause = set.meta.annotations.get(CHANGE_CAUSE).filter(|cause| !cause.is_empty());
    if let Some(cause) = cause {
        template.annotations = template.annotations.with(CHANGE_CAUSE, cause);
    }
    Some(template)
}

fn change_cause(set: &ReplicaSet) -> &str {
    let told = [&set.meta.annotations, &set.spec.template.annotations].map(|annotations| annotations.get(CHANGE_CAUSE));
    told.into_iter().flatten().find(|cause| !cause.is_empty()).unwrap_or("<none>")
}

/// Rolls all pods without another change (`kubectl rollout restart`).
///
/// # Errors
/// kubectl's words where that is not possible.
pub fn restart(deployment: &Deployment, now: WallTime) -> Result<Rollout, String> {
    if deployment.spec.paused {
        return Err(refusal(deployment, "can't restart paused deployment (run rollout resume first)"));
    }
    let at = now.timestamp().to_string();
    if deployment.spec.template.annotations.get(RESTARTED_AT) == Some(&at) {
        let why = "if restart has already been triggered within the past second, please wait before attempting to \
                   trigger another";
        return Err(format!("failed to create patch for {}: {why}", deployment.meta.name));
    }
    let document = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}});
    let request = patch(deployment, PatchType::Strategic, document);
    Ok(Rollout { result: "restarted".to_owned(), request: Some(request) })
}

/// Holds a rollout (`kubectl rollout pause`).
///
/// # Errors
/// If it is held already.
pub fn pause(deployment: &Deployment) -> Result<Rollout, String> {
    if deployment.spec.paused {
        return Err(refusal(deployment, "is already paused"));
    }
    let request = patch(deployment, PatchType::Strategic, json!({"spec": {"paused": true}}));
    Ok(Rollout { result: "paused".to_owned(), request: Some(request) })
}

/// Lets a rollout go on (`kubectl rollout resume`).
///
/// # Errors
/// If it is not held.
pub fn resume(deployment: &Deployment) -> Result<Rollout, String> {
    if !deployment.spec.paused {
        return Err(refusal(deployment, "is not paused"));
    }
    let request = patch(deployment, PatchType::Strategic, json!({"spec": {"paused": null}}));
    Ok(Rollout { result: "resumed".to_owned(), request: Some(request) })
}

fn refusal(deployment: &Deployment, why: &str) -> String {
    format!("{} {:?} {why}", Kind::Deployment.resource(), &*deployment.meta.name)
}

fn patch(deployment: &Deployment, patch_type: PatchType, document: serde_json::Value) -> Request {
    let (kind, key) = (Kind::Deployment, deployment.key());
    Request::Patch { kind, key, patch_type, document: Arc::new(document), part: Part::Main }
}

/// The ReplicaSets that belong to a Deployment.
#[must_use]
pub fn replica_sets(view: &View, deployment: &Arc<Deployment>) -> ReplicaSets {
    let selector = &deployment.spec.selector.compiled;
    let owned = view.replica_sets.controlled_by(&deployment.meta.uid).filter(|set| selector.matches(&set.meta.labels));
    ReplicaSets::new(deployment, owned.cloned().collect())
}

/// The old ones, oldest first, then the new one.
fn in_listed_order(sets: &ReplicaSets) -> impl Iterator<Item = &Arc<ReplicaSet>> {
    sets.old().map(|(_, set)| set).chain(sets.new_set())
}
