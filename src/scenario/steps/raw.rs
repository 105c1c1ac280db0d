//! Steps as the file has them, and the checks that make verbs of them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::{DeleteOptions, PatchType, Propagation};
use crate::kernel::SimDuration;
use crate::kubelet::MachineResource;
use crate::objects::validation::validate_create;
use crate::objects::{Kind, SelectorError};
use crate::scenario::error::Fault;
use crate::scenario::schema::RawNode;
use crate::sim::{Changes, Debug, Disturbance, DrainOptions, Place, Target};

use super::choice::parse_target;
use super::disturb::{
    RawConflicts, RawCrashLeader, RawDown, RawHeal, RawPartition, RawSlowWatch, RawSlowWrites, RawUp,
};
use super::machines::{MachineVerb, RawPanic, RawReclaim, RawSlowNode};
use super::pressure::RawPress;
use super::{Choice, Evictees, Verb};

/// A step as the file has it: a trigger and one verb.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::scenario) struct RawStep {
    pub(in crate::scenario) at: Option<SimDuration>,
    pub(in crate::scenario) when: Option<String>,
    apply: Option<RawApply>,
    set_image: Option<RawSetImage>,
    scale: Option<RawScale>,
    patch: Option<RawPatch>,
    delete: Option<RawDelete>,
    label: Option<RawLabel>,
    annotate: Option<RawAnnotate>,
    cordon: Option<RawNodeName>,
    uncordon: Option<RawNodeName>,
    taint: Option<RawTaint>,
    rollout_undo: Option<RawUndo>,
    rollout_pause: Option<RawTarget>,
    rollout_resume: Option<RawTarget>,
    rollout_restart: Option<RawTarget>,
    add_node: Option<RawNode>,
    delete_node: Option<RawNodeName>,
    node_down: Option<RawNodeName>,
    node_up: Option<RawNodeName>,
    kernel_panic: Option<RawPanic>,
    shutdown: Option<RawNodeName>,
    delete_machine: Option<RawNodeName>,
    reclaim: Option<RawReclaim>,
    slow_node: Option<RawSlowNode>,
    zone_down: Option<RawZone>,
    zone_up: Option<RawZone>,
    memory_pressure: Option<RawPress>,
    disk_pressure: Option<RawPress>,
    pid_pressure: Option<RawPress>,
    debug: Option<RawDebug>,
    create_job: Option<RawCreateJob>,
    evict: Option<RawEvict>,
    drain: Option<RawDrain>,
    partition: Option<RawPartition>,
    heal: Option<RawHeal>,
    api_server_down: Option<RawDown>,
    api_server_up: Option<RawUp>,
    controller_manager_down: Option<RawDown>,
    controller_manager_up: Option<RawUp>,
    scheduler_down: Option<RawDown>,
    scheduler_up: Option<RawUp>,
    crash_leader: Option<RawCrashLeader>,
    slow_watch: Option<RawSlowWatch>,
    slow_writes: Option<RawSlowWrites>,
    conflicts: Option<RawConflicts>,
    end_faults: Option<RawUp>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApply {
    objects: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSetImage {
    target: String,
    #[serde(default = "every_container")]
    container: String,
    image: String,
}

fn every_container() -> String {
    "*".to_owned()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCreateJob {
    name: String,
    from: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScale {
    target: String,
    replicas: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPatch {
    target: String,
    #[serde(default, rename = "type")]
    patch_type: RawPatchType,
    patch: Value,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawPatchType {
    #[default]
    Strategic,
    Merge,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    target: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawUndo {
    target: String,
    to_revision: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNodeName {
    node: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawZone {
    zone: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTaint {
    node: String,
    taints: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawEvict {
    target: Option<String>,
    selector: Option<String>,
    node: Option<String>,
    namespace: Option<String>,
    grace_period: Option<SimDuration>,
}

/// The flags that people nearly always give stand as if given.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawDrain {
    node: String,
    #[serde(default = "yes")]
    ignore_daemonsets: bool,
    #[serde(default = "yes")]
    delete_emptydir_data: bool,
    #[serde(default = "yes")]
    force: bool,
    #[serde(default)]
    disable_eviction: bool,
    grace_period: Option<SimDuration>,
    #[serde(default)]
    timeout: SimDuration,
}

const fn yes() -> bool {
    true
}

/// Which objects: a target by name, or the n-th of a kind (that match a selector) in the order of creation, then name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawDelete {
    target: Option<String>,
    kind: Option<String>,
    selector: Option<String>,
    nth: Option<usize>,
    namespace: Option<String>,
    cascade: Option<RawCascade>,
    grace_period: Option<SimDuration>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawCascade {
    Background,
    Foreground,
    Orphan,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLabel {
    target: Option<String>,
    kind: Option<String>,
    selector: Option<String>,
    nth: Option<usize>,
    namespace: Option<String>,
    labels: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAnnotate {
    target: Option<String>,
    kind: Option<String>,
    selector: Option<String>,
    nth: Option<usize>,
    namespace: Option<String>,
    annotations: Map<String, Value>,
}

/// `kubectl debug`: the pod, by name or as the n-th that matches, and the container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawDebug {
    target: Option<String>,
    kind: Option<String>,
    selector: Option<String>,
    nth: Option<usize>,
    namespace: Option<String>,
    image: String,
    container: Option<String>,
    target_container: Option<String>,
}

fn changes(field: &str, map: Map<String, Value>) -> Result<Changes, Fault> {
    if map.is_empty() {
        return Err(Fault::new("", format!("{field} is missing")));
    }
    map.into_iter()
        .map(|(key, value)| match value {
            Value::Null => Ok((Arc::from(key), None)),
            Value::String(text) => Ok((Arc::from(key), Some(Arc::from(text)))),
            other => Err(Fault::new(field, format!("{key}: expected a string, or null to remove it, got {other}"))
                .help(format!("put it in quotes: {key}: \"{other}\""))),
        })
        .collect()
}

type Reading = Result<Verb, Fault>;

impl RawStep {
    /// The manifests of an `apply` step.
    pub(in crate::scenario) fn objects(&self) -> Option<String> {
        self.apply.as_ref().map(|apply| apply.objects.clone())
    }

    /// The machines of an `addNode` step.
    pub(in crate::scenario) const fn joining(&self) -> Option<&RawNode> {
        self.add_node.as_ref()
    }

    /// The one verb of the step; the manifests of `apply` are left to the caller.
    pub(in crate::scenario) fn verb(self) -> Reading {
        let mut verbs = self.verbs().into_iter();
        match (verbs.next(), verbs.next()) {
            (Some((name, verb)), None) => verb.map_err(|fault| fault.under(name)),
            (Some((first, _)), Some((second, _))) => {
                Err(Fault::new(second, format!("a step has one verb, this one has {first} and {second}"))
                    .help("write one step for each, with the same time"))
            }
            (None, _) => Err(Fault::new("", "the step has no verb").help(
                "one of apply, setImage, scale, patch, delete, label, annotate, rolloutUndo, rolloutPause, \
                 rolloutResume, rolloutRestart, cordon, uncordon, drain, evict, createJob, taint, addNode, deleteNode, nodeDown, nodeUp, \
                 kernelPanic, shutdown, deleteMachine, reclaim, slowNode, zoneDown, zoneUp, memoryPressure, diskPressure, pidPressure, debug, \
                 partition, heal, apiServerDown, apiServerUp, controllerManagerDown, controllerManagerUp, schedulerDown, \
                 schedulerUp, crashLeader, slowWatch, slowWrites, conflicts, endFaults",
            )),
        }
    }

    /// Every verb that is given, with its name.
    fn verbs(self) -> Vec<(&'static str, Reading)> {
        let target =
            |raw: Option<RawTarget>, verb: fn(Target) -> Verb| raw.map(|raw| parse_target(&raw.target).map(verb));
        let node = |raw: Option<RawNodeName>, verb: fn(String) -> Verb| raw.map(|raw| Ok(verb(raw.node)));
        let down = |raw: Option<RawDown>, what: Disturbance| raw.map(|raw| raw.verb(what));
        let up = |raw: Option<RawUp>, place: Place| raw.map(|_| Ok(RawUp::verb(place)));
        let zone = |raw: Option<RawZone>, verb: fn(String) -> Verb| raw.map(|raw| Ok(verb(raw.zone)));
        let machine =
            |raw: Option<RawNodeName>, verb: MachineVerb| raw.map(|raw| Ok(Verb::Machine { node: raw.node, verb }));
        let press = |raw: Option<RawPress>, resource| raw.map(|raw| raw.verb(resource));
        let verbs = [
            ("apply", self.apply.map(|_| Ok(Verb::Apply { manifests: Vec::new() }))),
            ("setImage", self.set_image.map(RawSetImage::verb)),
            ("scale", self.scale.map(RawScale::verb)),
            ("patch", self.patch.map(RawPatch::verb)),
            ("delete", self.delete.map(RawDelete::verb)),
            ("label", self.label.map(RawLabel::verb)),
            ("annotate", self.annotate.map(RawAnnotate::verb)),
            ("cordon", node(self.cordon, |node| Verb::Cordon { node, on: true })),
            ("uncordon", node(self.uncordon, |node| Verb::Cordon { node, on: false })),
            ("taint", self.taint.map(RawTaint::verb)),
            ("rolloutUndo", self.rollout_undo.map(RawUndo::verb)),
            ("rolloutPause", target(self.rollout_pause, Verb::RolloutPause)),
            ("rolloutResume", target(self.rollout_resume, Verb::RolloutResume)),
            ("rolloutRestart", target(self.rollout_restart, Verb::RolloutRestart)),
            ("createJob", self.create_job.map(RawCreateJob::verb)),
            ("evict", self.evict.map(RawEvict::verb)),
            ("drain", self.drain.map(RawDrain::verb)),
            ("addNode", self.add_node.map(|raw| raw.expand().map(Verb::AddNode))),
            ("deleteNode", node(self.delete_node, Verb::DeleteNode)),
            ("nodeDown", node(self.node_down, Verb::NodeDown)),
            ("nodeUp", node(self.node_up, Verb::NodeUp)),
            ("kernelPanic", self.kernel_panic.map(RawPanic::verb)),
            ("shutdown", machine(self.shutdown, MachineVerb::Shutdown)),
            ("deleteMachine", machine(self.delete_machine, MachineVerb::DeleteMachine)),
            ("reclaim", self.reclaim.map(RawReclaim::verb)),
            ("slowNode", self.slow_node.map(RawSlowNode::verb)),
            ("zoneDown", zone(self.zone_down, Verb::ZoneDown)),
            ("zoneUp", zone(self.zone_up, Verb::ZoneUp)),
            ("memoryPressure", press(self.memory_pressure, MachineResource::Memory)),
            ("diskPressure", press(self.disk_pressure, MachineResource::Disk)),
            ("pidPressure", press(self.pid_pressure, MachineResource::Processes)),
            ("debug", self.debug.map(RawDebug::verb)),
            ("partition", self.partition.map(RawPartition::verb)),
            ("heal", self.heal.map(RawHeal::verb)),
            ("apiServerDown", down(self.api_server_down, Disturbance::ApiServerDown)),
            ("apiServerUp", up(self.api_server_up, Place::ApiServer)),
            ("controllerManagerDown", down(self.controller_manager_down, Disturbance::ControllerManagerDown)),
            ("controllerManagerUp", up(self.controller_manager_up, Place::ControllerManager)),
            ("schedulerDown", down(self.scheduler_down, Disturbance::SchedulerDown)),
            ("schedulerUp", up(self.scheduler_up, Place::Scheduler)),
            ("crashLeader", self.crash_leader.map(RawCrashLeader::verb)),
            ("slowWatch", self.slow_watch.map(RawSlowWatch::verb)),
            ("slowWrites", self.slow_writes.map(RawSlowWrites::verb)),
            ("conflicts", self.conflicts.map(RawConflicts::verb)),
            ("endFaults", self.end_faults.map(|_| Ok(Verb::EndFaults))),
        ];
        verbs.into_iter().filter_map(|(name, verb)| Some((name, verb?))).collect()
    }
}

impl RawCreateJob {
    fn verb(self) -> Reading {
        let from = parse_target(&self.from).map_err(|fault| Fault { path: "from".to_owned(), ..fault })?;
        if from.kind != Kind::CronJob {
            let message = format!("a {} has no template of Jobs, only a CronJob has one", from.kind);
            return Err(Fault::new("from", message));
        }
        Ok(Verb::CreateJob { name: self.name, from })
    }
}

impl RawEvict {
    fn verb(self) -> Reading {
        let grace = self.grace_period.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        let options = DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() };
        let namespace = self.namespace.unwrap_or_else(|| "default".to_owned());
        let pods = match (self.target, self.selector, self.node) {
            (Some(target), None, None) => {
                let target = parse_target(&target)?;
                if target.kind != Kind::Pod {
                    return Err(Fault::new("target", format!("a {} cannot be evicted, only pods can", target.kind)));
                }
                Evictees::Pod(target.key)
            }
            (Some(_), ..) => {
                return Err(Fault::new("target", "`target` names one pod; `selector` and `node` choose several"));
            }
            (None, None, None) => {
                return Err(Fault::new("", "it does not say which pods").help("write `target`, `selector` or `node`"));
            }
            (None, selector, node) => {
                let text = selector.unwrap_or_default();
                let selector =
                    text.parse().map_err(|error: SelectorError| Fault::new("selector", error.to_string()))?;
                Evictees::Matching { namespace, selector, node }
            }
        };
        Ok(Verb::Evict { pods, options })
    }
}

impl RawDrain {
    fn verb(self) -> Reading {
        let grace = self.grace_period.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        let options = DrainOptions {
            ignore_daemonsets: self.ignore_daemonsets,
            delete_emptydir_data: self.delete_emptydir_data,
            force: self.force,
            disable_eviction: self.disable_eviction,
            grace_period_seconds: grace,
            timeout: self.timeout,
        };
        Ok(Verb::Drain { node: self.node, options })
    }
}

impl RawSetImage {
    fn verb(self) -> Reading {
        if self.image.trim().is_empty() {
            return Err(Fault::new("image", "the image is empty"));
        }
        Ok(Verb::SetImage { target: parse_target(&self.target)?, container: self.container, image: self.image })
    }
}

impl RawScale {
    fn verb(self) -> Reading {
        let replicas = self.replicas;
        if replicas < 0 {
            return Err(Fault::new("replicas", format!("{replicas} replicas: must be greater than or equal to 0")));
        }
        Ok(Verb::Scale { target: parse_target(&self.target)?, replicas })
    }
}

/// What the API server would refuse of them is told before the run.
fn check_taints(taints: &[Value]) -> Result<(), Fault> {
    if let Some(at) = taints.iter().position(|taint| !taint.is_object()) {
        let help = "such as `{key: dedicated, value: gpu, effect: NoSchedule}`";
        return Err(Fault::new(format!("taints[{at}]"), "expected a mapping").help(help));
    }
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}, "spec": {"taints": taints}});
    let errors = validate_create("Node", &node);
    let Some(error) = errors.first() else { return Ok(()) };
    let field = error.field.split_once('.').map_or(&*error.field, |(_, field)| field);
    Err(Fault::new(field, error.body()))
}

impl RawTaint {
    fn verb(self) -> Reading {
        let Value::Array(taints) = &self.taints else {
            return Err(Fault::new("taints", "expected a list of taints").help("`taints: []` takes all of them away"));
        };
        check_taints(taints)?;
        Ok(Verb::Taint { node: self.node, taints: self.taints })
    }
}

impl RawUndo {
    fn verb(self) -> Reading {
        if self.to_revision.is_some_and(|revision| revision < 0) {
            return Err(Fault::new("toRevision", "must be greater than or equal to 0"));
        }
        Ok(Verb::RolloutUndo { target: parse_target(&self.target)?, to_revision: self.to_revision })
    }
}

impl RawPatch {
    fn verb(self) -> Reading {
        let patch_type = match self.patch_type {
            RawPatchType::Strategic => PatchType::Strategic,
            RawPatchType::Merge => PatchType::Merge,
            RawPatchType::Json => PatchType::Json,
        };
        Ok(Verb::Patch { target: parse_target(&self.target)?, patch_type, patch: self.patch })
    }
}

impl RawDelete {
    fn verb(self) -> Reading {
        let propagation = match self.cascade {
            // kubectl asks for background deletion unless told otherwise.
            None | Some(RawCascade::Background) => Propagation::Background,
            Some(RawCascade::Foreground) => Propagation::Foreground,
            Some(RawCascade::Orphan) => Propagation::Orphan,
        };
        let grace = self.grace_period.map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX));
        let choice = Choice::of(self.target, self.kind, self.selector, self.nth, self.namespace)?;
        let options =
            DeleteOptions { grace_period_seconds: grace, propagation: Some(propagation), ..DeleteOptions::default() };
        Ok(Verb::Delete { choice, options })
    }
}

impl RawLabel {
    fn verb(self) -> Reading {
        let choice = Choice::of(self.target, self.kind, self.selector, self.nth, self.namespace)?;
        Ok(Verb::Label { choice, labels: changes("labels", self.labels)? })
    }
}

impl RawAnnotate {
    fn verb(self) -> Reading {
        let choice = Choice::of(self.target, self.kind, self.selector, self.nth, self.namespace)?;
        Ok(Verb::Annotate { choice, annotations: changes("annotations", self.annotations)? })
    }
}

impl RawDebug {
    fn verb(self) -> Reading {
        if self.image.trim().is_empty() {
            return Err(Fault::new("image", "the image is empty"));
        }
        let choice = Choice::of(self.target, self.kind, self.selector, self.nth, self.namespace)?;
        let debug = Debug { image: self.image, name: self.container, target_container: self.target_container };
        Ok(Verb::Debug { choice, debug })
    }
}
