//! Deleting one object, or all that a list gives.

use serde_json::{Value, json};

use crate::api::{ApiError, DeleteOptions, Preconditions, Propagation, Reason};
use crate::objects::{Object, Uid};
use crate::sim::{Simulation, Target};

use super::answer::Answer;
use super::endpoint::Asked;
use super::reads::{find, matching, query};

pub(super) fn delete(sim: &mut Simulation, asked: &Asked<'_>) -> Result<Answer, Answer> {
    if asked.subresource.is_some() {
        return Err(Answer::not_allowed());
    }
    let options = asked_options(asked)?;
    let Some(name) = asked.name else { return delete_collection(sim, asked, &options) };
    let object = find(sim, asked.resource, &asked.key(), name)?;
    let target = Target { kind: object.kind(), key: object.key() };
    let deleted = sim.delete(&target, options).map_err(|error| asked.refusal(&error))?;
    // What is only on its way out is shown; of what is gone, that it is.
    if let Some(left) = sim.view().object(target.kind, &target.key).filter(|left| left.meta().uid == deleted.meta().uid)
    {
        return Ok(Answer::json(200, &asked.form.one(&left, sim.wall())));
    }
    let details = json!({
        "name": name, "group": asked.resource.group, "kind": asked.resource.plural, "uid": deleted.meta().uid,
    });
    Ok(Answer::success(200, &details))
}

fn delete_collection(sim: &mut Simulation, asked: &Asked<'_>, options: &DeleteOptions) -> Result<Answer, Answer> {
    let query = query(asked.resource, asked.namespace, None, asked.request)?;
    let mut deleted: Vec<Object> = Vec::new();
    for object in matching(sim, &query) {
        match sim.delete(&Target { kind: object.kind(), key: object.key() }, options.clone()) {
            Err(error) if error.is_not_found() => {}
            response => deleted.push(response.map_err(|error| asked.refusal(&error))?),
        }
    }
    Ok(Answer::json(200, &asked.form.list(&asked.resource.kind, &deleted, sim.wall(), sim.view().resource_version)))
}

/// Options from the body, or else from the query.
fn asked_options(asked: &Asked<'_>) -> Result<DeleteOptions, Answer> {
    let request = asked.request;
    let body = request.json()?;
    let mut options = options(&body).map_err(|error| asked.refusal(&error))?;
    if body.is_null() {
        let query = json!({
            "gracePeriodSeconds": request.value("gracePeriodSeconds").and_then(|seconds| seconds.parse::<i64>().ok()),
            "propagationPolicy": request.value("propagationPolicy"),
        });
        options = self::options(&query).map_err(|error| asked.refusal(&error))?;
    }
    Ok(options)
}

/// `metav1.DeleteOptions`.
pub(super) fn options(wire: &Value) -> Result<DeleteOptions, ApiError> {
    let text = |pointer: &str| wire.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let orphans = wire["orphanDependents"].as_bool().map(|orphans| match orphans {
        true => Propagation::Orphan,
        false => Propagation::Background,
    });
    let propagation = match text("/propagationPolicy") {
        "" => orphans,
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        "Orphan" => Some(Propagation::Orphan),
        other => {
            let message = format!(
                "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: {other:?}: supported \
                 values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
            );
            return Err(ApiError::new(Reason::Invalid, message));
        }
    };
    let uid = text("/preconditions/uid");
    let preconditions = Preconditions {
        uid: if uid.is_empty() { Uid::None } else { Uid::parse(uid) },
        resource_version: text("/preconditions/resourceVersion").parse().unwrap_or(0),
    };
    Ok(DeleteOptions { grace_period_seconds: wire["gracePeriodSeconds"].as_i64(), propagation, preconditions })
}
