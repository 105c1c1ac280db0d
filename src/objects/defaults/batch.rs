//! Jobs and CronJobs.

use serde_json::Value;

use super::workloads::{default_map, default_template, template_labels};
use crate::objects::wire::{Wire, WireMut};

/// `SetDefaults_Job`.
pub(super) fn default_job(job: &mut Value) {
    if let Some(labels) = template_labels(job.at("spec")) {
        default_map(job.object_mut("metadata"), "labels", &labels);
    }
    let Some(spec) = job.ensure_object("spec") else { return };
    if !spec.has("completions") && !spec.has("parallelism") {
        spec.set("completions", 1);
    }
    spec.default_to("parallelism", 1);
    let backoff_limit = if spec.has("backoffLimitPerIndex") { i64::from(i32::MAX) } else { 6 };
    spec.default_to("backoffLimit", backoff_limit);
    spec.default_to("completionMode", "NonIndexed");
    spec.default_to("suspend", false);
    let replacement = if spec.has("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    spec.default_to("podReplacementPolicy", replacement);
    spec.default_to("manualSelector", false);
    default_job_spec(spec);
}

/// What the defaults of Jobs and of job templates have in common.
fn default_job_spec(spec: &mut Value) {
    if let Some(policy) = spec.object_mut("podFailurePolicy") {
        for pattern in policy.list_mut("rules").iter_mut().flat_map(|rule| rule.list_mut("onPodConditions")) {
            pattern.default_text("status", "True");
        }
    }
    default_template(spec);
}

/// `SetDefaults_CronJob`.
pub(super) fn default_cron_job(cron_job: &mut Value) {
    let Some(spec) = cron_job.ensure_object("spec") else { return };
    spec.default_text("concurrencyPolicy", "Allow");
    spec.default_to("suspend", false);
    spec.default_to("successfulJobsHistoryLimit", 3);
    spec.default_to("failedJobsHistoryLimit", 1);
    spec.object_mut("jobTemplate").and_then(|template| template.object_mut("spec")).map(default_job_spec);
}
