//! Creating, mending and deleting pods and their claims, with the Events that tell of it (upstream
//! `stateful_pod_control.go`). What is done to several pods leaves together.

use std::sync::Arc;

use serde_json::json;

use crate::api::{ApiError, DeleteOptions, EventKind, Part, PatchType, Request};
use crate::controllers::controller_ref::aggregate;
use crate::controllers::script::{Flow, Halt};
use crate::objects::{ClaimTemplate, Key, Kind, PersistentVolumeClaim, Pod, Resource, Typed, Uid};

use super::claims::{self, ClaimPod};
use super::control::StatefulSetSync;
use super::identity::{self, SpecsInSubdomain};
use super::revisions::{self, Revisions};

/// A pod by its ordinal, whether it exists or not.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) ordinal: i32,
    pub(super) pod: Option<&'a Arc<Pod>>,
}

/// What came of something that was done to several pods: the failure of each that failed.
type Failures = Vec<Option<String>>;

/// Fails if anything did.
pub(super) fn all_well(failures: impl IntoIterator<Item = Option<String>>) -> Flow<()> {
    let failures: Vec<String> = failures.into_iter().flatten().collect();
    if failures.is_empty() { Ok(()) } else { Err(Halt::from(aggregate(failures))) }
}

impl StatefulSetSync<'_> {
    /// Deletes pods by their names. One that is gone is as good as deleted.
    pub(super) fn delete_pods(&mut self, names: &[Arc<str>]) -> Flow<()> {
        if names.is_empty() {
            return Ok(());
        }
        let namespace = &self.set().meta.namespace;
        let delete = |name: &Arc<str>| Request::Delete {
            kind: Kind::Pod,
            key: Key { namespace: Arc::clone(namespace), name: Arc::clone(name) },
            options: DeleteOptions::default(),
        };
        let answers = self.script.call_all(|| names.iter().map(delete).collect())?;
        let mut failures = Vec::new();
        for (name, answer) in names.iter().zip(answers) {
            let failure = answer.err().filter(|error| !error.is_not_found()).map(|error| error.message);
            self.tell("Delete", name, failure.as_deref());
            failures.push(failure);
        }
        all_well(failures)
    }

    /// Creates pods that do not exist, their claims first.
    pub(super) fn create_pods(&mut self, members: &[Member<'_>], revisions: &Revisions) -> Flow<()> {
        if members.is_empty() {
            return Ok(());
        }
        let mut failures = self.create_claims(members)?;
        let ready: Vec<usize> = (0..members.len()).filter(|at| failures[*at].is_none()).collect();
        for at in (0..members.len()).filter(|at| failures[*at].is_some()) {
            self.tell("Create", &self.name_of(&members[at]), failures[at].as_deref());
        }
        if ready.is_empty() {
            return all_well(failures);
        }
        let (set, specs) = (self.set(), &mut *self.specs);
        let mut create = |at: &usize| new_pod(specs, set, revisions, members[*at].ordinal).map(Request::Create);
        let answers = self.script.try_call_all(|| ready.iter().map(&mut create).collect())?;
        // A pod that is there already was not made by this sync: nothing is told, and the next one sees it.
        let mut made = Vec::new();
        for (at, answer) in ready.into_iter().zip(answers) {
            let error = answer.err();
            let exists = error.as_ref().is_some_and(ApiError::is_already_exists);
            failures[at] = error.map(|error| error.message);
            if !exists {
                made.push(at);
            }
        }
        let members_made: Vec<Member<'_>> = made.iter().map(|at| members[*at].clone()).collect();
        let claim_failures = self.update_claims(&members_made)?;
        for (at, failure) in made.into_iter().zip(claim_failures) {
            let verb = if failure.is_some() { "Update" } else { "Create" };
            failures[at] = failure.or_else(|| failures[at].take());
            self.tell(verb, &self.name_of(&members[at]), failures[at].as_deref());
        }
        all_well(failures)
    }

    /// Creates claims that pods, which wait for them, miss.
    pub(super) fn create_missing_claims(&mut self, members: &[Member<'_>]) -> Flow<()> {
        if members.is_empty() || self.set().spec.volume_claim_templates.is_empty() {
            return Ok(());
        }
        let mut failures = self.create_claims(members)?;
        let with_claims: Vec<usize> = (0..members.len()).filter(|at| failures[*at].is_none()).collect();
        let members_ready: Vec<Member<'_>> = with_claims.iter().map(|at| members[*at].clone()).collect();
        let claim_failures = self.update_claims(&members_ready)?;
        for (at, failure) in with_claims.into_iter().zip(claim_failures) {
            if failure.is_some() {
                self.tell("Update", &self.name_of(&members[at]), failure.as_deref());
            }
            failures[at] = failure;
        }
        all_well(failures)
    }

    /// Gives pods back the identity, the volumes and the owners of claims that they should have (upstream
    /// `UpdateStatefulPod`).
    pub(super) fn mend_pods(&mut self, members: &[Member<'_>]) -> Flow<()> {
        let set = self.set();
        let mut broken = Vec::new();
        for member in members {
            let Some(pod) = member.pod else { continue };
            if !identity::identity_matches(set, pod, member.ordinal)
                || !identity::storage_matches(set, pod, member.ordinal)
                || !self.claims_match(member)
            {
                broken.push(member.clone());
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        let without_volumes =
            |member: &Member<'_>| member.pod.is_some_and(|pod| !identity::storage_matches(set, pod, member.ordinal));
        let unclaimed: Vec<Member<'_>> = broken.iter().filter(|member| without_volumes(member)).cloned().collect();
        let mut failed = self.create_claims(&unclaimed)?.into_iter();
        let mut failures: Failures =
            broken.iter().map(|member| if without_volumes(member) { failed.next().flatten() } else { None }).collect();
        for (failure, after) in failures.iter_mut().zip(self.update_claims(&broken)?) {
            *failure = failure.take().or(after);
        }
        let mendable: Vec<usize> = (0..broken.len()).filter(|at| failures[*at].is_none()).collect();
        let mut silent = vec![false; broken.len()];
        if !mendable.is_empty() {
            let mend = |at: &usize| mended(set, &broken[*at]);
            let answers = self.script.call_all(|| mendable.iter().filter_map(mend).collect())?;
            for (at, answer) in mendable.into_iter().zip(answers) {
                // Upstream reads the pod anew and tries again before it tells of a failure; here the next sync does.
                silent[at] = answer.as_ref().is_err_and(ApiError::is_conflict);
                failures[at] = answer.err().map(|error| error.message);
            }
        }
        for (at, member) in broken.iter().enumerate().filter(|(at, _)| !silent[*at]) {
            self.tell("Update", &self.name_of(member), failures[at].as_deref());
        }
        all_well(failures)
    }

    /// Creates the claims that pods lack.
    fn create_claims(&mut self, members: &[Member<'_>]) -> Flow<Failures> {
        let set = self.set();
        let mut failures: Vec<Vec<String>> = vec![Vec::new(); members.len()];
        let mut missing: Vec<(usize, &ClaimTemplate)> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            for template in set.spec.volume_claim_templates.iter() {
                match self.claim(template, member.ordinal) {
                    None => missing.push((at, template)),
                    Some(claim) if claim.meta.is_deleting() => {
                        failures[at].push(format!("pvc {} is being deleted", claim.meta.name));
                    }
                    Some(_) => {}
                }
            }
        }
        if !missing.is_empty() {
            let new = |(at, template): &(usize, &ClaimTemplate)| {
                let claim = claims::new_claim(set, template, members[*at].ordinal);
                claim.map(|claim| Request::Create(claim.into())).map_err(|error| Halt::from(error.to_string()))
            };
            let answers = self.script.try_call_all(|| missing.iter().map(new).collect())?;
            for ((at, template), answer) in missing.into_iter().zip(answers) {
                let claim = claims::name(&template.name, &set.meta.name, members[at].ordinal);
                let error = answer.err();
                if !error.as_ref().is_some_and(ApiError::is_already_exists) {
                    self.tell_of_claim(&claim, &self.name_of(&members[at]), error.as_ref());
                }
                failures[at].extend(error.map(|error| format!("failed to create PVC {claim}: {error}")));
            }
        }
        Ok(failures.into_iter().map(|failures| (!failures.is_empty()).then(|| aggregate(failures))).collect())
    }

    /// Brings the owners of the claims of pods up to date (upstream `UpdatePodClaimForRetentionPolicy`).
    pub(super) fn update_claims(&mut self, members: &[Member<'_>]) -> Flow<Failures> {
        let set = self.set();
        let mut failures: Failures = vec![None; members.len()];
        let mut changed: Vec<(usize, PersistentVolumeClaim)> = Vec::new();
        for (at, member) in members.iter().enumerate() {
            let pod = self.claim_pod(member);
            for template in set.spec.volume_claim_templates.iter() {
                let Some(claim) = self.claim(template, member.ordinal) else { continue };
                if claims::has_unexpected_controller(&claim.meta, set, &pod) {
                    self.tell_of_conflict(&claim.meta.name);
                }
                if !claims::owners_match(&claim.meta, set, &pod) {
                    let mut claim = PersistentVolumeClaim::clone(&claim);
                    claim.meta.owner_references = claims::wanted_owners(&claim.meta, set, &pod);
                    changed.push((at, claim));
                }
            }
        }
        if changed.is_empty() {
            return Ok(failures);
        }
        let update = |(_, claim): &(usize, PersistentVolumeClaim)| Request::Update(claim.clone().into(), Part::Main);
        let answers = self.script.call_all(|| changed.iter().map(update).collect())?;
        for ((at, claim), answer) in changed.iter().zip(answers) {
            if let Err(error) = answer {
                let name = &claim.meta.name;
                failures[*at].get_or_insert_with(|| {
                    format!("could not update claim {name} for delete policy ownerRefs: {error}")
                });
            }
        }
        Ok(failures)
    }

    /// Whether the owners of all claims of a pod are up to date (upstream `ClaimsMatchRetentionPolicy`).
    pub(super) fn claims_match(&mut self, member: &Member<'_>) -> bool {
        let set = self.set();
        if set.spec.volume_claim_templates.is_empty() {
            return true;
        }
        let pod = self.claim_pod(member);
        let mut claims = set.spec.volume_claim_templates.iter().filter_map(|t| self.claim(t, member.ordinal));
        claims.all(|claim| claims::owners_match(&claim.meta, set, &pod))
    }

    /// Whether a pod has to wait because a claim still belongs to its predecessor (upstream `PodClaimIsStale`).
    pub(super) fn has_stale_claim(&mut self, member: &Member<'_>) -> bool {
        let set = self.set();
        if !set.spec.claim_retention.is_some_and(|policy| policy.delete_when_scaled) {
            return false;
        }
        let pod = self.claim_pod(member);
        let mut claims = set.spec.volume_claim_templates.iter().filter_map(|t| self.claim(t, member.ordinal));
        claims.any(|claim| claims::has_stale_pod(&claim.meta, set, &pod))
    }

    /// The claim of a pod as the cache shows it.
    fn claim(&mut self, template: &ClaimTemplate, ordinal: i32) -> Option<Arc<PersistentVolumeClaim>> {
        let meta = &self.set().meta;
        let view = self.view;
        let found = self.script.look_up(|| {
            let key = Key::new(Arc::clone(&meta.namespace), claims::name(&template.name, &meta.name, ordinal));
            view.persistent_volume_claims.get(&key).cloned().map(Into::into)
        });
        found.as_ref().and_then(PersistentVolumeClaim::unwrap).cloned()
    }

    fn claim_pod(&self, member: &Member<'_>) -> ClaimPod {
        let uid = member.pod.map_or(Uid::None, |pod| pod.meta.uid.clone());
        ClaimPod { name: self.name_of(member), uid, wanted: self.set().spec.has_ordinal(member.ordinal) }
    }

    pub(super) fn name_of(&self, member: &Member<'_>) -> Arc<str> {
        match member.pod {
            Some(pod) => Arc::clone(&pod.meta.name),
            None => identity::pod_name(self.set(), member.ordinal).into(),
        }
    }

    fn tell(&mut self, verb: &'static str, pod: &str, failure: Option<&str>) {
        let (good, bad) = match verb {
            "Create" => ("SuccessfulCreate", "FailedCreate"),
            "Delete" => ("SuccessfulDelete", "FailedDelete"),
            _ => ("SuccessfulUpdate", "FailedUpdate"),
        };
        let what = format!("{verb} Pod {pod} in StatefulSet {}", self.set().meta.name);
        match failure {
            None => self.event(EventKind::Normal, good, format!("{what} successful")),
            Some(error) => self.event(EventKind::Warning, bad, format!("{what} failed error: {error}")),
        }
    }

    fn tell_of_claim(&mut self, claim: &str, pod: &str, error: Option<&ApiError>) {
        let set = &self.set().meta.name;
        match error {
            None => {
                let message = format!("Create Claim {claim} Pod {pod} in StatefulSet {set} success");
                self.event(EventKind::Normal, "SuccessfulCreate", message);
            }
            Some(error) => {
                let what = format!("Create Claim {claim} for Pod {pod} in StatefulSet {set}");
                self.event(EventKind::Warning, "FailedCreate", format!("{what} failed error: {error}"));
            }
        }
    }

    fn tell_of_conflict(&mut self, claim: &str) {
        // The misspelling is upstream's.
        let message = format!(
            "PersistentVolumeClaim {claim} has a conflicting OwnerReference that acts as a manging controller, the \
             retention policy is ignored for this claim"
        );
        self.event(EventKind::Warning, "ConflictingController", message);
    }
}

/// A pod as it is to be created.
fn new_pod(
    specs: &mut SpecsInSubdomain,
    set: &crate::objects::StatefulSet,
    revisions: &Revisions,
    ordinal: i32,
) -> Flow<crate::objects::Object> {
    let current = identity::is_of_current_revision(set, ordinal);
    let revision = if current { &revisions.current } else { &revisions.update };
    let template = revisions::template(set, revision)?;
    let pod = identity::new_pod(specs, set, &template, &revision.meta.name, ordinal);
    pod.map(Into::into).map_err(|error| Halt::from(error.to_string()))
}

/// The request that gives a pod its labels and volumes. Volumes of a pod cannot change, which the API server says.
fn mended(set: &crate::objects::StatefulSet, member: &Member<'_>) -> Option<Request> {
    let pod = member.pod?;
    let name = identity::pod_name(set, member.ordinal);
    let labels = identity::with_identity(&pod.meta.labels, &name, member.ordinal);
    if identity::storage_matches(set, pod, member.ordinal) {
        let mut pod = Pod::clone(pod);
        pod.meta.name = name.into();
        pod.meta.labels = labels;
        return Some(Request::Update(pod.into(), Part::Main));
    }
    let volumes = identity::volumes(set, pod.spec.wire().get("volumes"), member.ordinal);
    let document = Arc::new(json!({"metadata": {"labels": labels}, "spec": {"volumes": volumes}}));
    let (kind, key) = (Kind::Pod, pod.key());
    Some(Request::Patch { kind, key, patch_type: PatchType::Merge, document, part: Part::Main })
}
