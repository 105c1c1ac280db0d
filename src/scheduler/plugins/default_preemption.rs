//! Displaces pods of lower priority for one that fits nowhere: see `scheduler::preemption`. Without this plugin nobody is
//! displaced. While its victims are being deleted, the queue holds a pod back in this plugin's name.

use crate::objects::Pod;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent};
use crate::scheduler::framework::{Hint, Plugin, PreFilter};
use crate::scheduler::preemption::PLUGIN;

#[derive(Debug)]
pub(super) struct DefaultPreemption;

impl Plugin for DefaultPreemption {
    type State = ();

    fn name(&self) -> &'static str {
        PLUGIN
    }

    fn events(&self) -> Actions {
        Actions::POD_DELETE
    }

    /// When the pod is tried again is for the plugins to say that rejected it.
    fn hint(&self, _: &Pod, _: &ClusterEvent<'_>) -> Hint {
        Hint::Skip
    }

    fn pre_filter(&self, _: &Cycle<'_>, (): &mut ()) -> PreFilter {
        PreFilter::Skip
    }
}
