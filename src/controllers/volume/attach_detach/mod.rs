//! The attach/detach controller: attaches volumes to the nodes whose pods use them, and detaches them (upstream
//! `pkg/controller/volume/attachdetach`).
//!
//! A key is a volume (name) on a node (namespace). Only volumes of CSI drivers are attached, by way of VolumeAttachments;
//! others, such as `nfs` or `local`, need no attaching.

mod events;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};

use crate::api::{
    Change, ChangeType, Context, DeleteOptions, Enqueue, KindSet, Part, PatchType, Reconciler, Request, Response, Step,
    View, attached_by, bound_volume, unique_name,
};
use crate::kernel::SimDuration;
use crate::objects::wire::Wire;
use crate::objects::{
    AttachedSource, Conditions, ContainerState, Key, Kind, Node, ObjectMeta, PersistentVolume, PersistentVolumeClaim,
    Pod, Resource, VolumeAttachment, VolumeAttachmentSpec, WallTime,
};

/// How long a volume is left to a node that is not Ready and still names it as in use (upstream
/// `maxWaitForUnmountDuration`).
pub const MAX_WAIT_FOR_UNMOUNT: SimDuration = SimDuration::from_mins(6);
/// Taint that says a node is off for good.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Attaches and detaches volumes.
#[derive(Clone, Debug, Default)]
pub struct AttachDetachController {
    /// Since when a volume is wanted off a node.
    detach_requested: FxHashMap<Key, WallTime>,
    /// Volumes whose pods were told that another node has them.
    told: FxHashSet<Key>,
}

/// Whether a pod is done with its volumes (upstream `volumeutil.IsPodTerminated`).
fn is_over(pod: &Pod) -> bool {
    let runs =
        pod.status.container_statuses.iter().any(|status| matches!(status.state, ContainerState::Running { .. }));
    pod.is_terminal() || (pod.meta.is_deleting() && !runs)
}

/// Pods that keep a volume on a node.
fn users<'a>(view: &'a View, volume: &PersistentVolume, node: &'a str) -> impl Iterator<Item = &'a Arc<Pod>> {
    let claim = volume.claim().unwrap_or_default();
    let ids: Vec<_> = view.pods_using(&claim).filter(|pod| *pod.node_name == *node && !is_over(pod)).collect();
    ids.into_iter()
}

fn may_be_on_many_nodes(volume: &PersistentVolume) -> bool {
    use crate::objects::storage::AccessMode::{ReadOnlyMany, ReadWriteMany};
    let modes = &volume.spec.access_modes;
    modes.0.is_empty() || modes.contains(ReadOnlyMany) || modes.contains(ReadWriteMany)
}

impl AttachDetachController {
    fn look_at_claim(view: &View, claim: &Key, node: Option<&Arc<str>>, queue: &mut Enqueue) {
        let Some(volume) = bound_volume(view, claim).filter(|volume| attached_by(view, volume).is_some()) else {
            return;
        };
        let name = &volume.meta.name;
        let nodes = view.pods_using(claim).filter(|pod| pod.is_bound()).map(|pod| &pod.node_name).chain(node);
        for node in nodes.filter(|node| !node.is_empty()) {
            queue.add(Key::new(node.clone(), name.clone()));
        }
    }

    fn attach(&mut self, view: &View, key: &Key, volume: &PersistentVolume, driver: Arc<str>) -> Vec<Request> {
        let (node, name) = (&key.namespace, &key.name);
        let others: Vec<&str> = view.attachments_of(name).map(|attachment| &*attachment.spec.node_name).collect();
        if !others.is_empty() && !may_be_on_many_nodes(volume) {
            return match self.told.insert(key.clone()) {
                true => events::multi_attach(view, volume, node, &others),
                false => Vec::new(),
            };
        }
        let spec = VolumeAttachmentSpec {
            attacher: driver.into(),
            source: AttachedSource { persistent_volume_name: name.clone().into(), ..AttachedSource::default() },
            node_name: node.clone().into(),
            ..VolumeAttachmentSpec::default()
        };
        let meta = ObjectMeta { name: attachment_name(volume, node).into(), ..ObjectMeta::default() };
        vec![Request::Create(VolumeAttachment { meta, spec: Arc::new(spec), ..VolumeAttachment::default() }.into())]
    }

    /// Detaches, unless the node still uses the volume: then only after a while, if the node is not Ready, or if it is out of
    /// service for good.
    fn detach(&mut self, cx: Context<'_>, key: &Key, attachment: &VolumeAttachment) -> Step<()> {
        let requested = *self.detach_requested.entry(key.clone()).or_insert(cx.now);
        let node = cx.view.nodes.get(&Key::new("", key.namespace.clone()));
        let name = cx.view.persistent_volumes.get(&Key::new("", key.name.clone())).map(|volume| unique_name(volume));
        let mounted = node.is_some_and(|node| name.as_ref().is_some_and(|name| node_lists(node, "volumesInUse", name)));
        let off = node.is_some_and(|node| node.spec.taints.iter().any(|taint| &*taint.key == OUT_OF_SERVICE));
        if mounted && !off {
            let healthy = node.is_some_and(|node| node.status.conditions.is_true("Ready"));
            let waited = u64::try_from(cx.now.nanos_since(requested)).unwrap_or(0);
            let left = MAX_WAIT_FOR_UNMOUNT.as_nanos().saturating_sub(waited);
            if healthy || left > 0 {
                let wait = Step::done();
                return if left > 0 { wait.requeue_after(SimDuration::from_nanos(left)) } else { wait };
            }
        }
        self.detach_requested.remove(key);
        let mut requests = Vec::with_capacity(2);
        if let (Some(node), Some(name)) = (node, &name)
            && node_lists(node, "volumesAttached", name)
        {
            requests.push(report(node, attached(node).filter(|known| known.text("name") != *name).cloned().collect()));
        }
        let options = DeleteOptions::of_uid(attachment.meta.uid.clone());
        requests.push(Request::Delete { kind: Kind::VolumeAttachment, key: attachment.key(), options });
        Step::last(requests)
    }

    /// Tells the node, and the pods that wait for it, that the volume is attached.
    fn confirm(view: &View, key: &Key, volume: &PersistentVolume) -> Vec<Request> {
        let Some(node) = view.nodes.get(&Key::new("", key.namespace.clone())) else { return Vec::new() };
        let name = unique_name(volume);
        if node_lists(node, "volumesAttached", &name) {
            return Vec::new();
        }
        let all = attached(node).cloned().chain([json!({"name": name, "devicePath": ""})]).collect();
        let mut requests = vec![report(node, all)];
        requests.extend(events::attached(users(view, volume, &key.namespace), &key.name));
        requests
    }
}

/// Whether a list of volumes in the status of a node has that one.
fn node_lists(node: &Node, list: &str, name: &str) -> bool {
    let Some(volumes) = node.status.rest.get(list).and_then(Value::as_array) else { return false };
    volumes.iter().any(|known| known.as_str() == Some(name) || known.text("name") == name)
}

fn attached(node: &Node) -> impl Iterator<Item = &Value> {
    node.status.rest.get("volumesAttached").and_then(Value::as_array).into_iter().flatten()
}

fn report(node: &Node, volumes: Vec<Value>) -> Request {
    Request::Patch {
        kind: Kind::Node,
        key: node.key(),
        patch_type: PatchType::Merge,
        document: Arc::new(json!({"status": {"volumesAttached": volumes}})),
        part: Part::Status,
    }
}

/// `csi-` and 64 digits made of the volume, its driver and the node. The digits are not upstream's.
fn attachment_name(volume: &PersistentVolume, node: &str) -> String {
    let text = format!("{}{node}", unique_name(volume));
    let digits = |seed: u64| {
        let hash = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{hash:016x}")
    };
    format!("csi-{}", (1..=4).map(digits).collect::<String>())
}

impl Reconciler for AttachDetachController {
    type State = ();

    fn name(&self) -> &'static str {
        "attachdetach-controller"
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Pod, Kind::PersistentVolumeClaim, Kind::VolumeAttachment, Kind::Node])
    }

    fn on_change(&mut self, view: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        if let Some((old, pod)) = change.of::<Pod>() {
            if !pod.spec.volumes.is_empty()
                && (change.change_type != ChangeType::Modified
                    || old.is_none_or(|old| old.node_name != pod.node_name || is_over(old) != is_over(pod)))
            {
                pod.claims().for_each(|claim| Self::look_at_claim(view, &claim, Some(&pod.node_name), queue));
            }
        } else if let Some((_, claim)) = change.of::<PersistentVolumeClaim>() {
            Self::look_at_claim(view, &claim.key(), None, queue);
        } else if let Some((_, attachment)) = change.of::<VolumeAttachment>() {
            let volume = &attachment.spec.source.persistent_volume_name;
            queue.add(Key::new(&*attachment.spec.node_name, &**volume));
            // Another node may wait for it.
            let claim = view.persistent_volumes.get(&Key::new("", &**volume)).and_then(|volume| volume.claim());
            claim.into_iter().for_each(|claim| Self::look_at_claim(view, &claim, None, queue));
        } else if let Some((old, node)) = change.of::<Node>() {
            let in_use = |node: &Node| node.status.rest.get("volumesInUse").cloned();
            let ready = |node: &Node| node.status.conditions.is_true("Ready");
            let same = |old: &Arc<Node>| {
                old.spec.taints == node.spec.taints && ready(old) == ready(node) && in_use(old) == in_use(node)
            };
            if !old.is_some_and(same) {
                for attachment in view.attachments_on(&node.meta.name) {
                    queue.add(Key::new(node.meta.name.clone(), &*attachment.spec.source.persistent_volume_name));
                }
            }
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let view = cx.view;
        let attachment = view.attachments_of(&key.name).find(|a| *a.spec.node_name == *key.namespace).cloned();
        let volume = view.persistent_volumes.get(&Key::new("", key.name.clone()));
        let wanted = volume
            .filter(|volume| users(view, volume, &key.namespace).next().is_some())
            .and_then(|volume| Some((volume, attached_by(view, volume)?)));
        match (wanted, attachment) {
            (Some((volume, driver)), None) => {
                self.detach_requested.remove(key);
                Step::last(self.attach(view, key, volume, driver))
            }
            (Some((volume, _)), Some(attachment)) => {
                self.detach_requested.remove(key);
                self.told.remove(key);
                let is_there = attachment.status.attached && !attachment.meta.is_deleting();
                Step::last(if is_there { Self::confirm(view, key, volume) } else { Vec::new() })
            }
            (None, Some(attachment)) if !attachment.meta.is_deleting() => self.detach(cx, key, &attachment),
            (None, _) => {
                self.detach_requested.remove(key);
                self.told.remove(key);
                Step::done()
            }
        }
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}
