//! What a sync is to do: upstream `manage` and `rollingUpdate`, on the ledger.

use std::sync::Arc;

use crate::api::{EventKind, EventSpec, Request};
use crate::kernel::SimDuration;
use crate::objects::{DaemonSet, Kind, ObjectReference, Pod, WallTime};

use super::ledger::{Entry, Ledger, Slot};
use super::node::{Basis, duty, has_failed};

/// Most pods that one sync creates, and most that it deletes (upstream `BurstReplicas`).
pub(super) const BURST: usize = 250;

/// Pods to create and to delete.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Nodes that get a pod.
    pub(super) nodes: Vec<Arc<str>>,
    /// Pods that go.
    pub(super) pods: Vec<Arc<Pod>>,
    /// Events that tell why.
    pub(super) events: Vec<Request>,
    /// When to look again at failed pods.
    pub(super) again: Option<SimDuration>,
}

impl Plan {
    fn within_burst(mut self) -> Self {
        self.nodes.truncate(BURST);
        self.pods.truncate(BURST);
        self
    }

    fn create_on(&mut self, entry: &Entry) {
        self.nodes.push(Arc::clone(&entry.name));
    }
}

/// One pod on every eligible node, none on others, whatever an update has in mind (upstream `manage`).
pub(super) fn manage(ledger: &mut Ledger, set: &DaemonSet, basis: &Basis, now: WallTime) -> Plan {
    let mut plan = Plan::default();
    for slot in ledger.needing.iter().take(BURST) {
        if let Some(entry) = ledger.entry(*slot) {
            plan.create_on(entry);
        }
    }
    let untidy: Vec<Slot> = ledger.untidy.iter().copied().collect();
    for slot in untidy {
        let Some(entry) = ledger.entry(slot) else { continue };
        let (node, duty) = (Arc::clone(&entry.name), duty(basis, entry.eligible, &entry.pods, now));
        for pod in duty.ended {
            if has_failed(&pod)
                && let Err(wait) = ledger.backoff.admit(&node, set.status.observed_generation, now)
            {
                plan.again = Some(plan.again.map_or(wait, |earlier| earlier.min(wait)));
                continue;
            }
            plan.events.push(ended(set, &pod, &node));
            plan.pods.push(pod);
        }
        plan.pods.extend(duty.delete);
    }
    plan.within_burst()
}

fn ended(set: &DaemonSet, pod: &Pod, node: &str) -> Request {
    let name = format!("{}/{}", pod.meta.namespace, pod.meta.name);
    let (kind, reason, message) = if has_failed(pod) {
        let message = format!("Found failed daemon pod {name} on node {node}, will try to kill it");
        (EventKind::Warning, "FailedDaemonPod", message)
    } else {
        let message = format!("Found succeeded daemon pod {name} on node {node}, will try to delete it");
        (EventKind::Normal, "SucceededDaemonPod", message)
    };
    let about = ObjectReference::to(Kind::DaemonSet, &set.meta);
    Request::Event(EventSpec { about, kind, reason: reason.into(), message: message.into() })
}

/// The next pods of an update, as many as its bounds allow (upstream `rollingUpdate`).
///
/// # Errors
/// If the bounds cannot be read, or with surge, as upstream, if an old pod is on a node that does not exist.
pub(super) fn update(ledger: &Ledger, set: &DaemonSet, basis: &Basis) -> Result<Plan, String> {
    let strategy = &set.spec.update_strategy;
    if strategy.on_delete {
        return Ok(Plan::default());
    }
    let (surge, unavailable) = strategy.resolve(ledger.tally().desired)?;
    if surge == 0 {
        return Ok(exchange(ledger, basis, unavailable).within_burst());
    }
    surge_by(ledger, basis, surge).map(Plan::within_burst)
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// Deletes old pods: those that do nothing anyway, and so many others that the bound is kept.
fn exchange(ledger: &Ledger, basis: &Basis, max_unavailable: i32) -> Plan {
    let rest = count(max_unavailable.saturating_sub(ledger.tally().unavailable));
    let candidates = ledger.all_old_up(rest);
    let slots = ledger.old_down.iter().copied().chain(candidates);
    let pods = slots.filter_map(|slot| ledger.entry(slot)?.old_pod(basis).cloned()).collect();
    Plan { pods, ..Plan::default() }
}

/// Creates new pods beside old ones, and deletes the old ones that have a successor or are out of place.
fn surge_by(ledger: &Ledger, basis: &Basis, max_surge: i32) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let tally = ledger.tally();
    let entries = |slots: &mut dyn Iterator<Item = Slot>| -> Vec<&Entry> {
        slots.filter_map(|slot| ledger.entry(slot)).collect()
    };
    let mut down_or_replaced: Vec<Slot> = ledger.old_down.iter().chain(&ledger.replaced).copied().collect();
    down_or_replaced.sort_unstable();
    for slot in down_or_replaced {
        let Some(entry) = ledger.entry(slot) else { continue };
        let stays = ledger.old_down.contains(&slot) && exists(entry)?.should_run;
        if stays { plan.create_on(entry) } else { plan.pods.extend(entry.old_pod(basis).cloned()) }
    }
    // Where the old pod is out of place it goes only when others do its work.
    let elsewhere = entries(&mut ledger.old_up_elsewhere.iter().copied());
    for entry in &elsewhere {
        exists(entry)?;
    }
    let spare = count(tally.serving.saturating_sub(tally.desired));
    plan.pods.extend(elsewhere.iter().take(spare).filter_map(|entry| entry.old_pod(basis).cloned()));
    let rest = count(max_surge.saturating_sub(tally.surging));
    for entry in entries(&mut ledger.old_up.iter().copied().take(rest)) {
        plan.create_on(entry);
    }
    Ok(plan)
}

fn exists(entry: &Entry) -> Result<super::template::Eligibility, String> {
    let name = &entry.name;
    entry.eligible.ok_or_else(|| format!("couldn't get node for nodeName {name:?}: node {name:?} not found"))
}
