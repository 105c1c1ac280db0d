//! `NodePressure`.

use crate::objects::Labels;
use crate::scenario::error::Fault;
use crate::sim::NodePressure;

use super::RawFault;

pub(super) const FIELDS: &[&str] = &["resource", "use", "mtbf", "mttr", "select", "correlatedBy"];

impl RawFault {
    pub(super) fn node_pressure(mut self, nodes: &[Labels]) -> Result<NodePressure, Fault> {
        let missing = |what: &str, help: &str| Fault::new("", format!("{what} is missing")).help(help);
        let resource = self.resource.ok_or_else(|| missing("resource", "one of memory, disk, processes"))?;
        let eaten = self.r#use.ok_or_else(|| missing("use", "`use: 95%` of what the machine has, or `use: 6Gi`"))?;
        let units = self.units(nodes, ["how long a node has peace before it is struck", "how long it lasts"])?;
        Ok(NodePressure {
            resource,
            eaten,
            mtbf: units.mtbf,
            mttr: units.mttr,
            select: units.select,
            correlated_by: units.correlated_by,
        })
    }
}
