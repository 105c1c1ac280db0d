//! What the controllers of ReplicaSets and ReplicationControllers do not have in common (upstream converts the latter into
//! the former, `pkg/controller/replication/conversion.go`).

use crate::api::Tabled;
use crate::objects::{ReplicaSet, Replicated};

/// A kind that [`Replicator`](super::Replicator) looks after.
pub trait ReplicatedKind: Replicated + Tabled {
    /// Name of its controller; Events carry it.
    const CONTROLLER: &'static str;
    /// Whether `status.terminatingReplicas` is told.
    const REPORTS_TERMINATING: bool;
}

impl ReplicatedKind for ReplicaSet {
    const CONTROLLER: &'static str = "replicaset-controller";
    const REPORTS_TERMINATING: bool = true;
}
