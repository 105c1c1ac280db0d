//! Faults of the control plane: `ApiServerOutage`, `ControllerManagerCrash`, `SchedulerCrash`, `SlowWatch`, `SlowWrites`,
//! `ConflictStorm`; and `NodePartition`.

use crate::kernel::Sampler;
use crate::objects::Labels;
use crate::scenario::error::Fault;
use crate::scenario::steps::{read_cut, read_storm, read_watcher};
use crate::sim::{ControlPlaneFault, Disturbance, Leader, NodePartition, Trouble};

use super::{RawFault, mean_time, time};

/// Label that every node has: its name.
const HOST: &str = "kubernetes.io/hostname";

pub(super) const PARTITION: &[&str] = &["mtbf", "mttr", "cut", "select", "correlatedBy"];
pub(super) const LASTING: &[&str] = &["mtbf", "mttr"];
pub(super) const SLOW_WATCH: &[&str] = &["mtbf", "mttr", "process", "node", "delay"];
pub(super) const SLOW_WRITES: &[&str] = &["mtbf", "mttr", "write"];
pub(super) const CONFLICTS: &[&str] = &["mtbf", "mttr", "kinds", "namespace", "percent"];

impl RawFault {
    pub(super) fn node_partition(mut self, nodes: &[Labels]) -> Result<NodePartition, Fault> {
        let cut = read_cut(self.cut.as_deref())?;
        let units =
            self.units(nodes, ["how long a node is connected before it is cut off", "how long it is cut off"])?;
        let (select, correlated_by) = (units.select, units.correlated_by);
        Ok(NodePartition { mtbf: units.mtbf, mttr: units.mttr, cut, select, correlated_by })
    }

    /// A fault of the control plane by its kind.
    pub(super) fn control_plane(mut self, nodes: &[Labels]) -> Result<ControlPlaneFault, Fault> {
        if let Some(node) =
            self.node.as_deref().filter(|node| nodes.iter().all(|labels| labels.get(HOST) != Some(node)))
        {
            return Err(Fault::new("node", format!("no node of the name {node:?} joins")));
        }
        let mtbf = mean_time(self.mtbf.take(), "how long all is well before it happens")?;
        let crash = match self.kind.as_str() {
            "ControllerManagerCrash" => Some((Leader::ControllerManager, Disturbance::ControllerManagerDown)),
            "SchedulerCrash" => Some((Leader::Scheduler, Disturbance::SchedulerDown)),
            _ => None,
        };
        let trouble = match crash {
            Some((leader, _)) if self.mttr.is_none() => Trouble::Crash(leader),
            Some((_, down)) => Trouble::Lasting(down, self.lasts()?),
            None => {
                let lasts = self.lasts()?;
                Trouble::Lasting(self.disturbance()?, lasts)
            }
        };
        Ok(ControlPlaneFault { mtbf, trouble })
    }

    fn lasts(&mut self) -> Result<Sampler, Fault> {
        time("mttr", self.mttr.take(), "how long it lasts")
    }

    fn disturbance(self) -> Result<Disturbance, Fault> {
        Ok(match self.kind.as_str() {
            "SlowWatch" => {
                let watcher = read_watcher(self.process.as_deref(), self.node)?;
                Disturbance::SlowWatch { watcher, delay: self.delay }
            }
            "SlowWrites" => Disturbance::SlowWrites(time("write", self.write, "how long a write takes")?),
            "ConflictStorm" => {
                Disturbance::Conflicts(read_storm(&self.kinds.unwrap_or_default(), self.namespace, self.percent)?)
            }
            _ => Disturbance::ApiServerDown,
        })
    }
}
