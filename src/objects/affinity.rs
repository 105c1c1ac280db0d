//! Affinity of a pod: which nodes it must or would like to run on, and which other pods to be near.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Labels;
use super::pod_affinity::PodAffinity;

/// `spec.affinity` of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Affinity {
    /// Affinity to nodes.
    pub node_affinity: Option<NodeAffinity>,
    /// Pods to be near.
    pub pod_affinity: Option<Arc<PodAffinity>>,
    /// Pods to be away from.
    pub pod_anti_affinity: Option<Arc<PodAffinity>>,
}

impl Affinity {
    /// Whether it is about other pods.
    #[must_use]
    pub fn is_about_pods(&self) -> bool {
        self.pod_affinity.is_some() || self.pod_anti_affinity.is_some()
    }

    /// Labels of nodes that the terms about other pods go by.
    pub fn topology_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        let parts = self.pod_affinity.iter().chain(&self.pod_anti_affinity);
        parts.flat_map(|part| {
            let preferred = part.preferred.iter().map(|weighted| &weighted.pod_affinity_term);
            part.required.iter().chain(preferred).map(|term| &term.topology_key)
        })
    }
}

/// Which nodes a pod must or would like to run on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeAffinity {
    /// What a node must match.
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
    /// What gives a node points.
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    pub preferred: Vec<PreferredSchedulingTerm>,
}

/// Terms of which one must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelector {
    /// The terms.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// A term and the points that it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PreferredSchedulingTerm {
    /// Points, 1 to 100.
    pub weight: i32,
    /// The term.
    pub preference: NodeSelectorTerm,
}

/// Requirements that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorTerm {
    /// About labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// About fields; there is only `metadata.name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// A requirement on one label or field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSelectorRequirement {
    /// Label key or field path.
    pub key: Arc<str>,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: Arc<str>,
    /// Values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Arc<str>>,
}

impl NodeSelector {
    /// Whether one of the terms matches a node of that name and with these labels.
    #[must_use]
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.node_selector_terms.iter().any(|term| term.matches(name, labels))
    }
}

impl NodeSelectorTerm {
    /// Whether the term matches; one without requirements matches nothing, and so does one that is invalid.
    #[must_use]
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        let expressions = |r: &NodeSelectorRequirement| r.matches(labels.get(&r.key));
        !(self.match_expressions.is_empty() && self.match_fields.is_empty())
            && self.match_expressions.iter().all(expressions)
            && self.match_fields.iter().all(|r| r.matches_field(name))
    }
}

impl NodeSelectorRequirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|v| **v == *value);
        match &*self.operator {
            "In" => value.is_some_and(listed),
            "NotIn" => !self.values.is_empty() && !value.is_some_and(listed),
            "Exists" => self.values.is_empty() && value.is_some(),
            "DoesNotExist" => self.values.is_empty() && value.is_none(),
            "Gt" => self.compare(value).is_some_and(|(value, bound)| value > bound),
            "Lt" => self.compare(value).is_some_and(|(value, bound)| value < bound),
            _ => false,
        }
    }

    fn compare(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else { return None };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }

    fn matches_field(&self, name: &str) -> bool {
        let value = if &*self.key == "metadata.name" { name } else { "" };
        match (&*self.operator, self.values.as_slice()) {
            ("In", [only]) => **only == *value,
            ("NotIn", [only]) => **only != *value,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(operator: &str, values: &[&str], labels: &[(&str, &str)]) -> bool {
        let values = values.iter().map(|v| Arc::from(*v)).collect();
        let requirement = NodeSelectorRequirement { key: "k".into(), operator: operator.into(), values };
        let term = NodeSelectorTerm { match_expressions: vec![requirement], match_fields: Vec::new() };
        term.matches("n", &labels.iter().copied().collect())
    }

    #[test]
    fn requirements_follow_their_operator() {
        assert!(matches("In", &["a", "b"], &[("k", "b")]));
        assert!(!matches("In", &["a"], &[]));
        assert!(matches("NotIn", &["a"], &[]));
        assert!(!matches("NotIn", &["a"], &[("k", "a")]));
        assert!(matches("Exists", &[], &[("k", "")]));
        assert!(matches("DoesNotExist", &[], &[]));
        assert!(matches("Gt", &["3"], &[("k", "4")]));
        assert!(!matches("Gt", &["3"], &[("k", "x")]));
        assert!(matches("Lt", &["3"], &[("k", "-4")]));
        assert!(!matches("Near", &["3"], &[("k", "3")]));
    }

    #[test]
    fn a_term_without_requirements_matches_nothing() {
        assert!(!NodeSelectorTerm::default().matches("n", &Labels::new()));
    }
}
