//! How fast an autoscaler may scale.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::objects::{Quantity, SharedList};

/// Rules for both directions. Where there are any, defaults fill in the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HorizontalPodAutoscalerBehavior {
    /// Rules for more replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<HpaScalingRules>,
    /// Rules for fewer replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<HpaScalingRules>,
}

/// Rules for one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaScalingRules {
    /// How long past recommendations hold back, in seconds, 0 to 3600. Absent: 0 up, 300 down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stabilization_window_seconds: Option<i32>,
    /// Which of the policies counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<ScalingPolicySelect>,
    /// How much may change in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<SharedList<HpaScalingPolicy>>,
    /// How far off the target the figures may be without anything being done, as a ratio; absent = 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Quantity>,
}

impl HpaScalingRules {
    /// The policies; none if there are none.
    #[must_use]
    pub fn policies(&self) -> &[HpaScalingPolicy] {
        self.policies.as_deref().unwrap_or_default()
    }
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScalingPolicySelect {
    /// The one that allows the greatest change.
    #[default]
    Max,
    /// The one that allows the least change.
    Min,
    /// No scaling in that direction.
    Disabled,
}

impl ScalingPolicySelect {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Disabled => "Disabled",
        }
    }
}

/// How much may change in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HpaScalingPolicy {
    /// `Pods` or `Percent`.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// So many pods, or so much of the replicas at the beginning of the time.
    pub value: i32,
    /// The time in seconds, 1 to 1800.
    pub period_seconds: i32,
}
