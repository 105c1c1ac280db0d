//! Services by what their selectors ask for.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Key, Labels, Service};

/// Services with a selector. A Service is found by the first pair of its selector, so that a pod's change looks only
/// at Services that could select it.
#[derive(Clone, Debug, Default)]
pub(in crate::controllers) struct ServiceIndex {
    by_namespace: FxHashMap<Arc<str>, ByPair>,
    selectors: FxHashMap<Key, Labels>,
}

/// Services by the first pair of their selectors.
type ByPair = FxHashMap<(Arc<str>, Arc<str>), Vec<Entry>>;

#[derive(Clone, Debug)]
struct Entry {
    key: Key,
    selector: Labels,
}

/// Whether this controller makes the slices of a Service. An empty selector does not survive the store, so it is none.
pub(in crate::controllers) fn is_managed(service: &Service) -> bool {
    service.spec.kind != *"ExternalName" && service.spec.selector.as_ref().is_some_and(|selector| !selector.is_empty())
}

impl ServiceIndex {
    pub(in crate::controllers) fn insert(&mut self, key: Key, service: &Service) {
        let Some(selector) = &service.spec.selector else { return };
        let Some(pair) = selector.shared().first() else { return };
        let namespace = self.by_namespace.entry(key.namespace.clone()).or_default();
        namespace.entry(pair.clone()).or_default().push(Entry { key: key.clone(), selector: selector.clone() });
        self.selectors.insert(key, selector.clone());
    }

    pub(in crate::controllers) fn remove(&mut self, key: &Key) {
        let Some(selector) = self.selectors.remove(key) else { return };
        let Some(pair) = selector.shared().first() else { return };
        let Some(namespace) = self.by_namespace.get_mut(&key.namespace) else { return };
        if let Some(entries) = namespace.get_mut(pair) {
            entries.retain(|entry| entry.key != *key);
            if entries.is_empty() {
                namespace.remove(pair);
            }
        }
        if namespace.is_empty() {
            self.by_namespace.remove(&key.namespace);
        }
    }

    /// Services of a namespace that select a pod with these labels.
    pub(in crate::controllers) fn selecting<'a>(
        &'a self,
        namespace: &str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Key> {
        let by_pair = self.by_namespace.get(namespace);
        let entries = labels.shared().iter().filter_map(move |pair| by_pair?.get(pair)).flatten();
        entries.filter(|entry| labels.contains_all(&entry.selector)).map(|entry| &entry.key)
    }
}
