//! Faults: machines that crash and come back, and pods that somebody kills, at random times.
//!
//! Every injector draws from streams of its own, one for each node or group of nodes: a node or an injector that is added
//! (behind the others) shifts nobody's luck. What a fault does is in the recording as a step `fault`.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::api::{DeleteOptions, Request};
use crate::kernel::{Purpose, Sampler, SimDuration, Stream, Streams};
use crate::objects::{Key, Kind, Labels, PodPhase, Resource, Selector};

use super::error::SimError;
use super::event::{Event, rank};
use super::recorder::StepRecord;
use super::simulation::Simulation;

/// The label of a node that names its zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Purpose of the first injector's draws; the others have the numbers behind it.
const FIRST_PURPOSE: u32 = 0x5fa_0000;

/// Times that are drawn shorter than this count as so long, so that time goes on.
const SHORTEST: SimDuration = SimDuration::from_millis(1);

/// Something that goes wrong again and again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FaultPlan {
    /// Machines crash and come back.
    NodeCrash(NodeCrash),
    /// Pods are deleted.
    PodKiller(PodKiller),
}

/// Machines that crash after a while, as by [`Simulation::node_down`], come back after another, and so on.
///
/// A machine that the user stops while it is down stays down. A machine that is down already when its turn comes is left
/// alone. Times shorter than a millisecond count as a millisecond.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCrash {
    /// How long a node (or group) runs before it crashes, counted from when it joined or came back.
    pub mtbf: Sampler,
    /// How long it is down.
    pub mttr: Sampler,
    /// Which nodes: those that have all of these labels when they join. Empty: all of them.
    pub select: Labels,
    /// Nodes with the same value of this label crash together, as the machines of a zone or a rack do. A node without the
    /// label crashes alone. `None`: each crashes alone.
    pub correlated_by: Option<String>,
}

/// Somebody who deletes a pod now and then, as `kubectl delete pod` does, with the pod's own grace period.
#[derive(Clone, Debug, PartialEq)]
pub struct PodKiller {
    /// From the start to the first time, and from each time to the next. Times shorter than a millisecond count as a
    /// millisecond.
    pub every: Sampler,
    /// Which pods may be chosen, of those that run and are not being deleted; each is equally likely.
    pub selector: Selector,
    /// Their namespace.
    pub namespace: String,
}

impl FaultPlan {
    /// That no time of it is always zero.
    fn validate(&self) -> Result<(), SimError> {
        let times: &[(&str, &Sampler)] = match self {
            Self::NodeCrash(plan) => &[("mtbf", &plan.mtbf), ("mttr", &plan.mttr)],
            Self::PodKiller(plan) => &[("every", &plan.every)],
        };
        match times.iter().find(|(_, time)| time.as_constant().is_some_and(SimDuration::is_zero)) {
            Some((name, _)) => Err(SimError::Cluster(format!("{name} of a fault must be greater than 0"))),
            None => Ok(()),
        }
    }
}

impl From<NodeCrash> for FaultPlan {
    fn from(plan: NodeCrash) -> Self {
        Self::NodeCrash(plan)
    }
}

impl From<PodKiller> for FaultPlan {
    fn from(plan: PodKiller) -> Self {
        Self::PodKiller(plan)
    }
}

/// An injector, and where it stands.
#[derive(Clone)]
pub(super) enum Injector {
    Crashes(Crashes),
    Kills(Box<Kills>),
}

#[derive(Clone)]
pub(super) struct Crashes {
    plan: NodeCrash,
    purpose: Purpose,
    units: Vec<Unit>,
    by_name: FxHashMap<String, u32>,
    /// The unit of each machine.
    unit_of: FxHashMap<u32, u32>,
}

/// Machines that crash together: one, or those of a group.
#[derive(Clone)]
struct Unit {
    luck: Stream,
    /// Machines, in the order in which they joined.
    members: Vec<u32>,
    /// While it is down: the machines that went down with it, and the epoch of each from then.
    down: Option<Vec<(u32, u32)>>,
}

#[derive(Clone)]
pub(super) struct Kills {
    plan: PodKiller,
    /// Two streams, so that the number of pods does not shift the times.
    times: Stream,
    choices: Stream,
}

impl Injector {
    fn new(plan: FaultPlan, number: u32, streams: Streams) -> Self {
        let purpose = Purpose::new(FIRST_PURPOSE.wrapping_add(number));
        match plan {
            FaultPlan::NodeCrash(plan) => Self::Crashes(Crashes {
                plan,
                purpose,
                units: Vec::new(),
                by_name: FxHashMap::default(),
                unit_of: FxHashMap::default(),
            }),
            FaultPlan::PodKiller(plan) => Self::Kills(Box::new(Kills {
                plan,
                times: streams.stream(purpose, "times"),
                choices: streams.stream(purpose, "choices"),
            })),
        }
    }
}

impl Crashes {
    /// The unit that a machine belongs to by its name and labels.
    fn unit_name(&self, name: &str, labels: &Labels) -> String {
        let group = self.plan.correlated_by.as_deref().and_then(|key| labels.get(key));
        // A label's value has no slash, and so no node is taken for a group.
        group.map_or_else(|| format!("node/{name}"), |group| format!("group/{group}"))
    }

    /// Takes a machine in that joined. Returns a new unit, and the time to its first crash.
    fn take_in(&mut self, machine: u32, name: &str, labels: &Labels, streams: Streams) -> Option<(u32, SimDuration)> {
        if let Some(unit) = self.unit_of.remove(&machine) {
            self.units[unit as usize].members.retain(|member| *member != machine);
        }
        if !labels.contains_all(&self.plan.select) {
            return None;
        }
        let name = self.unit_name(name, labels);
        if let Some(&unit) = self.by_name.get(&name) {
            self.units[unit as usize].members.push(machine);
            self.unit_of.insert(machine, unit);
            return None;
        }
        let number = self.units.len() as u32;
        let mut luck = streams.stream(self.purpose, &name);
        let delay = self.plan.mtbf.sample(&mut luck);
        self.units.push(Unit { luck, members: vec![machine], down: None });
        self.by_name.insert(name, number);
        self.unit_of.insert(machine, number);
        Some((number, delay))
    }
}

impl Simulation {
    /// Sets the injectors up, before the first machine joins.
    pub(super) fn plan_faults(&mut self, plans: Vec<FaultPlan>) -> Result<(), SimError> {
        for (number, plan) in (0u32..).zip(plans) {
            plan.validate()?;
            let mut injector = Injector::new(plan, number, self.streams);
            if let Injector::Kills(kills) = &mut injector {
                let delay = kills.plan.every.sample(&mut kills.times);
                self.push_fault(delay, number, 0);
            }
            self.faults.push(injector);
        }
        Ok(())
    }

    fn push_fault(&mut self, delay: SimDuration, injector: u32, unit: u32) {
        self.background += 1;
        self.queue.push(self.now() + delay.max(SHORTEST), rank::USER, Event::Fault { injector, unit });
    }

    /// Lets the injectors take in a machine that joined.
    pub(super) fn expose_to_faults(&mut self, machine: u32, name: &str, labels: &Labels) {
        let streams = self.streams;
        for number in 0..self.faults.len() {
            let Injector::Crashes(crashes) = &mut self.faults[number] else { continue };
            if let Some((unit, delay)) = crashes.take_in(machine, name, labels, streams) {
                self.push_fault(delay, number as u32, unit);
            }
        }
    }

    pub(super) fn fault(&mut self, injector: u32, unit: u32) {
        self.background -= 1;
        let delay = match &mut self.faults[injector as usize] {
            Injector::Crashes(crashes) => {
                let down = crashes.units[unit as usize].down.take();
                match down {
                    None => self.crash(injector, unit),
                    Some(down) => self.repair(injector, unit, &down),
                }
            }
            Injector::Kills(kills) => {
                let delay = kills.plan.every.sample(&mut kills.times);
                self.kill_a_pod(injector);
                delay
            }
        };
        self.push_fault(delay, injector, unit);
    }

    /// Stops the machines of a unit that run. Returns how long they stay down.
    fn crash(&mut self, injector: u32, unit: u32) -> SimDuration {
        let Injector::Crashes(crashes) = &self.faults[injector as usize] else { return SHORTEST };
        let mut down = Vec::new();
        for &machine in &crashes.units[unit as usize].members {
            let process = &mut self.kubelets.nodes[machine as usize];
            if process.kubelet.is_running() {
                process.stop();
                down.push((machine, process.epoch));
            }
        }
        self.record_crash("NodeCrash", down.iter().map(|(machine, _)| *machine));
        let Injector::Crashes(crashes) = &mut self.faults[injector as usize] else { return SHORTEST };
        let unit = &mut crashes.units[unit as usize];
        unit.down = Some(down);
        crashes.plan.mttr.sample(&mut unit.luck)
    }

    /// Starts the machines again that went down with the unit and that nobody touched since. Returns how long it runs.
    fn repair(&mut self, injector: u32, unit: u32, down: &[(u32, u32)]) -> SimDuration {
        let mut back = Vec::new();
        for &(machine, epoch) in down {
            let process = &self.kubelets.nodes[machine as usize];
            if process.epoch == epoch && !process.kubelet.is_running() {
                self.start_machine(machine);
                back.push(machine);
            }
        }
        self.record_crash("NodeRepair", back.into_iter());
        let Injector::Crashes(crashes) = &mut self.faults[injector as usize] else { return SHORTEST };
        crashes.plan.mtbf.sample(&mut crashes.units[unit as usize].luck)
    }

    fn kill_a_pod(&mut self, injector: u32) {
        let Injector::Kills(kills) = &self.faults[injector as usize] else { return };
        let matching = self.view().pods_matching(&kills.plan.namespace, &kills.plan.selector);
        let running = matching.filter(|pod| pod.status.phase == PodPhase::Running && !pod.meta.is_deleting());
        let mut keys: Vec<Key> = running.map(|pod| pod.key()).collect();
        keys.sort_unstable();
        let Injector::Kills(kills) = &mut self.faults[injector as usize] else { return };
        let Some(key) = kills.choices.pick(&keys).cloned() else { return };
        let args = json!({"kind": "PodKiller", "namespace": key.namespace, "pod": key.name});
        let options = DeleteOptions::default();
        let result = match self.execute(&Request::Delete { kind: Kind::Pod, key, options }) {
            Ok(_) => json!(200),
            Err(error) => json!({"code": error.code(), "message": error.message}),
        };
        self.record_step(StepRecord { name: "fault".into(), args, result });
    }

    fn record_crash(&mut self, kind: &str, machines: impl Iterator<Item = u32>) {
        let name = |machine: u32| Value::from(&**self.kubelets.nodes[machine as usize].kubelet.node_name());
        let nodes: Vec<Value> = machines.map(name).collect();
        if !nodes.is_empty() {
            let args = json!({"kind": kind, "nodes": nodes});
            self.record_step(StepRecord { name: "fault".into(), args, result: json!(200) });
        }
    }

    /// Stops all machines of a zone: those whose Node has the label [`ZONE_LABEL`] with that value. Returns their names, in
    /// order.
    ///
    /// # Errors
    /// If no node is in that zone.
    pub fn zone_down(&mut self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.nodes_in(zone)?;
        nodes.iter().try_for_each(|node| self.node_down(node))?;
        Ok(nodes)
    }

    /// Starts all machines of a zone that were stopped. Returns the names of all that are in it, in order.
    ///
    /// # Errors
    /// If no node is in that zone.
    pub fn zone_up(&mut self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.nodes_in(zone)?;
        nodes.iter().try_for_each(|node| self.node_up(node))?;
        Ok(nodes)
    }

    fn nodes_in(&self, zone: &str) -> Result<Vec<Arc<str>>, SimError> {
        let nodes = self.view().nodes.iter().filter(|node| node.meta.labels.get(ZONE_LABEL) == Some(zone));
        let mut names: Vec<Arc<str>> = nodes.map(|node| node.key().name).collect();
        // A Node may have been made by a manifest, without a machine.
        names.retain(|name| self.kubelets.by_name.contains_key(name));
        names.sort_unstable();
        if names.is_empty() {
            return Err(SimError::Cluster(format!("there is no node with the label {ZONE_LABEL}={zone}")));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests;
