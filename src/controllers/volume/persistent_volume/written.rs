//! What the controller wrote and its informer does not show yet (upstream keeps caches of its own for that). Without it a
//! second claim would be given the volume that the first has just got.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, View};
use crate::objects::{Key, Object, PersistentVolume, PersistentVolumeClaim, Resource, Typed};

#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    volumes: FxHashMap<Key, Arc<PersistentVolume>>,
    claims: FxHashMap<Key, Arc<PersistentVolumeClaim>>,
}

impl Written {
    /// Remembers an answer that is newer than the view.
    pub(super) fn note(&mut self, object: Object, view: &View) {
        if object.meta().resource_version <= view.resource_version {
            return;
        }
        match object {
            Object::PersistentVolume(volume) => drop(self.volumes.insert(volume.key(), volume)),
            Object::PersistentVolumeClaim(claim) => drop(self.claims.insert(claim.key(), claim)),
            _ => {}
        }
    }

    /// Drops what the informer shows by now.
    pub(super) fn forget_what_shows(&mut self, change: &Change) {
        fn prune<T: Resource>(written: &mut FxHashMap<Key, Arc<T>>, change: &Change) {
            let key = change.object.key();
            if written.get(&key).is_some_and(|known| known.meta().resource_version <= change.resource_version) {
                written.remove(&key);
            }
        }
        match &change.object {
            Object::PersistentVolume(_) => prune(&mut self.volumes, change),
            Object::PersistentVolumeClaim(_) => prune(&mut self.claims, change),
            _ => {}
        }
    }

    /// The newest state of a volume that is known.
    pub(super) fn volume<'a>(&'a self, view: &'a View, key: &Key) -> Option<&'a Arc<PersistentVolume>> {
        newest(view.persistent_volumes.get(key)?, self.volumes.get(key))
    }

    /// The newest state of a claim that is known.
    pub(super) fn claim<'a>(&'a self, view: &'a View, key: &Key) -> Option<&'a Arc<PersistentVolumeClaim>> {
        newest(view.persistent_volume_claims.get(key)?, self.claims.get(key))
    }

    /// Volumes that are kept for a claim, or for none and of its class, in their newest states.
    pub(super) fn candidates<'a>(
        &'a self,
        view: &'a View,
        claim: &PersistentVolumeClaim,
    ) -> Vec<&'a Arc<PersistentVolume>> {
        let key = claim.key();
        let seen = view.volumes_for(&key).chain(view.free_volumes(claim.class()));
        let mut all: Vec<_> = seen.filter_map(|volume| newest(volume, self.volumes.get(&volume.key()))).collect();
        if !self.volumes.is_empty() {
            // What has just become free is in the indexes of its old state.
            let known: Vec<Key> = all.iter().map(|volume| volume.key()).collect();
            let mut freed: Vec<_> = self.volumes.iter().filter(|(key, _)| !known.contains(key)).collect();
            freed.sort_by(|a, b| a.0.cmp(b.0));
            all.extend(freed.into_iter().filter_map(|(key, _)| self.volume(view, key)));
        }
        all
    }
}

fn newest<'a, T: Typed>(seen: &'a Arc<T>, written: Option<&'a Arc<T>>) -> Option<&'a Arc<T>> {
    let is_newer = |written: &&Arc<T>| {
        written.meta().uid == seen.meta().uid && written.meta().resource_version > seen.meta().resource_version
    };
    Some(written.filter(is_newer).unwrap_or(seen))
}
