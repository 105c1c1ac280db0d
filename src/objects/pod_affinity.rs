//! Affinity between pods and spread over topologies, as a pod's spec asks for them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{LabelSelector, Labels, Selector, SelectorError};

/// Which other pods a pod must, or would like to, be near (or, as anti-affinity, away from).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct PodAffinity {
    /// All of these must hold.
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Vec<PodAffinityTerm>,
    /// Each of these gives or takes points.
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    pub preferred: Vec<WeightedPodAffinityTerm>,
}

/// A term and the points that it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WeightedPodAffinityTerm {
    /// Points, 1 to 100.
    pub weight: i32,
    /// The term.
    pub pod_affinity_term: PodAffinityTerm,
}

/// Some pods, and the label of nodes that says what is near. `matchLabelKeys` and `mismatchLabelKeys` have become part
/// of the selector when the pod was created.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "TermOnWire")]
pub struct PodAffinityTerm {
    /// Nodes with the same value of this label are one place.
    pub topology_key: Arc<str>,
    /// Which pods; an absent selector selects none.
    pub selector: Selector,
    /// Namespaces of the pods. Empty without a namespace selector = that of the pod that carries the term.
    pub namespaces: Vec<Arc<str>>,
    /// Further namespaces, by their labels; empty = all.
    pub namespace_selector: Option<Selector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TermOnWire {
    topology_key: Arc<str>,
    label_selector: Option<LabelSelector>,
    namespaces: Option<Vec<Arc<str>>>,
    namespace_selector: Option<LabelSelector>,
}

fn compile(selector: Option<&LabelSelector>) -> Result<Selector, SelectorError> {
    selector.map_or_else(|| Ok(Selector::nothing()), LabelSelector::compile)
}

impl TryFrom<TermOnWire> for PodAffinityTerm {
    type Error = SelectorError;

    fn try_from(wire: TermOnWire) -> Result<Self, SelectorError> {
        Ok(Self {
            topology_key: wire.topology_key,
            selector: compile(wire.label_selector.as_ref())?,
            namespaces: wire.namespaces.unwrap_or_default(),
            namespace_selector: wire.namespace_selector.as_ref().map(LabelSelector::compile).transpose()?,
        })
    }
}

impl PodAffinityTerm {
    /// Whether the term, carried by a pod of the namespace `own`, is about a pod of that namespace and with these labels.
    /// `labels_of` gives the labels of the pod's namespace; of one that does not exist there are none (upstream
    /// `AffinityTerm.Matches`).
    #[must_use]
    pub fn matches<'a>(
        &self,
        own: &str,
        namespace: &str,
        labels: &Labels,
        labels_of: impl FnOnce() -> Option<&'a Labels>,
    ) -> bool {
        self.covers(own, namespace, labels_of) && self.selector.matches(labels)
    }

    /// Whether the term is about pods of that namespace.
    #[must_use]
    pub fn covers<'a>(&self, own: &str, namespace: &str, labels_of: impl FnOnce() -> Option<&'a Labels>) -> bool {
        match &self.namespace_selector {
            None if self.namespaces.is_empty() => *own == *namespace,
            None => self.lists(namespace),
            Some(selector) => {
                self.lists(namespace)
                    || selector.is_empty()
                    || labels_of().is_some_and(|labels| selector.matches(labels))
            }
        }
    }

    fn lists(&self, namespace: &str) -> bool {
        self.namespaces.iter().any(|listed| **listed == *namespace)
    }
}

/// How evenly the pods that a selector finds are to be spread over the values of a node label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "SpreadOnWire")]
pub struct TopologySpreadConstraint {
    /// How many pods a place may have more than the place with the fewest.
    pub max_skew: i32,
    /// Nodes with the same value of this label are one place.
    pub topology_key: Arc<str>,
    /// `DoNotSchedule`: a node that would break it is refused. Else (`ScheduleAnyway`) it only gives points.
    pub is_hard: bool,
    /// Which pods count; an absent selector selects none.
    pub selector: Selector,
    /// Labels whose value, as the pod has it, is required too.
    pub match_label_keys: Vec<Arc<str>>,
    /// With fewer places than this, the fewest pods count as 0.
    pub min_domains: i32,
    /// Whether only nodes count that the pod's node selector and required node affinity accept.
    pub honors_node_affinity: bool,
    /// Whether only nodes count whose taints the pod bears.
    pub honors_taints: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpreadOnWire {
    max_skew: i32,
    topology_key: Arc<str>,
    when_unsatisfiable: Arc<str>,
    label_selector: Option<LabelSelector>,
    match_label_keys: Option<Vec<Arc<str>>>,
    min_domains: Option<i32>,
    node_affinity_policy: Option<Arc<str>>,
    node_taints_policy: Option<Arc<str>>,
}

impl TryFrom<SpreadOnWire> for TopologySpreadConstraint {
    type Error = SelectorError;

    fn try_from(wire: SpreadOnWire) -> Result<Self, SelectorError> {
        Ok(Self {
            max_skew: wire.max_skew,
            topology_key: wire.topology_key,
            is_hard: &*wire.when_unsatisfiable == "DoNotSchedule",
            selector: compile(wire.label_selector.as_ref())?,
            match_label_keys: wire.match_label_keys.unwrap_or_default(),
            min_domains: wire.min_domains.unwrap_or(1),
            honors_node_affinity: wire.node_affinity_policy.as_deref() != Some("Ignore"),
            honors_taints: wire.node_taints_policy.as_deref() == Some("Honor"),
        })
    }
}

/// The lists of terms in `spec.affinity`, and the way from an entry to its term.
const TERMS: [(&str, &str, Option<&str>); 4] = [
    ("podAffinity", "preferredDuringSchedulingIgnoredDuringExecution", Some("podAffinityTerm")),
    ("podAffinity", "requiredDuringSchedulingIgnoredDuringExecution", None),
    ("podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution", Some("podAffinityTerm")),
    ("podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", None),
];

/// Makes `matchLabelKeys` and `mismatchLabelKeys` of a new pod's spec, in wire form, part of the selectors beside them
/// (upstream `mutatePodAffinity` and `mutateTopologySpreadConstraints`). Says whether anything changed.
pub fn merge_label_keys(spec: &mut Map<String, Value>, labels: &Labels) -> bool {
    let mut changed = false;
    if let Some(affinity) = spec.get_mut("affinity") {
        for (part, list, inner) in TERMS {
            let entries = affinity.get_mut(part).and_then(|part| part.get_mut(list)).and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten() {
                let term = match inner {
                    Some(inner) => entry.get_mut(inner),
                    None => Some(entry),
                };
                if let Some(term) = term {
                    changed |= merge_keys(term, "matchLabelKeys", "In", labels);
                    changed |= merge_keys(term, "mismatchLabelKeys", "NotIn", labels);
                }
            }
        }
    }
    let constraints = spec.get_mut("topologySpreadConstraints").and_then(Value::as_array_mut);
    for constraint in constraints.into_iter().flatten() {
        changed |= merge_keys(constraint, "matchLabelKeys", "In", labels);
    }
    changed
}

fn merge_keys(term: &mut Value, list: &str, operator: &str, labels: &Labels) -> bool {
    let keys = term.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let expression = |key: &str| Some(json!({"key": key, "operator": operator, "values": [labels.get(key)?]}));
    let expressions: Vec<Value> = keys.filter_map(expression).collect();
    let Some(Value::Object(selector)) = term.get_mut("labelSelector").filter(|_| !expressions.is_empty()) else {
        return false;
    };
    match selector.entry("matchExpressions").or_insert(Value::Null) {
        Value::Array(known) => known.extend(expressions),
        absent => *absent = Value::Array(expressions),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(wire: Value) -> PodAffinityTerm {
        serde_json::from_value(wire).expect("a term")
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_term_is_about_its_own_namespace_unless_it_says_otherwise() {
        let team = labels(&[("team", "a")]);
        let covers = |wire: Value, namespace: &str| term(wire).covers("own", namespace, || Some(&team));
        assert!(covers(json!({}), "own") && !covers(json!({}), "other"));
        let listed = json!({"namespaces": ["other"]});
        assert!(covers(listed.clone(), "other") && !covers(listed, "own"));
        assert!(covers(json!({"namespaceSelector": {}}), "any"));
        assert!(covers(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}), "any"));
        let both = json!({"namespaces": ["x"], "namespaceSelector": {"matchLabels": {"team": "b"}}});
        assert!(covers(both.clone(), "x") && !covers(both, "own"));
    }

    #[test]
    fn an_absent_selector_finds_no_pod_and_an_empty_one_all() {
        let matches = |wire: Value| term(wire).matches("own", "own", &labels(&[("a", "b")]), || None);
        assert!(!matches(json!({})));
        assert!(matches(json!({"labelSelector": {}})));
    }

    #[test]
    fn label_keys_become_expressions_if_the_pod_has_the_labels() {
        let term = json!({"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "z",
            "matchLabelKeys": ["rev", "absent"], "mismatchLabelKeys": ["team"]});
        let constraint = json!({"labelSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]},
            "matchLabelKeys": ["rev"]});
        let mut spec = json!({
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}},
            "topologySpreadConstraints": [constraint, {"matchLabelKeys": ["rev"]}],
        });
        let labels = labels(&[("rev", "1"), ("team", "a")]);
        assert!(merge_label_keys(spec.as_object_mut().expect("an object"), &labels));
        let term = &spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
        assert_eq!(
            term["labelSelector"]["matchExpressions"],
            json!([
                {"key": "rev", "operator": "In", "values": ["1"]},
                {"key": "team", "operator": "NotIn", "values": ["a"]},
            ])
        );
        let constraints = &spec["topologySpreadConstraints"];
        assert_eq!(constraints[0]["labelSelector"]["matchExpressions"].as_array().map(Vec::len), Some(2));
        assert!(constraints[1]["labelSelector"].is_null(), "an absent selector stays absent");
    }

    #[test]
    fn constraints_have_upstreams_defaults() {
        let constraint: TopologySpreadConstraint =
            serde_json::from_value(json!({"maxSkew": 2, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}))
                .expect("a constraint");
        assert!(constraint.is_hard && constraint.honors_node_affinity && !constraint.honors_taints);
        assert_eq!(constraint.min_domains, 1);
    }
}
