//! Does what VolumeAttachments ask for.

use std::sync::Arc;

use crate::api::{
    Change, ChangeType, Context, Enqueue, KindSet, MetaPatch, Part, Reconciler, Request, Response, Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, Resource, VolumeAttachment, WallTime};

use super::{Jobs, Progress};

/// Stands for the attachers of all drivers.
#[derive(Clone, Debug)]
pub struct CsiAttacher {
    attaching_takes: SimDuration,
    detaching_takes: SimDuration,
    attaching: Jobs,
    detaching: Jobs,
}

impl CsiAttacher {
    /// Attachers that take that long.
    #[must_use]
    pub fn new(attaching_takes: SimDuration, detaching_takes: SimDuration) -> Self {
        Self { attaching_takes, detaching_takes, attaching: Jobs::default(), detaching: Jobs::default() }
    }

    fn attach(&mut self, cx: Context<'_>, attachment: &VolumeAttachment) -> Step<()> {
        if attachment.status.attached {
            return Step::done();
        }
        let finalizer = finalizer(attachment);
        match self.attaching.progress(&attachment.meta.uid, self.attaching_takes, cx.now) {
            Progress::Begun(takes) if attachment.meta.has_finalizer(&finalizer) => Step::done().requeue_after(takes),
            Progress::Begun(takes) => {
                let patch = MetaPatch { add_finalizers: vec![finalizer], ..MetaPatch::default() };
                Step::last(vec![change(attachment, patch)]).requeue_after(takes)
            }
            Progress::Running(left) => Step::done().requeue_after(left),
            Progress::Done => {
                let mut attachment = attachment.clone();
                attachment.meta.resource_version = 0;
                attachment.status.attached = true;
                Step::last(vec![Request::Update(attachment.into(), Part::Status)])
            }
        }
    }

    fn detach(&mut self, cx: Context<'_>, attachment: &VolumeAttachment) -> Step<()> {
        self.attaching.forget(&attachment.meta.uid);
        match self.detaching.progress(&attachment.meta.uid, self.detaching_takes, cx.now) {
            Progress::Begun(wait) | Progress::Running(wait) => Step::done().requeue_after(wait),
            Progress::Done => {
                let patch = MetaPatch { remove_finalizers: vec![finalizer(attachment)], ..MetaPatch::default() };
                Step::last(vec![change(attachment, patch)])
            }
        }
    }
}

/// Keeps an attachment until the volume is detached.
fn finalizer(attachment: &VolumeAttachment) -> Arc<str> {
    format!("external-attacher/{}", attachment.spec.attacher.replace('.', "-")).into()
}

fn change(attachment: &VolumeAttachment, patch: MetaPatch) -> Request {
    let (key, uid) = (attachment.key(), attachment.meta.uid.clone());
    Request::PatchMeta { kind: Kind::VolumeAttachment, key, uid, patch }
}

impl Reconciler for CsiAttacher {
    type State = ();

    fn name(&self) -> &'static str {
        "external-attacher"
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::VolumeAttachment])
    }

    fn on_change(&mut self, _: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
        let Some((_, attachment)) = change.of::<VolumeAttachment>() else { return };
        if change.change_type == ChangeType::Deleted {
            self.attaching.forget(&attachment.meta.uid);
            self.detaching.forget(&attachment.meta.uid);
        } else {
            queue.add(attachment.key());
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let Some(attachment) = cx.view.volume_attachments.get(key).cloned() else { return Step::done() };
        if attachment.meta.is_deleting() { self.detach(cx, &attachment) } else { self.attach(cx, &attachment) }
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}
