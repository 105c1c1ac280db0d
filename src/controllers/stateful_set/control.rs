//! One sync of a StatefulSet (upstream `stateful_set_control.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{EventKind, Part, Request, Step, View};
use crate::controllers::script::{Flow, Halt, Log, Script, caught};
use crate::controllers::{controller_ref, history};
use crate::kernel::SimDuration;
use crate::objects::{
    ControllerRevision, Kind, ObjectReference, Pod, PodManagementPolicy, PodPhase, StatefulSet, StatefulSetStatus,
    StatefulSetUpdateStrategy, WallTime,
};

use super::identity::{self, SpecsInSubdomain, revision_of};
use super::pod_control::{Member, all_well};
use super::revisions::{self, Revisions};
use super::status::{self, is_unavailable};

/// Most pods that leave together (upstream `MaxBatchSize`).
const MAX_BATCH_SIZE: i64 = 500;

/// What a sync read when it started.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) started: WallTime,
    set: Arc<StatefulSet>,
    /// Pods that it owns or might adopt.
    pods: Vec<Arc<Pod>>,
    /// Its history, oldest first.
    revisions: Vec<Arc<ControllerRevision>>,
}

impl Read {
    pub(super) fn new(view: &View, set: &Arc<StatefulSet>, started: WallTime) -> Self {
        let selector = &set.spec.selector.compiled;
        let orphans = view.pods.orphans(&set.meta.namespace);
        let orphans = orphans.filter(|pod| set.names(&pod.meta.name) && selector.matches(&pod.meta.labels));
        let pods = view.pods.controlled_by(&set.meta.uid).chain(orphans).cloned().collect();
        let revisions = history::list(view, &set.meta, selector);
        Self { started, set: Arc::clone(set), pods, revisions }
    }
}

/// The pods of a StatefulSet by their place.
struct Members<'a> {
    /// Pods that it asks for and that exist, by ordinal.
    wanted: BTreeMap<i32, &'a Arc<Pod>>,
    /// Pods that it does not ask for, from the highest ordinal down.
    condemned: Vec<Member<'a>>,
}

impl<'a> Members<'a> {
    fn new(set: &StatefulSet, pods: &'a [Arc<Pod>]) -> Self {
        let (mut wanted, mut condemned) = (BTreeMap::new(), Vec::new());
        for pod in pods {
            match set.ordinal_of(&pod.meta.name) {
                Some(ordinal) if set.spec.has_ordinal(ordinal) => drop(wanted.insert(ordinal, pod)),
                Some(ordinal) => condemned.push(Member { ordinal, pod: Some(pod) }),
                None => {}
            }
        }
        condemned.sort_by_key(|member| std::cmp::Reverse(member.ordinal));
        Self { wanted, condemned }
    }

    fn at(&self, ordinal: i32) -> Member<'a> {
        Member { ordinal, pod: self.wanted.get(&ordinal).copied() }
    }

    fn existing(&self) -> impl Iterator<Item = &'a Pod> {
        let condemned = self.condemned.iter().filter_map(|member| member.pod);
        self.wanted.values().copied().chain(condemned).map(|pod| &**pod)
    }
}

/// One run of a sync.
pub(super) struct StatefulSetSync<'a> {
    pub(super) view: &'a View,
    read: &'a Read,
    pub(super) script: Script,
    pub(super) specs: &'a mut SpecsInSubdomain,
    about: ObjectReference,
}

impl<'a> StatefulSetSync<'a> {
    pub(super) fn new(view: &'a View, read: &'a Read, script: Script, specs: &'a mut SpecsInSubdomain) -> Self {
        let about = ObjectReference::to(Kind::StatefulSet, &read.set.meta);
        Self { view, read, script, specs, about }
    }

    pub(super) fn into_step(self, outcome: Flow<Option<SimDuration>>) -> Step<Log> {
        self.script.step(outcome)
    }

    pub(super) fn set(&self) -> &'a StatefulSet {
        &self.read.set
    }

    pub(super) fn event(&mut self, kind: EventKind, reason: &'static str, message: String) {
        self.script.event(&self.about, kind, reason, message.into());
    }

    /// The whole sync; gives the time after which to look again.
    pub(super) fn run(&mut self) -> Flow<Option<SimDuration>> {
        let set = self.set();
        let mut known = self.read.revisions.clone();
        history::adopt_orphans(&mut self.script, Kind::StatefulSet, &set.meta, &mut known)?;
        let selector = &set.spec.selector.compiled;
        let is_ours = |pod: &Pod| set.names(&pod.meta.name) && selector.matches(&pod.meta.labels);
        let pods = controller_ref::claim_all(&mut self.script, &set.meta, Kind::StatefulSet, &self.read.pods, is_ours)?;
        let found = caught(revisions::resolve(&mut self.script, self.view, set, &known))?;
        let outcome = match &found {
            Ok(revisions) => self.update(&pods, revisions),
            Err(_) => Ok(StatefulSetStatus::default()),
        };
        let outcome = caught(outcome)?;
        self.truncate_history(&pods, &known, found.as_ref().ok());
        if let Err(failure) = found {
            return Err(Halt::Failed(failure));
        }
        let status = outcome.map_err(Halt::Failed)?;
        Ok(status::next_check(set, &status, pods.iter().map(|pod| &**pod), self.read.started))
    }

    /// Brings the pods closer to what is asked for and reports, also after a failure.
    fn update(&mut self, pods: &[Arc<Pod>], revisions: &Revisions) -> Flow<StatefulSetStatus> {
        let (set, now) = (self.set(), self.read.started);
        let members = Members::new(set, pods);
        let mut status = if set.meta.is_deleting() {
            status::count(set, revisions, pods.iter().map(|pod| &**pod), now)
        } else {
            status::count(set, revisions, members.existing(), now)
        };
        let outcome = if set.meta.is_deleting() { Ok(false) } else { self.manage(&members, revisions) };
        let outcome = caught(outcome)?;
        if matches!(outcome, Ok(true)) {
            status.current_replicas -= 1;
        }
        status::complete_rolling_update(set, &mut status);
        if status::is_new(&set.status, &status) {
            let updated = StatefulSet { status: status.clone(), ..set.clone() };
            self.script.send(|| Request::Update(updated.into(), Part::Status));
        }
        outcome.map(|_| status).map_err(Halt::Failed)
    }

    /// Creates, mends and deletes pods; tells whether one was deleted for an update.
    fn manage(&mut self, members: &Members<'_>, revisions: &Revisions) -> Flow<bool> {
        let ordered = self.set().spec.pod_management_policy == PodManagementPolicy::OrderedReady;
        let stopped =
            if ordered { self.start_in_order(members, revisions)? } else { self.start_all(members, revisions)? };
        if stopped {
            return Ok(false);
        }
        for member in &members.condemned {
            if !self.claims_match(member) {
                all_well(self.update_claims(std::slice::from_ref(member))?)?;
            }
        }
        let stopped = if ordered { self.end_in_order(members)? } else { self.end_all(members)? };
        if stopped || self.set().spec.update_strategy == StatefulSetUpdateStrategy::OnDelete {
            return Ok(false);
        }
        self.roll(members, revisions)
    }

    /// The ordinals that are asked for.
    fn ordinals(&self) -> std::ops::Range<i64> {
        let start = i64::from(self.set().spec.first_ordinal());
        start..(start + i64::from(self.set().spec.replicas)).min(i64::from(i32::MAX) + 1)
    }

    /// From the lowest ordinal up to the first pod that is not there and available: that one is created, or waited for.
    /// Tells whether there was one.
    fn start_in_order(&mut self, members: &Members<'_>, revisions: &Revisions) -> Flow<bool> {
        let (set, now) = (self.set(), self.read.started);
        for ordinal in self.ordinals().filter_map(|ordinal| i32::try_from(ordinal).ok()) {
            let member = members.at(ordinal);
            let Some(pod) = member.pod else {
                if !self.has_stale_claim(&member) {
                    self.create_pods(&[member], revisions)?;
                }
                return Ok(true);
            };
            if pod.is_terminal() {
                self.delete_members(&[member])?;
                return Ok(true);
            }
            if pod.status.phase == PodPhase::Pending {
                self.create_missing_claims(std::slice::from_ref(&member))?;
            }
            if is_unavailable(set, pod, now) || !pod.is_running_and_ready() {
                return Ok(true);
            }
            self.mend_pods(&[member])?;
        }
        Ok(false)
    }

    /// All pods at once, in batches that grow as long as all goes well (upstream `slowStartBatch`). Nothing waits.
    fn start_all(&mut self, members: &Members<'_>, revisions: &Revisions) -> Flow<bool> {
        let ordinals = self.ordinals();
        let (mut from, mut size) = (ordinals.start, 1);
        while from < ordinals.end {
            let to = ordinals.end.min(from + size);
            let batch = (from..to).filter_map(|ordinal| i32::try_from(ordinal).ok());
            let batch: Vec<Member<'_>> = batch.map(|ordinal| members.at(ordinal)).collect();
            self.start_batch(&batch, revisions)?;
            (from, size) = (to, (size * 2).min(MAX_BATCH_SIZE));
        }
        Ok(false)
    }

    fn start_batch(&mut self, batch: &[Member<'_>], revisions: &Revisions) -> Flow<()> {
        let existing = |which: fn(&Pod) -> bool| -> Vec<Member<'_>> {
            batch.iter().filter(|member| member.pod.is_some_and(|pod| which(pod))).cloned().collect()
        };
        let mut missing: Vec<Member<'_>> = batch.iter().filter(|member| member.pod.is_none()).cloned().collect();
        missing.retain(|member| !self.has_stale_claim(member));
        let mut failures = Vec::new();
        failures.push(caught(self.delete_members(&existing(Pod::is_terminal)))?.err());
        failures.push(caught(self.create_pods(&missing, revisions))?.err());
        let pending = existing(|pod| pod.status.phase == PodPhase::Pending);
        failures.push(caught(self.create_missing_claims(&pending))?.err());
        failures.push(caught(self.mend_pods(&existing(|pod| !pod.is_terminal())))?.err());
        all_well(failures.into_iter().map(|failure| failure.map(|failure| failure.to_string())))
    }

    /// Deletes pods that are not being deleted yet. In the place of those that ended, however they did, new ones follow
    /// once they are gone.
    fn delete_members(&mut self, members: &[Member<'_>]) -> Flow<()> {
        let pods = members.iter().filter_map(|member| member.pod).filter(|pod| !pod.meta.is_deleting());
        let names: Vec<Arc<str>> = pods.map(|pod| Arc::clone(&pod.meta.name)).collect();
        self.delete_pods(&names)
    }

    /// Deletes the pod with the highest ordinal that is not asked for. It has to be available, unless it is the only
    /// one that is not. Tells whether there was anything to delete or to wait for.
    fn end_in_order(&mut self, members: &Members<'_>) -> Flow<bool> {
        let (set, now) = (self.set(), self.read.started);
        let Some(Member { ordinal, pod: Some(pod) }) = members.condemned.first() else { return Ok(false) };
        if pod.meta.is_deleting() {
            return Ok(true);
        }
        let unavailable = |member: &&Member<'_>| member.pod.is_some_and(|pod| is_unavailable(set, pod, now));
        let first_unavailable = members.condemned.iter().rev().find(unavailable).map(|member| member.ordinal);
        let well = pod.is_running_and_ready() && pod.is_available(set.spec.min_ready_seconds, now);
        if well || first_unavailable == Some(*ordinal) {
            self.delete_pods(&[Arc::clone(&pod.meta.name)])?;
        }
        Ok(true)
    }

    /// Deletes all pods that are not asked for, in batches that grow as long as all goes well.
    fn end_all(&mut self, members: &Members<'_>) -> Flow<bool> {
        let (mut rest, mut size) = (&members.condemned[..], 1);
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            self.delete_members(batch)?;
            (rest, size) = (after, (size * 2).min(MAX_BATCH_SIZE as usize));
        }
        Ok(false)
    }

    /// Deletes the pod with the highest ordinal that is not of the new revision, once all above it are available.
    /// Feature `MaxUnavailableStatefulSet`, which would let several go, is off by default in 1.36.
    fn roll(&mut self, members: &Members<'_>, revisions: &Revisions) -> Flow<bool> {
        let (set, now) = (self.set(), self.read.started);
        let partition = set.spec.update_strategy.rolling().map_or(0, |rolling| rolling.partition);
        let ordinals = self.ordinals();
        for ordinal in (ordinals.start.saturating_add(i64::from(partition))..ordinals.end).rev() {
            let Ok(ordinal) = i32::try_from(ordinal) else { continue };
            let member = members.at(ordinal);
            let is_new = match member.pod {
                Some(pod) => *revision_of(pod) == *revisions.update.meta.name || pod.meta.is_deleting(),
                // One that this sync created counts as well.
                None => {
                    !identity::is_of_current_revision(set, ordinal)
                        || revisions.current.meta.name == revisions.update.meta.name
                }
            };
            if !is_new {
                self.delete_pods(&[self.name_of(&member)])?;
                return Ok(true);
            }
            if member.pod.is_none_or(|pod| is_unavailable(set, pod, now)) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Deletes the oldest revisions that nothing lives on, above the history limit.
    fn truncate_history(
        &mut self,
        pods: &[Arc<Pod>],
        known: &[Arc<ControllerRevision>],
        revisions: Option<&Revisions>,
    ) {
        let is_live = |revision: &ControllerRevision| {
            let name = &revision.meta.name;
            revisions.is_some_and(|r| r.current.meta.name == *name || r.update.meta.name == *name)
                || pods.iter().any(|pod| *revision_of(pod) == **name)
        };
        let limit = self.set().spec.revision_history_limit;
        for revision in history::obsolete(known, limit, is_live) {
            self.script.send(|| revisions::delete(revision));
        }
    }
}
