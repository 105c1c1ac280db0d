//! Writes that take long, and updates that are refused.

use crate::api::{ApiError, Request, Response};
use crate::kernel::{Sampler, Stream};
use crate::objects::Kind;
use crate::sim::simulation::Simulation;

/// Updates that are refused with `409 Conflict`, as if somebody else changed the same objects all the time. Patches, creations
/// and deletions have no version to be in conflict with; kubelets patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictStorm {
    /// Of which kinds; empty = of all but leases.
    pub kinds: Vec<Kind>,
    /// In which namespace; `None` = everywhere.
    pub namespace: Option<String>,
    /// How many of a hundred, on average.
    pub percent: u8,
}

impl Default for ConflictStorm {
    /// Every update.
    fn default() -> Self {
        Self { kinds: Vec::new(), namespace: None, percent: 100 }
    }
}

/// A storm that goes on.
#[derive(Clone)]
pub(super) struct Storm {
    what: ConflictStorm,
    luck: Stream,
}

impl Storm {
    fn refuses(&mut self, request: &Request) -> Option<ApiError> {
        let Request::Update(object, _) = request else { return None };
        let (kind, key) = (object.kind(), object.key());
        let ConflictStorm { kinds, namespace, percent } = &self.what;
        let meant = if kinds.is_empty() { kind != Kind::Lease } else { kinds.contains(&kind) };
        let meant = meant && namespace.as_ref().is_none_or(|namespace| **namespace == *key.namespace);
        (meant && self.luck.ratio(u64::from(*percent), 100)).then(|| ApiError::modified(kind, &key))
    }
}

impl Simulation {
    /// Executes a request of a process of the control plane.
    pub(in crate::sim) fn execute_for_component(&mut self, request: &Request) -> Response {
        if let Some(storm) = &mut self.disturbances.conflicts
            && !self.disturbances.api_server_down
            && let Some(error) = storm.refuses(request)
        {
            return Err(error);
        }
        self.execute(request)
    }

    pub(super) fn begin_slow_writes(&mut self, delay: Sampler) {
        let usual = std::mem::replace(&mut self.delays.write, delay);
        self.disturbances.usual_writes.get_or_insert(usual);
    }

    pub(super) fn end_slow_writes(&mut self) {
        if let Some(usual) = self.disturbances.usual_writes.take() {
            self.delays.write = usual;
        }
    }

    pub(super) fn begin_conflicts(&mut self, what: ConflictStorm) {
        let luck = self.luck();
        self.disturbances.conflicts = Some(Box::new(Storm { what, luck }));
    }
}
