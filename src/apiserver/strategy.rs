//! What the registry strategies of the kinds do to typed objects (`pkg/registry/*/strategy.go`).

use std::sync::Arc;

use super::{ApiServer, priority};
use crate::api::{ApiError, Tabled, View};
use crate::objects::gateway::{GatewayClassStatus, GatewayStatus};
use crate::objects::{
    ControllerRevision, CronJob, DaemonSet, Deployment, EndpointSlice, Event, Gateway, GatewayClass, HTTPRoute,
    HorizontalPodAutoscaler, Job, Key, Kind, Lease, Namespace, Node, Object, ObjectMeta, OpaqueObject, Pod,
    PodDisruptionBudget, PodPhase, PodStatus, PodTemplate, ReferenceGrant, ReplicaSet, ReplicationController, Service,
    ServiceStatus, StatefulSet, Taint, Typed, WallTime,
};

/// Label of a namespace with its own name.
pub(super) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Finalizer of the content of a namespace.
const NAMESPACE_CONTENT: &str = "kubernetes";
/// Taint of a node that has just joined.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// An object as the store holds it, and the strategy of its kind.
pub(super) trait Stored: Clone + PartialEq {
    /// The kind.
    const KIND: Kind;
    /// Metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;
    /// As any object.
    fn wrap(object: Arc<Self>) -> Object;
    /// The stored object.
    fn find<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Self>>;
    /// Where the object is stored.
    fn store_key(&self) -> Key {
        Key { namespace: self.meta().namespace.clone(), name: self.meta().name.clone() }
    }
    /// Sets what a client cannot set on creation (`PrepareForCreate`).
    fn prepare_for_create(&mut self, now: WallTime);
    /// Shares with `old` what is equal to it.
    fn share_with(&mut self, _old: &Self) {}
    /// Keeps what an update of the main resource cannot change and counts the generation (`PrepareForUpdate`). The
    /// generation is that of `old` at this point.
    fn prepare_for_update(&mut self, old: &Self);
    /// This object with the status of `request`; `None` if the kind has no status subresource.
    fn with_status(&self, request: &Self) -> Option<Self>;
    /// This object with other replicas; `None` if the kind cannot be scaled.
    fn scaled(&self, _replicas: i32) -> Option<Self> {
        None
    }
    /// This object with the finalizers of the content of `request`; `None` if the kind has no such subresource.
    fn finalized(&self, _request: &Self) -> Option<Self> {
        None
    }
    /// Whether something besides the finalizers of the metadata holds the removal.
    fn is_held(&self) -> bool {
        false
    }
    /// Seconds of grace for a deletion that asks for `requested`; `None` if the kind is not deleted gracefully.
    fn grace(&self, _requested: Option<i64>) -> Option<i64> {
        None
    }
    /// Admission of a new object.
    fn admit(&mut self, _server: &mut ApiServer) -> Result<(), ApiError> {
        Ok(())
    }
    /// Admission of a changed object.
    fn admit_update(&mut self, _old: &Self, _server: &mut ApiServer) -> Result<(), ApiError> {
        Ok(())
    }
    /// Follows a write in what the server keeps beside the store.
    fn on_write(_server: &mut ApiServer, _old: Option<&Self>, _new: Option<&Self>) {}
    /// Whether deletion without a policy leaves the dependents alone.
    fn orphans_by_default(&self) -> bool {
        false
    }
}

macro_rules! stored {
    // A status that only its subresource writes, and a generation that counts the changes of the spec.
    ($kind:ident, spec_and_status, { $($strategy:item)* }) => {
        stored!($kind, spec_and_status beginning with Default::default(), { $($strategy)* });
    };
    ($kind:ident, spec_and_status beginning with $status:expr, { $($strategy:item)* }) => {
        stored!($kind, {
            fn prepare_for_create(&mut self, _now: WallTime) {
                self.meta.generation = 1;
                self.status = $status;
            }
            fn prepare_for_update(&mut self, old: &Self) {
                self.status = old.status.clone();
                count_generation(&mut self.meta, self.spec != old.spec);
            }
            fn with_status(&self, request: &Self) -> Option<Self> {
                Some(Self { status: request.status.clone(), ..self.clone() })
            }
            $($strategy)*
        });
    };
    ($kind:ident, { $($strategy:item)* }) => {
        impl Stored for $kind {
            const KIND: Kind = Kind::$kind;
            fn meta(&self) -> &ObjectMeta {
                &self.meta
            }
            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.meta
            }
            fn wrap(object: Arc<Self>) -> Object {
                Typed::wrap(object)
            }
            fn find<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Self>> {
                <Self as Tabled>::table(view).get(key)
            }
            $($strategy)*
        }
    };
}

/// Runs the code with the snapshot inside of an object.
macro_rules! by_object {
    ($object:expr, $typed:ident => $body:expr) => {
        $crate::objects::with_kinds!(crate::apiserver::strategy::object_arms, ($object) $typed ($body))
    };
}

macro_rules! object_arms {
    ([($object:expr) $typed:ident ($body:expr)] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        match $object {
            $($crate::objects::Object::$kind($typed) => $body,)*
            $crate::objects::Object::Opaque($typed) => $body,
        }
    };
}

/// Runs the code with the type of a kind.
macro_rules! by_kind {
    ($kind:expr, $T:ident => $body:expr) => {
        $crate::objects::with_kinds!(crate::apiserver::strategy::kind_arms, ($kind) $T ($body))
    };
}

macro_rules! kind_arms {
    ([($value:expr) $T:ident ($body:expr)] $($kind:ident, $table:ident, $v:literal, $p:literal, $n:literal, $a:tt;)*) => {
        match $value {
            $($crate::objects::Kind::$kind => {
                type $T = $crate::objects::$kind;
                $body
            })*
            $crate::objects::Kind::Opaque => {
                type $T = $crate::objects::OpaqueObject;
                $body
            }
        }
    };
}
pub(super) use {by_kind, by_object, kind_arms, object_arms, stored};

pub(super) fn count_generation(meta: &mut ObjectMeta, changed: bool) {
    if changed {
        meta.generation = meta.generation.saturating_add(1);
    }
}

fn share<T: PartialEq>(new: &mut Arc<T>, old: &Arc<T>) {
    if !Arc::ptr_eq(new, old) && *new == *old {
        *new = old.clone();
    }
}

/// A template with other labels still shares its spec, and so its pods do.
fn share_template(new: &mut Arc<PodTemplate>, old: &Arc<PodTemplate>) {
    share(new, old);
    if !Arc::ptr_eq(new, old) && !Arc::ptr_eq(&new.spec, &old.spec) && new.spec == old.spec {
        Arc::make_mut(new).spec = old.spec.clone();
    }
}

stored!(Namespace, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.phase = "Active".into();
        self.conditions = Default::default();
        if !self.finalizers.iter().any(|finalizer| &**finalizer == NAMESPACE_CONTENT) {
            self.finalizers = self.finalizers.iter().cloned().chain([NAMESPACE_CONTENT.into()]).collect();
        }
        self.meta.labels = self.meta.labels.with(NAMESPACE_NAME_LABEL, &self.meta.name);
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.finalizers = old.finalizers.clone();
        self.phase = old.phase.clone();
        self.conditions = old.conditions.clone();
        self.meta.labels = self.meta.labels.with(NAMESPACE_NAME_LABEL, &self.meta.name);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { phase: request.phase.clone(), conditions: request.conditions.clone(), ..self.clone() })
    }
    fn finalized(&self, request: &Self) -> Option<Self> {
        Some(Self { finalizers: request.finalizers.clone(), ..self.clone() })
    }
    fn is_held(&self) -> bool {
        !self.finalizers.is_empty()
    }
});

stored!(Node, {
    fn prepare_for_create(&mut self, _now: WallTime) {}
    /// Admission plugin `TaintNodesByCondition`: no pods before the node lifecycle controller saw the node Ready.
    fn admit(&mut self, _server: &mut ApiServer) -> Result<(), ApiError> {
        let is_set = |taint: &Taint| &*taint.key == NOT_READY && &*taint.effect == "NoSchedule";
        if !self.spec.taints.iter().any(is_set) {
            let taint = Taint { key: NOT_READY.into(), effect: "NoSchedule".into(), ..Taint::default() };
            self.spec.taints = self.spec.taints.iter().cloned().chain([taint]).collect();
        }
        Ok(())
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
});

stored!(Pod, {
    fn prepare_for_create(&mut self, now: WallTime) {
        self.meta.generation = 1;
        self.status = PodStatus {
            phase: PodPhase::Pending,
            qos_class: Some(self.spec.qos_class),
            conditions: super::pod_admission::first_conditions(&self.spec, now),
            ..PodStatus::default()
        };
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        self.node_name = old.node_name.clone();
        let changed = self.spec != old.spec || self.pinned_to != old.pinned_to || self.own_hostname != old.own_hostname;
        count_generation(&mut self.meta, changed);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        let mut pod = Self { status: request.status.clone(), ..self.clone() };
        pod.status.qos_class = pod.status.qos_class.or(self.status.qos_class);
        pod.status.observed_generation = pod.status.observed_generation.or(self.status.observed_generation);
        Some(pod)
    }
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
        // A document has the host name in the spec, wherever it was before.
        if self.own_hostname != old.own_hostname
            && self.hostname() == old.hostname()
            && self.spec.with_hostname(self.hostname()) == old.spec.with_hostname(old.hostname())
        {
            self.spec = old.spec.clone();
            self.own_hostname = old.own_hostname.clone();
        }
    }
    fn grace(&self, requested: Option<i64>) -> Option<i64> {
        let immediate = !self.is_bound() || self.is_terminal();
        let seconds = requested.or(self.spec.termination_grace_period_seconds).unwrap_or(0);
        Some(if immediate { 0 } else { at_least_one_if_negative(seconds) })
    }
    fn admit(&mut self, server: &mut ApiServer) -> Result<(), ApiError> {
        server.admit_pod(self)
    }
});

stored!(ReplicaSet, spec_and_status, {
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
    }
    fn scaled(&self, replicas: i32) -> Option<Self> {
        let mut scaled = self.clone();
        scaled.spec.replicas = replicas;
        Some(scaled)
    }
});

stored!(ReplicationController, spec_and_status, {
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
    }
    fn scaled(&self, replicas: i32) -> Option<Self> {
        let mut scaled = self.clone();
        scaled.spec.replicas = replicas;
        Some(scaled)
    }
    /// As the first version of the API did, when nobody collected what was left.
    fn orphans_by_default(&self) -> bool {
        true
    }
});

stored!(Deployment, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
        self.status = Default::default();
    }
    /// Annotations count too, since they are copied to the ReplicaSets.
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        let changed = self.meta.annotations != old.meta.annotations || self.spec != old.spec;
        count_generation(&mut self.meta, changed);
    }
    /// The annotations come along: the controller writes the revision that way.
    fn with_status(&self, request: &Self) -> Option<Self> {
        let mut deployment = Self { status: request.status.clone(), ..self.clone() };
        deployment.meta.annotations = request.meta.annotations.clone();
        Some(deployment)
    }
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
    }
    fn scaled(&self, replicas: i32) -> Option<Self> {
        let mut scaled = self.clone();
        scaled.spec.replicas = replicas;
        Some(scaled)
    }
});

stored!(StatefulSet, spec_and_status, {
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
        if self.spec.volume_claim_templates == old.spec.volume_claim_templates {
            self.spec.volume_claim_templates = old.spec.volume_claim_templates.clone();
        }
    }
    fn scaled(&self, replicas: i32) -> Option<Self> {
        let mut scaled = self.clone();
        scaled.spec.replicas = replicas;
        Some(scaled)
    }
});

stored!(ControllerRevision, {
    fn prepare_for_create(&mut self, _now: WallTime) {}
    fn prepare_for_update(&mut self, _old: &Self) {}
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
    fn share_with(&mut self, old: &Self) {
        share(&mut self.data, &old.data);
    }
});

stored!(Job, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
        self.status = Default::default();
        self.complete();
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        count_generation(&mut self.meta, self.spec != old.spec);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
    }
    fn orphans_by_default(&self) -> bool {
        true
    }
});

stored!(CronJob, spec_and_status, {
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
    }
});

stored!(PodDisruptionBudget, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
        self.status = Default::default();
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        count_generation(&mut self.meta, self.spec != old.spec || self.selector != old.selector);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
    }
});

stored!(GatewayClass, spec_and_status beginning with GatewayClassStatus::pending(), {});

stored!(Gateway, spec_and_status beginning with GatewayStatus::pending(), {
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
    }
});

stored!(HTTPRoute, spec_and_status, {
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
    }
});

stored!(ReferenceGrant, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
    }
    fn prepare_for_update(&mut self, old: &Self) {
        count_generation(&mut self.meta, self.spec != old.spec);
    }
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
});

stored!(HorizontalPodAutoscaler, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.status = Default::default();
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
    fn share_with(&mut self, old: &Self) {
        share(&mut self.spec, &old.spec);
    }
});

stored!(DaemonSet, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
        self.status = Default::default();
        self.set_template_generation(self.template_generation().unwrap_or(0).max(1));
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = old.status.clone();
        let changed = i64::from(self.spec.template != old.spec.template);
        self.set_template_generation(old.template_generation().unwrap_or(0).saturating_add(changed));
        count_generation(&mut self.meta, self.spec != old.spec);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
    }
});

stored!(Service, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.status = ServiceStatus::default();
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.status = if self.spec.kind == *"LoadBalancer" { old.status.clone() } else { ServiceStatus::default() };
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        Some(Self { status: request.status.clone(), ..self.clone() })
    }
    fn admit(&mut self, server: &mut ApiServer) -> Result<(), ApiError> {
        server.services.allocate(self, None)
    }
    fn admit_update(&mut self, old: &Self, server: &mut ApiServer) -> Result<(), ApiError> {
        server.services.allocate(self, Some(old))
    }
    fn on_write(server: &mut ApiServer, old: Option<&Self>, new: Option<&Self>) {
        server.services.follow(old, new);
        // Endpoints go with their Service, so that none of them is taken for those of the next one of that name.
        if let (Some(gone), None) = (old, new)
            && let Some(endpoints) = server.view().endpoints.get(&gone.store_key()).cloned()
            && endpoints.meta.finalizers.is_empty()
        {
            server.remove(endpoints);
        }
    }
});

stored!(EndpointSlice, {
    fn prepare_for_create(&mut self, _now: WallTime) {
        self.meta.generation = 1;
    }
    fn prepare_for_update(&mut self, old: &Self) {
        let changed = self.endpoints != old.endpoints
            || self.ports != old.ports
            || self.address_type != old.address_type
            || self.meta.labels != old.meta.labels;
        count_generation(&mut self.meta, changed);
    }
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
});

stored!(Lease, {
    fn prepare_for_create(&mut self, _now: WallTime) {}
    fn prepare_for_update(&mut self, _old: &Self) {}
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
});

stored!(Event, {
    fn prepare_for_create(&mut self, _now: WallTime) {}
    fn prepare_for_update(&mut self, _old: &Self) {}
    fn with_status(&self, _request: &Self) -> Option<Self> {
        None
    }
});

impl Stored for OpaqueObject {
    const KIND: Kind = Kind::Opaque;
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
    fn wrap(object: Arc<Self>) -> Object {
        Object::Opaque(object)
    }
    fn find<'a>(view: &'a View, key: &Key) -> Option<&'a Arc<Self>> {
        view.opaque.get(key)
    }
    fn store_key(&self) -> Key {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        Key::new(self.meta.namespace.clone(), format!("{}{dot}{group}/{}", self.kind, self.meta.name))
    }
    fn prepare_for_create(&mut self, _now: WallTime) {
        if self.rest.contains_key("spec") {
            self.meta.generation = 1;
        }
    }
    fn prepare_for_update(&mut self, old: &Self) {
        self.set_status(old);
        let changed = self.meta.generation > 0 && self.rest.get("spec") != old.rest.get("spec");
        count_generation(&mut self.meta, changed);
    }
    fn with_status(&self, request: &Self) -> Option<Self> {
        let mut object = self.clone();
        object.set_status(request);
        Some(object)
    }
    fn on_write(server: &mut ApiServer, old: Option<&Self>, new: Option<&Self>) {
        server.pod_presets.follow(old, new);
        if old.or(new).is_some_and(priority::is_class) {
            server.forget_admitted();
        }
    }
}

trait OpaqueStatus {
    fn set_status(&mut self, from: &Self);
}

impl OpaqueStatus for OpaqueObject {
    fn set_status(&mut self, from: &Self) {
        match from.rest.get("status") {
            Some(status) => drop(self.rest.insert("status".into(), status.clone())),
            None => drop(self.rest.remove("status")),
        }
    }
}

/// The API takes a negative number of seconds for one second.
pub(super) const fn at_least_one_if_negative(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}
