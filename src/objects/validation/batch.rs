//! Jobs and CronJobs (`pkg/apis/batch/validation`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::checks::{fields_not_negative, immutable, not_negative, qualified_name, required_enum, supported};
use super::labels::{Matching, matching, validate_selector};
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::pod::{PodOptions, validate_template};
use super::workloads::{NO_MATCH, has_invalid_values};
use super::{ErrorKind, Errors, FieldError, Path};
use crate::objects::cron::{Schedule, Zone};
use crate::objects::names;
use crate::objects::wire::{Wire, WireMut};

const INDEXED_MAX: i64 = 100_000;
const HIGH_COMPLETIONS: i64 = 100_000;
const AT_HIGH_COMPLETIONS_MAX: i64 = 10_000;
const RULES_MAX: usize = 20;
const EXIT_CODES_MAX: usize = 255;
const MANAGED_BY_MAX: usize = 63;
const INDEXES_MAX: usize = 64 * 1024;
const CRON_JOB_NAME_MAX: usize = 52;
const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// `ValidateJob`.
pub(super) fn validate_job(job: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_meta(job, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let options = job_options(old);
    let prefixed = old.is_none_or(|old| {
        let labels = old.at("spec").at("template").at("metadata").at("labels");
        labels.has(JOB_NAME) && labels.has(CONTROLLER_UID)
    });
    validate_generated_selector(job, prefixed, errors);
    let spec = job.at("spec");
    validate_selected_spec(spec, &options, &Path::root("spec"), errors);
    let completions = spec.int("completions");
    if spec.text("completionMode") == "Indexed" && completions > 0 {
        let name = job.at("metadata").text("name");
        let hostname = format!("{name}-{}", completions - 1);
        if !names::dns1123_label(&hostname).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {hostname}");
            errors.push(Path::root("metadata.name").invalid(name, detail));
        }
    }
}

fn job_options(old: Option<&Value>) -> PodOptions {
    let Some(old) = old else { return PodOptions::default() };
    let mut options = PodOptions::from_old_template(old.at("spec").at("template"));
    options.allow_invalid_label_value_in_selector |= has_invalid_values(old.at("spec").at("selector"));
    options
}

fn validate_generated_selector(job: &Value, prefixed: bool, errors: &mut Errors) {
    let spec = job.at("spec");
    if spec.flag("manualSelector") || !spec.has("selector") {
        return;
    }
    let (name, uid) = (job.at("metadata").text("name"), job.at("metadata").text("uid"));
    if uid.is_empty() {
        errors.push(Path::root("metadata.uid").required(""));
    }
    let mut expected = vec![("controller-uid", uid), ("job-name", name)];
    if prefixed {
        expected.extend([(CONTROLLER_UID, uid), (JOB_NAME, name)]);
    }
    let labels = spec.at("template").at("metadata").at("labels");
    let path = Path::root("spec.template.metadata.labels");
    for (label, value) in &expected {
        match labels.text_some(label) {
            None => errors.push(path.key(label).required(format!("must be '{value}'"))),
            Some(other) if other != *value => {
                errors.push(path.key(label).invalid(labels, format!("must be '{value}'")))
            }
            Some(_) => {}
        }
    }
    let expected: Value = expected.into_iter().map(|(label, value)| (label.to_owned(), Value::from(value))).collect();
    if matching(spec.at("selector"), &expected) == Matching::No {
        errors.push(Path::root("spec.selector").invalid(spec.at("selector"), "`selector` not auto-generated"));
    }
}

/// `ValidateJobSpec`.
fn validate_selected_spec(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    validate_spec(spec, options, path, errors);
    let selector = spec.at("selector");
    if selector.is_object() {
        let lenient = options.allow_invalid_label_value_in_selector;
        validate_selector(selector, lenient, &path.child("selector"), errors);
    } else {
        errors.push(path.child("selector").required(""));
    }
    let labels = spec.at("template").at("metadata").at("labels");
    if matching(selector, labels) == Matching::No {
        errors.push(path.child("template.metadata.labels").invalid(labels, NO_MATCH));
    }
}

/// `validateJobSpec`, for Jobs and for the templates of CronJobs.
fn validate_spec(spec: &Value, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    fields_not_negative(spec, &numbers, path, errors);
    if spec.has("maxFailedIndexes") && !spec.has("backoffLimitPerIndex") {
        errors.push(path.child("backoffLimitPerIndex").required("when maxFailedIndexes is specified"));
    }
    if let Some(manager) = spec.text_some("managedBy") {
        super::network::domain_prefixed_path(manager, &path.child("managedBy"), errors);
        if manager.len() > MANAGED_BY_MAX {
            errors.push(path.child("managedBy").too_long(MANAGED_BY_MAX));
        }
    }
    validate_completion_mode(spec, path, errors);
    if let Some(policy) = spec.get_some("podFailurePolicy") {
        validate_failure_policy(spec, policy, &path.child("podFailurePolicy.rules"), errors);
    }
    if let Some(policy) = spec.get_some("successPolicy") {
        let path = path.child("successPolicy");
        if spec.text("completionMode") == "Indexed" {
            validate_success_policy(spec, policy, &path.child("rules"), errors);
        } else {
            errors.push(path.invalid(policy, "requires indexed completion mode"));
        }
    }
    if let Some(policy) = spec.text_some("podReplacementPolicy") {
        let allowed: &[&str] =
            if spec.has("podFailurePolicy") { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        supported(policy, allowed, &path.child("podReplacementPolicy"), errors);
    }
    validate_template(spec.at("template"), options, &path.child("template"), errors);
    validate_restart_policy(spec, &path.child("template.spec.restartPolicy"), errors);
}

fn validate_restart_policy(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    match spec.at("template").at("spec").text("restartPolicy") {
        "" | "Always" => errors.push(path.required(r#"valid values: "OnFailure", "Never""#)),
        "Never" => {}
        "OnFailure" if spec.has("podFailurePolicy") => {
            errors.push(path.invalid("OnFailure", r#"only "Never" is supported when podFailurePolicy is specified"#));
        }
        policy => supported(policy, &["OnFailure", "Never"], path, errors),
    }
}

fn validate_completion_mode(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mode = spec.text_some("completionMode");
    if let Some(mode) = mode {
        supported(mode, &["NonIndexed", "Indexed"], &path.child("completionMode"), errors);
    }
    match mode {
        Some("Indexed") => validate_indexed(spec, path, errors),
        None | Some("NonIndexed") => {
            for field in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(value) = spec.int_some(field) {
                    errors.push(path.child(field).invalid(value, "requires indexed completion mode"));
                }
            }
        }
        Some(_) => {}
    }
}

fn validate_indexed(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let completions = spec.int_some("completions");
    let (parallelism, failed) = (spec.int_some("parallelism"), spec.int_some("maxFailedIndexes"));
    let (parallelism_path, failed_path) = (path.child("parallelism"), path.child("maxFailedIndexes"));
    if completions.is_none() {
        errors.push(path.child("completions").required("when completion mode is Indexed"));
    }
    if let Some(parallelism) = parallelism.filter(|parallelism| *parallelism > INDEXED_MAX) {
        let detail = "must be less than or equal to 100000 when completion mode is Indexed";
        errors.push(parallelism_path.invalid(parallelism, detail));
    }
    if let (Some(completions), Some(failed)) = (completions, failed)
        && failed > completions
    {
        errors.push(failed_path.invalid(failed, "must be less than or equal to completions"));
    }
    if let Some(failed) = failed.filter(|failed| *failed > INDEXED_MAX) {
        errors.push(failed_path.invalid(failed, "must be less than or equal to 100000"));
    }
    if completions.is_none_or(|completions| completions <= HIGH_COMPLETIONS) || !spec.has("backoffLimitPerIndex") {
        return;
    }
    if failed.is_none() {
        errors.push(failed_path.required("must be specified when completions is above 100000"));
    }
    for (value, path) in [(parallelism, parallelism_path), (failed, failed_path)] {
        if let Some(value) = value.filter(|value| *value > AT_HIGH_COMPLETIONS_MAX) {
            let detail = "must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index";
            errors.push(path.invalid(value, detail));
        }
    }
}

/// An error that shows no value.
fn invalid_without_value(path: &Path<'_>, detail: &'static str) -> FieldError {
    FieldError { kind: ErrorKind::Invalid, field: path.to_string(), value: None, detail: detail.into() }
}

/// `%q` of a list of strings.
fn quoted_list(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| names::quoted(value)).collect();
    format!("valid values: [{}]", quoted.join(" "))
}

fn required_or_supported(value: &str, allowed: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(path.required(quoted_list(allowed)));
    } else {
        supported(value, allowed, path, errors);
    }
}

fn validate_failure_policy(spec: &Value, policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rules = policy.list("rules");
    if rules.len() > RULES_MAX {
        errors.push(path.too_many(rules.len(), RULES_MAX));
    }
    let pod = spec.at("template").at("spec");
    let containers: BTreeSet<&str> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod.list(list).iter().map(|container| container.text("name")))
        .collect();
    for (index, rule) in rules.iter().enumerate() {
        validate_failure_rule(spec, rule, &containers, &path.index(index), errors);
    }
}

fn validate_failure_rule(
    spec: &Value,
    rule: &Value,
    containers: &BTreeSet<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let action = rule.text("action");
    if action == "FailIndex" && !spec.has("backoffLimitPerIndex") {
        errors.push(path.child("action").invalid(action, "requires the backoffLimitPerIndex to be set"));
    } else {
        required_or_supported(action, &ACTIONS, &path.child("action"), errors);
    }
    let (codes, conditions) = (rule.get_some("onExitCodes"), rule.list("onPodConditions"));
    if let Some(codes) = codes {
        validate_exit_codes(codes, containers, &path.child("onExitCodes"), errors);
    }
    let conditions_path = path.child("onPodConditions");
    if conditions.len() > RULES_MAX {
        errors.push(conditions_path.too_many(conditions.len(), RULES_MAX));
    }
    for (index, pattern) in conditions.iter().enumerate() {
        let path = conditions_path.index(index);
        qualified_name(pattern.text("type"), &path.child("type"), errors);
        required_or_supported(pattern.text("status"), &STATUSES, &path.child("status"), errors);
    }
    match (codes, conditions.is_empty()) {
        (Some(_), false) => {
            errors
                .push(invalid_without_value(path, "specifying both OnExitCodes and OnPodConditions is not supported"));
        }
        (None, true) => {
            errors.push(invalid_without_value(path, "specifying one of OnExitCodes and OnPodConditions is required"));
        }
        _ => {}
    }
}

fn validate_exit_codes(codes: &Value, containers: &BTreeSet<&str>, path: &Path<'_>, errors: &mut Errors) {
    let operator = codes.text("operator");
    required_or_supported(operator, &["In", "NotIn"], &path.child("operator"), errors);
    if let Some(name) = codes.text_some("containerName").filter(|name| !containers.contains(name)) {
        let detail = "must be one of the container or initContainer names in the pod template";
        errors.push(path.child("containerName").invalid(name, detail));
    }
    let values: Vec<i64> = codes.list("values").iter().map(|value| value.as_i64().unwrap_or(0)).collect();
    let values_path = path.child("values");
    let shown = Value::from(values.clone());
    if values.is_empty() {
        errors.push(values_path.invalid(shown, "at least one value is required"));
        return;
    }
    if values.len() > EXIT_CODES_MAX {
        errors.push(values_path.too_many(values.len(), EXIT_CODES_MAX));
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let path = values_path.index(index);
        if operator == "In" && *value == 0 {
            errors.push(path.invalid(value, "must not be 0 for the In operator"));
        }
        if !seen.insert(value) {
            errors.push(path.duplicate(value));
        }
    }
    if !values.is_sorted() {
        errors.push(values_path.invalid(shown, "must be ordered"));
    }
}

fn validate_success_policy(spec: &Value, policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rules = policy.list("rules");
    if rules.is_empty() {
        errors.push(path.required("at least one rules must be specified when the successPolicy is specified"));
    }
    if rules.len() > RULES_MAX {
        errors.push(path.too_many(rules.len(), RULES_MAX));
    }
    let completions = spec.int("completions");
    for (index, rule) in rules.iter().enumerate() {
        validate_success_rule(rule, completions, &path.index(index), errors);
    }
}

fn validate_success_rule(rule: &Value, completions: i64, path: &Path<'_>, errors: &mut Errors) {
    let (indexes, count) = (rule.text_some("succeededIndexes"), rule.int_some("succeededCount"));
    if indexes.is_none() && count.is_none() {
        errors.push(path.required("at least one of succeededCount or succeededIndexes must be specified"));
    }
    let mut total = 0;
    if let Some(indexes) = indexes {
        let path = path.child("succeededIndexes");
        if indexes.len() > INDEXES_MAX {
            errors.push(path.too_long(INDEXES_MAX));
        }
        match count_indexes(indexes, completions) {
            Ok(counted) => total = counted,
            Err(fault) => errors.push(path.invalid(indexes, format!("error parsing succeededIndexes: {fault}"))),
        }
    }
    let Some(count) = count else { return };
    let path = path.child("succeededCount");
    not_negative(count, &path, errors);
    let mut limit = |limit: i64, what: &str| {
        if count > limit {
            errors.push(path.invalid(count, format!("must be less than or equal to {limit} (the number of {what})")));
        }
    };
    limit(completions, "specified completions");
    if indexes.is_some() {
        limit(total, "indexes in the specified succeededIndexes field");
    }
}

/// How many indexes a list such as `1,3-5` has (`validateIndexesFormat`).
fn count_indexes(text: &str, completions: i64) -> Result<i64, String> {
    let (mut last, mut total) = (None, 0);
    for interval in text.split(',').filter(|_| !text.is_empty()) {
        let (first, end) = index_interval(interval, completions)?;
        if let Some(last) = last.filter(|last| *last >= first) {
            return Err(format!("non-increasing order, previous: {last}, current: {first}"));
        }
        total += end - first + 1;
        last = Some(end);
    }
    Ok(total)
}

fn index_interval(interval: &str, completions: i64) -> Result<(i64, i64), String> {
    let index = |text: &str| {
        let quoted = names::quoted(text);
        let index = text.parse::<i64>().map_err(|_| format!("cannot convert string to integer for index: {quoted}"))?;
        if index < completions { Ok(index) } else { Err(format!("too large index: {quoted}")) }
    };
    match interval.split('-').collect::<Vec<_>>().as_slice() {
        [only] => index(only).map(|only| (only, only)),
        [first, last] => {
            let (first, last) = (index(first)?, index(last)?);
            if first < last {
                Ok((first, last))
            } else {
                Err(format!("non-increasing order, previous: {first}, current: {last}"))
            }
        }
        _ => Err(format!(
            "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
            names::quoted(interval)
        )),
    }
}

/// `ValidateJob` and `ValidateJobUpdate`, as the strategy calls them.
pub(super) fn validate_job_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_job(new, Some(old), errors);
    validate_meta_update(new, old, errors);
    let path = Path::root("spec");
    validate_selected_spec(new.at("spec"), &job_options(Some(old)), &path, errors);
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    validate_completions_kept(spec, old_spec, &path.child("completions"), errors);
    let kept =
        |field: &str, errors: &mut Errors| immutable(spec.at(field), old_spec.at(field), &path.child(field), errors);
    kept("selector", errors);
    validate_job_template_kept(spec, old, &path, errors);
    for field in ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"] {
        kept(field, errors);
    }
}

fn validate_completions_kept(spec: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    if spec.text("completionMode") != "Indexed" {
        immutable(spec.at("completions"), old.at("completions"), path, errors);
    } else if spec.at("completions") != old.at("completions") && spec.int("completions") != spec.int("parallelism") {
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.push(path.invalid(spec.at("completions"), detail));
    }
}

/// The template of a Job that does not run may still be given another place or other resources.
fn validate_job_template_kept(spec: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (template, old_spec) = (spec.at("template"), old.at("spec"));
    let mut before = old_spec.at("template").clone();
    let status = old.at("status");
    let suspended_condition = status
        .list("conditions")
        .iter()
        .any(|condition| condition.text("type") == "Suspended" && condition.text("status") == "True");
    let idle = (!status.has("startTime") || suspended_condition) && status.int("active") == 0;
    if !old_spec.flag("suspend") || !idle {
        immutable(template, &before, &path.child("template"), errors);
        return;
    }
    adopt_scheduling(&mut before, template);
    if let Some(pod) = before.object_mut("spec") {
        for list in ["containers", "initContainers"] {
            let new = template.at("spec").list(list);
            if new.len() == pod.list(list).len() {
                for (old, new) in
                    pod.list_mut(list).iter_mut().zip(new).filter(|(old, new)| old.text("name") == new.text("name"))
                {
                    old.set("resources", new.at("resources").clone());
                }
            }
        }
    }
    immutable(template.at("spec"), before.at("spec"), &path.child("template.spec"), errors);
}

fn adopt_scheduling(before: &mut Value, template: &Value) {
    let adopt = |target: &mut Value, source: &Value, field: &str| match source.get_some(field) {
        Some(value) => target.set(field, value.clone()),
        None => {
            target.take_field(field);
        }
    };
    let Some(pod) = before.object_mut("spec") else { return };
    for field in ["nodeSelector", "tolerations", "schedulingGates"] {
        adopt(pod, template.at("spec"), field);
    }
    let affinity = template.at("spec").at("affinity");
    if let Some(own) = pod.ensure_object("affinity") {
        adopt(own, affinity, "nodeAffinity");
    }
    if !affinity.is_object() && pod.at("affinity").as_object().is_some_and(serde_json::Map::is_empty) {
        pod.take_field("affinity");
    }
}

/// `ValidateCronJobCreate`, `ValidateCronJobUpdate`.
pub(super) fn validate_cron_job(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    match old {
        Some(old) => validate_meta_update(new, old, errors),
        None => validate_meta(new, NameRules::namespaced(names::name_is_dns_subdomain), errors),
    }
    let path = Path::root("spec");
    let spec = new.at("spec");
    let old_spec = old.map(|old| old.at("spec"));
    validate_schedule(spec, old_spec, &path.child("schedule"), errors);
    fields_not_negative(spec, &["startingDeadlineSeconds"], &path, errors);
    if old_spec.is_none_or(|old| old.at("timeZone") != spec.at("timeZone"))
        && let Some(zone) = spec.text_some("timeZone")
    {
        validate_time_zone(zone, &path.child("timeZone"), errors);
    }
    required_enum(
        spec.text("concurrencyPolicy"),
        &["Allow", "Forbid", "Replace"],
        &path.child("concurrencyPolicy"),
        errors,
    );
    let options = old_spec.map_or_else(PodOptions::default, |old| {
        PodOptions::from_old_template(old.at("jobTemplate").at("spec").at("template"))
    });
    let job = spec.at("jobTemplate").at("spec");
    let job_path = path.child("jobTemplate.spec");
    validate_spec(job, &options, &job_path, errors);
    if job.has("selector") {
        errors.push(job_path.child("selector").invalid(job.at("selector"), "`selector` will be auto-generated"));
    }
    if job.flag("manualSelector") {
        errors.push(job_path.child("manualSelector").not_supported(true, &["nil", "false"]));
    }
    fields_not_negative(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], &path, errors);
    let name = new.at("metadata").text("name");
    if old.is_none() && name.len() > CRON_JOB_NAME_MAX {
        errors.push(Path::root("metadata.name").invalid(name, "must be no more than 52 characters"));
    }
}

fn validate_schedule(spec: &Value, old: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        errors.push(path.required(""));
        return;
    }
    if let Err(fault) = schedule.parse::<Schedule>() {
        errors.push(path.invalid(schedule, fault.to_string()));
    }
    let zoned_before = old.is_some_and(|old| old.text("schedule").contains("TZ"));
    if schedule.contains("TZ") && !zoned_before {
        errors.push(path.invalid(schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
    } else if schedule.contains("TZ") && spec.has("timeZone") {
        errors.push(path.invalid(schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"));
    }
}

fn validate_time_zone(zone: &str, path: &Path<'_>, errors: &mut Errors) {
    if zone.is_empty() {
        errors.push(path.invalid(zone, "timeZone must be nil or non-empty string"));
        return;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    let part_is_fine = |part: &str| {
        (1..=14).contains(&part.len())
            && !matches!(part, "." | "..")
            && !part.starts_with('-')
            && part.bytes().all(allowed)
    };
    let unknown = || format!("unknown time zone {zone}");
    if !zone.split('/').all(part_is_fine) {
        errors.push(path.invalid(zone, unknown()));
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        let detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
        errors.push(path.invalid(zone, detail));
    }
    if Zone::named(zone).is_none() {
        errors.push(path.invalid(zone, unknown()));
    }
}

/// What controllers report about Jobs: numbers that are none below zero.
pub(super) fn validate_job_status(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    let path = Path::root("status");
    fields_not_negative(new.at("status"), &["active", "succeeded", "failed", "ready", "terminating"], &path, errors);
}
