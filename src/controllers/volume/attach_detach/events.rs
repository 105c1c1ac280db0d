//! What the attach/detach controller says of the pods that wait for volumes.

use std::sync::Arc;

use crate::api::{EventKind, EventSpec, Request, View};
use crate::objects::{PersistentVolume, Pod};

use super::users;

/// The volume is attached.
pub(super) fn attached<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>, volume: &str) -> Vec<Request> {
    let message = format!("AttachVolume.Attach succeeded for volume {volume:?} ");
    pods.map(|pod| event(pod, EventKind::Normal, "SuccessfulAttachVolume", message.clone())).collect()
}

/// Another node has the volume, which only one can have. Pods of the same namespace are named, others counted.
pub(super) fn multi_attach(view: &View, volume: &PersistentVolume, node: &str, others: &[&str]) -> Vec<Request> {
    let holders: Vec<&Arc<Pod>> = others.iter().flat_map(|other| users(view, volume, other)).collect();
    users(view, volume, node)
        .map(|pod| event(pod, EventKind::Warning, "FailedAttachVolume", message(volume, pod, &holders)))
        .collect()
}

fn message(volume: &PersistentVolume, pod: &Pod, holders: &[&Arc<Pod>]) -> String {
    let local = holders.iter().filter(|holder| holder.meta.namespace == pod.meta.namespace);
    let names: Vec<&str> = local.map(|holder| &*holder.meta.name).collect();
    let elsewhere = holders.len() - names.len();
    let why = match (names.is_empty(), elsewhere) {
        (true, 0) => "Volume is already exclusively attached to one node and can't be attached to another".to_owned(),
        (true, others) => format!("Volume is already used by {others} pod(s) in different namespaces"),
        (false, 0) => format!("Volume is already used by pod(s) {}", names.join(", ")),
        (false, others) => {
            format!("Volume is already used by pod(s) {} and {others} pod(s) in different namespaces", names.join(", "))
        }
    };
    format!("Multi-Attach error for volume {:?} {why}", volume.meta.name)
}

fn event(pod: &Arc<Pod>, kind: EventKind, reason: &'static str, message: String) -> Request {
    Request::Event(EventSpec::about(&pod.clone().into(), kind, reason, message))
}
