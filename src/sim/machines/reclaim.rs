//! Spot machines: their cloud wants them back, and says so shortly before.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controllers::cloud_node_lifecycle::SHUTDOWN_TAINT;
use crate::kernel::SimDuration;
use crate::objects::{Key, Labels, Node};
use crate::sim::builder::NodeTemplate;
use crate::sim::drain::DrainOptions;
use crate::sim::error::SimError;
use crate::sim::recorder::StepRecord;
use crate::sim::simulation::Simulation;

use super::MachineEvent;

/// How a cloud takes a machine back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaim {
    /// From the notice to the end of the machine: two minutes at AWS, half a minute at others.
    pub notice: SimDuration,
    /// What is done when the notice comes.
    pub on_notice: OnNotice,
    /// A machine of the same kind joins so long after the end; `None`: none does.
    pub replacement: Option<SimDuration>,
}

/// What is done when a machine is given notice, by a termination handler that runs on it or by its system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnNotice {
    /// Nobody listens.
    #[default]
    None,
    /// No new pods come.
    Cordon,
    /// `kubectl drain`, as termination handlers do; it goes on at most until the machine is gone.
    Drain,
    /// The system shuts down, as by [`Simulation::shutdown`].
    Shutdown,
}

impl Default for Reclaim {
    fn default() -> Self {
        Self { notice: SimDuration::from_mins(2), on_notice: OnNotice::None, replacement: None }
    }
}

impl OnNotice {
    /// As scenarios write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cordon => "cordon",
            Self::Drain => "drain",
            Self::Shutdown => "shutdown",
        }
    }
}

impl Reclaim {
    /// The arguments of the scenario's verb, without the node.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        let mut wire = json!({"notice": self.notice.to_string(), "onNotice": self.on_notice.as_str()});
        if let Some(replacement) = self.replacement {
            wire["replacement"] = json!(replacement.to_string());
        }
        wire
    }
}

impl Simulation {
    /// The cloud of a machine gives notice that it will take it away.
    ///
    /// # Errors
    /// If there is no such machine, it is gone already or has got notice, or what is to be done on notice cannot be done.
    pub fn reclaim(&mut self, node: &str, reclaim: &Reclaim) -> Result<(), SimError> {
        let number = self.existing_machine(node)?;
        if self.kubelets.nodes[number as usize].machine_mut().reclaimed {
            return Err(SimError::Cluster(format!("the machine of node {node} has got notice already")));
        }
        self.give_notice(number, reclaim)
    }

    /// The same for a machine that exists; one that has got notice already is left alone.
    pub(in crate::sim) fn give_notice(&mut self, number: u32, reclaim: &Reclaim) -> Result<(), SimError> {
        let process = &mut self.kubelets.nodes[number as usize];
        if std::mem::replace(&mut process.machine_mut().reclaimed, true) {
            return Ok(());
        }
        let (node, runs) = (process.kubelet.node_name().clone(), process.kubelet.is_running());
        let vanish = MachineEvent::Vanish { node: number, replacement: reclaim.replacement };
        self.push_machine_event(reclaim.notice, vanish);
        match reclaim.on_notice {
            OnNotice::None => {}
            // A handler runs on its machine.
            _ if !runs => {}
            OnNotice::Cordon => drop(self.cordon(&node, true)?),
            OnNotice::Drain => drop(self.drain(&node, handlers_drain(reclaim.notice))?),
            OnNotice::Shutdown if self.kubelets.nodes[number as usize].kubelet.is_shutting_down() => {}
            OnNotice::Shutdown => self.shut_down(number),
        }
        Ok(())
    }

    /// The machine is taken away, unless another one has taken its name.
    pub(super) fn vanish(&mut self, node: u32, replacement: Option<SimDuration>) {
        if !self.kubelets.nodes[node as usize].machine_mut().reclaimed {
            return;
        }
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let template = self.view().nodes.get(&Key::new("", name)).map(|object| self.like(object));
        self.take_away(node);
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let args = json!({"node": name});
        self.record_step(StepRecord { name: "reclaimed".to_owned(), args, result: json!(200) });
        if let (Some(delay), Some(template)) = (replacement, template) {
            self.push_machine_event(delay, MachineEvent::Join(Box::new(template)));
        }
    }

    /// A machine as a node's, with a name that is free.
    fn like(&self, node: &Arc<Node>) -> NodeTemplate {
        let own = |key: &str| key == "kubernetes.io/hostname";
        let labels: Labels = node.meta.labels.iter().filter(|(key, _)| !own(key)).collect();
        let mut taints = node.spec.taints.to_vec();
        taints.retain(|taint| !taint.key.starts_with("node.kubernetes.io/") && *taint.key != *SHUTDOWN_TAINT);
        let mut template = NodeTemplate::new(String::new());
        template.capacity = node.status.capacity.clone();
        (template.labels, template.taints) = (labels, taints);
        let number = self.kubelets.by_name.get(&node.meta.name);
        let machine = number.and_then(|number| self.kubelets.nodes[*number as usize].machine.as_ref());
        if let Some(number) = number {
            let kubelet = &self.kubelets.nodes[*number as usize].kubelet;
            (template.kubelet, template.processes) = (kubelet.config().clone(), kubelet.machine().processes);
        }
        template.status_delay = machine.and_then(|machine| machine.status_delay.clone());
        let (base, last) = generation(&node.meta.name);
        let names = (last + 1..).map(|number| format!("{base}-r{number}"));
        template.name = names.into_iter().find(|name| self.is_free(name)).unwrap_or_default();
        template
    }

    fn is_free(&self, name: &str) -> bool {
        !self.kubelets.by_name.contains_key(name) && self.view().nodes.get(&Key::new("", name)).is_none()
    }

    pub(super) fn replace_machine(&mut self, template: &NodeTemplate) {
        let mut template = template.clone();
        while !self.is_free(&template.name) {
            let (base, last) = generation(&template.name);
            template.name = format!("{base}-r{}", last + 1);
        }
        let joined = self.join(&template);
        debug_assert!(joined.is_ok(), "a machine like one that was there, under a free name: {joined:?}");
    }
}

/// The name of the first machine in its place, and how many have replaced it.
fn generation(name: &str) -> (&str, u64) {
    let parts = name.rsplit_once("-r").and_then(|(base, number)| Some((base, number.parse::<u32>().ok()?)));
    parts.map_or((name, 0), |(base, number)| (base, u64::from(number)))
}

fn handlers_drain(notice: SimDuration) -> DrainOptions {
    DrainOptions {
        ignore_daemonsets: true,
        delete_emptydir_data: true,
        force: true,
        timeout: notice,
        ..DrainOptions::default()
    }
}
