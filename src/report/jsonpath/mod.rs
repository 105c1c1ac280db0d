//! JSONPath in kubectl's dialect (upstream `client-go/util/jsonpath`): text with expressions in braces, `range` and `end`,
//! filters, unions, slices and recursive descent.
//!
//! RFC 9535, which crates implement, is another language: it has no templates, no `range`, no quoted text, and demands `$`.

mod eval;
mod parse;

use serde_json::Value;

use super::go_value::go_value;
pub(super) use eval::compare;
use parse::Node;

/// Why a template cannot be read, or does not fit a document, in upstream's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonPathError {
    message: String,
}

impl JsonPathError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// A template such as `{.items[*].metadata.name}` or `{range .items[*]}{.metadata.name}{"\n"}{end}`.
///
/// ```
/// use seatrial::report::JsonPath;
/// use serde_json::json;
///
/// let pods = json!({"items": [{"name": "a", "ready": true}, {"name": "b", "ready": false}]});
/// let ready = JsonPath::parse("{.items[?(@.ready==true)].name}")?;
/// assert_eq!(ready.print(&pods)?, "a");
/// let names = JsonPath::parse(r#"{range .items[*]}{.name}{"\n"}{end}"#)?;
/// assert_eq!(names.print(&pods)?, "a\nb\n");
/// # Ok::<(), seatrial::report::JsonPathError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    /// Texts and expressions of the template, in order.
    parts: Vec<Node>,
}

impl JsonPath {
    /// Reads a template.
    ///
    /// # Errors
    /// If it is not one, or nests deeper than any template that means something.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self { parts: parse::template(text)? })
    }

    /// Reads one expression as `--sort-by` and columns have it: `.metadata.name`, with or without the dot and the braces.
    ///
    /// # Errors
    /// If it is not one.
    pub fn relaxed(text: &str) -> Result<Self, JsonPathError> {
        let unexpected = || {
            JsonPathError::new(
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'",
            )
        };
        let bare = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or_else(unexpected)?,
            None => text,
        };
        let bare = bare.strip_prefix('.').unwrap_or(bare);
        if bare.is_empty() || bare.contains(['{', '}']) {
            return Err(unexpected());
        }
        Self::parse(&format!("{{.{bare}}}"))
    }

    /// What each part finds in a document. A field that is not there finds nothing.
    ///
    /// # Errors
    /// If an index is out of bounds, something that is not a list is filtered, or more than a million values are found.
    pub fn find(&self, document: &Value) -> Result<Vec<Vec<Value>>, JsonPathError> {
        eval::evaluate(&self.parts, document)
    }

    /// The template with what was found filled in: lists and maps as JSON, several values with a space between them.
    ///
    /// # Errors
    /// As [`JsonPath::find`].
    pub fn print(&self, document: &Value) -> Result<String, JsonPathError> {
        let text = |value: &Value| match value {
            Value::Array(_) | Value::Object(_) => value.to_string(),
            Value::Null => "null".to_owned(),
            plain => go_value(plain),
        };
        let found = self.find(document)?;
        Ok(found.iter().map(|values| values.iter().map(text).collect::<Vec<_>>().join(" ")).collect())
    }

    /// The same as JSON lists, one for each part (`-o jsonpath-as-json`).
    ///
    /// # Errors
    /// As [`JsonPath::find`].
    pub fn print_json(&self, document: &Value) -> Result<String, JsonPathError> {
        let found = self.find(document)?;
        Ok(found.into_iter().map(|values| format!("{}\n", indented(&Value::Array(values)))).collect())
    }
}

/// JSON indented by four spaces.
pub(super) fn indented(value: &Value) -> String {
    let mut out = Vec::new();
    let mut writer =
        serde_json::Serializer::with_formatter(&mut out, serde_json::ser::PrettyFormatter::with_indent(b"    "));
    let written = serde::Serialize::serialize(value, &mut writer);
    debug_assert!(written.is_ok(), "a value is always written");
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests;
