//! Environment variables and what they refer to.

use serde_json::Value;

use crate::objects::Quantity;
use crate::objects::names;
use crate::objects::validation::checks::{self, Report, no_backsteps, qualified_name};
use crate::objects::validation::{Errors, Path};
use crate::objects::wire::Wire;

const FIELDS_OF_ENV: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The fields of a pod that a file can show.
pub(super) const ENV_FIELDS_OF_VOLUMES: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

/// All fields that the downward API knows.
const CONVERTIBLE_FIELDS: [&str; 15] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.host",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.phase",
    "status.podIP",
    "status.podIPs",
];

const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

const BYTE_DIVISORS: [&str; 13] = ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];

/// `ValidateEnv`.
pub(super) fn validate_env(variables: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, variable) in variables.iter().enumerate() {
        let path = path.index(index);
        let name = variable.text("name");
        if name.is_empty() {
            errors.push(path.child("name").required(""));
        } else {
            errors.complain(&path.child("name"), name, names::relaxed_env_var_name(name));
        }
        if let Some(source) = variable.get_some("valueFrom") {
            validate_value_source(source, variable.text("value"), &path.child("valueFrom"), errors);
        }
    }
}

fn validate_value_source(source: &Value, value: &str, path: &Path<'_>, errors: &mut Errors) {
    type Check = fn(&Value, &Path<'_>, &mut Errors);
    let checks: [(&str, Check); 5] = [
        ("fieldRef", |field, path, errors| validate_field_ref(field, &FIELDS_OF_ENV, path, errors)),
        ("resourceFieldRef", |field, path, errors| validate_resource_field_ref(field, false, path, errors)),
        ("configMapKeyRef", validate_key_ref),
        ("secretKeyRef", validate_key_ref),
        ("fileKeyRef", validate_file_key_ref),
    ];
    let mut given = 0;
    for (field, check) in checks {
        if let Some(reference) = source.get_some(field) {
            given += 1;
            check(reference, &path.child(field), errors);
        }
    }
    if given == 0 {
        errors.push(path.invalid(
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ));
    } else if !value.is_empty() {
        errors.push(path.invalid("", "may not be specified when `value` is not empty"));
    } else if given > 1 {
        errors.push(path.invalid("", "may not have more than one field specified at a time"));
    }
}

/// `validateObjectFieldSelector`: a field of the pod, of which `allowed` can be used here.
pub(super) fn validate_field_ref(field: &Value, allowed: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let (version, field_path) = (field.text("apiVersion"), field.text("fieldPath"));
    if version.is_empty() {
        errors.push(path.child("apiVersion").required(""));
        return;
    }
    let at = path.child("fieldPath");
    if field_path.is_empty() {
        errors.push(at.required(""));
        return;
    }
    match convert_field(version, field_path) {
        Err(fault) => errors.push(at.invalid(field_path, format!("error converting fieldPath: {fault}"))),
        Ok(("metadata.annotations", Some(key))) => {
            errors.complain(path, &key.to_lowercase(), names::label_key(&key.to_lowercase()))
        }
        Ok((_, Some(key))) => qualified_name(key, path, errors),
        Ok((converted, None)) => checks::supported(converted, allowed, &at, errors),
    }
}

/// `ConvertDownwardAPIFieldLabel`: the field, and the key of an entry if it names one.
fn convert_field<'a>(version: &str, field: &'a str) -> Result<(&'a str, Option<&'a str>), String> {
    if version != "v1" {
        return Err(format!("unsupported pod version: {version}"));
    }
    if let Some((map, key)) = split_subscript(field) {
        return match map {
            "metadata.annotations" | "metadata.labels" => Ok((map, Some(key))),
            _ => Err(format!("field label does not support subscript: {field}")),
        };
    }
    match field {
        "spec.host" => Ok(("spec.nodeName", None)),
        _ if CONVERTIBLE_FIELDS.contains(&field) => Ok((field, None)),
        _ => Err(format!("field label not supported: {field}")),
    }
}

/// `metadata.labels['key']`
fn split_subscript(field: &str) -> Option<(&str, &str)> {
    let (map, key) = field.strip_suffix("']")?.split_once("['")?;
    (!map.is_empty()).then_some((map, key))
}

/// `validateContainerResourceFieldSelector`; in a volume the container must be named.
pub(super) fn validate_resource_field_ref(field: &Value, in_volume: bool, path: &Path<'_>, errors: &mut Errors) {
    let resource = field.text("resource");
    let huge_pages = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if in_volume && field.text("containerName").is_empty() {
        errors.push(path.child("containerName").required(""));
    } else if resource.is_empty() {
        errors.push(path.child("resource").required(""));
    } else if !RESOURCE_FIELDS.contains(&resource) && !huge_pages {
        errors.push(path.child("resource").not_supported(resource, &RESOURCE_FIELDS));
    }
    let divisor = checks::quantity(field.at("divisor")).filter(|divisor| *divisor != Quantity::default());
    let Some(divisor) = divisor.map(|divisor| divisor.to_string()) else { return };
    let bytes = "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the";
    let (allowed, detail): (&[&str], String) = match resource {
        "limits.cpu" | "requests.cpu" => {
            (&["1m", "1"], "only divisor's values 1m and 1 are supported with the cpu resource".to_owned())
        }
        "limits.memory" | "requests.memory" => (&BYTE_DIVISORS, format!("{bytes} memory resource")),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (&BYTE_DIVISORS, format!("{bytes} local ephemeral storage resource"))
        }
        _ if huge_pages => (&BYTE_DIVISORS, format!("{bytes} hugepages resource")),
        _ => return,
    };
    if !allowed.contains(&divisor.as_str()) {
        errors.push(path.child("divisor").invalid(resource, detail));
    }
}

fn validate_key_ref(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (name, key) = (reference.text("name"), reference.text("key"));
    errors.complain(&path.child("name"), name, names::name_is_dns_subdomain(name, false));
    if key.is_empty() {
        errors.push(path.child("key").required(""));
    } else {
        errors.complain(&path.child("key"), key, names::config_map_key(key));
    }
}

fn validate_file_key_ref(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (key, volume, file) = (reference.text("key"), reference.text("volumeName"), reference.text("path"));
    if key.is_empty() {
        errors.push(path.child("key").required(""));
    } else {
        errors.complain(&path.child("key"), key, names::relaxed_env_var_name(key));
    }
    if volume.is_empty() {
        errors.push(path.child("volumeName").required(""));
    } else {
        checks::dns_label(volume, &path.child("volumeName"), errors);
    }
    if file.is_empty() {
        errors.push(path.child("path").required(""));
    } else {
        no_backsteps(file, &path.child("path"), errors);
    }
}

/// `ValidateEnvFrom`. Which entry lacks a source is not said.
pub(super) fn validate_env_from(sources: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, source) in sources.iter().enumerate() {
        let at = path.index(index);
        let prefix = source.text("prefix");
        if !prefix.is_empty() {
            errors.complain(&at.child("prefix"), prefix, names::relaxed_env_var_name(prefix));
        }
        let mut given = 0;
        for field in ["configMapRef", "secretRef"] {
            let Some(reference) = source.get_some(field) else { continue };
            given += 1;
            let (name, reference_path) = (reference.text("name"), at.child(field));
            let name_path = reference_path.child("name");
            if name.is_empty() {
                errors.push(name_path.required(""));
            } else {
                errors.complain(&name_path, name, names::name_is_dns_subdomain(name, true));
            }
        }
        if given == 0 {
            errors.push(path.invalid("", "must specify one of: `configMapRef` or `secretRef`"));
        } else if given > 1 {
            errors.push(path.invalid("", "may not have more than one field specified at a time"));
        }
    }
}
