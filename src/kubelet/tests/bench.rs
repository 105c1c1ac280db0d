//! The small world.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Change, ChangeType, Request, View};
use crate::kernel::{EventQueue, LazyStream, Purpose, SimDuration, SimTime, Streams};
use crate::kubelet::{
    Behaviour, BehaviourSpec, Behaviours, Disks, Effects, Kubelet, KubeletContext, Load, PodCidr, PodTimer,
};
use crate::objects::{
    Conditions, ContainerState, ContainerStatus, Key, ObjectReference, Pod, PodPhase, PodStatus, Resource, Timestamp,
    Uid, WallTime,
};

/// 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

/// How long requests wait at every container.
#[derive(Debug)]
pub(super) struct Busy(pub(super) Option<SimDuration>);

impl Load for Busy {
    fn wait(&self, _: &Uid, _: u16) -> Option<SimDuration> {
        self.0
    }
}

pub(super) struct Bench {
    pub(super) kubelet: Kubelet,
    pub(super) view: View,
    pub(super) now: SimTime,
    behaviours: Behaviours,
    pub(super) disks: Disks,
    luck: LazyStream,
    bad_luck: LazyStream,
    pub(super) slowness_percent: u32,
    /// What keeps the containers busy.
    pub(super) load: Option<Busy>,
    queue: EventQueue<PodTimer>,
    bound: u64,
    /// Events as `12.5s Normal Killing: message`.
    pub(super) events: Vec<String>,
    /// What was seen of each pod, as `12.5s Running ready`, without repetitions.
    pub(super) story: Vec<String>,
    pub(super) status_writes: usize,
    steps: u32,
    /// New sandboxes take pods with init containers back to pending.
    rebooted: bool,
    /// When pods that are being deleted must be gone.
    deadlines: BTreeMap<String, SimTime>,
    /// Statuses as last written, also of pods that are gone.
    statuses: BTreeMap<String, Value>,
}

pub(super) fn behaviours(entries: &str) -> Behaviours {
    let entries: Vec<BehaviourSpec> = serde_yaml::from_str(entries).expect("behaviours");
    Behaviours::new(Behaviour::ideal(), entries)
}

impl Bench {
    pub(super) fn new(entries: &str) -> Self {
        let cidr = PodCidr::new("10.244.1.0".parse().expect("address"), 24);
        Self {
            kubelet: Kubelet::new("n1".into(), "192.168.0.1".parse().expect("address"), cidr),
            view: View::default(),
            now: SimTime::ZERO,
            behaviours: behaviours(entries),
            disks: Disks::default(),
            luck: Streams::new(1).lazy(Purpose::new(1), "pods"),
            bad_luck: Streams::new(1).lazy(Purpose::new(2), "pods"),
            slowness_percent: 100,
            load: None,
            queue: EventQueue::new(),
            bound: 0,
            events: Vec::new(),
            story: Vec::new(),
            status_writes: 0,
            steps: 0,
            rebooted: false,
            deadlines: BTreeMap::new(),
            statuses: BTreeMap::new(),
        }
    }

    pub(super) fn wall(&self) -> WallTime {
        let nanos = i64::try_from(self.now.as_nanos()).expect("short");
        Timestamp::from_unix_secs(EPOCH).wall().plus_nanos(nanos)
    }

    pub(super) fn pod(&self, name: &str) -> Option<&Arc<Pod>> {
        self.view.pods.get(&Key::new("default", name))
    }

    pub(super) fn status(&self, name: &str) -> Value {
        self.pod(name).and_then(|pod| pod.status_wire()).expect("a pod")
    }

    pub(super) fn last_status(&self, name: &str) -> &Value {
        &self.statuses[name]
    }

    /// Timers that were due so far.
    pub(super) const fn steps(&self) -> u32 {
        self.steps
    }

    fn act(&mut self, act: impl FnOnce(&mut Kubelet, &mut KubeletContext<'_>)) {
        let mut effects = Effects::default();
        let mut cx = KubeletContext {
            view: &self.view,
            now: Timestamp::from_unix_secs(EPOCH).wall().plus_nanos(self.now.as_nanos() as i64),
            behaviours: &self.behaviours,
            mounting_takes: SimDuration::ZERO,
            disks: &mut self.disks,
            luck: &mut self.luck,
            bad_luck: &mut self.bad_luck,
            slowness_percent: self.slowness_percent,
            load: self.load.as_ref().map(|load| load as &dyn Load),
            effects: &mut effects,
        };
        act(&mut self.kubelet, &mut cx);
        for (delay, timer) in effects.timers {
            self.queue.push(self.now + delay, 0, timer);
        }
        assert!(effects.node_timers.is_empty(), "no node of this bench is short of anything");
        effects.requests.into_iter().for_each(|request| self.serve(request));
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::ReportPod { pod, uid, status } => self.take_status(&pod, &uid, &status),
            Request::Delete { key, options, .. } => {
                let pod = self.view.pods.get(&key).expect("deleted only once").clone();
                assert_eq!(options.grace_period_seconds, Some(0));
                assert_eq!(options.preconditions.uid, pod.meta.uid);
                assert!(pod.meta.is_deleting(), "nobody asked for the removal of {key}");
                self.remove(&pod);
            }
            Request::Event(event) => {
                assert_eq!(&*event.about.kind, "Pod");
                if event.reason == "Started" {
                    self.check_turn(&event.about);
                }
                let (kind, reason, message) = (event.kind.as_str(), &event.reason, &event.message);
                let entry = format!("{} {kind} {reason}: {message}", self.now);
                self.events.push(entry);
            }
            other => panic!("unexpected: {other:?}"),
        }
    }

    fn take_status(&mut self, key: &Key, uid: &Uid, report: &PodStatus) {
        let pod = self.view.pods.get(key).expect("a status of an existing pod").clone();
        assert_eq!(*uid, pod.meta.uid);
        let new = Pod { status: pod.status.with_report(report), ..Pod::clone(&pod) };
        if new.status == pod.status {
            // After the machine's restart the kubelet does not know what it said before.
            return assert!(self.rebooted, "a write that changes nothing at {}", self.now);
        }
        check_transition(&pod, &new, self.rebooted);
        if new.is_terminal() {
            check_sidecars_were_last(&new);
        }
        self.status_writes += 1;
        let ready = if new.is_ready() { " ready" } else { "" };
        self.statuses.insert(new.meta.name.to_string(), new.status_wire().expect("a status"));
        self.tell(&new.meta.name.clone(), &format!("{}{ready}", new.status.phase.as_str()));
        self.store(new, ChangeType::Modified);
        let pod = self.view.pods.get(key).expect("just stored").clone();
        self.act(|kubelet, cx| kubelet.on_pod_updated(cx, &pod));
    }

    fn tell(&mut self, name: &str, what: &str) {
        let last = self.story.iter().rev().find(|entry| entry.starts_with(&format!("{name} ")));
        if !last.is_some_and(|last| last.ends_with(&format!("s {what}"))) {
            let entry = format!("{name} {} {what}", self.now);
            self.story.push(entry);
        }
    }

    fn store(&mut self, mut pod: Pod, change_type: ChangeType) -> Arc<Pod> {
        let resource_version = self.view.resource_version + 1;
        pod.meta.resource_version = resource_version;
        let pod = Arc::new(pod);
        let change = Change { change_type, object: pod.clone().into(), old: None, resource_version };
        self.view.apply(&change);
        pod
    }

    /// Containers start in their turn: each after the regular init containers before it ended well and the sidecars before
    /// it were started.
    fn check_turn(&self, about: &ObjectReference) {
        let pod = self.pod(&about.name).expect("an event about an existing pod");
        let container = about.field_path.split(['{', '}']).nth(1).expect("an event about a container");
        if about.field_path.starts_with("spec.ephemeral") || pod.status.conditions.is_true("Initialized") {
            return;
        }
        let specs = pod.spec.init_containers.iter();
        for (spec, status) in
            specs.zip(&pod.status.init_container_statuses).take_while(|(spec, _)| *spec.name != *container)
        {
            // One that ended after it was started does not hold the others back.
            let was_up = spec.is_sidecar() && status.last_state != ContainerState::None;
            let is_done = was_up
                || match &status.state {
                    ContainerState::Terminated(end) => spec.is_sidecar() || end.exit_code == 0,
                    ContainerState::Running { .. } => spec.is_sidecar() && status.started == Some(true),
                    ContainerState::Waiting { .. } | ContainerState::None => false,
                };
            assert!(is_done, "{container} was started before its turn, at {}: {status:?}", self.now);
        }
    }

    fn remove(&mut self, pod: &Arc<Pod>) {
        let name = pod.meta.name.clone();
        if let Some(deadline) = self.deadlines.remove(&*name) {
            assert!(self.rebooted || self.now <= deadline, "{name} is gone at {}, was due at {deadline}", self.now);
        }
        self.tell(&name, "gone");
        let gone = self.store((**pod).clone(), ChangeType::Deleted);
        self.act(|kubelet, cx| kubelet.on_pod_deleted(cx, &gone));
    }

    /// A pod with this spec, bound now.
    pub(super) fn bind(&mut self, name: &str, mut spec: Value) -> Arc<Pod> {
        spec["nodeName"] = "n1".into();
        let uid = format!("00000000-0000-0000-0000-{:012x}", self.bound + 1);
        let metadata = json!({"name": name, "namespace": "default", "uid": uid, "generation": 1});
        let pod = Pod::from_wire(json!({"metadata": metadata, "spec": spec})).expect("a pod");
        let pod = self.store(pod, ChangeType::Added);
        let ordinal = self.bound;
        self.bound += 1;
        self.act(|kubelet, cx| kubelet.on_pod_bound(cx, &pod, ordinal));
        pod
    }

    /// A pod with one container of an image, bound now.
    pub(super) fn bind_image(&mut self, name: &str, image: &str, restart_policy: &str) -> Arc<Pod> {
        self.bind(name, json!({"containers": [{"name": "c", "image": image}], "restartPolicy": restart_policy}))
    }

    /// Changes the object, as another client does.
    pub(super) fn change(&mut self, name: &str, change: impl FnOnce(&mut Pod)) {
        let mut pod = (**self.pod(name).expect("a pod")).clone();
        change(&mut pod);
        let pod = self.store(pod, ChangeType::Modified);
        self.act(|kubelet, cx| kubelet.on_pod_updated(cx, &pod));
    }

    /// `kubectl delete pod`; one that has ended, or is deleted with no grace, is gone at once.
    pub(super) fn delete(&mut self, name: &str, grace: i64) {
        let now = self.wall().timestamp();
        let pod = self.pod(name).expect("a pod").clone();
        if grace == 0 || pod.is_terminal() {
            return self.remove(&pod);
        }
        let deadline = self.now + SimDuration::from_secs(grace.max(1).unsigned_abs()) + SLACK;
        let deadline = self.deadlines.get(name).map_or(deadline, |before| deadline.min(*before));
        self.deadlines.insert(name.to_owned(), deadline);
        self.change(name, |pod| {
            let grace = pod.meta.deletion_grace_period_seconds.unwrap_or(grace).min(grace);
            pod.meta.deletion_timestamp = Some(now.plus_secs(grace));
            pod.meta.deletion_grace_period_seconds = Some(grace);
        });
    }

    pub(super) fn app_health(&mut self, name: &str, container: &str, answers: bool) {
        let uid = self.pod(name).expect("a pod").meta.uid.clone();
        self.act(|kubelet, cx| kubelet.on_app_health(cx, &uid, container, answers));
    }

    pub(super) fn dependencies_changed(&mut self, name: &str) {
        let uid = self.pod(name).expect("a pod").meta.uid.clone();
        self.act(|kubelet, cx| kubelet.on_dependency(cx, &uid));
    }

    pub(super) fn pace_changed(&mut self) {
        self.act(Kubelet::on_pace);
    }

    pub(super) fn stop_node(&mut self) {
        self.kubelet.stop();
        self.rebooted = true;
    }

    pub(super) fn start_node(&mut self) {
        self.act(Kubelet::start);
    }

    /// Lets time pass until `millis` after the beginning.
    pub(super) fn run_to(&mut self, millis: u64) {
        let end = SimTime::from_millis(millis);
        while self.queue.peek_time().is_some_and(|time| time <= end) {
            let (time, timer) = self.queue.pop().expect("peeked");
            self.now = time;
            self.steps += 1;
            assert!(self.steps < 100_000, "no end in sight");
            self.act(|kubelet, cx| kubelet.on_timer(cx, timer));
        }
        self.now = end;
    }

    pub(super) fn events_of(&self, reason: &str) -> Vec<&str> {
        let wanted = format!(" {reason}: ");
        self.events.iter().filter(|event| event.contains(&wanted)).map(String::as_str).collect()
    }
}

/// What a container has left whose hook took all of the grace.
const SLACK: SimDuration = SimDuration::from_secs(2);

/// Sidecars that had to be stopped stopped after the regular containers.
fn check_sidecars_were_last(pod: &Pod) {
    let end = |status: &ContainerStatus| match &status.state {
        ContainerState::Terminated(end) => end.finished_at.map(|at| (at, end.exit_code)),
        _ => None,
    };
    let last = pod.status.container_statuses.iter().filter_map(end).map(|(at, _)| at).max();
    for (spec, status) in pod.spec.init_containers.iter().zip(&pod.status.init_container_statuses) {
        if let Some((at, 137 | 143)) = end(status).filter(|_| spec.is_sidecar()) {
            assert!(last.is_none_or(|last| at >= last), "{} ended before the regular containers", spec.name);
        }
    }
}

/// A pod that has ended stays so, one that ran is not pending again unless its machine restarted, restarts only grow, and
/// conditions say when they changed.
fn check_transition(old: &Pod, new: &Pod, rebooted: bool) {
    let (from, to) = (old.status.phase, new.status.phase);
    assert!(!old.is_terminal(), "{} after {}", to.as_str(), from.as_str());
    let anew = new.status.conditions.find("AllContainersRestarting").is_some();
    let again = !rebooted && !anew && from == PodPhase::Running && to == PodPhase::Pending;
    assert!(!again, "pending after running");
    for (before, after) in old.status.container_statuses.iter().zip(&new.status.container_statuses) {
        assert!(before.restart_count <= after.restart_count);
    }
    for condition in &new.status.conditions {
        assert!(condition.last_transition_time.is_some());
        let before = old.status.conditions.iter().find(|before| before.kind == condition.kind);
        if let Some(before) = before.filter(|before| before.status == condition.status) {
            assert_eq!(before.last_transition_time, condition.last_transition_time, "{}", condition.kind);
        }
    }
}
