//! A broken promise, told so that one can act on it.

use std::fmt;

use crate::kernel::SimTime;
use crate::objects::{Key, Kind};
use crate::sim::Simulation;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} broken at {at}: {story}")]
pub struct Violation {
    /// Which promise, such as `maxSurge(deployment/web)`.
    pub invariant: String,
    /// When.
    pub at: SimTime,
    /// What was promised, and what happened instead.
    pub story: String,
}

impl Violation {
    /// A promise broken now.
    #[must_use]
    pub fn new(invariant: impl Into<String>, sim: &Simulation, story: impl Into<String>) -> Self {
        Self { invariant: invariant.into(), at: sim.now(), story: story.into() }
    }

    /// A promise about an object: `maxSurge(deployment/web)`.
    pub(super) fn name(invariant: &str, kind: Kind, key: &Key) -> String {
        let namespace = if &*key.namespace == "default" { String::new() } else { format!("{}/", key.namespace) };
        format!("{invariant}({namespace}{}/{})", kind.as_str().to_ascii_lowercase(), key.name)
    }

    /// That time goes on is promised too.
    pub(super) fn of_standstill(sim: &Simulation) -> Option<Self> {
        let story = match sim.livelock() {
            Some(livelock) => livelock.to_string(),
            None if sim.is_exhausted() => format!("a limit was reached, after {} events", sim.events()),
            None => return None,
        };
        Some(Self { invariant: "progress".into(), at: sim.now(), story })
    }
}

/// Most names in a story.
const MOST_NAMES: usize = 10;

/// `a, b and c`: the first ten, and how many more there are.
pub(super) fn names<T: fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    let mut names: Vec<String> = all.into_iter().map(|name| name.to_string()).collect();
    if names.len() > MOST_NAMES {
        let more = names.len() - MOST_NAMES;
        names.truncate(MOST_NAMES);
        return format!("{} and {more} more", names.join(", "));
    }
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// One or more broken promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Violations {}
