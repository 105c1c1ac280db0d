//! The cloud and its controller manager, which is a process of its own. It has something to do only after a machine was shut
//! down or taken away, and sleeps otherwise.

use std::sync::Arc;

use crate::api::Request;
use crate::controllers::cloud_node_lifecycle::{self as controller, Instance};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::Node;
use crate::sim::event::{Event, rank};
use crate::sim::simulation::Simulation;

use super::MachineEvent;

/// Where the cluster runs.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Cloud {
    /// Whether there is a cloud that knows its machines.
    pub(in crate::sim) exists: bool,
    /// The controller's next look is due.
    armed: bool,
}

impl Cloud {
    pub(in crate::sim) const fn new(exists: bool) -> Self {
        Self { exists, armed: false }
    }
}

impl Simulation {
    /// Sees to it that the controller looks while there is something to find.
    pub(super) fn watch_cloud(&mut self) {
        if !self.cloud.exists || self.cloud.armed || !self.cloud_has_news() {
            return;
        }
        self.cloud.armed = true;
        let period = controller::MONITOR_PERIOD.as_nanos();
        let since_last = self.now().since(SimTime::ZERO).as_nanos() % period;
        let delay = SimDuration::from_nanos(period - since_last);
        self.queue.push(self.now() + delay, rank::CONTROLLERS, Event::Machine(MachineEvent::CloudMonitor));
    }

    fn instance_of(&self, node: &str) -> Instance {
        // A Node may have been made by a manifest, without a machine.
        let number = self.kubelets.by_name.get(node);
        number.map_or(Instance::Running, |number| self.kubelets.nodes[*number as usize].instance())
    }

    fn cloud_has_news(&self) -> bool {
        self.view().nodes.iter().any(|node| controller::concerns(node, self.instance_of(&node.meta.name)))
    }

    /// One look of the controller.
    pub(super) fn cloud_monitor(&mut self) {
        self.cloud.armed = false;
        if self.api_server_answers().is_err() {
            return self.watch_cloud();
        }
        for request in controller::monitor(self.view(), |node| self.instance_of(node)) {
            match &request {
                Request::Event(spec) => self.record_event(controller::COMPONENT, 0, "", spec),
                Request::Delete { key, .. } => {
                    let node: Option<Arc<Node>> = self.view().nodes.get(key).cloned();
                    if let (Err(error), Some(node)) = (self.execute(&request), node) {
                        let failed = controller::deletion_failed(&node, &error);
                        self.record_event(controller::COMPONENT, 0, "", &failed);
                    }
                }
                request => drop(self.execute(request)),
            }
        }
        self.watch_cloud();
    }
}
