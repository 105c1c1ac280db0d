//! Keeps a claim that is being deleted for as long as a pod uses it (upstream `pkg/controller/volume/pvcprotection`).

use crate::api::{Change, ChangeType, Context, Enqueue, KindSet, Reconciler, Response, Step, View};
use crate::objects::storage::CLAIM_PROTECTION;
use crate::objects::{Key, Kind, PersistentVolumeClaim, Pod, Resource, WallTime};

use super::protection;

/// Takes the finalizer `kubernetes.io/pvc-protection` off claims that are to go and that no pod with a node names. A pod
/// that has ended still counts; one without a node does not, as its kubelet would not start it.
#[derive(Clone, Debug, Default)]
pub struct PvcProtectionController;

impl Reconciler for PvcProtectionController {
    type State = ();

    fn name(&self) -> &'static str {
        "pvc-protection-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::PersistentVolumeClaim, Kind::Pod])
    }

    fn on_change(&mut self, view: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        let is_gone = change.change_type == ChangeType::Deleted;
        if let Some((_, claim)) = change.of::<PersistentVolumeClaim>() {
            if !is_gone && protection::needs_work(&claim.meta, CLAIM_PROTECTION) {
                queue.add(claim.key());
            }
        } else if let Some((_, pod)) = change.of::<Pod>()
            && (is_gone || pod.is_terminal() || !pod.is_bound())
        {
            for key in pod.claims() {
                let claim = view.persistent_volume_claims.get(&key);
                if claim.is_some_and(|claim| claim.meta.is_deleting()) {
                    queue.add(key);
                }
            }
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(claim) = cx.view.persistent_volume_claims.get(key) else { return Step::done() };
        let is_used = cx.view.pods_using(key).any(|pod| pod.is_bound());
        let change = protection::change(Kind::PersistentVolumeClaim, &claim.meta, CLAIM_PROTECTION, is_used);
        Step::last(change.into_iter().collect())
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}
