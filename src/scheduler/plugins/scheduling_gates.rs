//! Keeps pods with scheduling gates out of the queue.

use crate::objects::Pod;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Hint, Plugin, PreFilter};

#[derive(Debug)]
pub(super) struct SchedulingGates;

impl Plugin for SchedulingGates {
    type State = ();

    fn name(&self) -> &'static str {
        "SchedulingGates"
    }

    fn events(&self) -> Actions {
        Actions::POD_GATES
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        match event.subject {
            Subject::Pod(_, Some(changed)) if changed.meta.uid == pod.meta.uid => Hint::Queue,
            _ => Hint::Skip,
        }
    }

    fn pre_enqueue(&self, pod: &Pod) -> bool {
        pod.spec.scheduling_gates.is_empty()
    }

    fn pre_filter(&self, _: &Cycle<'_>, (): &mut ()) -> PreFilter {
        PreFilter::Skip
    }
}
