//! Two documents, field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::objects::{Labels, Object, POD_TEMPLATE_HASH};
use crate::sim::LAST_APPLIED;

use super::matching::Pair;

/// Label that names the ControllerRevision of a pod.
const REVISION_HASH: &str = "controller-revision-hash";

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

impl std::fmt::Display for FieldChange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = &self.path;
        match (&self.first, &self.second) {
            (Some(first), Some(second)) => write!(out, "{path}: {} → {}", shown(first), shown(second)),
            (Some(first), None) => write!(out, "- {path}: {}", shown(first)),
            (None, Some(second)) => write!(out, "+ {path}: {}", shown(second)),
            (None, None) => Ok(()),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.replace('\n', "\\n"),
        other => other.to_string(),
    };
    if text.chars().count() <= MOST_CHARS {
        return text;
    }
    text.chars().take(MOST_CHARS - 1).chain(['…']).collect()
}

/// Names, uids and hashes of the first side, and what the second has in their place.
#[derive(Debug, Default)]
pub(super) struct Renamed(BTreeMap<String, String>);

impl Renamed {
    pub(super) fn of(pairs: &[Pair]) -> Self {
        let mut renamed = BTreeMap::new();
        for (first, second) in pairs.iter().filter_map(|pair| pair.first.as_ref().zip(pair.second.as_ref())) {
            let (first, second) = (first.meta(), second.meta());
            let label = |labels: &Labels, name: &str| labels.get(name).unwrap_or_default().to_owned();
            let hashes = [POD_TEMPLATE_HASH, REVISION_HASH];
            let hashes = hashes.map(|name| (label(&first.labels, name), label(&second.labels, name)));
            for (first, second) in [
                (first.uid.to_string(), second.uid.to_string()),
                (first.name.to_string(), second.name.to_string()),
                (first.generate_name.to_string(), second.generate_name.to_string()),
            ]
            .into_iter()
            .chain(hashes)
            {
                if first != second {
                    renamed.insert(first, second);
                }
            }
        }
        Self(renamed)
    }
}

impl Renamed {
    /// A text of the first side as the second would have it: `ReplicaSet "web-5d7f" has …`.
    fn in_text(&self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(next) = rest.chars().next() {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len()).max(next.len_utf8());
            let (word, behind) = rest.split_at(if is_part(next) { length } else { next.len_utf8() });
            out.push_str(self.0.get(word).map_or(word, String::as_str));
            rest = behind;
        }
        out
    }
}

/// Fields that differ between two objects.
pub(super) fn compare(first: &Object, second: &Object, renamed: &Renamed, exact: bool) -> Vec<FieldChange> {
    let mut comparison = Comparison { renamed, exact, found: Vec::new() };
    comparison.value("", Some(&first.to_wire()), Some(&second.to_wire()));
    comparison.found
}

struct Comparison<'a> {
    renamed: &'a Renamed,
    exact: bool,
    found: Vec<FieldChange>,
}

impl Comparison<'_> {
    fn value(&mut self, path: &str, first: Option<&Value>, second: Option<&Value>) {
        if !self.exact && first.is_some() && second.is_some() && is_of_chance(path) {
            return;
        }
        match (first, second) {
            (None | Some(Value::Null), None | Some(Value::Null)) => {}
            (Some(Value::Object(first)), Some(Value::Object(second))) => self.members(path, first, second),
            (Some(Value::Array(first)), Some(Value::Array(second))) => self.items(path, first, second),
            (first, second) => {
                let same = match (first, second) {
                    (Some(first), Some(second)) => self.is_same(first, second),
                    _ => false,
                };
                if !same {
                    let (first, second) = (first.cloned(), second.cloned());
                    self.found.push(FieldChange { path: path.to_owned(), first, second });
                }
            }
        }
    }

    fn is_same(&self, first: &Value, second: &Value) -> bool {
        match (first, second) {
            (first, second) if first == second => true,
            (Value::String(first), Value::String(second)) if !self.exact => self.renamed.in_text(first) == *second,
            _ => false,
        }
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
            self.value(&below, first.get(name), second.get(name));
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
                self.value(&format!("{path}[{at}]"), first.get(at), second.get(at));
            }
            return;
        }
        let keys: BTreeSet<&ItemKey> = firsts.keys().chain(seconds.keys()).collect();
        for key in keys {
            let below = match key {
                ItemKey::Name(name) => format!("{path}[{name}]"),
                ItemKey::Place(at) => format!("{path}[{at}]"),
            };
            self.value(&below, firsts.get(key).copied(), seconds.get(key).copied());
        }
    }

    /// What an item of a list is called.
    fn key(&self, item: &Value, at: usize, is_first: bool) -> ItemKey {
        // Endpoints are called by the pod behind them.
        let about = item.get("targetRef").and_then(|about| about.get("name")?.as_str());
        if let Some(pod) = about {
            let like = is_first.then(|| self.renamed.0.get(pod)).flatten();
            return ItemKey::Name(like.map_or_else(|| pod.to_owned(), Clone::clone));
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

/// Fields that say when, or what chance or the number of writes gave, where both sides have them.
fn is_of_chance(path: &str) -> bool {
    const NAMES: [&str; 16] = [
        "uid",
        "resourceVersion",
        "generation",
        "observedGeneration",
        "podIP",
        "podIPs",
        "hostIP",
        "hostIPs",
        "clusterIP",
        "clusterIPs",
        "addresses",
        "containerID",
        "nodePort",
        "healthCheckNodePort",
        "endpoints.kubernetes.io/last-change-trigger-time",
        LAST_APPLIED,
    ];
    let last = match path.strip_suffix(']').and_then(|path| path.rfind('[')) {
        Some(open) => &path[open + 1..path.len() - 1],
        None => path.rsplit('.').next().unwrap_or(path),
    };
    let is_time = ["Time", "Timestamp"].iter().any(|end| last.ends_with(end)) || last.ends_with("edAt");
    is_time || NAMES.contains(&last)
}
