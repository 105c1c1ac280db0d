//! Pods.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kernel::SimDuration;

use super::condition::{Condition, ConditionList, Conditions};
use super::meta::ObjectMeta;
use super::object::{Key, Kind, Resource, WireError, take, wire_object};
use super::pin;
use super::pod_spec::{PodSpec, QosClass, Volume};
use super::text::{self, Text};
use super::{Labels, SharedList, Timestamp, WallTime};

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state, shared with the template it came from.
    pub spec: Arc<PodSpec>,
    /// Node that the pod is bound to; empty = not yet.
    pub node_name: Arc<str>,
    /// The only node that the required node affinity allows, by the field `metadata.name`; empty = it does not name one.
    /// It is kept beside the spec so that the pods of a DaemonSet share theirs, and stands for
    /// `spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
    pub pinned_to: Arc<str>,
    /// Host name of its own, in the place of `spec.hostname`; empty = the spec's. It is kept beside the spec so that the pods of
    /// an indexed Job share theirs.
    pub own_hostname: Arc<str>,
    /// Observed state.
    pub status: PodStatus,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PodPhase {
    /// Accepted; not all containers have been started.
    #[default]
    Pending,
    /// The node cannot be asked (not set by anything current).
    Unknown,
    /// Bound, started, not ended.
    Running,
    /// All containers ended well and will not restart.
    Succeeded,
    /// All containers ended, at least one badly.
    Failed,
}

impl PodPhase {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Unknown => "Unknown",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// Observed state of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Generation that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Phase.
    pub phase: PodPhase,
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
    /// Why, for people.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub message: Text,
    /// Why, one word, such as `Evicted`.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub reason: Text,
    /// Node that preemption makes room on.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub nominated_node_name: Text,
    /// Address of the node.
    #[serde(rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// Address of the pod.
    #[serde(rename = "podIP", skip_serializing_if = "Option::is_none")]
    pub pod_ip: Option<IpAddr>,
    /// When the kubelet took the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// Init containers, in the order of the spec.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub init_container_statuses: SharedList<ContainerStatus>,
    /// Regular containers, in the order of the spec.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub container_statuses: SharedList<ContainerStatus>,
    /// Ephemeral containers, in the order of the spec.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub ephemeral_container_statuses: SharedList<ContainerStatus>,
    /// Quality of service class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos_class: Option<QosClass>,
}

/// Conditions that kubelets own, in the order in which they write them (upstream `PodConditionsByKubelet`).
pub const KUBELET_CONDITIONS: [&str; 6] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    // Only of pods with a rule that restarts all of their containers.
    "AllContainersRestarting",
];

impl PodStatus {
    /// This status with what a kubelet reports: all but conditions and fields that others own (upstream `mergePodStatus`).
    #[must_use]
    pub fn with_report(&self, report: &Self) -> Self {
        // `DisruptionTarget` is shared: the last word counts.
        let of_others = |condition: &&Condition| {
            !KUBELET_CONDITIONS.contains(&&*condition.kind) && report.conditions.find(&condition.kind).is_none()
        };
        let conditions = if self.conditions.iter().any(|condition| of_others(&condition)) {
            self.conditions.iter().filter(of_others).chain(&report.conditions).cloned().collect()
        } else {
            report.conditions.clone()
        };
        Self {
            conditions,
            nominated_node_name: self.nominated_node_name.clone(),
            qos_class: self.qos_class.or(report.qos_class),
            ..report.clone()
        }
    }
}

/// Observed state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Name.
    pub name: Arc<str>,
    /// What it is doing.
    pub state: ContainerState,
    /// How its earlier life ended.
    pub last_state: ContainerState,
    /// Whether its readiness probe passes.
    pub ready: bool,
    /// How often it was restarted.
    pub restart_count: i32,
    /// Image.
    pub image: Arc<str>,
    /// Whether its startup probe passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<bool>,
}

/// What a container is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContainerState {
    /// Nothing is known (an empty object on the wire).
    #[default]
    None,
    /// Not started.
    Waiting {
        /// Such as `ContainerCreating` or `CrashLoopBackOff`.
        reason: Text,
        /// For people.
        message: Text,
    },
    /// Running.
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// Ended.
    Terminated(Box<Terminated>),
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Exit code, 128 + n for signal n.
    pub exit_code: i32,
    /// Signal that ended it, if the runtime says so; 0 = none.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub signal: i32,
    /// Such as `Completed`, `Error`, `OOMKilled`.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub reason: Text,
    /// For people.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub message: Text,
    /// Start of that life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// End of that life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StateWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitingWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminated: Option<Box<Terminated>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct WaitingWire {
    #[serde(skip_serializing_if = "text::is_empty")]
    reason: Text,
    #[serde(skip_serializing_if = "text::is_empty")]
    message: Text,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RunningWire {
    started_at: Option<Timestamp>,
}

impl Serialize for ContainerState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = StateWire::default();
        match self.clone() {
            Self::None => {}
            Self::Waiting { reason, message } => wire.waiting = Some(WaitingWire { reason, message }),
            Self::Running { started_at } => wire.running = Some(RunningWire { started_at: Some(started_at) }),
            Self::Terminated(end) => wire.terminated = Some(end),
        }
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ContainerState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = StateWire::deserialize(deserializer)?;
        Ok(if let Some(end) = wire.terminated {
            Self::Terminated(end)
        } else if let Some(running) = wire.running {
            Self::Running { started_at: running.started_at.unwrap_or_default() }
        } else if let Some(WaitingWire { reason, message }) = wire.waiting {
            Self::Waiting { reason, message }
        } else {
            Self::None
        })
    }
}

impl Pod {
    /// Whether the pod is bound to a node.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        !self.node_name.is_empty()
    }

    /// The claim that a volume of this pod stands for, if it does.
    #[must_use]
    pub fn claim_of(&self, volume: &Volume) -> Option<Key> {
        let name: Arc<str> = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(claim), _) => claim.claim_name.clone(),
            (None, Some(_)) => format!("{}-{}", self.meta.name, volume.name).into(),
            (None, None) => return None,
        };
        Some(Key::new(self.meta.namespace.clone(), name))
    }

    /// The claims that the pod uses, in the order of its volumes.
    pub fn claims(&self) -> impl Iterator<Item = Key> {
        self.spec.volumes.iter().filter_map(|volume| self.claim_of(volume))
    }

    /// Whether a node of that name and with these labels is what the pod asks for by its node selector and its required
    /// node affinity.
    #[must_use]
    pub fn accepts_node(&self, name: &str, labels: &Labels) -> bool {
        (self.pinned_to.is_empty() || *self.pinned_to == *name) && self.spec.accepts_node(name, labels)
    }

    /// Host name, empty if it is the pod's name.
    #[must_use]
    pub fn hostname(&self) -> &Arc<str> {
        if self.own_hostname.is_empty() { &self.spec.hostname } else { &self.own_hostname }
    }

    /// Whether all containers have ended for good.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self.status.phase, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// Neither ended nor being deleted (upstream `controller.IsPodActive`).
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !self.is_terminal() && self.meta.deletion_timestamp.is_none()
    }

    /// Being deleted and not ended (upstream `controller.IsPodTerminating`).
    #[must_use]
    pub const fn is_terminating(&self) -> bool {
        !self.is_terminal() && self.meta.deletion_timestamp.is_some()
    }

    /// Whether the `Ready` condition holds.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.status.conditions.is_true("Ready")
    }

    /// Running, and the `Ready` condition holds (upstream `isRunningAndReady` of the StatefulSet controller).
    #[must_use]
    pub fn is_running_and_ready(&self) -> bool {
        self.status.phase == PodPhase::Running && self.is_ready()
    }

    /// When `Ready` last changed.
    #[must_use]
    pub fn ready_since(&self) -> Option<Timestamp> {
        self.status.conditions.find("Ready").and_then(|condition| condition.last_transition_time)
    }

    /// Ready for at least `min_ready_seconds` (upstream `podutil.IsPodAvailable`).
    #[must_use]
    pub fn is_available(&self, min_ready_seconds: i32, now: WallTime) -> bool {
        self.is_ready()
            && (min_ready_seconds == 0
                || self.ready_since().is_some_and(|since| since.plus_secs(i64::from(min_ready_seconds)).wall() <= now))
    }
}

impl Pod {
    /// Time until the pod, which is ready, will have been so for `min_ready_seconds`; nothing if it is not ready or has
    /// been for long enough (upstream `nextPodAvailabilityCheck`).
    #[must_use]
    pub fn available_in(&self, min_ready_seconds: i32, now: WallTime) -> Option<SimDuration> {
        let since = self.ready_since().filter(|_| self.is_ready() && min_ready_seconds > 0)?;
        let wait = since.plus_secs(i64::from(min_ready_seconds)).wall().nanos_since(now);
        u64::try_from(wait).ok().filter(|wait| *wait > 0).map(SimDuration::from_nanos)
    }
}

impl Resource for Pod {
    const KIND: Kind = Kind::Pod;
    const ADOPTABLE: bool = true;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = wire_object(&mut wire, "spec");
        let node_name = match spec.remove("nodeName") {
            Some(Value::String(name)) => name.into(),
            _ => "".into(),
        };
        let pinned_to = pin::take(&mut spec).unwrap_or_default();
        Ok(Self {
            meta,
            spec: Arc::new(PodSpec::from_wire(spec)?),
            node_name,
            pinned_to,
            own_hostname: "".into(),
            status,
        })
    }

    fn spec_wire(&self) -> Option<Value> {
        let mut spec = self.spec.wire().clone();
        if !self.pinned_to.is_empty() {
            pin::set(&mut spec, &self.pinned_to);
        }
        if !self.own_hostname.is_empty() {
            spec.insert("hostname".into(), Value::String(self.own_hostname.to_string()));
        }
        if self.is_bound() {
            spec.insert("nodeName".into(), Value::String(self.node_name.to_string()));
        }
        Some(Value::Object(spec))
    }

    fn status_wire(&self) -> Option<Value> {
        let mut status = serde_json::to_value(&self.status).ok()?;
        if let (Some(ip), Some(map)) = (self.status.pod_ip, status.as_object_mut()) {
            map.insert("podIPs".into(), serde_json::json!([{ "ip": ip }]));
        }
        if let (Some(ip), Some(map)) = (self.status.host_ip, status.as_object_mut()) {
            map.insert("hostIPs".into(), serde_json::json!([{ "ip": ip }]));
        }
        Some(status)
    }
}
