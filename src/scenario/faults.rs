//! The faults of a scenario as the file has them, and the checks that make plans of them.

use serde::Deserialize;

use crate::kernel::{Sampler, SimDuration};
use crate::objects::{Labels, Selector, SelectorError};
use crate::sim::{FaultPlan, NodeCrash, PodKiller};

use super::error::Fault;

const KINDS: [&str; 2] = ["NodeCrash", "PodKiller"];

/// An entry of `spec.faults`, with the fields of all kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawFault {
    kind: String,
    mtbf: Option<Sampler>,
    mttr: Option<Sampler>,
    select: Option<Labels>,
    correlated_by: Option<String>,
    every: Option<Sampler>,
    selector: Option<String>,
    namespace: Option<String>,
}

impl RawFault {
    /// The plan; `nodes`: the labels of every node that there will be.
    pub(super) fn plan(self, nodes: &[Labels]) -> Result<FaultPlan, Fault> {
        match self.kind.as_str() {
            "NodeCrash" => self.node_crash(nodes).map(FaultPlan::NodeCrash),
            "PodKiller" => self.pod_killer().map(FaultPlan::PodKiller),
            kind => Err(unknown(kind)),
        }
    }

    fn node_crash(self, nodes: &[Labels]) -> Result<NodeCrash, Fault> {
        let foreign = [
            ("every", self.every.is_some()),
            ("selector", self.selector.is_some()),
            ("namespace", self.namespace.is_some()),
        ];
        refuse_foreign(&foreign, "PodKiller")?;
        let mtbf = time("mtbf", self.mtbf, "how long a node runs before it crashes")?;
        // A machine that runs for a fixed time is not what anybody means by a mean time.
        let mtbf = match mtbf.as_constant() {
            Some(mean) => Sampler::exponential(mean).map_err(|error| Fault::new("mtbf", error.to_string()))?,
            None => mtbf,
        };
        let mttr = time("mttr", self.mttr, "how long it is down")?;
        if self.correlated_by.as_ref().is_some_and(|key| key.trim().is_empty()) {
            return Err(Fault::new("correlatedBy", "the label key is empty"));
        }
        let select = self.select.unwrap_or_default();
        if !nodes.iter().any(|labels| labels.contains_all(&select)) {
            return Err(selects_nobody(&select));
        }
        Ok(NodeCrash { mtbf, mttr, select, correlated_by: self.correlated_by })
    }

    fn pod_killer(self) -> Result<PodKiller, Fault> {
        let foreign = [
            ("mtbf", self.mtbf.is_some()),
            ("mttr", self.mttr.is_some()),
            ("select", self.select.is_some()),
            ("correlatedBy", self.correlated_by.is_some()),
        ];
        refuse_foreign(&foreign, "NodeCrash")?;
        let every = time("every", self.every, "the time from one deletion to the next")?;
        let text = self.selector.unwrap_or_default();
        let selector: Selector =
            text.parse().map_err(|error: SelectorError| Fault::new("selector", error.to_string()))?;
        Ok(PodKiller { every, selector, namespace: self.namespace.unwrap_or_else(|| "default".to_owned()) })
    }
}

/// A time that is given and not always zero.
fn time(field: &str, given: Option<Sampler>, meaning: &str) -> Result<Sampler, Fault> {
    let Some(given) = given else {
        return Err(Fault::new("", format!("{field} is missing")).help(format!("`{field}: 2h` is {meaning}")));
    };
    if given.as_constant().is_some_and(SimDuration::is_zero) {
        return Err(Fault::new(field, "must be greater than 0"));
    }
    Ok(given)
}

fn refuse_foreign(fields: &[(&str, bool)], owner: &str) -> Result<(), Fault> {
    match fields.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(Fault::new(*field, format!("`{field}` belongs to {owner}"))),
        None => Ok(()),
    }
}

/// Nodes are selected as they join; a selection that none of them meets is a mistake.
fn selects_nobody(select: &Labels) -> Fault {
    if select.is_empty() {
        return Fault::new("", "there is no node that could crash");
    }
    let labels: Vec<String> = select.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let message = format!("no node joins with the labels {}", labels.join(", "));
    Fault::new("select", message).help("labels of nodes stand under `nodes` and `addNode`")
}

fn unknown(kind: &str) -> Fault {
    let fault = Fault::new("kind", format!("there is no fault of the kind {kind:?}"));
    let likeness = |known: &str| strsim::jaro(&known.to_lowercase(), &kind.to_lowercase());
    match KINDS.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) if likeness(nearest) > 0.7 => fault.help(format!("did you mean {nearest}?")),
        _ => fault.help(format!("one of {}", KINDS.join(", "))),
    }
}
