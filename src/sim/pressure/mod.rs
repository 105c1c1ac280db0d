//! Machines that run short of something because of what runs beside the pods.

use crate::kernel::SimDuration;
use crate::kubelet::{Eaten, MachineResource, NodeTimer};

use super::error::SimError;
use super::event::{Event, rank};
use super::simulation::Simulation;

impl Simulation {
    /// Lets something outside the pods use that much of a machine, for that long or for ever.
    ///
    /// What is eaten of memory and processes ends with the machine; what lies on its disk stays.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::kubelet::{Eaten, MachineResource};
    /// use seatrial::objects::Conditions;
    /// use seatrial::sim::{Delays, Simulation};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
    /// sim.press("node-0", MachineResource::Memory, Eaten::Percent(99), Some(SimDuration::from_mins(2)))?;
    /// sim.run_for(SimDuration::from_mins(1));
    /// let node = sim.view().nodes.iter().next().expect("the node");
    /// assert!(node.status.conditions.is_true("MemoryPressure"));
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn press(
        &mut self,
        node: &str,
        resource: MachineResource,
        eaten: Eaten,
        duration: Option<SimDuration>,
    ) -> Result<(), SimError> {
        let machine = self.machine(node)?;
        let number = self.press_machine(machine, resource, eaten);
        if let Some(duration) = duration {
            self.queue.push(self.now() + duration, rank::USER, Event::Relief { node: machine, number });
        }
        Ok(())
    }

    /// Returns the number by which it is relieved.
    pub(super) fn press_machine(&mut self, machine: u32, resource: MachineResource, eaten: Eaten) -> u64 {
        self.kubelets.pressures += 1;
        let number = self.kubelets.pressures;
        self.call_kubelet(machine, u64::from(machine), |kubelet, cx| kubelet.press(cx, number, resource, eaten));
        number
    }

    pub(super) fn relieve(&mut self, machine: u32, number: u64) {
        self.call_kubelet(machine, u64::from(machine), |kubelet, cx| kubelet.relieve(cx, number));
    }

    pub(super) fn node_timer(&mut self, node: u32, timer: NodeTimer) {
        self.background -= 1;
        self.call_kubelet(node, u64::from(node), |kubelet, cx| kubelet.on_node_timer(cx, timer));
    }

    /// Whether a kubelet will do something about the use of its machine.
    pub(super) fn is_any_node_short(&self) -> bool {
        self.kubelets.nodes.iter().any(|process| process.kubelet.expects_pressure())
    }
}

#[cfg(test)]
mod tests;
