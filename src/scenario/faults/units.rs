//! What the faults of machines have in common.

use crate::kernel::Sampler;
use crate::objects::Labels;
use crate::scenario::error::Fault;

use super::{RawFault, mean_time, time};

/// Which machines are struck, which of them together, how often and for how long.
pub(super) struct Units {
    pub(super) mtbf: Sampler,
    pub(super) mttr: Sampler,
    pub(super) select: Labels,
    pub(super) correlated_by: Option<String>,
}

/// Which machines are struck, which of them together, and how often.
pub(super) struct Exposed {
    pub(super) mtbf: Sampler,
    pub(super) select: Labels,
    pub(super) correlated_by: Option<String>,
}

impl RawFault {
    /// Takes these fields out; `nodes`: the labels of every node that there will be.
    pub(super) fn units(&mut self, nodes: &[Labels], meaning: [&str; 2]) -> Result<Units, Fault> {
        let Exposed { mtbf, select, correlated_by } = self.exposed(nodes, meaning[0])?;
        Ok(Units { mtbf, mttr: time("mttr", self.mttr.take(), meaning[1])?, select, correlated_by })
    }

    /// The same without the time of repair.
    pub(super) fn exposed(&mut self, nodes: &[Labels], meaning: &str) -> Result<Exposed, Fault> {
        let mtbf = mean_time(self.mtbf.take(), meaning)?;
        let correlated_by = self.correlated_by.take();
        if correlated_by.as_ref().is_some_and(|key| key.trim().is_empty()) {
            return Err(Fault::new("correlatedBy", "the label key is empty"));
        }
        let select = self.select.take().unwrap_or_default();
        if !nodes.iter().any(|labels| labels.contains_all(&select)) {
            return Err(selects_nobody(&select));
        }
        Ok(Exposed { mtbf, select, correlated_by })
    }
}

/// Nodes are selected as they join; a selection that none of them meets is a mistake.
fn selects_nobody(select: &Labels) -> Fault {
    if select.is_empty() {
        return Fault::new("", "there is no node that it could strike");
    }
    let labels: Vec<String> = select.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let message = format!("no node joins with the labels {}", labels.join(", "));
    Fault::new("select", message).help("labels of nodes stand under `nodes` and `addNode`")
}
