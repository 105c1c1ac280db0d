//! A tiny cluster for the tests of controllers: a store without latency, both controllers on work queues, and pods
//! that start, become ready and end when told to.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{
    ApiError, Change, ChangeType, Context, Enqueue, MetaPatch, Part, Reason, Reconciler, Request, Response, Step, Then,
    View,
};
use crate::controllers::{DeploymentController, ReplicaSetController};
use crate::kernel::SimDuration;
use crate::objects::{
    Condition, ConditionStatus, Deployment, Key, Kind, Object, ObjectMeta, Pod, PodPhase, PodTemplate, ReplicaSet,
    Resource, Timestamp, Uid, WallTime,
};

/// A template of one container with label `app=web`.
pub(crate) fn template(image: &str) -> PodTemplate {
    PodTemplate::from_wire(Some(&template_wire(image))).expect("the template is well-formed")
}

fn template_wire(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

/// Adds the fields of `changes` to a document, level by level.
fn merge(document: &mut Value, changes: Value) {
    match (document, changes) {
        (Value::Object(document), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(document.entry(key).or_insert(Value::Null), change);
            }
        }
        (document, change) => *document = change,
    }
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Deployments,
    ReplicaSets,
}

/// Says which requests are refused.
pub(crate) type Refusal = Arc<dyn Fn(&Request) -> Option<ApiError>>;

/// The cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) view: View,
    pub(crate) now: WallTime,
    /// Events as `Type Reason Message`.
    pub(crate) events: Vec<String>,
    /// Sizes of all ReplicaSets, in the order of creation, each time one changed.
    pub(crate) steps: Vec<Vec<i32>>,
    /// Requests that reached the store, Events apart.
    pub(crate) writes: usize,
    pub(crate) refuse: Option<Refusal>,
    deployments: DeploymentController,
    replica_sets: ReplicaSetController,
    queue: VecDeque<(Who, Key)>,
    later: Vec<(WallTime, Who, Key)>,
    count: u64,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self {
            view: View::default(),
            now: Timestamp::from_unix_secs(1_767_225_600).wall(),
            events: Vec::new(),
            steps: Vec::new(),
            writes: 0,
            refuse: None,
            deployments: DeploymentController::new(),
            replica_sets: ReplicaSetController::new(),
            queue: VecDeque::new(),
            later: Vec::new(),
            count: 0,
        }
    }

    /// A cluster with Deployment `web` of that many pods, all available.
    pub(crate) fn with_deployment(replicas: i32, spec: Value) -> Self {
        let mut cluster = Self::new();
        cluster.deploy(replicas, spec);
        cluster.finish();
        cluster.steps.clear();
        cluster.events.clear();
        cluster
    }

    pub(crate) fn deploy(&mut self, replicas: i32, spec: Value) {
        let mut wire = json!({
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": template_wire("web:v1"),
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "progressDeadlineSeconds": 600,
                "revisionHistoryLimit": 10,
            },
        });
        merge(&mut wire["spec"], spec);
        let deployment = Deployment::from_wire(wire).expect("the manifest is well-formed");
        self.submit(Request::Create(deployment.into())).expect("it is new");
        self.settle();
    }

    /// Creates ReplicaSet `web` that nobody owns.
    pub(crate) fn create_replica_set(&mut self, replicas: i32, spec: Value) {
        let mut wire = json!({
            "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": template_wire("web:v1"),
            },
        });
        merge(&mut wire["spec"], spec);
        let set = ReplicaSet::from_wire(wire).expect("the manifest is well-formed");
        self.submit(Request::Create(set.into())).expect("it is new");
    }

    /// Creates a pod that nobody owns.
    pub(crate) fn create_pod(&mut self, name: &str, labels: &[(&str, &str)]) {
        let labels = labels.iter().copied().collect();
        let meta = ObjectMeta { name: name.into(), namespace: "default".into(), labels, ..ObjectMeta::default() };
        let pod = Pod { meta, ..Pod::default() };
        self.submit(Request::Create(pod.into())).expect("it is new");
    }

    pub(crate) fn deployment(&self) -> &Arc<Deployment> {
        self.view.deployments.get(&Key::new("default", "web")).expect("it is there")
    }

    pub(crate) fn sets(&self) -> Vec<&Arc<ReplicaSet>> {
        self.view.replica_sets.iter().collect()
    }

    pub(crate) fn pods(&self) -> Vec<Arc<Pod>> {
        self.view.pods.iter().cloned().collect()
    }

    /// Condition of the Deployment as `Status/Reason`.
    pub(crate) fn condition(&self, kind: &str) -> String {
        use crate::objects::Conditions;
        let found = self.deployment().status.conditions.find(kind);
        found.map_or_else(String::new, |found| format!("{}/{}", found.status.as_str(), found.reason))
    }

    /// A user's change of an object.
    pub(crate) fn edit<T: Resource>(&mut self, name: &str, change: impl FnOnce(&mut T)) {
        let object = self.view.object(T::KIND, &Key::new("default", name)).expect("it is there");
        let mut object = T::clone(T::unwrap(&object).expect("of that kind"));
        change(&mut object);
        self.submit(Request::Update(Arc::new(object).wrap(), Part::Main)).expect("it is valid");
        self.settle();
    }

    pub(crate) fn edit_deployment(&mut self, change: impl FnOnce(&mut Deployment)) {
        self.edit("web", change);
    }

    pub(crate) fn set_image(&mut self, image: &str) {
        let template = Arc::new(template(image));
        self.edit_deployment(|deployment| deployment.spec.template = template);
    }

    /// Changes a pod's status on behalf of its node.
    pub(crate) fn edit_pod(&mut self, pod: &Pod, change: impl FnOnce(&mut Pod)) {
        let mut pod = Pod::clone(self.view.pods.get(&pod.key()).expect("it is there"));
        change(&mut pod);
        self.store(pod.into());
    }

    pub(crate) fn make_ready(&mut self, pod: &Pod) {
        let at = self.now.timestamp();
        self.edit_pod(pod, |pod| {
            if !pod.is_bound() {
                pod.node_name = "n1".into();
            }
            pod.status.phase = PodPhase::Running;
            pod.status.conditions = vec![Condition::new("Ready", ConditionStatus::True, at)].into();
        });
    }

    pub(crate) fn remove_pod(&mut self, pod: &Pod) {
        let last = self.view.pods.get(&pod.key()).expect("it is there").clone();
        self.apply(ChangeType::Deleted, Arc::clone(&last).into(), Some(last.into()));
    }

    /// Lets all pods start and be ready, and those that are being deleted end.
    pub(crate) fn turn_pods(&mut self) {
        for pod in self.pods() {
            if pod.meta.is_deleting() {
                self.remove_pod(&pod);
            } else if pod.is_active() && !pod.is_ready() {
                self.make_ready(&pod);
            }
        }
        self.settle();
    }

    /// Goes on until pods have nothing left to do.
    pub(crate) fn finish(&mut self) {
        for _ in 0..1000 {
            let before = self.count;
            self.turn_pods();
            if self.count == before {
                return;
            }
        }
        panic!("the cluster does not come to rest: {:?}", self.steps.last());
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, duration: SimDuration) {
        let end = self.now.plus_nanos(i64::try_from(duration.as_nanos()).expect("not for ever"));
        loop {
            self.later.sort_by_key(|(at, ..)| *at);
            if self.later.first().is_none_or(|(at, ..)| *at > end) {
                break;
            }
            let (at, who, key) = self.later.remove(0);
            self.now = self.now.max(at);
            self.queue.push_back((who, key));
            self.settle();
        }
        self.now = end;
    }

    /// Works the queues off.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some((who, key)) = self.queue.pop_front() else { return };
            match who {
                Who::Deployments => {
                    let mut controller = self.deployments.clone();
                    self.sync(who, &mut controller, &key);
                    self.deployments = controller;
                }
                Who::ReplicaSets => {
                    let mut controller = self.replica_sets.clone();
                    self.sync(who, &mut controller, &key);
                    self.replica_sets = controller;
                }
            }
        }
        panic!("the controllers do not come to rest: {:?}", self.events.last());
    }

    fn sync<R: Reconciler>(&mut self, who: Who, controller: &mut R, key: &Key) {
        let cx = Context { view: &self.view, now: self.now, expectations_met: true };
        let mut step = controller.reconcile(cx, key);
        loop {
            let Step { requests, then } = step;
            let responses: Vec<Response> = requests.into_iter().map(|request| self.submit(request)).collect();
            let failed = responses.iter().any(Result::is_err);
            match then {
                Then::Resume(state) => {
                    let cx = Context { view: &self.view, now: self.now, expectations_met: true };
                    step = controller.resume(cx, key, state, responses);
                }
                Then::Done { requeue_after } => {
                    let after = if failed { Some(controller.rate_limit().base) } else { requeue_after };
                    return self.enqueue_after(who, key, after);
                }
                Then::Retry(_) => return self.enqueue_after(who, key, Some(controller.rate_limit().base)),
            }
        }
    }

    fn enqueue_after(&mut self, who: Who, key: &Key, after: Option<SimDuration>) {
        if let Some(after) = after {
            let at = self.now.plus_nanos(i64::try_from(after.as_nanos()).expect("not for ever"));
            self.later.push((at, who, key.clone()));
        }
    }

    /// What the API server answers.
    pub(crate) fn submit(&mut self, request: Request) -> Response {
        if let Some(error) = self.refuse.as_ref().and_then(|refuse| refuse(&request)) {
            return Err(error);
        }
        self.writes += usize::from(!matches!(request, Request::Event(_)));
        match request {
            Request::Create(object) => self.create(&object),
            Request::Update(object, part) => self.update(&object, part),
            Request::PatchMeta { kind, key, patch, .. } => self.patch_meta(kind, &key, &patch),
            Request::Delete { kind, key, .. } => self.delete(kind, &key),
            Request::Event(event) => {
                self.events.push(format!("{} {} {}", event.kind.as_str(), event.reason, event.message));
                let none = self.view.pods.iter().next().cloned().unwrap_or_default();
                Ok(none.into())
            }
            Request::Patch { .. }
            | Request::Bind { .. }
            | Request::Evict { .. }
            | Request::ReportPod { .. }
            | Request::Scale { .. }
            | Request::Metrics(_) => Err(ApiError::new(Reason::BadRequest, "not in tests")),
        }
    }

    fn create(&mut self, object: &Object) -> Response {
        let serial = self.count + 1;
        let object = object.with_meta(|meta| {
            if meta.name.is_empty() {
                meta.name = format!("{}{serial:05}", meta.generate_name).into();
            }
            meta.uid = Uid::uuid(u128::from(serial));
            meta.generation = 1;
        });
        let at = self.now.timestamp();
        let object = object.with_meta(|meta| meta.creation_timestamp = Some(at));
        if self.view.object(object.kind(), &object.key()).is_some() {
            return Err(ApiError::already_exists(object.kind(), &object.key()));
        }
        self.store(object.clone());
        Ok(self.stored(&object))
    }

    fn stored(&self, object: &Object) -> Object {
        self.view.object(object.kind(), &object.key()).expect("it was stored")
    }

    fn update(&mut self, object: &Object, part: Part) -> Response {
        let Some(stored) = self.view.object(object.kind(), &object.key()) else {
            return Err(ApiError::not_found(object.kind(), &object.key()));
        };
        if stored.meta().resource_version != object.meta().resource_version {
            let why = "the object has been modified; please apply your changes to the latest version and try again";
            return Err(ApiError::conflict(object.kind(), &object.key(), why));
        }
        let updated = match (object, &stored) {
            (Object::Deployment(new), Object::Deployment(old)) => {
                let mut new = Deployment::clone(new);
                if part == Part::Status {
                    new.spec = old.spec.clone();
                } else {
                    new.status = old.status.clone();
                    let changed = new.spec != old.spec || new.meta.annotations != old.meta.annotations;
                    new.meta.generation = old.meta.generation + i64::from(changed);
                }
                Object::from(new)
            }
            (Object::ReplicaSet(new), Object::ReplicaSet(old)) => {
                let mut new = ReplicaSet::clone(new);
                if part == Part::Status {
                    new.spec = old.spec.clone();
                } else {
                    new.status = old.status.clone();
                    new.meta.generation = old.meta.generation + i64::from(new.spec != old.spec);
                }
                Object::from(new)
            }
            _ => object.clone(),
        };
        if updated.to_wire() == stored.to_wire() {
            return Ok(stored);
        }
        self.store(updated);
        Ok(self.stored(object))
    }

    fn patch_meta(&mut self, kind: Kind, key: &Key, patch: &MetaPatch) -> Response {
        let Some(stored) = self.view.object(kind, key) else { return Err(ApiError::not_found(kind, key)) };
        let patched = stored.with_meta(|meta| {
            let kept = meta.owner_references.iter().filter(|owner| !patch.remove_owners.contains(&owner.uid));
            meta.owner_references = kept.cloned().chain(patch.add_owner.clone()).collect();
        });
        self.store(patched.clone());
        Ok(self.stored(&patched))
    }

    fn delete(&mut self, kind: Kind, key: &Key) -> Response {
        let Some(stored) = self.view.object(kind, key) else { return Err(ApiError::not_found(kind, key)) };
        if let Object::Pod(pod) = &stored
            && pod.is_bound()
        {
            let at = self.now.timestamp();
            let deleting = stored.with_meta(|meta| meta.deletion_timestamp = Some(at));
            self.store(deleting);
            return Ok(self.stored(&stored));
        }
        self.apply(ChangeType::Deleted, stored.clone(), Some(stored.clone()));
        Ok(stored)
    }

    fn store(&mut self, object: Object) {
        let old = self.view.object(object.kind(), &object.key());
        let change = if old.is_some() { ChangeType::Modified } else { ChangeType::Added };
        self.apply(change, object, old);
    }

    fn apply(&mut self, change_type: ChangeType, object: Object, old: Option<Object>) {
        self.count += 1;
        let resource_version = self.count;
        let object = object.with_meta(|meta| meta.resource_version = resource_version);
        let change = Change { change_type, object, old, resource_version };
        self.view.apply(&change);
        if change.kind() == Kind::ReplicaSet {
            let sizes: Vec<i32> = self.view.replica_sets.iter().map(|set| set.spec.replicas).collect();
            if self.steps.last() != Some(&sizes) {
                self.steps.push(sizes);
            }
        }
        let mut enqueue = Enqueue::default();
        self.deployments.on_change(&self.view, &change, self.now, &mut enqueue);
        self.take(Who::Deployments, &mut enqueue);
        self.replica_sets.on_change(&self.view, &change, self.now, &mut enqueue);
        self.take(Who::ReplicaSets, &mut enqueue);
    }

    fn take(&mut self, who: Who, enqueue: &mut Enqueue) {
        for (key, delay) in enqueue.drain().collect::<Vec<_>>() {
            if !delay.is_zero() {
                self.enqueue_after(who, &key, Some(delay));
            } else if !self.queue.contains(&(who, key.clone())) {
                self.queue.push_back((who, key));
            }
        }
    }
}
