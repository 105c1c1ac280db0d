//! Rules of the API server, one test each.

mod create;
mod delete;
mod documents;
mod events;
mod lists;
mod pod_extras;
mod pods;
mod property;
mod repeated;
mod services;
mod updates;

use std::sync::Arc;

use serde_json::{Value, json};

use super::ApiServer;
use crate::api::{ApiError, Change, ChangeType, DeleteOptions, MetaPatch, Part, Request, Response};
use crate::kernel::Streams;
use crate::objects::{Key, Kind, Object, Pod, Resource, Typed, Uid, WallTime};

const T0: i64 = 1_767_225_600_000_000_000;

/// So many milliseconds after the start.
fn at(millis: i64) -> WallTime {
    WallTime::from_unix_nanos(T0 + millis * 1_000_000)
}

fn server() -> ApiServer {
    let mut server = ApiServer::starting_at(&Streams::new(7), at(0));
    server.drain_changes();
    server
}

fn object(wire: Value) -> Object {
    Object::from_wire(wire).expect("a well-formed object")
}

fn pod(name: &str) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "web:1"}], "terminationGracePeriodSeconds": 30},
    }))
}

fn generated(prefix: &str) -> Object {
    pod("").with_meta(|meta| meta.generate_name = prefix.into())
}

fn key(name: &str) -> Key {
    Key::new("default", name)
}

impl ApiServer {
    fn make(&mut self, object: Object) -> Object {
        self.execute(at(0), &Request::Create(object)).expect("accepted")
    }

    fn make_bound(&mut self, name: &str) -> Arc<Pod> {
        self.make(pod(name));
        let request = Request::Bind { pod: key(name), uid: Uid::None, node: "n1".into() };
        typed(self.execute(at(0), &request))
    }

    fn delete_with(&mut self, now: WallTime, kind: Kind, key: Key, options: DeleteOptions) -> Response {
        self.execute(now, &Request::Delete { kind, key, options })
    }

    fn patch_of(&mut self, kind: Kind, key: Key, patch: MetaPatch) -> Response {
        self.execute(at(0), &Request::PatchMeta { kind, key, uid: Uid::None, patch })
    }

    fn put(&mut self, object: impl Into<Object>, part: Part) -> Response {
        self.execute(at(0), &Request::Update(object.into(), part))
    }

    /// What happened since the last call, as type and revision.
    fn told(&mut self) -> Vec<(ChangeType, u64)> {
        self.drain_changes().map(|change: Change| (change.change_type, change.resource_version)).collect()
    }
}

fn typed<T: Typed>(response: Response) -> Arc<T> {
    T::unwrap(&response.expect("accepted")).expect("of that kind").clone()
}

fn message(response: Response) -> String {
    refusal(response).message
}

fn refusal(response: Response) -> ApiError {
    response.expect_err("refused")
}

fn stored<T: Resource>(server: &ApiServer, name: &str) -> Arc<T> {
    typed(server.get(T::KIND, &key(name)))
}
