//! One round of the StatefulSet and DaemonSet controllers: what they write, report and tell.

use seatrial::api::{Change, ChangeType, Context, Part, Reconciler, Request, Response, Step, Then, View};
use seatrial::controllers::daemon_set;
use seatrial::controllers::history::POD_REVISION_LABEL;
use seatrial::controllers::{DaemonSetController, StatefulSetController};
use seatrial::objects::{Key, Kind, Object, ObjectMeta, Timestamp, Uid, WallTime, defaults};
use serde_json::{Value, json};

use crate::case::{Case, Miss, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    match case.input["op"].as_str() {
        Some("statefulset") => stateful_set(case),
        Some("daemonset") => daemon_set(case),
        Some("nodeShouldRun") => node_should_run(case),
        op => Err(Miss::Differs(format!("in.op: unknown op {op:?}"))),
    }
}

fn stateful_set(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let objects = [
        ("set", Kind::StatefulSet),
        ("pods", Kind::Pod),
        ("revisions", Kind::ControllerRevision),
        ("claims", Kind::PersistentVolumeClaim),
    ];
    let view = view(input, &objects)?;
    let meta = &input["set"]["metadata"];
    let key = Key::new(meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default());
    let round = Round::run(StatefulSetController::new(), &view, &key, now(input)?);
    let known =
        |name: &str| input["revisions"].as_array().is_some_and(|all| all.iter().any(|r| r["metadata"]["name"] == name));
    let shown = |name: &str| if known(name) { name.to_owned() } else { "<new>".to_owned() };

    let mut actions: Vec<Value> = round.requests.iter().filter_map(|request| action(request, shown)).collect();
    let mut events = round.events;
    let mut expected = case.output.clone();
    if input["set"]["spec"]["podManagementPolicy"] == "Parallel" {
        sort(&mut actions);
        events.sort();
        for list in ["actions", "events"] {
            if let Some(list) = expected[list].as_array_mut() {
                sort(list);
            }
        }
    }
    let written = round.requests.iter().find_map(|request| match request {
        Request::Update(Object::StatefulSet(set), Part::Status) => Some(json!(set.status)),
        _ => None,
    });
    let mut got = json!({"actions": actions, "events": events, "statusWritten": written.is_some()});
    // What is not written is what stands there already.
    let mut status = written.unwrap_or_else(|| input["set"]["status"].clone());
    for revision in ["currentRevision", "updateRevision"] {
        if let Some(name) = status[revision].as_str().map(shown) {
            status[revision] = name.into();
        }
    }
    got["status"] = status;
    if let Some(error) = round.error {
        got["error"] = error.into();
    }
    compare(&expected, &got)
}

fn daemon_set(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let objects =
        [("nodes", Kind::Node), ("set", Kind::DaemonSet), ("pods", Kind::Pod), ("revisions", Kind::ControllerRevision)];
    let view = view(input, &objects)?;
    let meta = &input["set"]["metadata"];
    let key = Key::new(meta["namespace"].as_str().unwrap_or_default(), meta["name"].as_str().unwrap_or_default());
    let round = Round::run(DaemonSetController::new(), &view, &key, now(input)?);

    let (mut created, mut deleted, mut status, mut hash) = (Vec::new(), Vec::new(), Value::Null, None);
    for request in &round.requests {
        match request {
            Request::Create(Object::Pod(pod)) => {
                created.push(daemon_set::target(pod).unwrap_or_default().to_string());
                hash = pod.meta.labels.get(POD_REVISION_LABEL).map(str::to_owned);
            }
            Request::Delete { kind: Kind::Pod, key, .. } => deleted.push(key.name.to_string()),
            Request::Update(Object::DaemonSet(set), Part::Status) => status = json!(set.status),
            other => return Err(Miss::Differs(format!("a request that upstream does not make: {other:?}"))),
        }
    }
    // What became of single pods is told by the pod control, which the dataset replaced.
    let told = |event: &&String| event.contains("DaemonPod ");
    let mut events: Vec<String> = round.events.iter().filter(told).cloned().collect();
    events.sort();
    created.sort();
    deleted.sort();
    let mut got = json!({"createdOn": created, "deleted": deleted, "events": events, "status": status});
    if let Some(hash) = hash {
        got["hash"] = hash.into();
    }
    if let Some(error) = round.error {
        got["error"] = error.into();
    }
    match case.output["oneOf"].as_array() {
        Some(allowed) if allowed.contains(&got) => Ok(()),
        Some(allowed) => Err(Miss::Differs(format!("expected one of {} got {got}", json!(allowed)))),
        None => compare(case.output, &got),
    }
}

fn node_should_run(case: &Case<'_>) -> Outcome {
    let view = view(case.input, &[("node", Kind::Node), ("set", Kind::DaemonSet)])?;
    let (Some(node), Some(set)) = (view.nodes.iter().next(), view.daemon_sets.iter().next()) else {
        return Err(Miss::Differs("in: no node or no set".to_owned()));
    };
    let eligible = daemon_set::Placement::new(&set.spec.template).on(node);
    let got = json!({"shouldRun": eligible.should_run, "shouldContinueRunning": eligible.should_continue});
    compare(case.output, &got)
}

fn sort(list: &mut [Value]) {
    list.sort_by_cached_key(Value::to_string);
}

/// A write as the dataset has it; the status is compared by itself.
fn action(request: &Request, shown: impl Fn(&str) -> String) -> Option<Value> {
    let (verb, kind, meta) = match request {
        Request::Create(object) => ("create", object.kind(), object.meta().clone()),
        Request::Update(object, Part::Main) => ("update", object.kind(), object.meta().clone()),
        Request::Update(..) => return None,
        Request::Delete { kind, key, .. } => {
            ("delete", *kind, ObjectMeta { name: key.name.clone(), ..ObjectMeta::default() })
        }
        Request::PatchMeta { kind, key, .. } | Request::Patch { kind, key, .. } => {
            ("patch", *kind, ObjectMeta { name: key.name.clone(), ..ObjectMeta::default() })
        }
        other => return Some(json!(format!("{other:?}"))),
    };
    let name = if kind == Kind::ControllerRevision { shown(&meta.name) } else { meta.name.to_string() };
    let mut action = json!({"verb": verb, "kind": kind.plural(), "name": name});
    if verb == "create"
        && let Some(revision) = meta.labels.get(POD_REVISION_LABEL)
    {
        action["revision"] = shown(revision).into();
    }
    Some(action)
}

/// What one sync did, on a server that accepts everything and a cache that does not follow.
struct Round {
    requests: Vec<Request>,
    /// As `Type Reason Message`.
    events: Vec<String>,
    error: Option<String>,
}

impl Round {
    fn run<R: Reconciler>(mut controller: R, view: &View, key: &Key, now: WallTime) -> Self {
        let cx = Context { view, now, expectations_met: true };
        let mut round = Self { requests: Vec::new(), events: Vec::new(), error: None };
        let mut step = controller.reconcile(cx, key);
        loop {
            let Step { requests, then } = step;
            let responses = requests.into_iter().filter_map(|request| round.answer(request, view)).collect();
            match then {
                Then::Resume(state) => step = controller.resume(cx, key, state, responses),
                Then::Retry(why) => {
                    round.error = Some(why);
                    return round;
                }
                Then::Done { .. } => return round,
            }
        }
    }

    fn answer(&mut self, request: Request, view: &View) -> Option<Response> {
        let object = match &request {
            Request::Event(event) => {
                self.events.push(format!("{} {} {}", event.kind.as_str(), event.reason, event.message));
                return None;
            }
            Request::Create(object) => Some(object.with_meta(|meta| meta.uid = Uid::uuid(1))),
            Request::Update(object, _) => Some(object.clone()),
            Request::Delete { kind, key, .. }
            | Request::PatchMeta { kind, key, .. }
            | Request::Patch { kind, key, .. }
            | Request::Scale { kind, key, .. } => view.object(*kind, key),
            Request::Metrics(_) => None,
            Request::Bind { pod, .. } | Request::Evict { pod, .. } | Request::ReportPod { pod, .. } => {
                view.object(Kind::Pod, pod)
            }
        };
        self.requests.push(request);
        object.map(Ok)
    }
}

fn now(input: &Value) -> Result<WallTime, String> {
    let now: Timestamp =
        input["now"].as_str().unwrap_or_default().parse().map_err(|error| format!("in.now: {error}"))?;
    Ok(now.wall())
}

/// The objects of a case, defaulted, by the fields that hold them.
fn view(input: &Value, fields: &[(&str, Kind)]) -> Result<View, String> {
    let mut view = View::default();
    for (field, kind) in fields {
        let one = input[field].is_object().then(|| vec![input[field].clone()]);
        for mut wire in one.or_else(|| input[field].as_array().cloned()).unwrap_or_default() {
            wire["apiVersion"] = kind.api_version().into();
            wire["kind"] = kind.as_str().into();
            defaults::apply(kind.as_str(), kind.api_version(), &mut wire);
            let object = Object::from_wire(wire).map_err(|error| format!("in.{field}: {error}"))?;
            view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
        }
    }
    Ok(view)
}
