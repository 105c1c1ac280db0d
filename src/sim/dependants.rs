//! Pods that depend on Services: they are told when a Service has no ready endpoint any more, or one again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType};
use crate::kubelet::{Behaviours, service_of};
use crate::objects::{EndpointSlice, Key, Pod, Resource, SERVICE_NAME_LABEL};

use super::simulation::Simulation;

/// Which bound pods depend on which Service, in the order of binding.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependants {
    /// Whether any image depends on a Service; otherwise nothing is kept.
    enabled: bool,
    /// Bindings so far.
    bindings: u64,
    /// Pods by Service, then by their binding.
    by_service: FxHashMap<Key, BTreeMap<u64, Key>>,
    /// The other way round: the binding of a pod and the Services that it depends on.
    by_pod: FxHashMap<Key, (u64, Vec<Key>)>,
}

impl Dependants {
    pub(super) fn new(behaviours: &Behaviours) -> Self {
        Self { enabled: behaviours.have_dependencies(), ..Self::default() }
    }

    /// Takes a bound pod in, as its images are now, or out.
    fn follow(&mut self, behaviours: &Behaviours, pod: &Pod, is_gone: bool) {
        let key = pod.key();
        self.forget(&key);
        if is_gone {
            return;
        }
        let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
        let needed = containers.filter_map(|spec| behaviours.resolve(&spec.image).depends_on.as_ref());
        let services: Vec<Key> = needed.map(|dependency| service_of(dependency, &key.namespace)).collect();
        if services.is_empty() {
            return;
        }
        self.bindings += 1;
        for service in &services {
            self.by_service.entry(service.clone()).or_default().insert(self.bindings, key.clone());
        }
        self.by_pod.insert(key, (self.bindings, services));
    }

    fn forget(&mut self, pod: &Key) {
        let Some((binding, services)) = self.by_pod.remove(pod) else { return };
        for service in services {
            if let Some(pods) = self.by_service.get_mut(&service) {
                pods.remove(&binding);
                if pods.is_empty() {
                    self.by_service.remove(&service);
                }
            }
        }
    }

    /// The pods that depend on a Service, in the order of binding.
    fn of(&self, service: &Key) -> Vec<Key> {
        self.by_service.get(service).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}

impl Simulation {
    /// Keeps the dependants up to date with a change, and tells those of a Service whose endpoints have changed.
    pub(super) fn tell_of_dependencies(&mut self, change: &Change) {
        if !self.kubelets.dependants.enabled {
            return;
        }
        let is_gone = change.change_type == ChangeType::Deleted;
        if let Some((old, pod)) = change.of::<Pod>() {
            let is_same = old.is_some_and(|old| old.is_bound() && Arc::ptr_eq(&old.spec, &pod.spec));
            if pod.is_bound() && (is_gone || !is_same) {
                self.kubelets.dependants.follow(&self.kubelets.behaviours, pod, is_gone);
            }
        }
        let Some((_, slice)) = change.of::<EndpointSlice>() else { return };
        let Some(service) = slice.meta.labels.get(SERVICE_NAME_LABEL) else { return };
        let service = Key::new(slice.meta.namespace.clone(), service);
        for key in self.kubelets.dependants.of(&service) {
            let view = self.kubelets.informer.view(self.server.view());
            let Some(pod) = view.pods.get(&key).cloned() else { continue };
            if let Some(&node) = self.kubelets.by_name.get(&pod.node_name) {
                self.with_kubelet(node, &pod, 5, |kubelet, cx| kubelet.on_dependency(cx, &pod.meta.uid));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::kubelet::{Behaviour, BehaviourSpec, Dependency};
    use crate::objects::PodSpec;

    /// Images `0`, `1` and `2` depend on the Service of that name, `3` on none.
    fn behaviours() -> Behaviours {
        let entry = |image: u8| {
            let service = image.to_string().into();
            let depends_on = Some(Dependency { service, namespace: None, probes: Vec::new() });
            BehaviourSpec { image: image.to_string().into(), depends_on, ..BehaviourSpec::default() }
        };
        Behaviours::new(Behaviour::ideal(), (0..3).map(entry))
    }

    fn spec(images: &[u8]) -> Arc<PodSpec> {
        let container = |image: &u8| json!({"name": "c", "image": image.to_string()});
        let containers = images.iter().map(container).collect();
        Arc::new(PodSpec::from_wire([("containers".to_owned(), containers)].into_iter().collect()).expect("a spec"))
    }

    proptest! {
        #[test]
        fn the_index_says_what_a_walk_over_all_pods_says(
            steps in prop::collection::vec((0..6_u8, prop::collection::vec(0..4_u8, 0..4), any::<bool>()), 1..40),
        ) {
            let behaviours = behaviours();
            let mut dependants = Dependants::new(&behaviours);
            // Bound pods with their images, in the order of binding.
            let mut plain: Vec<(Key, Vec<u8>)> = Vec::new();
            for (name, images, is_gone) in steps {
                let mut pod = Pod::default();
                pod.meta.name = name.to_string().into();
                pod.spec = spec(&images);
                dependants.follow(&behaviours, &pod, is_gone);
                plain.retain(|(known, _)| *known != pod.key());
                if !is_gone {
                    plain.push((pod.key(), images));
                }
                for service in 0..4_u8 {
                    let needs = plain.iter().filter(|(_, images)| service < 3 && images.contains(&service));
                    let expected: Vec<Key> = needs.map(|(key, _)| key.clone()).collect();
                    prop_assert_eq!(dependants.of(&Key::new("", service.to_string())), expected);
                }
            }
            prop_assert!(dependants.by_service.values().all(|pods| !pods.is_empty()));
        }
    }
}
