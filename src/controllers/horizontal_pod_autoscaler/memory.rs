//! What is remembered from round to round. A restart of the controller manager loses it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::{Key, Pod, Selector, WallTime};

/// What the controller remembers of an autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What metrics asked for, before stabilization; `None` before the first round.
    pub recommendations: Option<Vec<Recommendation>>,
    /// Scalings to more replicas. Kept only where the spec has a behavior.
    pub scale_up_events: Vec<ScaleEvent>,
    /// Scalings to fewer replicas.
    pub scale_down_events: Vec<ScaleEvent>,
    /// Whether the last round would have liked another size than the target had.
    pub(super) wants_more: bool,
}

/// How many replicas metrics asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// So many.
    pub replicas: i32,
    /// When.
    pub at: WallTime,
}

/// A scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScaleEvent {
    /// By how many replicas; positive in both directions.
    pub change: i32,
    /// When.
    pub at: WallTime,
    /// Whether it is so old that its place may be taken.
    pub outdated: bool,
}

/// The selectors of all autoscalers, which must not meet in a pod (upstream `pkg/controller/util/selectors.BiMultimap`).
#[derive(Clone, Debug, Default)]
pub struct Selectors(BTreeMap<Key, Selector>);

impl Selectors {
    /// An autoscaler is there; what it selects is not known yet.
    pub fn register(&mut self, autoscaler: Key) {
        self.0.entry(autoscaler).or_insert_with(Selector::nothing);
    }

    /// What an autoscaler selects, if it is registered.
    pub fn put(&mut self, autoscaler: &Key, selector: &Selector) {
        if let Some(known) = self.0.get_mut(autoscaler) {
            known.clone_from(selector);
        }
    }

    /// An autoscaler is gone.
    pub fn remove(&mut self, autoscaler: &Key) {
        self.0.remove(autoscaler);
    }

    /// The autoscalers of a namespace that select any of its pods, by name.
    #[must_use]
    pub fn selecting(&self, namespace: &Arc<str>, pods: &[&Arc<Pod>]) -> Vec<Key> {
        let here = self.0.range(Key::new(namespace.clone(), "")..).take_while(|(key, _)| key.namespace == *namespace);
        let selects = |selector: &Selector| pods.iter().any(|pod| selector.matches(&pod.meta.labels));
        here.filter(|(_, selector)| selects(selector)).map(|(key, _)| key.clone()).collect()
    }
}
