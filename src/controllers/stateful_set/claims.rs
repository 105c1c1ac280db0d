//! The claims of a StatefulSet's pods: their names, and who owns them (upstream `stateful_set_utils.go`).

use std::sync::Arc;

use crate::controllers::controller_ref::controller_reference;
use crate::objects::{
    ClaimTemplate, Kind, Labels, ObjectMeta, OwnerReference, PersistentVolumeClaim, Resource, SharedList, StatefulSet,
    Uid, WireError,
};

/// The name of the claim that a pod gets from a template.
#[must_use]
pub(super) fn name(template: &str, set: &str, ordinal: i32) -> String {
    format!("{template}-{set}-{ordinal}")
}

/// A claim as it is to be created (upstream `getPersistentVolumeClaims`).
pub(super) fn new_claim(
    set: &StatefulSet,
    template: &ClaimTemplate,
    ordinal: i32,
) -> Result<PersistentVolumeClaim, WireError> {
    let mut claim = PersistentVolumeClaim::from_wire(template.wire.clone())?;
    claim.meta.name = name(&template.name, &set.meta.name, ordinal).into();
    claim.meta.namespace = Arc::clone(&set.meta.namespace);
    claim.meta.labels = with_all(&claim.meta.labels, &set.spec.selector.wire.match_labels);
    Ok(claim)
}

fn with_all(labels: &Labels, more: &Labels) -> Labels {
    more.iter().fold(labels.clone(), |labels, (key, value)| labels.with(key, value))
}

/// A pod as far as its claims know it. One that is still to be created has no uid.
#[derive(Clone, Debug)]
pub(super) struct ClaimPod {
    pub(super) name: Arc<str>,
    pub(super) uid: Uid,
    /// Whether the StatefulSet asks for a pod of its ordinal.
    pub(super) wanted: bool,
}

/// How an owner and a reference stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// The reference is to something else.
    Other,
    /// It is to this very object.
    This,
    /// It is to an earlier object of that name.
    Stale,
}

/// The StatefulSet and the pod that a claim may belong to.
struct Owners<'a> {
    set: &'a StatefulSet,
    pod: &'a ClaimPod,
}

impl Owners<'_> {
    fn relation(reference: &OwnerReference, kind: Kind, name: &str, uid: &Uid) -> Relation {
        let named = *reference.api_version == *kind.api_version()
            && *reference.kind == *kind.as_str()
            && *reference.name == *name;
        match named {
            false => Relation::Other,
            true if reference.uid == *uid => Relation::This,
            true => Relation::Stale,
        }
    }

    fn to_set(&self, reference: &OwnerReference) -> Relation {
        Self::relation(reference, Kind::StatefulSet, &self.set.meta.name, &self.set.meta.uid)
    }

    fn to_pod(&self, reference: &OwnerReference) -> Relation {
        Self::relation(reference, Kind::Pod, &self.pod.name, &self.pod.uid)
    }

    /// Whether the claim should belong to the StatefulSet, and whether to the pod.
    fn wanted(&self) -> (bool, bool) {
        let policy = self.set.spec.claim_retention.unwrap_or_default();
        let by_pod = policy.delete_when_scaled && !self.pod.wanted;
        (policy.delete_when_deleted && !by_pod, by_pod)
    }
}

/// Whether a claim belongs to an earlier pod of that name, which is not gone yet for the garbage collector (upstream
/// `hasStaleOwnerRef`).
pub(super) fn has_stale_pod(claim: &ObjectMeta, set: &StatefulSet, pod: &ClaimPod) -> bool {
    let owners = Owners { set, pod };
    first_relation(claim, |reference| owners.to_pod(reference)) == Relation::Stale
}

fn first_relation(claim: &ObjectMeta, relation: impl Fn(&OwnerReference) -> Relation) -> Relation {
    claim.owner_references.iter().map(relation).find(|found| *found != Relation::Other).unwrap_or(Relation::Other)
}

/// Whether something else manages a claim although the policy gives it to the StatefulSet or the pod (upstream
/// `hasUnexpectedController`).
pub(super) fn has_unexpected_controller(claim: &ObjectMeta, set: &StatefulSet, pod: &ClaimPod) -> bool {
    let policy = set.spec.claim_retention.unwrap_or_default();
    if !policy.delete_when_deleted && !policy.delete_when_scaled {
        return false;
    }
    let owners = Owners { set, pod };
    claim.owner_references.iter().any(|reference| match (owners.to_set(reference), owners.to_pod(reference)) {
        (Relation::Stale, _) => true,
        (Relation::This, _) => false,
        (Relation::Other, Relation::Stale) => true,
        (Relation::Other, Relation::This) => false,
        (Relation::Other, Relation::Other) => reference.controller == Some(true),
    })
}

/// Whether the owners of a claim are those that the policy asks for. Claims of earlier StatefulSets and pods of the
/// same names, and those that something else manages, are left as they are (upstream `isClaimOwnerUpToDate`).
pub(super) fn owners_match(claim: &ObjectMeta, set: &StatefulSet, pod: &ClaimPod) -> bool {
    let owners = Owners { set, pod };
    let stale = |found: Relation| found == Relation::Stale;
    if stale(first_relation(claim, |reference| owners.to_set(reference)))
        || stale(first_relation(claim, |reference| owners.to_pod(reference)))
    {
        return true;
    }
    let owned_by = |uid: &Uid| claim.owner_references.iter().find(|reference| reference.uid == *uid);
    let (by_set, by_pod) = (owned_by(&set.meta.uid), owned_by(&pod.uid));
    if has_unexpected_controller(claim, set, pod) {
        return by_set.is_none() && by_pod.is_none();
    }
    let is_controller = |reference: &OwnerReference| reference.controller == Some(true);
    if ![by_set, by_pod].into_iter().flatten().all(is_controller) {
        return false;
    }
    (by_set.is_some(), by_pod.is_some()) == owners.wanted()
}

/// The owners that the policy asks for (upstream `updateClaimOwnerRefForSetAndPod`).
pub(super) fn wanted_owners(claim: &ObjectMeta, set: &StatefulSet, pod: &ClaimPod) -> SharedList<OwnerReference> {
    let owners = Owners { set, pod };
    let others = claim
        .owner_references
        .iter()
        .filter(|reference| owners.to_set(reference) == Relation::Other && owners.to_pod(reference) == Relation::Other);
    let mut references: Vec<OwnerReference> = others.cloned().collect();
    if has_unexpected_controller(claim, set, pod) {
        return references.into();
    }
    let (by_set, by_pod) = owners.wanted();
    let has = |references: &[OwnerReference], uid: &Uid| references.iter().any(|reference| reference.uid == *uid);
    if by_pod && !has(&references, &pod.uid) {
        let meta = ObjectMeta { name: Arc::clone(&pod.name), uid: pod.uid.clone(), ..ObjectMeta::default() };
        references.push(controller_reference(Kind::Pod, &meta));
    }
    if by_set && !has(&references, &set.meta.uid) {
        references.push(controller_reference(Kind::StatefulSet, &set.meta));
    }
    references.into()
}
