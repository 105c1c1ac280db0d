//! The verbs that are about machines.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::kernel::SimDuration;
use crate::scenario::error::Fault;
use crate::sim::{DEFAULT_BOOT_TIME, MAX_SLOWNESS_PERCENT, OnNotice, Reclaim, SimError, Simulation};

use super::Verb;

/// What becomes of a machine.
#[derive(Clone, Debug)]
pub enum MachineVerb {
    /// Its kernel panics, and it boots again.
    KernelPanic {
        /// How long that takes.
        boot: SimDuration,
    },
    /// It is shut down.
    Shutdown,
    /// It is taken away for ever.
    DeleteMachine,
    /// Its cloud gives notice.
    Reclaim(Reclaim),
    /// Everything on it takes so many hundredths of the time.
    SlowNode {
        /// 100 = as fast as others.
        percent: u32,
    },
}

impl MachineVerb {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::KernelPanic { .. } => "kernelPanic",
            Self::Shutdown => "shutdown",
            Self::DeleteMachine => "deleteMachine",
            Self::Reclaim(_) => "reclaim",
            Self::SlowNode { .. } => "slowNode",
        }
    }

    pub(super) fn args(&self, node: &str) -> Value {
        match self {
            Self::Shutdown | Self::DeleteMachine => json!({"node": node}),
            Self::KernelPanic { boot } => json!({"node": node, "boot": boot.to_string()}),
            Self::SlowNode { percent } => match percent % 100 {
                0 => json!({"node": node, "factor": percent / 100}),
                _ => json!({"node": node, "factor": f64::from(*percent) / 100.0}),
            },
            Self::Reclaim(reclaim) => {
                let mut args = reclaim.to_wire();
                args["node"] = node.into();
                args
            }
        }
    }

    pub(super) fn perform(&self, sim: &mut Simulation, node: &str) -> Result<(), SimError> {
        match self {
            Self::KernelPanic { boot } => sim.kernel_panic(node, *boot),
            Self::Shutdown => sim.shutdown(node),
            Self::DeleteMachine => sim.delete_machine(node),
            Self::Reclaim(reclaim) => sim.reclaim(node, reclaim),
            Self::SlowNode { percent } => sim.slow_down(node, *percent),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPanic {
    node: String,
    boot: Option<SimDuration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawReclaim {
    node: String,
    notice: Option<SimDuration>,
    #[serde(default)]
    on_notice: RawOnNotice,
    replacement: Option<SimDuration>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::scenario) enum RawOnNotice {
    #[default]
    None,
    Cordon,
    Drain,
    Shutdown,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlowNode {
    node: String,
    factor: f64,
}

impl From<RawOnNotice> for OnNotice {
    fn from(raw: RawOnNotice) -> Self {
        match raw {
            RawOnNotice::None => Self::None,
            RawOnNotice::Cordon => Self::Cordon,
            RawOnNotice::Drain => Self::Drain,
            RawOnNotice::Shutdown => Self::Shutdown,
        }
    }
}

impl RawPanic {
    pub(super) fn verb(self) -> Result<Verb, Fault> {
        let boot = self.boot.unwrap_or(DEFAULT_BOOT_TIME);
        Ok(Verb::Machine { node: self.node, verb: MachineVerb::KernelPanic { boot } })
    }
}

impl RawReclaim {
    pub(super) fn verb(self) -> Result<Verb, Fault> {
        let notice = self.notice.unwrap_or_else(|| Reclaim::default().notice);
        let reclaim = Reclaim { notice, on_notice: self.on_notice.into(), replacement: self.replacement };
        Ok(Verb::Machine { node: self.node, verb: MachineVerb::Reclaim(reclaim) })
    }
}

impl RawSlowNode {
    pub(super) fn verb(self) -> Result<Verb, Fault> {
        let percent = percent(self.factor)?;
        Ok(Verb::Machine { node: self.node, verb: MachineVerb::SlowNode { percent } })
    }
}

/// How many times as slow, in hundredths.
pub(in crate::scenario) fn percent(factor: f64) -> Result<u32, Fault> {
    let most = MAX_SLOWNESS_PERCENT / 100;
    if !(1.0..=f64::from(most)).contains(&factor) {
        let help = "1 is as fast as others";
        return Err(Fault::new("factor", format!("{factor}: must be from 1 to {most}")).help(help));
    }
    Ok((factor * 100.0 + 0.5) as u32)
}
