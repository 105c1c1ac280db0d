//! Two documents, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// Most characters of a value.
const MOST_CHARS: usize = 80;

/// A field that differs. `None` = it is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where: `spec.containers[web].image`, `status.conditions[Ready].status`.
    pub path: String,
    /// Its value on the first side.
    pub first: Option<Value>,
    /// Its value on the second side.
    pub second: Option<Value>,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        let shown = |value| shown(value, MOST_CHARS);
        match (&self.first, &self.second) {
            (Some(first), Some(second)) => write!(out, "{path}: {} → {}", shown(first), shown(second)),
            (Some(first), None) => write!(out, "- {path}: {}", shown(first)),
            (None, Some(second)) => write!(out, "+ {path}: {}", shown(second)),
            (None, None) => Ok(()),
        }
    }
}

/// A value on one line of so many characters.
pub(super) fn shown(value: &Value, most_chars: usize) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.replace('\n', "\\n"),
        other => other.to_string(),
    };
    if text.chars().count() <= most_chars {
        return text;
    }
    text.chars().take(most_chars - 1).chain(['…']).collect()
}

/// What counts as a difference.
pub(super) trait Rules {
    /// Whether fields and items are told one by one of a list or object that only one side has. Items that are objects are told
    /// as a whole nevertheless.
    const OPENS: bool;

    /// Whether a field of that name is passed over. `both`: whether both sides have it.
    fn is_left_out(&self, name: &str, both: bool) -> bool;

    /// Whether two values that have no parts are the same.
    fn is_same(&self, first: &Value, second: &Value) -> bool {
        first == second
    }

    /// What something that the first side has is called on the second.
    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        name
    }
}

/// Fields that differ between two documents, by their paths.
pub(super) fn compare(first: &Value, second: &Value, rules: &impl Rules) -> Vec<FieldChange> {
    let mut walk = Walk { rules, found: Vec::new() };
    walk.value("", "", Some(first), Some(second));
    walk.found
}

struct Walk<'a, R> {
    rules: &'a R,
    found: Vec<FieldChange>,
}

impl<R: Rules> Walk<'_, R> {
    fn value(&mut self, path: &str, name: &str, first: Option<&Value>, second: Option<&Value>) {
        let [first, second] = [first, second].map(|side| side.filter(|value| !value.is_null()));
        if self.rules.is_left_out(name, first.is_some() && second.is_some()) {
            return;
        }
        let (no_members, no_items) = (Map::new(), Vec::new());
        match (first, second) {
            (None, None) => {}
            (Some(Value::Object(first)), Some(Value::Object(second))) => self.members(path, first, second),
            (Some(Value::Array(first)), Some(Value::Array(second))) => self.items(path, first, second),
            (Some(Value::Object(first)), None) if R::OPENS => self.members(path, first, &no_members),
            (None, Some(Value::Object(second))) if R::OPENS => self.members(path, &no_members, second),
            (Some(Value::Array(first)), None) if R::OPENS => self.items(path, first, &no_items),
            (None, Some(Value::Array(second))) if R::OPENS => self.items(path, &no_items, second),
            (Some(first), Some(second)) if self.rules.is_same(first, second) => {}
            (first, second) => self.tell(path, first, second),
        }
    }

    fn tell(&mut self, path: &str, first: Option<&Value>, second: Option<&Value>) {
        self.found.push(FieldChange { path: path.to_owned(), first: first.cloned(), second: second.cloned() });
    }

    fn members(&mut self, path: &str, first: &Map<String, Value>, second: &Map<String, Value>) {
        let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
        for name in names {
            // A key with dots would read as a path of its own.
            let below = match (path, name.contains(['.', '/'])) {
                ("", _) => name.clone(),
                (path, true) => format!("{path}[{name}]"),
                (path, false) => format!("{path}.{name}"),
            };
            self.value(&below, name, first.get(name), second.get(name));
        }
    }

    /// Items that have names are told apart by them, others by their places.
    fn items(&mut self, path: &str, first: &[Value], second: &[Value]) {
        let firsts: BTreeMap<ItemKey, &Value> =
            first.iter().enumerate().map(|(at, item)| (self.key(item, at, true), item)).collect();
        let seconds: BTreeMap<ItemKey, &Value> =
            second.iter().enumerate().map(|(at, item)| (self.key(item, at, false), item)).collect();
        if firsts.len() != first.len() || seconds.len() != second.len() {
            for at in 0..first.len().max(second.len()) {
                self.item(path, &at.to_string(), first.get(at), second.get(at));
            }
            return;
        }
        let keys: BTreeSet<&ItemKey> = firsts.keys().chain(seconds.keys()).collect();
        for key in keys {
            let name = match key {
                ItemKey::Name(name) => name.clone(),
                ItemKey::Place(at) => at.to_string(),
            };
            self.item(path, &name, firsts.get(key).copied(), seconds.get(key).copied());
        }
    }

    fn item(&mut self, path: &str, name: &str, first: Option<&Value>, second: Option<&Value>) {
        let below = format!("{path}[{name}]");
        match (first, second) {
            (Some(Value::Object(_)), None) | (None, Some(Value::Object(_))) => self.tell(&below, first, second),
            _ => self.value(&below, name, first, second),
        }
    }

    /// What an item of a list is called.
    fn key(&self, item: &Value, at: usize, is_first: bool) -> ItemKey {
        // Endpoints are called by the pod behind them.
        let about = item.get("targetRef").and_then(|about| about.get("name")?.as_str());
        if let Some(pod) = about {
            return ItemKey::Name(if is_first { self.rules.renamed(pod) } else { pod }.to_owned());
        }
        let names = ["name", "type", "key", "ip", "containerPort", "port"];
        let name = names.iter().find_map(|field| match item.get(*field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        });
        name.map_or(ItemKey::Place(at), ItemKey::Name)
    }
}

/// An item of a list: by what it is called, or its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ItemKey {
    Place(usize),
    Name(String),
}
