//! Makes volumes for claims, and deletes them when they are released.

use std::sync::Arc;

use serde_json::{Map, json};

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, EventKind, EventSpec, KindSet, MetaPatch, Reconciler, Request,
    Response, Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::storage::{
    PROVISIONED_BY, PROVISIONER_FINALIZER, ReclaimPolicy, SELECTED_NODE, STORAGE_PROVISIONER, volume_phase,
};
use crate::objects::{
    Key, Kind, Labels, Object, ObjectMeta, ObjectReference, PersistentVolume, PersistentVolumeClaim,
    PersistentVolumeSpec, Resource, StorageClass, Text, VolumeAttachment, WallTime,
};

use super::{Jobs, Progress, topology};

/// Stands for the provisioners of all drivers. Keys with a namespace are claims, others volumes.
#[derive(Clone, Debug)]
pub struct CsiProvisioner {
    provisioning_takes: SimDuration,
    deleting_takes: SimDuration,
    jobs: Jobs,
}

impl CsiProvisioner {
    /// Provisioners that take that long.
    #[must_use]
    pub fn new(provisioning_takes: SimDuration, deleting_takes: SimDuration) -> Self {
        Self { provisioning_takes, deleting_takes, jobs: Jobs::default() }
    }

    fn provision(&mut self, cx: Context<'_>, claim: &Arc<PersistentVolumeClaim>) -> Step<()> {
        let view = cx.view;
        let Some(class) = view.storage_classes.get(&Key::new("", claim.class())).filter(|class| is_due(claim, class))
        else {
            self.jobs.forget(&claim.meta.uid);
            return Step::done();
        };
        let selected = claim.meta.annotations.get(SELECTED_NODE);
        let node = selected.map(|node| (node, view.nodes.get(&Key::new("", node))));
        if let Some((name, None)) = node {
            return give_back(claim, name);
        }
        match self.jobs.progress(&claim.meta.uid, self.provisioning_takes, cx.now) {
            Progress::Begun(takes) => {
                let message = format!("External provisioner is provisioning volume for claim \"{}\"", claim.key());
                let begun = event(&claim.clone().into(), EventKind::Normal, "Provisioning", message);
                Step::last(vec![begun]).requeue_after(takes)
            }
            Progress::Running(left) => Step::done().requeue_after(left),
            Progress::Done => {
                let zone = topology::zone(view, claim, class, node.and_then(|(_, node)| node).map(|node| &**node));
                let volume = volume(claim, class, zone);
                let message = format!("Successfully provisioned volume {}", volume.meta.name);
                let made = event(&claim.clone().into(), EventKind::Normal, "ProvisioningSucceeded", message);
                Step::last(vec![Request::Create(volume.into()), made])
            }
        }
    }

    fn delete(&mut self, cx: Context<'_>, volume: &Arc<PersistentVolume>) -> Step<()> {
        if !is_to_be_deleted(volume) || cx.view.attachments_of(&volume.meta.name).next().is_some() {
            self.jobs.forget(&volume.meta.uid);
            return Step::done();
        }
        match self.jobs.progress(&volume.meta.uid, self.deleting_takes, cx.now) {
            Progress::Begun(wait) | Progress::Running(wait) => Step::done().requeue_after(wait),
            Progress::Done => {
                let (key, uid) = (volume.key(), volume.meta.uid.clone());
                let patch = MetaPatch { remove_finalizers: vec![PROVISIONER_FINALIZER.into()], ..MetaPatch::default() };
                let kind = Kind::PersistentVolume;
                let mut requests = Vec::new();
                if !volume.meta.is_deleting() {
                    let options = DeleteOptions::of_uid(uid.clone());
                    requests.push(Request::Delete { kind, key: key.clone(), options });
                }
                if volume.meta.has_finalizer(PROVISIONER_FINALIZER) {
                    requests.push(Request::PatchMeta { kind, key, uid, patch });
                }
                Step::last(requests)
            }
        }
    }
}

/// Whether the provisioner was asked and the claim's place is known.
fn is_due(claim: &PersistentVolumeClaim, class: &StorageClass) -> bool {
    let annotations = &claim.meta.annotations;
    claim.spec.volume_name.is_empty()
        && !claim.meta.is_deleting()
        && annotations.contains_key(STORAGE_PROVISIONER[1])
        && (!class.waits_for_consumer() || annotations.contains_key(SELECTED_NODE))
}

fn is_to_be_deleted(volume: &PersistentVolume) -> bool {
    let by = volume.meta.annotations.get(PROVISIONED_BY).unwrap_or_default();
    !by.is_empty()
        && !by.starts_with("kubernetes.io/")
        && volume.phase() == volume_phase::RELEASED
        && volume.spec.persistent_volume_reclaim_policy == ReclaimPolicy::Delete
}

/// The node is gone: the scheduler is to choose anew.
fn give_back(claim: &Arc<PersistentVolumeClaim>, node: &str) -> Step<()> {
    let why = format!("failed to get target node: node {node:?} not found");
    let patch = MetaPatch { annotations: vec![(SELECTED_NODE.into(), None)], ..MetaPatch::default() };
    let uid = claim.meta.uid.clone();
    Step::last(vec![
        event(&claim.clone().into(), EventKind::Warning, "ProvisioningFailed", why),
        Request::PatchMeta { kind: Kind::PersistentVolumeClaim, key: claim.key(), uid, patch },
    ])
}

/// The volume that is made for a claim.
fn volume(claim: &PersistentVolumeClaim, class: &StorageClass, zone: Option<Arc<str>>) -> PersistentVolume {
    let driver = claim.meta.annotations.get(STORAGE_PROVISIONER[1]).unwrap_or_default();
    let name = format!("pvc-{}", claim.meta.uid);
    let policy = class.reclaim_policy();
    let mut rest = Map::new();
    rest.insert("csi".into(), json!({"driver": driver, "volumeHandle": name, "fsType": "ext4"}));
    if let Some(options) = class.body.rest.get("mountOptions") {
        rest.insert("mountOptions".into(), options.clone());
    }
    let finalizers: Vec<Arc<str>> =
        if policy == ReclaimPolicy::Delete { vec![PROVISIONER_FINALIZER.into()] } else { Vec::new() };
    let reference = ObjectReference {
        resource_version: claim.meta.resource_version.to_string().into(),
        ..ObjectReference::to(Kind::PersistentVolumeClaim, &claim.meta)
    };
    PersistentVolume {
        meta: ObjectMeta {
            name: name.into(),
            annotations: [(PROVISIONED_BY, driver)].into_iter().collect::<Labels>(),
            finalizers: finalizers.into(),
            ..ObjectMeta::default()
        },
        spec: Arc::new(PersistentVolumeSpec {
            capacity: claim.spec.resources.requests.clone(),
            access_modes: claim.spec.access_modes.clone(),
            claim_ref: Some(reference),
            persistent_volume_reclaim_policy: policy,
            storage_class_name: class.meta.name.clone().into(),
            volume_mode: claim.spec.volume_mode,
            node_affinity: zone.as_ref().map(topology::affinity),
            volume_attributes_class_name: claim.spec.volume_attributes_class_name.clone(),
            rest,
        }),
        ..PersistentVolume::default()
    }
}

fn event(object: &Object, kind: EventKind, reason: &'static str, message: impl Into<Text>) -> Request {
    Request::Event(EventSpec::about(object, kind, reason, message))
}

impl Reconciler for CsiProvisioner {
    type State = ();

    fn name(&self) -> &'static str {
        "external-provisioner"
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::PersistentVolumeClaim, Kind::PersistentVolume, Kind::VolumeAttachment])
    }

    fn on_change(&mut self, view: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        let is_gone = change.change_type == ChangeType::Deleted;
        if let Some((_, claim)) = change.of::<PersistentVolumeClaim>() {
            if is_gone {
                self.jobs.forget(&claim.meta.uid);
            } else if claim.meta.annotations.contains_key(STORAGE_PROVISIONER[1]) && claim.spec.volume_name.is_empty() {
                queue.add(claim.key());
            }
        } else if let Some((_, volume)) = change.of::<PersistentVolume>() {
            if is_gone {
                self.jobs.forget(&volume.meta.uid);
            } else if is_to_be_deleted(volume) {
                queue.add(volume.key());
            }
        } else if let Some((_, attachment)) = change.of::<VolumeAttachment>().filter(|_| is_gone) {
            let volume = view.persistent_volumes.get(&Key::new("", &*attachment.spec.source.persistent_volume_name));
            volume.filter(|volume| is_to_be_deleted(volume)).into_iter().for_each(|volume| queue.add(volume.key()));
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        if key.namespace.is_empty() {
            let volume = cx.view.persistent_volumes.get(key).cloned();
            return volume.map_or_else(Step::done, |volume| self.delete(cx, &volume));
        }
        let claim = cx.view.persistent_volume_claims.get(key).cloned();
        claim.map_or_else(Step::done, |claim| self.provision(cx, &claim))
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}
