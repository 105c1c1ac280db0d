//! Reading one object, or a list of them.

use crate::objects::{FieldSelector, Key, Object, Selector};
use crate::report::Query;
use crate::sim::Simulation;

use crate::api::ApiError;

use super::answer::Answer;
use super::forms::Form;
use super::request::HttpRequest;
use super::resources::ApiResource;

/// The selectors of the query.
pub(super) fn selectors(request: &HttpRequest) -> Result<(Selector, FieldSelector), Answer> {
    let wrong = |error: String| Answer::failure(400, "BadRequest", error);
    let labels = request.value("labelSelector").unwrap_or_default();
    let labels = labels.parse().map_err(|error: crate::objects::SelectorError| wrong(error.to_string()))?;
    let fields = request.value("fieldSelector").unwrap_or_default();
    let fields = fields.parse().map_err(|error: crate::objects::FieldSelectorError| wrong(error.to_string()))?;
    Ok((labels, fields))
}

/// The objects that a list or watch is about; `name`: only that one.
pub(super) fn query(
    resource: &ApiResource,
    namespace: Option<&str>,
    name: Option<&str>,
    request: &HttpRequest,
) -> Result<Query, Answer> {
    let (selector, fields) = selectors(request)?;
    let mut query = Query { selector, fields, ..resource.query(namespace) };
    if query.check().is_err() {
        let kind = resource.simulated_kind();
        let unknown = query.fields.terms().find(|(field, ..)| !crate::objects::is_selectable_by(kind, field));
        let field = unknown.map(|(field, ..)| field).unwrap_or_default();
        return Err(Answer::failure(400, "BadRequest", format!("field label not supported: {field}")));
    }
    if let (Some(name), [wanted]) = (name, &mut query.wanted[..]) {
        wanted.name = Some(name.to_owned());
    }
    Ok(query)
}

pub(super) fn get(
    sim: &Simulation,
    resource: &ApiResource,
    key: &Key,
    name: &str,
    form: &Form,
) -> Result<Answer, Answer> {
    let object = find(sim, resource, key, name)?;
    Ok(Answer::json(200, &form.one(&object, sim.wall())))
}

/// The object under a key.
pub(super) fn find(sim: &Simulation, resource: &ApiResource, key: &Key, name: &str) -> Result<Object, Answer> {
    let found = sim.view().object(resource.simulated_kind(), key);
    found.ok_or_else(|| Answer::refusal(&not_found(resource, name), Some((resource, name))))
}

pub(super) fn not_found(resource: &ApiResource, name: &str) -> ApiError {
    ApiError::new(crate::api::Reason::NotFound, format!("{} {name:?} not found", resource.qualified()))
}

/// Lists what a query finds. All of it: parts of lists are not made, whatever `limit` says, as the API server may do too.
pub(super) fn list(sim: &Simulation, resource: &ApiResource, query: &Query, form: &Form) -> Answer {
    let objects = matching(sim, query);
    Answer::json(200, &form.list(&resource.kind, &objects, sim.wall(), sim.view().resource_version))
}

pub(super) fn matching(sim: &Simulation, query: &Query) -> Vec<Object> {
    let mut objects: Vec<Object> =
        query.wanted.iter().flat_map(|wanted| sim.view().list(wanted.resource.kind())).collect();
    objects.retain(|object| query.matches(object));
    objects
}
