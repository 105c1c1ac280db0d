//! A broken promise, told so that one can act on it.

use std::fmt;

use crate::kernel::SimTime;
use crate::objects::{Key, Kind};

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
    /// A promise about an object: `maxSurge(deployment/web)`.
    pub(super) fn name(invariant: &str, kind: Kind, key: &Key) -> String {
        let namespace = if &*key.namespace == "default" { String::new() } else { format!("{}/", key.namespace) };
        format!("{invariant}({namespace}{}/{})", kind.as_str().to_ascii_lowercase(), key.name)
    }

    pub(super) fn of_livelock(at: SimTime) -> Self {
        let story = "time stands still: objects keep changing without any delay between them".to_owned();
        Self { invariant: "progress".into(), at, story }
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
