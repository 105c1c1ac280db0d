//! The cluster autoscaler in the simulation, and the provider that makes its machines.
//!
//! It scans every ten seconds. What it sees then is what the API server has: no watch lags for as long as that.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::Request;
use crate::autoscaler::{Autoscaler, AutoscalerOptions, Group, Next, Plan, Removal};
use crate::kernel::{Purpose, Sampler, SimDuration, Stream};
use crate::objects::Key;

use super::builder::NodeTemplate;
use super::disturbances::Place;
use super::error::SimError;
use super::event::{Event, rank};
use super::kubelets::template_node;
use super::recorder::StepRecord;
use super::simulation::Simulation;

const EXPANDER_LUCK: Purpose = Purpose::new(0x5ea_0020);
const PROVISION_LUCK: Purpose = Purpose::new(0x5ea_0021);
/// Name under which it records Events.
const NAME: &str = "cluster-autoscaler";

/// A node group: machines that are all alike, of which the autoscaler may make more and fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    /// What its machines look like; they are named after it: `NAME-0`, `NAME-1`, ….
    pub template: NodeTemplate,
    /// The fewest machines that scaling in leaves.
    pub min: u32,
    /// The most that it may have.
    pub max: u32,
    /// How many there are at the beginning.
    pub initial: u32,
    /// From the decision to the machine's joining.
    pub provision: Sampler,
    /// For the expander `priority`: the group with the highest is taken.
    pub priority: i32,
}

impl NodeGroup {
    /// A group of that many machines, between these bounds, whose machines take 90 seconds to come.
    #[must_use]
    pub fn new(template: NodeTemplate, min: u32, max: u32) -> Self {
        let provision = Sampler::constant(SimDuration::from_secs(90));
        Self { template, min, max, initial: min, provision, priority: 0 }
    }
}

/// Something that goes on around the autoscaler.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// It looks at the cluster.
    Scan,
    /// A machine that it asked for is there.
    Join { group: usize, node: Arc<str> },
    /// A removal goes on.
    Remove(u32),
}

#[derive(Clone)]
pub(super) struct AutoscalerProcess {
    autoscaler: Autoscaler,
    groups: Vec<Pool>,
    removals: Vec<Option<Removal>>,
}

/// The provider's side of a group.
#[derive(Clone)]
struct Pool {
    group: NodeGroup,
    luck: Stream,
    /// Number of the next machine.
    next: u32,
}

impl Simulation {
    /// Sets the groups up, makes their first machines and starts the scans.
    pub(super) fn start_autoscaler(
        &mut self,
        options: AutoscalerOptions,
        groups: Vec<NodeGroup>,
    ) -> Result<Vec<NodeTemplate>, SimError> {
        let (mut known, mut pools, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        for group in groups {
            let name = group.template.name.clone();
            if group.min > group.max || group.initial > group.max {
                let (min, initial, max) = (group.min, group.initial, group.max);
                let why = format!("node group {name}: min {min} and initial {initial} must not be more than max {max}");
                return Err(SimError::Cluster(why));
            }
            if !names.insert(name.clone()) {
                return Err(SimError::Cluster(format!("two node groups are named {name:?}")));
            }
            let template = Arc::new(template_node(&group.template, self.wall())?);
            known.push(Group::new(name.clone(), group.min, group.max, group.priority, template));
            let luck = self.streams.stream(PROVISION_LUCK, name.as_str());
            pools.push(Pool { group, luck, next: 0 });
        }
        let luck = self.streams.stream(EXPANDER_LUCK, "expander");
        let mut autoscaler = Autoscaler::new(options, known, luck);
        let mut machines = Vec::new();
        for (at, pool) in pools.iter_mut().enumerate() {
            for _ in 0..pool.group.initial {
                let machine = pool.next_machine(|_| false);
                autoscaler.adopt(at, machine.name.as_str().into());
                machines.push(machine);
            }
        }
        self.push_task(autoscaler.options().scan_interval, Task::Scan);
        self.autoscaler = Some(Box::new(AutoscalerProcess { autoscaler, groups: pools, removals: Vec::new() }));
        Ok(machines)
    }

    /// The cluster autoscaler, if there are node groups.
    #[must_use]
    pub fn autoscaler(&self) -> Option<&Autoscaler> {
        self.autoscaler.as_ref().map(|process| &process.autoscaler)
    }

    /// Scans alone do not keep a cluster busy; that a machine counts its time to go is known without them.
    fn push_task(&mut self, delay: SimDuration, task: Task) {
        let is_scan = matches!(task, Task::Scan);
        self.background += usize::from(is_scan);
        let rank = if is_scan { rank::BACKGROUND } else { rank::USER };
        self.queue.push(self.now() + delay, rank, Event::Autoscaler(task));
    }

    pub(super) fn autoscale(&mut self, task: Task) {
        let Some(mut process) = self.autoscaler.take() else { return };
        match task {
            Task::Scan => {
                self.background -= 1;
                self.scan(&mut process);
                self.push_task(process.autoscaler.options().scan_interval, Task::Scan);
            }
            Task::Join { group, node } => {
                if process.autoscaler.expects(group, &node) {
                    let template =
                        NodeTemplate { name: node.to_string(), ..process.groups[group].group.template.clone() };
                    let joined = self.join(&template);
                    self.tell_of_machines(json!({"joined": node}), joined.err().map(|error| error.to_string()));
                }
            }
            Task::Remove(number) => self.go_on_removing(&mut process, number),
        }
        self.autoscaler = Some(process);
    }

    fn scan(&mut self, process: &mut AutoscalerProcess) {
        let now = self.wall();
        if self.is_disturbed(&Place::ApiServer) {
            return;
        }
        let plan = process.autoscaler.scan(self.scheduler_plugins(), self.view(), now);
        let Plan { requests, grow, remove } = plan;
        self.execute_for_autoscaler(&requests);
        if let Some((at, machines)) = grow {
            self.grow(process, at, machines);
        }
        for removal in remove {
            self.tell_of_machines(json!({"scaleDown": removal.node()}), None);
            let number = u32::try_from(process.removals.len()).unwrap_or(u32::MAX);
            process.removals.push(Some(removal));
            self.go_on_removing(process, number);
        }
    }

    fn grow(&mut self, process: &mut AutoscalerProcess, at: usize, machines: u32) {
        let group = &process.autoscaler.groups()[at];
        let (name, from) = (group.name().to_owned(), group.size());
        self.tell_of_machines(json!({"scaleUp": format!("{name} {from}->{}", from + machines)}), None);
        for _ in 0..machines {
            let by_name = &self.kubelets.by_name;
            let view = self.server.view();
            let pool = &mut process.groups[at];
            let taken = |name: &str| by_name.contains_key(name) || view.nodes.get(&Key::new("", name)).is_some();
            let machine = pool.next_machine(taken);
            let delay = pool.group.provision.sample(&mut pool.luck);
            let node: Arc<str> = machine.name.as_str().into();
            process.autoscaler.asked_for(at, node.clone(), self.wall());
            self.push_task(delay, Task::Join { group: at, node });
        }
    }

    fn go_on_removing(&mut self, process: &mut AutoscalerProcess, number: u32) {
        let Some(mut removal) = process.removals.get_mut(number as usize).and_then(Option::take) else { return };
        loop {
            let now = self.wall();
            match removal.next(self.view(), now) {
                Next::Wait(time) => {
                    process.removals[number as usize] = Some(removal);
                    self.push_task(time, Task::Remove(number));
                    return;
                }
                Next::Evict(requests) => self.evict_for_autoscaler(&mut removal, &requests),
                Next::Done => {
                    let error = self.delete_node(removal.node()).err();
                    process.autoscaler.removed(removal.node(), now, false);
                    self.tell_of_machines(json!({"removed": removal.node()}), error.map(|error| error.to_string()));
                    return;
                }
                Next::Failed(requests) => {
                    self.execute_for_autoscaler(&requests);
                    process.autoscaler.removed(removal.node(), now, true);
                    self.tell_of_machines(
                        json!({"scaleDown": removal.node()}),
                        Some("failed to drain the node".to_owned()),
                    );
                    return;
                }
            }
        }
    }

    fn evict_for_autoscaler(&mut self, removal: &mut Removal, requests: &[Request]) {
        for request in requests {
            let answer = self.execute(request);
            if let Request::Evict { pod, .. } = request {
                let error = answer.as_ref().err();
                removal.answered(pod, error);
                let args = json!({"node": removal.node(), "pod": pod.to_string()});
                let result = json!([super::eviction_answer(pod, error)]);
                self.record_step(StepRecord { name: "evict".to_owned(), args, result });
            }
        }
    }

    fn execute_for_autoscaler(&mut self, requests: &[Request]) {
        for request in requests {
            match request {
                Request::Event(spec) => self.record_event(NAME, 0, "", spec),
                // A node that is gone needs no taint.
                request => drop(self.execute(request)),
            }
        }
    }

    fn tell_of_machines(&mut self, args: Value, error: Option<String>) {
        let result = error.map_or(json!(200), |message| json!({"message": message}));
        self.record_step(StepRecord { name: "autoscaler".into(), args, result });
    }

    /// Whether the autoscaler is about to do something, although nothing is under way.
    pub(super) fn autoscaler_waits(&self) -> bool {
        self.autoscaler.as_ref().is_some_and(|process| process.autoscaler.is_waiting())
    }
}

impl Pool {
    /// The next machine, with a name that is free.
    fn next_machine(&mut self, taken: impl Fn(&str) -> bool) -> NodeTemplate {
        loop {
            let name = format!("{}-{}", self.group.template.name, self.next);
            self.next = self.next.saturating_add(1);
            if !taken(&name) || self.next == u32::MAX {
                return NodeTemplate { name, ..self.group.template.clone() };
            }
        }
    }
}
