//! The scale of a target (the subresource `/scale`).

use std::sync::Arc;

use crate::api::{ApiError, View};
use crate::objects::{HorizontalPodAutoscaler, Key, Kind, Object, schema};

/// What `/scale` says of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Kind of the workload.
    pub kind: Kind,
    /// Its key.
    pub key: Key,
    /// Replicas that it asks for.
    pub spec_replicas: i32,
    /// Replicas that it has.
    pub status_replicas: i32,
    /// Which pods are its own, as text.
    pub selector: Arc<str>,
}

/// Why there is no scale, in the words of whoever says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// The API version of the target is none.
    #[error("{0}")]
    ApiVersion(String),
    /// There is no such kind.
    #[error("{0}")]
    NoSuchKind(String),
    /// The API server does not give it.
    #[error("{0}")]
    Query(String),
}

/// What the API server says of a subresource that a kind does not have.
const NO_SUCH_RESOURCE: &str = "the server could not find the requested resource";

/// The scale of an autoscaler's target.
///
/// # Errors
/// If the reference is malformed, or there is no such workload, or none that can be scaled.
pub fn scale_of(view: &View, autoscaler: &HorizontalPodAutoscaler) -> Result<Scale, ScaleError> {
    let target = &autoscaler.spec.scale_target_ref;
    let group = match target.api_version.split('/').collect::<Vec<_>>()[..] {
        [_] => "",
        [group, _] => group,
        _ => {
            let why = format!("unexpected GroupVersion string: {}", target.api_version);
            return Err(ScaleError::ApiVersion(why));
        }
    };
    let known = Kind::ALL.iter().copied().find(|kind| kind.as_str() == &*target.kind && kind.group() == group);
    let Some(kind) = known.filter(|kind| is_scalable(*kind)) else {
        return Err(if known.is_some() || is_served(view, &target.kind, group) {
            ScaleError::Query(NO_SUCH_RESOURCE.to_owned())
        } else {
            ScaleError::NoSuchKind(format!("no matches for kind {:?} in group {group:?}", &*target.kind))
        });
    };
    let key = Key::new(autoscaler.meta.namespace.clone(), target.name.clone());
    let object = view.object(kind, &key).ok_or_else(|| ScaleError::Query(ApiError::not_found(kind, &key).message))?;
    Scale::of(&object).ok_or_else(|| ScaleError::Query(NO_SUCH_RESOURCE.to_owned()))
}

const fn is_scalable(kind: Kind) -> bool {
    matches!(kind, Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::ReplicationController)
}

/// Whether there is such a kind, although it is not simulated.
fn is_served(view: &View, kind: &str, group: &str) -> bool {
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let qualified = Kind::qualified(kind, group);
    let is_of_kind = |key: &Key| key.name.split_once('/').is_some_and(|(of, _)| of == qualified);
    schema::lookup(&version, kind).is_some() || view.opaque.keys().any(is_of_kind)
}

impl Scale {
    /// The scale of a workload, if its kind has one.
    #[must_use]
    pub fn of(object: &Object) -> Option<Self> {
        let (selector, status_replicas) = match object {
            Object::Deployment(deployment) => (&deployment.spec.selector, deployment.status.replicas),
            Object::ReplicaSet(set) => (&set.spec.selector, set.status.replicas),
            Object::StatefulSet(set) => (&set.spec.selector, set.status.replicas),
            Object::ReplicationController(controller) => (&controller.spec.selector, controller.status.replicas),
            _ => return None,
        };
        let (kind, spec_replicas) = (object.kind(), object.replicas()?);
        let selector = selector.compiled.to_string().into();
        Some(Self { kind, key: object.key(), spec_replicas, status_replicas, selector })
    }
}
