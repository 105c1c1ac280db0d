//! Which pods belong to the same workload as a pod (upstream `helper.DefaultSelector`).

use crate::api::View;
use crate::objects::{Key, Kind, Pod, Requirement, Selector};

/// Selects the pods of the Services and of the controller that a pod belongs to; nothing if there are none.
pub(super) fn selector(pod: &Pod, view: &View) -> Option<Selector> {
    let mut requirements: Vec<Requirement> = Vec::new();
    let namespace = &pod.meta.namespace;
    let services = view.services.in_namespace(namespace).filter_map(|service| service.spec.selector.as_ref());
    for selector in services.filter(|selector| pod.meta.labels.contains_all(selector)) {
        requirements.extend_from_slice(Selector::from_labels(selector).requirements());
    }
    if let Some(owner) = pod.meta.controller() {
        let key = Key::new(namespace.clone(), owner.name.clone());
        let selector = match Kind::of(&owner.api_version, &owner.kind) {
            Some(Kind::ReplicaSet) => view.replica_sets.get(&key).map(|set| &set.spec.selector),
            Some(Kind::ReplicationController) => view.replication_controllers.get(&key).map(|set| &set.spec.selector),
            Some(Kind::StatefulSet) => view.stateful_sets.get(&key).map(|set| &set.spec.selector),
            _ => None,
        };
        requirements.extend(selector.iter().flat_map(|selector| selector.compiled.requirements().iter().cloned()));
    }
    (!requirements.is_empty()).then(|| Selector::from_requirements(requirements))
}
