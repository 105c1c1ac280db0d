//! Taints that say what is wrong with a node, and the writes that set them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::{Part, Request, Response};
use crate::objects::{ConditionStatus, Conditions, Node, SharedList, Taint, Timestamp, Typed};

const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Condition, status, and the taint that stands for it.
const CONDITION_TAINTS: [(&str, ConditionStatus, &str); 6] = [
    ("Ready", ConditionStatus::False, NOT_READY),
    ("Ready", ConditionStatus::Unknown, UNREACHABLE),
    ("MemoryPressure", ConditionStatus::True, "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", ConditionStatus::True, "node.kubernetes.io/disk-pressure"),
    ("NetworkUnavailable", ConditionStatus::True, "node.kubernetes.io/network-unavailable"),
    ("PIDPressure", ConditionStatus::True, "node.kubernetes.io/pid-pressure"),
];

/// Key and effect: what makes two taints the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaintKind {
    key: &'static str,
    effect: &'static str,
}

/// `node.kubernetes.io/not-ready:NoExecute`.
pub(super) const NOT_READY_NO_EXECUTE: TaintKind = TaintKind { key: NOT_READY, effect: NO_EXECUTE };
/// `node.kubernetes.io/unreachable:NoExecute`.
pub(super) const UNREACHABLE_NO_EXECUTE: TaintKind = TaintKind { key: UNREACHABLE, effect: NO_EXECUTE };

impl TaintKind {
    const fn no_schedule(key: &'static str) -> Self {
        Self { key, effect: NO_SCHEDULE }
    }

    fn is(self, taint: &Taint) -> bool {
        *taint.key == *self.key && taint.effect == *self.effect
    }

    /// Whether the node has it.
    pub(super) fn is_on(self, node: &Node) -> bool {
        node.spec.taints.iter().any(|taint| self.is(taint))
    }

    fn since(self, now: Timestamp) -> Taint {
        Taint { key: self.key.into(), value: "".into(), effect: self.effect.into(), time_added: Some(now) }
    }
}

/// The `NoExecute` taint of a node that is not ready and the one that excludes it; `None` if it is ready.
pub(super) fn no_execute(ready: ConditionStatus) -> Option<(TaintKind, TaintKind)> {
    match ready {
        ConditionStatus::True => None,
        ConditionStatus::False => Some((NOT_READY_NO_EXECUTE, UNREACHABLE_NO_EXECUTE)),
        ConditionStatus::Unknown => Some((UNREACHABLE_NO_EXECUTE, NOT_READY_NO_EXECUTE)),
    }
}

/// Whether the node has one of the taints that mean its loss.
pub(super) fn evicts(node: &Node) -> bool {
    NOT_READY_NO_EXECUTE.is_on(node) || UNREACHABLE_NO_EXECUTE.is_on(node)
}

/// The edits that make a node's `NoSchedule` taints say what its conditions say (upstream
/// `doNoScheduleTaintingPass`).
pub(super) fn no_schedule_edits(node: &Node) -> Vec<Edit> {
    let wanted = wanted_no_schedule(node);
    let missing: Vec<_> = wanted.iter().copied().filter(|kind| !kind.is_on(node)).collect();
    let managed = CONDITION_TAINTS.iter().map(|(_, _, key)| *key).chain([UNSCHEDULABLE]).map(TaintKind::no_schedule);
    let surplus: Vec<_> = managed.filter(|kind| kind.is_on(node) && !wanted.contains(kind)).collect();
    let mut edits = Vec::new();
    if !missing.is_empty() {
        edits.push(Edit::Put(missing));
    }
    if !surplus.is_empty() {
        edits.push(Edit::Remove(surplus));
    }
    edits
}

fn wanted_no_schedule(node: &Node) -> Vec<TaintKind> {
    let of = |kind: &str, status: ConditionStatus| {
        CONDITION_TAINTS.iter().find(|(condition, when, _)| *condition == kind && *when == status)
    };
    let conditions = node.status.conditions.iter();
    let by_condition = conditions.filter_map(|condition| of(&condition.kind, condition.status)).map(|(_, _, key)| *key);
    let cordoned = node.spec.unschedulable.then_some(UNSCHEDULABLE);
    by_condition.chain(cordoned).map(TaintKind::no_schedule).collect()
}

/// `Ready` of a node, if anyone ever said something about it.
pub(super) fn ready(node: &Node) -> Option<ConditionStatus> {
    node.status.conditions.find("Ready").map(|condition| condition.status)
}

/// One write to the taints of a node.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// Sets these, with the time.
    Put(Vec<TaintKind>),
    /// Removes these.
    Remove(Vec<TaintKind>),
}

impl Edit {
    /// The taints afterwards; `None` if nothing changes.
    fn apply(&self, taints: &[Taint], now: Timestamp) -> Option<SharedList<Taint>> {
        let changed: Vec<Taint> = match self {
            Self::Put(kinds) => {
                let mut changed = taints.to_vec();
                for kind in kinds {
                    match changed.iter_mut().find(|taint| kind.is(taint)) {
                        Some(taint) => *taint = kind.since(now),
                        None => changed.push(kind.since(now)),
                    }
                }
                changed
            }
            Self::Remove(kinds) => {
                taints.iter().filter(|taint| !kinds.iter().any(|kind| kind.is(taint))).cloned().collect()
            }
        };
        (changed != taints).then(|| changed.into())
    }
}

/// Writes to the taints of one node, one after the other, each on what the one before left.
#[derive(Clone, Debug)]
pub(super) struct TaintWrites {
    /// The node as last seen.
    pub(super) node: Arc<Node>,
    edits: VecDeque<Edit>,
    failed: bool,
}

impl TaintWrites {
    pub(super) fn new(node: Arc<Node>, edits: Vec<Edit>) -> Self {
        Self { node, edits: edits.into(), failed: false }
    }

    pub(super) fn push(&mut self, edit: Edit) {
        self.edits.push_back(edit);
    }

    /// Both taints that mean the node's loss go, in two writes (upstream `markNodeAsReachable`).
    pub(super) fn mark_reachable(&mut self) {
        self.push(Edit::Remove(vec![UNREACHABLE_NO_EXECUTE]));
        self.push(Edit::Remove(vec![NOT_READY_NO_EXECUTE]));
    }

    /// One taint comes, then the other goes (upstream `SwapNodeControllerTaint`).
    pub(super) fn swap(&mut self, come: TaintKind, go: TaintKind) {
        self.push(Edit::Put(vec![come]));
        self.push(Edit::Remove(vec![go]));
    }

    /// The next write that changes something.
    pub(super) fn next_request(&mut self, now: Timestamp) -> Option<Request> {
        while let Some(edit) = self.edits.pop_front() {
            if let Some(taints) = edit.apply(&self.node.spec.taints, now) {
                let mut node = (*self.node).clone();
                node.spec.taints = taints;
                return Some(Request::Update(node.into(), Part::Main));
            }
        }
        None
    }

    /// The answer to the last write. A node that is gone needs no more of them.
    pub(super) fn answered(&mut self, response: Response) {
        match response {
            Ok(object) => {
                if let Some(node) = Node::unwrap(&object) {
                    self.node = Arc::clone(node);
                }
            }
            Err(error) => {
                self.edits.clear();
                self.failed |= !error.is_not_found();
            }
        }
    }

    /// Whether a write was refused and must be tried again.
    pub(super) const fn failed(&self) -> bool {
        self.failed
    }
}
