//! One sync of a Deployment (upstream `syncDeployment` and `sync.go`).

use std::sync::Arc;

use crate::api::{ApiError, DeleteOptions, EventKind, Part, Request, Response, Step, View};
use crate::controllers::controller_ref::{self, controller_reference};
use crate::controllers::script::{Failure, Flow, Halt, Log, Script};
use crate::controllers::template_hash::template_hash;
use crate::kernel::SimDuration;
use crate::objects::{
    ConditionStatus, Deployment, DeploymentStatus, Key, Kind, ObjectMeta, ObjectReference, POD_TEMPLATE_HASH,
    ReplicaSet, ReplicaSetSpec, ReplicaSetStatus, Resource, SharedList, Text, Typed, Uid, WallTime,
};

use super::progress::calculate_status;
use super::rolling::new_replica_set_size;
use super::scaling::{self, Resize};
use super::util::annotations::{self, REVISION};
use super::util::conditions::{self, condition};
use super::util::fenceposts::is_rolling_update;
use super::util::sets::{ReplicaSets, by_revision};

/// Longest name of a ReplicaSet.
const MAX_NAME: usize = 253;

/// What a sync read when it started.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) started: WallTime,
    deployment: Arc<Deployment>,
    /// ReplicaSets that it owns or might adopt.
    candidates: Vec<Arc<ReplicaSet>>,
    /// Uids of those with a pod that has not ended; only looked up for `Recreate`.
    occupied: Vec<Uid>,
}

impl Read {
    pub(super) fn new(view: &View, deployment: &Arc<Deployment>, started: WallTime) -> Self {
        let selector = &deployment.spec.selector.compiled;
        let orphans = view.replica_sets.orphans(&deployment.meta.namespace);
        let orphans = orphans.filter(|set| selector.matches(&set.meta.labels));
        let mut candidates: Vec<_> = view.replica_sets.controlled_by(&deployment.meta.uid).cloned().collect();
        candidates.extend(orphans.cloned());
        let occupied = if is_rolling_update(&deployment.spec) {
            Vec::new()
        } else {
            let runs = |set: &&Arc<ReplicaSet>| view.pods.controlled_by(&set.meta.uid).any(|pod| !pod.is_terminal());
            candidates.iter().filter(runs).map(|set| set.meta.uid.clone()).collect()
        };
        Self { started, deployment: Arc::clone(deployment), candidates, occupied }
    }
}

/// One run of a sync.
pub(super) struct DeploymentSync<'a> {
    view: &'a View,
    read: &'a Read,
    pub(super) script: Script,
    /// The Deployment with what this sync changed of it.
    pub(super) deployment: Arc<Deployment>,
    pub(super) sets: ReplicaSets,
    /// Whether this sync wrote the Deployment, so that what it read is of an old version.
    wrote_deployment: bool,
}

impl<'a> DeploymentSync<'a> {
    pub(super) fn new(view: &'a View, read: &'a Read, script: Script) -> Self {
        let deployment = Arc::clone(&read.deployment);
        Self { view, read, script, deployment, sets: ReplicaSets::default(), wrote_deployment: false }
    }

    pub(super) fn into_step(self, outcome: Flow<Option<SimDuration>>) -> Step<Log> {
        match outcome {
            // A namespace that goes away takes the Deployment with it.
            Err(Halt::Failed(Failure::Api(error))) if error.is_namespace_terminating() => {
                self.script.step(Err(Halt::Ended))
            }
            outcome => self.script.step(outcome),
        }
    }

    /// The whole sync; gives the time after which to look again.
    pub(super) fn run(&mut self) -> Flow<Option<SimDuration>> {
        if self.deployment.spec.selector.selects_everything() {
            return self.refuse_to_select_everything();
        }
        let owned = self.claim()?;
        self.sets = ReplicaSets::new(&self.deployment, owned);
        if self.deployment.meta.is_deleting() {
            self.sync_new_replica_set()?;
            let sets = std::mem::take(&mut self.sets);
            return self.sync_status(&sets);
        }
        self.check_paused_conditions()?;
        if self.deployment.spec.paused {
            self.sync_new_replica_set()?;
            return self.scale_and_report();
        }
        if let Some(revision) = annotations::rollback_to(&self.deployment) {
            return self.roll_back(revision);
        }
        if self.sync_new_replica_set()? {
            // Upstream goes on with the version from before its own write and fails on that; the write wakes it.
            return Err(Halt::Ended);
        }
        if self.is_scaling_event() {
            return self.scale_and_report();
        }
        if is_rolling_update(&self.deployment.spec) { self.roll() } else { self.recreate() }
    }

    fn refuse_to_select_everything(&mut self) -> Flow<Option<SimDuration>> {
        let message = "This deployment is selecting all pods. A non-empty selector is required.";
        self.event(EventKind::Warning, "SelectingAll", message.into());
        let generation = self.deployment.meta.generation;
        if self.deployment.status.observed_generation < generation {
            Arc::make_mut(&mut self.deployment).status.observed_generation = generation;
            self.send_status();
        }
        Ok(None)
    }

    /// Adopts and releases ReplicaSets; gives those that are owned now.
    fn claim(&mut self) -> Flow<Vec<Arc<ReplicaSet>>> {
        let Deployment { meta, spec, .. } = &*self.read.deployment;
        let matches = |set: &ReplicaSet| spec.selector.compiled.matches(&set.meta.labels);
        controller_ref::claim_all(&mut self.script, meta, Kind::Deployment, &self.read.candidates, matches)
    }

    /// Notes in the `Progressing` condition that the Deployment is paused, or is no more: the latter restarts the
    /// clock of the deadline.
    fn check_paused_conditions(&mut self) -> Flow<()> {
        use conditions::{DEPLOYMENT_PAUSED, DEPLOYMENT_RESUMED, PROGRESS_DEADLINE_EXCEEDED};
        if conditions::progress_deadline(&self.deployment).is_none() {
            return Ok(());
        }
        let reason = conditions::progressing(&self.deployment).map_or("", |condition| &condition.reason);
        let noted = reason == DEPLOYMENT_PAUSED;
        if reason == PROGRESS_DEADLINE_EXCEEDED || self.deployment.spec.paused == noted {
            return Ok(());
        }
        let (reason, message) = if self.deployment.spec.paused {
            (DEPLOYMENT_PAUSED, "Deployment is paused")
        } else {
            (DEPLOYMENT_RESUMED, "Deployment is resumed")
        };
        self.set_progressing(ConditionStatus::Unknown, reason, message);
        self.update_status()
    }

    /// Brings annotations, revision and `minReadySeconds` of the new ReplicaSet up to date, or else the Deployment's
    /// revision. Tells whether the ReplicaSet was written (upstream `getNewReplicaSet`, first half).
    pub(super) fn sync_new_replica_set(&mut self) -> Flow<bool> {
        let Some(at) = self.sets.new_index() else { return Ok(false) };
        let set = Arc::clone(&self.sets.all()[at]);
        let revision = self.sets.max_old_revision().saturating_add(1);
        let annotations = annotations::synced(&self.deployment, &set.meta, revision);
        let min_ready_seconds = self.deployment.spec.min_ready_seconds;
        if annotations.is_some() || set.spec.min_ready_seconds != min_ready_seconds {
            let updated = self.script.call(|| {
                let mut set = (*set).clone();
                set.spec.min_ready_seconds = min_ready_seconds;
                set.meta.annotations = annotations.unwrap_or(set.meta.annotations);
                Request::Update(set.into(), Part::Main)
            })?;
            self.sets.refresh(at, replica_set(updated)?);
            return Ok(true);
        }
        let mut changed = self.note_revision(set.meta.annotations.get(REVISION).unwrap_or_default());
        let has_deadline = conditions::progress_deadline(&self.deployment).is_some();
        if has_deadline && conditions::progressing(&self.deployment).is_none() {
            let message = format!("Found new replica set {:?}", &*set.meta.name);
            self.set_progressing(ConditionStatus::True, conditions::FOUND_NEW_REPLICA_SET, message);
            changed = true;
        }
        if changed {
            self.update_status()?;
        }
        Ok(false)
    }

    /// Creates the new ReplicaSet if there is none (upstream `getNewReplicaSet`, second half).
    pub(super) fn ensure_new_replica_set(&mut self) -> Flow<()> {
        if self.sets.new_index().is_some() {
            return Ok(());
        }
        let revision = self.sets.max_old_revision().saturating_add(1);
        let set = self.new_replica_set(revision)?;
        let size = set.spec.replicas;
        let key = set.key();
        let existed = match self.script.call(|| Request::Create(set.into()))? {
            Ok(created) => {
                self.sets.add_new(replica_set(Ok(created))?);
                false
            }
            Err(error) if error.is_already_exists() => {
                let set = self.use_existing(&key, error)?;
                self.sets.add_new(set);
                true
            }
            Err(error) => return Err(self.creation_failed(&key, error)),
        };
        if !existed && size > 0 {
            self.scaled(&key.name, 0, size);
        }
        let mut changed = self.note_revision(&revision.to_string());
        if !existed && conditions::progress_deadline(&self.deployment).is_some() {
            let message = format!("Created new replica set {:?}", &*key.name);
            self.set_progressing(ConditionStatus::True, conditions::NEW_REPLICA_SET_CREATED, message);
            changed = true;
        }
        if changed { self.update_status() } else { Ok(()) }
    }

    /// The ReplicaSet of the Deployment's template, as it is to be created.
    fn new_replica_set(&self, revision: i64) -> Flow<ReplicaSet> {
        let Deployment { meta, spec, status } = &*self.deployment;
        let hash = template_hash(&spec.template, status.collision_count);
        let template = spec.template.with_labels(spec.template.labels.with(POD_TEMPLATE_HASH, &hash));
        let selector = spec.selector.with_label(POD_TEMPLATE_HASH, &hash).map_err(|error| error.to_string())?;
        let replicas = new_replica_set_size(spec, self.sets.desired(), 0).map_err(|error| error.to_string())?;
        let mut set_meta = ObjectMeta {
            name: replica_set_name(&meta.name, &hash).into(),
            namespace: Arc::clone(&meta.namespace),
            labels: template.labels.clone(),
            owner_references: SharedList::from(vec![controller_reference(Kind::Deployment, meta)]),
            ..ObjectMeta::default()
        };
        let copied = annotations::synced(&self.deployment, &set_meta, revision).unwrap_or_default();
        set_meta.annotations = annotations::with_replicas(&copied, &self.deployment);
        let spec = ReplicaSetSpec {
            replicas,
            min_ready_seconds: spec.min_ready_seconds,
            selector: Arc::new(selector),
            template: Arc::new(template),
        };
        Ok(ReplicaSet { meta: set_meta, spec, status: ReplicaSetStatus::default() })
    }

    /// The name is taken. If that ReplicaSet is ours with our template it is the new one, which we had not seen yet;
    /// otherwise two hashes collided and the next attempt takes another one.
    fn use_existing(&mut self, key: &Key, error: ApiError) -> Flow<Arc<ReplicaSet>> {
        let view = self.view;
        let existing = self.script.look_up(|| view.replica_sets.get(key).cloned().map(Into::into));
        let Some(existing) = existing.as_ref().and_then(ReplicaSet::unwrap).cloned() else {
            return Err(ApiError::not_found(Kind::ReplicaSet, key).into());
        };
        let Deployment { meta, spec, .. } = &*self.deployment;
        let ours = existing.meta.controller().is_some_and(|owner| owner.uid == meta.uid);
        if ours && spec.template.equal_ignoring_hash(&existing.spec.template) {
            return Ok(existing);
        }
        let status = &mut Arc::make_mut(&mut self.deployment).status;
        status.collision_count = Some(status.collision_count.unwrap_or(0).wrapping_add(1));
        self.send_status();
        Err(error.into())
    }

    fn creation_failed(&mut self, key: &Key, error: ApiError) -> Halt {
        if error.is_namespace_terminating() {
            return error.into();
        }
        let reason = conditions::REPLICA_SET_CREATE_ERROR;
        let message = Text::from(format!("Failed to create new replica set {:?}: {error}", &*key.name));
        if conditions::progress_deadline(&self.deployment).is_some() {
            self.set_progressing(ConditionStatus::False, reason, message.clone());
            self.send_status();
        }
        self.event(EventKind::Warning, reason, message);
        error.into()
    }

    /// Whether the Deployment was scaled since its ReplicaSets were.
    fn is_scaling_event(&self) -> bool {
        let replicas = self.deployment.spec.replicas;
        let noted = |set: &ReplicaSet| annotations::desired_replicas(set);
        self.sets.active().any(|(_, set)| noted(set).is_some_and(|noted| noted != replicas))
    }

    /// The sync of a Deployment that was scaled or is paused.
    fn scale_and_report(&mut self) -> Flow<Option<SimDuration>> {
        let before = self.sets.clone();
        for resize in scaling::plan(&self.deployment, &self.sets) {
            self.resize(resize)?;
        }
        if self.deployment.spec.paused && annotations::rollback_to(&self.deployment).is_none() {
            self.clean_up()?;
        }
        self.sync_status(&before)
    }

    /// Brings a ReplicaSet to a size and notes the Deployment's on it (upstream `scaleReplicaSet`). Nothing is written
    /// if nothing changes.
    pub(super) fn resize(&mut self, resize: Resize) -> Flow<()> {
        let set = Arc::clone(&self.sets.all()[resize.at]);
        let annotations = annotations::with_replicas(&set.meta.annotations, &self.deployment);
        let from = set.spec.replicas;
        if from == resize.to && annotations == set.meta.annotations {
            return Ok(());
        }
        let updated = self.script.call(|| {
            let mut set = (*set).clone();
            set.spec.replicas = resize.to;
            set.meta.annotations = annotations;
            Request::Update(set.into(), Part::Main)
        })?;
        self.sets.refresh(resize.at, replica_set(updated)?);
        if from != resize.to {
            self.scaled(&set.meta.name, from, resize.to);
        }
        Ok(())
    }

    fn scaled(&mut self, name: &str, from: i32, to: i32) {
        self.event(EventKind::Normal, "ScalingReplicaSet", scaling::message(name, from, to).into());
    }

    /// Deletes the oldest of too many old ReplicaSets (upstream `cleanupDeployment`).
    pub(super) fn clean_up(&mut self) -> Flow<()> {
        for key in obsolete(&self.deployment, &self.sets) {
            let request = Request::Delete { kind: Kind::ReplicaSet, key, options: DeleteOptions::default() };
            match self.script.call(|| request)? {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reports on ReplicaSets as they were before this sync scaled them, without a look at progress (upstream
    /// `syncDeploymentStatus`).
    fn sync_status(&mut self, sets: &ReplicaSets) -> Flow<Option<SimDuration>> {
        let status = calculate_status(&self.deployment, sets, self.script.now().timestamp());
        self.report(status);
        Ok(None)
    }

    /// Writes a status as the last act of the sync, if it is new. After an earlier write of this sync it would meet a
    /// conflict, as upstream's does; that write wakes the Deployment again. Tells whether there was anything new.
    pub(super) fn report(&mut self, status: DeploymentStatus) -> bool {
        if self.deployment.status == status {
            return false;
        }
        Arc::make_mut(&mut self.deployment).status = status;
        if !self.wrote_deployment {
            self.send_status();
        }
        true
    }

    /// Writes the Deployment's status and annotations, and goes on.
    pub(super) fn update_status(&mut self) -> Flow<()> {
        let deployment = &self.deployment;
        self.script.call(|| Request::Update(Arc::clone(deployment).into(), Part::Status))??;
        self.wrote_deployment = true;
        Ok(())
    }

    fn send_status(&mut self) {
        let deployment = &self.deployment;
        self.script.send(|| Request::Update(Arc::clone(deployment).into(), Part::Status));
    }

    fn note_revision(&mut self, revision: &str) -> bool {
        if self.deployment.meta.annotations.get(REVISION) == Some(revision) {
            return false;
        }
        let meta = &mut Arc::make_mut(&mut self.deployment).meta;
        meta.annotations = meta.annotations.with(REVISION, revision);
        true
    }

    fn set_progressing(&mut self, status: ConditionStatus, reason: &'static str, message: impl Into<Text>) {
        let condition = condition(conditions::PROGRESSING, status, self.script.now().timestamp(), reason, message);
        conditions::set(&mut Arc::make_mut(&mut self.deployment).status.conditions, condition);
    }

    pub(super) fn event(&mut self, kind: EventKind, reason: &'static str, message: Text) {
        let about = ObjectReference::to(Kind::Deployment, &self.deployment.meta);
        self.script.event(&about, kind, reason, message);
    }

    /// Whether pods of the old ReplicaSets are still there (upstream `oldPodsRunning`).
    pub(super) fn old_pods_running(&self) -> bool {
        let occupied = |set: &ReplicaSet| set.status.replicas > 0 || self.read.occupied.contains(&set.meta.uid);
        self.sets.old().any(|(_, set)| occupied(set))
    }
}

/// Old ReplicaSets to delete: the lowest revisions above the history limit, but none that has or wants pods. Those
/// that are skipped count all the same.
fn obsolete(deployment: &Deployment, sets: &ReplicaSets) -> Vec<Key> {
    let limit = deployment.spec.revision_history_limit.filter(|limit| *limit != i32::MAX);
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return Vec::new() };
    let alive = || sets.old().map(|(_, set)| set).filter(|set| !set.meta.is_deleting());
    let excess = alive().count().saturating_sub(limit);
    if excess == 0 {
        return Vec::new();
    }
    let mut alive: Vec<_> = alive().collect();
    alive.sort_by(|a, b| by_revision(a, b));
    let empty = |set: &&&Arc<ReplicaSet>| {
        set.status.replicas == 0 && set.spec.replicas == 0 && set.meta.generation <= set.status.observed_generation
    };
    alive[..excess].iter().filter(empty).map(|set| set.key()).collect()
}

fn replica_set(response: Response) -> Flow<Arc<ReplicaSet>> {
    let object = response?;
    ReplicaSet::unwrap(&object).cloned().ok_or_else(|| Halt::Failed(Failure::Other("not a ReplicaSet".to_owned())))
}

/// `<deployment>-<hash>`, the first part cut where that is too long (upstream `generateReplicaSetName`).
fn replica_set_name(deployment: &str, hash: &str) -> String {
    let room = MAX_NAME.saturating_sub(hash.len() + 1);
    let end = deployment.floor_char_boundary(if room == 0 { deployment.len() } else { room });
    format!("{}-{hash}", &deployment[..end])
}
