//! Scopes of quotas: which objects count.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::objects::pod_spec::QosClass;
use crate::objects::wire::Wire;
use crate::objects::{Object, Pod, SharedList, Text};

/// A scope with an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeRequirement {
    /// `Terminating`, `NotTerminating`, `BestEffort`, `NotBestEffort`, `PriorityClass` or `CrossNamespacePodAffinity`.
    pub scope_name: Text,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; only `PriorityClass` knows others than `Exists`.
    pub operator: Text,
    /// Names of PriorityClasses.
    #[serde(skip_serializing_if = "crate::objects::skip::none")]
    pub values: SharedList<Text>,
}

impl ScopeRequirement {
    pub(super) fn exists(scope_name: Text) -> Self {
        Self { scope_name, operator: "Exists".into(), values: SharedList::new() }
    }

    /// Whether an object is in the scope; only pods are in any (upstream `podMatchesScopeFunc`).
    #[must_use]
    pub fn matches(&self, object: &Object) -> bool {
        let Object::Pod(pod) = object else { return false };
        match &*self.scope_name {
            "Terminating" => has_deadline(pod),
            "NotTerminating" => !has_deadline(pod),
            "BestEffort" => pod.spec.qos_class == QosClass::BestEffort,
            "NotBestEffort" => pod.spec.qos_class != QosClass::BestEffort,
            "PriorityClass" => self.matches_class(priority_class(pod)),
            "CrossNamespacePodAffinity" => looks_beyond_its_namespace(pod),
            _ => false,
        }
    }

    fn matches_class(&self, class: &str) -> bool {
        let is_named = || self.values.iter().any(|value| *value == *class);
        match &*self.operator {
            "In" => !class.is_empty() && is_named(),
            "NotIn" => class.is_empty() || !is_named(),
            "DoesNotExist" => class.is_empty(),
            _ => !class.is_empty(),
        }
    }
}

fn field<'a>(pod: &'a Pod, name: &str) -> Option<&'a Value> {
    pod.spec.wire().get(name).filter(|value| !value.is_null())
}

fn has_deadline(pod: &Pod) -> bool {
    field(pod, "activeDeadlineSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds >= 0)
}

fn priority_class(pod: &Pod) -> &str {
    field(pod, "priorityClassName").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a term of its pod affinity or anti-affinity names other namespaces.
fn looks_beyond_its_namespace(pod: &Pod) -> bool {
    let Some(affinity) = field(pod, "affinity") else { return false };
    let beyond = |term: &Value| !term.list("namespaces").is_empty() || term.has("namespaceSelector");
    ["podAffinity", "podAntiAffinity"].into_iter().map(|kind| affinity.at(kind)).any(|rules| {
        let required = rules.list("requiredDuringSchedulingIgnoredDuringExecution").iter();
        let preferred = rules.list("preferredDuringSchedulingIgnoredDuringExecution").iter();
        required.chain(preferred.map(|weighted| weighted.at("podAffinityTerm"))).any(beyond)
    })
}
