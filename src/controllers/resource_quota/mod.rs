//! The resource quota controller: measures what a namespace uses, and credits what is gone (upstream
//! `pkg/controller/resourcequota`).

mod tally;

use std::collections::BTreeMap;

use tally::Tally;

use crate::api::{Change, ChangeType, Context, Enqueue, Part, Reconciler, Request, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::quota::{tracked, usage};
use crate::objects::{Key, Kind, Object, Resource, ResourceQuota, ResourceQuotaStatus, WallTime};

/// How often everything is measured anew (`--resource-quota-sync-period`).
const RESYNC: SimDuration = SimDuration::from_secs(300);

/// Writes the status of ResourceQuotas.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ResourceQuotaController;
/// assert_eq!(ResourceQuotaController::default().name(), "resourcequota-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResourceQuotaController {
    /// Of the quotas that were measured once.
    tallies: BTreeMap<Key, Tally>,
}

impl Reconciler for ResourceQuotaController {
    type State = ();

    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn is_background(&self) -> bool {
        true
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        self.follow(change, now);
        if view.resource_quotas.is_empty() {
            return;
        }
        if let Some((old, quota)) = change.of::<ResourceQuota>() {
            if old.is_none_or(|old| old.spec.hard != quota.spec.hard) {
                queue.add(quota.key());
            }
            return;
        }
        if !sets_free(change, now) {
            return;
        }
        let kind = change.kind();
        let quotas = view.resource_quotas.in_namespace(&change.object.meta().namespace);
        let concerned = quotas.filter(|quota| quota.status.hard.keys().any(|name| tracked(kind, name)));
        concerned.for_each(|quota| queue.add(quota.key()));
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(quota) = cx.view.resource_quotas.get(key) else { return Step::done() };
        if !self.tallies.get(key).is_some_and(|tally| tally.is_of(quota)) {
            self.tallies.insert(key.clone(), Tally::take(cx.view, quota, cx.now));
        }
        let hard = quota.spec.hard.clone();
        // Of what this controller cannot measure, the last that is known.
        let mut used = quota.status.used.clone();
        used.retain(|name, _| hard.contains_key(name));
        if let Some(tally) = self.tallies.get_mut(key) {
            used.extend(tally.used(cx.now).clone());
        }
        let status = ResourceQuotaStatus { hard, used };
        let step = if status == quota.status {
            Step::done()
        } else {
            let measured = ResourceQuota { status, ..ResourceQuota::clone(quota) };
            Step::last(vec![Request::Update(measured.into(), Part::Status)])
        };
        step.requeue_after(RESYNC)
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), _responses: Vec<Response>) -> Step<()> {
        Step::done()
    }
}

impl ResourceQuotaController {
    /// Keeps the tallies up.
    fn follow(&mut self, change: &Change, now: WallTime) {
        let meta = change.object.meta();
        let first = Key::new(meta.namespace.clone(), "");
        for (_, tally) in self.tallies.range_mut(first..).take_while(|(key, _)| key.namespace == meta.namespace) {
            tally.follow(change, now);
        }
        if change.kind() == Kind::ResourceQuota && change.change_type == ChangeType::Deleted {
            self.tallies.remove(&change.object.key());
        }
    }
}

/// Whether a change may set something free (upstream `DefaultUpdateFilter`): deletions do, and what an update says less of.
/// Growth was charged at admission.
fn sets_free(change: &Change, now: WallTime) -> bool {
    match (change.change_type, &change.old, &change.object) {
        (ChangeType::Deleted, ..) => true,
        (ChangeType::Added, ..) => false,
        (ChangeType::Modified, Some(Object::Pod(old)), Object::Pod(new)) => {
            let has_ended = !old.is_terminal() && new.is_terminal();
            has_ended || old.spec.active_deadline_seconds.is_some() != new.spec.active_deadline_seconds.is_some()
        }
        (ChangeType::Modified, Some(Object::Service(old)), Object::Service(new)) => old.spec.kind != new.spec.kind,
        (ChangeType::Modified, Some(old @ Object::PersistentVolumeClaim(_)), new) => usage(old, now) != usage(new, now),
        _ => false,
    }
}
