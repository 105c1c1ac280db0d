//! Honours `spec.nodeName`.

use crate::objects::Text;
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::Actions;
use crate::scheduler::framework::{Code, Plugin, PreFilter};

#[derive(Debug)]
pub(super) struct NodeName;

impl Plugin for NodeName {
    type State = ();

    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, (): &mut ()) -> PreFilter {
        if cycle.pod.is_bound() { PreFilter::Filter } else { PreFilter::Skip }
    }

    fn filter(&self, cycle: &Cycle<'_>, (): &(), node: &NodeInfo) -> Code {
        if cycle.pod.node_name == *node.name() { Code::Success } else { Code::UnschedulableAndUnresolvable }
    }

    fn reasons(&self, _: &Cycle<'_>, (): &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
        say("node(s) didn't match the requested node name".into());
    }
}
