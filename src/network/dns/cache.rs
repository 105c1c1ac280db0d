//! Caches of answers, with explicit time: CoreDNS' own and those of clients that keep an address for longer than they should.

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;

use crate::kernel::{SimDuration, SimTime};

use super::{Answer, ClusterDns, Rcode, RecordType};

/// CoreDNS keeps nothing for less than that.
const MIN_TTL: SimDuration = SimDuration::from_secs(5);
/// Answers that CoreDNS keeps, as many denials beside them; the oldest goes first.
const CAPACITY: usize = 9984;

/// Answers by name and type, each until an instant.
#[derive(Clone, Debug, Default)]
pub struct NameCache {
    entries: IndexMap<(String, RecordType), Entry, FxBuildHasher>,
}

#[derive(Clone, Debug)]
struct Entry {
    answer: Answer,
    since: SimTime,
    /// Nothing = for ever.
    until: Option<SimTime>,
}

/// An answer, and whether it was kept from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The answer.
    pub answer: Answer,
    /// When it was true.
    pub since: SimTime,
    /// Whether it came out of the cache.
    pub is_hit: bool,
    /// Until when it is kept; nothing = it is not, or for ever.
    pub until: Option<SimTime>,
}

impl NameCache {
    /// The answer that is kept, or the one that `ask` brings, which is kept for as long as `keep` says: nothing = it is not
    /// kept, [`SimDuration::MAX`] = for ever.
    pub fn get(
        &mut self,
        now: SimTime,
        name: &str,
        record_type: RecordType,
        keep: impl FnOnce(&Answer) -> Option<SimDuration>,
        ask: impl FnOnce() -> Answer,
    ) -> Cached {
        let key = (name.to_owned(), record_type);
        if let Some(entry) = self.entries.get(&key)
            && entry.until.is_none_or(|until| now < until)
        {
            return Cached { answer: entry.answer.clone(), since: entry.since, is_hit: true, until: entry.until };
        }
        let answer = ask();
        self.entries.shift_remove(&key);
        let mut kept = None;
        if let Some(ttl) = keep(&answer).filter(|ttl| !ttl.is_zero()) {
            if self.entries.len() >= CAPACITY {
                self.entries.shift_remove_index(0);
            }
            let until = if ttl == SimDuration::MAX { None } else { now.checked_add(ttl) };
            kept = until;
            self.entries.insert(key, Entry { answer: answer.clone(), since: now, until });
        }
        Cached { answer, since: now, is_hit: false, until: kept }
    }

    /// How many answers are kept, over-aged ones among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything, as a restart does.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The `cache` plugin of CoreDNS. The default is kubeadm's `cache 30`, which leaves the cluster domain out: what a service
/// resolves to changes as soon as CoreDNS sees its slices change.
#[derive(Clone, Debug)]
pub struct CoreDnsCache {
    /// Longest time that an answer is kept.
    pub max_ttl: SimDuration,
    /// Whether answers about the cluster domain are kept too.
    pub caches_cluster_domain: bool,
    cache: NameCache,
}

impl Default for CoreDnsCache {
    fn default() -> Self {
        Self { max_ttl: SimDuration::from_secs(30), caches_cluster_domain: false, cache: NameCache::default() }
    }
}

impl CoreDnsCache {
    /// The plugin as `cache` without a `disable` line sets it up.
    #[must_use]
    pub fn of_everything(max_ttl: SimDuration) -> Self {
        Self { max_ttl, caches_cluster_domain: true, cache: NameCache::default() }
    }

    /// The answer of CoreDNS with its cache; `ask` answers without it. Kept answers live for their shortest TTL, for 5 seconds at
    /// least and `max_ttl` at most; denials for the TTL of the zone; failures are not kept.
    pub fn get(
        &mut self,
        now: SimTime,
        dns: &ClusterDns,
        name: &str,
        record_type: RecordType,
        ask: impl FnOnce() -> Answer,
    ) -> Cached {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let (is_inside, max_ttl) = (dns.below(&name).is_some(), self.max_ttl);
        let caches = self.caches_cluster_domain || !is_inside;
        let keep = |answer: &Answer| {
            let ttl = answer.ttl().unwrap_or(if is_inside { dns.ttl } else { dns.outside_ttl });
            (caches && answer.rcode != Rcode::ServerFailure).then(|| ttl.max(MIN_TTL).min(max_ttl))
        };
        self.cache.get(now, &name, record_type, keep, ask)
    }
}

/// How long a client keeps the addresses of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCaching {
    /// It asks for every connection: glibc, musl, Go.
    #[default]
    None,
    /// As long as the records live.
    Ttl,
    /// That long, whatever the records say (the JVM: 30 seconds); denials for ten seconds at most.
    For(SimDuration),
    /// It resolves once, when it starts (nginx' `proxy_pass` with a literal name, connection pools that never turn over).
    Forever,
}

impl ClientCaching {
    /// How long a failure is kept at most (the JVM's `networkaddress.cache.negative.ttl`).
    const MOST_NEGATIVE: SimDuration = SimDuration::from_secs(10);

    /// How long an answer is kept whose records live for `ttl`, or one without records whose denial lives for `denial`; nothing = not
    /// at all.
    #[must_use]
    pub fn keeps(self, ttl: Option<SimDuration>, denial: Option<SimDuration>) -> Option<SimDuration> {
        match (self, ttl) {
            (Self::None, _) | (Self::Forever, None) => None,
            (Self::Ttl, ttl) => ttl.or(denial),
            (Self::For(time), None) => Some(time.min(Self::MOST_NEGATIVE)),
            (Self::For(time), Some(_)) => Some(time),
            (Self::Forever, Some(_)) => Some(SimDuration::MAX),
        }
    }
}
