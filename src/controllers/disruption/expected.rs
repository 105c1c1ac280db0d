//! How many pods there should be, and how many of them healthy.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::View;
use crate::objects::{IntOrPercent, Key, Kind, Object, OwnerReference, Pod, PodDisruptionBudget, Rounding, Uid};

/// What a budget counts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// Pods that there should be.
    pub(super) pods: i32,
    /// Healthy ones that there must be.
    pub(super) desired_healthy: i32,
    /// Whether pods without a controller were found where the sum of the controllers' scales counts.
    pub(super) unmanaged: bool,
}

/// Upstream `getExpectedPodCount`.
///
/// # Errors
/// Why it cannot be told, in upstream's words.
pub(super) fn expected_pods(view: &View, budget: &PodDisruptionBudget, pods: &[&Arc<Pod>]) -> Result<Expected, String> {
    let scaled = |bound: &IntOrPercent, total: i32| bound.scaled_value(total, Rounding::Up).map_err(|e| e.to_string());
    match (&budget.spec.max_unavailable, &budget.spec.min_available) {
        (Some(max_unavailable), _) => {
            let (total, unmanaged) = sum_of_scales(view, pods)?;
            let desired_healthy = total.saturating_sub(scaled(max_unavailable, total)?).max(0);
            Ok(Expected { pods: total, desired_healthy, unmanaged })
        }
        (None, Some(IntOrPercent::Int(min_available))) => {
            let pods = i32::try_from(pods.len()).unwrap_or(i32::MAX);
            Ok(Expected { pods, desired_healthy: *min_available, unmanaged: false })
        }
        (None, Some(percent)) => {
            let (total, unmanaged) = sum_of_scales(view, pods)?;
            Ok(Expected { pods: total, desired_healthy: scaled(percent, total)?, unmanaged })
        }
        (None, None) => Ok(Expected::default()),
    }
}

/// The sum over the distinct controllers of the pods, and whether some pods have none.
fn sum_of_scales(view: &View, pods: &[&Arc<Pod>]) -> Result<(i32, bool), String> {
    let (mut total, mut unmanaged) = (0i32, false);
    let mut counted: FxHashMap<Uid, ()> = FxHashMap::default();
    // Pods of one ReplicaSet lead to one Deployment: looked up once.
    let mut known: FxHashMap<Uid, ()> = FxHashMap::default();
    for pod in pods {
        let Some(owner) = pod.meta.controller() else {
            unmanaged = true;
            continue;
        };
        if known.insert(owner.uid.clone(), ()).is_some() {
            continue;
        }
        let found = scale_of(view, &pod.meta.namespace, owner)?;
        let (uid, scale) = found.ok_or_else(|| format!("found no controllers for pod {:?}", &*pod.meta.name))?;
        if counted.insert(uid, ()).is_none() {
            total = total.saturating_add(scale);
        }
    }
    Ok((total, unmanaged))
}

/// The controller that decides about the number of pods, and that number: of a ReplicaSet of a Deployment, the Deployment's.
fn scale_of(view: &View, namespace: &Arc<str>, owner: &OwnerReference) -> Result<Option<(Uid, i32)>, String> {
    let found = referent(view, namespace, owner)?;
    if let Some(Object::ReplicaSet(set)) = &found
        && let Some(above) = set.meta.controller()
        && &*above.kind == "Deployment"
    {
        let deployment = view.deployments.get(&Key::new(namespace.clone(), above.name.clone()));
        if let Some(deployment) = deployment.filter(|deployment| deployment.meta.uid == above.uid) {
            return Ok(Some((deployment.meta.uid.clone(), deployment.spec.replicas)));
        }
    }
    match found {
        Some(object) => match object.replicas() {
            Some(replicas) => Ok(Some((object.meta().uid.clone(), replicas))),
            None => Err(format!("{} does not implement the scale subresource", resource_of(&object))),
        },
        None => Ok(None),
    }
}

/// The object that a reference is about, if it is still there.
fn referent(view: &View, namespace: &Arc<str>, owner: &OwnerReference) -> Result<Option<Object>, String> {
    let found = match Kind::of(&owner.api_version, &owner.kind) {
        Some(kind) => {
            let namespace = if kind.is_namespaced() { namespace.clone() } else { "".into() };
            view.object(kind, &Key::new(namespace, owner.name.clone()))
        }
        None => {
            let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
            let dot = if group.is_empty() { "" } else { "." };
            let name = format!("{}{dot}{group}/{}", owner.kind, owner.name);
            let found = view.object(Kind::Opaque, &Key::new(namespace.clone(), name));
            // Which kinds there are besides is known by their objects only.
            let unknown = || format!("no matches for kind {:?} in version {:?}", &*owner.kind, &*owner.api_version);
            Some(found.ok_or_else(unknown)?)
        }
    };
    Ok(found.filter(|object| object.meta().uid == owner.uid))
}

fn resource_of(object: &Object) -> String {
    match object.kind() {
        Kind::Opaque => format!("{}s", object.kind_name().to_ascii_lowercase()),
        kind => kind.resource(),
    }
}
