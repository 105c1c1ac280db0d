//! Kinds, references, and any object behind one type.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::cluster::{Event, Lease, Namespace, Node};
use super::controller_revision::ControllerRevision;
use super::cron_job::CronJob;
use super::daemon_set::DaemonSet;
use super::endpoint_slice::EndpointSlice;
use super::endpoints::Endpoints;
use super::gateway::{Gateway, GatewayClass, HTTPRoute, ReferenceGrant};
use super::horizontal_pod_autoscaler::HorizontalPodAutoscaler;
use super::ingress::{Ingress, IngressClass};
use super::job::Job;
use super::limit_range::LimitRange;
use super::meta::ObjectMeta;
use super::network_policy::NetworkPolicy;
use super::persistent_volume::PersistentVolume;
use super::persistent_volume_claim::PersistentVolumeClaim;
use super::pod::Pod;
use super::pod_disruption_budget::PodDisruptionBudget;
use super::quota::ResourceQuota;
use super::replication_controller::ReplicationController;
use super::runtime_class::RuntimeClass;
use super::service::Service;
use super::stateful_set::StatefulSet;
use super::storage_class::StorageClass;
use super::volume_attachment::VolumeAttachment;
use super::workload::{Deployment, ReplicaSet};

/// A document does not have the shape of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct WireError {
    /// Where in the document.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl WireError {
    pub(crate) fn new(path: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self { path: path.into(), message: cause.to_string() }
    }
}

/// Takes a field out of a document; an absent or null one becomes the default.
pub(crate) fn take<T: DeserializeOwned + Default>(wire: &mut Value, key: &str) -> Result<T, WireError> {
    match take_value(wire, key) {
        Value::Null => Ok(T::default()),
        value => serde_json::from_value(value).map_err(|e| WireError::new(key, e)),
    }
}

pub(crate) fn take_value(wire: &mut Value, key: &str) -> Value {
    wire.get_mut(key).map(Value::take).unwrap_or_default()
}

pub(crate) fn wire_object(wire: &mut Value, key: &str) -> Map<String, Value> {
    match take_value(wire, key) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What the typed objects have in common.
pub trait Resource: Typed + Clone + Send + Sync + 'static {
    /// The kind.
    const KIND: Kind;
    /// Whether controllers look for objects of this kind that nobody controls, to adopt them; then a table also
    /// knows them by their controller.
    const ADOPTABLE: bool = false;
    /// Makes a snapshot of a defaulted document.
    ///
    /// # Errors
    /// If a field that the simulation reads has another type than the API's.
    fn from_wire(wire: Value) -> Result<Self, WireError>;
    /// `spec` in wire form.
    fn spec_wire(&self) -> Option<Value> {
        None
    }
    /// `status` in wire form.
    fn status_wire(&self) -> Option<Value> {
        None
    }
    /// Fields other than metadata, spec and status.
    fn fill_wire(&self, _wire: &mut Map<String, Value>) {}
    /// The whole object in wire form.
    fn to_wire(&self) -> Value {
        let mut wire = Map::new();
        wire.insert("apiVersion".into(), Self::KIND.api_version().into());
        wire.insert("kind".into(), Self::KIND.as_str().into());
        wire.insert("metadata".into(), serde_json::to_value(self.meta()).unwrap_or_default());
        if let Some(spec) = self.spec_wire() {
            wire.insert("spec".into(), spec);
        }
        if let Some(status) = self.status_wire() {
            wire.insert("status".into(), status);
        }
        self.fill_wire(&mut wire);
        Value::Object(wire)
    }
    /// Namespace and name.
    fn key(&self) -> Key {
        Key { namespace: self.meta().namespace.clone(), name: self.meta().name.clone() }
    }
}

/// Implements [`Resource`] for a kind of metadata and a shared spec that serde reads and writes whole, and of a status unless
/// it is said to be `without_status`.
macro_rules! serde_resource {
    ($kind:ident) => {
        $crate::objects::object::serde_resource!(@ $kind, status);
    };
    ($kind:ident, without_status) => {
        $crate::objects::object::serde_resource!(@ $kind);
    };
    (@ $kind:ident $(, $status:ident)?) => {
        impl $crate::objects::Resource for $kind {
            const KIND: $crate::objects::Kind = $crate::objects::Kind::$kind;

            fn from_wire(mut wire: serde_json::Value) -> Result<Self, $crate::objects::WireError> {
                use $crate::objects::object::take;
                Ok(Self {
                    meta: take(&mut wire, "metadata")?,
                    spec: std::sync::Arc::new(take(&mut wire, "spec")?),
                    $($status: take(&mut wire, "status")?,)?
                })
            }

            fn spec_wire(&self) -> Option<serde_json::Value> {
                serde_json::to_value(&*self.spec).ok()
            }

            $(fn status_wire(&self) -> Option<serde_json::Value> {
                serde_json::to_value(&self.$status).ok().filter(|status| !status.is_null())
            })?
        }
    };
}
pub(super) use serde_resource;

/// Namespace and name of an object; the namespace is empty for cluster-scoped kinds.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The simulated kinds, for macros that have something to say about each: the type, its table in the view, group and
/// version, name of the resource in URLs, whether objects live in a namespace, and short names. What follows the macro's
/// name is handed to it in brackets. A new kind is a line here, a `Resource` and a `Stored`.
macro_rules! with_kinds {
    ($($then:ident)::+ $(, $($args:tt)*)?) => {
        $($then)::+! {
            [$($($args)*)?]
            Namespace, namespaces, "v1", "namespaces", false, ["ns"];
            Node, nodes, "v1", "nodes", false, ["no"];
            Pod, pods, "v1", "pods", true, ["po"];
            ReplicaSet, replica_sets, "apps/v1", "replicasets", true, ["rs"];
            ReplicationController, replication_controllers, "v1", "replicationcontrollers", true, ["rc"];
            Deployment, deployments, "apps/v1", "deployments", true, ["deploy"];
            StatefulSet, stateful_sets, "apps/v1", "statefulsets", true, ["sts"];
            ControllerRevision, controller_revisions, "apps/v1", "controllerrevisions", true, [];
            Job, jobs, "batch/v1", "jobs", true, [];
            CronJob, cron_jobs, "batch/v1", "cronjobs", true, ["cj"];
            PodDisruptionBudget, pod_disruption_budgets, "policy/v1", "poddisruptionbudgets", true, ["pdb"];
            DaemonSet, daemon_sets, "apps/v1", "daemonsets", true, ["ds"];
            Service, services, "v1", "services", true, ["svc"];
            EndpointSlice, endpoint_slices, "discovery.k8s.io/v1", "endpointslices", true, [];
            Endpoints, endpoints, "v1", "endpoints", true, ["ep"];
            Ingress, ingresses, "networking.k8s.io/v1", "ingresses", true, ["ing"];
            IngressClass, ingress_classes, "networking.k8s.io/v1", "ingressclasses", false, [];
            NetworkPolicy, network_policies, "networking.k8s.io/v1", "networkpolicies", true, ["netpol"];
            Lease, leases, "coordination.k8s.io/v1", "leases", true, [];
            ResourceQuota, resource_quotas, "v1", "resourcequotas", true, ["quota"];
            LimitRange, limit_ranges, "v1", "limitranges", true, ["limits"];
            RuntimeClass, runtime_classes, "node.k8s.io/v1", "runtimeclasses", false, [];
            Event, events, "v1", "events", true, ["ev"];
            PersistentVolume, persistent_volumes, "v1", "persistentvolumes", false, ["pv"];
            PersistentVolumeClaim, persistent_volume_claims, "v1", "persistentvolumeclaims", true, ["pvc"];
            StorageClass, storage_classes, "storage.k8s.io/v1", "storageclasses", false, ["sc"];
            VolumeAttachment, volume_attachments, "storage.k8s.io/v1", "volumeattachments", false, [];
            HorizontalPodAutoscaler, horizontal_pod_autoscalers, "autoscaling/v2", "horizontalpodautoscalers", true, ["hpa"];
            GatewayClass, gateway_classes, "gateway.networking.k8s.io/v1", "gatewayclasses", false, ["gc"];
            Gateway, gateways, "gateway.networking.k8s.io/v1", "gateways", true, ["gtw"];
            HTTPRoute, http_routes, "gateway.networking.k8s.io/v1", "httproutes", true, [];
            ReferenceGrant, reference_grants, "gateway.networking.k8s.io/v1", "referencegrants", true, ["refgrant"];
        }
    };
}
pub(crate) use with_kinds;

macro_rules! kinds {
    ([] $($kind:ident, $table:ident, $api_version:literal, $plural:literal, $namespaced:literal, [$($alias:literal),*];)*) => {
        /// A kind that is simulated. Objects of other kinds are kept whole as [`Object::Opaque`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", stringify!($kind), "` of `", $api_version, "`.")] $kind,)*
            /// Any kind that is not simulated.
            Opaque,
        }

        impl Kind {
            /// Every simulated kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// As manifests write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* Self::Opaque => "Opaque" }
            }

            /// Group and version, such as `apps/v1`.
            #[must_use]
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api_version,)* Self::Opaque => "" }
            }

            /// Name of the resource in URLs and messages.
            #[must_use]
            pub const fn plural(self) -> &'static str {
                match self { $(Self::$kind => $plural,)* Self::Opaque => "opaques" }
            }

            /// Whether objects live in a namespace.
            #[must_use]
            pub const fn is_namespaced(self) -> bool {
                match self { $(Self::$kind => $namespaced,)* Self::Opaque => true }
            }

            /// Names that `kubectl` takes beside singular and plural, such as `deploy`.
            #[must_use]
            pub const fn short_names(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($alias),*],)* Self::Opaque => &[] }
            }

            /// The kind of a manifest, if it is simulated.
            #[must_use]
            pub fn of(api_version: &str, kind: &str) -> Option<Self> {
                match (api_version, kind) { $(($api_version, stringify!($kind)) => Some(Self::$kind),)* _ => None }
            }

            /// The kind that a user names as `kubectl` takes it: singular, plural or short, in any case.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                let name = name.to_ascii_lowercase();
                $(if name == $plural || name == stringify!($kind).to_ascii_lowercase() $(|| name == $alias)* {
                    return Some(Self::$kind);
                })*
                None
            }
        }

        /// A snapshot of any object.
        #[derive(Clone, Debug)]
        pub enum Object {
            $(#[doc = concat!("A `", stringify!($kind), "`.")] $kind(Arc<$kind>),)*
            /// An object of a kind that is not simulated.
            Opaque(Arc<OpaqueObject>),
        }

        impl Object {
            /// The kind.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* Self::Opaque(_) => Kind::Opaque }
            }

            /// Metadata.
            #[must_use]
            pub fn meta(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.meta,)* Self::Opaque(object) => &object.meta }
            }

            /// The same object with other metadata.
            #[must_use]
            pub fn with_meta(&self, change: impl FnOnce(&mut ObjectMeta)) -> Self {
                match self {
                    $(Self::$kind(object) => {
                        let mut object = (**object).clone();
                        change(&mut object.meta);
                        Self::$kind(Arc::new(object))
                    })*
                    Self::Opaque(object) => {
                        let mut object = (**object).clone();
                        change(&mut object.meta);
                        Self::Opaque(Arc::new(object))
                    }
                }
            }

            /// The whole object in wire form.
            #[must_use]
            pub fn to_wire(&self) -> Value {
                match self { $(Self::$kind(object) => object.to_wire(),)* Self::Opaque(object) => object.to_wire() }
            }

            /// Makes a snapshot of a defaulted document; of a kind that is not simulated, an opaque one.
            ///
            /// # Errors
            /// If a field that the simulation reads has another type than the API's.
            pub fn from_wire(wire: Value) -> Result<Self, WireError> {
                let text = |key: &str| wire.get(key).and_then(Value::as_str).unwrap_or("");
                match Kind::of(text("apiVersion"), text("kind")) {
                    $(Some(Kind::$kind) => Ok(Self::$kind(Arc::new($kind::from_wire(wire)?))),)*
                    Some(Kind::Opaque) | None => Ok(Self::Opaque(Arc::new(OpaqueObject::from_wire(wire)?))),
                }
            }
        }

        $(impl From<Arc<$kind>> for Object {
            fn from(object: Arc<$kind>) -> Self {
                Self::$kind(object)
            }
        }
        impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Arc::new(object))
            }
        }
        impl Typed for $kind {
            fn meta(&self) -> &ObjectMeta {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.meta
            }
            fn wrap(self: Arc<Self>) -> Object {
                Object::$kind(self)
            }
            fn unwrap(object: &Object) -> Option<&Arc<Self>> {
                match object {
                    Object::$kind(object) => Some(object),
                    _ => None,
                }
            }
        })*
    };
}

/// What is the same for all snapshots; implemented for every simulated kind.
pub trait Typed: Sized {
    /// Metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// Wraps a snapshot.
    fn wrap(self: Arc<Self>) -> Object;
    /// Unwraps a snapshot of this kind.
    fn unwrap(object: &Object) -> Option<&Arc<Self>>;
}

with_kinds!(kinds);

impl Kind {
    /// API group, empty for the core group.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// `plural.group`, as messages name a resource.
    #[must_use]
    pub fn resource(self) -> String {
        Self::qualified(self.plural(), self.group())
    }

    /// `Kind.group`, as validation messages name a kind.
    #[must_use]
    pub fn qualified_kind(self) -> String {
        Self::qualified(self.as_str(), self.group())
    }

    pub(crate) fn qualified(name: &str, group: &str) -> String {
        if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Object {
    /// Namespace and name. The names of opaque objects carry the kind in front (`ConfigMap/settings`), since they
    /// share one table.
    #[must_use]
    pub fn key(&self) -> Key {
        let meta = self.meta();
        match self {
            Self::Opaque(object) => {
                let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
                let kind = Kind::qualified(&object.kind, group);
                Key::new(meta.namespace.clone(), format!("{kind}/{}", meta.name))
            }
            _ => Key { namespace: meta.namespace.clone(), name: meta.name.clone() },
        }
    }

    /// The desired number of replicas, of kinds that have the `scale` subresource.
    #[must_use]
    pub fn replicas(&self) -> Option<i32> {
        match self {
            Self::Deployment(deployment) => Some(deployment.spec.replicas),
            Self::ReplicaSet(set) => Some(set.spec.replicas),
            Self::StatefulSet(set) => Some(set.spec.replicas),
            Self::ReplicationController(controller) => Some(controller.spec.replicas),
            _ => None,
        }
    }

    /// Kind as written, also of opaque objects.
    #[must_use]
    pub fn kind_name(&self) -> &str {
        match self {
            Self::Opaque(object) => &object.kind,
            typed => typed.kind().as_str(),
        }
    }

    /// Group and version as written, also of opaque objects.
    #[must_use]
    pub fn api_version(&self) -> &str {
        match self {
            Self::Opaque(object) => &object.api_version,
            typed => typed.kind().api_version(),
        }
    }
}

/// An object of a kind that is not simulated: kept and given back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpaqueObject {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Group and version.
    pub api_version: Arc<str>,
    /// Kind.
    pub kind: Arc<str>,
    /// All other fields, in wire form.
    pub rest: Map<String, Value>,
}

impl OpaqueObject {
    /// Reads any document with metadata.
    ///
    /// # Errors
    /// If the metadata has the wrong shape.
    pub fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let mut object = Self {
            meta: take(&mut wire, "metadata")?,
            api_version: take(&mut wire, "apiVersion")?,
            kind: take(&mut wire, "kind")?,
            rest: Map::new(),
        };
        if let Value::Object(mut rest) = wire {
            for key in ["metadata", "apiVersion", "kind"] {
                rest.remove(key);
            }
            object.rest = rest;
        }
        Ok(object)
    }

    /// The whole object in wire form.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        let mut wire = self.rest.clone();
        wire.insert("apiVersion".into(), Value::String(self.api_version.to_string()));
        wire.insert("kind".into(), Value::String(self.kind.to_string()));
        wire.insert("metadata".into(), serde_json::to_value(&self.meta).unwrap_or_default());
        Value::Object(wire)
    }
}
