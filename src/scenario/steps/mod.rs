//! The verbs of a scenario's steps, and how they are carried out.

mod choice;
mod disturb;
mod machines;
mod pressure;
mod raw;

use serde_json::{Map, Value, json};

use crate::api::{ApiError, DeleteOptions, PatchType};
use crate::objects::Object;
use crate::objects::reader::Document;
use crate::sim::{
    Applied, Changes, Debug, DrainOptions, NodeTemplate, SimError, Simulation, StepRecord, Target, eviction_answer,
};

use super::schema::Manifest;

pub use choice::{Choice, Evictees};
pub use disturb::{Disturb, Nodes};
pub(super) use disturb::{read_cut, read_storm, read_watcher};
pub use machines::MachineVerb;
pub(super) use machines::{RawOnNotice, percent};
pub use pressure::Press;
pub(super) use raw::RawStep;

/// What the user does in one step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verb {
    /// `kubectl apply -f`.
    Apply {
        /// Manifests.
        manifests: Vec<Manifest>,
    },
    /// `kubectl set image`.
    SetImage {
        /// Object.
        target: Target,
        /// Container, `*` = all.
        container: String,
        /// New image.
        image: String,
    },
    /// `kubectl scale`.
    Scale {
        /// Object.
        target: Target,
        /// How many.
        replicas: i32,
    },
    /// `kubectl patch`.
    Patch {
        /// Object.
        target: Target,
        /// Rules of the document.
        patch_type: PatchType,
        /// The document.
        patch: Value,
    },
    /// `kubectl delete`.
    Delete {
        /// Which.
        choice: Choice,
        /// How.
        options: DeleteOptions,
    },
    /// `kubectl label --overwrite`.
    Label {
        /// Which.
        choice: Choice,
        /// Labels to set or remove.
        labels: Changes,
    },
    /// `kubectl annotate --overwrite`.
    Annotate {
        /// Which.
        choice: Choice,
        /// Annotations to set or remove.
        annotations: Changes,
    },
    /// `kubectl cordon` and `kubectl uncordon`.
    Cordon {
        /// Node.
        node: String,
        /// Whether new pods are kept away.
        on: bool,
    },
    /// Replaces a node's taints.
    Taint {
        /// Node.
        node: String,
        /// The list.
        taints: Value,
    },
    /// `kubectl rollout undo`.
    RolloutUndo {
        /// Deployment.
        target: Target,
        /// Revision; absent = the one before.
        to_revision: Option<i64>,
    },
    /// `kubectl rollout pause`.
    RolloutPause(Target),
    /// `kubectl rollout resume`.
    RolloutResume(Target),
    /// `kubectl rollout restart`.
    RolloutRestart(Target),
    /// Evictions, one request a pod.
    Evict {
        /// Which pods.
        pods: Evictees,
        /// Grace.
        options: DeleteOptions,
    },
    /// `kubectl drain`.
    Drain {
        /// Node.
        node: String,
        /// Flags.
        options: DrainOptions,
    },
    /// `kubectl create job --from`.
    CreateJob {
        /// Name of the Job.
        name: String,
        /// CronJob.
        from: Target,
    },
    /// Machines join.
    AddNode(Vec<NodeTemplate>),
    /// A machine stops and its Node object is deleted.
    DeleteNode(String),
    /// A machine stops.
    NodeDown(String),
    /// A machine comes back.
    NodeUp(String),
    /// All machines of a zone stop.
    ZoneDown(String),
    /// All machines of a zone come back.
    ZoneUp(String),
    /// Something becomes of a machine.
    Machine {
        /// Node.
        node: String,
        /// What.
        verb: MachineVerb,
    },
    /// Something happens to the control plane, or on the ways to and from it.
    Disturb(Disturb),
    /// Something outside the pods uses a machine.
    Press(Press),
    /// Faults at random times end, and what they struck is mended.
    EndFaults,
    /// `kubectl debug`: an ephemeral container is added.
    Debug {
        /// Which pod.
        choice: Choice,
        /// The container.
        debug: Debug,
    },
}

impl Verb {
    /// Name of the verb as the file has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::SetImage { .. } => "setImage",
            Self::Scale { .. } => "scale",
            Self::Patch { .. } => "patch",
            Self::Delete { .. } => "delete",
            Self::Label { .. } => "label",
            Self::Annotate { .. } => "annotate",
            Self::Cordon { on: true, .. } => "cordon",
            Self::Cordon { on: false, .. } => "uncordon",
            Self::Taint { .. } => "taint",
            Self::RolloutUndo { .. } => "rolloutUndo",
            Self::RolloutPause(_) => "rolloutPause",
            Self::RolloutResume(_) => "rolloutResume",
            Self::RolloutRestart(_) => "rolloutRestart",
            Self::Evict { .. } => "evict",
            Self::Drain { .. } => "drain",
            Self::CreateJob { .. } => "createJob",
            Self::AddNode(_) => "addNode",
            Self::DeleteNode(_) => "deleteNode",
            Self::NodeDown(_) => "nodeDown",
            Self::NodeUp(_) => "nodeUp",
            Self::ZoneDown(_) => "zoneDown",
            Self::ZoneUp(_) => "zoneUp",
            Self::Machine { verb, .. } => verb.name(),
            Self::Disturb(disturb) => disturb.name(),
            Self::Press(press) => press.name(),
            Self::EndFaults => "endFaults",
            Self::Debug { .. } => "debug",
        }
    }

    /// Whether it is something that befalls a cluster, or the end of that, and nothing that its users do.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        match self {
            Self::NodeDown(_)
            | Self::NodeUp(_)
            | Self::ZoneDown(_)
            | Self::ZoneUp(_)
            | Self::Machine { .. }
            | Self::Disturb(_)
            | Self::Press(_)
            | Self::EndFaults => true,
            Self::Apply { .. }
            | Self::SetImage { .. }
            | Self::Scale { .. }
            | Self::Patch { .. }
            | Self::Delete { .. }
            | Self::Label { .. }
            | Self::Annotate { .. }
            | Self::Cordon { .. }
            | Self::Taint { .. }
            | Self::RolloutUndo { .. }
            | Self::RolloutPause(_)
            | Self::RolloutResume(_)
            | Self::RolloutRestart(_)
            | Self::Evict { .. }
            | Self::Drain { .. }
            | Self::CreateJob { .. }
            | Self::AddNode(_)
            | Self::DeleteNode(_)
            | Self::Debug { .. } => false,
        }
    }

    /// The manifests that it applies.
    #[must_use]
    pub fn manifests(&self) -> &[Manifest] {
        match self {
            Self::Apply { manifests } => manifests,
            _ => &[],
        }
    }

    /// The arguments, for the event log.
    #[must_use]
    pub fn args(&self) -> Value {
        match self {
            Self::Apply { .. } | Self::EndFaults => json!({}),
            Self::SetImage { target, container, image } => {
                json!({"target": target.to_string(), "container": container, "image": image})
            }
            Self::Scale { target, replicas } => json!({"target": target.to_string(), "replicas": replicas}),
            Self::Patch { target, patch, .. } => json!({"target": target.to_string(), "patch": patch}),
            Self::Delete { choice, .. } => choice.args(),
            Self::Label { choice, labels } => merged(choice.args(), "labels", labels),
            Self::Annotate { choice, annotations } => merged(choice.args(), "annotations", annotations),
            Self::Cordon { node, .. } | Self::DeleteNode(node) | Self::NodeDown(node) | Self::NodeUp(node) => {
                json!({"node": node})
            }
            Self::Machine { node, verb } => verb.args(node),
            Self::Press(press) => press.args(),
            Self::ZoneDown(zone) | Self::ZoneUp(zone) => json!({"zone": zone}),
            Self::Evict { pods, .. } => pods.args(),
            Self::Drain { node, .. } => json!({"node": node}),
            Self::Taint { node, taints } => json!({"node": node, "taints": taints}),
            Self::RolloutUndo { target, to_revision } => {
                json!({"target": target.to_string(), "toRevision": to_revision})
            }
            Self::RolloutPause(target) | Self::RolloutResume(target) | Self::RolloutRestart(target) => {
                json!({"target": target.to_string()})
            }
            Self::Disturb(disturb) => disturb.args(),
            Self::Debug { choice, debug } => {
                let mut args = choice.args();
                args["image"] = debug.image.as_str().into();
                args
            }
            Self::CreateJob { name, from } => json!({"name": name, "from": from.to_string()}),
            Self::AddNode(nodes) => json!({"nodes": nodes.iter().map(|node| &node.name).collect::<Vec<_>>()}),
        }
    }

    /// Carries it out on a cluster, as a step of a scenario does, and notes it in the recording.
    ///
    /// # Errors
    /// The first refusal.
    pub fn carry_out(&self, sim: &mut Simulation) -> Result<(), SimError> {
        let Performed { answer, error } = self.perform(sim);
        sim.record_step(StepRecord { name: self.name().to_owned(), args: self.args(), result: answer });
        error.map_or(Ok(()), Err)
    }

    /// Carries the step out. What is refused is told; the run goes on.
    pub(super) fn perform(&self, sim: &mut Simulation) -> Performed {
        if let Self::Apply { manifests } = self {
            return apply(sim, manifests);
        }
        if let Self::Evict { pods, options } = self {
            return evict(sim, pods, options);
        }
        let error = self.perform_one(sim).err();
        let answer = match &error {
            None => json!(200),
            Some(SimError::Api(error)) => json!({"code": error.code(), "message": error.message}),
            Some(error) => json!({"message": error.to_string()}),
        };
        Performed { answer, error }
    }

    fn perform_one(&self, sim: &mut Simulation) -> Result<(), SimError> {
        match self {
            Self::Apply { .. } | Self::Evict { .. } => {}
            Self::Drain { node, options } => drop(sim.drain(node, options.clone())?),
            Self::SetImage { target, container, image } => drop(sim.set_image(target, container, image)?),
            Self::Scale { target, replicas } => drop(sim.scale(target, *replicas)?),
            Self::Patch { target, patch_type, patch } => drop(sim.patch(target, *patch_type, patch)?),
            Self::Delete { choice, options } => {
                let target = choice.resolve(sim)?;
                sim.delete(&target, options.clone())?;
            }
            Self::Label { choice, labels } => {
                let target = choice.resolve(sim)?;
                sim.label(&target, labels.clone())?;
            }
            Self::Annotate { choice, annotations } => {
                let target = choice.resolve(sim)?;
                sim.annotate(&target, annotations.clone())?;
            }
            Self::Cordon { node, on } => drop(sim.cordon(node, *on)?),
            Self::Taint { node, taints } => drop(sim.taint(node, taints)?),
            Self::RolloutUndo { target, to_revision } => drop(sim.rollout_undo(target, *to_revision)?),
            Self::RolloutPause(target) => drop(sim.rollout_pause(target)?),
            Self::RolloutResume(target) => drop(sim.rollout_resume(target)?),
            Self::RolloutRestart(target) => drop(sim.rollout_restart(target)?),
            Self::CreateJob { name, from } => drop(sim.create_job_from(from, name)?),
            Self::AddNode(nodes) => nodes.iter().try_for_each(|node| sim.add_node(node))?,
            Self::DeleteNode(node) => sim.delete_node(node)?,
            Self::NodeDown(node) => sim.node_down(node)?,
            Self::NodeUp(node) => sim.node_up(node)?,
            Self::Machine { node, verb } => verb.perform(sim, node)?,
            Self::ZoneDown(zone) => drop(sim.zone_down(zone)?),
            Self::Press(Press { node, resource, eaten, duration }) => sim.press(node, *resource, *eaten, *duration)?,
            Self::ZoneUp(zone) => drop(sim.zone_up(zone)?),
            Self::Disturb(disturb) => disturb.perform(sim)?,
            Self::EndFaults => sim.end_faults(),
            Self::Debug { choice, debug } => {
                let target = choice.resolve(sim)?;
                sim.debug(&target, debug)?;
            }
        }
        Ok(())
    }
}

/// What came of a step.
pub(super) struct Performed {
    /// What the API server answered: a status code, or a list of `[kind/name, code, message]`.
    pub(super) answer: Value,
    /// The first refusal.
    pub(super) error: Option<SimError>,
}

/// Applies manifests as kubectl does: what is refused does not keep the others back.
fn apply(sim: &mut Simulation, manifests: &[Manifest]) -> Performed {
    let (mut answers, mut error) = (Vec::new(), None);
    for Manifest { document, .. } in manifests {
        let applied = sim.apply_document(document);
        answers.push(answer(document, &applied));
        error = error.or(applied.err().map(SimError::Api));
    }
    Performed { answer: Value::Array(answers), error }
}

/// Asks for the eviction of each pod, in the order of names.
fn evict(sim: &mut Simulation, pods: &Evictees, options: &DeleteOptions) -> Performed {
    let (mut answers, mut error) = (Vec::new(), None);
    for pod in pods.find(sim) {
        let refusal = sim.evict(&pod, options.clone()).err();
        answers.push(eviction_answer(&pod, refusal.as_ref()));
        error = error.or(refusal.map(SimError::Api));
    }
    Performed { answer: Value::Array(answers), error }
}

/// One answer to an apply: `[kind/name, code]`, with the message of a refusal.
pub(super) fn answer(document: &Document, applied: &Result<(Object, Applied), ApiError>) -> Value {
    let name = document.name.as_deref().or(document.generate_name.as_deref()).unwrap_or_default();
    let name = format!("{}/{name}", document.kind);
    match applied {
        Ok((_, Applied::Created)) => json!([name, 201]),
        Ok(_) => json!([name, 200]),
        Err(error) => json!([name, error.code(), error.message]),
    }
}

fn merged(mut args: Value, key: &str, changes: &Changes) -> Value {
    let map: Map<String, Value> = changes
        .iter()
        .map(|(key, value)| (key.to_string(), value.as_deref().map_or(Value::Null, Value::from)))
        .collect();
    args[key] = Value::Object(map);
    args
}
