//! CronJobs: schedules, missed runs, one sync of the controller.

use seatrial::api::{
    ApiError, Change, ChangeType, Context, EventSpec, Part, Reconciler, Request, Response, Step, Then, View,
};
use seatrial::controllers::CronJobController;
use seatrial::controllers::cron_job::missed::{MissedRuns, due, until_next};
use seatrial::kernel::SimDuration;
use seatrial::objects::{
    CRON_JOB_SCHEDULED_ANNOTATION, CronJob, CronJobStatus, Key, Kind, Object, Resource, Timestamp, Timing, Typed, Uid,
    WallTime, defaults,
};
use serde_json::{Value, json};

use crate::case::{Case, Outcome, compare};

/// What upstream takes for a time that never comes.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Events about the Jobs that are there: upstream goes through them in no particular order.
const IN_ANY_ORDER: [&str; 3] = ["SawCompletedJob", "UnexpectedJob", "MissingJob"];

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let (got, mut expected) = match case.input["op"].as_str() {
        Some("next") => (next(case.input)?, case.output.clone()),
        Some("missed") => (missed(case.input)?, case.output.clone()),
        Some("sync") => (sync(case.input)?, case.output.clone()),
        op => return Err(format!("in.op: unknown operation {op:?}").into()),
    };
    // A queue takes a time that is past for now.
    if expected["requeueAfterSeconds"].as_f64().is_some_and(|seconds| seconds < 0.0) {
        expected["requeueAfterSeconds"] = json!(0.0);
    }
    compare(&expected, &got)
}

fn time(input: &Value, key: &str) -> Result<Timestamp, String> {
    input[key].as_str().unwrap_or_default().parse().map_err(|error| format!("in.{key}: {error}"))
}

fn next(input: &Value) -> Result<Value, String> {
    let text = input["schedule"].as_str().ok_or("in.schedule: no text")?;
    let schedule = match Timing::new(text, input["timeZone"].as_str()).schedule {
        Ok(schedule) => schedule,
        Err(fault) => return Ok(json!({"error": fault.to_string()})),
    };
    let mut times: Vec<String> = Vec::new();
    let mut at = time(input, "from")?;
    while times.len() < 5 {
        let Some(next) = schedule.next(at) else {
            times.push(NEVER.to_owned());
            break;
        };
        times.push(next.to_string());
        at = next;
    }
    Ok(json!({"next": times}))
}

fn cron_job(input: &Value) -> Result<CronJob, String> {
    match object(&input["cronJob"], Kind::CronJob)? {
        Object::CronJob(cron_job) => Ok(CronJob::clone(&cron_job)),
        other => Err(format!("in.cronJob: a {}", other.kind())),
    }
}

/// An object, defaulted as the API server does.
fn object(wire: &Value, kind: Kind) -> Result<Object, String> {
    let mut wire = wire.clone();
    wire["apiVersion"] = kind.api_version().into();
    wire["kind"] = kind.as_str().into();
    defaults::apply(kind.as_str(), kind.api_version(), &mut wire);
    Object::from_wire(wire).map_err(|error| error.to_string())
}

fn seconds(duration: SimDuration) -> Value {
    json!(duration.as_millis() as f64 / 1000.0)
}

fn missed(input: &Value) -> Result<Value, String> {
    let (cron_job, now) = (cron_job(input)?, time(input, "now")?.wall());
    let schedule = cron_job.spec.timing.schedule.clone().map_err(|fault| fault.to_string())?;
    let told = |with_deadline: bool| match due(&cron_job, &schedule, now, with_deadline) {
        Ok(due) => json!({
            "earliest": due.earliest.timestamp(),
            "mostRecent": due.most_recent,
            "missed": match due.missed {
                MissedRuns::None => "none",
                MissedRuns::Few => "few",
                MissedRuns::Many => "many",
            },
        }),
        Err(fault) => json!({
            "earliest": cron_job.status.last_schedule_time.or(cron_job.meta.creation_timestamp),
            "mostRecent": null,
            "missed": "none",
            "error": fault.to_string(),
        }),
    };
    Ok(json!({
        "withDeadline": told(true),
        "withoutDeadline": told(false),
        "requeueAfterSeconds": seconds(until_next(&cron_job, &schedule, now)),
    }))
}

/// What a sync did.
#[derive(Default)]
struct Deeds {
    created: Vec<Value>,
    deleted: Vec<String>,
    status: Option<CronJobStatus>,
    events: Vec<String>,
    failure: Option<String>,
}

impl Deeds {
    fn execute(&mut self, view: &View, request: Request) -> Option<Response> {
        match request {
            Request::Event(EventSpec { kind, reason, message, .. }) => {
                self.events.push(format!("{} {reason} {message}", kind.as_str()));
                None
            }
            Request::Create(object) => Some(self.create(view, &object)),
            Request::Delete { kind, key, .. } => {
                let Some(object) = view.object(kind, &key) else {
                    return Some(Err(ApiError::not_found(kind, &key)));
                };
                self.deleted.push(key.name.to_string());
                Some(Ok(object))
            }
            Request::Update(object, Part::Status) => {
                self.status = CronJob::unwrap(&object).map(|cron_job| cron_job.status.clone());
                Some(Ok(object))
            }
            other => {
                self.failure = Some(format!("an unexpected request: {other:?}"));
                None
            }
        }
    }

    fn create(&mut self, view: &View, object: &Object) -> Response {
        let meta = object.meta();
        self.created.push(json!({
            "name": meta.name,
            "labels": meta.labels,
            "scheduled": meta.annotations.get(CRON_JOB_SCHEDULED_ANNOTATION),
        }));
        if view.object(object.kind(), &object.key()).is_some() {
            return Err(ApiError::already_exists(object.kind(), &object.key()));
        }
        Ok(object.with_meta(|meta| meta.uid = Uid::parse(&format!("u-{}", meta.name))))
    }

    fn tell(mut self, requeue_after: Option<SimDuration>) -> Value {
        sort_events(&mut self.events);
        let mut out = json!({
            "created": self.created,
            "deleted": self.deleted,
            "events": self.events,
            "requeueAfterSeconds": requeue_after.map_or(Value::Null, seconds),
        });
        if let Some(status) = self.status {
            let active: Vec<String> = status.active.iter().map(|active| active.name.to_string()).collect();
            let mut told = json!({"active": active});
            let times =
                [("lastScheduleTime", status.last_schedule_time), ("lastSuccessfulTime", status.last_successful_time)];
            for (key, time) in times {
                if let Some(time) = time {
                    told[key] = json!(time);
                }
            }
            out["status"] = told;
        }
        if let Some(failure) = self.failure {
            out["error"] = failure.into();
        }
        out
    }
}

/// Sorts those that may come in any order, in the places that they have.
fn sort_events(events: &mut [String]) {
    let is_free = |event: &String| IN_ANY_ORDER.iter().any(|reason| event.contains(reason));
    let places: Vec<usize> = (0..events.len()).filter(|at| is_free(&events[*at])).collect();
    let mut free: Vec<String> = places.iter().map(|at| events[*at].clone()).collect();
    free.sort();
    for (at, event) in places.into_iter().zip(free) {
        events[at] = event;
    }
}

fn sync(input: &Value) -> Result<Value, String> {
    let cron_job = cron_job(input)?;
    let key: Key = cron_job.key();
    let now: WallTime = time(input, "now")?.wall();
    let mut view = View::default();
    let jobs = input["jobs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let objects = jobs.iter().map(|wire| object(wire, Kind::Job)).chain([Ok(cron_job.into())]);
    for object in objects {
        let object = object?;
        view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
    }
    let (mut controller, mut deeds) = (CronJobController::default(), Deeds::default());
    let cx = Context { view: &view, now, expectations_met: true };
    let mut step = controller.reconcile(cx, &key);
    loop {
        let Step { requests, then } = step;
        let responses = requests.into_iter().filter_map(|request| deeds.execute(&view, request)).collect();
        match then {
            Then::Resume(state) => step = controller.resume(cx, &key, state, responses),
            Then::Done { requeue_after } => return Ok(deeds.tell(requeue_after)),
            Then::Retry(why) => {
                deeds.failure.get_or_insert(why);
                return Ok(deeds.tell(None));
            }
        }
    }
}
