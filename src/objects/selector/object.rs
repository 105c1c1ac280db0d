//! Label selectors as API objects have them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::requirement::{Operator, Requirement};
use super::{Selector, SelectorError};
use crate::objects::names::quoted;
use crate::objects::{Labels, SharedList};

/// `metav1.LabelSelector`: what all of its labels and expressions fit.
///
/// ```
/// use seatrial::objects::LabelSelector;
/// let selector: LabelSelector = serde_json::from_str(r#"{"matchLabels": {"app": "web"}}"#)?;
/// assert_eq!(selector.compile()?.to_string(), "app=web");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub match_labels: Labels,
    /// Further conditions.
    #[serde(default, skip_serializing_if = "<[LabelSelectorRequirement]>::is_empty")]
    pub match_expressions: SharedList<LabelSelectorRequirement>,
}

/// A condition on one label, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelectorRequirement {
    /// The label's key.
    #[serde(default)]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist` in a valid one.
    #[serde(default)]
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub values: SharedList<String>,
}

impl LabelSelector {
    /// As Go prints a pointer to it with `%v`; some messages of controllers have it so.
    #[must_use]
    pub fn to_go_string(&self) -> String {
        let labels: String = self.match_labels.iter().map(|(key, value)| format!("{key}: {value},")).collect();
        let expressions = self.match_expressions.iter().map(|requirement| {
            let LabelSelectorRequirement { key, operator, values } = requirement;
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{}],}},", values.join(" "))
        });
        let expressions: String = expressions.collect();
        format!(
            "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
             MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
        )
    }

    /// Whether it has no condition and so selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// The selector to match with (`metav1.LabelSelectorAsSelector`). An absent object selects nothing; for that see
    /// [`Selector::nothing`].
    ///
    /// # Errors
    /// The first invalid condition, in upstream's words.
    pub fn compile(&self) -> Result<Selector, SelectorError> {
        let mut requirements = Vec::with_capacity(self.match_labels.len() + self.match_expressions.len());
        for (key, value) in self.match_labels.shared() {
            requirements.push(Requirement::new(Arc::clone(key), Operator::Equals, [Arc::clone(value)])?);
        }
        for expression in &self.match_expressions {
            requirements.push(expression.compile()?);
        }
        Ok(Selector::from_requirements(requirements))
    }
}

impl LabelSelectorRequirement {
    fn compile(&self) -> Result<Requirement, SelectorError> {
        let operator = match &*self.operator {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => return Err(SelectorError(format!("{} is not a valid label selector operator", quoted(other)))),
        };
        Requirement::new(&*self.key, operator, self.values.iter().map(|value| &**value))
    }
}

impl From<Labels> for LabelSelector {
    fn from(match_labels: Labels) -> Self {
        Self { match_labels, match_expressions: SharedList::new() }
    }
}
