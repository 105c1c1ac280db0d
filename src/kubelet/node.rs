//! What a kubelet says of its node: registration, heartbeats, and the lease.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::{EventKind, EventSpec};
use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Conditions, Labels, Lease, Node, NodeSpec, NodeStatus, ObjectMeta, ObjectReference,
    OwnerReference, Resource, Resources, SharedList, Taint, Uid, WallTime,
};

use super::eviction::PressureConditions;

/// How often the lease is renewed.
pub const LEASE_RENEW_INTERVAL: SimDuration = SimDuration::from_secs(10);
/// How long a lease holds, in seconds.
pub const LEASE_DURATION_SECONDS: i32 = 40;
/// How often an unchanged node status is written.
pub const NODE_STATUS_REPORT_INTERVAL: SimDuration = SimDuration::from_mins(5);
/// Namespace of the leases.
pub const NODE_LEASE_NAMESPACE: &str = "kube-node-lease";

/// Type, status, reason and message of a healthy node's conditions, in the kubelet's order.
const HEALTHY: [(&str, ConditionStatus, &str, &str); 4] = [
    ("MemoryPressure", ConditionStatus::False, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", ConditionStatus::False, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", ConditionStatus::False, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", ConditionStatus::True, "KubeletReady", "kubelet is posting ready status"),
];

const DEFAULT_MAX_PODS: &str = "110";

/// The Node object as a fresh kubelet registers it: ready, with nothing reserved (allocatable = capacity) and room for 110
/// pods unless the capacity says otherwise.
///
/// # Errors
/// If an amount of the capacity is no quantity.
pub fn register_node(
    name: &Arc<str>,
    address: IpAddr,
    mut capacity: Map<String, Value>,
    labels: &Labels,
    taints: Vec<Taint>,
    now: WallTime,
) -> Result<Node, serde_json::Error> {
    capacity.entry("pods").or_insert_with(|| DEFAULT_MAX_PODS.into());
    let allocatable = Arc::new(Resources::deserialize(&Value::Object(capacity.clone()))?);
    let mut rest = Map::new();
    let addresses = json!([{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]);
    rest.insert("addresses".into(), addresses);
    rest.insert(
        "nodeInfo".into(),
        json!({"kubeletVersion": "v1.36.0", "operatingSystem": "linux", "architecture": "amd64"}),
    );
    Ok(Node {
        meta: ObjectMeta { name: name.clone(), labels: node_labels(name, labels), ..ObjectMeta::default() },
        spec: NodeSpec { taints: taints.into(), ..NodeSpec::default() },
        status: NodeStatus {
            allocatable_wire: capacity.clone(),
            capacity,
            allocatable,
            conditions: own_conditions(&[], now, NodeHealth::default()).into(),
            rest,
        },
    })
}

/// The labels that a kubelet gives its node, under those that it was told to give.
#[must_use]
pub fn node_labels(name: &str, given: &Labels) -> Labels {
    let own = [
        ("beta.kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
    ];
    own.into_iter().filter(|(key, _)| !given.contains_key(key)).chain(given.iter()).collect()
}

/// What a kubelet has to say of its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeHealth {
    /// What it is short of.
    pub pressure: PressureConditions,
    /// The machine is being shut down, and takes no pods.
    pub shutting_down: bool,
}

/// The node's status as its kubelet reports it now: ready unless it is being shut down, and with these pressures.
#[must_use]
pub fn heartbeat(node: &Node, now: WallTime, health: NodeHealth) -> Node {
    let mut node = node.clone();
    node.meta.resource_version = 0;
    node.status.conditions = own_conditions(&node.status.conditions, now, health).into();
    node
}

/// Type, status, reason and message of the conditions of a node under pressure, and the reasons of the Events that say when
/// one begins and ends (upstream `pkg/kubelet/nodestatus`).
type PressureStatement = (&'static str, &'static str, &'static str, [&'static str; 2]);

const PRESSURES: [PressureStatement; 3] = [
    (
        "MemoryPressure",
        "KubeletHasInsufficientMemory",
        "kubelet has insufficient memory available",
        ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
    ),
    (
        "DiskPressure",
        "KubeletHasDiskPressure",
        "kubelet has disk pressure",
        ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
    ),
    (
        "PIDPressure",
        "KubeletHasInsufficientPID",
        "kubelet has insufficient PID available",
        ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
    ),
];

/// The pressures that begin or end, each with whether it begins.
fn changes(node: &Node, pressure: PressureConditions) -> impl Iterator<Item = (&'static PressureStatement, bool)> {
    let holds = pressure.names();
    let change = move |statement: &'static PressureStatement| {
        let is_told = node.status.conditions.is_true(statement.0);
        let holds = holds.contains(&statement.0);
        (holds != is_told).then_some((statement, holds))
    };
    PRESSURES.iter().filter_map(change)
}

/// What `Ready` says while the machine is being shut down (upstream `nodestatus.ReadyCondition`).
const SHUTTING_DOWN: (&str, ConditionStatus, &str, &str) =
    ("Ready", ConditionStatus::False, "KubeletNotReady", "node is shutting down");

/// Whether the node's status does not say how the node is.
#[must_use]
pub fn is_news(node: &Node, health: NodeHealth) -> bool {
    let ready = node.status.conditions.find("Ready").map(|ready| ready.status);
    let expected = if health.shutting_down { ConditionStatus::False } else { ConditionStatus::True };
    ready != Some(expected) || changes(node, health.pressure).next().is_some()
}

/// The Events about pressures that begin or end with the next report, and about a shutdown that begins.
pub fn health_events(node: &Node, health: NodeHealth) -> impl Iterator<Item = EventSpec> {
    let name = node.meta.name.clone();
    let event = move |reason: &'static str| {
        let message = format!("Node {name} status is now: {reason}");
        let uid = Uid::Text(name.clone());
        let about =
            ObjectReference { kind: "Node".into(), name: name.clone().into(), uid, ..ObjectReference::default() };
        EventSpec { about, kind: EventKind::Normal, reason: reason.into(), message: message.into() }
    };
    let pressures = changes(node, health.pressure).map(|((.., reasons), begins)| reasons[usize::from(!begins)]);
    let stops = health.shutting_down && node.status.conditions.is_true("Ready");
    pressures.chain(stops.then_some("NodeNotReady")).map(event).collect::<Vec<_>>().into_iter()
}

fn own_conditions(before: &[Condition], now: WallTime, health: NodeHealth) -> Vec<Condition> {
    let now = Some(now.timestamp());
    let others = before.iter().filter(|condition| HEALTHY.iter().all(|(kind, ..)| condition.kind != **kind));
    let holds = health.pressure.names();
    let statement = |healthy: &'static (&str, ConditionStatus, &str, &str)| {
        let pressed = PRESSURES.iter().find(|(kind, ..)| *kind == healthy.0 && holds.contains(kind));
        match pressed {
            Some((kind, reason, message, _)) => (*kind, ConditionStatus::True, *reason, *message),
            None if health.shutting_down && healthy.0 == SHUTTING_DOWN.0 => SHUTTING_DOWN,
            None => *healthy,
        }
    };
    let own = HEALTHY.iter().map(statement).map(|(kind, status, reason, message)| {
        let same = before.iter().find(|condition| condition.kind == *kind && condition.status == status);
        Condition {
            kind: kind.into(),
            status,
            last_heartbeat_time: now,
            last_transition_time: same.map_or(now, |condition| condition.last_transition_time),
            reason: reason.into(),
            message: message.into(),
            ..Condition::default()
        }
    });
    others.cloned().chain(own).collect()
}

/// A node's first lease.
#[must_use]
pub fn lease(node: &Node, now: WallTime) -> Lease {
    let owner = OwnerReference {
        api_version: Node::KIND.api_version().into(),
        kind: Node::KIND.as_str().into(),
        name: node.meta.name.clone(),
        uid: node.meta.uid.clone(),
        ..OwnerReference::default()
    };
    Lease {
        meta: ObjectMeta {
            name: node.meta.name.clone(),
            namespace: NODE_LEASE_NAMESPACE.into(),
            owner_references: SharedList::from(vec![owner]),
            ..ObjectMeta::default()
        },
        holder_identity: node.meta.name.clone().into(),
        lease_duration_seconds: LEASE_DURATION_SECONDS,
        renew_time: now,
        ..Lease::default()
    }
}

/// The lease, renewed now whatever its version.
#[must_use]
pub fn renew_lease(lease: &Lease, now: WallTime) -> Lease {
    let mut lease = lease.clone();
    lease.meta.resource_version = 0;
    lease.renew_time = now;
    lease
}
