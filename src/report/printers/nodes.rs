//! Rows of nodes, namespaces and Events.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::objects::wire::Wire;
use crate::objects::{ConditionStatus, Conditions, Event, Namespace, Node, Text, Timestamp, WallTime};

use super::{Cells, age, or_none};

/// Prefix of the labels that say what a node is for.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// Its older form, with the role as value.
const ROLE: &str = "kubernetes.io/role";

/// Upstream `printNode`.
pub(super) fn node_cells(node: &Node, age: String) -> Cells {
    let ready = match node.status.conditions.find("Ready").map(|condition| condition.status) {
        Some(ConditionStatus::True) => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = if node.spec.unschedulable { ",SchedulingDisabled" } else { "" };
    let status = Value::Object(node.status.rest.clone());
    let info = |field: &str| status.at("nodeInfo").text(field).to_owned();
    let known = |text: String| if text.is_empty() { "<unknown>".to_owned() } else { text };
    let address = |kind: &str| {
        let found = status.list("addresses").iter().find(|address| address.text("type") == kind);
        found.map_or_else(|| "<none>".to_owned(), |address| address.text("address").to_owned())
    };
    let architecture = info("architecture");
    let suffix = if architecture.is_empty() { String::new() } else { format!(" ({architecture})") };
    vec![
        node.meta.name.to_string(),
        format!("{ready}{cordoned}"),
        or_none(roles(node).join(",")),
        age,
        info("kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        known(info("osImage")),
        known(info("kernelVersion")) + &suffix,
        known(info("containerRuntimeVersion")),
    ]
}

pub(in crate::report) fn roles(node: &Node) -> Vec<String> {
    let role = |(key, value): (&str, &str)| match key.strip_prefix(ROLE_PREFIX) {
        Some(role) if !role.is_empty() => Some(role.to_owned()),
        None if key == ROLE && !value.is_empty() => Some(value.to_owned()),
        _ => None,
    };
    node.meta.labels.iter().filter_map(role).collect::<BTreeSet<String>>().into_iter().collect()
}

pub(super) fn namespace_cells(namespace: &Namespace, age: String) -> Cells {
    vec![namespace.meta.name.to_string(), namespace.phase.to_string(), age]
}

/// Upstream `printEvent`.
pub(super) fn event_cells(event: &Event, now: WallTime) -> Cells {
    let about = &event.involved_object;
    let kind = about.kind.to_lowercase();
    let newer = Value::Object(event.rest.clone());
    // With microseconds, which do not show in an age.
    let micro = |of: &Value, field: &str| of.text(field).parse::<Timestamp>().ok();
    let first = age(event.first_timestamp.or_else(|| micro(&newer, "eventTime")), now);
    let (last, count) = match newer.get_some("series") {
        Some(series) => (age(micro(series, "lastObservedTime"), now), series.int("count")),
        None => {
            let last = event.last_timestamp.map_or_else(|| first.clone(), |last| age(Some(last), now));
            (last, i64::from(event.count.max(1)))
        }
    };
    let or = |text: &Text, field: &str| if text.is_empty() { newer.text(field).to_owned() } else { text.to_string() };
    let (component, host) = (or(&event.component, "reportingComponent"), or(&event.host, "reportingInstance"));
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        last,
        event.kind.to_string(),
        event.reason.to_string(),
        if about.name.is_empty() { kind } else { format!("{kind}/{}", about.name) },
        about.field_path.to_string(),
        source,
        event.message.trim().to_owned(),
        first,
        count.to_string(),
        event.meta.name.to_string(),
    ]
}
