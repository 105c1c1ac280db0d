//! Creating, replacing and patching objects and their subresources.

use serde_json::{Map, Value, json};

use crate::api::{ApiError, DeleteOptions, PatchType, Reason, Request};
use crate::controllers::horizontal_pod_autoscaler::Scale;
use crate::objects::{Object, Uid, defaults, patch, validation};
use crate::sim::{Simulation, Target};

use super::answer::Answer;
use super::deletes;
use super::endpoint::Asked;
use super::reads::find;
use super::resources::Subresource;
use super::strict;

/// `POST` of a list, or of a subresource that takes an order.
pub(super) fn create(sim: &mut Simulation, asked: &Asked<'_>) -> Result<Answer, Answer> {
    let mut document = asked.request.json()?;
    match asked.subresource {
        None if asked.name.is_some() => return Err(Answer::not_allowed()),
        None => {}
        Some(Subresource::Eviction) => return evict(sim, asked, &document),
        Some(Subresource::Binding) => return bind(sim, asked, &document),
        Some(_) => return Err(Answer::not_allowed()),
    }
    let mut warnings = strict::check_body(asked.request)?;
    place(asked, &mut document)?;
    let created = sim.create(document).map_err(|error| asked.refusal(&error))?;
    warnings.extend(validation::warnings(&created.to_wire()));
    Ok(written(201, sim, asked, &created, warnings))
}

/// `PUT`.
pub(super) fn replace(sim: &mut Simulation, asked: &Asked<'_>) -> Result<Answer, Answer> {
    let Some(name) = asked.name else { return Err(Answer::not_allowed()) };
    let mut document = asked.request.json()?;
    if asked.subresource == Some(Subresource::Scale) {
        let old = find(sim, asked.resource, &asked.key(), name)?;
        return rescale(sim, asked, &old, &document);
    }
    let part = asked.part()?;
    let mut warnings = strict::check_body(asked.request)?;
    place(asked, &mut document)?;
    let given = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if given != name {
        let message = format!("the name of the object ({given}) does not match the name on the URL ({name})");
        return Err(Answer::failure(400, "BadRequest", message));
    }
    let replaced = sim.replace(document, part).map_err(|error| asked.refusal(&error))?;
    warnings.extend(update_warnings(asked, &replaced));
    Ok(written(200, sim, asked, &replaced, warnings))
}

/// `PATCH`.
pub(super) fn patch(sim: &mut Simulation, asked: &Asked<'_>) -> Result<Answer, Answer> {
    let Some(name) = asked.name else { return Err(Answer::not_allowed()) };
    let patch_type = match asked.request.media_type() {
        "application/json-patch+json" => PatchType::Json,
        "application/merge-patch+json" => PatchType::Merge,
        "application/strategic-merge-patch+json" => PatchType::Strategic,
        "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
            return Err(Answer::failure(415, "UnsupportedMediaType", "server-side apply is not simulated"));
        }
        _ => {
            let message = "the body of the request was in an unknown format - accepted media types include: \
                           application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json";
            return Err(Answer::failure(415, "UnsupportedMediaType", message));
        }
    };
    let document = asked.request.json()?;
    let old = find(sim, asked.resource, &asked.key(), name)?;
    if asked.subresource == Some(Subresource::Scale) {
        let scale = patched_scale(&old, patch_type, document).map_err(|error| asked.refusal(&error))?;
        return rescale(sim, asked, &old, &scale);
    }
    let part = asked.part()?;
    let target = Target { kind: old.kind(), key: old.key() };
    let made = |sim: &Simulation| {
        let version = asked.resource.api_version();
        sim.patched_document(&target, &version, patch_type, &document).map_err(|error| asked.refusal(&error))
    };
    // What counts is the object that the patch makes.
    let mut warnings = strict::check(asked.request, || Ok(made(sim)?.to_string()))?;
    let patched = if asked.resource.is_stored_so() {
        sim.patch_part(&target, patch_type, &document, part)
    } else {
        sim.replace(made(sim)?, part)
    };
    let patched = patched.map_err(|error| asked.refusal(&error))?;
    warnings.extend(update_warnings(asked, &patched));
    Ok(written(200, sim, asked, &patched, warnings))
}

/// What there is to warn of in an object that was there before.
fn update_warnings(asked: &Asked<'_>, object: &Object) -> Vec<String> {
    let part = match asked.subresource {
        None => defaults::Subresource::None,
        Some(Subresource::Status) => defaults::Subresource::Status,
        Some(_) => return Vec::new(),
    };
    validation::update_warnings(&object.to_wire(), part)
}

/// An object as it was written, and what there is to warn of.
fn written(code: u16, sim: &Simulation, asked: &Asked<'_>, object: &Object, warnings: Vec<String>) -> Answer {
    Answer { warnings, ..Answer::json(code, &asked.form.one(object, sim.wall())) }
}

/// Says in the document what goes without saying by the path.
fn place(asked: &Asked<'_>, document: &mut Value) -> Result<(), Answer> {
    let bad = |message: String| Err(Answer::failure(400, "BadRequest", message));
    let Some(fields) = document.as_object_mut() else {
        return bad("the body of the request is not an object".to_owned());
    };
    for (field, expected) in [("apiVersion", asked.resource.api_version()), ("kind", asked.resource.kind.clone())] {
        match fields.get(field).and_then(Value::as_str) {
            None | Some("") => drop(fields.insert(field.to_owned(), expected.into())),
            Some(given) if given == expected => {}
            Some(given) => {
                return bad(format!("{field} in the data ({given}) does not match the expected {field} ({expected})"));
            }
        }
    }
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else { return bad("metadata is not an object".to_owned()) };
    if let Some(namespace) = asked.namespace {
        match metadata.get("namespace").and_then(Value::as_str) {
            None | Some("") => drop(metadata.insert("namespace".to_owned(), namespace.into())),
            Some(given) if given == namespace => {}
            Some(_) => {
                return bad(
                    "the namespace of the provided object does not match the namespace sent on the request".to_owned()
                );
            }
        }
    }
    Ok(())
}

/// `pods/eviction`.
fn evict(sim: &mut Simulation, asked: &Asked<'_>, document: &Value) -> Result<Answer, Answer> {
    let options = deletes::options(&document["deleteOptions"]).map_err(|error| asked.refusal(&error))?;
    sim.evict(&asked.key(), DeleteOptions { propagation: None, ..options }).map_err(|error| asked.refusal(&error))?;
    Ok(Answer::success(201, &json!({})))
}

/// `pods/binding`, as a scheduler of one's own sends it.
fn bind(sim: &mut Simulation, asked: &Asked<'_>, document: &Value) -> Result<Answer, Answer> {
    let Some(node) = document.pointer("/target/name").and_then(Value::as_str) else {
        return Err(Answer::failure(400, "BadRequest", "target.name: Required value"));
    };
    let uid = document.pointer("/metadata/uid").and_then(Value::as_str).map_or(Uid::None, Uid::parse);
    let request = Request::Bind { pod: asked.key(), uid, node: node.into() };
    sim.execute(&request).map_err(|error| asked.refusal(&error))?;
    Ok(Answer::success(201, &json!({})))
}

/// `scale` of a workload (`autoscaling/v1`).
pub(super) fn scale_of(object: &Object) -> Option<Value> {
    let scale = Scale::of(object)?;
    let meta = object.meta();
    Some(json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta.name, "namespace": meta.namespace, "uid": meta.uid,
            "resourceVersion": meta.resource_version.to_string(), "creationTimestamp": meta.creation_timestamp,
        },
        "spec": {"replicas": scale.spec_replicas},
        "status": {"replicas": scale.status_replicas, "selector": scale.selector},
    }))
}

fn patched_scale(old: &Object, patch_type: PatchType, document: Value) -> Result<Value, ApiError> {
    let scale = scale_of(old).unwrap_or_default();
    let patched = match patch_type {
        // A Scale has no lists that could be merged.
        PatchType::Merge | PatchType::Strategic => patch::json_merge(scale, document),
        PatchType::Json => patch::json_patch(scale, &document),
    };
    patched.map_err(|error| ApiError::new(Reason::BadRequest, error.to_string()))
}

fn rescale(sim: &mut Simulation, asked: &Asked<'_>, old: &Object, scale: &Value) -> Result<Answer, Answer> {
    let version = scale.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
    if !version.is_empty() && version != old.meta().resource_version.to_string() {
        return Err(asked.refusal(&ApiError::modified(old.kind(), &old.key())));
    }
    let replicas = match scale.pointer("/spec/replicas") {
        None | Some(Value::Null) => Some(0),
        Some(given) => given.as_i64().and_then(|given| i32::try_from(given).ok()),
    };
    let Some(replicas) = replicas else {
        return Err(Answer::failure(400, "BadRequest", "spec.replicas is not a 32-bit integer"));
    };
    let target = Target { kind: old.kind(), key: old.key() };
    let scaled = sim.scale(&target, replicas).map_err(|error| asked.refusal(&error))?;
    Ok(Answer::json(200, &scale_of(&scaled).unwrap_or_default()))
}
