//! Keeps a volume that is being deleted for as long as it is bound (upstream `pkg/controller/volume/pvprotection`).

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Reconciler, Response, Step, View};
use crate::objects::storage::VOLUME_PROTECTION;
use crate::objects::{Key, Kind, PersistentVolume, Resource, WallTime};

use super::protection;

/// Takes the finalizer `kubernetes.io/pv-protection` off volumes that are to go and are not bound.
#[derive(Clone, Debug, Default)]
pub struct PvProtectionController;

impl Reconciler for PvProtectionController {
    type State = ();

    fn name(&self) -> &'static str {
        "pv-protection-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::PersistentVolume])
    }

    fn on_change(&mut self, _: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        if let Some((_, volume)) = change.of::<PersistentVolume>()
            && change.change_type != ChangeType::Deleted
            && protection::needs_work(&volume.meta, VOLUME_PROTECTION)
        {
            queue.add(volume.key());
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(volume) = cx.view.persistent_volumes.get(key) else { return Step::done() };
        let change = protection::change(Kind::PersistentVolume, &volume.meta, VOLUME_PROTECTION, volume.is_bound());
        Step::last(change.into_iter().collect())
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}
