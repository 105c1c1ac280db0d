//! What a failed pod means (upstream `pod_failure_policy.go`).

use crate::objects::{
    ContainerState, ContainerStatus, OnExitCodes, OnPodCondition, Pod, PodFailureAction, PodFailurePolicy,
    PodFailurePolicyRule,
};

/// What a policy says about a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of the rule that fits; `None` if none does.
    pub action: Option<PodFailureAction>,
    /// Why the Job fails, with [`PodFailureAction::FailJob`].
    pub message: Option<String>,
}

impl Verdict {
    /// Whether the failure counts towards the limits.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.action != Some(PodFailureAction::Ignore)
    }
}

/// Asks a policy about a failed pod: the first rule that fits decides. Without one every failure counts.
#[must_use]
pub fn decide(policy: Option<&PodFailurePolicy>, pod: &Pod) -> Verdict {
    let rules = policy.into_iter().flat_map(|policy| policy.rules.iter()).enumerate();
    let found = rules.into_iter().find_map(|(at, rule)| Some((at, rule, reason(rule, pod)?)));
    let Some((at, rule, reason)) = found else { return Verdict { action: None, message: None } };
    let fails = rule.action == PodFailureAction::FailJob;
    let message = fails.then(|| format!("{reason} matching {} rule at index {at}", rule.action.as_str()));
    Verdict { action: Some(rule.action), message }
}

/// Why a rule fits a pod, if it does.
fn reason(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let name = || format!("{}/{}", pod.meta.namespace, pod.meta.name);
    if let Some(codes) = &rule.on_exit_codes {
        let (container, code) = ended_so(codes, pod)?;
        return Some(format!("Container {} for pod {} failed with exit code {code}", container.name, name()));
    }
    let asked = |kind: &str, status| {
        rule.on_pod_conditions.iter().any(|asked: &OnPodCondition| *asked.kind == *kind && asked.status == status)
    };
    let condition = pod.status.conditions.iter().find(|condition| asked(&condition.kind, condition.status))?;
    Some(format!("Pod {} has condition {}", name(), condition.kind))
}

/// The first container that ended with a code that is asked for; regular ones before init containers.
fn ended_so<'a>(codes: &OnExitCodes, pod: &'a Pod) -> Option<(&'a ContainerStatus, i32)> {
    let statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    let named = statuses.filter(|status| codes.container_name.as_ref().is_none_or(|name| *name == status.name));
    let mut ended = named.filter_map(|status| match &status.state {
        ContainerState::Terminated(end) if end.exit_code != 0 => Some((status, end.exit_code)),
        _ => None,
    });
    ended.find(|(_, code)| match &*codes.operator {
        "In" => codes.values.contains(code),
        "NotIn" => !codes.values.contains(code),
        _ => false,
    })
}
