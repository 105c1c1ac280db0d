//! `memoryPressure`, `diskPressure` and `pidPressure`: something outside the pods uses a machine.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::kernel::SimDuration;
use crate::kubelet::{Eaten, MachineResource};
use crate::scenario::error::Fault;

use super::Verb;

/// Something outside the pods uses a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Press {
    /// Name of the node.
    pub node: String,
    /// What is used.
    pub resource: MachineResource,
    /// How much.
    pub eaten: Eaten,
    /// For how long; absent = for ever.
    pub duration: Option<SimDuration>,
}

impl Press {
    /// Name of the verb.
    pub(super) const fn name(&self) -> &'static str {
        self.resource.verb()
    }

    pub(super) fn args(&self) -> Value {
        let mut args = json!({"node": self.node, "use": self.eaten.to_string()});
        if let Some(duration) = self.duration {
            args["for"] = duration.to_string().into();
        }
        args
    }
}

/// As the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPress {
    node: String,
    r#use: Eaten,
    r#for: Option<SimDuration>,
}

impl RawPress {
    pub(super) fn verb(self, resource: MachineResource) -> Result<Verb, Fault> {
        if self.r#for.is_some_and(SimDuration::is_zero) {
            return Err(Fault::new("for", "must be greater than 0").help("without `for` it goes on for ever"));
        }
        Ok(Verb::Press(Press { node: self.node, resource, eaten: self.r#use, duration: self.r#for }))
    }
}
