//! ConfigMaps, Secrets and ServiceAccounts.

use serde_json::Value;

use super::checks::{IMMUTABLE, Report};
use super::meta::{NameRules, validate_meta, validate_meta_update};
use super::{Errors, Path};
use crate::objects::defaults::decode_base64;
use crate::objects::names;
use crate::objects::wire::Wire;

/// All values together, in bytes.
const SIZE_MAX: usize = 1024 * 1024;
const SEALED: &str = "field is immutable when `immutable` is set";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const REDACTED: &str = "<secret contents redacted>";

/// The size of the bytes that a base64 text stands for.
fn decoded_len(text: &str) -> usize {
    text.trim_end_matches('=').len() * 3 / 4
}

/// `ValidateConfigMap`.
pub(super) fn validate_config_map(map: &Value, errors: &mut Errors) {
    validate_meta(map, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let mut size = 0;
    let path = Path::root("data");
    for (key, value) in map.text_entries("data") {
        errors.complain(&path.key(key), key, names::config_map_key(key));
        if map.at("binaryData").has(key) {
            errors.push(path.key(key).invalid(key, "duplicate of key present in binaryData"));
        }
        size += value.len();
    }
    let path = Path::root("binaryData");
    for (key, value) in map.text_entries("binaryData") {
        errors.complain(&path.key(key), key, names::config_map_key(key));
        size += decoded_len(value);
    }
    if size > SIZE_MAX {
        errors.push(Path::root("").too_long(SIZE_MAX));
    }
}

/// `ValidateConfigMapUpdate`.
pub(super) fn validate_config_map_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    validate_sealed(new, old, &["data", "binaryData"], errors);
    validate_config_map(new, errors);
}

fn validate_sealed(new: &Value, old: &Value, fields: &[&str], errors: &mut Errors) {
    if !old.flag("immutable") {
        return;
    }
    if !new.flag("immutable") {
        errors.push(Path::root("immutable").forbidden(SEALED));
    }
    for field in fields.iter().filter(|field| new.at(field) != old.at(field)) {
        errors.push(Path::root(field).forbidden(SEALED));
    }
}

/// `ValidateSecret`.
pub(super) fn validate_secret(secret: &Value, errors: &mut Errors) {
    validate_meta(secret, NameRules::namespaced(names::name_is_dns_subdomain), errors);
    let path = Path::root("data");
    let mut size = 0;
    for (key, value) in secret.text_entries("data") {
        errors.complain(&path.key(key), key, names::config_map_key(key));
        size += decoded_len(value);
    }
    if size > SIZE_MAX {
        errors.push(path.too_long(SIZE_MAX));
    }
    validate_secret_type(secret, &path, errors);
}

fn validate_secret_type(secret: &Value, path: &Path<'_>, errors: &mut Errors) {
    let data = secret.at("data");
    let mut require = |keys: &[&str]| errors.extend(keys.iter().map(|key| path.key(key).required("")));
    match secret.text("type") {
        "kubernetes.io/service-account-token"
            if secret.at("metadata").at("annotations").text(ACCOUNT_NAME).is_empty() =>
        {
            errors.push(Path::root("metadata.annotations").key(ACCOUNT_NAME).required(""));
        }
        "kubernetes.io/dockercfg" => validate_json(data, ".dockercfg", path, errors),
        "kubernetes.io/dockerconfigjson" => validate_json(data, ".dockerconfigjson", path, errors),
        "kubernetes.io/basic-auth" if !data.has("username") && !data.has("password") => {
            require(&["username", "password"])
        }
        "kubernetes.io/ssh-auth" if data.text("ssh-privatekey").is_empty() => require(&["ssh-privatekey"]),
        "kubernetes.io/tls" => {
            let missing: Vec<&str> = ["tls.crt", "tls.key"].into_iter().filter(|key| !data.has(key)).collect();
            require(&missing);
        }
        _ => {}
    }
}

fn validate_json(data: &Value, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let Some(encoded) = data.text_some(key) else {
        errors.push(path.key(key).required(""));
        return;
    };
    if let Some(fault) = decode_base64(encoded).and_then(|bytes| json_object_fault(&bytes)) {
        errors.push(path.key(key).invalid(REDACTED, fault));
    }
}

/// Go's words for bytes that are no JSON object, as far as they do not depend on its parser's state.
fn json_object_fault(bytes: &[u8]) -> Option<String> {
    let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(value) => {
            let kind = match value {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Number(_) => "number",
                _ => "bool",
            };
            Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
        }
        Err(error) if error.is_eof() => Some("unexpected end of JSON input".to_owned()),
        Err(_) => {
            let character = start.map_or(' ', |byte| char::from(*byte));
            Some(format!("invalid character '{character}' looking for beginning of value"))
        }
    }
}

/// `ValidateSecretUpdate`.
pub(super) fn validate_secret_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_meta_update(new, old, errors);
    if new.text("type") != old.text("type") {
        errors.push(Path::root("type").invalid(new.text("type"), IMMUTABLE));
    }
    validate_sealed(new, old, &["data"], errors);
    validate_secret(new, errors);
}

/// `ValidateServiceAccount`.
pub(super) fn validate_service_account(account: &Value, errors: &mut Errors) {
    validate_meta(account, NameRules::namespaced(names::name_is_dns_subdomain), errors);
}
