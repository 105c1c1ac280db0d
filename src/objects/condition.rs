//! Status conditions, one shape for all kinds.

use serde::{Deserialize, Serialize, Serializer};

use super::text::{self, Text};
use super::wire::WireMut;
use super::{SharedList, Timestamp};

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    #[default]
    Unknown,
}

impl ConditionStatus {
    /// `True` or `False`.
    #[must_use]
    pub const fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What is stated, such as `Ready`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Pods and others: the generation that the statement is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Nodes: last time the reporter spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_time: Option<Timestamp>,
    /// Deployments: last time the condition was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Timestamp>,
    /// Jobs: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_probe_time: Option<Timestamp>,
    /// Last change of `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Timestamp>,
    /// Why, one word.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub reason: Text,
    /// Why, for people.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub message: Text,
}

impl Condition {
    /// A condition that changed at `at`.
    #[must_use]
    pub fn new(kind: impl Into<Text>, status: ConditionStatus, at: Timestamp) -> Self {
        Self { kind: kind.into(), status, last_transition_time: Some(at), ..Self::default() }
    }

    /// With a reason and a message.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Text>, message: impl Into<Text>) -> Self {
        self.reason = reason.into();
        self.message = message.into();
        self
    }

    /// Whether it is of that type and holds.
    #[must_use]
    pub fn states(&self, kind: &str) -> bool {
        self.kind == *kind && self.status == ConditionStatus::True
    }
}

/// Look-ups in a list of conditions.
pub trait Conditions {
    /// The condition of that type.
    fn find(&self, kind: &str) -> Option<&Condition>;
    /// Whether the condition of that type is `True`.
    fn is_true(&self, kind: &str) -> bool {
        self.holding(kind).is_some()
    }
    /// The condition of that type, if it is `True`.
    fn holding(&self, kind: &str) -> Option<&Condition> {
        self.find(kind).filter(|condition| condition.status == ConditionStatus::True)
    }
    /// The list with this condition in the place of the one of its type, or at the end. While the status stays, so does the
    /// time of the last transition (upstream `UpdatePodCondition` and `meta.SetStatusCondition`).
    fn with(&self, condition: Condition) -> ConditionList;
}

impl Conditions for [Condition] {
    fn find(&self, kind: &str) -> Option<&Condition> {
        self.iter().find(|condition| condition.kind == *kind)
    }

    fn with(&self, mut condition: Condition) -> ConditionList {
        let mut changed = self.to_vec();
        match changed.iter_mut().find(|old| old.kind == condition.kind) {
            Some(old) => {
                if old.status == condition.status {
                    condition.last_transition_time = old.last_transition_time;
                }
                *old = condition;
            }
            None => changed.push(condition),
        }
        changed.into()
    }
}

/// A shared list of conditions.
pub type ConditionList = SharedList<Condition>;

/// Writes conditions as the kinds do whose conditions are `metav1.Condition`: reason and message even where they are empty.
pub(super) fn with_reasons<S: Serializer>(conditions: &ConditionList, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(conditions.iter().map(|condition| {
        let mut wire = serde_json::to_value(condition).unwrap_or_default();
        for field in ["reason", "message"] {
            wire.default_text(field, "");
        }
        wire
    }))
}
