//! Whether a kubelet takes a pod that was bound to its node (upstream `pkg/kubelet/lifecycle`, `eviction`, `sysctl`), and how it
//! makes room for one that the system needs (`pkg/kubelet/preemption`).

mod fit;
mod preemption;
mod sysctls;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use crate::api::{EventKind, EventSpec, Request};
use crate::objects::{Key, Node, Object, Pod, PodPhase, PodStatus, Resource, Resources, Uid, WallTime};

use super::driver::{Kubelet, KubeletContext, confirm_deletion};
use super::shutdown::Shutdown;
use super::worker::Verdict;

/// What the pods that the kubelet has taken add up to, those that wait for room, and what keeps all others out.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    /// When the kubelet was started last.
    pub(super) since: WallTime,
    requested: Resources,
    /// Pods for which others go.
    waiting: Vec<Waiting>,
    /// Pods that ended, or were rejected, before it heard of a deletion.
    pub(super) ended: FxHashSet<Uid>,
    /// The end of the machine, while it is under way.
    pub(super) shutdown: Option<Box<Shutdown>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    pod: Arc<Pod>,
    ordinal: u64,
    victims: SmallVec<[Uid; 2]>,
}

/// Why a pod is not taken: one word, and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    reason: String,
    message: String,
}

impl Rejection {
    pub(super) fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }
}

/// What comes of asking for admission.
enum Answer {
    Taken,
    /// When these pods are gone.
    Later(SmallVec<[Uid; 2]>),
    Rejected(Rejection),
}

impl Admitted {
    pub(super) fn add(&mut self, requests: &Resources) {
        self.requested.add(requests);
    }

    pub(super) fn remove(&mut self, requests: &Resources) {
        self.requested.sub(requests);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Kubelet {
    /// Whether the kubelet takes the pod now. One that it does not take has failed, unless it waits for others to go.
    pub(super) fn admits(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>, ordinal: u64) -> bool {
        match self.ask(cx, pod) {
            Answer::Taken => true,
            Answer::Later(victims) => {
                let preempted = victims.clone();
                self.admitted.waiting.push(Waiting { pod: pod.clone(), ordinal, victims });
                preempted.iter().for_each(|victim| self.preempt(cx, victim));
                false
            }
            Answer::Rejected(rejection) => {
                self.reject(cx, pod, &rejection);
                false
            }
        }
    }

    fn ask(&self, cx: &KubeletContext<'_>, pod: &Pod) -> Answer {
        match (self.ask_those_before(cx, pod), self.refuses_in_shutdown()) {
            (Answer::Taken | Answer::Later(_), Some(rejection)) => Answer::Rejected(rejection),
            (answer, _) => answer,
        }
    }

    /// What all say but the shutdown, which is asked last.
    fn ask_those_before(&self, cx: &KubeletContext<'_>, pod: &Pod) -> Answer {
        if let Some(rejection) = self.refuses_under_pressure(pod).or_else(|| sysctls::refused(pod)) {
            return Answer::Rejected(rejection);
        }
        // A kubelet whose Node is gone goes by what it knows of its machine; there it has no reason to refuse.
        let Some(node) = cx.view.nodes.get(&Key::new("", self.node.name.clone())) else { return Answer::Taken };
        if let Some(rejection) = wrong_system(pod) {
            return Answer::Rejected(rejection);
        }
        let lacks = fit::lacking(&pod.spec.requests, &self.admitted.requested, self.workers.len(), node);
        let other = self.predicates(pod, node);
        if lacks.is_empty() && other.is_none() {
            return Answer::Taken;
        }
        if pod.is_critical() {
            return match other {
                Some(rejection) => Answer::Rejected(rejection),
                None => self.make_room(pod, &lacks),
            };
        }
        let shortage = lacks.first().map(fit::Lack::rejection);
        shortage.or(other).map_or(Answer::Taken, Answer::Rejected)
    }

    /// Upstream `managerImpl.Admit`.
    fn refuses_under_pressure(&self, pod: &Pod) -> Option<Rejection> {
        let pressure = self.pressure_conditions();
        if !pressure.any() || pod.is_critical() {
            return None;
        }
        let only_memory = pressure.memory && !pressure.disk && !pressure.pids;
        let bears = |toleration: &crate::objects::Toleration| {
            toleration.bears("node.kubernetes.io/memory-pressure", "", "NoSchedule")
        };
        let is_best_effort = pod.spec.qos_class == crate::objects::QosClass::BestEffort;
        if only_memory && (!is_best_effort || pod.spec.tolerations.iter().any(bears)) {
            return None;
        }
        let message = format!("The node had condition: [{}]. ", pressure.names().join(" "));
        Some(Rejection::new(super::pressure::EVICTED, message))
    }

    /// The first of the predicates that is not about amounts (upstream `AdmissionCheck`, then taints).
    fn predicates(&self, pod: &Pod, node: &Node) -> Option<Rejection> {
        let failed = |name: &str, why: &str| Some(Rejection::new(name, format!("Predicate {name} failed: {why}")));
        if !pod.accepts_node(&node.meta.name, &node.meta.labels) {
            return failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
        }
        let taken = || self.workers.values().map(|worker| &worker.spec);
        if fit::ports_conflict(&pod.spec, taken) {
            return failed("NodePorts", "node(s) didn't have free ports for the requested pod ports");
        }
        let drives_out = |taint: &&crate::objects::Taint| taint.effect == *"NoExecute";
        let is_borne = |taint: &crate::objects::Taint| pod.spec.tolerations.iter().any(|bears| bears.tolerates(taint));
        if !pod.is_static() && node.spec.taints.iter().filter(drives_out).any(|taint| !is_borne(taint)) {
            return failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
        }
        None
    }

    fn preempt(&mut self, cx: &mut KubeletContext<'_>, victim: &Uid) {
        const MESSAGE: &str = "Preempted in order to admit critical pod";
        const DISRUPTION: &str = "Pod was preempted by Kubelet to accommodate a critical pod.";
        self.sync(cx, victim, |pod| {
            pod.pod_event(EventKind::Warning, "Preempting", MESSAGE);
            let grace = pod.own_grace();
            let verdict =
                Verdict { reason: "Preempting".into(), message: MESSAGE.into(), disruption: Some(DISRUPTION.into()) };
            pod.end_with(grace, verdict);
        });
    }

    /// A pod has ended: one that waited for it may begin.
    pub(super) fn let_in_after(&mut self, cx: &mut KubeletContext<'_>, gone: &Uid) {
        for waiting in &mut self.admitted.waiting {
            waiting.victims.retain(|victim| victim != gone);
        }
        let is_due = |waiting: &Waiting| waiting.victims.is_empty();
        let Some(at) = self.admitted.waiting.iter().position(is_due) else { return };
        let Waiting { pod, ordinal, .. } = self.admitted.waiting.remove(at);
        if let Some(rejection) = self.refuses_in_shutdown() {
            return self.reject(cx, &pod, &rejection);
        }
        if pod.is_static() {
            self.take(cx, &pod, ordinal);
            return self.make_mirrors(cx);
        }
        let current = cx.view.pods.get(&pod.key()).filter(|current| current.meta.uid == pod.meta.uid).cloned();
        if let Some(pod) = current.filter(|pod| !pod.meta.is_deleting()) {
            self.take(cx, &pod, ordinal);
        }
    }

    /// Says that the pod has failed (upstream `rejectPod`): its object stays.
    fn reject(&mut self, cx: &mut KubeletContext<'_>, pod: &Arc<Pod>, rejection: &Rejection) {
        let Rejection { reason, message } = rejection;
        let about = Object::Pod(pod.clone());
        let event = EventSpec::about(&about, EventKind::Warning, reason.clone(), message.clone());
        let status = PodStatus {
            observed_generation: (pod.meta.generation > 0).then_some(pod.meta.generation),
            phase: PodPhase::Failed,
            reason: reason.clone().into(),
            message: format!("Pod was rejected: {message}").into(),
            start_time: pod.status.start_time.or_else(|| Some(cx.now.timestamp())),
            qos_class: Some(pod.spec.qos_class),
            ..PodStatus::default()
        };
        let report = Request::ReportPod { pod: pod.key(), uid: pod.meta.uid.clone(), status: Arc::new(status) };
        cx.effects.requests.extend([Request::Event(event), report]);
        if pod.meta.is_deleting() {
            confirm_deletion(cx, pod);
        } else {
            self.admitted.ended.insert(pod.meta.uid.clone());
        }
    }
}

/// A pod whose operating system is another one.
fn wrong_system(pod: &Pod) -> Option<Rejection> {
    const LABEL: &str = "kubernetes.io/os";
    const OURS: &str = "linux";
    if pod.meta.labels.get(LABEL).is_some_and(|system| system != OURS) {
        let message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
        return Some(Rejection::new("PodOSSelectorNodeLabelDoesNotMatch", message));
    }
    let system = pod.spec.wire().get("os").and_then(|system| system.get("name")?.as_str());
    system
        .filter(|system| *system != OURS)
        .map(|_| Rejection::new("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"))
}
