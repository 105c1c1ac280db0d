//! Which Services a pod's change concerns (upstream `endpointslice/util.GetServicesToUpdate`).

use crate::api::Enqueue;
use crate::objects::Pod;

use super::EndpointSliceController;
use super::candidates::has_endpoint;

/// What a pod's change means to the Services that select it.
struct Effect {
    /// It became ready, or ceased to be, later than was known.
    later: bool,
    /// It calls for a sync.
    changed: bool,
    /// The next sync must look at the pod.
    differs: bool,
    /// The pod has an endpoint, or had one before the change. One that ended without a sync may still be in a slice.
    matters: bool,
}

impl EndpointSliceController {
    /// A pod is new (`old` is absent), changed, or gone (`new` is absent).
    pub(super) fn pod_changed(&mut self, old: Option<&Pod>, new: Option<&Pod>, queue: &mut Enqueue) {
        let matters = [old, new].into_iter().flatten().any(has_endpoint);
        let (changed, relabelled, differs) = match (old, new) {
            (Some(old), Some(new)) => {
                (endpoint_changed(old, new), old.meta.labels != new.meta.labels, differs(old, new))
            }
            _ => (true, false, true),
        };
        let later = became_ready_later(old, new);
        let pod = Effect { later, changed, differs: changed || relabelled || differs, matters };
        if !later && !pod.differs {
            return;
        }
        if let Some(new) = new {
            self.tell_selecting(new, old.filter(|_| relabelled), &pod, queue);
        }
        if let Some(old) = old.filter(|_| new.is_none() || relabelled) {
            self.tell_left(old, new, &pod, queue);
        }
    }

    /// Services that select the pod now. After a change of labels alone, those that selected it before are not woken.
    fn tell_selecting(&mut self, pod: &Pod, before: Option<&Pod>, effect: &Effect, queue: &mut Enqueue) {
        for key in self.services.selecting(&pod.meta.namespace, &pod.meta.labels) {
            let Some(memory) = self.memories.get_mut(key) else { continue };
            let joins = before.is_some_and(|before| !memory.selector().matches(&before.meta.labels));
            let matters = effect.matters || memory.placement.may_show(pod);
            if matters && effect.differs {
                memory.placement.touch(pod);
            }
            if effect.later || joins {
                memory.note(pod.ready_since());
            }
            if (matters && effect.changed) || (joins && has_endpoint(pod)) {
                queue.add(key.clone());
            }
        }
    }

    /// Services that selected the pod before and do not now.
    fn tell_left(&mut self, old: &Pod, new: Option<&Pod>, effect: &Effect, queue: &mut Enqueue) {
        for key in self.services.selecting(&old.meta.namespace, &old.meta.labels) {
            let Some(memory) = self.memories.get_mut(key) else { continue };
            let stays = new.is_some_and(|new| memory.selector().matches(&new.meta.labels));
            if effect.differs && !stays && (effect.matters || memory.placement.may_show(old)) {
                memory.placement.touch(old);
                queue.add(key.clone());
            }
        }
    }
}

/// Whether an endpoint may differ. A pod that is being deleted counts as changed with every write: upstream compares
/// the deletion times by pointer. A change of phase alone does not count.
pub(in crate::controllers) fn endpoint_changed(old: &Pod, new: &Pod) -> bool {
    old.meta.is_deleting()
        || new.meta.is_deleting()
        || old.is_ready() != new.is_ready()
        || old.status.pod_ip != new.status.pod_ip
}

/// Whether an endpoint may differ in the end, also where that calls for no sync.
fn differs(old: &Pod, new: &Pod) -> bool {
    has_endpoint(old) != has_endpoint(new)
        || old.node_name != new.node_name
        || old.meta.uid != new.meta.uid
        || !std::sync::Arc::ptr_eq(&old.spec, &new.spec)
}

fn became_ready_later(old: Option<&Pod>, new: Option<&Pod>) -> bool {
    new.and_then(Pod::ready_since) > old.and_then(Pod::ready_since)
}
