//! Steps that disturb the control plane, and the ways to and from it.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::kernel::{Sampler, SimDuration};
use crate::objects::Kind;
use crate::scenario::error::Fault;
use crate::sim::{ConflictStorm, Cut, Disturbance, Leader, Place, SimError, Simulation, Watcher};

use super::Verb;

/// Something that happens to the control plane.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Disturb {
    /// Something goes wrong, for a while or until it is restored.
    Begin(Disturbance, Option<SimDuration>),
    /// What is wrong there ends.
    Restore(Place),
    /// Nodes are cut off.
    Partition {
        /// Which.
        nodes: Nodes,
        /// Which way.
        cut: Cut,
        /// For how long, unless they are healed.
        lasts: Option<SimDuration>,
    },
    /// Nodes that were cut off are back.
    Heal(Nodes),
    /// Who leads crashes.
    CrashLeader(Leader),
}

/// One node, or all of a zone.
#[derive(Clone, Debug)]
pub enum Nodes {
    /// By name.
    One(String),
    /// By the label `topology.kubernetes.io/zone`.
    Zone(String),
}

impl Nodes {
    fn args(&self) -> Value {
        match self {
            Self::One(node) => json!({"node": node}),
            Self::Zone(zone) => json!({"zone": zone}),
        }
    }

    fn find(&self, sim: &Simulation) -> Result<Vec<Arc<str>>, SimError> {
        match self {
            Self::One(node) => Ok(vec![node.as_str().into()]),
            Self::Zone(zone) => sim.nodes_in(zone),
        }
    }
}

impl Disturb {
    /// Name of the verb.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Begin(what, _) => what.verb(),
            Self::Restore(Place::ApiServer) => "apiServerUp",
            Self::Restore(Place::ControllerManager) => "controllerManagerUp",
            Self::Restore(_) => "schedulerUp",
            Self::Partition { .. } => "partition",
            Self::Heal(_) => "heal",
            Self::CrashLeader(_) => "crashLeader",
        }
    }

    pub(super) fn args(&self) -> Value {
        let (mut args, lasts) = match self {
            Self::Begin(what, lasts) => (about(what), *lasts),
            Self::Partition { nodes, cut, lasts } => {
                let mut args = nodes.args();
                args["cut"] = cut.as_str().into();
                (args, *lasts)
            }
            Self::Restore(_) => (json!({}), None),
            Self::Heal(nodes) => (nodes.args(), None),
            Self::CrashLeader(leader) => (json!({"process": leader.as_str()}), None),
        };
        if let Some(lasts) = lasts {
            args["for"] = lasts.to_string().into();
        }
        args
    }

    pub(super) fn perform(&self, sim: &mut Simulation) -> Result<(), SimError> {
        match self {
            Self::Begin(what, lasts) => drop(sim.disturb(what.clone(), *lasts)?),
            Self::Restore(place) => sim.restore(place)?,
            Self::Partition { nodes, cut, lasts } => {
                for node in nodes.find(sim)? {
                    sim.disturb(Disturbance::Partition { node, cut: *cut }, *lasts)?;
                }
            }
            Self::Heal(nodes) => nodes.find(sim)?.into_iter().try_for_each(|node| sim.restore(&Place::Node(node)))?,
            Self::CrashLeader(leader) => sim.crash_leader(*leader)?,
        }
        Ok(())
    }
}

/// What a disturbance is about, for the event log.
fn about(what: &Disturbance) -> Value {
    match what {
        Disturbance::ApiServerDown | Disturbance::ControllerManagerDown | Disturbance::SchedulerDown => json!({}),
        Disturbance::Partition { node, cut } => json!({"node": node, "cut": cut.as_str()}),
        Disturbance::SlowWatch { watcher, delay } => {
            json!({"process": watcher.to_string(), "delay": delay.map(|delay| delay.to_string())})
        }
        Disturbance::SlowWrites(write) => json!({"write": write}),
        Disturbance::Conflicts(storm) => {
            let kinds: Vec<&str> = storm.kinds.iter().map(|kind| kind.as_str()).collect();
            json!({"kinds": kinds, "namespace": storm.namespace, "percent": storm.percent})
        }
    }
}

type Reading = Result<Verb, Fault>;

/// Something that lasts for a while, or until another step ends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDown {
    r#for: Option<SimDuration>,
}

impl RawDown {
    pub(super) fn verb(self, what: Disturbance) -> Reading {
        Ok(begin(what, lasting(self.r#for)?))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUp {}

impl RawUp {
    pub(super) const fn verb(place: Place) -> Verb {
        Verb::Disturb(Disturb::Restore(place))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPartition {
    node: Option<String>,
    zone: Option<String>,
    cut: Option<String>,
    r#for: Option<SimDuration>,
}

impl RawPartition {
    pub(super) fn verb(self) -> Reading {
        let cut = read_cut(self.cut.as_deref())?;
        Ok(Verb::Disturb(Disturb::Partition { nodes: nodes(self.node, self.zone)?, cut, lasts: lasting(self.r#for)? }))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHeal {
    node: Option<String>,
    zone: Option<String>,
}

impl RawHeal {
    pub(super) fn verb(self) -> Reading {
        Ok(Verb::Disturb(Disturb::Heal(nodes(self.node, self.zone)?)))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCrashLeader {
    process: String,
}

impl RawCrashLeader {
    pub(super) fn verb(self) -> Reading {
        let known = [Leader::ControllerManager, Leader::Scheduler];
        let found = known.into_iter().find(|leader| leader.as_str() == self.process);
        let leader = found.ok_or_else(|| {
            Fault::new("process", format!("{:?} has no leader", self.process))
                .help("one of kube-controller-manager, kube-scheduler")
        })?;
        Ok(Verb::Disturb(Disturb::CrashLeader(leader)))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSlowWatch {
    process: Option<String>,
    node: Option<String>,
    delay: Option<SimDuration>,
    r#for: Option<SimDuration>,
}

impl RawSlowWatch {
    pub(super) fn verb(self) -> Reading {
        let watcher = read_watcher(self.process.as_deref(), self.node)?;
        Ok(begin(Disturbance::SlowWatch { watcher, delay: self.delay }, Some(required(self.r#for)?)))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlowWrites {
    write: Sampler,
    r#for: Option<SimDuration>,
}

impl RawSlowWrites {
    pub(super) fn verb(self) -> Reading {
        Ok(begin(Disturbance::SlowWrites(self.write), Some(required(self.r#for)?)))
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConflicts {
    kinds: Vec<String>,
    namespace: Option<String>,
    percent: Option<u8>,
    r#for: Option<SimDuration>,
}

impl RawConflicts {
    pub(super) fn verb(self) -> Reading {
        let storm = read_storm(&self.kinds, self.namespace, self.percent)?;
        Ok(begin(Disturbance::Conflicts(storm), Some(required(self.r#for)?)))
    }
}

const fn begin(what: Disturbance, lasts: Option<SimDuration>) -> Verb {
    Verb::Disturb(Disturb::Begin(what, lasts))
}

fn lasting(given: Option<SimDuration>) -> Result<Option<SimDuration>, Fault> {
    match given {
        Some(lasts) if lasts.is_zero() => Err(Fault::new("for", "must be greater than 0")),
        given => Ok(given),
    }
}

fn required(given: Option<SimDuration>) -> Result<SimDuration, Fault> {
    lasting(given)?.ok_or_else(|| Fault::new("", "for is missing").help("`for: 1m` is how long it lasts"))
}

fn nodes(node: Option<String>, zone: Option<String>) -> Result<Nodes, Fault> {
    match (node, zone) {
        (Some(node), None) => Ok(Nodes::One(node)),
        (None, Some(zone)) => Ok(Nodes::Zone(zone)),
        (Some(_), Some(_)) => Err(Fault::new("zone", "`node` and `zone` are both given; write one of them")),
        (None, None) => Err(Fault::new("", "it does not say which nodes").help("write `node` or `zone`")),
    }
}

/// Which way is cut; both, if nothing is said.
pub(in crate::scenario) fn read_cut(text: Option<&str>) -> Result<Cut, Fault> {
    let Some(text) = text else { return Ok(Cut::default()) };
    let known = [Cut::Both, Cut::Writes, Cut::Watches].into_iter().find(|cut| cut.as_str() == text);
    known.ok_or_else(|| Fault::new("cut", format!("there is no way {text:?}")).help("one of both, writes, watches"))
}

/// Who watches: a process, or the kubelet of a node.
pub(in crate::scenario) fn read_watcher(process: Option<&str>, node: Option<String>) -> Result<Watcher, Fault> {
    const KNOWN: &str = "`process: kube-controller-manager`, `process: kube-scheduler`, `process: kubelets`, `process: kube-proxy`, or a `node`";
    match (process, node) {
        (Some("kube-controller-manager"), None) => Ok(Watcher::ControllerManager),
        (Some("kube-scheduler"), None) => Ok(Watcher::Scheduler),
        (Some("kubelets"), None) => Ok(Watcher::Kubelets),
        (Some("kube-proxy"), None) => Ok(Watcher::Proxies),
        (Some("kube-proxy"), Some(node)) => Ok(Watcher::Proxy(node.into())),
        (None, Some(node)) => Ok(Watcher::Kubelet(node.into())),
        (Some(_), Some(_)) => Err(Fault::new("node", "`process` and `node` are both given; write one of them")),
        (Some(other), None) => Err(Fault::new("process", format!("{other:?} does not watch")).help(KNOWN)),
        (None, None) => Err(Fault::new("", "it does not say who watches").help(KNOWN)),
    }
}

/// Which updates are refused.
pub(in crate::scenario) fn read_storm(
    kinds: &[String],
    namespace: Option<String>,
    percent: Option<u8>,
) -> Result<ConflictStorm, Fault> {
    let mut known = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let unknown = || Fault::new(format!("kinds[{at}]"), format!("the kind {kind:?} is not simulated"));
        known.push(Kind::parse(kind).ok_or_else(unknown)?);
    }
    let percent = percent.unwrap_or(100);
    if !(1..=100).contains(&percent) {
        return Err(Fault::new("percent", format!("{percent} is not between 1 and 100")));
    }
    Ok(ConflictStorm { kinds: known, namespace, percent })
}
