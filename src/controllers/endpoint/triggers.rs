//! When what the next write answers to happened (upstream `endpointslice/util.TriggerTimeTracker`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::{Key, Pod, Resource, Service, Timestamp};

/// Times of Services and pods that were looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct TriggerTimes(BTreeMap<Key, Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    service: Option<Timestamp>,
    pods: BTreeMap<Arc<str>, Timestamp>,
}

impl TriggerTimes {
    pub(super) fn forget(&mut self, service: &Key) {
        self.0.remove(service);
    }

    /// The earliest change since the last look; at the first one, when the Service was created.
    pub(super) fn take(&mut self, service: &Service, pods: &[&Arc<Pod>]) -> Option<Timestamp> {
        let created = service.meta.creation_timestamp;
        let ready = pods.iter().filter_map(|pod| Some((pod.meta.name.clone(), pod.ready_since()?)));
        let now = Known { service: created, pods: ready.collect() };
        let Some(before) = self.0.insert(service.key(), now.clone()) else { return created };
        let changed = now.pods.iter().filter(|(pod, at)| before.pods.get(*pod).is_none_or(|before| *at > before));
        let of_service = created.filter(|at| before.service.is_none_or(|before| *at > before));
        changed.map(|(_, at)| *at).chain(of_service).min()
    }
}
