//! What decoding a document into Kubernetes' Go types and encoding it again does to it.
//!
//! Nulls vanish, zero values that Go leaves out are dropped, values that Go always writes appear, quantities and times
//! take their canonical text. Everything after that (defaults, validation, comparison of old and new) relies on it.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::objects::Quantity;
use crate::objects::schema::{Field, FieldType, TypeRef};

/// How Go writes a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// By the rule of the field's type.
    Usual,
    /// Even when zero: `!`, and `=` for values that are not scalars.
    Always,
    /// When given: `*` and `[`.
    Given,
}

type Shapes = FxHashMap<&'static str, FxHashMap<&'static str, Writing>>;

fn shapes() -> &'static Shapes {
    static SHAPES: OnceLock<Shapes> = OnceLock::new();
    SHAPES.get_or_init(|| {
        let lines = include_str!("shape.txt").lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| {
                let (path, fields) = line.split_once(' ')?;
                Some((path, fields.split(' ').filter_map(parse_exception).collect()))
            })
            .collect()
    })
}

fn parse_exception(text: &'static str) -> Option<(&'static str, Writing)> {
    let (flag, name) = text.split_at_checked(1)?;
    let writing = match flag {
        "!" | "=" => Writing::Always,
        "*" | "[" => Writing::Given,
        _ => return None,
    };
    Some((name, writing))
}

/// Rewrites an object of type `ty` as the API server would send it back, before any defaulting. Values of a wrong type
/// and unknown fields stay as they are: finding those is the decoder's business.
pub(super) fn canonicalize(ty: TypeRef, object: &mut Value) {
    let Value::Object(members) = object else { return };
    let exceptions = shapes().get(ty.path());
    for field in ty.fields() {
        let writing = exceptions.and_then(|known| known.get(field.name)).copied().unwrap_or(Writing::Usual);
        canonicalize_field(field, writing, members);
    }
}

fn canonicalize_field(field: &Field, writing: Writing, members: &mut Map<String, Value>) {
    if writing == Writing::Always
        && members.get(field.name).is_none_or(Value::is_null)
        && let Some(zero) = zero_value(&field.ty)
    {
        members.insert(field.name.to_owned(), zero);
    }
    let Some(value) = members.get_mut(field.name) else { return };
    canonicalize_value(&field.ty, value);
    let vanishes = value.is_null() || (writing == Writing::Usual && is_left_out(&field.ty, value));
    if vanishes {
        members.remove(field.name);
    }
}

/// The value a Go field has when nothing is given; `None` where it would be `null`.
fn zero_value(ty: &FieldType) -> Option<Value> {
    match ty {
        FieldType::String => Some(Value::String(String::new())),
        FieldType::Int32 | FieldType::Int64 | FieldType::Number | FieldType::IntOrString => Some(Value::from(0)),
        FieldType::Bool => Some(Value::Bool(false)),
        FieldType::Quantity => Some(Value::from("0")),
        FieldType::Object(_) => Some(Value::Object(Map::new())),
        FieldType::List(_) | FieldType::Map(_) | FieldType::Time | FieldType::MicroTime => None,
        FieldType::Bytes | FieldType::Any => None,
    }
}

fn is_left_out(ty: &FieldType, value: &Value) -> bool {
    match (ty, value) {
        (FieldType::String | FieldType::Bytes, Value::String(text)) => text.is_empty(),
        (FieldType::Int32 | FieldType::Int64 | FieldType::Number, Value::Number(number)) => {
            number.as_f64() == Some(0.0)
        }
        (FieldType::Bool, Value::Bool(flag)) => !flag,
        (FieldType::List(_), Value::Array(items)) => items.is_empty(),
        (FieldType::Map(_), Value::Object(members)) => members.is_empty(),
        _ => false,
    }
}

fn canonicalize_value(ty: &FieldType, value: &mut Value) {
    match ty {
        FieldType::Object(ty) => canonicalize(*ty, value),
        FieldType::List(element) => canonicalize_elements(element, value),
        FieldType::Map(element) => canonicalize_entries(element, value),
        FieldType::Quantity => canonicalize_quantity(value),
        FieldType::Int32 | FieldType::Int64 => canonicalize_integer(value),
        _ => {}
    }
}

fn canonicalize_elements(element: &FieldType, list: &mut Value) {
    let Value::Array(items) = list else { return };
    for item in items {
        replace_null(element, item);
        canonicalize_value(element, item);
    }
}

fn canonicalize_entries(element: &FieldType, map: &mut Value) {
    let Value::Object(members) = map else { return };
    for item in members.values_mut() {
        replace_null(element, item);
        canonicalize_value(element, item);
    }
}

/// A null element of a list or map is that type's zero value.
fn replace_null(element: &FieldType, item: &mut Value) {
    if item.is_null()
        && let Some(zero) = zero_value(element)
    {
        *item = zero;
    }
}

fn canonicalize_quantity(value: &mut Value) {
    let parsed = match &*value {
        Value::String(text) => text.parse::<Quantity>(),
        Value::Number(number) => number.to_string().parse::<Quantity>(),
        _ => return,
    };
    if let Ok(quantity) = parsed {
        *value = Value::String(quantity.to_string());
    }
}

/// `80.0` is an integer to the API server.
fn canonicalize_integer(value: &mut Value) {
    let Some(float) = value.as_f64().filter(|_| value.is_f64()) else { return };
    let integer = float as i64;
    if integer as f64 == float {
        *value = Value::from(integer);
    }
}
