//! Strategies of what makes, keeps and scales pods (`pkg/registry/{apps,batch,policy,autoscaling}`,
//! `pkg/registry/core/replicationcontroller`).

use crate::objects::{
    ControllerRevision, CronJob, DaemonSet, Deployment, HorizontalPodAutoscaler, Job, PodDisruptionBudget, ReplicaSet,
    ReplicationController, StatefulSet, WallTime,
};

use super::{share, share_template, stored};

stored!(ReplicaSet, [status, generation_of_spec, template, replicas]);

stored!(ReplicationController, [status, generation_of_spec, template, replicas], {
    /// As the first version of the API did, when nobody collected what was left.
    fn orphans_by_default(&self) -> bool {
        true
    }
});

stored!(Deployment, [status, generation, template, replicas], {
    /// Annotations count too, since they are copied to the ReplicaSets.
    fn is_new_generation(&self, old: &Self) -> bool {
        self.meta.annotations != old.meta.annotations || self.spec != old.spec
    }
    /// The annotations come along: the controller writes the revision that way.
    fn with_status(&self, request: &Self) -> Option<Self> {
        let mut deployment = Self { status: request.status.clone(), ..self.clone() };
        deployment.meta.annotations = request.meta.annotations.clone();
        Some(deployment)
    }
});

stored!(StatefulSet, [status, generation_of_spec, replicas], {
    fn share_with(&mut self, old: &Self) {
        share_template(&mut self.spec.template, &old.spec.template);
        share(&mut self.spec.selector, &old.spec.selector);
        if self.spec.volume_claim_templates == old.spec.volume_claim_templates {
            self.spec.volume_claim_templates = old.spec.volume_claim_templates.clone();
        }
    }
});

stored!(DaemonSet, [status, generation_of_spec, template], {
    fn complete_new(&mut self, _now: WallTime) {
        self.set_template_generation(self.template_generation().unwrap_or(0).max(1));
    }
    fn complete_changed(&mut self, old: &Self) {
        let changed = i64::from(self.spec.template != old.spec.template);
        self.set_template_generation(old.template_generation().unwrap_or(0).saturating_add(changed));
    }
});

stored!(ControllerRevision, [], {
    fn share_with(&mut self, old: &Self) {
        share(&mut self.data, &old.data);
    }
});

stored!(Job, [status, generation_of_spec, template], {
    fn complete_new(&mut self, _now: WallTime) {
        self.complete();
    }
    fn orphans_by_default(&self) -> bool {
        true
    }
});

stored!(CronJob, [status, generation_of_spec, shared_spec]);
stored!(PodDisruptionBudget, [status, generation_of_spec, shared_spec]);
stored!(HorizontalPodAutoscaler, [status, shared_spec]);
