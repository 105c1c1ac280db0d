//! The contract between a controller and whoever runs it.

use crate::kernel::SimDuration;
use crate::objects::{Key, WallTime};

use super::{Change, KindSet, Request, Response, View};

/// What a sync may know.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The informer cache of the controller's process. It may lag behind the store.
    pub view: &'a View,
    /// Now.
    pub now: WallTime,
    /// Whether the view shows everything that this controller wrote for this key. Upstream keeps counters of expected
    /// creations and deletions; a sync with unmet ones must not create or delete.
    pub expectations_met: bool,
}

/// A controller: data in, requests out.
///
/// One *sync* of a key is a chain of steps. Each step issues requests; the requests of one step leave together, and
/// the next step sees the responses. Implementations keep no clock, no random source and do no I/O. They may remember
/// things in `self` (that is what a restart of the process loses).
pub trait Reconciler: Clone + Send + Sync + 'static {
    /// What a sync remembers between two of its steps.
    type State: Clone + Send + Sync + 'static;

    /// Name of the controller, such as `deployment-controller`; Events carry it.
    fn name(&self) -> &'static str;

    /// How failed syncs are retried.
    fn rate_limit(&self) -> RateLimit {
        RateLimit::DEFAULT
    }

    /// Whether its timers alone do not keep a cluster busy: a monitor that looks again and again.
    fn is_background(&self) -> bool {
        false
    }

    /// Whether every sync decides anew if the key needs a timer, so that one that asks for none makes an earlier timer void.
    /// Upstream's queues cannot take a timer back; there it fires and finds nothing to do.
    fn sync_decides_timers(&self) -> bool {
        false
    }

    /// Kinds whose changes [`on_change`](Self::on_change) looks at: of others it is not told. Asked once.
    fn watches(&self) -> KindSet {
        KindSet::ALL
    }

    /// A change came through the informer (the view already shows it): which keys need a sync?
    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue);

    /// First step of a sync.
    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<Self::State>;

    /// Next step of a sync, with the responses to the requests of the step before, in their order.
    fn resume(&mut self, cx: Context<'_>, key: &Key, state: Self::State, responses: Vec<Response>)
    -> Step<Self::State>;
}

/// One step of a sync.
#[derive(Debug)]
pub struct Step<S> {
    /// Requests, sent in this order.
    pub requests: Vec<Request>,
    /// What comes after them.
    pub then: Then<S>,
}

/// What comes after the requests of a step.
#[derive(Clone, Debug)]
pub enum Then<S> {
    /// Another step.
    Resume(S),
    /// The sync is over. If one of the requests failed it is retried with back-off; else it counts as a success, and
    /// is repeated after a while if asked for.
    Done {
        /// Sync again after this long.
        requeue_after: Option<SimDuration>,
    },
    /// The sync is over and failed: retry with back-off. Says why.
    Retry(String),
}

impl<S> Step<S> {
    /// Nothing (more) to do.
    #[must_use]
    pub const fn done() -> Self {
        Self { requests: Vec::new(), then: Then::Done { requeue_after: None } }
    }

    /// Last requests, then done.
    #[must_use]
    pub const fn last(requests: Vec<Request>) -> Self {
        Self { requests, then: Then::Done { requeue_after: None } }
    }

    /// Requests whose responses the sync needs.
    #[must_use]
    pub const fn call(requests: Vec<Request>, state: S) -> Self {
        Self { requests, then: Then::Resume(state) }
    }

    /// Failed.
    #[must_use]
    pub fn retry(why: impl Into<String>) -> Self {
        Self { requests: Vec::new(), then: Then::Retry(why.into()) }
    }

    /// The same step, with the state of the next one made into another.
    #[must_use]
    pub fn map_state<T>(self, change: impl FnOnce(S) -> T) -> Step<T> {
        let then = match self.then {
            Then::Resume(state) => Then::Resume(change(state)),
            Then::Done { requeue_after } => Then::Done { requeue_after },
            Then::Retry(why) => Then::Retry(why),
        };
        Step { requests: self.requests, then }
    }

    /// The same step, and the sync again after this long.
    #[must_use]
    pub fn requeue_after(mut self, delay: SimDuration) -> Self {
        self.then = Then::Done { requeue_after: Some(delay) };
        self
    }
}

/// Back-off of failed syncs: per key exponential, and a token bucket over all keys (client-go's default rate limiter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Wait after the first failure; doubles with each.
    pub base: SimDuration,
    /// Longest wait of a key.
    pub max: SimDuration,
    /// Retries per second over all keys and burst, if bounded.
    pub bucket: Option<(u32, u32)>,
    /// Failures in a row after which a key is dropped until its next change.
    pub give_up_after: Option<u32>,
}

impl RateLimit {
    /// 5 ms doubling to 1,000 s, 10 a second with a burst of 100, never given up
    /// (client-go `workqueue.DefaultTypedControllerRateLimiter`).
    pub const DEFAULT: Self = Self {
        base: SimDuration::from_millis(5),
        max: SimDuration::from_secs(1000),
        bucket: Some((10, 100)),
        give_up_after: None,
    };
}

/// Keys that need a sync.
#[derive(Debug, Default)]
pub struct Enqueue {
    keys: Vec<(Key, SimDuration)>,
}

impl Enqueue {
    /// Sync soon.
    pub fn add(&mut self, key: Key) {
        self.keys.push((key, SimDuration::ZERO));
    }

    /// Sync after a while; an earlier time that is already set stays.
    pub fn add_after(&mut self, key: Key, delay: SimDuration) {
        self.keys.push((key, delay));
    }

    /// Takes what was added, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (Key, SimDuration)> + '_ {
        self.keys.drain(..)
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
