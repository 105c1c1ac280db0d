//! Volumes between the choice of a node and the binding of the pod: what the scheduler wrote and does not see yet, and
//! what it waits for (upstream `volumebinding/assume_cache.go` and `binder.go`).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, Request, View};
use crate::kernel::SimDuration;
use crate::objects::storage::{BIND_COMPLETED, SELECTED_NODE};
use crate::objects::{Key, Object, PersistentVolume, PersistentVolumeClaim, Pod, Resource, WallTime};

/// Time between two looks at claims that are to be bound.
pub(super) const POLL_INTERVAL: SimDuration = SimDuration::from_secs(1);
/// How long claims may take to be bound (upstream `VolumeBindingArgs.bindTimeoutSeconds`).
pub(super) const BIND_TIMEOUT: SimDuration = SimDuration::from_secs(600);

/// Volumes and claims as they will be once the scheduler's writes are there.
#[derive(Clone, Debug, Default)]
pub(super) struct AssumedVolumes {
    volumes: FxHashMap<Key, Arc<PersistentVolume>>,
    claims: FxHashMap<Key, Arc<PersistentVolumeClaim>>,
}

impl AssumedVolumes {
    /// The volume, as far as is known.
    pub(super) fn volume<'a>(&'a self, view: &'a View, key: &Key) -> Option<&'a Arc<PersistentVolume>> {
        let seen = view.persistent_volumes.get(key)?;
        Some(self.volumes.get(key).filter(|assumed| assumed.meta.uid == seen.meta.uid).unwrap_or(seen))
    }

    /// The claim, as far as is known.
    pub(super) fn claim<'a>(&'a self, view: &'a View, key: &Key) -> Option<&'a Arc<PersistentVolumeClaim>> {
        let seen = view.persistent_volume_claims.get(key)?;
        Some(self.claims.get(key).filter(|assumed| assumed.meta.uid == seen.meta.uid).unwrap_or(seen))
    }

    /// Takes writes for done.
    pub(super) fn assume(&mut self, writes: &[Request]) {
        for request in writes {
            match request {
                Request::Update(Object::PersistentVolume(volume), _) => {
                    self.volumes.insert(volume.key(), volume.clone());
                }
                Request::Update(Object::PersistentVolumeClaim(claim), _) => {
                    self.claims.insert(claim.key(), claim.clone());
                }
                _ => {}
            }
        }
    }

    /// The writes came to nothing.
    pub(super) fn forget(&mut self, awaited: &Awaited) {
        awaited.volumes.iter().for_each(|key| drop(self.volumes.remove(key)));
        awaited.provisioned.iter().for_each(|key| drop(self.claims.remove(key)));
    }

    /// The informer shows something newer.
    pub(super) fn follow(&mut self, change: &Change) {
        let key = change.object.key();
        match change.object {
            Object::PersistentVolume(_) => drop(self.volumes.remove(&key)),
            Object::PersistentVolumeClaim(_) => drop(self.claims.remove(&key)),
            _ => {}
        }
    }
}

/// What must be bound before a pod is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Awaited {
    /// Volumes that were given to claims.
    volumes: Vec<Key>,
    /// Claims whose volumes are to be made.
    provisioned: Vec<Key>,
}

impl Awaited {
    /// What these writes set going.
    pub(super) fn of(writes: &[Request]) -> Self {
        let mut awaited = Self::default();
        for request in writes {
            match request {
                Request::Update(Object::PersistentVolume(volume), _) => awaited.volumes.push(volume.key()),
                Request::Update(Object::PersistentVolumeClaim(claim), _) => awaited.provisioned.push(claim.key()),
                _ => {}
            }
        }
        awaited
    }

    /// Whether everything is bound (upstream `checkBindings`).
    ///
    /// # Errors
    /// Why it never will be.
    pub(super) fn is_bound(&self, view: &View, pod: &Pod, node: &str) -> Result<bool, String> {
        let Some(node) = view.nodes.get(&Key::new("", node)) else {
            return Err(format!("failed to get node {node:?}: node {node:?} not found"));
        };
        if view.pods.get(&pod.key()).is_none() {
            return Err(format!("pod does not exist any more: pod {:?} not found", pod.meta.name));
        }
        let mut all = true;
        for key in &self.volumes {
            let Some(volume) = view.persistent_volumes.get(key) else {
                return Err(format!("failed to check binding: could not find v1.PersistentVolume {:?}", key.name));
            };
            check_reach(volume, &node.meta.labels, &node.meta.name)?;
            let Some(claim) = volume.claim().filter(|_| has_uid(volume)) else {
                return Err(format!("ClaimRef got reset for pv {:?}", key.name));
            };
            all &= view.persistent_volume_claims.get(&claim).is_some_and(|claim| is_fully_bound(claim));
        }
        for key in &self.provisioned {
            let Some(claim) = view.persistent_volume_claims.get(key) else {
                return Err(format!(
                    "failed to check provisioning pvc: could not find v1.PersistentVolumeClaim \"{key}\""
                ));
            };
            if claim.meta.annotations.get(SELECTED_NODE) != Some(&*node.meta.name) {
                return Err(format!("provisioning failed for PVC {:?}", key.name));
            }
            if let Some(volume) = view.persistent_volumes.get(&Key::new("", &*claim.spec.volume_name)) {
                check_reach(volume, &node.meta.labels, &node.meta.name)?;
            }
            all &= is_fully_bound(claim);
        }
        Ok(all)
    }
}

fn has_uid(volume: &PersistentVolume) -> bool {
    volume.spec.claim_ref.as_ref().is_some_and(|claim| !claim.uid.is_none())
}

fn check_reach(volume: &PersistentVolume, labels: &crate::objects::Labels, node: &str) -> Result<(), String> {
    if volume.is_reachable_from(labels) {
        return Ok(());
    }
    let name = &volume.meta.name;
    Err(format!("pv {name:?} node affinity doesn't match node {node:?}: no matching NodeSelectorTerms"))
}

/// Whether the binder is done with the claim.
pub(super) fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    !claim.spec.volume_name.is_empty() && claim.meta.annotations.contains_key(BIND_COMPLETED)
}

/// A pod that has a node and waits until its claims are bound.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) awaited: Awaited,
    /// The next look.
    pub(super) due: WallTime,
    /// When it is given up.
    pub(super) until: WallTime,
}

impl Wait {
    pub(super) fn new(awaited: Awaited, now: WallTime) -> Self {
        Self { awaited, due: after(now, POLL_INTERVAL), until: after(now, BIND_TIMEOUT) }
    }
}

pub(super) fn after(now: WallTime, delay: SimDuration) -> WallTime {
    now.plus_nanos(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX))
}
