//! What the scheduler asks of the API server.

use std::sync::Arc;

use serde_json::json;

use crate::api::{DeleteOptions, EventKind, EventSpec, Part, Request};
use crate::objects::{
    Condition, ConditionStatus, Conditions, Kind, Object, Pod, Resource, Text, WallTime, disruption_reason,
    disruption_target,
};

use crate::scheduler::cache::Nominating;
use crate::scheduler::framework::Registry;

pub(super) fn bind(pod: &Arc<Pod>, node: &Arc<str>) -> Vec<Request> {
    let message = format!("Successfully assigned {} to {node}", pod.key());
    let about = Object::from(pod.clone());
    vec![
        Request::Bind { pod: pod.key(), uid: pod.meta.uid.clone(), node: node.clone() },
        Request::Event(EventSpec::about(&about, EventKind::Normal, "Scheduled", message)),
    ]
}

pub(super) fn failed_scheduling(pod: &Arc<Pod>, message: String) -> Request {
    let about = Object::from(pod.clone());
    Request::Event(EventSpec::about(&about, EventKind::Warning, "FailedScheduling", message))
}

/// The write of the condition that says why the pod has no node, and of its nomination; nothing if the pod says so
/// already.
pub(super) fn note_failure(
    pod: &Pod,
    reason: &'static str,
    message: &str,
    nominating: &Nominating,
    now: WallTime,
) -> Option<Request> {
    let mut condition = Condition::new("PodScheduled", ConditionStatus::False, now.timestamp());
    condition.observed_generation = Some(pod.meta.generation).filter(|generation| *generation > 0);
    condition.reason = reason.into();
    condition.message = message.to_owned().into();
    let old = pod.status.conditions.find("PodScheduled");
    if let Some(old) = old.filter(|old| old.status == condition.status) {
        condition.last_transition_time = old.last_transition_time;
    }
    let said = |old: &Condition| {
        (old.status, &old.reason, &old.message) == (condition.status, &condition.reason, &condition.message)
    };
    let nomination = match nominating {
        Nominating::To(node) if pod.status.nominated_node_name != **node => Some(Text::from(node.clone())),
        _ => None,
    };
    if old.is_some_and(said) && nomination.is_none() {
        return None;
    }
    let mut pod = pod.clone();
    let mut conditions = pod.status.conditions.to_vec();
    match conditions.iter_mut().find(|known| known.kind == condition.kind) {
        Some(known) => *known = condition,
        None => conditions.push(condition),
    }
    pod.status.conditions = conditions.into();
    if let Some(nomination) = nomination {
        pod.status.nominated_node_name = nomination;
    }
    // As upstream's patch, the write does not depend on the version that was read.
    pod.meta.resource_version = 0;
    Some(Request::Update(pod.into(), Part::Status))
}

/// A pod of lower priority may no longer fit the node that it waits for.
pub(super) fn clear_nomination(pod: &Arc<Pod>) -> Request {
    Request::patch_pod_status(pod, json!({"nominatedNodeName": null}))
}

/// Says on a pod why it goes, deletes it with its own grace period, and tells of it (upstream
/// `framework/preemption/executor.go`).
pub(super) fn displace(for_pod: &Pod, victim: &Arc<Pod>, node: &str, now: WallTime) -> Vec<Request> {
    let scheduler = match &*for_pod.spec.scheduler_name {
        "" => Registry::DEFAULT_SCHEDULER,
        name => name,
    };
    let why = format!("{scheduler}: preempting to accommodate a higher priority pod");
    let condition = disruption_target(victim, disruption_reason::PREEMPTION_BY_SCHEDULER, why, now.timestamp());
    let mark = condition.map(|condition| Request::patch_pod_status(victim, json!({"conditions": [condition]})));
    let message = format!("Preempted by pod {} on node {node}", for_pod.meta.uid);
    let about = Object::from(victim.clone());
    let delete =
        Request::Delete { kind: Kind::Pod, key: victim.key(), options: DeleteOptions::of_uid(victim.meta.uid.clone()) };
    let tell = Request::Event(EventSpec::about(&about, EventKind::Normal, "Preempted", message));
    mark.into_iter().chain([delete, tell]).collect()
}
