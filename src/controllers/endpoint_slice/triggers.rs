//! Which Services a pod's change concerns (upstream `endpointslice/util.GetServicesToUpdate`).

use crate::api::Enqueue;
use crate::objects::Pod;

use super::EndpointSliceController;
use super::candidates::has_endpoint;

impl EndpointSliceController {
    /// A pod is new (`old` is absent), changed, or gone (`new` is absent).
    pub(super) fn pod_changed(&mut self, old: Option<&Pod>, new: Option<&Pod>, queue: &mut Enqueue) {
        let matters = [old, new].into_iter().flatten().any(has_endpoint);
        let relabelled = match (old, new) {
            (Some(old), Some(new)) => old.meta.labels != new.meta.labels,
            _ => false,
        };
        let changed = match (old, new) {
            (Some(old), Some(new)) => endpoint_changed(old, new),
            _ => true,
        };
        let later = became_ready_later(old, new);
        if !later && !(matters && (changed || relabelled)) {
            return;
        }
        if let Some(new) = new {
            self.wake_selecting(new, old.filter(|_| relabelled), (later, matters && changed), queue);
        }
        if let Some(old) = old.filter(|_| new.is_none() || relabelled) {
            self.wake_left(old, new, matters, queue);
        }
    }

    /// Services that select the pod now. After a change of labels alone, those that selected it before are not woken.
    fn wake_selecting(&mut self, pod: &Pod, before: Option<&Pod>, (later, changed): (bool, bool), queue: &mut Enqueue) {
        for key in self.services.selecting(&pod.meta.namespace, &pod.meta.labels) {
            let Some(memory) = self.memories.get_mut(key) else { continue };
            let joins = before.is_some_and(|before| !memory.selector().matches(&before.meta.labels));
            if later || joins {
                memory.note(pod.ready_since());
            }
            if changed || (joins && has_endpoint(pod)) {
                queue.add(key.clone());
            }
        }
    }

    /// Services that selected the pod before and do not now.
    fn wake_left(&mut self, old: &Pod, new: Option<&Pod>, matters: bool, queue: &mut Enqueue) {
        for key in self.services.selecting(&old.meta.namespace, &old.meta.labels) {
            let Some(memory) = self.memories.get_mut(key) else { continue };
            let stays = new.is_some_and(|new| memory.selector().matches(&new.meta.labels));
            if matters && !stays {
                queue.add(key.clone());
            }
        }
    }
}

/// Whether an endpoint may differ. A pod that is being deleted counts as changed with every write: upstream compares
/// the deletion times by pointer. A change of phase alone does not count.
fn endpoint_changed(old: &Pod, new: &Pod) -> bool {
    old.meta.is_deleting()
        || new.meta.is_deleting()
        || old.is_ready() != new.is_ready()
        || old.status.pod_ip != new.status.pod_ip
}

fn became_ready_later(old: Option<&Pod>, new: Option<&Pod>) -> bool {
    new.and_then(Pod::ready_since) > old.and_then(Pod::ready_since)
}
