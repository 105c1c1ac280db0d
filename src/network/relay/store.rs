//! The objects that reverse proxies watch, as they have heard of them.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Object, SERVICE_NAME_LABEL};

/// Their objects, with changes that are still on the way.
#[derive(Clone, Debug)]
pub(super) struct Store {
    view: View,
    /// From an accepted write to them, ns.
    watch: u64,
    coming: VecDeque<(u64, Change)>,
    /// Counts changes of rules: reloads.
    configurations: u64,
    /// Counts changes of rules and of what they lead to.
    models: u64,
    /// When each Service or its endpoints changed last, as a count of changes.
    touched: FxHashMap<Key, u64>,
    changes: u64,
}

impl Store {
    pub(super) fn new(watch: SimDuration) -> Self {
        Self {
            view: View::default(),
            watch: watch.as_nanos(),
            coming: VecDeque::new(),
            configurations: 0,
            models: 0,
            touched: FxHashMap::default(),
            changes: 0,
        }
    }

    /// Whether reverse proxies watch objects of that kind.
    pub(super) fn wants(change: &Change) -> bool {
        match &change.object {
            Object::Service(_)
            | Object::EndpointSlice(_)
            | Object::Ingress(_)
            | Object::IngressClass(_)
            | Object::Gateway(_)
            | Object::HTTPRoute(_)
            | Object::ReferenceGrant(_)
            | Object::Namespace(_) => true,
            Object::Opaque(object) => &*object.kind == "Secret",
            _ => false,
        }
    }

    /// A change was accepted at `now`, ns; returns when they hear of it.
    pub(super) fn push(&mut self, change: Change, now: u64) -> u64 {
        let arrives = now.saturating_add(self.watch);
        self.coming.push_back((arrives, change));
        if self.watch == 0 {
            self.take_in(now);
        }
        arrives
    }

    /// Brings in what has arrived at `now`, ns.
    pub(super) fn take_in(&mut self, now: u64) {
        while let Some((arrives, _)) = self.coming.front()
            && *arrives <= now
        {
            let Some((_, change)) = self.coming.pop_front() else { return };
            self.note(&change);
            self.view.apply(&change);
        }
    }

    fn note(&mut self, change: &Change) {
        self.changes += 1;
        let deleted = change.change_type == ChangeType::Deleted;
        match &change.object {
            Object::Service(service) => {
                let key = Key::new(service.meta.namespace.clone(), service.meta.name.clone());
                let same = |old: &std::sync::Arc<crate::objects::Service>| old.spec == service.spec;
                if deleted || !self.view.services.get(&key).is_some_and(same) {
                    self.models += 1;
                }
                self.touched.insert(key, self.changes);
            }
            Object::EndpointSlice(slice) => {
                if let Some(name) = slice.meta.labels.get(SERVICE_NAME_LABEL) {
                    self.touched.insert(Key::new(slice.meta.namespace.clone(), name), self.changes);
                }
            }
            Object::Ingress(ingress) => {
                let known = self.view.ingresses.get(&change.object.key());
                let same = |old: &std::sync::Arc<crate::objects::Ingress>| {
                    old.spec == ingress.spec && old.meta.annotations == ingress.meta.annotations
                };
                let changed = deleted || !known.is_some_and(same);
                self.configure(changed);
            }
            Object::Gateway(gateway) => {
                let known = self.view.gateways.get(&change.object.key());
                self.configure(deleted || known.is_none_or(|old| old.spec != gateway.spec));
            }
            Object::HTTPRoute(route) => {
                let known = self.view.http_routes.get(&change.object.key());
                self.configure(deleted || known.is_none_or(|old| old.spec != route.spec));
            }
            // Listeners choose them by their labels.
            Object::Namespace(namespace) => {
                let known = self.view.namespaces.get(&change.object.key());
                self.configure(known.is_some_and(|old| old.meta.labels != namespace.meta.labels));
            }
            _ => self.configure(true),
        }
    }

    /// Statuses change nothing.
    fn configure(&mut self, changed: bool) {
        self.configurations += u64::from(changed);
        self.models += u64::from(changed);
    }

    pub(super) const fn view(&self) -> &View {
        &self.view
    }

    pub(super) const fn configurations(&self) -> u64 {
        self.configurations
    }

    pub(super) const fn models(&self) -> u64 {
        self.models
    }

    /// Counts all that has changed.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// When a Service or its endpoints changed last.
    pub(super) fn touched(&self, service: &Key) -> u64 {
        self.touched.get(service).copied().unwrap_or(0)
    }
}
