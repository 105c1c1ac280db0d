//! How one machine goes: its pods are evicted, and when they are gone, so is it.

use std::sync::Arc;

use crate::api::{ApiError, DeleteOptions, EventKind, Reason, Request, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, ObjectReference, Uid, WallTime};

use super::scale_down::without_taints;
use super::{elapsed, event, node_of};

/// From the taint to the first eviction (`--node-delete-delay-after-taint`): schedulers shall know of it by then.
const DELAY_AFTER_TAINT: SimDuration = SimDuration::from_secs(5);
/// Between two attempts to evict a pod.
const RETRY: SimDuration = SimDuration::from_secs(10);
/// How long evictions are tried (`--max-pod-eviction-time`).
const MAX_EVICTION_TIME: SimDuration = SimDuration::from_mins(2);
/// How often it is looked whether evicted pods are gone.
const POLL: SimDuration = SimDuration::from_secs(5);
/// What they get beyond their grace.
const HEADROOM: SimDuration = SimDuration::from_secs(30);

/// A machine on its way out.
#[derive(Clone, Debug)]
pub struct Removal {
    node: Arc<str>,
    pods: Vec<(Key, Uid)>,
    /// Pods whose eviction was not granted yet.
    refused: Vec<Key>,
    grace_seconds: i64,
    started: WallTime,
    /// Whether evictions were just asked for.
    evicting: bool,
}

/// What comes next in a removal.
#[derive(Clone, Debug)]
pub enum Next {
    /// Nothing, for so long.
    Wait(SimDuration),
    /// These evictions; each answer is to be handed to [`Removal::answered`].
    Evict(Vec<Request>),
    /// The machine can be switched off.
    Done,
    /// It stays, and these writes say so.
    Failed(Vec<Request>),
}

impl Removal {
    pub(super) fn new(node: Arc<str>, pods: Vec<(Key, Uid)>, grace_seconds: i64, now: WallTime) -> Self {
        let refused = pods.iter().map(|(key, _)| key.clone()).collect();
        Self { node, pods, refused, grace_seconds, started: now, evicting: false }
    }

    /// The machine.
    #[must_use]
    pub const fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// What comes next.
    #[must_use]
    pub fn next(&mut self, view: &View, now: WallTime) -> Next {
        let passed = elapsed(self.started, now);
        if passed < DELAY_AFTER_TAINT {
            return Next::Wait(SimDuration::from_nanos(DELAY_AFTER_TAINT.as_nanos() - passed.as_nanos()));
        }
        let left: Vec<&Key> =
            self.pods.iter().filter(|(key, uid)| is_there(view, key, uid)).map(|(key, _)| key).collect();
        if left.is_empty() {
            return Next::Done;
        }
        self.refused.retain(|key| left.contains(&key));
        if self.refused.is_empty() {
            let seconds = u64::try_from(self.grace_seconds).unwrap_or(0);
            let limit = MAX_EVICTION_TIME + SimDuration::from_secs(seconds) + HEADROOM;
            return if passed > limit { self.fail(view, "pods remaining after timeout") } else { Next::Wait(POLL) };
        }
        self.evicting = !self.evicting;
        if !self.evicting {
            return Next::Wait(RETRY);
        }
        if passed > MAX_EVICTION_TIME {
            return self.fail(view, "timed out waiting for the eviction of pods");
        }
        Next::Evict(self.refused.iter().map(|pod| self.eviction(view, pod)).collect())
    }

    fn eviction(&self, view: &View, pod: &Key) -> Request {
        let own = view.pods.get(pod).and_then(|pod| pod.spec.termination_grace_period_seconds);
        // Shorter than its own if that is longer than anybody waits.
        let grace_period_seconds = own.filter(|own| *own > self.grace_seconds).map(|_| self.grace_seconds);
        let options = DeleteOptions { grace_period_seconds, ..DeleteOptions::default() };
        Request::Evict { pod: pod.clone(), options }
    }

    /// The API server answered the eviction of a pod.
    pub fn answered(&mut self, pod: &Key, error: Option<&ApiError>) {
        if error.is_none_or(|error| error.reason == Reason::NotFound) {
            self.refused.retain(|refused| refused != pod);
        }
    }

    fn fail(&self, view: &View, why: &str) -> Next {
        let Some(node) = node_of(view, &self.node) else { return Next::Done };
        let about = ObjectReference::to(Kind::Node, &node.meta);
        let message = format!("failed to drain the node, aborting ScaleDown: {why}");
        Next::Failed(vec![without_taints(node), event(about, EventKind::Warning, "ScaleDownFailed", message)])
    }
}

fn is_there(view: &View, key: &Key, uid: &Uid) -> bool {
    view.pods.get(key).is_some_and(|pod| pod.meta.uid == *uid && !pod.is_terminal())
}
