//! Pods that a kubelet has from files, and their images in the API, the mirror pods (upstream `pkg/kubelet/config`,
//! `pkg/kubelet/pod/mirror_client.go`).

mod manifest;

use std::sync::Arc;

use crate::api::{DeleteOptions, Request};
use crate::objects::{Key, Kind, Node, Object, OwnerReference, Pod, Resource, SharedList, Uid};

pub use manifest::static_pod;

use super::driver::{Kubelet, KubeletContext, PodSync};

/// Says of which static pod a pod of the API is the image.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Names a static pod by what it was made of.
const HASH: &str = "kubernetes.io/config.hash";

impl Kubelet {
    /// Starts the pods that the kubelet has from files, as a machine that starts does.
    pub(super) fn start_static_pods(&mut self, cx: &mut KubeletContext<'_>) {
        let setup = self.setup.clone();
        for pod in setup.static_pods.iter() {
            if self.workers.contains_key(&pod.meta.uid) || !self.admits(cx, pod, 0) {
                continue;
            }
            self.insert_static(cx, pod);
            let image = cx.view.pods.get(&pod.key()).filter(|image| is_image_of(image, pod)).cloned();
            self.sync(cx, &pod.meta.uid, |sync| sync.resume(image.as_ref().unwrap_or(pod)));
        }
        self.make_mirrors(cx);
    }

    /// Works on a static pod that others made room for.
    pub(super) fn insert_static(&mut self, cx: &KubeletContext<'_>, pod: &Arc<Pod>) {
        self.insert_worker(cx, pod);
        if let Some(worker) = self.workers.get_mut(&pod.meta.uid) {
            worker.extra.get_or_insert_default().static_pod = Some(pod.clone());
        }
    }

    /// Makes the images of the static pods that have none, once the Node is there that owns them.
    pub fn make_mirrors(&mut self, cx: &mut KubeletContext<'_>) {
        if !self.running || self.setup.static_pods.is_empty() {
            return;
        }
        let Some(node) = cx.view.nodes.get(&Key::new("", self.node.name.clone())) else { return };
        for pod in self.setup.static_pods.iter() {
            let is_missing = cx.view.pods.get(&pod.key()).is_none();
            if is_missing && self.workers.contains_key(&pod.meta.uid) {
                cx.effects.requests.push(Request::Create(Object::Pod(Arc::new(image_of(pod, node)))));
            }
        }
    }

    /// The image of a static pod came or changed. One that is being deleted, or belongs to no pod of this kubelet, goes.
    pub(super) fn on_mirror(&mut self, cx: &mut KubeletContext<'_>, image: &Arc<Pod>) {
        let own = self.setup.static_pods.iter().find(|pod| is_image_of(image, pod)).cloned();
        let Some(pod) = own.filter(|_| !image.meta.is_deleting()) else {
            if image.meta.deletion_grace_period_seconds != Some(0) {
                let options =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::of_uid(image.meta.uid.clone()) };
                cx.effects.requests.push(Request::Delete { kind: Kind::Pod, key: image.key(), options });
            }
            return;
        };
        self.sync(cx, &pod.meta.uid, |sync| sync.see_image(image));
    }
}

impl PodSync<'_, '_> {
    /// A new image shows nothing of the pod yet.
    fn see_image(&mut self, image: &Pod) {
        self.worker.dirty |= image.status.start_time.is_none() || self.overruled(image);
    }

    /// The pod's object, as the API has it.
    pub(super) fn object(&self) -> Option<&Arc<Pod>> {
        let found = self.cx.view.pods.get(&self.worker.key)?;
        let is_it = match self.worker.static_pod() {
            Some(pod) => is_image_of(found, pod),
            None => found.meta.uid == *self.uid,
        };
        is_it.then_some(found)
    }
}

impl super::worker::Worker {
    /// What the kubelet has from a file, if it does.
    pub(super) fn static_pod(&self) -> Option<&Arc<Pod>> {
        self.extra.as_ref()?.static_pod.as_ref()
    }

    /// The uid that Events name: of a static pod what it was made of.
    pub(super) fn uid_for_events(&self, uid: &Uid) -> Uid {
        let hash = self.static_pod().and_then(|pod| pod.meta.annotations.get(HASH));
        hash.map_or_else(|| uid.clone(), |hash| Uid::Text(hash.into()))
    }
}

fn is_image_of(image: &Pod, pod: &Pod) -> bool {
    image.key() == pod.key() && image.meta.annotations.get(MIRROR) == pod.meta.annotations.get(HASH)
}

/// The pod as the API is to have it: owned by its node.
fn image_of(pod: &Pod, node: &Node) -> Pod {
    let mut image = pod.clone();
    let owner = OwnerReference {
        api_version: Node::KIND.api_version().into(),
        kind: Node::KIND.as_str().into(),
        name: node.meta.name.clone(),
        uid: node.meta.uid.clone(),
        controller: Some(true),
        ..OwnerReference::default()
    };
    image.meta.owner_references = SharedList::from(vec![owner]);
    let hash = pod.meta.annotations.get(HASH).unwrap_or_default().to_owned();
    image.meta.annotations = image.meta.annotations.with(MIRROR, &hash);
    image
}
