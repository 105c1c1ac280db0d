//! The ReplicationController controller (upstream `pkg/controller/replication`): the ReplicaSet controller, at work on
//! the older kind.

#[cfg(test)]
mod tests;

use crate::objects::ReplicationController;

use super::replica_set::{ReplicatedKind, Replicator};

/// Keeps as many pods of each ReplicationController as it asks for.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ReplicationManager;
/// assert_eq!(ReplicationManager::new().name(), "replication-controller");
/// ```
pub type ReplicationManager = Replicator<ReplicationController>;

impl ReplicatedKind for ReplicationController {
    const CONTROLLER: &'static str = "replication-controller";
    const REPORTS_TERMINATING: bool = false;
}
