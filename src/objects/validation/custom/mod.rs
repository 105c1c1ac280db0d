//! Custom resources: what their schemas demand (`kube-openapi` `validate`, in the words of `apiextensions-apiserver`
//! `pkg/apiserver/validation`), lists with keys (`schema/listtype`), and the rules that definitions write in CEL, a file per
//! kind.

mod filters;
mod gateway;
mod http_route;
mod schema;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::error::{ErrorKind, FieldError};
use super::meta::{NameRules, validate_common_meta, validate_common_meta_update};
use super::{Errors, Path};
use crate::objects::names;
use crate::objects::schema::lookup;
use crate::objects::wire::Wire;

/// The rules of a kind's definition that are not in its schema, with the stored object on updates.
type Rules = fn(&Value, Option<&Value>, &mut Errors);

/// Validates a custom resource; `old` is the stored one on updates.
pub(super) fn validate(kind: &str, object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let path = Path::root("metadata");
    let rules = NameRules {
        namespaced: super::is_namespaced(kind),
        check: names::name_is_dns_subdomain,
        skip_generate_name: false,
    };
    match old {
        None => validate_common_meta(object.at("metadata"), rules, &path, errors),
        Some(old) => validate_common_meta_update(object.at("metadata"), old.at("metadata"), &path, errors),
    }
    if let Some(ty) = lookup(object.text("apiVersion"), kind) {
        schema::validate(ty, object, errors);
    }
    if errors.iter().any(is_blocking) {
        return errors.push(rules_were_not_checked());
    }
    let rules: Rules = match kind {
        "GatewayClass" => gateway::validate_class,
        "Gateway" => gateway::validate_gateway,
        "HTTPRoute" => http_route::validate_route,
        _ => return,
    };
    rules(object, old, errors);
}

/// Upstream `hasBlockingErr`: with such a fault the other rules are not looked at.
fn is_blocking(error: &FieldError) -> bool {
    use ErrorKind::{NotSupported, Required, TooLong, TooMany, TypeInvalid};
    matches!(error.kind, NotSupported | Required | TooLong | TooMany | TypeInvalid)
}

fn rules_were_not_checked() -> FieldError {
    FieldError {
        kind: ErrorKind::Invalid,
        field: "<nil>".into(),
        value: Some("null".into()),
        detail: "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation".into(),
    }
}

/// A rule that an object or list breaks. Such values are not shown.
fn broken(path: &Path<'_>, message: impl Into<super::Detail>) -> FieldError {
    FieldError { kind: ErrorKind::Invalid, field: path.to_string(), value: None, detail: message.into() }
}

/// Whether a field is given and not empty.
fn is_set(object: &Value, field: &str) -> bool {
    !object.text(field).is_empty()
}

/// Whether values differ from each other; what is `None` is not looked at.
fn are_distinct<K: PartialEq>(keys: impl Iterator<Item = Option<K>>) -> bool {
    let mut seen: Vec<K> = Vec::new();
    for key in keys.flatten() {
        if seen.contains(&key) {
            return false;
        }
        seen.push(key);
    }
    true
}
