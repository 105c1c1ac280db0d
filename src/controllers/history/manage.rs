//! Writing revisions.

use std::sync::Arc;

use crate::api::{ApiError, Part, Request, Response, View};
use crate::controllers::controller_ref::{adopt, controller_reference};
use crate::controllers::script::{Flow, Halt, Script};
use crate::objects::{ControllerRevision, Kind, ObjectMeta, Resource, Typed};

use super::{hash, revision_name};

/// Most names that one sync tries: with 2^32 hashes a second collision is next to impossible.
const MAX_PROBES: usize = 100;

/// Adopts the revisions that nobody owns. The first that cannot be adopted ends the sync (upstream
/// `AdoptOrphanRevisions`).
pub(crate) fn adopt_orphans(
    script: &mut Script,
    kind: Kind,
    parent: &ObjectMeta,
    revisions: &mut [Arc<ControllerRevision>],
) -> Flow<()> {
    // Upstream asks the server whether the owner still lives, and adopts nothing for one that is going.
    if parent.is_deleting() {
        return Ok(());
    }
    for revision in revisions.iter_mut().filter(|revision| revision.meta.controller().is_none()) {
        let answer = script.call(|| adopt(&**revision, controller_reference(kind, parent)))?;
        *revision = unwrap(answer)?;
    }
    Ok(())
}

/// Creates a revision. Where its name is taken by one with other data, `collision_count` rises and gives another name
/// (upstream `CreateControllerRevision`). Upstream reads the existing one from the server; ours has to show in `view`,
/// and if it does not the sync is repeated.
pub(crate) fn create(
    script: &mut Script,
    view: &View,
    parent: &ObjectMeta,
    revision: ControllerRevision,
    collision_count: &mut i32,
) -> Flow<Arc<ControllerRevision>> {
    let mut revision = revision;
    for _ in 0..MAX_PROBES {
        revision.meta.name = revision_name(&parent.name, &hash(&revision.data, Some(*collision_count))).into();
        let error = match script.call(|| Request::Create(revision.clone().into()))? {
            Err(error) if error.is_already_exists() => error,
            answer => return unwrap(answer),
        };
        let key = revision.key();
        let existing = script.look_up(|| view.controller_revisions.get(&key).cloned().map(Into::into));
        match existing.as_ref().and_then(ControllerRevision::unwrap) {
            None => return Err(ApiError::not_found(Kind::ControllerRevision, &key).into()),
            Some(existing) if existing.data == revision.data => return Ok(Arc::clone(existing)),
            Some(_) if *collision_count == i32::MAX => return Err(error.into()),
            Some(_) => *collision_count += 1,
        }
    }
    Err(Halt::from(format!("no free name for a revision of {:?}", &*parent.name)))
}

/// Gives a revision another number (upstream `UpdateControllerRevision`).
pub(crate) fn renumber(
    script: &mut Script,
    revision: &Arc<ControllerRevision>,
    number: i64,
) -> Flow<Arc<ControllerRevision>> {
    if revision.revision == number {
        return Ok(Arc::clone(revision));
    }
    let answer = script.call(|| {
        let revision = ControllerRevision { revision: number, ..ControllerRevision::clone(revision) };
        Request::Update(revision.into(), Part::Main)
    })?;
    unwrap(answer)
}

fn unwrap(answer: Response) -> Flow<Arc<ControllerRevision>> {
    let object = answer?;
    ControllerRevision::unwrap(&object).cloned().ok_or_else(|| Halt::from("not a ControllerRevision".to_owned()))
}
