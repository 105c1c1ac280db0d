//! What a kubelet says of its node: registration, heartbeats, and the lease.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Labels, Lease, Node, NodeSpec, NodeStatus, ObjectMeta, OwnerReference, Resource,
    Resources, SharedList, Taint, WallTime,
};

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
            conditions: healthy_conditions(&[], now).into(),
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

/// The node's status as its healthy kubelet reports it now.
#[must_use]
pub fn heartbeat(node: &Node, now: WallTime) -> Node {
    let mut node = node.clone();
    node.meta.resource_version = 0;
    node.status.conditions = healthy_conditions(&node.status.conditions, now).into();
    node
}

fn healthy_conditions(before: &[Condition], now: WallTime) -> Vec<Condition> {
    let now = Some(now.timestamp());
    let others = before.iter().filter(|condition| HEALTHY.iter().all(|(kind, ..)| condition.kind != **kind));
    let own = HEALTHY.iter().map(|(kind, status, reason, message)| {
        let same = before.iter().find(|condition| condition.kind == **kind && condition.status == *status);
        Condition {
            kind: (*kind).into(),
            status: *status,
            last_heartbeat_time: now,
            last_transition_time: same.map_or(now, |condition| condition.last_transition_time),
            reason: (*reason).into(),
            message: (*message).into(),
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
