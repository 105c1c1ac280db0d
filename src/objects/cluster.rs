//! Namespaces, Nodes, Leases and Events.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::ConditionList;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::resources::Resources;
use super::text::{self, Text};
use super::{SharedList, Timestamp, WallTime};

/// A Namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Finalizers of the namespace's content (`spec.finalizers`).
    pub finalizers: SharedList<Arc<str>>,
    /// `Active` or `Terminating`.
    pub phase: Text,
    /// Conditions.
    pub conditions: ConditionList,
}

impl Resource for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let mut spec = Value::Object(wire_object(&mut wire, "spec"));
        let mut status = Value::Object(wire_object(&mut wire, "status"));
        Ok(Self {
            meta,
            finalizers: take(&mut spec, "finalizers")?,
            phase: take(&mut status, "phase")?,
            conditions: take(&mut status, "conditions")?,
        })
    }

    fn spec_wire(&self) -> Option<Value> {
        let mut spec = Map::new();
        if !self.finalizers.is_empty() {
            spec.insert("finalizers".into(), serde_json::to_value(&self.finalizers).ok()?);
        }
        Some(Value::Object(spec))
    }

    fn status_wire(&self) -> Option<Value> {
        let mut status = Map::new();
        if !self.phase.is_empty() {
            status.insert("phase".into(), Value::String(self.phase.to_string()));
        }
        if !self.conditions.is_empty() {
            status.insert("conditions".into(), serde_json::to_value(&self.conditions).ok()?);
        }
        Some(Value::Object(status))
    }
}

/// A Node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: NodeSpec,
    /// Observed state.
    pub status: NodeStatus,
}

/// Desired state of a Node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    /// Cordoned: no new pods.
    #[serde(skip_serializing_if = "super::skip::no")]
    pub unschedulable: bool,
    /// Taints.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub taints: SharedList<Taint>,
    /// What is valid and not simulated (podCIDR, providerID, …).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A taint of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// Key.
    pub key: Arc<str>,
    /// Value.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub value: Arc<str>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: Text,
    /// Since when (`NoExecute`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_added: Option<Timestamp>,
}

/// Observed state of a Node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// What the machine has, in wire form.
    pub capacity: Map<String, Value>,
    /// What pods may take, in wire form.
    #[serde(rename = "allocatable")]
    pub allocatable_wire: Map<String, Value>,
    /// What pods may take, as integers.
    #[serde(skip)]
    pub allocatable: Arc<Resources>,
    /// Conditions.
    pub conditions: ConditionList,
    /// What is valid and not simulated (addresses, images, nodeInfo, …).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Node {
    /// Its address inside the cluster (`InternalIP`).
    #[must_use]
    pub fn internal_ip(&self) -> Option<IpAddr> {
        let addresses = self.status.rest.get("addresses")?.as_array()?;
        let internal = addresses.iter().find(|address| address.get("type").is_some_and(|kind| kind == "InternalIP"));
        internal?.get("address")?.as_str()?.parse().ok()
    }
}

impl Resource for Node {
    const KIND: Kind = Kind::Node;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let mut status: NodeStatus = take(&mut wire, "status")?;
        let amounts = Value::Object(status.allocatable_wire.clone());
        status.allocatable =
            Arc::new(Resources::deserialize(&amounts).map_err(|e| WireError::new("status.allocatable", e))?);
        Ok(Self { meta: take(&mut wire, "metadata")?, spec: take(&mut wire, "spec")?, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.spec).ok()
    }

    fn status_wire(&self) -> Option<Value> {
        let mut status = self.status.rest.clone();
        if !self.status.capacity.is_empty() {
            status.insert("capacity".into(), Value::Object(self.status.capacity.clone()));
        }
        if !self.status.allocatable_wire.is_empty() {
            status.insert("allocatable".into(), Value::Object(self.status.allocatable_wire.clone()));
        }
        if !self.status.conditions.is_empty() {
            status.insert("conditions".into(), serde_json::to_value(&self.status.conditions).ok()?);
        }
        Some(Value::Object(status))
    }
}

/// A Lease, by which a node shows that it lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Metadata; nodes' leases live in namespace `kube-node-lease`.
    pub meta: ObjectMeta,
    /// Who holds it.
    pub holder_identity: Text,
    /// Seconds that it holds.
    pub lease_duration_seconds: i32,
    /// Last renewal.
    pub renew_time: WallTime,
    /// The other fields of the spec, such as those of an election.
    pub rest: Arc<Map<String, Value>>,
}

impl Resource for Lease {
    const KIND: Kind = Kind::Lease;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let mut spec = Value::Object(wire_object(&mut wire, "spec"));
        let (holder_identity, lease_duration_seconds) =
            (take(&mut spec, "holderIdentity")?, take(&mut spec, "leaseDurationSeconds")?);
        let renew_time = take(&mut spec, "renewTime")?;
        let mut rest = spec.as_object().cloned().unwrap_or_default();
        rest.retain(|_, value| !value.is_null());
        Ok(Self { meta, holder_identity, lease_duration_seconds, renew_time, rest: Arc::new(rest) })
    }

    fn spec_wire(&self) -> Option<Value> {
        let mut spec = Map::clone(&self.rest);
        if !self.holder_identity.is_empty() {
            spec.insert("holderIdentity".into(), (*self.holder_identity).into());
        }
        if self.lease_duration_seconds != 0 {
            spec.insert("leaseDurationSeconds".into(), self.lease_duration_seconds.into());
        }
        if self.renew_time != WallTime::default() {
            spec.insert("renewTime".into(), self.renew_time.to_micro_time().into());
        }
        Some(Value::Object(spec))
    }
}

/// An Event (core/v1): what a component says of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Metadata.
    pub meta: ObjectMeta,
    /// The object that it is about.
    pub involved_object: ObjectReference,
    /// Why, one word.
    pub reason: Text,
    /// For people.
    pub message: Text,
    /// `Normal` or `Warning`.
    pub kind: Text,
    /// Component that speaks, such as `deployment-controller`.
    pub component: Text,
    /// Node of that component, for kubelets.
    pub host: Text,
    /// How often it was said.
    pub count: i32,
    /// First time.
    pub first_timestamp: Option<Timestamp>,
    /// Last time.
    pub last_timestamp: Option<Timestamp>,
    /// What components write in the newer API (`eventTime`, `series`, `reportingComponent`, …).
    pub rest: Map<String, Value>,
}

/// A reference to any object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectReference {
    /// Kind.
    pub kind: Text,
    /// Namespace.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub namespace: Text,
    /// Name.
    pub name: Text,
    /// Uid.
    #[serde(skip_serializing_if = "super::Uid::is_none")]
    pub uid: super::Uid,
    /// Group and version.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub api_version: Text,
    /// Version that it is about.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub resource_version: Text,
    /// Part of the object, such as `spec.containers{web}`.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub field_path: Text,
}

impl ObjectReference {
    /// A reference to an object of a simulated kind.
    #[must_use]
    pub fn to(kind: Kind, meta: &ObjectMeta) -> Self {
        Self {
            kind: kind.as_str().into(),
            api_version: kind.api_version().into(),
            namespace: meta.namespace.clone().into(),
            name: meta.name.clone().into(),
            uid: meta.uid.clone(),
            ..Self::default()
        }
    }
}

impl Resource for Event {
    const KIND: Kind = Kind::Event;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let mut source = Value::Object(wire_object(&mut wire, "source"));
        let mut event = Self {
            meta: take(&mut wire, "metadata")?,
            involved_object: take(&mut wire, "involvedObject")?,
            reason: take(&mut wire, "reason")?,
            message: take(&mut wire, "message")?,
            kind: take(&mut wire, "type")?,
            component: take(&mut source, "component")?,
            host: take(&mut source, "host")?,
            count: take(&mut wire, "count")?,
            first_timestamp: take(&mut wire, "firstTimestamp")?,
            last_timestamp: take(&mut wire, "lastTimestamp")?,
            rest: Map::new(),
        };
        if let Value::Object(fields) = wire {
            let is_rest = |name: &str, value: &Value| !value.is_null() && !matches!(name, "apiVersion" | "kind");
            event.rest = fields.into_iter().filter(|(name, value)| is_rest(name, value)).collect();
        }
        Ok(event)
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| wire.insert(key.into(), value);
        put("involvedObject", serde_json::to_value(&self.involved_object).unwrap_or_default());
        put("reason", Value::String(self.reason.to_string()));
        put("message", Value::String(self.message.to_string()));
        put("type", Value::String(self.kind.to_string()));
        let mut source = Map::new();
        source.insert("component".into(), Value::String(self.component.to_string()));
        if !self.host.is_empty() {
            source.insert("host".into(), Value::String(self.host.to_string()));
        }
        put("source", Value::Object(source));
        put("count", self.count.into());
        put("firstTimestamp", serde_json::to_value(self.first_timestamp).unwrap_or_default());
        put("lastTimestamp", serde_json::to_value(self.last_timestamp).unwrap_or_default());
        put("reportingComponent", Value::String(self.component.to_string()));
        put("reportingInstance", Value::String(self.host.to_string()));
        wire.extend(self.rest.clone());
    }
}
