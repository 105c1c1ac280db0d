//! Jobs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::{ObjectMeta, Uid};
use super::object::{Kind, Resource, WireError, take, wire_object};
use super::pod::Pod;
use super::pod_spec::PodTemplate;
use super::text::Text;
use super::workload::{ObjectSelector, integer};
use super::{Condition, ConditionList, ConditionStatus, Conditions, SharedList, Timestamp, WallTime};

/// Finalizer of pods that their Job has not counted yet.
pub const JOB_TRACKING_FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// Annotation and label of a pod with its index.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// Label of a Job's pods with its uid: what a generated selector asks for.
pub const JOB_CONTROLLER_UID_LABEL: &str = "batch.kubernetes.io/controller-uid";
/// Label of a Job's pods with its name.
pub const JOB_NAME_LABEL: &str = "batch.kubernetes.io/job-name";
/// What is in `spec.managedBy` of Jobs that the Job controller takes care of, if anything.
pub const JOB_CONTROLLER_NAME: &str = "kubernetes.io/job-controller";

/// Labels of old, which a Job's pods still get.
const LEGACY_LABELS: [&str; 2] = ["job-name", "controller-uid"];
/// `backoffLimit` if nothing is said.
const DEFAULT_BACKOFF_LIMIT: i32 = 6;

/// A Job: pods that run to their end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Job {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: JobSpec,
    /// Observed state.
    pub status: JobStatus,
}

/// Desired state of a Job.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Most pods that run at a time.
    pub parallelism: i32,
    /// How many pods must succeed; absent = one success ends a work queue.
    pub completions: Option<i32>,
    /// Seconds that the Job may take.
    pub active_deadline_seconds: Option<i64>,
    /// What failures of pods mean.
    pub pod_failure_policy: Option<Arc<PodFailurePolicy>>,
    /// When an indexed Job has succeeded before all indexes have.
    pub success_policy: Option<Arc<SuccessPolicy>>,
    /// Failed pods that are borne.
    pub backoff_limit: i32,
    /// Failed pods of one index that are borne; absent = they count for the whole Job.
    pub backoff_limit_per_index: Option<i32>,
    /// Failed indexes that are borne; absent = any number.
    pub max_failed_indexes: Option<i32>,
    /// Which pods.
    pub selector: Arc<ObjectSelector>,
    /// Whether the user gave the selector.
    pub manual_selector: bool,
    /// What new pods look like.
    pub template: Arc<PodTemplate>,
    /// Seconds after which a finished Job is deleted; absent = never.
    pub ttl_seconds_after_finished: Option<i32>,
    /// How completions are told apart.
    pub completion_mode: CompletionMode,
    /// Whether no pods shall run.
    pub suspend: bool,
    /// When a pod that goes away is replaced.
    pub pod_replacement_policy: PodReplacementPolicy,
    /// Which controller takes care of the Job; empty = the Job controller.
    pub managed_by: Arc<str>,
}

impl Default for JobSpec {
    /// One pod, once.
    fn default() -> Self {
        Self {
            parallelism: 1,
            completions: Some(1),
            active_deadline_seconds: None,
            pod_failure_policy: None,
            success_policy: None,
            backoff_limit: DEFAULT_BACKOFF_LIMIT,
            backoff_limit_per_index: None,
            max_failed_indexes: None,
            selector: Arc::default(),
            manual_selector: false,
            template: Arc::default(),
            ttl_seconds_after_finished: None,
            completion_mode: CompletionMode::NonIndexed,
            suspend: false,
            pod_replacement_policy: PodReplacementPolicy::TerminatingOrFailed,
            managed_by: "".into(),
        }
    }
}

/// How the completions of a Job are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompletionMode {
    /// Any pods that succeed.
    #[default]
    NonIndexed,
    /// One for each index from 0 on.
    Indexed,
}

/// When a Job's pod that goes away is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodReplacementPolicy {
    /// As soon as its deletion begins.
    #[default]
    TerminatingOrFailed,
    /// When it has ended.
    Failed,
}

/// What failures of a Job's pods mean: the first rule that fits decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodFailurePolicy {
    /// Rules, in order.
    pub rules: SharedList<PodFailurePolicyRule>,
}

/// A rule about failed pods. It asks for exit codes or for conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodFailurePolicyRule {
    /// What a pod that fits leads to.
    pub action: PodFailureAction,
    /// Fits if a container ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_exit_codes: Option<OnExitCodes>,
    /// Fits if the pod has one of these conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub on_pod_conditions: SharedList<OnPodCondition>,
}

/// What a failed pod leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodFailureAction {
    /// It counts towards the back-off limit, as without a policy.
    #[default]
    Count,
    /// It does not count.
    Ignore,
    /// Its index has failed.
    FailIndex,
    /// The Job has failed.
    FailJob,
}

impl PodFailureAction {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Ignore => "Ignore",
            Self::FailIndex => "FailIndex",
            Self::FailJob => "FailJob",
        }
    }
}

/// Exit codes that a rule asks for. 0 never fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OnExitCodes {
    /// Of this container; absent = of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<Arc<str>>,
    /// `In` or `NotIn`.
    pub operator: Arc<str>,
    /// The codes.
    pub values: SharedList<i32>,
}

/// A condition of a pod that a rule asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnPodCondition {
    /// Type of the condition.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// Its status.
    pub status: ConditionStatus,
}

/// When an indexed Job has succeeded before all indexes have: as soon as one rule is met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SuccessPolicy {
    /// Rules, in order.
    pub rules: SharedList<SuccessPolicyRule>,
}

/// A rule about succeeded indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SuccessPolicyRule {
    /// The indexes that matter, such as `1,3-5`; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded_indexes: Option<Arc<str>>,
    /// How many of them must have succeeded; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded_count: Option<i32>,
}

/// Observed state of a Job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// Conditions.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub conditions: ConditionList,
    /// When the controller took it up, or resumed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it was complete; absent if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Timestamp>,
    /// Pods that neither ended nor are being deleted.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub active: i32,
    /// Pods that succeeded, of an indexed Job indexes.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub succeeded: i32,
    /// Pods that failed.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub failed: i32,
    /// Pods being deleted that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating: Option<i32>,
    /// Indexes that succeeded, such as `1,3-5,7`.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub completed_indexes: Arc<str>,
    /// Indexes that failed, written alike; only with a limit per index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_indexes: Option<Arc<str>>,
    /// Ended pods that are not counted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncounted_terminated_pods: Option<UncountedTerminatedPods>,
    /// Active pods that are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<i32>,
}

/// Pods that have ended and still carry the tracking finalizer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UncountedTerminatedPods {
    /// Uids of those that succeeded.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub succeeded: SharedList<Uid>,
    /// Uids of those that failed.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub failed: SharedList<Uid>,
}

impl Job {
    /// Condition type: it has succeeded and its pods are gone.
    pub const COMPLETE: &'static str = "Complete";
    /// Condition type: it has failed and its pods are gone.
    pub const FAILED: &'static str = "Failed";
    /// Condition type: no pods shall run.
    pub const SUSPENDED: &'static str = "Suspended";
    /// Condition type: it will be `Failed` when its pods are gone.
    pub const FAILURE_TARGET: &'static str = "FailureTarget";
    /// Condition type: it will be `Complete` when its pods are gone.
    pub const SUCCESS_CRITERIA_MET: &'static str = "SuccessCriteriaMet";

    /// A condition of a Job that is written now.
    #[must_use]
    pub fn condition(kind: &'static str, holds: bool, reason: Text, message: Text, now: WallTime) -> Condition {
        let condition = Condition::new(kind, ConditionStatus::of(holds), now.timestamp()).because(reason, message);
        Condition { last_probe_time: Some(now.timestamp()), ..condition }
    }

    /// The condition that ended it: `Complete` or `Failed` (upstream `job/util.FinishedCondition`).
    #[must_use]
    pub fn finished(&self) -> Option<&Condition> {
        let ends = |c: &&Condition| c.states(Self::COMPLETE) || c.states(Self::FAILED);
        self.status.conditions.iter().find(ends)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished().is_some()
    }

    /// Whether it has ended well.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.status.conditions.is_true(Self::COMPLETE)
    }

    /// Whether its completions have indexes.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.spec.completion_mode == CompletionMode::Indexed
    }

    /// Whether another controller takes care of it.
    #[must_use]
    pub fn is_managed_elsewhere(&self) -> bool {
        !self.spec.managed_by.is_empty() && *self.spec.managed_by != *JOB_CONTROLLER_NAME
    }

    /// Completes what a client leaves to the API server: unless the user manages the selector, the template gets labels
    /// with name and uid, and the selector asks for the uid; the Job's labels are those of its template (upstream
    /// `registry/batch/job.generateSelector` and `SetDefaults_Job`). Name and uid must be set.
    pub fn complete(&mut self) {
        if !self.spec.manual_selector {
            self.generate_selector();
        }
        if self.meta.labels.is_empty() {
            self.meta.labels = self.spec.template.labels.clone();
        }
    }

    fn generate_selector(&mut self) {
        let (name, uid) = (self.meta.name.to_string(), self.meta.uid.to_string());
        let mut labels = self.spec.template.labels.clone();
        let own = [(LEGACY_LABELS[0], &name), (JOB_NAME_LABEL, &name), (LEGACY_LABELS[1], &uid)];
        for (key, value) in own.into_iter().chain([(JOB_CONTROLLER_UID_LABEL, &uid)]) {
            if !labels.contains_key(key) {
                labels = labels.with(key, value);
            }
        }
        self.spec.template = Arc::new(self.spec.template.with_labels(labels));
        if !self.spec.selector.wire.match_labels.contains_key(JOB_CONTROLLER_UID_LABEL)
            && let Ok(selector) = self.spec.selector.with_label(JOB_CONTROLLER_UID_LABEL, &uid)
        {
            self.spec.selector = Arc::new(selector);
        }
    }
}

impl Pod {
    /// Its index among the pods of an indexed Job, if it has one.
    #[must_use]
    pub fn completion_index(&self) -> Option<i32> {
        let index: i64 = self.meta.annotations.get(COMPLETION_INDEX)?.parse().ok()?;
        // One that is too large is out of the range of every Job, as the largest is.
        (index >= 0).then(|| i32::try_from(index).unwrap_or(i32::MAX))
    }
}

impl JobSpec {
    /// Reads a Job's spec, or that of a CronJob's template: what is absent gets its default (upstream `SetDefaults_Job`).
    ///
    /// # Errors
    /// If a field has another type than the API's.
    pub fn from_wire(mut spec: Map<String, Value>) -> Result<Self, WireError> {
        let selector = Arc::new(ObjectSelector::from_wire(&mut spec)?);
        let template = Arc::new(PodTemplate::from_wire(spec.get("template"))?);
        let (parallelism, mut completions) = (integer(&spec, "parallelism"), integer(&spec, "completions"));
        if parallelism.is_none() && completions.is_none() {
            completions = Some(1);
        }
        let backoff_limit_per_index: Option<i32> = integer(&spec, "backoffLimitPerIndex");
        let unlimited = if backoff_limit_per_index.is_some() { i32::MAX } else { DEFAULT_BACKOFF_LIMIT };
        let pod_failure_policy: Option<Arc<PodFailurePolicy>> = field(&spec, "podFailurePolicy")?;
        let waits = match pod_failure_policy {
            Some(_) => PodReplacementPolicy::Failed,
            None => PodReplacementPolicy::TerminatingOrFailed,
        };
        let flag = |key: &str| spec.get(key).and_then(Value::as_bool).unwrap_or(false);
        Ok(Self {
            parallelism: parallelism.unwrap_or(1),
            completions,
            active_deadline_seconds: integer(&spec, "activeDeadlineSeconds"),
            pod_failure_policy,
            success_policy: field(&spec, "successPolicy")?,
            backoff_limit: integer(&spec, "backoffLimit").unwrap_or(unlimited),
            backoff_limit_per_index,
            max_failed_indexes: integer(&spec, "maxFailedIndexes"),
            selector,
            manual_selector: flag("manualSelector"),
            template,
            ttl_seconds_after_finished: integer(&spec, "ttlSecondsAfterFinished"),
            completion_mode: field(&spec, "completionMode")?.unwrap_or_default(),
            suspend: flag("suspend"),
            pod_replacement_policy: field(&spec, "podReplacementPolicy")?.unwrap_or(waits),
            managed_by: field(&spec, "managedBy")?.unwrap_or_else(|| "".into()),
        })
    }

    /// The spec in wire form.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        fn wire<T: Serialize>(value: &T) -> Option<Value> {
            serde_json::to_value(value).ok().filter(|value| !value.is_null())
        }
        let fields = [
            ("parallelism", wire(&self.parallelism)),
            ("completions", wire(&self.completions)),
            ("activeDeadlineSeconds", wire(&self.active_deadline_seconds)),
            ("podFailurePolicy", wire(&self.pod_failure_policy)),
            ("successPolicy", wire(&self.success_policy)),
            ("backoffLimit", wire(&self.backoff_limit)),
            ("backoffLimitPerIndex", wire(&self.backoff_limit_per_index)),
            ("maxFailedIndexes", wire(&self.max_failed_indexes)),
            ("selector", (!self.selector.wire.is_empty()).then(|| self.selector.to_wire())),
            ("manualSelector", wire(&self.manual_selector)),
            ("template", Some(self.template.to_wire())),
            ("ttlSecondsAfterFinished", wire(&self.ttl_seconds_after_finished)),
            ("completionMode", wire(&self.completion_mode)),
            ("suspend", wire(&self.suspend)),
            ("podReplacementPolicy", wire(&self.pod_replacement_policy)),
            ("managedBy", wire(&self.managed_by).filter(|by| by != "")),
        ];
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// A field that is given.
fn field<'a, T: Deserialize<'a>>(spec: &'a Map<String, Value>, key: &str) -> Result<Option<T>, WireError> {
    match spec.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|error| WireError::new(key, error)),
    }
}

impl Resource for Job {
    const KIND: Kind = Kind::Job;
    const ADOPTABLE: bool = true;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        let meta = take(&mut wire, "metadata")?;
        let status = take(&mut wire, "status")?;
        let spec = JobSpec::from_wire(wire_object(&mut wire, "spec"))?;
        Ok(Self { meta, spec, status })
    }

    fn spec_wire(&self) -> Option<Value> {
        Some(self.spec.to_wire())
    }

    fn status_wire(&self) -> Option<Value> {
        serde_json::to_value(&self.status).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn round_trip(spec: Value) -> Value {
        let wire = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec});
        Job::from_wire(wire).expect("a Job").to_wire()["spec"].take()
    }

    #[test]
    fn every_field_of_the_spec_survives_the_round_trip() {
        let spec = json!({
            "parallelism": 2, "completions": 5, "activeDeadlineSeconds": 60, "backoffLimit": 3,
            "backoffLimitPerIndex": 1, "maxFailedIndexes": 2, "manualSelector": true, "completionMode": "Indexed",
            "suspend": true, "podReplacementPolicy": "Failed", "ttlSecondsAfterFinished": 0, "managedBy": "x.io/c",
            "selector": {"matchLabels": {"a": "b"}},
            "successPolicy": {"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]},
            "podFailurePolicy": {"rules": [
                {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [42]}},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}},
        });
        assert_eq!(round_trip(spec.clone()), spec);
    }

    #[test]
    fn what_is_absent_gets_its_default() {
        let read = |spec: Value| JobSpec::from_wire(spec.as_object().cloned().unwrap_or_default()).expect("a spec");
        let plain = read(json!({}));
        assert_eq!((plain.parallelism, plain.completions, plain.backoff_limit), (1, Some(1), 6));
        assert_eq!(
            (read(json!({"parallelism": 3})).completions, read(json!({"completions": 3})).parallelism),
            (None, 1)
        );
        assert_eq!(read(json!({"backoffLimitPerIndex": 0})).backoff_limit, i32::MAX);
        let policy = read(json!({"podFailurePolicy": {"rules": null}}));
        assert_eq!(policy.pod_replacement_policy, PodReplacementPolicy::Failed);
    }

    #[test]
    fn a_generated_selector_asks_for_the_uid() {
        let mut job = Job {
            meta: ObjectMeta { name: "j".into(), uid: Uid::parse("u"), ..ObjectMeta::default() },
            ..Job::default()
        };
        job.complete();
        assert_eq!(job.spec.selector.compiled.to_string(), "batch.kubernetes.io/controller-uid=u");
        let labels: Vec<_> = job.spec.template.labels.iter().collect();
        let expected =
            [(JOB_CONTROLLER_UID_LABEL, "u"), (JOB_NAME_LABEL, "j"), ("controller-uid", "u"), ("job-name", "j")];
        assert_eq!(labels, expected);
        assert_eq!(job.meta.labels, job.spec.template.labels, "as it is read back");
    }
}
