//! What the schema of a custom resource demands of its fields.

use std::sync::OnceLock;

use regex::Regex;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::super::error::{ErrorKind, FieldError, Shown, Verbatim};
use super::super::{Errors, Path};
use crate::objects::schema::{Demands, Field, FieldType, ListType, TypeRef, known_kinds};

/// Validates a whole object.
pub(super) fn validate(ty: TypeRef, object: &Value, errors: &mut Errors) {
    let Value::Object(members) = object else { return };
    for field in ty.fields() {
        let path = Path::root(field.name);
        match members.get(field.name) {
            Some(value) => validate_field(field, value, &path, errors),
            None if field.required => errors.push(path.required("")),
            None => {}
        }
    }
}

fn validate_members(ty: TypeRef, members: &Map<String, Value>, path: &Path<'_>, errors: &mut Errors) {
    for field in ty.fields() {
        let path = path.child(field.name);
        if let Some(value) = members.get(field.name) {
            validate_field(field, value, &path, errors);
        } else if field.required {
            errors.push(path.required(""));
        }
    }
}

fn validate_field(field: &Field, value: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate_value(&field.ty, (&field.demands, &field.each), value, path, errors);
    if let (Some(ListType::Map | ListType::Set), Value::Array(items)) = (field.list_type, value) {
        validate_distinct(field, items, path, errors);
    }
}

/// A value, what is demanded of it and of its elements. Metadata has rules of its own.
fn validate_value(
    ty: &FieldType,
    (demands, each): (&Demands, &Demands),
    value: &Value,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    match (ty, value) {
        (FieldType::Object(ty), _) if ty.name() == "ObjectMeta" => {}
        (FieldType::Object(ty), Value::Object(members)) => validate_members(*ty, members, path, errors),
        (FieldType::List(element), Value::Array(items)) => {
            validate_count(items.len(), demands, path, errors);
            for (index, item) in items.iter().enumerate() {
                validate_value(element, (each, &Demands::default()), item, &path.index(index), errors);
            }
        }
        (FieldType::Map(element), Value::Object(members)) => {
            if let Some(max) = demands.max_properties.filter(|max| members.len() > *max) {
                errors.push(path.too_many(members.len(), max));
            }
            for (name, item) in members {
                validate_value(element, (each, &Demands::default()), item, &path.child(name), errors);
            }
        }
        (FieldType::String | FieldType::Time, Value::String(text)) => validate_text(text, demands, path, errors),
        (FieldType::Int32 | FieldType::Int64, Value::Number(_)) if value.as_i64().is_some() => {
            validate_number(value.as_i64().unwrap_or(0), demands, path, errors);
        }
        (FieldType::Bool, Value::Bool(_)) | (FieldType::Any, _) => {}
        _ => errors.push(wrong_type(ty, value, path)),
    }
}

fn validate_count(count: usize, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    if let Some(min) = demands.min_items.filter(|min| count < *min) {
        let value = Verbatim(count.to_string());
        errors.push(path.invalid(value, format!("{path} in body should have at least {min} items")));
    }
    if let Some(max) = demands.max_items.filter(|max| count > *max) {
        errors.push(path.too_many(count, max));
    }
}

fn validate_text(text: &str, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    let length = text.chars().count();
    if let Some(max) = demands.max_length.filter(|max| length > *max) {
        errors.push(path.too_long(max));
    }
    if let Some(min) = demands.min_length.filter(|min| length < *min) {
        errors.push(path.invalid(text, format!("{path} in body should be at least {min} chars long")));
    }
    if let Some(pattern) = demands.pattern.filter(|pattern| !matches(pattern, text)) {
        errors.push(path.invalid(text, format!("{path} in body should match '{pattern}'")));
    }
    validate_enum(text, text, demands, path, errors);
}

fn validate_number(number: i64, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    if let Some(max) = demands.max.filter(|max| number > *max) {
        errors.push(path.invalid(number, format!("{path} in body should be less than or equal to {max}")));
    }
    if let Some(min) = demands.min.filter(|min| number < *min) {
        errors.push(path.invalid(number, format!("{path} in body should be greater than or equal to {min}")));
    }
    validate_enum(&number.to_string(), number, demands, path, errors);
}

fn validate_enum(text: &str, value: impl Shown, demands: &Demands, path: &Path<'_>, errors: &mut Errors) {
    if !demands.allowed.is_empty() && !demands.allowed.contains(&text) {
        errors.push(path.not_supported(value, &demands.allowed));
    }
}

/// Upstream `ValidateListSetsAndMaps`: the second of equal elements is named.
fn validate_distinct(field: &Field, items: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let key = |item: &Value| -> Value {
        if field.list_type == Some(ListType::Set) {
            return item.clone();
        }
        let given = field.list_map_keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(key)?.clone())));
        Value::Object(given.collect())
    };
    let keys: Vec<Value> = items.iter().map(key).collect();
    for (index, key) in keys.iter().enumerate() {
        if keys.iter().take(index).filter(|earlier| *earlier == key).count() == 1 {
            errors.push(path.index(index).duplicate(key));
        }
    }
}

fn wrong_type(ty: &FieldType, value: &Value, path: &Path<'_>) -> FieldError {
    let wanted = match ty {
        FieldType::Object(_) | FieldType::Map(_) => "object",
        FieldType::List(_) => "array",
        FieldType::Int32 | FieldType::Int64 => "integer",
        FieldType::Bool => "boolean",
        FieldType::Number => "number",
        _ => "string",
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let error = path.invalid(found, format!("{path} in body must be of type {wanted}: \"{found}\""));
    FieldError { kind: ErrorKind::TypeInvalid, ..error }
}

/// Whether a pattern of the table matches. Each is compiled once.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<FxHashMap<&'static str, Regex>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let mut compiled = FxHashMap::default();
        for kind in known_kinds().iter().filter(|known| known.ty.is_custom()) {
            collect(kind.ty, &mut compiled);
        }
        compiled
    });
    compiled.get(pattern).is_none_or(|regex| regex.is_match(text))
}

/// The patterns of a type and all that it reaches. No type of the table holds itself.
fn collect(ty: TypeRef, compiled: &mut FxHashMap<&'static str, Regex>) {
    for field in ty.fields() {
        for pattern in field.demands.pattern.iter().chain(&field.each.pattern) {
            if !compiled.contains_key(pattern)
                && let Ok(regex) = Regex::new(pattern)
            {
                compiled.insert(pattern, regex);
            }
        }
        let mut inner = &field.ty;
        while let FieldType::List(element) | FieldType::Map(element) = inner {
            inner = element;
        }
        if let FieldType::Object(inner) = inner {
            collect(*inner, compiled);
        }
    }
}
