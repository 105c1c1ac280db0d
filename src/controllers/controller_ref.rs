//! Which objects a controller owns: adoption and release by `ownerReferences` (upstream `controller_ref_manager.go`).

use std::sync::Arc;

use crate::api::{MetaPatch, Reason, Request, Response};
use crate::objects::{Kind, Object, ObjectMeta, OwnerReference, Resource, Selector};

use super::script::{Flow, Script};

/// What a controller does about an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is none of its business.
    Ignore,
    /// It owns it.
    Keep,
    /// It takes it over: nobody owns it, and it matches.
    Adopt,
    /// It owns it, but it does not match any more.
    Release,
}

/// Decides about one object (upstream `BaseControllerRefManager.ClaimObject`).
#[must_use]
pub fn claim(owner: &ObjectMeta, object: &ObjectMeta, matches: bool) -> Claim {
    match object.controller() {
        Some(reference) if reference.uid != owner.uid => Claim::Ignore,
        Some(_) if matches => Claim::Keep,
        Some(_) if owner.is_deleting() => Claim::Ignore,
        Some(_) => Claim::Release,
        None if !matches || owner.is_deleting() || object.is_deleting() => Claim::Ignore,
        None if !owner.namespace.is_empty() && owner.namespace != object.namespace => Claim::Ignore,
        None => Claim::Adopt,
    }
}

/// The reference by which dependents name their managing controller (upstream `metav1.NewControllerRef`).
#[must_use]
pub fn controller_reference(kind: Kind, owner: &ObjectMeta) -> OwnerReference {
    OwnerReference {
        api_version: kind.api_version().into(),
        kind: kind.as_str().into(),
        name: Arc::clone(&owner.name),
        uid: owner.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The request that adopts an object.
#[must_use]
pub fn adopt<T: Resource>(object: &T, owner: OwnerReference) -> Request {
    patch(object, MetaPatch { add_owner: Some(owner), ..MetaPatch::default() })
}

/// The request that releases an object.
#[must_use]
pub fn release<T: Resource>(object: &T, owner: &ObjectMeta) -> Request {
    patch(object, MetaPatch { remove_owners: vec![owner.uid.clone()], ..MetaPatch::default() })
}

fn patch<T: Resource>(object: &T, patch: MetaPatch) -> Request {
    Request::PatchMeta { kind: T::KIND, key: object.key(), uid: object.meta().uid.clone(), patch }
}

/// What came of an adoption: the object if it is owned now, nothing if it is gone.
///
/// # Errors
/// The refusal, in the API server's words.
pub fn adopted(response: Response) -> Result<Option<Object>, String> {
    match response {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.message),
    }
}

/// What came of a release. That the object is gone, or another one by now, is as good as released.
///
/// # Errors
/// The refusal, in the API server's words.
pub fn released(response: Response) -> Result<(), String> {
    match response {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.reason, Reason::NotFound | Reason::Invalid) => Ok(()),
        Err(error) => Err(error.message),
    }
}

/// Adopts and releases among `candidates`, all at once; gives those that are owned now (upstream `ClaimObject` for a
/// list of objects).
pub(crate) fn claim_all<T: Resource>(
    script: &mut Script,
    owner: &ObjectMeta,
    owner_kind: Kind,
    candidates: &[Arc<T>],
    matches: impl Fn(&T) -> bool,
) -> Flow<Vec<Arc<T>>> {
    let claims: Vec<Claim> = candidates.iter().map(|object| claim(owner, object.meta(), matches(object))).collect();
    let candidates = || candidates.iter().zip(&claims);
    let kept = candidates().filter(|(_, claim)| **claim == Claim::Keep);
    let mut owned: Vec<Arc<T>> = kept.map(|(object, _)| Arc::clone(object)).collect();
    let changes = || candidates().filter(|(_, claim)| matches!(claim, Claim::Adopt | Claim::Release));
    if changes().next().is_none() {
        return Ok(owned);
    }
    let request = |(object, claim): (&Arc<T>, &Claim)| match claim {
        Claim::Adopt => adopt(&**object, controller_reference(owner_kind, owner)),
        _ => release(&**object, owner),
    };
    let answers = script.call_all(|| changes().map(request).collect())?;
    owned.extend(claimed::<T>(changes().map(|(_, claim)| claim), answers)?);
    Ok(owned)
}

/// What came of adoptions and releases: the objects that are owned now besides those that were before.
///
/// # Errors
/// What went wrong, in one text.
pub(crate) fn claimed<'a, T: Resource>(
    claims: impl IntoIterator<Item = &'a Claim>,
    responses: Vec<Response>,
) -> Result<Vec<Arc<T>>, String> {
    let (mut owned, mut failures) = (Vec::new(), Vec::new());
    for (claim, response) in claims.into_iter().zip(responses) {
        if *claim == Claim::Release {
            failures.extend(released(response).err());
            continue;
        }
        match adopted(response) {
            Ok(object) => owned.extend(object.as_ref().and_then(T::unwrap).cloned()),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(owned) } else { Err(aggregate(failures)) }
}

/// Several failures as one text (upstream `utilerrors.NewAggregate`): one plain, several in brackets, each once.
#[must_use]
pub fn aggregate(mut failures: Vec<String>) -> String {
    let mut seen: Vec<String> = Vec::with_capacity(failures.len());
    for failure in failures.drain(..) {
        if !seen.contains(&failure) {
            seen.push(failure);
        }
    }
    if seen.len() == 1 { seen.remove(0) } else { format!("[{}]", seen.join(", ")) }
}

/// Whether labels are selected by what a controller's `spec.selector` says. One of everything selects nothing here:
/// it never wakes a controller.
#[must_use]
pub fn wakes(selector: &Selector, object: &ObjectMeta) -> bool {
    !object.labels.is_empty() && !selector.is_empty() && selector.matches(&object.labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiError;
    use crate::objects::{Key, SharedList, Timestamp, Uid};

    fn meta(uid: &str) -> ObjectMeta {
        ObjectMeta { name: uid.into(), namespace: "default".into(), uid: Uid::parse(uid), ..ObjectMeta::default() }
    }

    fn owned_by(owner: &ObjectMeta) -> ObjectMeta {
        let owners = SharedList::from(vec![controller_reference(Kind::ReplicaSet, owner)]);
        ObjectMeta { owner_references: owners, ..meta("pod") }
    }

    fn deleting(mut object: ObjectMeta) -> ObjectMeta {
        object.deletion_timestamp = Some(Timestamp::from_unix_secs(1));
        object
    }

    #[test]
    fn what_matches_and_is_free_is_adopted() {
        assert_eq!(claim(&meta("set"), &meta("pod"), true), Claim::Adopt);
        assert_eq!(claim(&meta("set"), &meta("pod"), false), Claim::Ignore);
        assert_eq!(claim(&meta("set"), &deleting(meta("pod")), true), Claim::Ignore);
        let elsewhere = ObjectMeta { namespace: "other".into(), ..meta("pod") };
        assert_eq!(claim(&meta("set"), &elsewhere, true), Claim::Ignore);
    }

    #[test]
    fn an_owner_being_deleted_keeps_what_it_has_and_takes_nothing() {
        let owner = deleting(meta("set"));
        assert_eq!(claim(&owner, &owned_by(&owner), true), Claim::Keep);
        assert_eq!(claim(&owner, &owned_by(&owner), false), Claim::Ignore);
        assert_eq!(claim(&owner, &meta("pod"), true), Claim::Ignore);
    }

    #[test]
    fn what_does_not_match_any_more_is_released() {
        let owner = meta("set");
        assert_eq!(claim(&owner, &owned_by(&owner), false), Claim::Release);
        assert_eq!(claim(&owner, &owned_by(&meta("other")), true), Claim::Ignore);
    }

    #[test]
    fn releasing_what_is_gone_is_no_failure() {
        let gone = ApiError::not_found(Kind::Pod, &Key::new("default", "x"));
        assert_eq!(released(Err(gone.clone())), Ok(()));
        assert!(adopted(Err(gone)).is_ok_and(|object| object.is_none()));
        let conflict = ApiError::conflict(Kind::Pod, &Key::new("default", "x"), "no");
        assert!(released(Err(conflict.clone())).is_err());
        assert!(adopted(Err(conflict)).is_err());
    }

    #[test]
    fn several_failures_are_told_together_each_once() {
        let failures = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(aggregate(failures(&["a"])), "a");
        assert_eq!(aggregate(failures(&["a", "b", "a"])), "[a, b]");
    }
}
