//! Revisions of a DaemonSet (upstream `constructHistory`, `cleanupHistory`).

use std::sync::Arc;

use crate::api::{DeleteOptions, MetaPatch, Part, Request, View};
use crate::controllers::controller_ref::{self, Claim, controller_reference};
use crate::controllers::history::{POD_REVISION_LABEL, by_revision, holds, template_patch};
use crate::controllers::script::{Flow, Halt, Script};
use crate::controllers::template_hash::template_hash;
use crate::objects::{ControllerRevision, DaemonSet, Kind, ObjectMeta, Pod, Resource, SharedList, Typed};

type Revision = Arc<ControllerRevision>;

/// What a sync needs to know of the revisions.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// Hash of the current one, which its pods carry.
    pub(super) hash: Arc<str>,
    /// The others.
    pub(super) old: Vec<Revision>,
}

/// The revisions that a DaemonSet may have to do with: its own, and those that nobody owns.
pub(super) fn candidates(view: &View, set: &DaemonSet) -> Vec<Revision> {
    let (meta, all) = (&set.meta, &view.controller_revisions);
    let selector = &set.spec.selector.compiled;
    let orphans = all.orphans(&meta.namespace).filter(|revision| selector.matches(&revision.meta.labels));
    all.controlled_by(&meta.uid).chain(orphans).cloned().collect()
}

/// Finds the revision of the current template, or makes it.
pub(super) fn construct(
    script: &mut Script,
    view: &View,
    set: &Arc<DaemonSet>,
    candidates: &[Revision],
) -> Flow<History> {
    let mut current = Vec::new();
    let mut old = Vec::new();
    let claimed = claimed(script, set, candidates)?;
    for revision in labelled(script, claimed)? {
        if holds(&revision, &set.spec.template) { current.push(revision) } else { old.push(revision) }
    }
    let number = old.iter().map(|revision| revision.revision).max().unwrap_or(0).max(0).saturating_add(1);
    let current = match &*current {
        [] => snapshot(script, view, set, number)?,
        [only] => Arc::clone(only),
        several => without_duplicates(script, view, set, several)?,
    };
    if current.revision < number {
        script.call(|| renumbered(&current, number))??;
    }
    let hash = current.meta.labels.get(POD_REVISION_LABEL).unwrap_or_default();
    Ok(History { hash: hash.into(), old })
}

fn renumbered(revision: &Revision, number: i64) -> Request {
    Request::Update(ControllerRevision { revision: number, ..ControllerRevision::clone(revision) }.into(), Part::Main)
}

/// Adopts and releases revisions.
fn claimed(script: &mut Script, set: &DaemonSet, candidates: &[Revision]) -> Flow<Vec<Revision>> {
    let claim = |revision: &Revision| {
        let matches = set.spec.selector.compiled.matches(&revision.meta.labels);
        controller_ref::claim(&set.meta, &revision.meta, matches)
    };
    let claims: Vec<Claim> = candidates.iter().map(claim).collect();
    let kept = candidates.iter().zip(&claims).filter(|(_, claim)| **claim == Claim::Keep);
    let mut revisions: Vec<Revision> = kept.map(|(revision, _)| Arc::clone(revision)).collect();
    let changing =
        || candidates.iter().zip(&claims).filter(|(_, claim)| matches!(claim, Claim::Adopt | Claim::Release));
    if changing().next().is_none() {
        return Ok(revisions);
    }
    let answers = script.call_all(|| {
        let request = |(revision, claim): (&Revision, &Claim)| match claim {
            Claim::Release => controller_ref::release(&**revision, &set.meta),
            _ => controller_ref::adopt(&**revision, controller_reference(Kind::DaemonSet, &set.meta)),
        };
        changing().map(request).collect()
    })?;
    let mut failures = Vec::new();
    for ((_, claim), answer) in changing().zip(answers) {
        if *claim == Claim::Release {
            failures.extend(controller_ref::released(answer).err());
            continue;
        }
        match controller_ref::adopted(answer) {
            Ok(object) => revisions.extend(object.as_ref().and_then(ControllerRevision::unwrap).cloned()),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(revisions) } else { Err(failed(&controller_ref::aggregate(failures))) }
}

fn failed(why: &str) -> Halt {
    Halt::from(format!("failed to construct revisions of DaemonSet: {why}"))
}

/// Gives revisions the label that pods refer to them by, where somebody made them without.
fn labelled(script: &mut Script, mut revisions: Vec<Revision>) -> Flow<Vec<Revision>> {
    for revision in &mut revisions {
        if revision.meta.labels.contains_key(POD_REVISION_LABEL) {
            continue;
        }
        let answer = script.call(|| {
            let mut named = ControllerRevision::clone(revision);
            named.meta.labels = named.meta.labels.with(POD_REVISION_LABEL, &named.meta.name);
            Request::Update(named.into(), Part::Main)
        })??;
        if let Some(named) = ControllerRevision::unwrap(&answer) {
            *revision = Arc::clone(named);
        }
    }
    Ok(revisions)
}

/// Makes the revision of the current template. If another one has its name already, the status counts that, and the
/// next attempt gets another name.
fn snapshot(script: &mut Script, view: &View, set: &Arc<DaemonSet>, number: i64) -> Flow<Revision> {
    let template = &set.spec.template;
    let hash = template_hash(template, set.status.collision_count);
    let meta = ObjectMeta {
        name: format!("{}-{hash}", set.meta.name).into(),
        namespace: Arc::clone(&set.meta.namespace),
        labels: template.labels.with(POD_REVISION_LABEL, &hash),
        annotations: set.meta.annotations.clone(),
        owner_references: SharedList::from(vec![controller_reference(Kind::DaemonSet, &set.meta)]),
        ..ObjectMeta::default()
    };
    let revision = ControllerRevision { meta, data: Arc::new(template_patch(template)), revision: number };
    let key = revision.key();
    let answer = script.call(|| Request::Create(revision.into()))?;
    let error = match answer {
        Ok(object) => {
            return ControllerRevision::unwrap(&object).cloned().ok_or_else(|| failed("no revision came back"));
        }
        Err(error) => error,
    };
    if !error.is_already_exists() {
        return Err(error.into());
    }
    let known = script.look_up(|| view.controller_revisions.get(&key).cloned().map(Into::into));
    let known = known.as_ref().and_then(ControllerRevision::unwrap);
    match known.filter(|known| holds(known, template)) {
        Some(known) => Ok(Arc::clone(known)),
        None => {
            count_collision(script, view, set)?;
            Err(error.into())
        }
    }
}

/// Counts a name that was taken, unless somebody did so meanwhile.
fn count_collision(script: &mut Script, view: &View, set: &DaemonSet) -> Flow<()> {
    let newest = script.look_up(|| view.daemon_sets.get(&set.key()).cloned().map(Into::into));
    let Some(newest) = newest.as_ref().and_then(DaemonSet::unwrap) else { return Ok(()) };
    if newest.status.collision_count != set.status.collision_count {
        return Err(failed("found a stale collision count; will retry until it is updated"));
    }
    script.call(|| {
        let mut counted = DaemonSet::clone(newest);
        counted.status.collision_count = Some(newest.status.collision_count.unwrap_or(0).saturating_add(1));
        Request::Update(counted.into(), Part::Status)
    })??;
    Ok(())
}

/// Of several revisions of the current template keeps the newest; pods of the others become pods of that one (upstream
/// `dedupCurHistories`).
fn without_duplicates(script: &mut Script, view: &View, set: &DaemonSet, several: &[Revision]) -> Flow<Revision> {
    let newest = several.iter().max_by(|a, b| by_revision(a, b)).ok_or_else(|| failed("no revision is left"))?;
    let hash = newest.meta.labels.get(POD_REVISION_LABEL).unwrap_or_default();
    let requests = || {
        let pods = view.pods.controlled_by(&set.meta.uid);
        let others = pods.filter(|pod| pod.meta.labels.get(POD_REVISION_LABEL) != Some(hash));
        let duplicates = several.iter().filter(|revision| revision.meta.name != newest.meta.name);
        others.map(|pod| relabel(pod, hash)).chain(duplicates.map(|revision| delete(revision))).collect()
    };
    script.call_all(requests)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::clone(newest))
}

fn relabel(pod: &Pod, hash: &str) -> Request {
    let labels = vec![(POD_REVISION_LABEL.into(), Some(hash.into()))];
    let patch = MetaPatch { labels, ..MetaPatch::default() };
    Request::PatchMeta { kind: Kind::Pod, key: pod.key(), uid: pod.meta.uid.clone(), patch }
}

fn delete(revision: &ControllerRevision) -> Request {
    Request::Delete { kind: Kind::ControllerRevision, key: revision.key(), options: DeleteOptions::default() }
}

/// Deletes old revisions beyond the limit, oldest first, those spared that a pod refers to (upstream `cleanupHistory`).
pub(super) fn clean_up(old: &[Revision], limit: i32, lives: impl Fn(&str) -> bool) -> Vec<Request> {
    let keep = usize::try_from(limit).unwrap_or(0);
    let Some(excess) = old.len().checked_sub(keep).filter(|excess| *excess > 0) else { return Vec::new() };
    let mut old: Vec<&Revision> = old.iter().collect();
    old.sort_by(|a, b| by_revision(a, b));
    let idle = old.into_iter().filter(|revision| !revision.meta.labels.get(POD_REVISION_LABEL).is_some_and(&lives));
    idle.take(excess).map(|revision| delete(revision)).collect()
}
