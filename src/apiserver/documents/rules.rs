//! The rules of the kinds, which `objects` has: defaults, strategies, validation.

use serde_json::Value;

use crate::api::{ApiError, Part};
use crate::apiserver::errors;
use crate::objects::defaults::{self, Creation, Subresource};
use crate::objects::validation::{self, FeatureGates, FieldError};
use crate::objects::{Kind, Uid, WallTime};

use super::{Header, text_of};

/// Cluster-scoped kinds without rules of their own.
const CLUSTER_SCOPED: [&str; 8] = [
    "APIService",
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
];

pub(super) fn is_namespaced(header: &Header) -> bool {
    // A kind that is defined elsewhere may have the name of one of Kubernetes.
    let kind = &*header.kind_name;
    !header.is_of_kubernetes() || validation::is_namespaced(kind) && !CLUSTER_SCOPED.contains(&kind)
}

/// Defaults.
pub(super) fn complete(header: &Header, document: &mut Value) {
    defaults::apply(&header.kind_name, &header.api_version, document);
}

/// What the strategy of the kind does, and what is completed when the object is read back.
pub(super) fn prepare_for_create(header: &Header, document: &mut Value, now: WallTime, uid: &Uid, has_labels: bool) {
    let (now, uid) = (now.timestamp().to_string(), uid.to_string());
    defaults::prepare_for_create(header.ruled_as(), document, &Creation { now: &now, uid: &uid, has_labels });
    if header.kind == Kind::Job {
        complete(header, document);
    }
}

pub(super) fn prepare_for_update(header: &Header, new: &mut Value, old: &Value, part: Part) {
    defaults::prepare_for_update(header.ruled_as(), new, old, subresource(part));
}

pub(super) fn validate_create(gates: FeatureGates, header: &Header, document: &Value) -> Result<(), ApiError> {
    refuse(header, document, validation::validate_create_under(gates, header.ruled_as(), document))
}

pub(super) fn validate_update(
    gates: FeatureGates,
    header: &Header,
    new: &Value,
    old: &Value,
    part: Part,
) -> Result<(), ApiError> {
    let faults = validation::validate_update_under(gates, header.ruled_as(), new, old, subresource(part));
    refuse(header, new, faults)
}

const fn subresource(part: Part) -> Subresource {
    match part {
        Part::Main | Part::Finalize => Subresource::None,
        Part::Status => Subresource::Status,
        Part::EphemeralContainers => Subresource::EphemeralContainers,
    }
}

fn refuse(header: &Header, document: &Value, faults: Vec<FieldError>) -> Result<(), ApiError> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(errors::invalid_fields(&header.qualified_kind(), text_of(document, "name"), faults))
}
