//! Controllers of pods that run for good (`pkg/apis/apps/validation`, ReplicationController).

use serde_json::Value;

use super::checks::{self, NOT_NEGATIVE, fields_not_negative, immutable, not_negative, supported};
use super::error::{Shown, Verbatim};
use super::labels::{self, Matching, map_matches, matching, validate_selector};
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::pod::{PodOptions, validate_template, validate_template_metadata};
use super::{Errors, Path};
use crate::objects::TEMPLATE_GENERATION;
use crate::objects::names;
use crate::objects::wire::{Wire, WireMut};

pub(super) const NO_MATCH: &str = "`selector` does not match template `labels`";

fn template_options(old: Option<&Value>) -> PodOptions {
    old.map_or_else(PodOptions::default, |old| PodOptions::from_old_template(old.at("spec").at("template")))
}

/// Metadata of a create or of an update.
fn validate_metadata(new: &Value, old: Option<&Value>, rules: NameRules, errors: &mut Errors) {
    match old {
        Some(old) => validate_meta_update(new, old, errors),
        None => validate_meta(new, rules, errors),
    }
}

/// `ValidateDeployment`, `ValidateDeploymentUpdate`.
pub(super) fn validate_deployment(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_metadata(new, old, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("spec");
    let spec = new.at("spec");
    not_negative(spec.int("replicas"), &path.child("replicas"), errors);
    validate_selected_template(spec, "deployment", &template_options(old), &path, errors);
    validate_deployment_strategy(spec.at("strategy"), &path.child("strategy"), errors);
    fields_not_negative(spec, &["minReadySeconds", "revisionHistoryLimit"], &path, errors);
    if let Some(deadline) = spec.int_some("progressDeadlineSeconds") {
        let path = path.child("progressDeadlineSeconds");
        not_negative(deadline, &path, errors);
        if deadline <= spec.int("minReadySeconds") {
            errors.push(path.invalid(deadline, "must be greater than minReadySeconds"));
        }
    }
    validate_selector_kept(new, old, errors);
}

/// `ValidateReplicaSet`, `ValidateReplicaSetUpdate`.
pub(super) fn validate_replica_set(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_metadata(new, old, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("spec");
    fields_not_negative(new.at("spec"), &["replicas", "minReadySeconds"], &path, errors);
    validate_selected_template(new.at("spec"), "deployment", &template_options(old), &path, errors);
    validate_selector_kept(new, old, errors);
}

fn validate_selector_kept(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    if let Some(old) = old {
        let path = Path::root("spec.selector");
        immutable(new.at("spec").at("selector"), old.at("spec").at("selector"), &path, errors);
    }
}

/// A required selector that is neither empty nor broken; `kind` is what upstream calls the object in the error.
fn validate_required_selector(selector: &Value, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    if !selector.is_object() {
        errors.push(path.required(""));
        return;
    }
    validate_selector(selector, false, path, errors);
    if labels::is_empty(selector) {
        errors.push(path.invalid(selector, format!("empty selector is invalid for {kind}")));
    }
}

/// Selector and template of Deployments and ReplicaSets, which both speak of ReplicaSets.
fn validate_selected_template(spec: &Value, kind: &str, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let selector = spec.at("selector");
    validate_required_selector(selector, kind, &path.child("selector"), errors);
    let template = spec.at("template");
    let template_path = path.child("template");
    match matching(selector, template.at("metadata").at("labels")) {
        Matching::Unusable => {
            errors.push(path.child("selector").invalid(selector, "invalid label selector"));
            return;
        }
        Matching::No => errors.push(mismatch(template, &template_path)),
        Matching::Yes | Matching::Everything => {}
    }
    validate_template(template, options, &template_path, errors);
    validate_restarts_always(template, "ReplicaSet", &template_path, errors);
}

fn mismatch(template: &Value, path: &Path<'_>) -> super::FieldError {
    path.child("metadata.labels").invalid(template.at("metadata").at("labels"), NO_MATCH)
}

fn validate_restarts_always(template: &Value, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let spec = template.at("spec");
    supported(spec.text("restartPolicy"), &["Always"], &path.child("spec.restartPolicy"), errors);
    if spec.has("activeDeadlineSeconds") {
        let detail = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(path.child("spec.activeDeadlineSeconds").forbidden(detail));
    }
}

fn validate_deployment_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling_path = path.child("rollingUpdate");
    let rolling = strategy.get_some("rollingUpdate");
    match (strategy.text("type"), rolling) {
        ("Recreate", Some(_)) => {
            errors.push(rolling_path.forbidden("may not be specified when strategy `type` is 'Recreate'"));
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => errors.push(rolling_path.required("this should be defaulted and never be nil")),
        ("RollingUpdate", Some(rolling)) => validate_rolling_deployment(rolling, &rolling_path, errors),
        (kind, _) => errors.push(path.not_supported(shown(kind, rolling), &["Recreate", "RollingUpdate"])),
    }
}

/// A strategy of an unknown type, as messages show it.
fn shown(kind: &str, rolling: Option<&Value>) -> Verbatim {
    let rolling = rolling.map_or("null".to_owned(), |rolling| {
        let (unavailable, surge) = (rolling.at("maxUnavailable").shown(), rolling.at("maxSurge").shown());
        format!(r#"{{"MaxUnavailable":{unavailable},"MaxSurge":{surge}}}"#)
    });
    Verbatim(format!(r#"{{"Type":{},"RollingUpdate":{rolling}}}"#, names::quoted(kind)))
}

fn validate_rolling_deployment(rolling: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (unavailable, surge) = (rolling.at("maxUnavailable"), rolling.at("maxSurge"));
    int_or_percent(unavailable, &path.child("maxUnavailable"), errors);
    int_or_percent(surge, &path.child("maxSurge"), errors);
    if int_or_percent_value(unavailable) == 0 && int_or_percent_value(surge) == 0 {
        errors.push(path.child("maxUnavailable").invalid(unavailable, "may not be 0 when `maxSurge` is 0"));
    }
    at_most_all(unavailable, &path.child("maxUnavailable"), errors);
}

/// `ValidatePositiveIntOrPercent`.
pub(super) fn int_or_percent(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::String(percent) => {
            errors.extend(names::percent(percent).into_iter().map(|complaint| path.invalid(percent, complaint)));
        }
        number => {
            let number = number.as_i64().unwrap_or(0);
            if number < 0 {
                errors.push(path.invalid(number, NOT_NEGATIVE));
            }
        }
    }
}

fn percent_value(value: &Value) -> Option<i64> {
    let text = value.as_str().filter(|text| names::percent(text).is_empty())?;
    Some(text.trim_end_matches('%').parse().unwrap_or(i64::MAX))
}

/// `getIntOrPercentValue`: a text that is no percentage counts as the number that it is, or as 0.
pub(super) fn int_or_percent_value(value: &Value) -> i64 {
    let other = || value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok());
    percent_value(value).or_else(other).unwrap_or(0)
}

/// `IsNotMoreThan100Percent`.
pub(super) fn at_most_all(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    if percent_value(value).is_some_and(|percent| percent > 100) {
        errors.push(path.invalid(value, "must not be greater than 100%"));
    }
}

/// `ValidateReplicationController`, `ValidateReplicationControllerUpdate`.
pub(super) fn validate_replication_controller(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    let rules = NameRules { skip_generate_name: true, ..NameRules::namespaced(names::name_is_dns_subdomain) };
    validate_metadata(new, old, rules, errors);
    let path = Path::root("spec");
    let spec = new.at("spec");
    fields_not_negative(spec, &["minReadySeconds"], &path, errors);
    let empty = spec.entries("selector").is_empty();
    if empty {
        errors.push(path.child("selector").required(""));
    }
    match spec.int_some("replicas") {
        None => errors.push(path.child("replicas").required("")),
        Some(replicas) => not_negative(replicas, &path.child("replicas"), errors),
    }
    let template_path = path.child("template");
    let Some(template) = spec.get_some("template") else {
        errors.push(template_path.required(""));
        return;
    };
    if !empty && !map_matches(spec.at("selector"), template.at("metadata").at("labels")) {
        errors.push(mismatch(template, &template_path));
    }
    validate_template(template, &template_options(old), &template_path, errors);
    validate_restarts_always(template, "ReplicationController", &template_path, errors);
}

/// `ValidateDaemonSet`, `ValidateDaemonSetUpdate`.
/// `ControllerRevision`: its data is an object and never changes.
pub(super) fn validate_controller_revision(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_metadata(new, old, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    not_negative(new.int("revision"), &Path::root("revision"), errors);
    let (data, path) = (new.at("data"), Path::root("data"));
    match old {
        Some(old) => immutable(data, old.at("data"), &path, errors),
        None if data.is_null() => errors.push(path.required("data is mandatory")),
        None if !data.is_object() => errors.push(path.required("data must be a valid JSON object")),
        None => {}
    }
}

pub(super) fn validate_daemon_set(new: &Value, old: Option<&Value>, errors: &mut Errors) {
    validate_metadata(new, old, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("spec");
    if let Some(old) = old {
        validate_daemon_set_spec_update(new, old, &path, errors);
    }
    let options = template_options(old);
    let spec = new.at("spec");
    let (selector, template) = (spec.at("selector"), spec.at("template"));
    let old_selector_broken = old.is_some_and(|old| has_invalid_values(old.at("spec").at("selector")));
    let lenient = options.allow_invalid_label_value_in_selector || old_selector_broken;
    validate_selector(selector, lenient, &path.child("selector"), errors);
    let template_path = path.child("template");
    if matching(selector, template.at("metadata").at("labels")) == Matching::No {
        errors.push(mismatch(template, &template_path));
    }
    if selector.is_object() && labels::is_empty(selector) {
        errors.push(path.child("selector").invalid(selector, "empty selector is invalid for daemonset"));
    }
    validate_template(template, &options, &template_path, errors);
    validate_restarts_always(template, "DaemonSet", &template_path, errors);
    fields_not_negative(spec, &["minReadySeconds"], &path, errors);
    not_negative(template_generation(new), &path.child("templateGeneration"), errors);
    validate_daemon_set_strategy(spec.at("updateStrategy"), &path.child("updateStrategy"), errors);
    fields_not_negative(spec, &["revisionHistoryLimit"], &path, errors);
}

/// Whether a stored selector has values that are no label values.
pub(super) fn has_invalid_values(selector: &Value) -> bool {
    let mut expressions = selector.list("matchExpressions").iter();
    expressions.any(|expression| expression.texts("values").iter().any(|value| !names::label_value(value).is_empty()))
}

fn template_generation(set: &Value) -> i64 {
    set.at("metadata").at("annotations").text(TEMPLATE_GENERATION).parse().unwrap_or(0)
}

fn validate_daemon_set_spec_update(new: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (generation, before) = (template_generation(new), template_generation(old));
    let changed = new.at("spec").at("template") != old.at("spec").at("template");
    let at = path.child("templateGeneration");
    if generation < before {
        errors.push(at.invalid(generation, "must not be decremented"));
    }
    if generation == before && changed {
        errors.push(at.invalid(generation, "must be incremented upon template update"));
    } else if generation > before && !changed {
        errors.push(at.invalid(generation, "must not be incremented without template update"));
    }
    validate_selector_kept(new, Some(old), errors);
}

fn validate_daemon_set_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling_path = path.child("rollingUpdate");
    let rolling = match (strategy.text("type"), strategy.get_some("rollingUpdate")) {
        ("OnDelete", _) => return,
        ("RollingUpdate", Some(rolling)) => rolling,
        ("RollingUpdate", None) => {
            errors.push(rolling_path.required(""));
            return;
        }
        (kind, rolling) => {
            errors.push(path.not_supported(shown(kind, rolling), &["RollingUpdate", "OnDelete"]));
            return;
        }
    };
    let fields = ["maxUnavailable", "maxSurge"];
    for field in fields {
        int_or_percent(rolling.at(field), &rolling_path.child(field), errors);
    }
    for field in fields {
        at_most_all(rolling.at(field), &rolling_path.child(field), errors);
    }
    match fields.map(|field| int_or_percent_value(rolling.at(field)) != 0) {
        [true, true] => {
            let detail = "may not be set when maxUnavailable is non-zero";
            errors.push(rolling_path.child("maxSurge").invalid(rolling.at("maxSurge"), detail));
        }
        [false, false] => errors.push(rolling_path.child("maxUnavailable").required("cannot be 0 when maxSurge is 0")),
        _ => {}
    }
}

/// `ValidateStatefulSet`.
pub(super) fn validate_stateful_set(set: &Value, errors: &mut Errors) {
    validate_meta(set, NameRules::namespaced(names::name_is_dns_label), errors);
    let checks = SetChecks { service_name: true, template: true, claims: true };
    validate_stateful_set_spec(set.at("spec"), checks, &PodOptions::default(), errors);
}

/// The fields of a StatefulSet's spec that may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "template",
    "updateStrategy",
    "minReadySeconds",
    "ordinals",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
];

/// `ValidateStatefulSetUpdate`.
pub(super) fn validate_stateful_set_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    let options = template_options(Some(old));
    let mut checks = SetChecks { service_name: false, template: true, claims: false };
    let mut old_faults = Errors::new();
    validate_stateful_set_spec(old.at("spec"), checks, &options, &mut old_faults);
    checks.template = old_faults.is_empty();
    validate_stateful_set_spec(new.at("spec"), checks, &options, errors);
    let fixed = |set: &Value| {
        let mut spec = set.at("spec").clone();
        MUTABLE.iter().for_each(|field| {
            spec.take_field(field);
        });
        spec
    };
    if fixed(new) != fixed(old) {
        errors.push(Path::root("spec").forbidden(
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

/// What of a StatefulSet's spec is checked; stored sets are let off some.
#[derive(Debug, Clone, Copy)]
struct SetChecks {
    service_name: bool,
    template: bool,
    claims: bool,
}

fn validate_stateful_set_spec(spec: &Value, checks: SetChecks, options: &PodOptions, errors: &mut Errors) {
    let path = Path::root("spec");
    match spec.text("podManagementPolicy") {
        "" => errors.push(path.child("podManagementPolicy").required("")),
        "OrderedReady" | "Parallel" => {}
        other => {
            errors.push(path.child("podManagementPolicy").invalid(other, "must be 'OrderedReady' or 'Parallel'"));
        }
    }
    validate_set_strategy(spec.at("updateStrategy"), &path.child("updateStrategy"), errors);
    if let Some(policy) = spec.get_some("persistentVolumeClaimRetentionPolicy") {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        for field in ["whenDeleted", "whenScaled"] {
            supported(policy.text(field), &["Retain", "Delete"], &path.child(field), errors);
        }
    }
    if checks.claims {
        let list = path.child("volumeClaimTemplates");
        for (index, claim) in spec.list("volumeClaimTemplates").iter().enumerate() {
            let at = list.index(index);
            super::claims::validate_claim_spec(claim.at("spec"), &at.child("spec"), Default::default(), errors);
        }
    }
    fields_not_negative(spec, &["replicas", "minReadySeconds"], &path, errors);
    not_negative(spec.at("ordinals").int("start"), &path.child("ordinals.start"), errors);
    let service = spec.text("serviceName");
    if checks.service_name && !service.is_empty() {
        checks::dns_label(service, &path.child("serviceName"), errors);
    }
    validate_required_selector(spec.at("selector"), "statefulset", &path.child("selector"), errors);
    validate_set_template(spec, checks, options, &path, errors);
    validate_restarts_always(spec.at("template"), "StatefulSet", &path.child("template"), errors);
}

fn validate_set_template(spec: &Value, checks: SetChecks, options: &PodOptions, path: &Path<'_>, errors: &mut Errors) {
    let selector = spec.at("selector");
    let template = template_of_set(spec);
    let template_path = path.child("template");
    match matching(selector, template.at("metadata").at("labels")) {
        Matching::Unusable => {
            errors.push(path.child("selector").invalid(selector, ""));
            return;
        }
        Matching::No => errors.push(mismatch(&template, &template_path)),
        Matching::Yes | Matching::Everything => {}
    }
    if checks.template {
        validate_template(&template, options, &template_path, errors);
    }
    validate_template_metadata(&template, options, &template_path, errors);
}

/// The template as the pods will have it: with a volume for each claim, without the fields that the controller sets.
fn template_of_set(spec: &Value) -> Value {
    let mut template = spec.at("template").clone();
    let claims = spec.list("volumeClaimTemplates");
    let Some(pod) = template.object_mut("spec") else { return template };
    pod.take_field("subdomain");
    pod.take_field("hostname");
    if !claims.is_empty() {
        let mut names: Vec<&str> = claims.iter().map(|claim| claim.at("metadata").text("name")).collect();
        names.sort_unstable();
        names.dedup();
        let claimed =
            names.iter().map(|name| serde_json::json!({"name": name, "persistentVolumeClaim": {"claimName": name}}));
        let own = pod.list("volumes").iter().filter(|volume| !names.contains(&volume.text("name"))).cloned();
        let volumes: Vec<Value> = claimed.chain(own).collect();
        pod.set("volumes", volumes);
    }
    template
}

fn validate_set_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling = strategy.get_some("rollingUpdate");
    let rolling_path = path.child("rollingUpdate");
    let shown = |rolling: &Value| {
        let unavailable = rolling.get_some("maxUnavailable").map_or("null".to_owned(), Shown::shown);
        format!(r#"{{"Partition":{},"MaxUnavailable":{unavailable}}}"#, rolling.int("partition"))
    };
    match (strategy.text("type"), rolling) {
        ("", _) => errors.push(path.required("")),
        ("OnDelete", Some(rolling)) => {
            errors.push(
                rolling_path.invalid(Verbatim(shown(rolling)), "only allowed for updateStrategy 'RollingUpdate'"),
            );
        }
        ("RollingUpdate", Some(rolling)) => {
            not_negative(rolling.int("partition"), &rolling_path.child("partition"), errors);
            if let Some(unavailable) = rolling.get_some("maxUnavailable") {
                let path = rolling_path.child("maxUnavailable");
                int_or_percent(unavailable, &path, errors);
                if int_or_percent_value(unavailable) == 0 {
                    errors.push(path.invalid(unavailable, "cannot be 0"));
                }
                at_most_all(unavailable, &path, errors);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        (kind, rolling) => {
            let rolling = rolling.map_or("null".to_owned(), shown);
            let shown = Verbatim(format!(r#"{{"Type":{},"RollingUpdate":{rolling}}}"#, names::quoted(kind)));
            errors.push(path.invalid(shown, "must be 'RollingUpdate' or 'OnDelete'"));
        }
    }
}
