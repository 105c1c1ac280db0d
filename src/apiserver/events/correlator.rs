//! What a recorder remembers (`EventCorrelator`): it combines similar Events, counts equal ones and damps floods.

use std::fmt::Write as _;

use crate::api::EventSpec;
use crate::objects::{Text, Timestamp, Uid, WallTime};

use super::lru::Lru;

/// Entries of each memory (`maxLruCacheEntries`).
const ENTRIES_MAX: usize = 4096;
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
    pub(super) key: String,
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
#[derive(Clone, Copy, Debug)]
struct Bucket {
    credit: i64,
    last: WallTime,
}

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
        let mut key = String::with_capacity(192);
        push_object(&mut key, source, spec);
        let object_end = key.len();
        push(&mut key, &[&spec.reason]);
        let observed = if self.is_combined(now, &key, &spec.message) {
            let message = format!("(combined from similar events): {}", spec.message).into();
            self.observe(now, key, message)
        } else {
            push(&mut key, &[&spec.about.field_path, &spec.message]);
            self.observe(now, key, spec.message.clone())
        };
        self.may_speak(now, &observed.key[..object_end]).then_some(observed)
    }

    /// Remembers the name that an Event got.
    pub(super) fn learn(&mut self, key: &str, name_nanos: i64) {
        self.said.use_or_insert(key, Said::default).name_nanos = name_nanos;
    }

    /// Whether there were many different messages of late. Of those, the oldest is forgotten (upstream: any).
    fn is_combined(&mut self, now: WallTime, key: &str, message: &Text) -> bool {
        let similar = self.similar.use_or_insert(key, Similar::default);
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

    fn observe(&mut self, now: WallTime, key: String, message: Text) -> Observed {
        let said = self.said.use_or_insert(&key, Said::default);
        if said.count == 0 {
            *said = Said { count: 0, first: now.timestamp(), name_nanos: now.as_unix_nanos() };
        }
        said.count = said.count.saturating_add(1);
        let (first, count, name_nanos) = (said.first, said.count, said.name_nanos);
        Observed { key, message, first, count, name_nanos }
    }

    fn may_speak(&mut self, now: WallTime, object: &str) -> bool {
        let full = BURST * REFILL_NANOS;
        let bucket = self.buckets.use_or_insert(object, || Bucket { credit: full, last: now });
        let earned = now.nanos_since(bucket.last).max(0);
        bucket.credit = bucket.credit.saturating_add(earned).min(full);
        bucket.last = now.max(bucket.last);
        let enough = bucket.credit >= REFILL_NANOS;
        if enough {
            bucket.credit -= REFILL_NANOS;
        }
        enough
    }
}

/// Source, object and type.
fn push_object(key: &mut String, source: &Source, spec: &EventSpec) {
    let about = &spec.about;
    push(key, &[&source.component, &source.host, &about.kind, &about.namespace, &about.name, &about.api_version]);
    match &about.uid {
        Uid::Uuid(uid) => drop(write!(key, "{uid:x}")),
        other => drop(write!(key, "{other}")),
    }
    push(key, &[spec.kind.as_str()]);
}

fn push(key: &mut String, parts: &[&str]) {
    for part in parts {
        key.push('\0');
        key.push_str(part);
    }
}
