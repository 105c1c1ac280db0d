//! CronJobs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cluster::ObjectReference;
use super::cron::{Schedule, ScheduleError, Zone};
use super::job::JobSpec;
use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::workload::integer;
use super::{SharedList, Timestamp};

/// Annotation of a CronJob's Job with the time for which it was made.
pub const CRON_JOB_SCHEDULED_ANNOTATION: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A CronJob: makes Jobs at the times of a schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CronJob {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<CronJobSpec>,
    /// Observed state.
    pub status: CronJobStatus,
}

/// Desired state of a CronJob.
#[derive(Clone, Debug, PartialEq)]
pub struct CronJobSpec {
    /// The schedule as written.
    pub schedule: Arc<str>,
    /// Name of the time zone that the schedule is in; absent = UTC.
    pub time_zone: Option<Arc<str>>,
    /// What the two mean.
    pub timing: Timing,
    /// Seconds that a Job may be late; absent = any time.
    pub starting_deadline_seconds: Option<i64>,
    /// What a Job that still runs means for the next one.
    pub concurrency_policy: ConcurrencyPolicy,
    /// Whether no Jobs are made.
    pub suspend: bool,
    /// What new Jobs look like.
    pub job_template: JobTemplate,
    /// How many Jobs that succeeded are kept; absent = all (not defaulted).
    pub successful_jobs_history_limit: Option<i32>,
    /// How many Jobs that failed are kept; absent = all (not defaulted).
    pub failed_jobs_history_limit: Option<i32>,
}

/// Schedule and time zone, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The schedule in its zone, or why it is none.
    pub schedule: Result<Schedule, ScheduleError>,
    /// The zone of `spec.timeZone`; `None` = there is no such zone.
    pub zone: Option<Zone>,
}

/// What a Job that still runs means for the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConcurrencyPolicy {
    /// Nothing.
    #[default]
    Allow,
    /// The next one is not made before it has ended.
    Forbid,
    /// It is deleted.
    Replace,
}

/// What new Jobs look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobTemplate {
    /// Labels and annotations; the rest is not used.
    pub meta: ObjectMeta,
    /// The spec as written: a template gets no defaults before a Job is made of it.
    pub wire: Map<String, Value>,
    /// The spec with defaults.
    pub spec: JobSpec,
}

/// Observed state of a CronJob.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CronJobStatus {
    /// Jobs that run.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub active: SharedList<ObjectReference>,
    /// The time for which the last Job was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Timestamp>,
    /// When a Job last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Timestamp>,
}

impl Timing {
    /// Reads schedule and zone (upstream `formatSchedule`: a zone inside the schedule outweighs the other one).
    #[must_use]
    pub fn new(schedule: &str, time_zone: Option<&str>) -> Self {
        let zone = Zone::named(time_zone.unwrap_or_default());
        let text = match time_zone {
            Some(name) if zone.is_some() && !schedule.contains("TZ") => format!("TZ={name} {schedule}"),
            _ => schedule.to_owned(),
        };
        Self { schedule: text.parse(), zone }
    }
}

impl Default for CronJobSpec {
    fn default() -> Self {
        Self {
            schedule: "".into(),
            time_zone: None,
            timing: Timing::new("", None),
            starting_deadline_seconds: None,
            concurrency_policy: ConcurrencyPolicy::Allow,
            suspend: false,
            job_template: JobTemplate::default(),
            successful_jobs_history_limit: None,
            failed_jobs_history_limit: None,
        }
    }
}

impl JobTemplate {
    fn from_wire(wire: Value) -> Result<Self, WireError> {
        let mut wire = wire;
        let meta = take(&mut wire, "metadata")?;
        let wire = wire_object(&mut wire, "spec");
        let spec = JobSpec::from_wire(wire.clone())?;
        Ok(Self { meta, wire, spec })
    }

    fn to_wire(&self) -> Value {
        let mut template = Map::new();
        if self.meta != ObjectMeta::default() {
            template.insert("metadata".into(), serde_json::to_value(&self.meta).unwrap_or_default());
        }
        template.insert("spec".into(), Value::Object(self.wire.clone()));
        Value::Object(template)
    }
}

impl CronJobSpec {
    fn from_wire(spec: &mut Value) -> Result<Self, WireError> {
        let schedule: Arc<str> = take(spec, "schedule")?;
        let time_zone: Option<Arc<str>> = take(spec, "timeZone")?;
        let timing = Timing::new(&schedule, time_zone.as_deref());
        let concurrency_policy: Option<ConcurrencyPolicy> = take(spec, "concurrencyPolicy")?;
        let job_template = JobTemplate::from_wire(super::object::take_value(spec, "jobTemplate"))?;
        let none = Map::new();
        let fields = spec.as_object().unwrap_or(&none);
        Ok(Self {
            schedule,
            time_zone,
            timing,
            starting_deadline_seconds: integer(fields, "startingDeadlineSeconds"),
            concurrency_policy: concurrency_policy.unwrap_or_default(),
            suspend: fields.get("suspend").and_then(Value::as_bool).unwrap_or(false),
            job_template,
            successful_jobs_history_limit: integer(fields, "successfulJobsHistoryLimit"),
            failed_jobs_history_limit: integer(fields, "failedJobsHistoryLimit"),
        })
    }
}

impl Resource for CronJob {
    const KIND: Kind = Kind::CronJob;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let mut spec = Value::Object(wire_object(&mut wire, "spec"));
        Ok(Self { meta, spec: Arc::new(CronJobSpec::from_wire(&mut spec)?), status })
    }

    fn spec_wire(&self) -> Option<Value> {
        fn wire<T: Serialize>(value: &T) -> Option<Value> {
            serde_json::to_value(value).ok().filter(|value| !value.is_null())
        }
        let spec = &*self.spec;
        let fields = [
            ("schedule", wire(&spec.schedule)),
            ("timeZone", wire(&spec.time_zone)),
            ("startingDeadlineSeconds", wire(&spec.starting_deadline_seconds)),
            ("concurrencyPolicy", wire(&spec.concurrency_policy)),
            ("suspend", wire(&spec.suspend)),
            ("jobTemplate", Some(spec.job_template.to_wire())),
            ("successfulJobsHistoryLimit", wire(&spec.successful_jobs_history_limit)),
            ("failedJobsHistoryLimit", wire(&spec.failed_jobs_history_limit)),
        ];
        Some(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_comes_out_as_it_went_in() {
        let manifest = json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "default"},
            "spec": {"schedule": "0 3 * * *", "timeZone": "Europe/Berlin", "startingDeadlineSeconds": 30,
                "concurrencyPolicy": "Forbid", "suspend": true, "successfulJobsHistoryLimit": 0,
                "failedJobsHistoryLimit": 2,
                "jobTemplate": {"metadata": {"labels": {"a": "b"}, "name": "unused"},
                    "spec": {"parallelism": 2, "template": {"spec": {"containers": [{"name": "c"}]}}}}},
            "status": {"lastScheduleTime": "2026-01-01T00:00:00Z",
                "active": [{"apiVersion": "batch/v1", "kind": "Job", "name": "c-1", "namespace": "default", "uid": "u"}]},
        });
        assert_eq!(CronJob::from_wire(manifest.clone()).expect("well-formed").to_wire(), manifest);
    }

    #[test]
    fn a_zone_inside_the_schedule_outweighs_the_field() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let next = |schedule: &str, zone: Option<&str>| {
            let timing = Timing::new(schedule, zone);
            timing.schedule.expect("a schedule").next(at("2026-01-01T00:00:00Z"))
        };
        assert_eq!(next("0 3 * * *", Some("Asia/Tokyo")), Some(at("2026-01-01T18:00:00Z")));
        assert_eq!(next("TZ=Europe/Berlin 0 3 * * *", Some("Asia/Tokyo")), Some(at("2026-01-01T02:00:00Z")));
        assert_eq!(next("0 3 * * *", Some("Mars/Base")), Some(at("2026-01-01T03:00:00Z")));
        assert!(Timing::new("0 3 * * *", Some("Mars/Base")).zone.is_none());
    }
}
