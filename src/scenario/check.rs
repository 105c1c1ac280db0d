//! Checks of a scenario that its types alone cannot make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::kubelet::BehaviourSpec;
use crate::network::{IpvsScheduler, NetworkConfig, ProxyMode};
use crate::objects::reader::{Node, Place, ReaderLimits, Span, Value as Tree, read_manifests};
use crate::objects::validation::validate_create;
use crate::objects::{Kind, Labels};
use crate::sim::{
    AutoscalerOptions, ClientSpec, DEFAULT_EPOCH, Delays, FaultPlan, NodeGroup, NodeTemplate, SimError, Simulation,
};

use super::error::{Fault, Problem, ScenarioError};
use super::excerpt::Excerpt;
use super::expectation::{Expectation, ExpectationKind, Written};
use super::expression::{Expression, ExpressionError};
use super::faults::RawFault;
use super::measure::{Gauge, Measure, RawMeasure};
use super::node_groups::{RawAutoscaler, RawNodeGroup};
use super::parameters::Parameters;
use super::schema::{
    MAX_NODES, Manifest, RawExpectation, RawNode, Scenario, ScenarioFile, Step, Trigger, read_file, too_many,
};
use super::steps::{RawStep, Verb};
use super::traffic::bounds::bound;
use super::traffic::{MOST_CLIENTS, RawClient};

/// Windows of traffic accounts are kept for the whole run.
const SHORTEST_WINDOW: SimDuration = crate::sim::NetworkConfig::SHORTEST_WINDOW;

/// Checks a scenario, and collects everything that is wrong.
pub(super) struct Checker<'a> {
    source: Arc<str>,
    text: Arc<str>,
    folder: PathBuf,
    root: Node<'a>,
    problems: Vec<Problem>,
    /// Machines that were asked for so far.
    machines: usize,
    /// Names of the clients.
    clients: Vec<String>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(source: &str, text: &str, folder: &Path, root: Node<'a>) -> Self {
        let folder = folder.to_owned();
        Self {
            source: source.into(),
            text: text.into(),
            folder,
            root,
            problems: Vec::new(),
            machines: 0,
            clients: Vec::new(),
        }
    }

    pub(super) fn check(mut self, raw: ScenarioFile) -> Result<Scenario, ScenarioError> {
        self.require("apiVersion", raw.api_version == "seatrial.dev/v1", "expected seatrial.dev/v1");
        self.require("kind", raw.kind == "Scenario", "expected Scenario");
        self.require("metadata.name", !raw.metadata.name.trim().is_empty(), "the name is empty");
        let spec = raw.spec;
        let version = spec.kubernetes.as_deref().unwrap_or("1.36");
        self.require("spec.kubernetes", version == "1.36", "only the behaviour of Kubernetes 1.36 is simulated");
        self.require("spec.duration", !spec.duration.is_zero(), "must be greater than 0");
        let control_plane = spec.control_plane.map(|raw| raw.settings()).transpose();
        let control_plane =
            control_plane.map_err(|fault| self.problem(fault.under("spec.controlPlane"))).ok().flatten();
        let nodes = self.nodes(&spec.nodes);
        let node_groups = self.node_groups(&spec.node_groups, &nodes);
        let autoscaler = self.autoscaler(spec.autoscaler, node_groups.is_empty());
        let manifests = self.manifests(&spec.manifests, spec.objects);
        let steps = self.steps(spec.steps);
        let faults = self.faults(spec.faults, &nodes, &node_groups, &steps);
        self.clients = spec.traffic.iter().map(|client| client.name().to_owned()).collect();
        let mut clients = self.traffic(spec.traffic, &nodes, &steps);
        for fault in bound(&mut clients, spec.duration) {
            self.problem(fault);
        }
        let names = clients.iter().map(|client| client.name.to_string()).collect();
        let metrics = spec.metrics.map(|raw| raw.config(&names)).transpose();
        let metrics = metrics.map_err(|fault| self.problem(fault.under("spec.metrics"))).ok().flatten();
        let scaler = spec.horizontal_pod_autoscaler.map(|raw| raw.config()).transpose();
        let scaler = scaler.map_err(|fault| self.problem(fault.under("spec.horizontalPodAutoscaler"))).ok().flatten();
        let expectations = self.expectations(spec.expect);
        let measures = self.measures(spec.measure);
        self.containers(&spec.containers);
        let machines = nodes.iter().chain(node_groups.iter().map(|group| &group.template));
        let notices = super::notices::about_machines(machines);
        let dns = spec.network.as_ref().map(|network| super::traffic::host::check(&network.dns));
        dns.into_iter().flatten().for_each(|fault| self.problem(fault));
        let is_idle = |network: &NetworkConfig| {
            network.proxy_mode != ProxyMode::Ipvs && network.ipvs_scheduler != IpvsScheduler::default()
        };
        if spec.network.as_ref().is_some_and(is_idle) {
            let fault = Fault::new("spec.network.ipvsScheduler", "only ipvs has schedulers");
            self.problem(fault.help("it belongs to `proxyMode: ipvs`; other proxies choose at random"));
        }
        if spec.network.as_ref().is_some_and(|network| network.window < SHORTEST_WINDOW) {
            self.problem(Fault::new("spec.network.window", format!("must be at least {SHORTEST_WINDOW}")));
        }
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| (problem.source != self.source, problem.span));
            return Err(ScenarioError::Input(self.problems));
        }
        Ok(Scenario {
            name: raw.metadata.name,
            seed: spec.seed,
            epoch: spec.epoch.unwrap_or(DEFAULT_EPOCH),
            duration: spec.duration,
            settle: spec.settle,
            pod_presets: spec.pod_presets,
            load_balancers: spec.load_balancers,
            endpoints_controller: spec.endpoints_controller,
            kubernetes_service: spec.kubernetes_service,
            terminated_pod_gc_threshold: spec.terminated_pod_gc_threshold,
            cloud: spec.cloud,
            delays: spec.profile.unwrap_or_default(),
            control_plane: control_plane.unwrap_or_default(),
            nodes,
            node_groups,
            autoscaler,
            manifests,
            containers: spec.containers,
            clients,
            network: spec.network,
            metrics: metrics.unwrap_or_default(),
            horizontal_pod_autoscaler: scaler.unwrap_or_default(),
            faults,
            steps,
            expectations,
            measures,
            parameters: Parameters::default(),
            notices,
        })
    }

    fn nodes(&mut self, raw: &[RawNode]) -> Vec<NodeTemplate> {
        let (mut nodes, mut names) = (Vec::new(), BTreeSet::new());
        for (at, node) in raw.iter().enumerate() {
            let path = format!("spec.nodes[{at}]");
            let Some(templates) = self.machines(&path, node) else { continue };
            if let Some(twice) = templates.iter().find(|template| !names.insert(template.name.clone())) {
                self.problem(Fault::new(format!("{path}.name"), format!("two nodes are named {:?}", twice.name)));
            }
            nodes.extend(templates);
        }
        nodes
    }

    fn node_groups(&mut self, raw: &[RawNodeGroup], nodes: &[NodeTemplate]) -> Vec<NodeGroup> {
        let (mut groups, mut names) = (Vec::new(), BTreeSet::new());
        for (at, group) in raw.iter().enumerate() {
            let path = format!("spec.nodeGroups[{at}]");
            if !names.insert(&group.name) {
                self.problem(Fault::new(format!("{path}.name"), format!("two node groups are named {:?}", group.name)));
            }
            if let Some(twice) = nodes.iter().find(|node| group.may_make(&node.name)) {
                let message = format!("node {:?} has a name that a machine of this group may get", twice.name);
                self.problem(Fault::new(format!("{path}.name"), message));
            }
            self.machines = self.machines.saturating_add(group.max as usize);
            if self.machines > MAX_NODES as usize {
                let fault = too_many(self.machines);
                self.problem(Fault { path: "max".to_owned(), ..fault }.under(&path));
                continue;
            }
            let checked = group.group().and_then(|group| refused(&group.template).map(|()| group));
            match checked {
                Ok(group) => groups.push(group),
                Err(fault) => self.problem(fault.under(&path)),
            }
        }
        groups
    }

    fn autoscaler(&mut self, raw: Option<RawAutoscaler>, has_no_groups: bool) -> AutoscalerOptions {
        let Some(raw) = raw else { return AutoscalerOptions::default() };
        if has_no_groups && self.problems.is_empty() {
            let fault = Fault::new("spec.autoscaler", "there is no node group that it could change");
            self.problem(fault.help("write `nodeGroups: [{name: pool, min: 1, max: 5}]`"));
        }
        raw.options().map_err(|fault| self.problem(fault.under("spec.autoscaler"))).unwrap_or_default()
    }

    /// The machines of an entry, if it is right and they are not too many.
    fn machines(&mut self, path: &str, raw: &RawNode) -> Option<Vec<NodeTemplate>> {
        self.machines = self.machines.saturating_add(raw.count.unwrap_or(1) as usize);
        if self.machines > MAX_NODES as usize {
            self.problem(too_many(self.machines).under(path));
            return None;
        }
        let registered = raw.expand().and_then(|templates| {
            let Some(first) = templates.first() else { return Ok(templates) };
            refused(first)?;
            Ok(templates)
        });
        registered.map_err(|fault| self.problem(fault.under(path))).ok()
    }

    fn manifests(&mut self, files: &[String], inline: String) -> Vec<Manifest> {
        let mut manifests = Vec::new();
        for (at, file) in files.iter().enumerate() {
            let path = self.folder.join(file);
            match read_file(&path) {
                Ok(text) => {
                    let source = path.display().to_string();
                    let excerpt = Excerpt::file(source.as_str().into(), text.as_str().into());
                    manifests.extend(self.read_manifests(&source, &text, &excerpt));
                }
                Err(error) => self.problem(
                    Fault::new(format!("spec.manifests[{at}]"), error.to_string())
                        .help("files are looked for beside the scenario"),
                ),
            }
        }
        if !inline.trim().is_empty() {
            manifests.extend(self.inline("spec.objects", &inline));
        }
        manifests
    }

    /// Manifests that stand in the scenario itself.
    fn inline(&mut self, path: &str, content: &str) -> Vec<Manifest> {
        let Some(node) = find(self.root, path).node else { return Vec::new() };
        let excerpt = Excerpt::inside(self.source.clone(), self.text.clone(), node.span(), content);
        self.read_manifests(path, content, &excerpt)
    }

    fn read_manifests(&mut self, source: &str, text: &str, excerpt: &Excerpt) -> Vec<Manifest> {
        match read_manifests(source, text, &ReaderLimits::default()) {
            Ok(documents) => {
                documents.into_iter().map(|document| Manifest { document, excerpt: excerpt.clone() }).collect()
            }
            Err(errors) => {
                self.problems.extend(errors.into_iter().map(|error| excerpt.read_problem(error)));
                Vec::new()
            }
        }
    }

    fn steps(&mut self, raw: Vec<RawStep>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (at, mut step) in raw.into_iter().enumerate() {
            let path = format!("spec.steps[{at}]");
            let trigger = match (step.at, step.when.take()) {
                (Some(time), None) => Some(Trigger::At(time)),
                (None, Some(condition)) => self.condition(&format!("{path}.when"), &condition, None).map(Trigger::When),
                (given, _) => {
                    let what = if given.is_some() { "has both `at` and `when`" } else { "has neither `at` nor `when`" };
                    let fault = Fault::new(&path, format!("the step {what}"));
                    self.problem(
                        fault.help("`at: 1m30s` is a time, `when: \"ready(deployment/web) == 3\"` a condition"),
                    );
                    None
                }
            };
            match (self.verb(&path, step), trigger) {
                (Some(verb), Some(trigger)) => steps.push(Step { trigger, verb }),
                (verb, trigger) => drop((verb, trigger)),
            }
        }
        steps
    }

    fn verb(&mut self, path: &str, step: RawStep) -> Option<Verb> {
        let (objects, joining) = (step.objects(), step.joining().cloned());
        let verb = match step.verb() {
            Ok(verb) => verb,
            Err(fault) => {
                self.problem(fault.under(path));
                return None;
            }
        };
        if let (Verb::AddNode(_), Some(raw)) = (&verb, &joining) {
            self.machines(&format!("{path}.addNode"), raw)?;
        }
        let (Verb::Apply { .. }, Some(objects)) = (&verb, objects) else { return Some(verb) };
        let (path, known) = (format!("{path}.apply.objects"), self.problems.len());
        let manifests = self.inline(&path, &objects);
        if manifests.is_empty() && self.problems.len() == known {
            self.problem(Fault::new(path, "there is no object in it"));
        }
        Some(Verb::Apply { manifests })
    }

    /// The faults, of the nodes that the scenario has or lets join.
    fn faults(
        &mut self,
        raw: Vec<RawFault>,
        nodes: &[NodeTemplate],
        groups: &[NodeGroup],
        steps: &[Step],
    ) -> Vec<FaultPlan> {
        let joining = steps.iter().flat_map(|step| match &step.verb {
            Verb::AddNode(nodes) => nodes.as_slice(),
            _ => &[],
        });
        let grouped = groups.iter().map(|group| &group.template);
        let nodes: Vec<Labels> = nodes.iter().chain(joining).chain(grouped).map(NodeTemplate::all_labels).collect();
        let mut plans = Vec::new();
        for (at, fault) in raw.into_iter().enumerate() {
            match fault.plan(&nodes) {
                Ok(plan) => plans.push(plan),
                Err(fault) => self.problem(fault.under(&format!("spec.faults[{at}]"))),
            }
        }
        plans
    }

    /// The clients; those on a node of one that the scenario has or lets join.
    fn traffic(&mut self, raw: Vec<RawClient>, nodes: &[NodeTemplate], steps: &[Step]) -> Vec<ClientSpec> {
        if raw.len() > MOST_CLIENTS {
            self.problem(Fault::new("spec.traffic", format!("more than {MOST_CLIENTS} clients")));
            return Vec::new();
        }
        let joining = steps.iter().flat_map(|step| match &step.verb {
            Verb::AddNode(nodes) => nodes.as_slice(),
            _ => &[],
        });
        let nodes: BTreeSet<&str> = nodes.iter().chain(joining).map(|node| node.name.as_str()).collect();
        let (mut clients, mut names) = (Vec::new(), BTreeSet::new());
        for (at, client) in raw.into_iter().enumerate() {
            let path = format!("spec.traffic[{at}]");
            if !names.insert(client.name().to_owned()) {
                self.problem(Fault::new(format!("{path}.name"), format!("two clients are named {:?}", client.name())));
            }
            match client.client(|name| nodes.contains(name)) {
                Ok(client) => clients.push(client),
                Err(fault) => self.problem(fault.under(&path)),
            }
        }
        clients
    }

    /// What types do not say about how containers serve.
    fn containers(&mut self, containers: &[BehaviourSpec]) {
        for (at, entry) in containers.iter().enumerate() {
            let Some(serve) = &entry.serve else { continue };
            let path = format!("spec.containers[{at}].serve");
            if let Some((field, rule)) = serve.fault() {
                self.problem(Fault::new(format!("{path}.{field}"), rule));
            }
        }
    }

    fn expectations(&mut self, raw: Vec<RawExpectation>) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for (at, expectation) in raw.into_iter().enumerate() {
            let path = format!("spec.expect[{at}]");
            let RawExpectation { always, never, eventually, after, within, r#final } = expectation;
            let kinds = [
                (always, ExpectationKind::Always),
                (never, ExpectationKind::Never),
                (eventually, ExpectationKind::Eventually { within }),
                (r#final, ExpectationKind::Final),
            ];
            let mut given = kinds.into_iter().filter_map(|(text, kind)| Some((text?, kind)));
            match (given.next(), given.next()) {
                (Some((text, kind)), None) => {
                    if within.is_some() && !matches!(kind, ExpectationKind::Eventually { .. }) {
                        self.problem(Fault::new(format!("{path}.within"), "`within` belongs to `eventually`"));
                    }
                    if after.is_some() && kind == ExpectationKind::Final {
                        let fault = Fault::new(format!("{path}.after"), "`final` is about the end of the run");
                        self.problem(fault.help("leave `after` out, or write `always`"));
                    }
                    let after = after.unwrap_or_default();
                    let path = format!("{path}.{}", kind.name());
                    let expression = self.condition(&path, &text, Some(kind));
                    let written = self.written(&path);
                    expectations.extend(expression.map(|expression| Expectation { kind, after, expression, written }));
                }
                (Some((_, first)), Some((_, second))) => {
                    let message = format!("an expectation is one of {} and {}", first.name(), second.name());
                    self.problem(Fault::new(format!("{path}.{}", second.name()), message).help("write two of them"));
                }
                (None, _) => self.problem(
                    Fault::new(&path, "nothing is expected").help("write one of always, never, eventually, final"),
                ),
            }
        }
        expectations
    }

    fn measures(&mut self, raw: Vec<RawMeasure>) -> Vec<Measure> {
        let (mut measures, mut names) = (Vec::new(), BTreeSet::new());
        for (at, measure) in raw.into_iter().enumerate() {
            let path = format!("spec.measure[{at}]");
            let RawMeasure { name, after, min, max, r#final, first, duration } = measure;
            if name.trim().is_empty() || !names.insert(name.clone()) {
                self.problem(Fault::new(format!("{path}.name"), "every measure has a name of its own"));
            }
            let given = [("min", min), ("max", max), ("final", r#final), ("first", first), ("duration", duration)];
            let mut given = given.into_iter().filter_map(|(how, text)| Some((how, text?)));
            let (Some((how, text)), None) = (given.next(), given.next()) else {
                let fault = Fault::new(&path, "a measure is one of min, max, final, first, duration");
                self.problem(fault.help("such as `{name: lowest, min: \"available(deployment/web)\"}`"));
                continue;
            };
            let path = format!("{path}.{how}");
            let gauge = match how {
                "first" => self.condition(&path, &text, None).map(Gauge::First),
                "duration" => self.condition(&path, &text, None).map(Gauge::Duration),
                "min" => self.expression(&path, &text).map(Gauge::Min),
                "max" => self.expression(&path, &text).map(Gauge::Max),
                _ => self.expression(&path, &text).map(Gauge::Final),
            };
            measures.extend(gauge.map(|gauge| Measure { name, after, gauge }));
        }
        measures
    }

    /// Reads the expression at `path`; `kind` = of an expectation.
    fn condition(&mut self, path: &str, text: &str, kind: Option<ExpectationKind>) -> Option<Expression> {
        let expression: Expression = self.expression(path, text)?;
        if let Some(unknown) = expression.clients().into_iter().find(|name| !self.clients.iter().any(|c| c == name)) {
            let fault = Fault::new(path, format!("there is no client {unknown:?} in spec.traffic"));
            let known = self.clients.join(", ");
            self.problem(if known.is_empty() { fault } else { fault.help(format!("the clients are {known}")) });
            return None;
        }
        let is_alone = kind == Some(ExpectationKind::Always) && expression.as_promise().is_some();
        if let (Some(name), false) = (expression.promise_over_time(), is_alone) {
            let message = format!("{name}(…) is a promise over the whole run");
            self.problem(Fault::new(path, message).help("it stands alone, as an `always` expectation"));
            return None;
        }
        Some(expression)
    }

    fn expression<E: FromStr<Err = ExpressionError>>(&mut self, path: &str, text: &str) -> Option<E> {
        match text.parse() {
            Ok(expression) => Some(expression),
            Err(error) => {
                let span = find(self.root, path).span.map(|span| inside(&self.text, span, text, error.column));
                let (span, exact) = span.map_or((None, false), |(span, exact)| (Some(span), exact));
                let message = if exact { error.message.clone() } else { error.to_string() };
                let fault = Fault { path: path.to_owned(), message, help: error.help };
                self.problem_at(span, fault);
                None
            }
        }
    }

    /// Where the value at `path` stands.
    fn written(&self, path: &str) -> Option<Written> {
        let span = find(self.root, path).span?;
        Some(Written { source: self.source.clone(), place: span.start })
    }

    fn require(&mut self, path: &str, holds: bool, message: &str) {
        if !holds {
            self.problem(Fault::new(path, message));
        }
    }

    fn problem(&mut self, fault: Fault) {
        let span = find(self.root, &fault.path).span;
        self.problem_at(span, fault);
    }

    fn problem_at(&mut self, span: Option<Span>, fault: Fault) {
        let Fault { path, message, help } = fault;
        let (source, text) = (self.source.clone(), self.text.clone());
        self.problems.push(Problem { source, text, span, path, message, help, also: None });
    }
}

/// What the API server would refuse of a machine's Node object: its name, labels or taints.
fn refused(machine: &NodeTemplate) -> Result<(), Fault> {
    let wrong = |error: SimError| Fault::new("name", error.to_string());
    let mut sim = Simulation::builder().delays(Delays::ideal()).build().map_err(wrong)?;
    sim.add_node(machine).map_err(wrong)?;
    let nodes = sim.view().list(Kind::Node);
    let errors = nodes.first().map(|node| validate_create("Node", &node.to_wire())).unwrap_or_default();
    let Some(error) = errors.first() else { return Ok(()) };
    let field = error.field.split_once('.').map_or(&*error.field, |(_, field)| field);
    Err(Fault::new(field, error.body()))
}

/// What a path leads to.
struct Found<'a> {
    /// The node; `None` if the path leads nowhere.
    node: Option<Node<'a>>,
    /// The range to underline: of the node, or else of the nearest one around it.
    span: Option<Span>,
}

/// The node at a path such as `spec.steps[2].when`.
fn find<'a>(root: Node<'a>, path: &str) -> Found<'a> {
    let (mut node, mut key) = (root, None);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key_span, child)) = entry(node, name) else { return Found { node: None, span: pointed(node, key) } };
        (node, key) = (child, Some(key_span));
        if let Some(index) = index {
            let item = match node.value() {
                Tree::List(mut items) => items.nth(index),
                _ => None,
            };
            let Some(item) = item else { return Found { node: None, span: pointed(node, key) } };
            (node, key) = (item, None);
        }
    }
    Found { node: Some(node), span: pointed(node, key) }
}

fn entry<'a>(node: Node<'a>, name: &str) -> Option<(Span, Node<'a>)> {
    match node.value() {
        Tree::Map(mut entries) => entries.find(|(key, ..)| *key == name).map(|(_, span, child)| (span, child)),
        _ => None,
    }
}

/// A value on one line is underlined, a longer one by its key or its beginning.
fn pointed(node: Node<'_>, key: Option<Span>) -> Option<Span> {
    let span = node.span();
    if span.start.line == span.end.line && !span.is_empty() {
        return Some(span);
    }
    Some(key.unwrap_or_else(|| Span::at(span.start)))
}

/// The word at a column (from 1) of an expression that stands at `span`, and whether it was found there.
fn inside(text: &str, span: Span, expression: &str, column: usize) -> (Span, bool) {
    let Some(written) = span.slice_line(text) else { return (span, false) };
    let Some(before) = written.find(expression) else { return (span, false) };
    let rest = expression.chars().skip(column.saturating_sub(1));
    let word = rest.take_while(|c| c.is_ascii_alphanumeric() || "/-._".contains(*c)).count().max(1);
    let start = written[..before].chars().count() + column.saturating_sub(1);
    let place = |chars: usize| Place {
        line: span.start.line,
        column: span.start.column.saturating_add(u32::try_from(chars).unwrap_or(u32::MAX)),
    };
    (Span { start: place(start), end: place(start + word) }, true)
}
