//! `KernelPanic`, `MachineDeletion`, `SpotReclaim`, `SlowNode`.

use crate::kernel::{Sampler, SimDuration};
use crate::objects::Labels;
use crate::scenario::error::Fault;
use crate::scenario::steps::percent;
use crate::sim::{KernelPanic, MachineDeletion, SlowNode, SpotReclaim};

use super::RawFault;

pub(super) const PANIC_FIELDS: &[&str] = &["mtbf", "mttr", "select", "correlatedBy"];
pub(super) const DELETION_FIELDS: &[&str] = &["mtbf", "select", "correlatedBy"];
pub(super) const RECLAIM_FIELDS: &[&str] = &["mtbf", "select", "correlatedBy", "notice", "onNotice", "replacement"];
pub(super) const SLOW_FIELDS: &[&str] = &["mtbf", "mttr", "select", "correlatedBy", "factor"];

impl RawFault {
    pub(super) fn kernel_panic(mut self, nodes: &[Labels]) -> Result<KernelPanic, Fault> {
        let units = self.units(nodes, ["how long a node runs before it panics", "how long it takes to boot"])?;
        Ok(KernelPanic { mtbf: units.mtbf, mttr: units.mttr, select: units.select, correlated_by: units.correlated_by })
    }

    pub(super) fn machine_deletion(mut self, nodes: &[Labels]) -> Result<MachineDeletion, Fault> {
        let exposed = self.exposed(nodes, "how long a node runs before it is deleted")?;
        Ok(MachineDeletion { mtbf: exposed.mtbf, select: exposed.select, correlated_by: exposed.correlated_by })
    }

    pub(super) fn spot_reclaim(mut self, nodes: &[Labels]) -> Result<SpotReclaim, Fault> {
        let exposed = self.exposed(nodes, "how long a node runs before it gets notice")?;
        Ok(SpotReclaim {
            mtbf: exposed.mtbf,
            notice: self.notice.unwrap_or_else(|| Sampler::constant(SimDuration::from_mins(2))),
            on_notice: self.on_notice.unwrap_or_default().into(),
            replacement: self.replacement,
            select: exposed.select,
            correlated_by: exposed.correlated_by,
        })
    }

    pub(super) fn slow_node(mut self, nodes: &[Labels]) -> Result<SlowNode, Fault> {
        let units = self.units(nodes, ["how long a node is as fast as it should be", "how long it is slow"])?;
        let factor = self.factor.ok_or_else(|| {
            Fault::new("", "factor is missing").help("`factor: 5`: things take five times as long on it")
        })?;
        Ok(SlowNode {
            mtbf: units.mtbf,
            mttr: units.mttr,
            slowness_percent: percent(factor)?,
            select: units.select,
            correlated_by: units.correlated_by,
        })
    }
}
