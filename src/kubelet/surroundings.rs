//! What a kubelet knows around a pod, out of its caches.

use std::sync::Arc;

use crate::api::View;
use crate::objects::environment::Surroundings;
use crate::objects::pod_resources::{ResourceAmounts, listed};
use crate::objects::{Key, OpaqueObject, Pod, Service, Timestamp};

/// Which services a container was told of: those that existed when it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownServices {
    /// All that there are now.
    Now,
    /// Those created before the one with this id.
    Before(u32),
    /// Those created until then.
    Until(Timestamp),
}

/// A view as the surroundings of pods.
#[derive(Clone, Copy, Debug)]
pub struct ViewSurroundings<'a> {
    /// The objects.
    pub view: &'a View,
    /// Which services count.
    pub services: KnownServices,
}

impl Surroundings for ViewSurroundings<'_> {
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>> {
        self.view.opaque.get(&Key::new(namespace, format!("ConfigMap/{name}"))).cloned()
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<OpaqueObject>> {
        self.view.opaque.get(&Key::new(namespace, format!("Secret/{name}"))).cloned()
    }

    fn services(&self, namespace: &str) -> Vec<Arc<Service>> {
        let services = &self.view.services;
        let is_known = |service: &&Arc<Service>| match self.services {
            KnownServices::Now => true,
            KnownServices::Before(id) => {
                let meta = &service.meta;
                services.id(&Key::new(meta.namespace.clone(), meta.name.clone())).is_some_and(|own| own < id)
            }
            KnownServices::Until(at) => service.meta.creation_timestamp.is_some_and(|created| created <= at),
        };
        services.in_namespace(namespace).filter(is_known).cloned().collect()
    }

    fn allocatable(&self, pod: &Pod) -> ResourceAmounts {
        let node = self.view.nodes.get(&Key::new("", pod.node_name.clone()));
        node.map(|node| listed(&node.status.allocatable_wire.clone().into())).unwrap_or_default()
    }
}
