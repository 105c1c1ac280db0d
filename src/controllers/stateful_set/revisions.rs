//! The history of a StatefulSet: which revision its template is, and which one it comes from.

use std::sync::Arc;

use crate::api::{DeleteOptions, Request, View};
use crate::controllers::history::{self, Draft, holds, next_revision};
use crate::controllers::script::{Flow, Halt, Script};
use crate::objects::{ControllerRevision, Kind, PodTemplate, Resource, StatefulSet, WireError, defaults};

/// The two revisions that matter to a sync.
#[derive(Clone, Debug)]
pub(super) struct Revisions {
    /// What an update starts from.
    pub(super) current: Arc<ControllerRevision>,
    /// What the template says.
    pub(super) update: Arc<ControllerRevision>,
    /// How often a name was taken.
    pub(super) collision_count: i32,
}

/// Finds both, and notes a new template in the history (upstream `getStatefulSetRevisions`). `known` must be in order.
pub(super) fn resolve(
    script: &mut Script,
    view: &View,
    set: &StatefulSet,
    known: &[Arc<ControllerRevision>],
) -> Flow<Revisions> {
    let mut collision_count = set.status.collision_count.unwrap_or(0);
    let template = &set.spec.template;
    let next = next_revision(known);
    let same = known.iter().rfind(|revision| holds(revision, template));
    let update = match (known.last(), same) {
        (Some(newest), Some(same)) if newest.data == same.data => Arc::clone(newest),
        (_, Some(same)) => history::renumber(script, same, next)?,
        (Some(newest), None) if restored(set, newest).is_ok_and(|restored| restored == **template) => {
            Arc::clone(newest)
        }
        _ => {
            let draft = Draft {
                kind: Kind::StatefulSet,
                parent: &set.meta,
                labels: &template.labels,
                annotations: &set.meta.annotations,
                data: history::template_patch(template),
                revision: next,
                probe: Some(collision_count),
            };
            history::create(script, view, &set.meta, draft.into_revision(), &mut collision_count)?
        }
    };
    let current = known.iter().find(|revision| revision.meta.name == set.status.current_revision);
    let current = Arc::clone(current.unwrap_or(&update));
    Ok(Revisions { current, update, collision_count })
}

/// The template of a revision as the API server would give it back with the StatefulSet: with today's defaults
/// (upstream `ApplyRevision`; feature `StatefulSetSemanticRevisionComparison`).
fn restored(set: &StatefulSet, revision: &ControllerRevision) -> Result<PodTemplate, WireError> {
    let mut wire = set.to_wire();
    wire["spec"]["template"] = history::template_wire(revision);
    defaults::apply(Kind::StatefulSet.as_str(), Kind::StatefulSet.api_version(), &mut wire);
    PodTemplate::from_wire(wire.pointer("/spec/template"))
}

/// What pods of a revision are made of.
pub(super) fn template(set: &StatefulSet, revision: &ControllerRevision) -> Flow<Arc<PodTemplate>> {
    if holds(revision, &set.spec.template) {
        return Ok(Arc::clone(&set.spec.template));
    }
    restored(set, revision).map(Arc::new).map_err(|error| Halt::from(error.to_string()))
}

/// The request that deletes a revision.
pub(super) fn delete(revision: &ControllerRevision) -> Request {
    let (kind, key) = (Kind::ControllerRevision, revision.key());
    Request::Delete { kind, key, options: DeleteOptions::default() }
}
