//! What came of a pod's last scheduling attempt: why it is where it is, or why it is nowhere.

use std::sync::Arc;

use crate::objects::WallTime;

/// The outcome of the last attempt for a pod.
///
/// What an attempt would come to now, node by node, is another question: see [`super::Scheduler::explain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When the attempt was made.
    pub at: WallTime,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A node was found.
    Placed(Placement),
    /// None was.
    Failed {
        /// As the `FailedScheduling` event has it, but not cut.
        message: String,
        /// The plugins that refused nodes or the pod as a whole, in their order. Their events wake the pod.
        rejected_by: Vec<&'static str>,
        /// The node on which room is being made for the pod, and how many pods leave it for that.
        nominated: Option<(Arc<str>, usize)>,
    },
}

/// Why a node was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Name of the node.
    pub node: Arc<str>,
    /// How many nodes were found that would do. In large clusters the search ends when there are enough.
    pub feasible: usize,
    /// Weighted points of the chosen node by plugin; none if only one node would do, as then nothing is scored.
    pub scores: Vec<(&'static str, i64)>,
    /// Their sum.
    pub total: i64,
    /// The best of the other nodes with its sum; an equal sum means that the order of the nodes decided.
    pub runner_up: Option<(Arc<str>, i64)>,
}
