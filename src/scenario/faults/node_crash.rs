//! `NodeCrash`.

use crate::objects::Labels;
use crate::scenario::error::Fault;
use crate::sim::NodeCrash;

use super::RawFault;

pub(super) const FIELDS: &[&str] = &["mtbf", "mttr", "select", "correlatedBy"];

impl RawFault {
    pub(super) fn node_crash(mut self, nodes: &[Labels]) -> Result<NodeCrash, Fault> {
        let units = self.units(nodes, ["how long a node runs before it crashes", "how long it is down"])?;
        Ok(NodeCrash { mtbf: units.mtbf, mttr: units.mttr, select: units.select, correlated_by: units.correlated_by })
    }
}
