//! What the controller notes in annotations: revisions, and the size for which a ReplicaSet was scaled.

use std::sync::Arc;

use crate::objects::{Annotations, Deployment, MAX_REPLICAS, ObjectMeta, ReplicaSet};

use super::fenceposts::max_replicas;

/// Number of the rollout that a ReplicaSet or Deployment belongs to.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions of a ReplicaSet, with commas between them.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Size of the Deployment when the ReplicaSet was last scaled.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// Asks the controller to roll back, with the revision as value; 0 = the one before.
pub const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// What `kubectl apply` applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

const MAX_REVISION_HISTORY_CHARS: usize = 2000;

/// Whether an annotation is the object's own and not copied between a Deployment and its ReplicaSets.
#[must_use]
pub fn is_own(key: &str) -> bool {
    matches!(key, REVISION | REVISION_HISTORY | DESIRED_REPLICAS | MAX_REPLICAS | ROLLBACK_TO | LAST_APPLIED)
}

/// The revision of an object: 0 if it has none, nothing if it cannot be read.
#[must_use]
pub fn revision(meta: &ObjectMeta) -> Option<i64> {
    meta.annotations.get(REVISION).map_or(Some(0), |text| text.parse().ok())
}

/// The size of the Deployment for which a ReplicaSet was last scaled, if noted.
#[must_use]
pub fn desired_replicas(set: &ReplicaSet) -> Option<i32> {
    non_negative(set, DESIRED_REPLICAS)
}

/// The most pods for which a ReplicaSet was last scaled, if noted.
#[must_use]
pub fn noted_max_replicas(set: &ReplicaSet) -> Option<i32> {
    non_negative(set, MAX_REPLICAS)
}

fn non_negative(set: &ReplicaSet, key: &str) -> Option<i32> {
    let text = set.meta.annotations.get(key).filter(|text| !text.starts_with(['+', '-']))?;
    text.parse().ok()
}

/// Whether a ReplicaSet was scaled for exactly this size, in the eyes of `IsSaturated`, which reads any integer.
#[must_use]
pub fn is_scaled_for(set: &ReplicaSet, replicas: i32) -> bool {
    let noted = set.meta.annotations.get(DESIRED_REPLICAS).and_then(|text| text.parse::<i64>().ok());
    noted.is_some_and(|noted| noted as i32 == replicas)
}

/// Annotations with the size of the Deployment noted (upstream `SetReplicasAnnotations`).
#[must_use]
pub fn with_replicas(annotations: &Annotations, deployment: &Deployment) -> Annotations {
    let spec = &deployment.spec;
    let noted = annotations.with(DESIRED_REPLICAS, &spec.replicas.to_string());
    noted.with(MAX_REPLICAS, &max_replicas(spec).to_string())
}

/// The annotations that the new ReplicaSet must have, if they differ from those it has: the Deployment's, and its
/// revision, which only ever rises; the one it had before goes into its history (upstream
/// `SetNewReplicaSetAnnotations`).
#[must_use]
pub fn synced(deployment: &Deployment, set: &ObjectMeta, new_revision: i64) -> Option<Annotations> {
    let copied = with_copied(&set.annotations, &deployment.meta.annotations);
    let noted = set.annotations.get(REVISION);
    let old_revision = match noted {
        None | Some("") => 0,
        // One that cannot be read is left alone, and then nothing that was copied counts as a change.
        Some(text) => text.parse::<i64>().ok()?,
    };
    if old_revision >= new_revision {
        return copied;
    }
    let mut annotations = copied.unwrap_or_else(|| set.annotations.clone());
    annotations = annotations.with(REVISION, &new_revision.to_string());
    if let Some(old) = noted
        && let Some(history) = with_past(set.annotations.get(REVISION_HISTORY).unwrap_or(""), old)
    {
        annotations = annotations.with(REVISION_HISTORY, &history);
    }
    Some(annotations)
}

/// `own` with what is to be copied of `other`, if that changes anything.
fn with_copied(own: &Annotations, other: &Annotations) -> Option<Annotations> {
    let mut missing = other.iter().filter(|(key, value)| !is_own(key) && own.get(key) != Some(value)).peekable();
    missing.peek()?;
    Some(missing.fold(own.clone(), |annotations, (key, value)| annotations.with(key, value)))
}

/// A history with one more revision; its oldest ones are dropped to keep it short.
fn with_past(history: &str, old: &str) -> Option<String> {
    let entries: Vec<&str> = history.split(',').collect();
    if entries[0].is_empty() {
        return Some(old.to_owned());
    }
    let mut length = history.len() + old.len() + 1;
    let mut dropped = 0;
    while length > MAX_REVISION_HISTORY_CHARS && dropped < entries.len() {
        length -= (entries[dropped].len() + 1).min(length);
        dropped += 1;
    }
    if length > MAX_REVISION_HISTORY_CHARS {
        return None;
    }
    let kept = entries[dropped..].iter().copied().chain([old]);
    Some(kept.collect::<Vec<_>>().join(","))
}

/// The annotations of a Deployment that goes back to a ReplicaSet: its own ones, and those of the ReplicaSet that are
/// not (upstream `SetDeploymentAnnotationsTo`).
#[must_use]
pub fn rolled_back(deployment: &Annotations, set: &Annotations) -> Annotations {
    let own = deployment.shared().iter().filter(|(key, _)| is_own(key));
    let restored = set.shared().iter().filter(|(key, _)| !is_own(key));
    own.chain(restored).map(|(key, value)| (Arc::clone(key), Arc::clone(value))).collect()
}

/// The revision to which a Deployment asks to go back (upstream `getRollbackTo`).
#[must_use]
pub fn rollback_to(deployment: &Deployment) -> Option<i64> {
    deployment.meta.annotations.get(ROLLBACK_TO).and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> Annotations {
        pairs.iter().copied().collect()
    }

    fn synced_from(deployment: &[(&str, &str)], set: &[(&str, &str)], revision: i64) -> Option<Annotations> {
        let mut of = Deployment::default();
        of.meta.annotations = annotations(deployment);
        synced(&of, &ObjectMeta { annotations: annotations(set), ..ObjectMeta::default() }, revision)
    }

    #[test]
    fn the_deployments_annotations_are_copied_except_its_own() {
        let from = [("team", "a"), (REVISION, "9"), (LAST_APPLIED, "{}"), (ROLLBACK_TO, "3"), (MAX_REPLICAS, "7")];
        let synced = synced_from(&from, &[("old", "stays"), (REVISION, "2")], 2);
        assert_eq!(synced, Some(annotations(&[("old", "stays"), ("team", "a"), (REVISION, "2")])));
        assert_eq!(synced_from(&from, &[("team", "a"), (REVISION, "2")], 1), None);
    }

    #[test]
    fn a_risen_revision_leaves_the_old_one_in_the_history() {
        let first = synced_from(&[], &[(REVISION, "1")], 3).unwrap();
        assert_eq!((first.get(REVISION), first.get(REVISION_HISTORY)), (Some("3"), Some("1")));
        let second = synced_from(&[], &[(REVISION, "3"), (REVISION_HISTORY, "1")], 5).unwrap();
        assert_eq!(second.get(REVISION_HISTORY), Some("1,3"));
        assert_eq!(synced_from(&[], &[], 1), Some(annotations(&[(REVISION, "1")])));
    }

    #[test]
    fn an_unreadable_revision_is_left_alone() {
        assert_eq!(synced_from(&[("team", "a")], &[(REVISION, "x")], 3), None);
    }

    #[test]
    fn a_long_history_drops_its_oldest_entries() {
        let long = vec!["123456789"; 200].join(",");
        let kept = with_past(&long, "777").unwrap();
        assert!(kept.len() <= MAX_REVISION_HISTORY_CHARS && kept.ends_with(",777"), "{}", kept.len());
        assert_eq!(kept.split(',').count(), 200);
    }

    #[test]
    fn noted_sizes_are_plain_numbers_only() {
        let noted = |text: &str| {
            let mut set = ReplicaSet::default();
            set.meta.annotations = annotations(&[(DESIRED_REPLICAS, text)]);
            desired_replicas(&set)
        };
        assert_eq!(noted("7"), Some(7));
        assert!(["-1", "+7", "", "x", "2147483648"].iter().all(|text| noted(text).is_none()));
    }

    #[test]
    fn going_back_keeps_what_is_the_deployments_own() {
        let deployment = annotations(&[("cause", "edit"), (REVISION, "2"), (LAST_APPLIED, "{}")]);
        let set = annotations(&[("cause", "create"), (REVISION, "1"), (DESIRED_REPLICAS, "3")]);
        let expected = annotations(&[("cause", "create"), (REVISION, "2"), (LAST_APPLIED, "{}")]);
        assert_eq!(rolled_back(&deployment, &set), expected);
    }
}
