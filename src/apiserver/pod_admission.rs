//! Admission of new pods: presets, limits, service account, priority, tolerations, RuntimeClass.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::{ApiError, EventKind, EventSpec, View};
use crate::objects::defaults::complete_spec_from_template;
use crate::objects::wire::WireMut;
use crate::objects::{
    Condition, ConditionList, ConditionStatus, DerivedSpecs, Kind, ObjectMeta, ObjectReference, Pod, PodSpec, Resource,
    WallTime, names,
};

use super::{ApiServer, errors, limit_ranger, priority, runtime_class};

/// Seconds that a pod stays on a node that is not ready or cannot be reached (`DefaultTolerationSeconds`).
const TOLERATION_SECONDS: i64 = 300;
const TOLERATED_TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// Admitted specs by namespace, since limits are those of one.
pub(super) type AdmittedSpecs = DerivedSpecs<Arc<str>, Admitted>;

#[derive(Clone, Debug)]
pub(super) struct Admitted {
    spec: Arc<PodSpec>,
    /// What LimitRanges filled in, as the annotation tells it.
    limits: Option<Arc<str>>,
}

/// The labels that components make of names may be too long, as with those of a StatefulSet of more than 52 characters.
fn check_labels(pod: &Pod) -> Result<(), ApiError> {
    let Some((_, long)) = pod.meta.labels.iter().find(|(_, value)| value.len() > names::LABEL_MAX) else {
        return Ok(());
    };
    let why = names::label_value(long).into_iter().next().unwrap_or_default();
    let detail = format!("Invalid value: {long:?}: {why}");
    Err(errors::invalid(Kind::Pod, &pod.key(), "metadata.labels", "FieldValueInvalid", detail))
}

enum Refusal {
    Forbidden(String),
    Malformed(String),
}

impl ApiServer {
    /// Forgets what specs were made into: a PriorityClass, RuntimeClass or LimitRange changed.
    pub(super) fn forget_admitted(&mut self) {
        self.admitted_specs.forget();
        self.repeated.forget();
    }

    pub(super) fn admit_pod(&mut self, pod: &mut Pod) -> Result<(), ApiError> {
        self.apply_presets(pod)?;
        let view = self.store.view();
        let admit = |namespace: &Arc<str>| admitted(view, namespace, &pod.spec);
        let admitted = self.admitted_specs.of(&pod.spec, pod.meta.namespace.clone(), admit);
        let admitted = admitted.map_err(|refusal| match refusal {
            Refusal::Forbidden(why) => errors::forbidden(Kind::Pod, &pod.key(), why),
            Refusal::Malformed(why) => errors::bad_request(why),
        })?;
        let merged = self.label_keys.merge(&admitted.spec, &pod.meta.labels);
        pod.spec = merged.map_err(|error| errors::bad_request(error.to_string()))?;
        // A document was given its class before.
        pod.status.qos_class = pod.status.qos_class.map(|_| pod.spec.qos_class);
        if let Some(limits) = &admitted.limits {
            pod.meta.annotations = pod.meta.annotations.with(limit_ranger::ANNOTATION, limits);
        }
        if pod.is_bound() {
            self.label_with_topology(pod);
        }
        check_labels(pod)
    }
}

impl ApiServer {
    /// Puts into a pod what PodPresets have for it. If they contradict it, they are left out and an Event is due.
    fn apply_presets(&mut self, pod: &mut Pod) -> Result<(), ApiError> {
        let injection = match self.pod_presets.inject(&pod.meta, pod.spec.wire()) {
            Ok(None) => return Ok(()),
            Ok(Some(injection)) => injection,
            Err(conflict) => {
                let about = ObjectReference::to(Kind::Pod, &pod.meta);
                let reason = "PodPresetConflict".into();
                self.due_events.push(EventSpec { about, kind: EventKind::Warning, reason, message: conflict.into() });
                return Ok(());
            }
        };
        let annotations = &mut pod.meta.annotations;
        *annotations = injection.annotations.iter().fold(annotations.clone(), |all, (key, value)| all.with(key, value));
        if injection.spec != *pod.spec.wire() {
            let spec = PodSpec::from_wire(injection.spec).map_err(|error| errors::bad_request(error.to_string()))?;
            pod.spec = Arc::new(spec);
        }
        Ok(())
    }

    /// The same for a document, before it is validated. Conflicts are left to be told when the pod is stored.
    pub(super) fn apply_presets_to_document(&self, meta: &ObjectMeta, document: &mut Value) -> bool {
        let Some(spec) = document.get("spec").and_then(Value::as_object) else { return false };
        let Ok(Some(injection)) = self.pod_presets.inject(meta, spec) else { return false };
        document.set("spec", injection.spec);
        if let Some(annotations) = document.ensure_object("metadata").and_then(|meta| meta.ensure_object("annotations"))
        {
            injection.annotations.iter().for_each(|(key, value)| annotations.set(key, value.as_str()));
        }
        true
    }

    /// Events that admission has to tell of, since the last call.
    pub fn drain_due_events(&mut self) -> Vec<EventSpec> {
        std::mem::take(&mut self.due_events)
    }
}

fn admitted(view: &View, namespace: &str, spec: &Arc<PodSpec>) -> Result<Admitted, Refusal> {
    let mut wire = spec.wire().clone();
    complete_spec_from_template(&mut wire);
    let limits = if limit_ranger::applies(view, namespace) {
        limit_ranger::admit_pod(view, namespace, &mut wire).map_err(Refusal::Forbidden)?
    } else {
        None
    };
    admit_wire(view, &mut wire).map_err(Refusal::Forbidden)?;
    let limits = limits.map(Arc::from);
    if wire == *spec.wire() {
        return Ok(Admitted { spec: spec.clone(), limits });
    }
    let admitted = PodSpec::from_wire(wire).map_err(|error| Refusal::Malformed(error.to_string()))?;
    Ok(Admitted { spec: Arc::new(admitted), limits })
}

/// Admits a spec in wire form. Twice is as once.
///
/// # Errors
/// Why the pod is forbidden.
pub(super) fn admit_wire(view: &View, spec: &mut Map<String, Value>) -> Result<(), String> {
    add_service_account(spec);
    priority::admit(view, spec)?;
    add_tolerations(spec);
    runtime_class::admit(view, spec)
}

/// The field and its old name say the same.
fn add_service_account(spec: &mut Map<String, Value>) {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = text("serviceAccountName").or_else(|| text("serviceAccount")).unwrap_or("default").to_owned();
    spec.insert("serviceAccount".into(), name.clone().into());
    spec.insert("serviceAccountName".into(), name.into());
}

fn add_tolerations(spec: &mut Map<String, Value>) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| Value::Array(Vec::new()));
    if tolerations.is_null() {
        *tolerations = Value::Array(Vec::new());
    }
    let Value::Array(tolerations) = tolerations else { return };
    for taint in TOLERATED_TAINTS {
        if !tolerations.iter().any(|toleration| bears(toleration, taint)) {
            tolerations.push(json!({
                "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS,
            }));
        }
    }
}

/// Whether the pod says something of its own about the taint.
fn bears(toleration: &Value, taint: &str) -> bool {
    let text = |key: &str| toleration.get(key).and_then(Value::as_str).unwrap_or("");
    (text("key") == taint || text("key").is_empty()) && (text("effect") == "NoExecute" || text("effect").is_empty())
}

/// Conditions of a new pod: that its gates hold scheduling back, if it has any.
pub(super) fn first_conditions(spec: &PodSpec, now: WallTime) -> ConditionList {
    if spec.scheduling_gates.is_empty() {
        return ConditionList::default();
    }
    let gated = Condition::new("PodScheduled", ConditionStatus::False, now.timestamp());
    vec![gated.because("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")].into()
}
