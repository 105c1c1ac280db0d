//! What the API server does to custom resources: unknown fields and nulls go, defaults of the schema come
//! (`apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}`). Zero values stay: no Go types are behind them.

use serde_json::{Map, Value};

use super::shape;
use crate::objects::schema::{FieldType, TypeRef};
use crate::objects::wire::{Wire, WireMut};

/// Completes a custom resource of that type.
pub(super) fn complete(ty: TypeRef, object: &mut Value) {
    let Value::Object(members) = object else { return };
    members.retain(|name, value| ty.field(name).is_some() && !value.is_null());
    for field in ty.fields() {
        if let Some(default) = field.default
            && !members.contains_key(field.name)
            && let Ok(default) = serde_json::from_str(default)
        {
            members.insert(field.name.to_owned(), default);
        }
        if let Some(value) = members.get_mut(field.name) {
            complete_value(&field.ty, value);
        }
    }
}

fn complete_value(ty: &FieldType, value: &mut Value) {
    match (ty, value) {
        // Metadata is decoded as that of any object.
        (FieldType::Object(ty), value) if ty.name() == "ObjectMeta" => shape::canonicalize(*ty, value),
        (FieldType::Object(ty), value) => complete(*ty, value),
        (FieldType::List(element), Value::Array(items)) => {
            items.iter_mut().for_each(|item| complete_value(element, item))
        }
        (FieldType::Map(element), Value::Object(members)) => {
            members.values_mut().for_each(|item| complete_value(element, item));
        }
        _ => {}
    }
}

/// A new object: without a status, of the first generation.
pub(super) fn prepare_for_create(object: &mut Value) {
    object.take_field("status");
    if let Some(metadata) = object.ensure_object("metadata") {
        metadata.set("generation", 1);
    }
}

/// An update: the status is that of `old`, and the generation rises when anything but metadata and status changes.
pub(super) fn prepare_for_update(new: &mut Value, old: &Value) {
    match old.get_some("status") {
        Some(status) => new.set("status", status.clone()),
        None => drop(new.take_field("status")),
    }
    let told = |object: &Value| -> Map<String, Value> {
        let members = object.as_object().into_iter().flatten();
        let is_told = |name: &str| !matches!(name, "metadata" | "status");
        members.filter(|(name, _)| is_told(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let generation = old.at("metadata").int("generation").saturating_add(i64::from(told(new) != told(old)));
    if let Some(metadata) = new.ensure_object("metadata") {
        metadata.set("generation", generation);
    }
}
