//! Going back to an earlier revision by annotation (upstream `rollback.go`).

use std::sync::Arc;

use crate::api::{EventKind, Part, Request};
use crate::kernel::SimDuration;
use crate::objects::{Deployment, POD_TEMPLATE_HASH, ReplicaSet};

use super::sync::DeploymentSync;
use super::util::annotations::{ROLLBACK_TO, revision, rolled_back};
use super::util::sets::ReplicaSets;
use crate::controllers::script::Flow;

const NOT_FOUND: &str = "DeploymentRollbackRevisionNotFound";
const UNCHANGED: &str = "DeploymentRollbackTemplateUnchanged";
const DONE: &str = "DeploymentRollback";

impl DeploymentSync<'_> {
    /// Takes template and annotations of a revision (0 = the last but one) and removes the request, whatever came of
    /// it.
    pub(super) fn roll_back(&mut self, to: i64) -> Flow<Option<SimDuration>> {
        self.sync_new_replica_set()?;
        self.ensure_new_replica_set()?;
        let to = if to == 0 { last_revision(&self.sets) } else { to };
        if to == 0 {
            return self.give_up(NOT_FOUND, "Unable to find last revision.".to_owned());
        }
        let old = self.sets.old().map(|(_, set)| set).chain(self.sets.new_set());
        let Some(set) = old.into_iter().find(|set| revision(&set.meta) == Some(to)).cloned() else {
            return self.give_up(NOT_FOUND, "Unable to find the revision to rollback to.".to_owned());
        };
        let name = Arc::clone(&self.deployment.meta.name);
        if self.deployment.spec.template.equal_ignoring_hash(&set.spec.template) {
            let message =
                format!("The rollback revision contains the same template as current deployment {:?}", &*name);
            return self.give_up(UNCHANGED, message);
        }
        restore(Arc::make_mut(&mut self.deployment), &set);
        self.update_without_request()?;
        let message = format!("Rolled back deployment {:?} to revision {to}", &*name);
        self.event(EventKind::Normal, DONE, message.into());
        Ok(None)
    }

    fn give_up(&mut self, reason: &'static str, message: String) -> Flow<Option<SimDuration>> {
        self.event(EventKind::Warning, reason, message.into());
        self.update_without_request()?;
        Ok(None)
    }

    fn update_without_request(&mut self) -> Flow<()> {
        let meta = &mut Arc::make_mut(&mut self.deployment).meta;
        meta.annotations = meta.annotations.without(ROLLBACK_TO);
        let deployment = &self.deployment;
        self.script.call(|| Request::Update(Arc::clone(deployment).into(), Part::Main))??;
        Ok(())
    }
}

/// Gives a Deployment the template and the annotations of one of its ReplicaSets.
pub(super) fn restore(deployment: &mut Deployment, set: &ReplicaSet) {
    let template = &set.spec.template;
    deployment.spec.template = Arc::new(template.with_labels(template.labels.without(POD_TEMPLATE_HASH)));
    deployment.meta.annotations = rolled_back(&deployment.meta.annotations, &set.meta.annotations);
}

/// The second-highest revision; 0 if there is none.
fn last_revision(sets: &ReplicaSets) -> i64 {
    let (mut highest, mut second) = (0, 0);
    for number in sets.all().iter().filter_map(|set| revision(&set.meta)) {
        if number >= highest {
            (second, highest) = (highest, number);
        } else if number > second {
            second = number;
        }
    }
    second
}
