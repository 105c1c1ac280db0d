//! One look of a kubelet at what its node has left (upstream `managerImpl.synchronize`).

use crate::api::{EventKind, EventSpec, Request};
use crate::kernel::SimDuration;
use crate::kubelet::driver::{Kubelet, KubeletContext, PodSync};
use crate::kubelet::eviction::{Candidate, Observations, Signal, for_shortage, kubelet_request, rank, resource_name};
use crate::kubelet::worker::{Stage, Verdict, Worker};
use crate::objects::{ObjectReference, Resources, Uid, WallTime};

use super::AT_ONCE;

/// Why pods are evicted, in their status and Events.
pub(in crate::kubelet) const EVICTED: &str = "Evicted";

impl Kubelet {
    /// Evicts every pod that is over a limit of local storage, or else, while the node is short of something, one pod.
    pub(super) fn round(&mut self, cx: &mut KubeletContext<'_>) {
        let (now, seen) = (cx.now, self.observe(cx, cx.now));
        let Some(pressure) = &mut self.pressure else { return };
        pressure.last_round = now;
        pressure.idle = false;
        let urgent = pressure.manager.observe(&self.setup.config, &seen, now);
        let violations: Vec<(Uid, String)> = self
            .storage_limits(cx)
            .into_iter()
            .filter_map(|(uid, worker, limits)| Some((uid.clone(), limits.violation(worker, cx.behaviours, now)?)))
            .collect();
        if !violations.is_empty() {
            for (uid, message) in violations {
                self.evict(cx, &uid, AT_ONCE, message, false);
            }
            return;
        }
        let Some(first) = urgent.first().map(|place| self.setup.config.thresholds[*place]) else { return };
        let resource = resource_name(first.signal);
        let message = format!("Attempting to reclaim {resource}");
        self.node_event(cx, EventKind::Warning, "EvictionThresholdMet", message);
        let Some(uid) = self.first_to_be_evicted(cx, first.signal, now) else {
            if let Some(pressure) = &mut self.pressure {
                pressure.idle = true;
            }
            return;
        };
        let Some(worker) = self.workers.get(&uid) else { return };
        let message = self.shortage(cx, &urgent, &seen, worker);
        let grace = match first.grace {
            SimDuration::ZERO => AT_ONCE,
            _ => {
                let most = self.setup.config.eviction_max_pod_grace_period;
                let own = worker.spec.termination_grace_period_seconds.unwrap_or(most);
                SimDuration::from_secs(u64::try_from(own.min(most)).unwrap_or(0)).max(AT_ONCE)
            }
        };
        self.evict(cx, &uid, grace, message, true);
    }

    fn shortage(
        &self,
        cx: &KubeletContext<'_>,
        urgent: &crate::kubelet::eviction::Places,
        seen: &Observations,
        worker: &Worker,
    ) -> String {
        for_shortage(&self.setup.config, urgent, seen, worker, cx.behaviours, cx.now)
    }

    fn first_to_be_evicted(&self, cx: &KubeletContext<'_>, signal: Signal, now: WallTime) -> Option<Uid> {
        let mut workers: Vec<(&Uid, &Worker)> = self.workers.iter().map(|(uid, worker)| (uid, &**worker)).collect();
        workers.retain(|(_, worker)| !worker.is_spared());
        workers.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        let amount: fn(&Resources) -> i64 = match signal {
            Signal::MemoryAvailable => |amounts| amounts.memory,
            Signal::NodeFsAvailable | Signal::ImageFsAvailable => |amounts| amounts.ephemeral_storage,
            Signal::PidAvailable | Signal::Inodes => |_| 0,
        };
        let candidate = |worker: &Worker| {
            let used = worker.pod_use(cx.behaviours, now);
            let used = match signal {
                Signal::MemoryAvailable => used.memory,
                Signal::NodeFsAvailable | Signal::ImageFsAvailable => used.disk,
                Signal::PidAvailable | Signal::Inodes => used.processes,
            };
            let priority = worker.spec.priority.unwrap_or_default();
            Candidate { priority, used, requested: kubelet_request(&worker.spec, amount) }
        };
        let mut pods: Vec<(Candidate, &Uid)> =
            workers.into_iter().map(|(uid, worker)| (candidate(worker), uid)).collect();
        rank(&mut pods, signal);
        pods.first().map(|(_, uid)| (*uid).clone())
    }

    fn evict(&mut self, cx: &mut KubeletContext<'_>, uid: &Uid, grace: SimDuration, message: String, disrupts: bool) {
        if let Some(pressure) = &mut self.pressure {
            pressure.cleaning.push(uid.clone());
        }
        self.sync(cx, uid, |pod| pod.evict(grace, message, disrupts));
    }

    pub(in crate::kubelet) fn node_event(
        &self,
        cx: &mut KubeletContext<'_>,
        kind: EventKind,
        reason: &'static str,
        message: String,
    ) {
        let name = &self.node.name;
        // Kubelets know their Node by its name.
        let uid = Uid::Text(name.clone());
        let about =
            ObjectReference { kind: "Node".into(), name: name.clone().into(), uid, ..ObjectReference::default() };
        let event = EventSpec { about, kind, reason: reason.into(), message: message.into() };
        cx.effects.requests.push(Request::Event(event));
    }
}

impl Worker {
    /// Whether it is never evicted, because the system needs it or it is being evicted.
    pub(super) fn is_spared(&self) -> bool {
        self.is_static() || self.spec.is_critical() || self.verdict().is_some()
    }
}

impl PodSync<'_, '_> {
    /// The kubelet ends the pod for its node's sake.
    pub(super) fn evict(&mut self, grace: SimDuration, message: String, disrupts: bool) {
        self.pod_event(EventKind::Warning, EVICTED, message.clone());
        let disruption = disrupts.then(|| message.clone().into());
        self.end_with(grace, Verdict { reason: EVICTED.into(), message: message.into(), disruption });
    }

    /// Ends the pod as failed for a reason of its kubelet's.
    pub(in crate::kubelet) fn end_with(&mut self, grace: SimDuration, verdict: Verdict) {
        self.worker.extra.get_or_insert_default().verdict = Some(verdict);
        match self.worker.stage {
            Stage::Active => self.plan_end(grace, false, true),
            Stage::Ending { delete, .. } => self.hasten(grace, delete, true),
        }
    }
}
