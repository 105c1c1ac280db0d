//! Names and ordinals of pods, and what a pod of a StatefulSet looks like (upstream `stateful_set_utils.go`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controllers::controller_ref::controller_reference;
use crate::controllers::history::POD_REVISION_LABEL;
use crate::objects::{
    DerivedSpecs, Kind, Labels, ObjectMeta, Pod, PodSpec, PodTemplate, SharedList, StatefulSet,
    StatefulSetUpdateStrategy, WireError,
};

use super::claims;

/// Label of a pod with its own name, by which a Service can select one (upstream `StatefulSetPodNameLabel`).
pub const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// Label of a pod with its ordinal (upstream `PodIndexLabel`).
pub const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

/// The name of the pod with that ordinal.
#[must_use]
pub fn pod_name(set: &StatefulSet, ordinal: i32) -> String {
    format!("{}-{ordinal}", set.meta.name)
}

/// The revision that a pod was made from; empty if it does not say.
#[must_use]
pub fn revision_of(pod: &Pod) -> &str {
    pod.meta.labels.get(POD_REVISION_LABEL).unwrap_or_default()
}

/// Whether name and labels of a pod are those of its ordinal.
pub(super) fn identity_matches(set: &StatefulSet, pod: &Pod, ordinal: i32) -> bool {
    *pod.meta.name == *pod_name(set, ordinal) && pod.meta.labels.get(POD_NAME_LABEL) == Some(&*pod.meta.name)
}

/// The labels of the pod with that ordinal, put on top of others.
pub(super) fn with_identity(labels: &Labels, name: &str, ordinal: i32) -> Labels {
    labels.with(POD_NAME_LABEL, name).with(POD_INDEX_LABEL, &ordinal.to_string())
}

/// Whether the volumes of a pod are its claims.
pub(super) fn storage_matches(set: &StatefulSet, pod: &Pod, ordinal: i32) -> bool {
    let volumes = pod.spec.wire().get("volumes").and_then(Value::as_array);
    let volumes = volumes.map(Vec::as_slice).unwrap_or_default();
    set.spec.volume_claim_templates.iter().all(|template| {
        // Of two of one name the last counts.
        let volume = volumes.iter().rfind(|volume| volume["name"] == *template.name);
        let claim = claims::name(&template.name, &set.meta.name, ordinal);
        volume.is_some_and(|volume| volume["persistentVolumeClaim"]["claimName"] == *claim)
    })
}

/// Volumes with the claims of a pod first, in place of those of the same names.
pub(super) fn volumes(set: &StatefulSet, current: Option<&Value>, ordinal: i32) -> Value {
    let templates = &set.spec.volume_claim_templates;
    let own = templates.iter().map(|template| {
        let claim = claims::name(&template.name, &set.meta.name, ordinal);
        json!({"name": &*template.name, "persistentVolumeClaim": {"claimName": claim}})
    });
    let current = current.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let others = current.iter().filter(|volume| templates.iter().all(|template| volume["name"] != *template.name));
    own.chain(others.cloned()).collect()
}

/// Whether a new pod is still of the current revision: it is below the partition, or, in an update whose bounds were
/// not given, among the first `status.currentReplicas` (upstream `newVersionedStatefulSetPod`).
pub(super) fn is_of_current_revision(set: &StatefulSet, ordinal: i32) -> bool {
    let index = i64::from(ordinal) - i64::from(set.spec.first_ordinal());
    match &set.spec.update_strategy {
        StatefulSetUpdateStrategy::OnDelete => false,
        StatefulSetUpdateStrategy::RollingUpdate(None) => index < i64::from(set.status.current_replicas),
        StatefulSetUpdateStrategy::RollingUpdate(Some(rolling)) => index < i64::from(rolling.partition),
    }
}

/// Specs of templates in the subdomain of a Service.
pub(super) type SpecsInSubdomain = DerivedSpecs<Arc<str>, Arc<PodSpec>>;

/// A pod as it is to be created (upstream `newStatefulSetPod`). Pods without claims of their own share their spec.
pub(super) fn new_pod(
    specs: &mut SpecsInSubdomain,
    set: &StatefulSet,
    template: &PodTemplate,
    revision: &str,
    ordinal: i32,
) -> Result<Pod, WireError> {
    let name = pod_name(set, ordinal);
    let mut spec =
        specs.of(&template.spec, set.spec.service_name.clone(), |service| in_subdomain(&template.spec, service))?;
    if !set.spec.volume_claim_templates.is_empty() {
        let mut wire = spec.wire().clone();
        let volumes = volumes(set, wire.get("volumes"), ordinal);
        wire.insert("volumes".into(), volumes);
        spec = Arc::new(PodSpec::from_wire(wire)?);
    }
    let meta = ObjectMeta {
        labels: with_identity(&template.labels, &name, ordinal).with(POD_REVISION_LABEL, revision),
        annotations: template.annotations.clone(),
        finalizers: template.finalizers.clone(),
        generate_name: format!("{}-", set.meta.name).into(),
        namespace: Arc::clone(&set.meta.namespace),
        owner_references: SharedList::from(vec![controller_reference(Kind::StatefulSet, &set.meta)]),
        name: name.as_str().into(),
        ..ObjectMeta::default()
    };
    Ok(Pod { meta, spec, own_hostname: name.into(), ..Pod::default() })
}

/// The spec in the subdomain of the Service, if there is one, and without a host name, for each pod has its own.
fn in_subdomain(spec: &Arc<PodSpec>, service: &str) -> Result<Arc<PodSpec>, WireError> {
    let mut wire = spec.wire().clone();
    wire.remove("hostname");
    wire.remove("subdomain");
    if !service.is_empty() {
        wire.insert("subdomain".into(), service.into());
    }
    Ok(if wire == *spec.wire() { Arc::clone(spec) } else { Arc::new(PodSpec::from_wire(wire)?) })
}
