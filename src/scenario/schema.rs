//! The scenario file, version 1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kernel::SimDuration;
use crate::kubelet::BehaviourSpec;
use crate::objects::reader::{Document, Node, ReaderLimits, from_spanned, parse_spanned, read_manifests};
use crate::objects::{Labels, Quantity, Taint, Timestamp};
use crate::sim::{DEFAULT_EPOCH, Delays, NodeTemplate};

use super::error::{Problem, ScenarioError};
use super::expectation::{Expectation, ExpectationKind};
use super::expression::Expression;
use super::steps::{RawStep, Verb};

/// Most machines that a scenario may ask for.
const MAX_NODES: u32 = 20_000;

/// A scenario that was read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `metadata.name`.
    pub name: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Wall-clock time at t = 0.
    pub epoch: Timestamp,
    /// Hard end in virtual time.
    pub duration: SimDuration,
    /// End early after this long without a change.
    pub settle: Option<SimDuration>,
    /// Delays of the control plane.
    pub delays: Delays,
    /// Machines.
    pub nodes: Vec<NodeTemplate>,
    /// Manifests that are applied at t = 0, in order.
    pub manifests: Vec<Manifest>,
    /// How images behave.
    pub containers: Vec<BehaviourSpec>,
    /// What the user does.
    pub steps: Vec<Step>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
    /// What was taken but is not simulated.
    pub notices: Vec<String>,
}

/// A manifest with the file it came from.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The object.
    pub document: Document,
    /// The file.
    pub source: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// Latency profile: a name, or figures.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Profile {
    /// `ideal` or `realistic`.
    Named(String),
    /// Figures; what is left out is `realistic`.
    Figures(Delays),
}

/// When a step is taken.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// At a time.
    At(SimDuration),
    /// As soon as a condition holds.
    When(Expression),
}

/// Something that the user does.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub verb: Verb,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    #[serde(default, rename = "annotations")]
    _annotations: Labels,
    #[serde(default, rename = "labels")]
    _labels: Labels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default)]
    seed: u64,
    epoch: Option<Timestamp>,
    kubernetes: Option<String>,
    duration: SimDuration,
    settle: Option<SimDuration>,
    profile: Option<Profile>,
    #[serde(default)]
    nodes: Vec<RawNode>,
    #[serde(default)]
    manifests: Vec<String>,
    #[serde(default)]
    objects: String,
    #[serde(default)]
    containers: Vec<BehaviourSpec>,
    #[serde(default)]
    traffic: Vec<Value>,
    #[serde(default)]
    steps: Vec<RawStep>,
    #[serde(default)]
    faults: Vec<Value>,
    #[serde(default)]
    expect: Vec<RawExpectation>,
}

/// A machine, or several of one kind, as a scenario has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawNode {
    name: String,
    count: Option<u32>,
    #[serde(default)]
    capacity: Map<String, Value>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    taints: Vec<Taint>,
}

impl RawNode {
    /// The machines: the name itself, or with `-0`, `-1`, … behind it where a count is given.
    pub(super) fn expand(&self) -> Result<Vec<NodeTemplate>, String> {
        let mut template = NodeTemplate::new(self.name.clone());
        for (resource, amount) in &self.capacity {
            let text = match amount {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(format!("capacity.{resource}: expected a quantity such as \"4\" or 8Gi")),
            };
            let quantity: Quantity = text.parse().map_err(|e| format!("capacity.{resource}: {text:?}: {e}"))?;
            template.capacity.insert(resource.clone(), Value::String(quantity.to_string()));
        }
        template.labels = self.labels.clone();
        template.taints = self.taints.clone();
        match self.count {
            None => Ok(vec![template]),
            Some(count) if count > MAX_NODES => Err(format!("count: {count} is more than {MAX_NODES}")),
            Some(count) => Ok((0..count)
                .map(|n| NodeTemplate { name: format!("{}-{n}", self.name), ..template.clone() })
                .collect()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpectation {
    always: Option<String>,
    never: Option<String>,
    eventually: Option<String>,
    within: Option<SimDuration>,
    r#final: Option<String>,
}

impl Scenario {
    /// Reads a scenario from a text; `manifests` are looked for beside the current folder.
    ///
    /// # Errors
    /// Everything that is wrong with the text, with its places.
    pub fn read(source: &str, text: &str) -> Result<Self, ScenarioError> {
        Self::read_in(source, text, Path::new(""))
    }

    /// Reads a scenario file; `manifests` are looked for beside it.
    ///
    /// # Errors
    /// If the file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = read_file(path)?;
        Self::read_in(&path.display().to_string(), &text, path.parent().unwrap_or(Path::new("")))
    }

    fn read_in(source: &str, text: &str, folder: &Path) -> Result<Self, ScenarioError> {
        let shared: Arc<str> = text.into();
        let limits = ReaderLimits::default();
        let input = |errors: Vec<_>| {
            ScenarioError::Input(errors.into_iter().map(|error| Problem::of_read_error(error, &shared)).collect())
        };
        let file = parse_spanned(source, text, &limits).map_err(input)?;
        let mut roots = file.roots();
        let at = |span, message: &str| {
            let problem = Problem {
                source: source.into(),
                text: shared.clone(),
                span,
                path: String::new(),
                message: message.to_owned(),
                help: None,
                also: None,
            };
            ScenarioError::Input(vec![problem])
        };
        let Some(root) = roots.next() else { return Err(at(None, "the file is empty; expected a Scenario")) };
        if let Some(second) = roots.next() {
            return Err(at(Some(second.span()), "a scenario file holds one document"));
        }
        let raw: File = from_spanned(root).map_err(|error| input(vec![*error]))?;
        Checker { source: source.into(), text: shared.clone(), folder: folder.to_owned(), root, problems: Vec::new() }
            .check(raw)
    }
}

fn read_file(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|error| ScenarioError::File { path: path.display().to_string(), message: error.to_string() })
}

/// Checks what the types alone cannot, and collects everything that is wrong.
struct Checker<'a> {
    source: Arc<str>,
    text: Arc<str>,
    folder: PathBuf,
    root: Node<'a>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn check(mut self, raw: File) -> Result<Scenario, ScenarioError> {
        self.require("apiVersion", raw.api_version == "seatrial.dev/v1", "expected seatrial.dev/v1");
        self.require("kind", raw.kind == "Scenario", "expected Scenario");
        let spec = raw.spec;
        let version = spec.kubernetes.as_deref().unwrap_or("1.36");
        self.require("spec.kubernetes", version == "1.36", "only the behaviour of Kubernetes 1.36 is simulated");
        self.require("spec.duration", !spec.duration.is_zero(), "must be greater than 0");
        let delays = self.delays(spec.profile);
        let nodes = self.nodes(&spec.nodes);
        let manifests = self.manifests(&spec.manifests, &spec.objects)?;
        let steps = self.steps(spec.steps);
        let expectations = self.expectations(spec.expect);
        let mut notices = Vec::new();
        for (name, entries) in [("traffic", spec.traffic.len()), ("faults", spec.faults.len())] {
            if entries > 0 {
                notices.push(format!("spec.{name}: not simulated yet, {entries} entries are left out"));
            }
        }
        if !self.problems.is_empty() {
            return Err(ScenarioError::Input(self.problems));
        }
        Ok(Scenario {
            name: raw.metadata.name,
            seed: spec.seed,
            epoch: spec.epoch.unwrap_or(DEFAULT_EPOCH),
            duration: spec.duration,
            settle: spec.settle,
            delays,
            nodes,
            manifests,
            containers: spec.containers,
            steps,
            expectations,
            notices,
        })
    }

    fn delays(&mut self, profile: Option<Profile>) -> Delays {
        match profile {
            None => Delays::realistic(),
            Some(Profile::Figures(delays)) => delays,
            Some(Profile::Named(name)) => match name.as_str() {
                "ideal" => Delays::ideal(),
                "realistic" => Delays::realistic(),
                _ => {
                    self.problem("spec.profile", "expected ideal, realistic, or a map of delays".to_owned());
                    Delays::realistic()
                }
            },
        }
    }

    fn nodes(&mut self, raw: &[RawNode]) -> Vec<NodeTemplate> {
        let mut nodes: Vec<NodeTemplate> = Vec::new();
        for (at, node) in raw.iter().enumerate() {
            match node.expand() {
                Ok(templates) => nodes.extend(templates),
                Err(message) => self.problem(&format!("spec.nodes[{at}]"), message),
            }
        }
        let mut names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("two nodes are named {:?}", pair[0]);
            self.problem("spec.nodes", message);
        }
        if nodes.len() > MAX_NODES as usize {
            self.problem("spec.nodes", format!("{} nodes are more than {MAX_NODES}", nodes.len()));
        }
        nodes
    }

    fn manifests(&mut self, files: &[String], inline: &str) -> Result<Vec<Manifest>, ScenarioError> {
        let mut manifests = Vec::new();
        for file in files {
            let path = self.folder.join(file);
            let text: Arc<str> = read_file(&path)?.into();
            self.read_manifests(&path.display().to_string(), &text, &mut manifests);
        }
        if !inline.trim().is_empty() {
            let source = format!("{} (spec.objects)", self.source);
            self.read_manifests(&source, &inline.into(), &mut manifests);
        }
        Ok(manifests)
    }

    fn read_manifests(&mut self, source: &str, text: &Arc<str>, manifests: &mut Vec<Manifest>) {
        match read_manifests(source, text, &ReaderLimits::default()) {
            Ok(documents) => manifests.extend(documents.into_iter().map(|document| Manifest {
                document,
                source: source.into(),
                text: text.clone(),
            })),
            Err(errors) => self.problems.extend(errors.into_iter().map(|error| Problem::of_read_error(error, text))),
        }
    }

    fn steps(&mut self, raw: Vec<RawStep>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, step) in raw.into_iter().enumerate() {
            let path = format!("spec.steps[{at}]");
            let trigger = match (step.at, &step.when) {
                (Some(time), None) => Some(Trigger::At(time)),
                (None, Some(condition)) => self.expression(&format!("{path}.when"), condition).map(Trigger::When),
                _ => {
                    self.problem(&path, "a step has either `at` or `when`".to_owned());
                    None
                }
            };
            match (step.verb(), trigger) {
                (Ok(verb), Some(trigger)) => steps.push(Step { trigger, verb }),
                (Err(message), _) => self.problem(&path, message),
                (Ok(_), None) => {}
            }
        }
        steps
    }

    fn expectations(&mut self, raw: Vec<RawExpectation>) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for (at, expectation) in raw.into_iter().enumerate() {
            let path = format!("spec.expect[{at}]");
            let RawExpectation { always, never, eventually, within, r#final } = expectation;
            let kinds = [
                ("always", always, ExpectationKind::Always),
                ("never", never, ExpectationKind::Never),
                ("eventually", eventually, ExpectationKind::Eventually { within }),
                ("final", r#final, ExpectationKind::Final),
            ];
            let mut given = kinds.into_iter().filter_map(|(name, text, kind)| Some((name, text?, kind)));
            let (first, second) = (given.next(), given.next());
            match (first, second) {
                (Some((name, text, kind)), None) => {
                    if within.is_some() && name != "eventually" {
                        self.problem(&path, "`within` belongs to `eventually`".to_owned());
                    }
                    if let Some(expression) = self.expression(&format!("{path}.{name}"), &text) {
                        expectations.push(Expectation { kind, expression });
                    }
                }
                _ => self.problem(&path, "an expectation has one of always, never, eventually, final".to_owned()),
            }
        }
        expectations
    }

    fn expression(&mut self, path: &str, text: &str) -> Option<Expression> {
        match text.parse::<Expression>() {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.problem(path, error.to_string());
                None
            }
        }
    }

    fn require(&mut self, path: &str, holds: bool, message: &str) {
        if !holds {
            self.problem(path, message.to_owned());
        }
    }

    fn problem(&mut self, path: &str, message: String) {
        let node = find(self.root, path);
        self.problems.push(Problem {
            source: self.source.clone(),
            text: self.text.clone(),
            span: node.map(Node::span),
            path: path.to_owned(),
            message,
            help: None,
            also: None,
        });
    }
}

/// The node at a path such as `spec.steps[2].when`, or the nearest one around it.
fn find<'a>(root: Node<'a>, path: &str) -> Option<Node<'a>> {
    use crate::objects::reader::Value as Tree;
    let mut node = root;
    for part in path.split('.') {
        let (key, index) = match part.split_once('[') {
            Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some(child) = node.get(key) else { return Some(node) };
        node = child;
        if let Some(index) = index {
            let item = match node.value() {
                Tree::List(mut items) => items.nth(index),
                _ => None,
            };
            let Some(item) = item else { return Some(node) };
            node = item;
        }
    }
    Some(node)
}
