//! Volumes of a pod: its containers wait until they are attached and mounted (upstream `pkg/kubelet/volumemanager`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::api::{EventKind, Part, PatchType, Request, View, attached_by, bound_volume, unique_name};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, Uid};

use super::driver::PodSync;
use super::worker::{Due, Mounts};

/// The attachable volumes that a kubelet says it uses, each with the pods that do (`status.volumesInUse`).
#[derive(Clone, Debug, Default)]
pub(super) struct InUse(BTreeMap<Arc<str>, BTreeSet<Uid>>);

impl InUse {
    /// The pod uses a volume; whether that is news.
    pub(super) fn add(&mut self, volume: &str, pod: &Uid) -> bool {
        let users = self.0.entry(volume.into()).or_default();
        users.insert(pod.clone());
        users.len() == 1
    }

    /// The pod uses nothing any more; whether that is news.
    pub(super) fn release(&mut self, pod: &Uid) -> bool {
        let before = self.0.len();
        self.0.retain(|_, users| {
            users.remove(pod);
            !users.is_empty()
        });
        self.0.len() != before
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What the node's status is to say.
    pub(super) fn report(&self, node: &Arc<str>) -> Request {
        let volumes: Vec<&str> = self.0.keys().map(|name| &**name).collect();
        Request::Patch {
            kind: Kind::Node,
            key: Key::new("", node.clone()),
            patch_type: PatchType::Merge,
            document: Arc::new(json!({"status": {"volumesInUse": volumes}})),
            part: Part::Status,
        }
    }
}

/// What keeps a pod from its volumes.
enum Obstacle {
    /// A claim is not there or not bound: name of the volume, and why.
    Claim(Arc<str>, String),
    /// A volume is not attached yet.
    Attachment,
}

fn obstacle(view: &View, pod: &crate::objects::Pod, node: &str) -> Option<Obstacle> {
    for volume in &pod.spec.volumes {
        let Some(key) = pod.claim_of(volume) else { continue };
        let Some(claim) = view.persistent_volume_claims.get(&key) else {
            let why = format!("error fetching PVC from API server: persistentvolumeclaims {:?} not found", key.name);
            return Some(Obstacle::Claim(volume.name.clone(), format!("error processing PVC {key}: {why}")));
        };
        let Some(bound) = bound_volume(view, &key).filter(|_| claim.is_bound()) else {
            return Some(Obstacle::Claim(volume.name.clone(), format!("error processing PVC {key}: PVC is not bound")));
        };
        let mut attachments = view.attachments_of(&bound.meta.name);
        let is_attached = attachments.any(|a| *a.spec.node_name == *node && a.status.attached && !a.meta.is_deleting());
        if attached_by(view, bound).is_some() && !is_attached {
            return Some(Obstacle::Attachment);
        }
    }
    None
}

impl PodSync<'_, '_> {
    /// The pod's volumes first, if it has claims; then its containers.
    pub(super) fn set_up_volumes(&mut self, ordinal: u64) {
        if self
            .worker
            .spec
            .volumes
            .iter()
            .all(|volume| volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none())
        {
            self.worker.mounts = Mounts::Ready;
            return self.advance(Some(ordinal));
        }
        self.worker.mounts = Mounts::Waiting { ordinal, told: false };
        self.look_for_volumes();
    }

    /// Something happened to the volumes of the pod.
    pub(super) fn look_for_volumes(&mut self) {
        let Mounts::Waiting { ordinal, told } = self.worker.mounts else { return };
        if self.worker.is_ending() {
            return;
        }
        let view = self.cx.view;
        let Some(pod) = self.object().cloned() else { return };
        let pod = &pod;
        self.say_what_is_used(pod);
        match obstacle(view, pod, &self.node.name) {
            Some(Obstacle::Claim(volume, why)) if !told => {
                self.worker.mounts = Mounts::Waiting { ordinal, told: true };
                let message = format!(
                    "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], failed to process \
                     volumes=[{volume}]: {why}"
                );
                self.pod_event(EventKind::Warning, "FailedMount", message);
            }
            Some(_) => {}
            None => {
                self.worker.mounts = Mounts::Mounting { ordinal };
                let mut volumes = pod.claims().filter_map(|claim| bound_volume(view, &claim));
                let has_disks = volumes.any(|volume| attached_by(view, volume).is_some());
                let delay = if has_disks { self.cx.mounting_takes } else { SimDuration::ZERO };
                if delay.is_zero() { self.volumes_are_mounted() } else { self.schedule_for(delay, 0, 0, Due::Mounted) }
            }
        }
    }

    /// Names the volumes that are to be attached in the node's status, so that they stay attached.
    fn say_what_is_used(&mut self, pod: &crate::objects::Pod) {
        let view = self.cx.view;
        let volumes = pod.claims().filter_map(|claim| bound_volume(view, &claim));
        let mut is_news = false;
        for volume in volumes.filter(|volume| attached_by(view, volume).is_some()) {
            is_news |= self.in_use.add(&unique_name(volume), self.uid);
        }
        if is_news {
            self.cx.effects.requests.push(self.in_use.report(&self.node.name));
        }
    }

    pub(super) fn volumes_are_mounted(&mut self) {
        let Mounts::Mounting { ordinal } = self.worker.mounts else { return };
        self.worker.mounts = Mounts::Ready;
        if !self.worker.is_ending() {
            self.advance(Some(ordinal));
        }
    }

    /// The container has started: it finds its data, or writes it.
    pub(super) fn open_data(&mut self, at: usize) {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let Some(writes) = &behaviour.writes else { return };
        let view = self.cx.view;
        if let Some(pod) = &self.object().cloned() {
            self.cx.disks.open(view, pod, &writes.volume, writes.token.as_ref(), self.cx.now);
        }
    }
}
