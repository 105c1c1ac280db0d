//! What is on volumes. Of a real file system one thing remains: whether something was written, by whom and when.
//!
//! A container whose behaviour says `writes: {volume: data}` looks, when it starts, whether the volume of that name holds
//! something. If it does, the container leaves it and the pod has *found* its data; if not, it writes a token. What a token
//! is on outlives pods and claims as the real thing would: a directory of the pod (`emptyDir`) goes with the pod; a volume
//! behind a claim is known by what its source names (driver and handle, server and path, node and path), so that it is
//! found again by another PersistentVolume of the same source, and goes when its driver deletes or a recycler empties it.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Change, ChangeType, View, bound_volume};
use crate::objects::storage::{ReclaimPolicy, volume_phase};
use crate::objects::wire::Wire;
use crate::objects::{Key, PersistentVolume, Pod, Uid, Volume, WallTime};

/// What was written to a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The token.
    pub token: Arc<str>,
    /// Uid of the pod that wrote it.
    pub writer: Uid,
    /// When.
    pub written_at: WallTime,
}

/// Something that can be written to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Disk {
    /// Behind a PersistentVolume: its source.
    Asset(Arc<str>),
    /// A directory of a pod: uid and volume.
    Pod(Uid, Arc<str>),
}

/// All volumes that something was written to.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    contents: FxHashMap<Disk, Content>,
    /// Pods that found data that was there before them.
    found: FxHashSet<Uid>,
}

/// What a volume's source names. A directory of a node is another one on every node.
fn asset(volume: &PersistentVolume, node: &str) -> Arc<str> {
    let Some((kind, source)) = volume.spec.source() else { return format!("volume:{}", volume.meta.uid).into() };
    match kind {
        "csi" => format!("csi:{}:{}", source.text("driver"), source.text("volumeHandle")),
        "nfs" => format!("nfs:{}:{}", source.text("server"), source.text("path")),
        "hostPath" | "local" => format!("{kind}:{node}:{}", source.text("path")),
        other => format!("{other}:{source}"),
    }
    .into()
}

fn disk(view: &View, pod: &Pod, volume: &Volume) -> Option<Disk> {
    match pod.claim_of(volume) {
        Some(claim) => Some(Disk::Asset(asset(bound_volume(view, &claim)?, &pod.node_name))),
        None if volume.empty_dir.is_some() => Some(Disk::Pod(pod.meta.uid.clone(), volume.name.clone())),
        None => None,
    }
}

impl Disks {
    /// A container of the pod starts that writes to a volume: it finds what is there, or writes the token.
    pub(super) fn open(&mut self, view: &View, pod: &Pod, volume: &str, token: Option<&Arc<str>>, now: WallTime) {
        let Some(volume) = pod.spec.volumes.iter().find(|known| *known.name == *volume) else { return };
        let Some(disk) = disk(view, pod, volume) else { return };
        match self.contents.get(&disk) {
            Some(content) if content.writer != pod.meta.uid => drop(self.found.insert(pod.meta.uid.clone())),
            Some(_) => {}
            None => {
                let token = token.cloned().unwrap_or_else(|| format!("{}/{}", pod.meta.name, pod.meta.uid).into());
                let content = Content { token, writer: pod.meta.uid.clone(), written_at: now };
                self.contents.insert(disk, content);
            }
        }
    }

    /// Follows what becomes of pods and volumes.
    pub fn follow(&mut self, change: &Change) {
        let is_gone = change.change_type == ChangeType::Deleted;
        if let Some((_, pod)) = change.of::<Pod>().filter(|_| is_gone) {
            let uid = &pod.meta.uid;
            for volume in pod.spec.volumes.iter().filter(|volume| volume.empty_dir.is_some()) {
                self.contents.remove(&Disk::Pod(uid.clone(), volume.name.clone()));
            }
            self.found.remove(uid);
        } else if let Some((old, volume)) = change.of::<PersistentVolume>() {
            let policy = volume.spec.persistent_volume_reclaim_policy;
            let deleted = is_gone && policy == ReclaimPolicy::Delete && volume.phase() == volume_phase::RELEASED;
            let recycled = policy == ReclaimPolicy::Recycle
                && volume.spec.claim_ref.as_ref().is_none_or(|claim| claim.uid.is_none())
                && old.is_some_and(|old| old.phase() == volume_phase::RELEASED && old.spec.claim_ref.is_some());
            if deleted || recycled {
                self.wipe(volume);
            }
        }
    }

    fn wipe(&mut self, volume: &PersistentVolume) {
        if !matches!(volume.spec.source(), Some(("hostPath" | "local", _))) {
            self.contents.remove(&Disk::Asset(asset(volume, "")));
            return;
        }
        let path = asset(volume, "").rsplit(':').next().map(str::to_owned).unwrap_or_default();
        let is_there = |disk: &Disk| match disk {
            Disk::Asset(asset) => {
                let mut parts = asset.splitn(3, ':');
                matches!(parts.next(), Some("hostPath" | "local")) && parts.nth(1) == Some(&path)
            }
            Disk::Pod(..) => false,
        };
        self.contents.retain(|disk, _| !is_there(disk));
    }

    /// What is on a volume.
    #[must_use]
    pub fn content(&self, volume: &PersistentVolume) -> Option<&Content> {
        if let Some(content) = self.contents.get(&Disk::Asset(asset(volume, ""))) {
            return Some(content);
        }
        let (kind, source) = volume.spec.source().filter(|(kind, _)| ["hostPath", "local"].contains(kind))?;
        let path = source.text("path");
        // Directories of nodes: that of the first node by name.
        let on_nodes = self.contents.iter().filter_map(|(disk, content)| match disk {
            Disk::Asset(asset) => {
                let (node, there) = asset.strip_prefix(kind)?.strip_prefix(':')?.split_once(':')?;
                (there == path).then_some((node, content))
            }
            Disk::Pod(..) => None,
        });
        on_nodes.min_by_key(|(node, _)| *node).map(|(_, content)| content)
    }

    /// What is on the volume behind a claim.
    #[must_use]
    pub fn content_of_claim(&self, view: &View, claim: &Key) -> Option<&Content> {
        self.content(bound_volume(view, claim)?)
    }

    /// Whether a pod found data that was there before it.
    #[must_use]
    pub fn was_found_by(&self, pod: &Uid) -> bool {
        self.found.contains(pod)
    }
}
