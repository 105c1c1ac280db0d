//! A scenario that can be taken apart: its file as a value, its objects beside it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::explore::case::Case;
use crate::explore::error::ExploreError;
use crate::explore::plan::Plan;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::reader::{ReaderLimits, parse_spanned};
use crate::objects::to_yaml;
use crate::scenario::{Expression, Parameters, Scenario, ScenarioError, Verb};

/// Marks a step that stands for what a fault did at random; no part of the file.
pub(super) const FAULT: &str = "fault";

const NEEDS_LIBRARY: &str = "\
# It fails with controllers or invariants that are no part of seatrial: `seatrial run` plays it without them. Replay it with the\n\
# library: Scenario::load(path)?.run(&RunOptions { extensions, ..RunOptions::default() }).\n";

/// A scenario in parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    /// The name.
    name: String,
    /// `spec`, without `objects`, `manifests` and `parameters`.
    pub(super) spec: Map<String, Value>,
    /// What is applied at the beginning.
    pub(super) objects: Vec<Value>,
}

impl Draft {
    /// The parts of a case's scenario, its parameters filled in.
    pub(super) fn of(plan: &Plan, case: &Case, scenario: &Scenario) -> Result<Self, ExploreError> {
        let values = scenario.parameters.clone();
        let filled = Parameters::fill(&plan.source, &plan.text, &values).map_err(ScenarioError::Input)?;
        let file = parse_spanned(&plan.source, &filled, &ReaderLimits::default());
        let root = file.ok().and_then(|file| file.roots().next().map(|root| root.to_json())).unwrap_or_default();
        let mut spec = root["spec"].as_object().cloned().unwrap_or_default();
        for field in ["objects", "manifests", "parameters", "measure"] {
            spec.remove(field);
        }
        spec.insert("seed".to_owned(), json!(case.seed));
        let objects = scenario.manifests.iter().map(|manifest| manifest.document.value.clone()).collect();
        Ok(Self { name: format!("{}-seed-{}", scenario.name, case.seed), spec, objects })
    }

    /// The list at a field of the spec.
    pub(super) fn list(&self, field: &str) -> &[Value] {
        self.spec.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn list_mut(&mut self, field: &str) -> Option<&mut Vec<Value>> {
        self.spec.get_mut(field).and_then(Value::as_array_mut)
    }

    /// Writes the expectation down, if it is a promise that the scenario does not name and a file can say.
    pub(super) fn expect(&mut self, expectation: &str) {
        let Some(promise) = expectation.strip_prefix("always: ") else { return };
        let entry = json!({"always": promise});
        if promise.parse::<Expression>().is_ok() && !self.list("expect").contains(&entry) {
            let expected = self.spec.entry("expect").or_insert_with(|| json!([]));
            expected.as_array_mut().into_iter().for_each(|list| list.push(entry.clone()));
        }
    }

    /// How many steps and injectors of faults there are.
    pub(super) fn disturbances(&self) -> usize {
        self.list("steps").len() + self.list("faults").len()
    }

    pub(super) fn without_faults(&self) -> Self {
        let mut draft = self.clone();
        draft.spec.remove("faults");
        let read = self.scenario().map(|scenario| scenario.steps).unwrap_or_default();
        let mut verbs = read.iter().map(|step| &step.verb);
        if let Some(steps) = draft.list_mut("steps") {
            steps.retain(|step| {
                let befalls = verbs.next().is_some_and(Verb::is_fault);
                !befalls && step.get(FAULT).is_none()
            });
        }
        draft
    }

    pub(super) fn without_steps(&self) -> Self {
        let mut draft = self.clone();
        draft.spec.remove("steps");
        draft
    }

    /// Reads it.
    pub(super) fn scenario(&self) -> Result<Scenario, ScenarioError> {
        Scenario::read_with("shrunk.yaml", &self.body(), Path::new(""), &Parameters::default())
    }

    /// As a file, with what was found above it.
    pub(super) fn to_yaml(&self, expectation: &str, at: SimTime, why: &str, needs_library: bool) -> String {
        let mut text = format!("# {expectation}\n# fails at {at}: {}\n", why.replace('\n', "\n# "));
        if needs_library {
            text.push_str(NEEDS_LIBRARY);
        }
        text.push_str(&self.body());
        text
    }

    fn body(&self) -> String {
        let mut spec = self.spec.clone();
        spec.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
        for step in spec.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten() {
            step.as_object_mut().and_then(|step| step.remove(FAULT));
        }
        let mut text = format!(
            "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: {}}}\nspec:\n",
            flow(&Value::from(self.name.as_str()))
        );
        // In the order in which people write them.
        let first = ["seed", "duration", "settle", "profile", "nodes"];
        let last = ["containers", "traffic", "faults", "steps", "expect"];
        let is_between = |name: &&String| !first.contains(&name.as_str()) && !last.contains(&name.as_str());
        let between: Vec<&str> = spec.keys().filter(is_between).map(|name| &**name).collect();
        for name in first.into_iter().chain(between) {
            field(&mut text, name, spec.get(name));
        }
        if !self.objects.is_empty() {
            text.push_str("  objects: |\n");
            for (at, object) in self.objects.iter().enumerate() {
                if at > 0 {
                    text.push_str("    ---\n");
                }
                block(&mut text, 4, object);
            }
        }
        for name in last {
            field(&mut text, name, spec.get(name));
        }
        text
    }
}

fn field(text: &mut String, name: &str, value: Option<&Value>) {
    match value {
        None => {}
        Some(Value::Array(items)) => {
            let _ = writeln!(text, "  {name}:");
            for item in items {
                let _ = writeln!(text, "  - {}", flow(item));
            }
        }
        Some(value @ Value::Object(_)) => {
            let _ = writeln!(text, "  {name}:");
            block(text, 4, value);
        }
        Some(value) => {
            let _ = writeln!(text, "  {name}: {}", flow(value));
        }
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", plain(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => plain(text),
        scalar => scalar.to_string(),
    }
}

/// A string without quotes where nothing else than a string can be meant.
fn plain(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    let is_word = text.len() > 2 && text.chars().all(harmless) && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_time = text.parse::<SimDuration>().is_ok() && text.ends_with(|c: char| c.is_ascii_alphabetic());
    let means_more = ["yes", "off", "true", "false", "null"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_key = matches!(text, "at");
    if is_key || (is_word && !means_more) || is_time { text.to_owned() } else { Value::from(text).to_string() }
}

/// A value as YAML, indented.
fn block(text: &mut String, indent: usize, value: &Value) {
    for line in to_yaml(value).lines() {
        if line.is_empty() {
            text.push('\n');
        } else {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
}
