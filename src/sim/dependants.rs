//! Pods that depend on Services: they are told when a Service has no ready endpoint any more, or one again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{Change, ChangeType};
use crate::kubelet::{Behaviours, service_of};
use crate::objects::{EndpointSlice, Key, Pod, Resource, SERVICE_NAME_LABEL};

use super::simulation::Simulation;

/// Which bound pods depend on which Service, in the order of binding.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependants {
    /// Whether any image depends on a Service; otherwise nothing is kept.
    enabled: bool,
    by_service: BTreeMap<Key, Vec<Key>>,
}

impl Dependants {
    pub(super) fn new(behaviours: &Behaviours) -> Self {
        Self { enabled: behaviours.have_dependencies(), by_service: BTreeMap::new() }
    }

    /// Takes a bound pod in, as its images are now, or out.
    fn follow(&mut self, behaviours: &Behaviours, pod: &Pod, is_gone: bool) {
        let key = pod.key();
        self.by_service.values_mut().for_each(|pods| pods.retain(|known| *known != key));
        self.by_service.retain(|_, pods| !pods.is_empty());
        if is_gone {
            return;
        }
        let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
        for dependency in containers.filter_map(|spec| behaviours.resolve(&spec.image).depends_on.as_ref()) {
            let pods = self.by_service.entry(service_of(dependency, &key.namespace)).or_default();
            if pods.last() != Some(&key) {
                pods.push(key.clone());
            }
        }
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
        let pods = self.kubelets.dependants.by_service.get(&service).cloned().unwrap_or_default();
        for key in pods {
            let view = self.kubelets.informer.view(self.server.view());
            let Some(pod) = view.pods.get(&key).cloned() else { continue };
            if let Some(&node) = self.kubelets.by_name.get(&pod.node_name) {
                self.with_kubelet(node, &pod, 5, |kubelet, cx| kubelet.on_dependency(cx, &pod.meta.uid));
            }
        }
    }
}
