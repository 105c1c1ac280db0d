//! Values as YAML, in kubectl's style: what is written is read back as it was, also by readers who take `y` for a boolean.
//!
//! Upstream: `sigs.k8s.io/yaml` on `go.yaml.in/yaml/v2` (`encode.go`, `sorter.go`, `emitterc.go`).

mod order;
mod scalar;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

/// Columns that one level takes.
const INDENT: usize = 2;

/// The value as a YAML document, its keys in natural order.
///
/// ```
/// use seatrial::objects::to_yaml;
/// use serde_json::json;
///
/// let text = to_yaml(&json!({"args": ["a", "y"], "labels": {}, "name": "web"}));
/// assert_eq!(text, "args:\n- a\n- \"y\"\nlabels: {}\nname: web\n");
/// ```
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut emitter = Emitter::default();
    emitter.node(value, 0);
    emitter.text.push('\n');
    emitter.text
}

#[derive(Debug, Default)]
struct Emitter {
    text: String,
    /// Characters on the line so far.
    column: usize,
}

impl Emitter {
    /// A value that begins where the last character ended.
    fn node(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(members) if !members.is_empty() => self.mapping(members, indent),
            Value::Array(items) if !items.is_empty() => self.sequence(items, indent),
            leaf => self.leaf(leaf, indent.max(INDENT)),
        }
    }

    fn mapping(&mut self, members: &Map<String, Value>, indent: usize) {
        let mut members: Vec<(&String, &Value)> = members.iter().collect();
        members.sort_by(|a, b| order::natural(a.0, b.0));
        for (at, (key, value)) in members.into_iter().enumerate() {
            if at > 0 {
                self.line(indent);
            }
            self.key(key);
            self.put(":");
            match value {
                Value::Object(inner) if !inner.is_empty() => {
                    self.line(indent + INDENT);
                    self.mapping(inner, indent + INDENT);
                }
                // Items stand below the key, not to the right of it.
                Value::Array(items) if !items.is_empty() => {
                    self.line(indent);
                    self.sequence(items, indent);
                }
                leaf => {
                    self.put(" ");
                    self.leaf(leaf, indent + INDENT);
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.line(indent);
            }
            self.put("- ");
            self.node(item, indent + INDENT);
        }
    }

    /// `indent`: of the lines after the first.
    fn leaf(&mut self, value: &Value, indent: usize) {
        match value {
            Value::String(text) => self.string(text, indent),
            Value::Object(_) => self.put("{}"),
            Value::Array(_) => self.put("[]"),
            other => self.put(&other.to_string()),
        }
    }

    /// Begins a line.
    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }
}
