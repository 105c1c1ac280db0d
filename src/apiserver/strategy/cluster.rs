//! Strategies of namespaces, nodes, pods, leases and Events (`pkg/registry/core`, `pkg/registry/coordination`).

use crate::api::ApiError;
use crate::apiserver::ApiServer;
use crate::apiserver::pod_admission::first_conditions;
use crate::objects::{Event, Lease, Namespace, Node, Pod, PodPhase, PodStatus, Taint, WallTime};

use super::{at_least_one_if_negative, share, stored};

/// Label of a namespace with its own name.
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Finalizer of the content of a namespace.
const NAMESPACE_CONTENT: &str = "kubernetes";
/// Taint of a node that has just joined.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

stored!(Namespace, [], {
    const HAS_STATUS: bool = true;
    fn take_status(&mut self, from: &Self) {
        self.phase = from.phase.clone();
        self.conditions = from.conditions.clone();
    }
    fn complete_new(&mut self, _now: WallTime) {
        self.phase = "Active".into();
        self.conditions = Default::default();
        if !self.finalizers.iter().any(|finalizer| &**finalizer == NAMESPACE_CONTENT) {
            self.finalizers = self.finalizers.iter().cloned().chain([NAMESPACE_CONTENT.into()]).collect();
        }
        self.meta.labels = self.meta.labels.with(NAMESPACE_NAME_LABEL, &self.meta.name);
    }
    fn complete_changed(&mut self, old: &Self) {
        self.finalizers = old.finalizers.clone();
        self.meta.labels = self.meta.labels.with(NAMESPACE_NAME_LABEL, &self.meta.name);
    }
    fn finalized(&self, request: &Self) -> Option<Self> {
        Some(Self { finalizers: request.finalizers.clone(), ..self.clone() })
    }
    fn is_held(&self) -> bool {
        !self.finalizers.is_empty()
    }
});

stored!(Node, [], {
    const HAS_STATUS: bool = true;
    /// A node that joins brings its status along.
    fn take_status(&mut self, from: &Self) {
        self.status = from.status.clone();
    }
    /// Admission plugin `TaintNodesByCondition`: no pods before the node lifecycle controller saw the node Ready.
    fn admit(&mut self, _server: &mut ApiServer) -> Result<(), ApiError> {
        let is_set = |taint: &Taint| &*taint.key == NOT_READY && &*taint.effect == "NoSchedule";
        if !self.spec.taints.iter().any(is_set) {
            let taint = Taint { key: NOT_READY.into(), effect: "NoSchedule".into(), ..Taint::default() };
            self.spec.taints = self.spec.taints.iter().cloned().chain([taint]).collect();
        }
        Ok(())
    }
});

stored!(Pod, [status, generation], {
    fn complete_new(&mut self, now: WallTime) {
        self.status = PodStatus {
            phase: PodPhase::Pending,
            qos_class: Some(self.spec.qos_class),
            conditions: first_conditions(&self.spec, now),
            ..PodStatus::default()
        };
    }
    fn complete_changed(&mut self, old: &Self) {
        self.node_name = old.node_name.clone();
    }
    fn is_new_generation(&self, old: &Self) -> bool {
        self.spec != old.spec || self.pinned_to != old.pinned_to || self.own_hostname != old.own_hostname
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

stored!(Lease, []);
stored!(Event, []);
