//! Parameters of a scenario: `$(params.replicas)` in its text stands for a value of `spec.parameters`.
//!
//! Values are put into the text before it is read, so that they may stand anywhere: as a count, inside of an image, in the
//! manifests under `objects`. Manifest files beside the scenario are taken as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::objects::reader::{Node, Place, ReaderLimits, Span, Value as Tree, parse_spanned};

use super::error::{Problem, ScenarioError};
use super::schema::{Scenario, read_file};

/// How a reference begins. It ends with a parenthesis.
const REFERENCE: &str = "$(params.";
/// Longest value.
const MAX_VALUE: usize = 4096;
/// Longest text with its values put in: what the reader takes.
const MAX_TEXT: usize = 64 << 20;

/// Values for the parameters of a scenario, in place of those that its file has.
///
/// ```
/// use seatrial::scenario::{Parameters, RunOptions, Scenario};
///
/// let text = r#"
/// apiVersion: seatrial.dev/v1
/// kind: Scenario
/// metadata: {name: machines}
/// spec:
///   parameters: {machines: 2}
///   duration: 1m
///   nodes: [{name: worker, count: $(params.machines)}]
/// "#;
/// assert_eq!(Scenario::read("machines.yaml", text)?.nodes.len(), 2);
/// let more = Parameters::default().set("machines", "5");
/// assert_eq!(Scenario::read_with("machines.yaml", text, ".".as_ref(), &more)?.nodes.len(), 5);
/// # Ok::<(), seatrial::scenario::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// With a value for a parameter, as it is to stand in the text.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The values by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A scenario's text with values in place of its parameters.
    ///
    /// # Errors
    /// References to parameters that there are not, and values of those.
    pub fn fill<'a>(source: &str, text: &'a str, values: &Self) -> Result<Cow<'a, str>, Vec<Problem>> {
        fill(source, text, values).map(|filled| filled.text)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Scenario {
    /// Reads a scenario from a text with other values for its parameters; `manifests` are looked for in `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, and values for parameters that it does not have.
    pub fn read_with(source: &str, text: &str, folder: &Path, values: &Parameters) -> Result<Self, ScenarioError> {
        let filled = fill(source, text, values).map_err(ScenarioError::Input)?;
        let scenario = Self::read_filled(source, &filled.text, folder)?;
        Ok(Self { parameters: filled.values, ..scenario })
    }

    /// Reads a scenario file with other values for its parameters; `manifests` are looked for beside it.
    ///
    /// # Errors
    /// As for [`Self::read_with`], and if the file cannot be read.
    pub fn load_with(path: &Path, values: &Parameters) -> Result<Self, ScenarioError> {
        let text = read_file(path)?;
        Self::read_with(&path.display().to_string(), &text, path.parent().unwrap_or(Path::new("")), values)
    }
}

/// A text with the values of its parameters.
#[derive(Debug)]
struct Filled<'a> {
    text: Cow<'a, str>,
    /// The values that were put in.
    values: Parameters,
}

fn fill<'a>(source: &str, text: &'a str, given: &Parameters) -> Result<Filled<'a>, Vec<Problem>> {
    let mut filler = Filler { source: source.into(), text, shown: None, values: BTreeMap::new(), problems: Vec::new() };
    // What is wrong with the text as such is told when it is read.
    if let Ok(file) = parse_spanned(source, text, &ReaderLimits::default())
        && let Some(node) = file.roots().next().and_then(|root| root.get("spec")?.get("parameters"))
    {
        filler.declare(node);
    } else if !text.contains(REFERENCE) && given.is_empty() {
        return Ok(Filled { text: Cow::Borrowed(text), values: Parameters::default() });
    }
    filler.override_with(given);
    let text = filler.put_in();
    if filler.problems.is_empty() {
        Ok(Filled { text, values: Parameters(filler.values) })
    } else {
        Err(filler.problems)
    }
}

struct Filler<'a> {
    source: Arc<str>,
    text: &'a str,
    /// The text as problems show it.
    shown: Option<Arc<str>>,
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl<'a> Filler<'a> {
    fn declare(&mut self, node: Node<'_>) {
        let Tree::Map(entries) = node.value() else {
            return self.problem(Some(node.span()), "spec.parameters", "expected a map of names and values", None);
        };
        for (name, span, value) in entries {
            let path = format!("spec.parameters.{name}");
            if !is_name(name) {
                let help = "letters, digits, - and _, such as replicas";
                self.problem(Some(span), &path, "this is not a name of a parameter", Some(help.to_owned()));
            }
            match scalar(value.to_json()) {
                Some(text) => self.value(Some(value.span()), &path, name, text),
                None => self.problem(
                    Some(value.span()),
                    &path,
                    "expected a string, a number or a boolean",
                    Some("a parameter stands for one value".to_owned()),
                ),
            }
        }
    }

    fn value(&mut self, span: Option<Span>, path: &str, name: &str, value: String) {
        if value.len() > MAX_VALUE || value.contains(['\n', '\r']) {
            let message = format!("a value is one line of at most {MAX_VALUE} bytes");
            self.problem(span, path, &message, None);
        }
        self.values.insert(name.to_owned(), value);
    }

    fn override_with(&mut self, given: &Parameters) {
        for (name, value) in given.iter() {
            let path = format!("spec.parameters.{name}");
            if self.values.contains_key(name) {
                self.value(None, &path, name, value.to_owned());
            } else {
                let help = self.likely(name);
                self.problem(None, &path, &format!("the scenario has no parameter {name:?}"), Some(help));
            }
        }
    }

    /// The text with a value in place of every reference.
    fn put_in(&mut self) -> Cow<'a, str> {
        let mut rest = self.text;
        let mut filled = String::new();
        while let Some(at) = rest.find(REFERENCE) {
            let (before, reference) = rest.split_at(at);
            filled.push_str(before);
            let name = &reference[REFERENCE.len()..];
            let length = name.find(')').filter(|length| is_name(&name[..*length]));
            let value = length.and_then(|length| self.values.get(&name[..length]));
            match (length, value) {
                (Some(length), Some(value)) => {
                    filled.push_str(value);
                    rest = &name[length + 1..];
                }
                (length, _) => {
                    let span = self.span_at(self.text.len() - reference.len(), length);
                    let message = match length {
                        Some(length) => format!("there is no parameter {:?}", &name[..length]),
                        None => "this reference to a parameter is not of the form $(params.name)".to_owned(),
                    };
                    let help = length.map(|length| self.likely(&name[..length]));
                    self.problem(Some(span), "", &message, help);
                    rest = name;
                }
            }
            if filled.len() > MAX_TEXT {
                self.problem(None, "spec.parameters", "with these values the text is longer than 64 MiB", None);
                break;
            }
            if self.problems.len() > ReaderLimits::default().max_errors {
                break;
            }
        }
        if filled.is_empty() && rest.len() == self.text.len() {
            return Cow::Borrowed(self.text);
        }
        filled.push_str(rest);
        Cow::Owned(filled)
    }

    fn likely(&self, name: &str) -> String {
        let likeness = |other: &str| strsim::jaro(other, name);
        match self.values.keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
            Some(nearest) if likeness(nearest) > 0.8 => format!("did you mean {nearest:?}?"),
            Some(_) => {
                let names: Vec<&str> = self.values.keys().map(|name| &**name).collect();
                format!("the parameters are {}", names.join(", "))
            }
            None => "parameters are declared as `spec: {parameters: {name: value}}`".to_owned(),
        }
    }

    /// The place of a reference, of which the name is so long.
    fn span_at(&self, offset: usize, name: Option<usize>) -> Span {
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let start = Place { line: number(line), column: number(column) };
        let length = REFERENCE.len() + name.map_or(0, |name| name + 1);
        Span { start, end: Place { column: number(column + length), ..start } }
    }

    fn problem(&mut self, span: Option<Span>, path: &str, message: &str, help: Option<String>) {
        let text = self.shown.get_or_insert_with(|| self.text.into()).clone();
        let (source, path, message) = (self.source.clone(), path.to_owned(), message.to_owned());
        self.problems.push(Problem { source, text, span, path, message, help, also: None });
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, given: &Parameters) -> Result<String, String> {
        fill("s.yaml", text, given).map(|filled| filled.text.into_owned()).map_err(|problems| {
            let lines = problems.iter().map(|problem| match &problem.help {
                Some(help) => format!("{problem} ({help})"),
                None => problem.to_string(),
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }

    const TEXT: &str = "spec:\n  parameters: {machines: 3, image: 'web:v2'}\n  nodes: [{name: \"n\", count: $(params.machines)}]\n  x: \"$(params.image)-$(params.image)\"\n";

    #[test]
    fn references_stand_for_values() {
        let expected = TEXT.replace("$(params.machines)", "3").replace("$(params.image)", "web:v2");
        assert_eq!(filled(TEXT, &Parameters::default()).unwrap(), expected);
        let expected = TEXT.replace("$(params.machines)", "10").replace("$(params.image)", "web:v2");
        assert_eq!(filled(TEXT, &Parameters::default().set("machines", "10")).unwrap(), expected);
    }

    #[test]
    fn texts_without_references_stay_as_they_are() {
        for text in ["", "spec: {}", "a: $(VAR)", "]", "spec: {parameters: {a: 1}}"] {
            assert_eq!(filled(text, &Parameters::default()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let error = |text: &str| filled(text, &Parameters::default()).unwrap_err();
        assert_eq!(
            error("spec:\n  parameters: {machines: 3}\n  count: $(params.machine)\n"),
            "s.yaml:3:10: there is no parameter \"machine\" (did you mean \"machines\"?)"
        );
        assert_eq!(
            error("a: $(params.b)"),
            "s.yaml:1:4: there is no parameter \"b\" (parameters are declared as `spec: {parameters: {name: value}}`)"
        );
        assert_eq!(
            error("spec: {parameters: {a: [1]}}"),
            "s.yaml:1:24: spec.parameters.a: expected a string, a number or a boolean (a parameter stands for one value)"
        );
        assert_eq!(
            error("a: $(params.b c)"),
            "s.yaml:1:4: this reference to a parameter is not of the form $(params.name)"
        );
        assert_eq!(
            filled("spec: {parameters: {a: 1}}", &Parameters::default().set("aa", "1")).unwrap_err(),
            "s.yaml: spec.parameters.aa: the scenario has no parameter \"aa\" (did you mean \"a\"?)"
        );
        assert_eq!(
            filled("spec: {parameters: {a: 1}}", &Parameters::default().set("a", "1\n2")).unwrap_err(),
            "s.yaml: spec.parameters.a: a value is one line of at most 4096 bytes"
        );
    }

    #[test]
    fn values_cannot_fill_the_memory() {
        let text =
            format!("spec: {{parameters: {{a: \"{}\"}}}}\nb: \"{}\"", "x".repeat(4096), "$(params.a)".repeat(50_000));
        assert!(filled(&text, &Parameters::default()).unwrap_err().contains("longer than 64 MiB"));
    }
}
