//! The resource quota controller: measures what a namespace uses, and credits what is gone (upstream
//! `pkg/controller/resourcequota`).

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, Context, Enqueue, Part, Reconciler, Request, Response, Step, View};
use crate::kernel::SimDuration;
use crate::objects::quota::{tracked, usage};
use crate::objects::storage::ResourceList;
use crate::objects::{Key, Kind, Object, Quantity, Resource, ResourceQuota, ResourceQuotaStatus, WallTime};

/// How often everything is measured anew (`--resource-quota-sync-period`).
const RESYNC: SimDuration = SimDuration::from_secs(300);

/// Writes the status of ResourceQuotas.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ResourceQuotaController;
/// assert_eq!(ResourceQuotaController::default().name(), "resourcequota-controller");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceQuotaController {
    _private: (),
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
        let hard = quota.spec.hard.clone();
        let used = measure(cx.view, quota, cx.now);
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

/// The use of every resource of the quota that this controller can measure; of others the last that is known.
fn measure(view: &View, quota: &ResourceQuota, now: WallTime) -> ResourceList {
    let hard = &quota.spec.hard;
    let mut used: ResourceList = quota.status.used.clone();
    used.retain(|name, _| hard.contains_key(name));
    for &kind in Kind::ALL.iter().filter(|kind| kind.is_namespaced()) {
        let names: Vec<_> = hard.keys().filter(|name| tracked(kind, name)).collect();
        if names.is_empty() {
            continue;
        }
        let mut total: FxHashMap<&str, Quantity> = FxHashMap::default();
        for object in view.list_in(kind, &quota.meta.namespace).iter().filter(|object| quota.scopes_match(object)) {
            let each = usage(object, now);
            for name in &names {
                if let Some(amount) = each.get(*name) {
                    *total.entry(&***name).or_default() += *amount;
                }
            }
        }
        for name in names {
            used.insert(name.clone(), total.get(&**name).copied().unwrap_or_default());
        }
    }
    used
}
