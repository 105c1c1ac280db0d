//! Machines that are shut down in order, and those whose kubelets want time for that.

use serde_json::json;

use crate::controllers::cloud_node_lifecycle::Instance;
use crate::kernel::SimDuration;
use crate::sim::error::SimError;
use crate::sim::recorder::StepRecord;
use crate::sim::simulation::Simulation;

use super::MachineEvent;

impl Simulation {
    /// Shuts a machine down, as `poweroff` on it or its cloud's console does. If the settings of its kubelet give pods time
    /// ([`KubeletConfig::shutdown_grace_periods`](crate::kubelet::KubeletConfig::shutdown_grace_periods)), the node is not ready from
    /// now on, pods end group by group, and the machine goes when they are through or their time is up; otherwise everything on it
    /// stops at once. Then its cloud knows. [`Self::node_up`] boots it again.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::sim::{NodeTemplate, Simulation};
    ///
    /// let kubelet = serde_json::from_str(r#"{"shutdownGracePeriod": "1m", "shutdownGracePeriodCriticalPods": "20s"}"#)?;
    /// let mut sim = Simulation::builder().build()?;
    /// sim.add_node(&NodeTemplate { kubelet: Arc::new(kubelet), ..NodeTemplate::new("n") })?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i}]}}")?;
    /// sim.run_for(SimDuration::from_secs(10));
    /// sim.shutdown("n")?;
    /// assert!(sim.machine_is_up("n"));
    /// sim.run_for(SimDuration::from_mins(1));
    /// assert!(!sim.machine_is_up("n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such machine, it does not run, or is being shut down already.
    pub fn shutdown(&mut self, node: &str) -> Result<(), SimError> {
        let number = self.running_machine(node)?;
        if self.kubelets.nodes[number as usize].kubelet.is_shutting_down() {
            return Err(SimError::Cluster(format!("the machine of node {node} is being shut down already")));
        }
        self.shut_down(number);
        Ok(())
    }

    pub(super) fn shut_down(&mut self, node: u32) {
        if !self.kubelets.nodes[node as usize].kubelet.delays_shutdown() {
            return self.power_off(node);
        }
        self.call_kubelet(node, u64::from(node), |kubelet, cx| kubelet.begin_shutdown(cx));
        self.show_life(node);
    }

    /// A kubelet has let its machine go, which happens before anything else does.
    pub(in crate::sim) fn power_off_soon(&mut self, node: u32) {
        let epoch = self.kubelets.nodes[node as usize].epoch;
        self.push_machine_event(SimDuration::ZERO, MachineEvent::PowerOff { node, epoch });
    }

    pub(super) fn power_off(&mut self, node: u32) {
        if self.kubelets.nodes[node as usize].kubelet.is_shutting_down() {
            let args = json!({"node": self.kubelets.nodes[node as usize].kubelet.node_name()});
            self.record_step(StepRecord { name: "poweredOff".to_owned(), args, result: json!(200) });
        }
        self.stop_machine(node);
        self.kubelets.nodes[node as usize].machine_mut().instance = Instance::Stopped;
        self.watch_cloud();
    }
}

#[cfg(test)]
mod tests;
