//! Zones that go and come back as a whole.

use std::sync::Arc;

use crate::objects::Resource;
use crate::sim::error::SimError;
use crate::sim::simulation::Simulation;

/// The label of a node that names its zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

impl Simulation {
    /// Stops all machines of a zone: those whose Node has the label [`ZONE_LABEL`] with that value. Returns their names, in
    /// order.
    ///
    /// # Errors
    /// If no node is in that zone.
    pub fn zone_down(&mut self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.nodes_in(zone)?;
        nodes.iter().try_for_each(|node| self.node_down(node))?;
        Ok(nodes)
    }

    /// Starts all machines of a zone that were stopped. Returns the names of all that are in it, in order.
    ///
    /// # Errors
    /// If no node is in that zone.
    pub fn zone_up(&mut self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.nodes_in(zone)?;
        nodes.iter().try_for_each(|node| self.node_up(node))?;
        Ok(nodes)
    }

    /// Names of the machines of a zone, in order.
    ///
    /// # Errors
    /// If no node is in that zone.
    pub fn nodes_in(&self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.view().nodes.iter().filter(|node| node.meta.labels.get(ZONE_LABEL) == Some(zone));
        let mut names: Vec<Arc<str>> = nodes.map(|node| node.key().name).collect();
        // A Node may have been made by a manifest, without a machine.
        names.retain(|name| self.existing_machine(name).is_ok());
        names.sort_unstable();
        if names.is_empty() {
            return Err(SimError::Cluster(format!("there is no node with the label {ZONE_LABEL}={zone}")));
        }
        Ok(names)
    }
}
