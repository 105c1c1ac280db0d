//! Pods that keep their machine from being taken away (upstream `simulator/drainability/rules`).

use crate::api::View;
use crate::objects::{Key, Kind, Pod};

use super::{AutoscalerOptions, is_daemon, is_mirror};

const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";
const SAFE_VOLUMES: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
const SYSTEM_NAMESPACE: &str = "kube-system";

/// Why a pod keeps its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Its annotation `cluster-autoscaler.kubernetes.io/safe-to-evict` is `"false"`.
    NotSafeToEvict,
    /// Nothing would replace it.
    NotReplicated,
    /// It belongs to the system and has no PodDisruptionBudget.
    UnmovableKubeSystemPod,
    /// It keeps something on the machine's own disk.
    LocalStorageRequested,
    /// Its PodDisruptionBudget allows no disruption now.
    NotEnoughPdb,
}

/// What becomes of a pod when its machine goes.
pub(super) enum Fate {
    /// It ends with the machine, and nobody minds: it has ended, or is made for the machine.
    Stays,
    /// It has to find another place.
    Moves,
    Blocks,
}

/// Why a pod keeps its machine; nothing if it does not.
///
/// ```
/// use seatrial::autoscaler::{AutoscalerOptions, Blocker, blocker};
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: alone}, spec: {containers: [{name: c, image: i}]}}")?;
/// let pod = sim.view().pods.iter().next().expect("the pod");
/// assert_eq!(blocker(&AutoscalerOptions::default(), sim.view(), pod), Some(Blocker::NotReplicated));
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn blocker(options: &AutoscalerOptions, view: &View, pod: &Pod) -> Option<Blocker> {
    if is_mirror(pod) || is_daemon(pod) || pod.is_terminal() || pod.meta.is_deleting() {
        return None;
    }
    let budgets = || view.pod_disruption_budgets.in_namespace(&pod.meta.namespace).filter(|budget| budget.covers(pod));
    let safe = pod.meta.annotations.get(SAFE_TO_EVICT);
    if safe != Some("true") {
        if safe == Some("false") {
            return Some(Blocker::NotSafeToEvict);
        }
        if !is_replicated(view, pod) {
            return Some(Blocker::NotReplicated);
        }
        let is_system = options.skip_nodes_with_system_pods && *pod.meta.namespace == *SYSTEM_NAMESPACE;
        if is_system && budgets().next().is_none() {
            return Some(Blocker::UnmovableKubeSystemPod);
        }
        if options.skip_nodes_with_local_storage && has_local_storage(pod) {
            return Some(Blocker::LocalStorageRequested);
        }
    }
    budgets().any(|budget| budget.status.disruptions_allowed < 1).then_some(Blocker::NotEnoughPdb)
}

pub(super) fn fate(options: &AutoscalerOptions, view: &View, pod: &Pod) -> Fate {
    if is_mirror(pod) || is_daemon(pod) || pod.is_terminal() || pod.meta.is_deleting() {
        Fate::Stays
    } else if blocker(options, view, pod).is_some() {
        Fate::Blocks
    } else {
        Fate::Moves
    }
}

/// Whether there is somebody who makes the pod anew.
fn is_replicated(view: &View, pod: &Pod) -> bool {
    let Some(owner) = pod.meta.controller() else { return false };
    let makers = [Kind::ReplicaSet, Kind::ReplicationController, Kind::StatefulSet, Kind::Job];
    match Kind::of(&owner.api_version, &owner.kind) {
        Some(kind) if makers.contains(&kind) => {
            let maker = view.object(kind, &Key::new(pod.meta.namespace.clone(), owner.name.clone()));
            maker.is_some_and(|maker| maker.meta().uid == owner.uid)
        }
        // Controllers of other kinds are taken at their word.
        kind => kind.is_none(),
    }
}

/// Whether the pod has a volume on the machine's disk that it does not declare dispensable.
fn has_local_storage(pod: &Pod) -> bool {
    let safe = pod.meta.annotations.get(SAFE_VOLUMES).unwrap_or("");
    let is_safe = |name: &str| safe.split(',').any(|safe| safe.trim() == name);
    let in_memory = |volume: &crate::objects::Volume| {
        volume.empty_dir.as_ref().is_some_and(|dir| dir.get("medium").is_some_and(|medium| medium == "Memory"))
    };
    let empty_dirs = pod.spec.volumes.iter().filter(|volume| volume.empty_dir.is_some() && !in_memory(volume));
    if empty_dirs.into_iter().any(|volume| !is_safe(&volume.name)) {
        return true;
    }
    let volumes = pod.spec.wire().get("volumes").and_then(serde_json::Value::as_array);
    volumes.into_iter().flatten().any(|volume| {
        let name = volume.get("name").and_then(serde_json::Value::as_str).unwrap_or("");
        volume.get("hostPath").is_some_and(|path| !path.is_null()) && !is_safe(name)
    })
}
