//! The scenario file, version 1.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::controllers::horizontal_pod_autoscaler::HorizontalPodAutoscalerConfig;
use crate::kernel::{Sampler, SimDuration};
use crate::kubelet::{BehaviourSpec, KubeletConfig, static_pod};
use crate::objects::reader::{
    Document, Node, ReadError, ReadErrorKind, ReaderLimits, Span, from_spanned, in_quotes, parse_spanned,
};
use crate::objects::{Labels, Quantity, Taint, Timestamp};
use crate::sim::{
    AutoscalerOptions, ClientSpec, ControlPlane, Delays, FaultPlan, LeaderElection, MetricsConfig, NetworkConfig,
    NodeGroup, NodeTemplate,
};

use super::check::Checker;
use super::encoding;
use super::error::{Fault, Problem, ScenarioError};
use super::excerpt::Excerpt;
use super::expectation::Expectation;
use super::expression::Expression;
use super::faults::RawFault;
use super::measure::{Measure, RawMeasure};
use super::metrics::{RawHorizontalPodAutoscaler, RawMetrics};
use super::node_groups::{RawAutoscaler, RawNodeGroup};
use super::parameters::Parameters;
use super::steps::{RawStep, Verb};
use super::traffic::RawClient;

/// Most machines that a scenario may ask for.
pub(super) const MAX_NODES: u32 = 20_000;

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
    /// Whether objects of the removed kind `PodPreset` are injected into new pods.
    pub pod_presets: bool,
    /// Whether something makes load balancers for Services.
    pub load_balancers: bool,
    /// Whether the Endpoints controller runs.
    pub endpoints_controller: bool,
    /// Whether there is the Service of the API server, `default/kubernetes`.
    pub kubernetes_service: bool,
    /// Pods that may have ended and still be there, if not as many as by default.
    pub terminated_pod_gc_threshold: Option<i32>,
    /// Whether the machines belong to a cloud, which knows of those that are gone.
    pub cloud: bool,
    /// Delays of the control plane.
    pub delays: Delays,
    /// How the control plane is run.
    pub control_plane: ControlPlane,
    /// Machines.
    pub nodes: Vec<NodeTemplate>,
    /// Manifests that are applied at t = 0, in order.
    pub manifests: Vec<Manifest>,
    /// How images behave.
    pub containers: Vec<BehaviourSpec>,
    /// Machines of which the cluster autoscaler makes more and fewer.
    pub node_groups: Vec<NodeGroup>,
    /// Flags of the cluster autoscaler.
    pub autoscaler: AutoscalerOptions,
    /// Who sends requests.
    pub clients: Vec<ClientSpec>,
    /// How the network works, if not by default.
    pub network: Option<NetworkConfig>,
    /// How metrics are measured.
    pub metrics: MetricsConfig,
    /// Flags of the HorizontalPodAutoscaler controller.
    pub horizontal_pod_autoscaler: HorizontalPodAutoscalerConfig,
    /// What goes wrong at random times.
    pub faults: Vec<FaultPlan>,
    /// What the user does.
    pub steps: Vec<Step>,
    /// What is expected.
    pub expectations: Vec<Expectation>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// The values that its parameters had when it was read.
    pub parameters: Parameters,
    /// What was taken but is not simulated.
    pub notices: Vec<String>,
}

/// A manifest with the file it came from.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The object.
    pub document: Document,
    /// Where it was written.
    pub excerpt: Excerpt,
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
pub(super) struct ScenarioFile {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default, rename = "annotations")]
    pub(super) _annotations: Labels,
    #[serde(default, rename = "labels")]
    pub(super) _labels: Labels,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) seed: u64,
    pub(super) epoch: Option<Timestamp>,
    pub(super) kubernetes: Option<String>,
    pub(super) duration: SimDuration,
    pub(super) settle: Option<SimDuration>,
    #[serde(default)]
    pub(super) pod_presets: bool,
    #[serde(default = "yes")]
    pub(super) load_balancers: bool,
    #[serde(default)]
    pub(super) endpoints_controller: bool,
    #[serde(default)]
    pub(super) kubernetes_service: bool,
    pub(super) terminated_pod_gc_threshold: Option<i32>,
    #[serde(default = "yes")]
    pub(super) cloud: bool,
    pub(super) control_plane: Option<RawControlPlane>,
    #[serde(default, deserialize_with = "profile")]
    pub(super) profile: Option<Delays>,
    #[serde(default)]
    pub(super) nodes: Vec<RawNode>,
    #[serde(default)]
    pub(super) node_groups: Vec<RawNodeGroup>,
    pub(super) autoscaler: Option<RawAutoscaler>,
    #[serde(default)]
    pub(super) manifests: Vec<String>,
    #[serde(default)]
    pub(super) objects: String,
    #[serde(default)]
    pub(super) containers: Vec<BehaviourSpec>,
    #[serde(default)]
    pub(super) traffic: Vec<RawClient>,
    pub(super) network: Option<NetworkConfig>,
    pub(super) metrics: Option<RawMetrics>,
    pub(super) horizontal_pod_autoscaler: Option<RawHorizontalPodAutoscaler>,
    #[serde(default)]
    pub(super) steps: Vec<RawStep>,
    #[serde(default)]
    pub(super) faults: Vec<RawFault>,
    #[serde(default)]
    pub(super) expect: Vec<RawExpectation>,
    #[serde(default)]
    pub(super) measure: Vec<RawMeasure>,
    /// They were put in before the text was read.
    #[serde(default, rename = "parameters")]
    pub(super) _parameters: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

/// How the control plane is run: the flags of kube-controller-manager and kube-scheduler.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawControlPlane {
    replicas: Option<u32>,
    leader_elect: Option<bool>,
    lease_duration: Option<SimDuration>,
    renew_deadline: Option<SimDuration>,
    retry_period: Option<SimDuration>,
}

impl RawControlPlane {
    /// The settings, as far as they make sense together.
    pub(super) fn settings(&self) -> Result<ControlPlane, Fault> {
        let usual = LeaderElection::default();
        let election = LeaderElection {
            lease_duration: self.lease_duration.unwrap_or(usual.lease_duration),
            renew_deadline: self.renew_deadline.unwrap_or(usual.renew_deadline),
            retry_period: self.retry_period.unwrap_or(usual.retry_period),
        };
        let leader_election = self.leader_elect.unwrap_or(true).then_some(election);
        let settings = ControlPlane { replicas: self.replicas.unwrap_or(1), leader_election };
        let at = |error: String| match error.split_once(": ") {
            Some((field, what)) => Fault::new(field, what),
            None => Fault::new("", error),
        };
        settings.validate().map_err(at)?;
        Ok(settings)
    }
}

/// A machine, or several of one kind, as a scenario has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawNode {
    pub(super) name: String,
    pub(super) count: Option<u32>,
    #[serde(default)]
    pub(super) capacity: Map<String, Value>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) taints: Vec<Taint>,
    pub(super) status_delay: Option<Sampler>,
    /// Process numbers.
    pub(super) processes: Option<i64>,
    /// Settings of the kubelet.
    pub(super) kubelet: Option<KubeletConfig>,
    /// Manifests of static pods.
    #[serde(default)]
    pub(super) static_pods: Vec<Value>,
}

impl RawNode {
    /// The machines: the name itself, or with `-0`, `-1`, … behind it where a count is given.
    pub(super) fn expand(&self) -> Result<Vec<NodeTemplate>, Fault> {
        let mut template = NodeTemplate::new(self.name.clone());
        for (resource, amount) in &self.capacity {
            let path = format!("capacity.{resource}");
            let text = match amount {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return Err(Fault::new(path, "expected a quantity such as \"4\" or 8Gi")),
            };
            let quantity: Quantity = text.parse().map_err(|error| {
                Fault::new(path, format!("{text:?} is not a quantity: {error}")).help("such as \"4\", 500m or 8Gi")
            })?;
            template.capacity.insert(resource.clone(), Value::String(quantity.to_string()));
        }
        template.labels = self.labels.clone();
        template.taints = self.taints.clone();
        template.status_delay.clone_from(&self.status_delay);
        if let Some(processes) = self.processes {
            if processes <= 0 {
                return Err(Fault::new("processes", "must be greater than 0"));
            }
            template.processes = processes;
        }
        for (at, manifest) in self.static_pods.iter().enumerate() {
            static_pod(manifest, &self.name, Timestamp::default())
                .map_err(|error| Fault::new(format!("staticPods[{at}]"), error))?;
        }
        template.static_pods.clone_from(&self.static_pods);
        if let Some(config) = &self.kubelet {
            template.kubelet = Arc::new(config.clone());
        }
        match self.count {
            None => Ok(vec![template]),
            Some(count) if count > MAX_NODES => Err(too_many(count as usize)),
            Some(count) => Ok((0..count)
                .map(|n| NodeTemplate { name: format!("{}-{n}", self.name), ..template.clone() })
                .collect()),
        }
    }
}

/// More machines than may be asked for.
pub(super) fn too_many(nodes: usize) -> Fault {
    Fault::new("count", format!("{nodes} nodes are more than {MAX_NODES}, the most that a scenario may have"))
}

/// Latency profile: `ideal`, `realistic`, or figures. What figures leave out is `realistic`.
fn profile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Delays>, D::Error> {
    deserializer.deserialize_any(ProfileVisitor).map(Some)
}

struct ProfileVisitor;

impl<'de> Visitor<'de> for ProfileVisitor {
    type Value = Delays;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ideal, realistic, or a map of the delays watch, write and scheduling")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Delays, E> {
        match name {
            "ideal" => Ok(Delays::ideal()),
            "realistic" => Ok(Delays::realistic()),
            _ => Err(E::invalid_value(Unexpected::Str(name), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Delays, A::Error> {
        Delays::deserialize(MapAccessDeserializer::new(map))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpectation {
    pub(super) always: Option<String>,
    pub(super) never: Option<String>,
    pub(super) eventually: Option<String>,
    pub(super) after: Option<SimDuration>,
    pub(super) within: Option<SimDuration>,
    pub(super) r#final: Option<String>,
}

impl Scenario {
    /// Reads a scenario from a text; `manifests` are looked for in the current folder.
    ///
    /// # Errors
    /// Everything that is wrong with the text, with its places.
    pub fn read(source: &str, text: &str) -> Result<Self, ScenarioError> {
        Self::read_with(source, text, Path::new(""), &Parameters::default())
    }

    /// Reads a scenario file; `manifests` are looked for beside it.
    ///
    /// # Errors
    /// If the file cannot be read, or everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        Self::load_with(path, &Parameters::default())
    }

    /// Reads a text in which the parameters have their values.
    pub(super) fn read_filled(source: &str, text: &str, folder: &Path) -> Result<Self, ScenarioError> {
        let excerpt = Excerpt::file(source.into(), text.into());
        let input = |errors: Vec<_>| {
            ScenarioError::Input(errors.into_iter().map(|error| excerpt.read_problem(error)).collect())
        };
        let file = parse_spanned(source, text, &ReaderLimits::default()).map_err(input)?;
        let mut roots = file.roots();
        let Some(root) = roots.next() else {
            let problem = excerpt.problem(None, String::new(), "the file is empty".to_owned());
            return Err(ScenarioError::Input(vec![Problem { help: Some(BEGINNING.to_owned()), ..problem }]));
        };
        refuse_manifests(root, &excerpt)?;
        if let Some(second) = roots.next() {
            let message = "a scenario file holds one document, here begins a second".to_owned();
            let problem = excerpt.problem(Some(Span::at(second.span().start)), String::new(), message);
            return Err(ScenarioError::Input(vec![problem]));
        }
        let raw: ScenarioFile = from_spanned(root).map_err(|error| input(vec![with_quotes(*error, text)]))?;
        Checker::new(source, text, folder, root).check(raw)
    }
}

/// YAML has more booleans than people expect, and `1.10` is a number.
fn with_quotes(error: ReadError, text: &str) -> ReadError {
    let wants_text = error.kind == ReadErrorKind::WrongType && error.message.starts_with("expected a string, got the ");
    let written = error.span.slice_line(text).filter(|written| wants_text && !written.is_empty());
    let help = written.map(in_quotes);
    ReadError { help: error.help.clone().or(help), ..error }
}

const BEGINNING: &str = "a scenario begins with `apiVersion: seatrial.dev/v1` and `kind: Scenario`";

/// Somebody may take a file of manifests for a scenario.
fn refuse_manifests(root: Node<'_>, excerpt: &Excerpt) -> Result<(), ScenarioError> {
    let text = |key| root.get(key).map(|node: Node<'_>| (node, node.to_json()));
    let (Some((node, kind)), Some((_, version))) = (text("kind"), text("apiVersion")) else { return Ok(()) };
    let (Some(kind), Some(version)) = (kind.as_str(), version.as_str()) else { return Ok(()) };
    if kind == "Scenario" || version.starts_with("seatrial.dev/") {
        return Ok(());
    }
    let message = format!("this is a manifest of kind {kind}, not a scenario");
    let help =
        format!("{BEGINNING}, and names manifests: `manifests: [web.yaml]`; `seatrial check` takes manifests alone");
    let problem = excerpt.problem(Some(node.span()), String::new(), message);
    Err(ScenarioError::Input(vec![Problem { help: Some(help), ..problem }]))
}

/// Most bytes that are read of a file: what the reader takes, and some more so that it says so.
const MAX_BYTES: u64 = (64 << 20) + 1;

pub(super) fn read_file(path: &Path) -> Result<String, ScenarioError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let read = read().map_err(|error: io::Error| error.to_string());
    let wrong = |message| ScenarioError::File { path: path.display().to_string(), message };
    read.and_then(encoding::text).map_err(wrong)
}
