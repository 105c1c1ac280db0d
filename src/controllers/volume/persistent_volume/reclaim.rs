//! What happens to a volume whose claim is gone (upstream `reclaimVolume`).

use std::sync::Arc;

use serde_json::Value;

use crate::api::{Context, DeleteOptions, EventKind, EventSpec, Request};
use crate::kernel::SimDuration;
use crate::objects::storage::{MIGRATED_TO, PROVISIONED_BY, ReclaimPolicy, volume_phase};
use crate::objects::{Key, Kind, PersistentVolume, Resource, Text};

use super::volume::{unbind, with_phase};
use super::{Next, PersistentVolumeController};

impl PersistentVolumeController {
    pub(super) fn reclaim(&mut self, cx: Context<'_>, volume: &Arc<PersistentVolume>) -> Next {
        if volume.meta.annotations.contains_key(MIGRATED_TO) {
            return Next::DONE;
        }
        match volume.spec.persistent_volume_reclaim_policy {
            ReclaimPolicy::Retain => Next::DONE,
            ReclaimPolicy::Recycle => self.recycle(cx, volume),
            ReclaimPolicy::Delete => delete(cx, volume),
        }
    }

    /// Upstream runs a pod that empties the directory; here that is a span of time.
    fn recycle(&mut self, cx: Context<'_>, volume: &Arc<PersistentVolume>) -> Next {
        if let Some(users) = users(cx, volume) {
            let why = format!("Volume is used by pods: {users}");
            return Next::say(event(volume, EventKind::Normal, "VolumeFailedRecycle", why));
        }
        if !matches!(volume.spec.source(), Some(("nfs" | "hostPath", _))) {
            return fail(cx, volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned());
        }
        let uid = &volume.meta.uid;
        let nanos = i64::try_from(self.recycling_takes.as_nanos()).unwrap_or(i64::MAX);
        let ready = *self.recycling.entry(uid.clone()).or_insert_with(|| cx.now.plus_nanos(nanos));
        if let Some(left) = u64::try_from(ready.nanos_since(cx.now)).ok().filter(|left| *left > 0) {
            return Next::Wait(SimDuration::from_nanos(left));
        }
        self.recycling.remove(uid);
        match unbind(volume, cx.now) {
            Next::Write(request, _) => {
                Next::Write(request, Some(event(volume, EventKind::Normal, "VolumeRecycled", "Volume recycled")))
            }
            over => over,
        }
    }
}

/// Pods that still use a volume whose claim is gone, unless there is a new claim of that name: then they use that one's.
fn users(cx: Context<'_>, volume: &PersistentVolume) -> Option<String> {
    let claim = volume.claim()?;
    if cx.view.persistent_volume_claims.get(&claim).is_some() {
        return None;
    }
    let pods = cx.view.pods_using(&claim).filter(|pod| !pod.is_terminal());
    let mut names: Vec<String> = pods.map(|pod| pod.key().to_string()).collect();
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(","))
}

/// Deletes a volume that no driver of its own deletes.
fn delete(cx: Context<'_>, volume: &Arc<PersistentVolume>) -> Next {
    let made_by = volume.meta.annotations.get(PROVISIONED_BY).filter(|driver| !driver.is_empty());
    if made_by.is_some_and(|driver| !driver.starts_with("kubernetes.io/")) {
        return Next::DONE;
    }
    let no_deleter = |why: &str| {
        let name = &volume.meta.name;
        fail(
            cx,
            volume,
            "VolumeFailedDelete",
            format!("error getting deleter volume plugin for volume {name:?}: {why}"),
        )
    };
    match volume.spec.source() {
        Some(("csi", _)) => Next::DONE,
        Some(("hostPath", source)) => {
            let path = source.get("path").and_then(Value::as_str).unwrap_or_default();
            let in_tmp = path.find("/tmp/").is_some_and(|at| at + "/tmp/".len() < path.len());
            if in_tmp {
                let options = DeleteOptions::of_uid(volume.meta.uid.clone());
                let key = Key::new("", volume.meta.name.clone());
                let is_under_way = volume.meta.is_deleting();
                let request = Request::Delete { kind: Kind::PersistentVolume, key, options };
                return if is_under_way { Next::DONE } else { Next::Write(request, None) };
            }
            let why = format!("host_path deleter only supports /tmp/.+ but received provided {path}");
            fail(cx, volume, "VolumeFailedDelete", why)
        }
        Some(("nfs", _)) => no_deleter("no deletable volume plugin matched"),
        _ => no_deleter("no volume plugin matched"),
    }
}

/// The volume cannot be reclaimed: says so once.
fn fail(cx: Context<'_>, volume: &Arc<PersistentVolume>, reason: &'static str, why: String) -> Next {
    if volume.phase() == volume_phase::FAILED {
        return Next::DONE;
    }
    let told = event(volume, EventKind::Warning, reason, why.clone());
    Next::Write(with_phase(volume, volume_phase::FAILED, why, cx.now), Some(told))
}

fn event(volume: &Arc<PersistentVolume>, kind: EventKind, reason: &'static str, message: impl Into<Text>) -> EventSpec {
    EventSpec::about(&volume.clone().into(), kind, reason, message)
}
