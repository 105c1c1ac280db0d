//! The verbs of a scenario's steps, and how they are carried out.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::{ApiError, DeleteOptions, PatchType, Propagation};
use crate::kernel::SimDuration;
use crate::objects::reader::Document;
use crate::objects::{Kind, Object, Selector};
use crate::sim::{Applied, Changes, NodeTemplate, SimError, Simulation, Target};

use super::error::Fault;
use super::schema::{Manifest, RawNode};

/// A step as the file has it: a trigger and one verb.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RawStep {
    pub(super) at: Option<SimDuration>,
    pub(super) when: Option<String>,
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
    evict: Option<Value>,
    drain: Option<Value>,
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
struct RawTaint {
    node: String,
    taints: Value,
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
    /// Machines join.
    AddNode(Vec<NodeTemplate>),
    /// A machine stops and its Node object is deleted.
    DeleteNode(String),
    /// A machine stops.
    NodeDown(String),
    /// A machine comes back.
    NodeUp(String),
}

/// One object, found when the step is taken.
#[derive(Clone, Debug)]
pub enum Choice {
    /// By name.
    Target(Target),
    /// The n-th of a kind.
    Nth {
        /// Kind.
        kind: Kind,
        /// Namespace.
        namespace: String,
        /// Which labels.
        selector: Selector,
        /// Counted from 0 in the order of creation, then name.
        nth: usize,
    },
}

impl Choice {
    fn of(
        target: Option<String>,
        kind: Option<String>,
        selector: Option<String>,
        nth: Option<usize>,
        namespace: Option<String>,
    ) -> Result<Self, Fault> {
        match (target, kind) {
            (Some(_), _) if selector.is_some() || nth.is_some() => {
                Err(Fault::new("target", "`target` names one object; `selector` and `nth` belong to `kind`"))
            }
            (Some(_), _) if namespace.is_some() => Err(Fault::new("namespace", "`namespace` belongs to `kind`")
                .help("a target may name its namespace: namespace/kind/name")),
            (Some(target), None) => Ok(Self::Target(parse_target(&target)?)),
            (None, Some(name)) => {
                let kind = Kind::parse(&name).ok_or_else(|| unknown_kind("kind", &name))?;
                let text = selector.unwrap_or_default();
                let selector = text.parse::<Selector>().map_err(|error| Fault::new("selector", error.to_string()))?;
                let namespace = namespace.unwrap_or_else(|| "default".to_owned());
                Ok(Self::Nth { kind, namespace, selector, nth: nth.unwrap_or(0) })
            }
            (Some(_), Some(_)) => Err(Fault::new("kind", "`target` names the kind already")),
            (None, None) => Err(Fault::new("", "it does not say which object")
                .help("write `target: kind/name`, or `kind` with `selector` and `nth`")),
        }
    }

    fn resolve(&self, sim: &Simulation) -> Result<Target, SimError> {
        match self {
            Self::Target(target) => Ok(target.clone()),
            Self::Nth { kind, namespace, selector, nth } => {
                let mut found: Vec<Object> = sim.view().list(*kind);
                found.retain(|object| {
                    let meta = object.meta();
                    (!kind.is_namespaced() || *meta.namespace == **namespace) && selector.matches(&meta.labels)
                });
                found.sort_by_key(|object| (object.meta().creation_timestamp, object.key()));
                let object = found.get(*nth).ok_or_else(|| {
                    let message = format!("there is no {kind} number {nth} that matches {selector}");
                    SimError::Cluster(message)
                })?;
                Ok(Target { kind: *kind, key: object.key() })
            }
        }
    }
}

fn parse_target(text: &str) -> Result<Target, Fault> {
    text.parse::<Target>().map_err(|error| match error {
        SimError::UnknownKind(kind) => unknown_kind("target", &kind),
        error => Fault::new("target", error.to_string()),
    })
}

fn unknown_kind(path: &str, kind: &str) -> Fault {
    let fault = Fault::new(path, format!("the kind {kind:?} is not simulated"));
    let written = kind.to_ascii_lowercase();
    let names = Kind::ALL.iter().map(|kind| kind.as_str().to_ascii_lowercase());
    match names.max_by(|a, b| strsim::jaro(a, &written).total_cmp(&strsim::jaro(b, &written))) {
        Some(nearest) if strsim::jaro(&nearest, &written) > 0.85 => fault.help(format!("did you mean {nearest}?")),
        _ => fault.help("write the kind as kubectl takes it, such as deployment or deploy"),
    }
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
    pub(super) fn objects(&self) -> Option<String> {
        self.apply.as_ref().map(|apply| apply.objects.clone())
    }

    /// The machines of an `addNode` step.
    pub(super) const fn joining(&self) -> Option<&RawNode> {
        self.add_node.as_ref()
    }

    /// The one verb of the step; the manifests of `apply` are left to the caller.
    pub(super) fn verb(self) -> Reading {
        for (name, given) in [("evict", self.evict.is_some()), ("drain", self.drain.is_some())] {
            if given {
                return Err(Fault::new(name, format!("{name} is not simulated yet")));
            }
        }
        let mut verbs = self.verbs().into_iter();
        match (verbs.next(), verbs.next()) {
            (Some((name, verb)), None) => verb.map_err(|fault| fault.under(name)),
            (Some((first, _)), Some((second, _))) => {
                Err(Fault::new(second, format!("a step has one verb, this one has {first} and {second}"))
                    .help("write one step for each, with the same time"))
            }
            (None, _) => Err(Fault::new("", "the step has no verb").help(
                "one of apply, setImage, scale, patch, delete, label, annotate, rolloutUndo, rolloutPause, \
                 rolloutResume, rolloutRestart, cordon, uncordon, taint, addNode, deleteNode, nodeDown, nodeUp",
            )),
        }
    }

    /// Every verb that is given, with its name.
    fn verbs(self) -> Vec<(&'static str, Reading)> {
        let target =
            |raw: Option<RawTarget>, verb: fn(Target) -> Verb| raw.map(|raw| parse_target(&raw.target).map(verb));
        let node = |raw: Option<RawNodeName>, verb: fn(String) -> Verb| raw.map(|raw| Ok(verb(raw.node)));
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
            ("addNode", self.add_node.map(|raw| raw.expand().map(Verb::AddNode))),
            ("deleteNode", node(self.delete_node, Verb::DeleteNode)),
            ("nodeDown", node(self.node_down, Verb::NodeDown)),
            ("nodeUp", node(self.node_up, Verb::NodeUp)),
        ];
        verbs.into_iter().filter_map(|(name, verb)| Some((name, verb?))).collect()
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

impl RawTaint {
    fn verb(self) -> Reading {
        if !self.taints.is_array() {
            return Err(Fault::new("taints", "expected a list of taints").help("`taints: []` takes all of them away"));
        }
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
            Self::AddNode(_) => "addNode",
            Self::DeleteNode(_) => "deleteNode",
            Self::NodeDown(_) => "nodeDown",
            Self::NodeUp(_) => "nodeUp",
        }
    }

    /// The arguments, for the event log.
    #[must_use]
    pub fn args(&self) -> Value {
        match self {
            Self::Apply { .. } => json!({}),
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
            Self::Taint { node, taints } => json!({"node": node, "taints": taints}),
            Self::RolloutUndo { target, to_revision } => {
                json!({"target": target.to_string(), "toRevision": to_revision})
            }
            Self::RolloutPause(target) | Self::RolloutResume(target) | Self::RolloutRestart(target) => {
                json!({"target": target.to_string()})
            }
            Self::AddNode(nodes) => json!({"nodes": nodes.iter().map(|node| &node.name).collect::<Vec<_>>()}),
        }
    }

    /// Carries the step out. What is refused is told; the run goes on.
    pub(super) fn perform(&self, sim: &mut Simulation) -> Performed {
        if let Self::Apply { manifests } = self {
            return apply(sim, manifests);
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
            Self::Apply { .. } => {}
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
            Self::AddNode(nodes) => nodes.iter().try_for_each(|node| sim.add_node(node))?,
            Self::DeleteNode(node) => sim.delete_node(node)?,
            Self::NodeDown(node) => sim.node_down(node)?,
            Self::NodeUp(node) => sim.node_up(node)?,
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

impl Choice {
    fn args(&self) -> Value {
        match self {
            Self::Target(target) => json!({"target": target.to_string()}),
            Self::Nth { kind, selector, nth, .. } => {
                json!({"kind": kind.as_str().to_ascii_lowercase(), "selector": selector.to_string(), "nth": nth})
            }
        }
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
