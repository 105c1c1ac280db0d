//! A tiny cluster of nodes for the tests of the controllers that deal with their loss: a store without latency,
//! kubelets that renew leases, both controllers with their timers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{
    ApiError, Change, ChangeType, Context, Enqueue, Part, Reason, Reconciler, Request, Response, Step, Then, View,
};
use crate::controllers::{NodeLifecycleConfig, NodeLifecycleController, TaintEvictionController};
use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Conditions, Key, Kind, Lease, Node, Object, ObjectMeta, Pod, Resource, Taint,
    Timestamp, Typed, Uid, WallTime,
};

const SECOND: i64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Lifecycle,
    Eviction,
}

/// Says which requests are refused.
pub(super) type Refusal = Arc<dyn Fn(&Request) -> Option<ApiError>>;

/// The cluster.
pub(super) struct Nodes {
    pub(super) view: View,
    start: WallTime,
    now: WallTime,
    /// Events as `seconds object Reason Message`.
    pub(super) events: Vec<String>,
    /// Requests of the controllers, Events apart, as `seconds verb object`.
    pub(super) writes: Vec<String>,
    /// Steps of syncs that ran.
    pub(super) steps: usize,
    pub(super) refuse: Option<Refusal>,
    /// Living kubelets and their next renewal.
    kubelets: BTreeMap<String, WallTime>,
    lifecycle: NodeLifecycleController,
    eviction: TaintEvictionController,
    timers: BTreeSet<(WallTime, u64, Who, Key)>,
    count: u64,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self::configured(NodeLifecycleConfig::default())
    }

    pub(super) fn configured(config: NodeLifecycleConfig) -> Self {
        let start = Timestamp::from_unix_secs(1_767_225_600).wall();
        Self {
            view: View::default(),
            start,
            now: start,
            events: Vec::new(),
            writes: Vec::new(),
            steps: 0,
            refuse: None,
            kubelets: BTreeMap::new(),
            lifecycle: NodeLifecycleController::new(config),
            eviction: TaintEvictionController::default(),
            timers: BTreeSet::new(),
            count: 0,
        }
    }

    /// A cluster of ready nodes `n1`, `n2`, … in one zone, which live.
    pub(super) fn ready(count: usize) -> Self {
        let mut nodes = Self::new();
        (1..=count).for_each(|n| nodes.join(&format!("n{n}"), "z"));
        nodes.run_until(1);
        nodes.forget_past();
        nodes
    }

    pub(super) fn forget_past(&mut self) {
        self.events.clear();
        self.writes.clear();
        self.steps = 0;
    }

    /// A node that is ready and lives.
    pub(super) fn join(&mut self, name: &str, zone: &str) {
        self.create_node(json!({
            "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}},
            "status": {"conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "DiskPressure", "status": "False"},
                {"type": "PIDPressure", "status": "False"},
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": self.now.timestamp()},
            ]},
        }));
        self.kubelets.insert(name.to_owned(), self.now);
    }

    pub(super) fn create_node(&mut self, wire: Value) {
        let mut node = Node::from_wire(wire).expect("the manifest is well-formed");
        node.meta.creation_timestamp = Some(self.now.timestamp());
        self.write(node.into());
    }

    /// The kubelet falls silent.
    pub(super) fn kill(&mut self, name: &str) {
        self.kubelets.remove(name);
    }

    /// The kubelet speaks again: all is well.
    pub(super) fn revive(&mut self, name: &str) {
        self.kubelets.insert(name.to_owned(), self.now);
        self.report(name, ConditionStatus::True);
    }

    /// The kubelet reports its readiness.
    pub(super) fn report(&mut self, name: &str, ready: ConditionStatus) {
        self.change_node(name, |node, now| {
            let mut conditions = node.status.conditions.to_vec();
            for condition in &mut conditions {
                condition.last_heartbeat_time = Some(now);
                condition.status = if condition.kind == *"Ready" { ready } else { ConditionStatus::False };
            }
            node.status.conditions = conditions.into();
        });
    }

    pub(super) fn change_node(&mut self, name: &str, change: impl FnOnce(&mut Node, Timestamp)) {
        let mut node = (**self.node(name)).clone();
        change(&mut node, self.now.timestamp());
        self.write(node.into());
    }

    /// Adds a taint by hand.
    pub(super) fn taint(&mut self, name: &str, key: &str, effect: &'static str) {
        let taint = Taint { key: key.into(), effect: effect.into(), ..Taint::default() };
        self.change_node(name, |node, _| {
            node.spec.taints = node.spec.taints.iter().cloned().chain([taint]).collect();
        });
    }

    pub(super) fn untaint(&mut self, name: &str, key: &str) {
        self.change_node(name, |node, _| {
            node.spec.taints = node.spec.taints.iter().filter(|taint| *taint.key != *key).cloned().collect();
        });
    }

    pub(super) fn remove_node(&mut self, name: &str) {
        self.kill(name);
        let node = Arc::clone(self.node(name));
        self.publish(ChangeType::Deleted, node.into());
    }

    /// A ready pod on a node.
    pub(super) fn pod(&mut self, name: &str, node: &str, tolerations: Value) {
        let pod = Pod::from_wire(json!({
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "web:v1"}], "tolerations": tolerations},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        }));
        self.write(pod.expect("the manifest is well-formed").into());
    }

    pub(super) fn remove_pod(&mut self, name: &str) {
        let pod = self.find_pod(name).expect("it is there");
        self.publish(ChangeType::Deleted, pod.into());
    }

    pub(super) fn node(&self, name: &str) -> &Arc<Node> {
        self.view.nodes.get(&Key::new("", name)).expect("it is there")
    }

    /// A condition of a node as `Status/Reason/Message`.
    pub(super) fn condition(&self, name: &str, kind: &str) -> String {
        let condition = self.node(name).status.conditions.find(kind).expect("it is there");
        format!("{}/{}/{}", condition.status.as_str(), &*condition.reason, &*condition.message)
    }

    /// Taints of a node as `key:effect`, without the common prefix.
    pub(super) fn taints(&self, name: &str) -> Vec<String> {
        let short = |taint: &Taint| {
            format!("{}:{}", taint.key.strip_prefix("node.kubernetes.io/").unwrap_or(&taint.key), &*taint.effect)
        };
        self.node(name).spec.taints.iter().map(short).collect()
    }

    pub(super) fn find_pod(&self, name: &str) -> Option<Arc<Pod>> {
        self.view.pods.get(&Key::new("default", name)).cloned()
    }

    pub(super) fn is_ready(&self, pod: &str) -> bool {
        self.find_pod(pod).is_some_and(|pod| pod.is_ready())
    }

    pub(super) fn is_deleting(&self, pod: &str) -> bool {
        self.find_pod(pod).is_some_and(|pod| pod.meta.is_deleting())
    }

    /// Lets time pass until so many seconds after the start.
    pub(super) fn run_until(&mut self, secs: i64) {
        self.run_until_millis(secs * 1000);
    }

    pub(super) fn run_until_millis(&mut self, millis: i64) {
        let end = self.start.plus_nanos(millis * 1_000_000);
        loop {
            let renewal = self.kubelets.iter().map(|(name, at)| (*at, name.clone())).min();
            let timer = self.timers.first().map(|(at, ..)| *at);
            match (renewal, timer) {
                (Some((at, name)), timer) if at <= end && timer.is_none_or(|timer| at <= timer) => {
                    self.now = self.now.max(at);
                    self.kubelets.insert(name.clone(), at.plus_nanos(10 * SECOND));
                    self.renew(&name);
                }
                (_, Some(at)) if at <= end => self.sync_next(),
                _ => break,
            }
        }
        self.now = end;
    }

    fn renew(&mut self, name: &str) {
        let meta = ObjectMeta { name: name.into(), namespace: "kube-node-lease".into(), ..ObjectMeta::default() };
        self.write(Lease { meta, renew_time: self.now, ..Lease::default() }.into());
    }

    fn sync_next(&mut self) {
        let Some((at, _, who, key)) = self.timers.pop_first() else { return };
        self.now = self.now.max(at);
        match who {
            Who::Lifecycle => {
                let mut controller = std::mem::take(&mut self.lifecycle);
                self.sync(&mut controller, who, &key, |nodes| &mut nodes.lifecycle);
            }
            Who::Eviction => {
                let mut controller = std::mem::take(&mut self.eviction);
                self.sync(&mut controller, who, &key, |nodes| &mut nodes.eviction);
            }
        }
    }

    /// Runs a sync. Between its steps the controller is back in its place, where it sees the changes.
    fn sync<R: Reconciler>(&mut self, controller: &mut R, who: Who, key: &Key, place: fn(&mut Self) -> &mut R) {
        let context = |nodes: &Self| (nodes.view.clone(), nodes.now);
        let (view, now) = context(self);
        let mut step = controller.reconcile(Context { view: &view, now, expectations_met: true }, key);
        loop {
            self.steps += 1;
            std::mem::swap(controller, place(self));
            let Step { requests, then } = step;
            let responses: Vec<Response> = requests.into_iter().filter_map(|request| self.answer(request)).collect();
            let failed = responses.iter().any(Result::is_err);
            match then {
                Then::Resume(state) => {
                    std::mem::swap(controller, place(self));
                    let (view, now) = context(self);
                    let cx = Context { view: &view, now, expectations_met: true };
                    step = controller.resume(cx, key, state, responses);
                }
                Then::Done { requeue_after } if !failed => {
                    requeue_after.into_iter().for_each(|delay| self.delay(who, key.clone(), delay));
                    return;
                }
                _ => return self.delay(who, key.clone(), SimDuration::from_millis(5)),
            }
        }
    }

    fn delay(&mut self, who: Who, key: Key, delay: SimDuration) {
        self.count += 1;
        let at = self.now.plus_nanos(i64::try_from(delay.as_nanos()).expect("a short time"));
        self.timers.insert((at, self.count, who, key));
    }

    fn millis(&self) -> i64 {
        self.now.nanos_since(self.start) / 1_000_000
    }

    fn seconds(&self) -> String {
        format!("{}.{}", self.millis() / 1000, self.millis() % 1000 / 100)
    }

    fn answer(&mut self, request: Request) -> Option<Response> {
        if let Request::Event(spec) = request {
            let line = format!("{} {} {} {}", self.seconds(), &*spec.about.name, &*spec.reason, &*spec.message);
            self.events.push(line);
            return None;
        }
        if let Some(error) = self.refuse.as_ref().and_then(|refuse| refuse(&request)) {
            return Some(Err(error));
        }
        let (verb, kind, key) = match &request {
            Request::Update(object, Part::Status) => ("status", object.kind(), object.key()),
            Request::Update(object, _) => ("update", object.kind(), object.key()),
            Request::Patch { kind, key, .. } => ("patch", *kind, key.clone()),
            Request::PatchMeta { kind, key, .. } => ("label", *kind, key.clone()),
            Request::Delete { kind, key, .. } => ("delete", *kind, key.clone()),
            other => panic!("unexpected {other:?}"),
        };
        self.writes.push(format!("{} {verb} {}", self.seconds(), key.name));
        Some(self.execute(kind, &key, request))
    }

    fn execute(&mut self, kind: Kind, key: &Key, request: Request) -> Response {
        let Some(old) = self.view.object(kind, key) else { return Err(ApiError::not_found(kind, key)) };
        let new = match request {
            Request::Update(object, part) => {
                if object.meta().resource_version != old.meta().resource_version {
                    return Err(ApiError::conflict(kind, key, "the object has been modified"));
                }
                updated(&old, &object, part)
            }
            Request::Patch { document, .. } => patched(&old, &document),
            Request::PatchMeta { patch, .. } => old.with_meta(|meta| {
                for (label, value) in patch.labels {
                    meta.labels = meta.labels.with(&label, &value.expect("labels are set"));
                }
            }),
            Request::Delete { options, .. } if options.preconditions.uid != old.meta().uid => {
                return Err(ApiError::new(Reason::Conflict, "another uid"));
            }
            _ => old.with_meta(|meta| meta.deletion_timestamp = Some(self.now.timestamp().plus_secs(30))),
        };
        Ok(self.write(new))
    }

    /// Stores an object and tells the controllers.
    pub(super) fn write(&mut self, object: Object) -> Object {
        let known = self.view.object(object.kind(), &object.key()).is_some();
        self.publish(if known { ChangeType::Modified } else { ChangeType::Added }, object)
    }

    fn publish(&mut self, change_type: ChangeType, object: Object) -> Object {
        let old = self.view.object(object.kind(), &object.key());
        let resource_version = self.view.resource_version + 1;
        let object = object.with_meta(|meta| {
            meta.resource_version = resource_version;
            if meta.uid.is_none() {
                meta.uid = Uid::uuid(resource_version.into());
            }
        });
        let change = Change { change_type, object: object.clone(), old, resource_version };
        self.view.apply(&change);
        let (mut lifecycle, mut eviction) = (Enqueue::default(), Enqueue::default());
        self.lifecycle.on_change(&self.view, &change, self.now, &mut lifecycle);
        self.eviction.on_change(&self.view, &change, self.now, &mut eviction);
        for (key, delay) in lifecycle.drain() {
            self.delay(Who::Lifecycle, key, delay);
        }
        for (key, delay) in eviction.drain() {
            self.delay(Who::Eviction, key, delay);
        }
        object
    }
}

fn updated(old: &Object, new: &Object, part: Part) -> Object {
    match (old, new, part) {
        (Object::Node(old), Object::Node(new), Part::Status) => {
            Node { status: new.status.clone(), ..Node::clone(old) }.into()
        }
        (Object::Node(old), Object::Node(new), _) => Node { status: old.status.clone(), ..Node::clone(new) }.into(),
        (Object::Pod(old), Object::Pod(new), Part::Status) => {
            Pod { status: new.status.clone(), ..Pod::clone(old) }.into()
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// Adds the conditions of a patch.
pub(super) fn patched(old: &Object, document: &Value) -> Object {
    let mut pod = (**Pod::unwrap(old).expect("pods are patched")).clone();
    assert_eq!(document["metadata"]["uid"], json!(pod.meta.uid));
    let status = &document["status"];
    let field = |name: &str| status.get(name).cloned();
    if let Some(conditions) = field("conditions") {
        let new: Vec<Condition> = serde_json::from_value(conditions).expect("conditions");
        pod.status.conditions = pod.status.conditions.iter().cloned().chain(new).collect();
    }
    if let Some(phase) = field("phase") {
        pod.status.phase = serde_json::from_value(phase).expect("a phase");
        pod.status.observed_generation = field("observedGeneration").and_then(|generation| generation.as_i64());
    }
    pod.into()
}
