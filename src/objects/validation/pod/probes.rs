//! Probes and lifecycle hooks.

use serde_json::Value;

use crate::objects::names;
use crate::objects::validation::checks::{Report, fields_not_negative, port_number, port_number_or_name, supported};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

type ActionCheck = fn(&Value, Option<i64>, &Path<'_>, &mut Errors);

const ACTIONS: [(&str, ActionCheck); 5] = [
    ("exec", |action, _, path, errors| {
        if action.list("command").is_empty() {
            errors.push(path.child("command").required(""));
        }
    }),
    ("httpGet", |action, _, path, errors| validate_http_get(action, path, errors)),
    ("tcpSocket", |action, _, path, errors| port_number_or_name(action.at("port"), &path.child("port"), errors)),
    ("grpc", |action, _, path, errors| port_number(action.int("port"), &path.child("port"), errors)),
    ("sleep", validate_sleep),
];

/// Probes know the first four actions, hooks all but gRPC.
const PROBE_ACTIONS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_ACTIONS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

fn validate_action(handler: &Value, known: &[&str], grace: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    let mut given = 0;
    for (field, check) in ACTIONS.iter().filter(|(field, _)| known.contains(field)) {
        let Some(action) = handler.get_some(field) else { continue };
        if given > 0 {
            errors.push(path.child(field).forbidden("may not specify more than 1 handler type"));
        } else {
            check(action, grace, &path.child(field), errors);
        }
        given += 1;
    }
    if given == 0 {
        errors.push(path.required("must specify a handler type"));
    }
}

fn validate_http_get(action: &Value, path: &Path<'_>, errors: &mut Errors) {
    if action.text("path").is_empty() {
        errors.push(path.child("path").required(""));
    }
    port_number_or_name(action.at("port"), &path.child("port"), errors);
    supported(action.text("scheme"), &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    for header in action.list("httpHeaders") {
        let name = header.text("name");
        errors.complain(&path.child("httpHeaders"), name, names::http_header_name(name));
    }
}

fn validate_sleep(action: &Value, grace: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    let (seconds, Some(grace)) = (action.int("seconds"), grace) else { return };
    if seconds < 0 || seconds > grace {
        let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.push(path.invalid(seconds, detail));
    }
}

/// The three probes of a container.
pub(super) fn validate_probes(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (field, must_succeed_once) in [("livenessProbe", true), ("readinessProbe", false), ("startupProbe", true)] {
        let Some(probe) = container.get_some(field) else { continue };
        let path = path.child(field);
        validate_probe(probe, &path, errors);
        if must_succeed_once && probe.int("successThreshold") != 1 {
            errors.push(path.child("successThreshold").invalid(probe.int("successThreshold"), "must be 1"));
        }
        if let Some(seconds) = probe.int_some("terminationGracePeriodSeconds").filter(|_| field == "readinessProbe") {
            let path = path.child("terminationGracePeriodSeconds");
            errors.push(path.invalid(seconds, "must not be set for readinessProbes"));
        }
    }
}

fn validate_probe(probe: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_action(probe, &PROBE_ACTIONS, None, path, errors);
    let numbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    fields_not_negative(probe, &numbers, path, errors);
    if let Some(seconds) = probe.int_some("terminationGracePeriodSeconds").filter(|seconds| *seconds <= 0) {
        errors.push(path.child("terminationGracePeriodSeconds").invalid(seconds, "must be greater than 0"));
    }
}

/// `validateLifecycle`. `stopSignal` is behind a feature that is off, and dropped before validation.
pub(super) fn validate_lifecycle(container: &Value, grace: Option<i64>, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("lifecycle");
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = container.at("lifecycle").get_some(hook) {
            validate_action(handler, &HOOK_ACTIONS, grace, &path.child(hook), errors);
        }
    }
}
