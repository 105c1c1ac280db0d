//! A tiny API server with one controller on it, for tests of controllers.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::{
    ApiError, Change, ChangeType, Context, DeleteOptions, Enqueue, EventSpec, MetaPatch, Part, Propagation, Reason,
    Reconciler, Request, Response, Step, Then, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, Namespace, Object, Pod, Uid, WallTime};

/// Most syncs until nothing is left to do: a controller that needs more never settles.
const MAX_SYNCS: usize = 100_000;

/// Objects, and a controller that sees them. Writes show at once, unless the view is frozen.
pub(crate) struct TestCluster<R: Reconciler> {
    /// What is stored.
    pub(crate) store: View,
    /// What the controller sees.
    pub(crate) view: View,
    pub(crate) controller: R,
    pub(crate) now: WallTime,
    /// Accepted requests of the controller, as text.
    pub(crate) writes: Vec<String>,
    pub(crate) events: Vec<EventSpec>,
    /// Why syncs failed.
    pub(crate) failures: Vec<String>,
    /// Whether changes are kept from the controller.
    pub(crate) frozen: bool,
    /// Requests, by a part of their text, that the server refuses.
    pub(crate) refuse: Option<&'static str>,
    behind: VecDeque<Change>,
    ready: VecDeque<Key>,
    waiting: Vec<(WallTime, Key)>,
    revision: u64,
}

impl<R: Reconciler + Default> Default for TestCluster<R> {
    fn default() -> Self {
        Self {
            store: View::default(),
            view: View::default(),
            controller: R::default(),
            now: WallTime::from_unix_nanos(1_767_225_600_000_000_000),
            writes: Vec::new(),
            events: Vec::new(),
            failures: Vec::new(),
            frozen: false,
            refuse: None,
            behind: VecDeque::new(),
            ready: VecDeque::new(),
            waiting: Vec::new(),
            revision: 0,
        }
    }
}

impl<R: Reconciler> TestCluster<R> {
    // ---- the API ----

    /// Creates an object from its manifest.
    pub(crate) fn apply(&mut self, manifest: serde_json::Value) -> Object {
        self.create(&Object::from_wire(manifest).expect("the manifest is well-formed")).expect("it is new")
    }

    pub(crate) fn create(&mut self, object: &Object) -> Response {
        let serial = self.revision + 1;
        let object = object.with_meta(|meta| {
            if meta.name.is_empty() {
                meta.name = format!("{}{serial:05}", meta.generate_name).into();
            }
            meta.uid = Uid::uuid(u128::from(serial));
            meta.generation = 1;
            meta.creation_timestamp = Some(self.now.timestamp());
        });
        if self.store.object(object.kind(), &object.key()).is_some() {
            return Err(ApiError::already_exists(object.kind(), &object.key()));
        }
        Ok(self.publish(ChangeType::Added, object, None))
    }

    /// Replaces an object, as a request without a version does.
    pub(crate) fn update(&mut self, object: &Object) -> Response {
        let (kind, key) = (object.kind(), object.key());
        let old = self.stored(kind, &key)?;
        let version = object.meta().resource_version;
        if version != 0 && version != old.meta().resource_version {
            return Err(ApiError::conflict(kind, &key, "the object has been modified"));
        }
        let new = object.with_meta(|meta| {
            meta.uid = old.meta().uid.clone();
            meta.generation = old.meta().generation + 1;
            meta.creation_timestamp = old.meta().creation_timestamp;
            meta.deletion_timestamp = old.meta().deletion_timestamp;
            meta.deletion_grace_period_seconds = old.meta().deletion_grace_period_seconds;
        });
        Ok(self.settle_write(old, new))
    }

    /// Changes a pod.
    pub(crate) fn change_pod(&mut self, key: &Key, change: impl FnOnce(&mut Pod)) {
        let mut pod = Pod::clone(self.store.pods.get(key).expect("the pod exists"));
        change(&mut pod);
        let old = self.store.object(Kind::Pod, key).expect("the pod exists");
        self.settle_write(old, pod.into());
    }

    pub(crate) fn patch_meta(&mut self, kind: Kind, key: &Key, uid: &Uid, patch: &MetaPatch) -> Response {
        let old = self.stored(kind, key)?;
        if !uid.is_none() && *uid != old.meta().uid {
            return Err(ApiError::conflict(kind, key, "the uid differs"));
        }
        let new = old.with_meta(|meta| {
            let mut owners = meta.owner_references.to_vec();
            owners.retain(|owner| !patch.remove_owners.contains(&owner.uid));
            for owner in owners.iter_mut().filter(|owner| patch.unblock_owners.contains(&owner.uid)) {
                owner.block_owner_deletion = Some(false);
            }
            owners.extend(patch.add_owner.clone());
            meta.owner_references = owners.into();
            let mut finalizers = meta.finalizers.to_vec();
            finalizers.retain(|finalizer| !patch.remove_finalizers.contains(finalizer));
            finalizers.extend(patch.add_finalizers.iter().cloned());
            meta.finalizers = finalizers.into();
            for (label, value) in &patch.labels {
                meta.labels = match value {
                    Some(value) => meta.labels.with(label, value),
                    None => meta.labels.without(label),
                };
            }
        });
        Ok(self.settle_write(old, new))
    }

    pub(crate) fn delete(&mut self, kind: Kind, key: &Key, options: &DeleteOptions) -> Response {
        let old = self.stored(kind, key)?;
        let wanted = &options.preconditions;
        let meta = old.meta();
        if (!wanted.uid.is_none() && wanted.uid != meta.uid)
            || (wanted.resource_version != 0 && wanted.resource_version != meta.resource_version)
        {
            return Err(ApiError::conflict(kind, key, "a precondition does not hold"));
        }
        let finalizers: Vec<Arc<str>> = match options.propagation {
            None => meta.finalizers.to_vec(),
            Some(policy) => {
                let wanted = match policy {
                    Propagation::Orphan => Some("orphan"),
                    Propagation::Foreground => Some("foregroundDeletion"),
                    Propagation::Background => None,
                };
                let others = meta.finalizers.iter().filter(|f| !["orphan", "foregroundDeletion"].contains(&&***f));
                others.cloned().chain(wanted.map(Arc::from)).collect()
            }
        };
        let grace = match &old {
            Object::Pod(pod) if pod.is_bound() && !pod.is_terminal() => {
                options.grace_period_seconds.or(pod.spec.termination_grace_period_seconds).unwrap_or(30)
            }
            _ => 0,
        };
        let held = matches!(&old, Object::Namespace(namespace) if !namespace.finalizers.is_empty());
        if grace == 0 && finalizers.is_empty() && !held {
            return Ok(self.publish(ChangeType::Deleted, old, None));
        }
        let new = old.with_meta(|meta| {
            meta.finalizers = finalizers.into();
            let end = self.now.timestamp().plus_secs(grace);
            meta.deletion_timestamp = Some(meta.deletion_timestamp.unwrap_or(end));
            meta.deletion_grace_period_seconds = (!held).then_some(grace);
        });
        let new = match new {
            Object::Namespace(namespace) => {
                Namespace { phase: "Terminating".into(), ..Namespace::clone(&namespace) }.into()
            }
            other => other,
        };
        if new.meta() == old.meta() { Ok(old) } else { Ok(self.publish(ChangeType::Modified, new, Some(old))) }
    }

    /// Removes a pod at once, as a kubelet that is done with it does.
    pub(crate) fn finish(&mut self, pod: &Key) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        self.delete(Kind::Pod, pod, &options).expect("the pod exists");
    }

    fn stored(&self, kind: Kind, key: &Key) -> Response {
        self.store.object(kind, key).ok_or_else(|| ApiError::not_found(kind, key))
    }

    fn settle_write(&mut self, old: Object, new: Object) -> Object {
        let meta = new.meta();
        let held = matches!(&new, Object::Namespace(namespace) if !namespace.finalizers.is_empty());
        if meta.is_deleting()
            && meta.finalizers.is_empty()
            && !held
            && matches!(meta.deletion_grace_period_seconds, None | Some(0))
        {
            return self.publish(ChangeType::Deleted, new, None);
        }
        self.publish(ChangeType::Modified, new, Some(old))
    }

    fn publish(&mut self, change_type: ChangeType, object: Object, old: Option<Object>) -> Object {
        self.revision += 1;
        let object = object.with_meta(|meta| meta.resource_version = self.revision);
        let change = Change { change_type, object: object.clone(), old, resource_version: self.revision };
        self.store.apply(&change);
        self.behind.push_back(change);
        if !self.frozen {
            self.catch_up();
        }
        object
    }

    fn execute(&mut self, request: &Request) -> Response {
        let text = describe(request);
        if self.refuse.is_some_and(|refused| text.contains(refused)) {
            return Err(ApiError::new(Reason::InternalError, format!("refused: {text}")));
        }
        let response = match request {
            Request::Create(object) => self.create(object),
            Request::Update(object, Part::Main) => self.update(object),
            Request::Update(object, Part::Status | Part::Finalize) => {
                let old = self.stored(object.kind(), &object.key())?;
                let version = object.meta().resource_version;
                if version != 0 && version != old.meta().resource_version {
                    return Err(ApiError::conflict(object.kind(), &object.key(), "the object has been modified"));
                }
                Ok(self.settle_write(old, object.clone()))
            }
            Request::Patch { kind, key, document, .. } => {
                let old = self.stored(*kind, key)?;
                let new = super::test_nodes::patched(&old, document);
                Ok(self.settle_write(old, new))
            }
            Request::PatchMeta { kind, key, uid, patch } => self.patch_meta(*kind, key, uid, patch),
            Request::Delete { kind, key, options } => self.delete(*kind, key, options),
            other => panic!("{other:?} is no request of these controllers"),
        };
        if response.is_ok() {
            self.writes.push(text);
        }
        response
    }

    // ---- the controller ----

    /// Shows the controller all that it has not seen.
    pub(crate) fn catch_up(&mut self) {
        let mut queue = Enqueue::default();
        while let Some(change) = self.behind.pop_front() {
            self.view.apply(&change);
            self.controller.on_change(&self.view, &change, self.now, &mut queue);
            for (key, delay) in queue.drain() {
                if delay.is_zero() { self.wake(key) } else { self.wake_after(key, delay) }
            }
        }
    }

    fn wake(&mut self, key: Key) {
        if !self.ready.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn wake_after(&mut self, key: Key, delay: SimDuration) {
        let at = self.now.plus_nanos(i64::try_from(delay.as_nanos()).expect("a short delay"));
        match self.waiting.iter_mut().find(|(_, waiting)| *waiting == key) {
            Some(earlier) => earlier.0 = earlier.0.min(at),
            None => self.waiting.push((at, key)),
        }
    }

    /// Syncs what is ready, and nothing that waits. Returns how many syncs there were.
    pub(crate) fn run(&mut self) -> usize {
        let mut syncs = 0;
        while let Some(key) = self.ready.pop_front() {
            syncs += 1;
            assert!(syncs < MAX_SYNCS, "the controller does not come to rest");
            self.sync_now(&key);
        }
        syncs
    }

    /// Lets time pass until nothing waits any more, or for that many seconds.
    pub(crate) fn run_for(&mut self, seconds: i64) {
        let end = self.now.plus_nanos(seconds * 1_000_000_000);
        self.run();
        while let Some(at) = self.waiting.iter().map(|(at, _)| *at).min().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let due: Vec<Key> = self.waiting.extract_if(.., |(when, _)| *when <= at).map(|(_, key)| key).collect();
            due.into_iter().for_each(|key| self.wake(key));
            self.run();
        }
        self.now = end;
    }

    pub(crate) fn sync_now(&mut self, key: &Key) {
        let cx = Context { view: &self.view, now: self.now, expectations_met: self.behind.is_empty() };
        let mut step = self.controller.reconcile(cx, key);
        loop {
            let Step { requests, then } = step;
            let mut responses = Vec::new();
            for request in requests {
                match request {
                    Request::Event(event) => self.events.push(event),
                    request => responses.push(self.execute(&request)),
                }
            }
            match then {
                Then::Resume(state) => {
                    let cx = Context { view: &self.view, now: self.now, expectations_met: self.behind.is_empty() };
                    step = self.controller.resume(cx, key, state, responses);
                }
                Then::Retry(why) => return self.fail(key, why),
                Then::Done { requeue_after } => {
                    if let Some(error) = responses.into_iter().find_map(Result::err) {
                        return self.fail(key, error.to_string());
                    }
                    if let Some(delay) = requeue_after {
                        self.wake_after(key.clone(), delay);
                    }
                    return;
                }
            }
        }
    }

    fn fail(&mut self, key: &Key, why: String) {
        self.failures.push(why);
        self.wake_after(key.clone(), self.controller.rate_limit().base);
    }
}

fn describe(request: &Request) -> String {
    match request {
        Request::Create(object) => format!("create {}/{}", object.kind_name(), object.key()),
        Request::Update(object, part) => format!("update {part:?} {}/{}", object.kind_name(), object.key()),
        Request::Patch { kind, key, .. } => format!("patch {kind}/{key}"),
        Request::PatchMeta { kind, key, patch, .. } => {
            let (owners, finalizers) = (&patch.remove_owners, &patch.remove_finalizers);
            let unblock = if patch.unblock_owners.is_empty() { "" } else { " unblocked" };
            format!("patch {kind}/{key} -{owners:?} -{finalizers:?}{unblock}")
        }
        Request::Delete { kind, key, options } => format!("delete {kind}/{key} {:?}", options.propagation),
        other => format!("{other:?}"),
    }
}
