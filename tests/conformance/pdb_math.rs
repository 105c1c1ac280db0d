//! The status of PodDisruptionBudgets, and the answers to evictions.

use seatrial::api::{Change, ChangeType, Context, DeleteOptions, EventSpec, Part, Reconciler, Request, View};
use seatrial::apiserver::ApiServer;
use seatrial::controllers::DisruptionController;
use seatrial::kernel::Streams;
use seatrial::objects::{Conditions, Key, Kind, Object, Pod, PodDisruptionBudget, Timestamp, WallTime, defaults};
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

const NAMESPACE: &str = "ns";

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    match case.input["op"].as_str() {
        Some("status") => status(case),
        Some("evict") => evict(case),
        other => Err(format!("in.op: {other:?} is unknown").into()),
    }
}

fn object(kind: Kind, wire: &Value) -> Result<Object, String> {
    let mut wire = wire.clone();
    wire["apiVersion"] = kind.api_version().into();
    wire["kind"] = kind.as_str().into();
    defaults::apply(kind.as_str(), kind.api_version(), &mut wire);
    Object::from_wire(wire).map_err(|error| format!("{kind}: {error}"))
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn now(case: &Case<'_>) -> Result<WallTime, String> {
    let now: Timestamp = case.input["now"]
        .as_str()
        .unwrap_or("2023-11-14T22:13:20Z")
        .parse()
        .map_err(|error| format!("in.now: {error}"))?;
    Ok(now.wall())
}

/// One sync of the controller.
fn status(case: &Case<'_>) -> Outcome {
    let mut view = View::default();
    let mut add =
        |object| view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
    for wire in items(&case.input["owners"]) {
        let kind = Kind::of(wire["apiVersion"].as_str().unwrap_or_default(), wire["kind"].as_str().unwrap_or_default());
        add(object(kind.ok_or("in.owners: a kind that is not simulated".to_owned())?, wire)?);
    }
    for wire in items(&case.input["pods"]) {
        add(object(Kind::Pod, wire)?);
    }
    let budget = object(Kind::PodDisruptionBudget, &case.input["pdb"])?;
    let key = budget.key();
    add(budget);

    let cx = Context { view: &view, now: now(case)?, expectations_met: true };
    let step = DisruptionController::default().reconcile(cx, &key);
    let mut got = json!({"written": false});
    let mut events = Vec::new();
    for request in &step.requests {
        match request {
            Request::Event(event) => events.push(line(event)),
            Request::Update(object, Part::Status) => {
                let mut status = object.to_wire()["status"].take();
                for condition in status["conditions"].as_array_mut().into_iter().flatten() {
                    condition.as_object_mut().map(|fields| fields.remove("lastTransitionTime"));
                }
                got["written"] = true.into();
                got["status"] = status;
            }
            other => return Err(format!("unexpected request {other:?}").into()),
        }
    }
    got["events"] = json!(events);
    let mut expected = case.output.clone();
    if let Some(error) = expected.as_object_mut().and_then(|out| out.remove("error")) {
        // The error is what the condition of the fail-safe status says.
        let told = got["status"]["conditions"][0]["message"].clone();
        compare(&json!({"error": error}), &json!({"error": told}))?;
    }
    compare(&expected, &got)
}

fn line(event: &EventSpec) -> Value {
    format!("{} {} {}", event.kind.as_str(), event.reason, event.message).into()
}

/// One request to `pods/eviction`.
fn evict(case: &Case<'_>) -> Outcome {
    let now = now(case)?;
    let mut server = server(case, now)?;
    let name = case.input["evict"].as_str().unwrap_or_default();
    let pod = Key::new(NAMESPACE, name);
    let before: Vec<(Key, Object)> = budgets(&server);
    let answer = server.execute(now, &Request::Evict { pod, options: DeleteOptions::default() });

    let mut got = json!({"allowed": answer.is_ok(), "status": if answer.is_ok() { "Success" } else { "Failure" }});
    if let Err(error) = &answer {
        got["code"] = error.code().into();
        got["message"] = error.message.clone().into();
        if error.code() == 429 {
            got["retryAfterSeconds"] = error.retry_after.unwrap_or(0).into();
        }
        if !error.causes.is_empty() {
            got["causes"] = error.causes.iter().map(|cause| Value::from(cause.text.clone())).collect();
        }
    }
    let mut written = json!({});
    for (key, old) in before {
        let new = server.view().object(Kind::PodDisruptionBudget, &key).ok_or("the budget is gone".to_owned())?;
        if new.meta().resource_version != old.meta().resource_version {
            written[&*key.name] = spent(&new);
        }
    }
    got["pdbs"] = written;
    let mut expected = case.output.clone();
    // Whether upstream guards the deletion against a race does not show here: requests are answered one at a time.
    expected.as_object_mut().map(|out| out.remove("deletedWithResourceVersion"));
    compare(&expected, &got)
}

fn budgets(server: &ApiServer) -> Vec<(Key, Object)> {
    server.view().list(Kind::PodDisruptionBudget).into_iter().map(|object| (object.key(), object)).collect()
}

fn spent(budget: &Object) -> Value {
    let Object::PodDisruptionBudget(budget) = budget else { return Value::Null };
    let names: Vec<&str> = budget.status.disrupted_pods.keys().map(|name| &**name).collect();
    let mut wire = json!({"disruptedPods": names, "disruptionsAllowed": budget.status.disruptions_allowed});
    if let Some(condition) = budget.status.conditions.find("DisruptionAllowed") {
        wire["conditionReason"] = condition.reason.to_string().into();
        wire["conditionStatus"] = condition.status.as_str().into();
    }
    wire
}

/// A server that stores the pods and budgets of the case with their statuses.
fn server(case: &Case<'_>, now: WallTime) -> Result<ApiServer, String> {
    let mut server = ApiServer::new(&Streams::new(0));
    let mut do_it = |request: Request| server.execute(now, &request).map_err(|error| format!("cannot set up: {error}"));
    do_it(Request::Create(object(Kind::Namespace, &json!({"metadata": {"name": NAMESPACE}}))?))?;
    do_it(Request::Create(object(Kind::Namespace, &json!({"metadata": {"name": "other"}}))?)).ok();
    for wire in items(&case.input["pods"]) {
        let Object::Pod(pod) = object(Kind::Pod, wire)? else { continue };
        let mut new = Pod::clone(&pod);
        new.meta.deletion_timestamp = None;
        new.node_name = "n1".into();
        let created = do_it(Request::Create(new.into()))?;
        let created = created.with_meta(|_| {});
        let Object::Pod(stored) = created else { continue };
        let with_status = Pod { status: pod.status.clone(), ..Pod::clone(&stored) };
        do_it(Request::Update(with_status.into(), Part::Status))?;
        if pod.meta.deletion_timestamp.is_some() {
            let key = Key::new(stored.meta.namespace.clone(), stored.meta.name.clone());
            do_it(Request::Delete { kind: Kind::Pod, key, options: DeleteOptions::default() })?;
        }
    }
    for wire in items(&case.input["pdbs"]) {
        let Object::PodDisruptionBudget(budget) = object(Kind::PodDisruptionBudget, wire)? else { continue };
        let Object::PodDisruptionBudget(created) = do_it(Request::Create(Object::from(budget.clone())))? else {
            continue;
        };
        let mut stored = PodDisruptionBudget { status: budget.status.clone(), ..PodDisruptionBudget::clone(&created) };
        // What counts is how far the status is behind.
        stored.status.observed_generation += created.meta.generation - budget.meta.generation;
        do_it(Request::Update(stored.into(), Part::Status))?;
    }
    Ok(server)
}
