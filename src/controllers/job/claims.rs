//! Which pods belong to a Job: adoption and release (upstream `getPodsForJob`).

use crate::api::{Request, View};
use crate::controllers::controller_ref::{self, Claim};
use crate::objects::{JOB_TRACKING_FINALIZER, Job, Kind, Pod};

/// The pods that a Job must adopt or release.
pub(super) struct Claims {
    pub(super) kinds: Vec<Claim>,
    pub(super) requests: Vec<Request>,
}

impl Claims {
    /// Looks at the Job's pods and at those that nobody owns. Of the Job's own, those that ended and are counted are looked at
    /// only if asked for.
    pub(super) fn of(view: &View, job: &Job, counted_too: bool) -> Self {
        let mut claims = Self { kinds: Vec::new(), requests: Vec::new() };
        let selector = &job.spec.selector.compiled;
        let mut look = |pod: &Pod| {
            let claim = controller_ref::claim(&job.meta, &pod.meta, selector.matches(&pod.meta.labels));
            claims.add(job, pod, claim);
        };
        if counted_too {
            view.pods.controlled_by(&job.meta.uid).for_each(|pod| look(pod));
        } else {
            view.unsettled_pods(&job.meta.uid).for_each(|pod| look(pod));
        }
        view.pods.orphans(&job.meta.namespace).for_each(|pod| look(pod));
        claims
    }

    /// An adopted pod gets the tracking finalizer, a released one loses it.
    fn add(&mut self, job: &Job, pod: &Pod, claim: Claim) {
        let mut request = match claim {
            Claim::Adopt => controller_ref::adopt(pod, controller_ref::controller_reference(Kind::Job, &job.meta)),
            Claim::Release => controller_ref::release(pod, &job.meta),
            Claim::Keep | Claim::Ignore => return,
        };
        if let Request::PatchMeta { patch, .. } = &mut request {
            let finalizers =
                if claim == Claim::Adopt { &mut patch.add_finalizers } else { &mut patch.remove_finalizers };
            finalizers.push(JOB_TRACKING_FINALIZER.into());
        }
        self.kinds.push(claim);
        self.requests.push(request);
    }
}
