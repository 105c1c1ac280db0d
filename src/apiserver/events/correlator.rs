//! What a recorder remembers (`EventCorrelator`): it combines similar Events, counts equal ones and damps floods.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::api::EventSpec;
use crate::objects::{Text, Timestamp, WallTime};

use super::lru::Lru;

/// Entries of each memory (`maxLruCacheEntries`).
const ENTRIES_MAX: u32 = 4096;
/// So many different messages within the interval are combined (`defaultAggregateMaxEvents`).
const SIMILAR_MAX: usize = 10;
/// Nanoseconds after which similar Events are new again (`defaultAggregateIntervalInSeconds`).
const SIMILAR_NANOS: i64 = 600_000_000_000;
/// So many Events about one object may come at once (`defaultSpamBurst`)…
const BURST: i64 = 25;
/// …and one more each 5 minutes, in nanoseconds (`defaultSpamQPS`).
const REFILL_NANOS: i64 = 300_000_000_000;

/// Who speaks.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) component: Text,
    pub(super) host: Text,
}

/// An Event to write.
#[derive(Debug)]
pub(super) struct Observed {
    /// Under what it is remembered.
    pub(super) key: u64,
    pub(super) message: Text,
    /// First time.
    pub(super) first: Timestamp,
    /// How often, this time included.
    pub(super) count: i32,
    /// The number in its name.
    pub(super) name_nanos: i64,
}

/// Different messages of similar Events.
#[derive(Clone, Debug, Default)]
struct Similar {
    messages: Vec<Text>,
    last: Option<WallTime>,
}

/// The last Event of a key.
#[derive(Clone, Debug, Default)]
struct Said {
    count: i32,
    first: Timestamp,
    name_nanos: i64,
}

/// A token bucket in nanoseconds of refill.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    spent: i64,
    last: WallTime,
}

/// The memories go by 64-bit hashes of what upstream joins to texts: of a few thousand entries, no two have one.
#[derive(Clone, Debug)]
pub(super) struct Correlator {
    similar: Lru<Similar>,
    said: Lru<Said>,
    buckets: Lru<Bucket>,
}

impl Default for Correlator {
    fn default() -> Self {
        Self { similar: Lru::new(ENTRIES_MAX), said: Lru::new(ENTRIES_MAX), buckets: Lru::new(ENTRIES_MAX) }
    }
}

impl Correlator {
    /// What to write, if anything.
    pub(super) fn correlate(&mut self, now: WallTime, source: &Source, spec: &EventSpec) -> Option<Observed> {
        let object = key(0, (&source.component, &source.host, about(spec), spec.kind));
        let reason = key(object, &spec.reason);
        let observed = if self.is_combined(now, reason, &spec.message) {
            let message = format!("(combined from similar events): {}", spec.message).into();
            self.observe(now, reason, message)
        } else {
            let message = key(reason, (&spec.about.field_path, &spec.message));
            self.observe(now, message, spec.message.clone())
        };
        self.may_speak(now, object).then_some(observed)
    }

    /// Remembers the name that an Event got.
    pub(super) fn learn(&mut self, key: u64, name_nanos: i64) {
        self.said.value(key).name_nanos = name_nanos;
    }

    /// Whether there were many different messages of late. Of those, the oldest is forgotten (upstream: any).
    fn is_combined(&mut self, now: WallTime, key: u64, message: &Text) -> bool {
        let similar = self.similar.value(key);
        if similar.last.is_some_and(|last| now.nanos_since(last) > SIMILAR_NANOS) {
            similar.messages.clear();
        }
        similar.last = Some(now);
        if !similar.messages.contains(message) {
            similar.messages.push(message.clone());
        }
        if similar.messages.len() < SIMILAR_MAX {
            return false;
        }
        similar.messages.remove(0);
        true
    }

    fn observe(&mut self, now: WallTime, key: u64, message: Text) -> Observed {
        let said = self.said.value(key);
        if said.count == 0 {
            *said = Said { count: 0, first: now.timestamp(), name_nanos: now.as_unix_nanos() };
        }
        said.count = said.count.saturating_add(1);
        let (first, count, name_nanos) = (said.first, said.count, said.name_nanos);
        Observed { key, message, first, count, name_nanos }
    }

    fn may_speak(&mut self, now: WallTime, object: u64) -> bool {
        let bucket = self.buckets.value(object);
        let earned = now.nanos_since(bucket.last).max(0);
        bucket.spent = bucket.spent.saturating_sub(earned).max(0);
        bucket.last = now.max(bucket.last);
        let enough = bucket.spent <= (BURST - 1) * REFILL_NANOS;
        if enough {
            bucket.spent += REFILL_NANOS;
        }
        enough
    }
}

/// The object, apart from the part of it.
fn about(spec: &EventSpec) -> impl Hash {
    let about = &spec.about;
    (&about.uid, &about.name, &about.namespace, &about.kind, &about.api_version)
}

fn key(prefix: u64, parts: impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    prefix.hash(&mut hasher);
    parts.hash(&mut hasher);
    hasher.finish()
}
