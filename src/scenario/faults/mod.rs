//! The faults of a scenario as the file has them, and the checks that make plans of them. A file for each kind.

mod control_plane;
mod machines;
mod node_crash;
mod node_pressure;
mod pod_killer;
mod units;

use serde::Deserialize;

use crate::kernel::{Sampler, SimDuration};
use crate::kubelet::{Eaten, MachineResource};
use crate::objects::Labels;
use crate::sim::FaultPlan;

use super::error::Fault;
use super::steps::RawOnNotice;

/// Every kind, and its fields.
const KINDS: &[(&str, &[&str])] = &[
    ("NodeCrash", node_crash::FIELDS),
    ("NodePressure", node_pressure::FIELDS),
    ("PodKiller", pod_killer::FIELDS),
    ("KernelPanic", machines::PANIC_FIELDS),
    ("MachineDeletion", machines::DELETION_FIELDS),
    ("SpotReclaim", machines::RECLAIM_FIELDS),
    ("SlowNode", machines::SLOW_FIELDS),
    ("NodePartition", control_plane::PARTITION),
    ("ApiServerOutage", control_plane::LASTING),
    ("ControllerManagerCrash", control_plane::LASTING),
    ("SchedulerCrash", control_plane::LASTING),
    ("SlowWatch", control_plane::SLOW_WATCH),
    ("SlowWrites", control_plane::SLOW_WRITES),
    ("ConflictStorm", control_plane::CONFLICTS),
];

/// An entry of `spec.faults`, with the fields of all kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawFault {
    kind: String,
    mtbf: Option<Sampler>,
    mttr: Option<Sampler>,
    select: Option<Labels>,
    correlated_by: Option<String>,
    resource: Option<MachineResource>,
    r#use: Option<Eaten>,
    every: Option<Sampler>,
    selector: Option<String>,
    namespace: Option<String>,
    notice: Option<Sampler>,
    on_notice: Option<RawOnNotice>,
    replacement: Option<Sampler>,
    factor: Option<f64>,
    cut: Option<String>,
    process: Option<String>,
    node: Option<String>,
    delay: Option<SimDuration>,
    write: Option<Sampler>,
    kinds: Option<Vec<String>>,
    percent: Option<u8>,
}

impl RawFault {
    /// The plan; `nodes`: the labels of every node that there will be.
    pub(super) fn plan(self, nodes: &[Labels]) -> Result<FaultPlan, Fault> {
        let Some((_, fields)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) else {
            return Err(unknown(&self.kind));
        };
        if let Some(foreign) = self.given().into_iter().find(|field| !fields.contains(field)) {
            return Err(refuse_foreign(foreign));
        }
        match self.kind.as_str() {
            "NodeCrash" => self.node_crash(nodes).map(FaultPlan::NodeCrash),
            "NodePressure" => self.node_pressure(nodes).map(FaultPlan::NodePressure),
            "PodKiller" => self.pod_killer().map(FaultPlan::PodKiller),
            "KernelPanic" => self.kernel_panic(nodes).map(FaultPlan::KernelPanic),
            "MachineDeletion" => self.machine_deletion(nodes).map(FaultPlan::MachineDeletion),
            "SpotReclaim" => self.spot_reclaim(nodes).map(FaultPlan::SpotReclaim),
            "SlowNode" => self.slow_node(nodes).map(FaultPlan::SlowNode),
            "NodePartition" => self.node_partition(nodes).map(FaultPlan::NodePartition),
            _ => self.control_plane(nodes).map(FaultPlan::ControlPlane),
        }
    }

    /// The fields that the entry has.
    fn given(&self) -> Vec<&'static str> {
        let fields = [
            ("mtbf", self.mtbf.is_some()),
            ("mttr", self.mttr.is_some()),
            ("select", self.select.is_some()),
            ("correlatedBy", self.correlated_by.is_some()),
            ("resource", self.resource.is_some()),
            ("use", self.r#use.is_some()),
            ("every", self.every.is_some()),
            ("selector", self.selector.is_some()),
            ("namespace", self.namespace.is_some()),
            ("notice", self.notice.is_some()),
            ("onNotice", self.on_notice.is_some()),
            ("replacement", self.replacement.is_some()),
            ("factor", self.factor.is_some()),
            ("cut", self.cut.is_some()),
            ("process", self.process.is_some()),
            ("node", self.node.is_some()),
            ("delay", self.delay.is_some()),
            ("write", self.write.is_some()),
            ("kinds", self.kinds.is_some()),
            ("percent", self.percent.is_some()),
        ];
        fields.into_iter().filter(|(_, given)| *given).map(|(field, _)| field).collect()
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

/// A mean time between faults: what runs for a fixed time is not what anybody means by one.
fn mean_time(given: Option<Sampler>, meaning: &str) -> Result<Sampler, Fault> {
    let mtbf = time("mtbf", given, meaning)?;
    match mtbf.as_constant() {
        Some(mean) => Sampler::exponential(mean).map_err(|error| Fault::new("mtbf", error.to_string())),
        None => Ok(mtbf),
    }
}

fn refuse_foreign(field: &str) -> Fault {
    let owners = KINDS.iter().filter(|(_, fields)| fields.contains(&field));
    let owners: Vec<&str> = owners.map(|(kind, _)| *kind).collect();
    Fault::new(field, format!("`{field}` belongs to {}", owners.join(", ")))
}

fn unknown(kind: &str) -> Fault {
    let fault = Fault::new("kind", format!("there is no fault of the kind {kind:?}"));
    let likeness = |known: &str| strsim::jaro(&known.to_lowercase(), &kind.to_lowercase());
    let kinds = KINDS.iter().map(|(kind, _)| *kind);
    match kinds.clone().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) if likeness(nearest) > 0.7 => fault.help(format!("did you mean {nearest}?")),
        _ => fault.help(format!("one of {}", kinds.collect::<Vec<_>>().join(", "))),
    }
}
