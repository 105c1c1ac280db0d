//! The conditions of a namespace that is being deleted (upstream `status_condition_utils.go`).

use crate::objects::{Condition, ConditionStatus, Conditions, SharedList, Timestamp};

use super::content::Tally;

const CONTENT_FAILURE: &str = "NamespaceDeletionContentFailure";
const CONTENT_REMAINING: &str = "NamespaceContentRemaining";
const FINALIZERS_REMAINING: &str = "NamespaceFinalizersRemaining";

/// Types with reason and message when all is well.
const FINE: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (CONTENT_FAILURE, "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    (CONTENT_REMAINING, "ContentRemoved", "All content successfully removed"),
    (FINALIZERS_REMAINING, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];

/// What is not well: type, reason and message. Without `totals`, only failures.
pub(super) fn failing(tally: &Tally, totals: bool) -> Vec<(&'static str, &'static str, String)> {
    let mut failing = Vec::new();
    if !tally.errors.is_empty() {
        let mut errors = tally.errors.clone();
        errors.sort();
        let message = format!("Failed to delete all resource types, {} remaining: {}", errors.len(), errors.join(", "));
        failing.push((CONTENT_FAILURE, "ContentDeletionFailed", message));
    }
    if totals && !tally.remaining.is_empty() {
        let kinds =
            tally.remaining.iter().map(|(resource, count)| format!("{resource} has {count} resource instances"));
        let message = format!("Some resources are remaining: {}", sorted(kinds));
        failing.push((CONTENT_REMAINING, "SomeResourcesRemain", message));
    }
    if totals && !tally.finalizers.is_empty() {
        let kinds =
            tally.finalizers.iter().map(|(finalizer, count)| format!("{finalizer} in {count} resource instances"));
        let message = format!("Some content in the namespace has finalizers remaining: {}", sorted(kinds));
        failing.push((FINALIZERS_REMAINING, "SomeFinalizersRemain", message));
    }
    failing
}

fn sorted(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.join(", ")
}

/// The conditions with what is not well; `None` if they are so already.
pub(super) fn changed(
    old: &[Condition],
    mut failing: Vec<(&'static str, &'static str, String)>,
    now: Timestamp,
) -> Option<SharedList<Condition>> {
    let mut conditions = old.to_vec();
    let mut changed = false;
    for (kind, reason, message) in FINE {
        let wrong = failing.iter().position(|(failing, ..)| *failing == kind).map(|at| failing.swap_remove(at));
        let mut new = match wrong {
            Some((_, reason, message)) => Condition::new(kind, ConditionStatus::True, now).because(reason, message),
            None => Condition::new(kind, ConditionStatus::False, now).because(reason, message),
        };
        match old.find(kind) {
            Some(same) if same.status == new.status && same.reason == new.reason && same.message == new.message => {}
            Some(other) => {
                if other.status == new.status {
                    new.last_transition_time = other.last_transition_time;
                }
                let at = conditions.iter().position(|condition| condition.kind == *kind);
                at.into_iter().for_each(|at| conditions[at] = new.clone());
                changed = true;
            }
            None => {
                conditions.push(new);
                changed = true;
            }
        }
    }
    changed.then(|| conditions.into())
}
