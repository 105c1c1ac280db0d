//! Decisions of the Job controller: back-off, policies, one sync of a Job.

use std::sync::Arc;

use seatrial::api::{Change, ChangeType, Context, Part, Reconciler, Request, Response, Then, View};
use seatrial::controllers::JobController;
use seatrial::controllers::job::backoff::{BackoffRecord, finish_time, remaining_of_index};
use seatrial::controllers::job::indexed::INDEX_FAILURE_COUNT;
use seatrial::controllers::job::{failure_policy, success_policy};
use seatrial::kernel::SimDuration;
use seatrial::objects::{
    Indexes, Job, Key, Kind, Object, Pod, PodFailurePolicy, Resource, SuccessPolicy, Timestamp, Uid, WallTime,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let mut expected = case.output.clone();
    let got = match input["op"].as_str() {
        Some("finishTime") => json!({"time": finish_time(&*pod(&input["pod"])?)}),
        Some("backoff") => backoff(input)?,
        Some("indexBackoff") => {
            json!({"remainingSeconds": seconds(remaining_of_index(&*pod(&input["pod"])?, now(input)?))})
        }
        Some("failurePolicy") => failure(input)?,
        Some("successPolicy") => success(input)?,
        Some("sync") => {
            only_the_earliest(&mut expected["requeueAfterSeconds"]);
            sync(input)?
        }
        op => return Err(format!("in.op: unknown operation {op:?}").into()),
    };
    compare(&expected, &got)
}

fn read<T: DeserializeOwned>(input: &Value, key: &str) -> Result<T, String> {
    T::deserialize(&input[key]).map_err(|error| format!("in.{key}: {error}"))
}

fn now(input: &Value) -> Result<WallTime, String> {
    Ok(read::<Timestamp>(input, "now")?.wall())
}

fn pod(wire: &Value) -> Result<Arc<Pod>, String> {
    Pod::from_wire(wire.clone()).map(Arc::new).map_err(|error| format!("pod: {error}"))
}

fn pods(input: &Value, key: &str) -> Result<Vec<Arc<Pod>>, String> {
    input[key].as_array().into_iter().flatten().map(pod).collect()
}

fn seconds(duration: SimDuration) -> Value {
    match duration.as_nanos() % 1_000_000_000 {
        0 => duration.as_secs().into(),
        _ => (duration.as_nanos() as f64 / 1e9).into(),
    }
}

/// The record of earlier failures.
fn record(input: &Value) -> Result<BackoffRecord, String> {
    let record = &input["record"];
    let failures = record["failures"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Ok(BackoffRecord { failures, last_failure: read(record, "lastFailureTime")? })
}

fn backoff(input: &Value) -> Result<Value, String> {
    let after = record(input)?.after(&pods(input, "succeeded")?, &pods(input, "failed")?);
    Ok(json!({
        "failures": after.failures,
        "lastFailureTime": after.last_failure,
        "remainingSeconds": seconds(after.remaining(now(input)?)),
    }))
}

fn failure(input: &Value) -> Result<Value, String> {
    let policy: Option<PodFailurePolicy> = read(input, "policy")?;
    let verdict = failure_policy::decide(policy.as_ref(), &*pod(&input["pod"])?);
    Ok(json!({
        "action": verdict.action.map(|action| action.as_str()),
        "counted": verdict.is_counted(),
        "message": verdict.message,
    }))
}

fn success(input: &Value) -> Result<Value, String> {
    let policy: Option<SuccessPolicy> = read(input, "policy")?;
    let completions = read(input, "completions")?;
    let succeeded = Indexes::parse(&read::<String>(input, "succeededIndexes")?, completions);
    let message = success_policy::matched(policy.as_ref(), completions, &succeeded);
    Ok(json!({"met": message.is_some(), "total": succeeded.total(), "message": message.unwrap_or_default()}))
}

/// A queue keeps the earliest of several delays for one key, which is all that a sync of ours asks for.
fn only_the_earliest(delays: &mut Value) {
    let earliest = delays.as_array().into_iter().flatten().min_by(|a, b| {
        let number = |value: &Value| value.as_f64().unwrap_or(f64::MAX);
        number(a).total_cmp(&number(b))
    });
    *delays = earliest.cloned().into_iter().collect();
}

/// What a sync does, as the requests that it sends.
#[derive(Default)]
struct Effects {
    created: Vec<Arc<Pod>>,
    deleted: Vec<String>,
    released: usize,
    statuses: Vec<Value>,
    events: Vec<String>,
}

fn sync(input: &Value) -> Result<Value, String> {
    let mut wire = input["job"].clone();
    (wire["apiVersion"], wire["kind"]) = ("batch/v1".into(), "Job".into());
    let job = Job::from_wire(wire).map_err(|error| format!("in.job: {error}"))?;
    let (key, indexed) = (job.key(), job.is_indexed());
    let view = view(job.into(), pods(input, "pods")?);
    let cx = Context { view: &view, now: now(input)?, expectations_met: true };
    let mut controller = JobController::default().with_backoff(key.clone(), record(input)?);
    let mut effects = Effects::default();
    let mut step = controller.reconcile(cx, &key);
    let then = loop {
        let responses = step.requests.into_iter().filter_map(|request| effects.answer(&view, request)).collect();
        match step.then {
            Then::Resume(state) => step = controller.resume(cx, &key, state, responses),
            end => break end,
        }
    };
    let mut out = effects.told(indexed);
    match then {
        Then::Done { requeue_after } => {
            out["requeueAfterSeconds"] = requeue_after.map(seconds).into_iter().collect();
        }
        Then::Retry(why) => out["error"] = why.into(),
        Then::Resume(_) => return Err("the sync does not end".to_owned()),
    }
    Ok(out)
}

fn view(job: Object, pods: Vec<Arc<Pod>>) -> View {
    let mut view = View::default();
    for object in [job].into_iter().chain(pods.into_iter().map(Object::from)) {
        view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
    }
    view
}

impl Effects {
    /// Grants a request; Events get no answer.
    fn answer(&mut self, view: &View, request: Request) -> Option<Response> {
        let stored = |kind: Kind, key: &Key| view.object(kind, key).expect("an object that is there");
        Some(Ok(match request {
            Request::Create(Object::Pod(pod)) => {
                let mut named = Pod::clone(&pod);
                named.meta.name = format!("{}{}", pod.meta.generate_name, self.created.len()).into();
                named.meta.uid = Uid::parse(&named.meta.name);
                self.created.push(pod);
                named.into()
            }
            Request::PatchMeta { kind, key, patch, .. } => {
                self.released += patch.remove_finalizers.len();
                stored(kind, &key)
            }
            Request::Delete { kind, key, .. } => {
                self.deleted.push(key.name.to_string());
                stored(kind, &key)
            }
            Request::Update(object, Part::Status) => {
                self.statuses.push(sorted_uids(object.to_wire()["status"].take()));
                object
            }
            Request::Event(event) => {
                // The dataset's fake of what makes and deletes pods records none.
                if !matches!(&*event.reason, "SuccessfulCreate" | "SuccessfulDelete") {
                    self.events.push(format!("{} {} {}", event.kind.as_str(), event.reason, event.message));
                }
                return None;
            }
            other => panic!("a Job controller does not ask for {other:?}"),
        }))
    }

    fn told(mut self, indexed: bool) -> Value {
        self.deleted.sort();
        self.events.sort();
        let mut out = json!({
            "created": self.created.len(),
            "deleted": self.deleted,
            "finalizersRemoved": self.released,
            "statuses": self.statuses,
            "events": self.events,
        });
        if indexed && !self.created.is_empty() {
            out["createdIndexes"] = self.created.iter().map(|pod| pod.completion_index()).collect::<Vec<_>>().into();
            let counts = self.created.iter().filter_map(|pod| {
                let index = pod.completion_index()?.to_string();
                Some((index, Value::from(pod.meta.annotations.get(INDEX_FAILURE_COUNT)?)))
            });
            let counts: serde_json::Map<String, Value> = counts.collect();
            if !counts.is_empty() {
                out["indexFailureCounts"] = counts.into();
            }
        }
        out
    }
}

fn sorted_uids(mut status: Value) -> Value {
    for list in ["succeeded", "failed"] {
        if let Some(uids) = status["uncountedTerminatedPods"].get_mut(list).and_then(Value::as_array_mut) {
            uids.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    status
}
