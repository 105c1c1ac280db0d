//! Any other kind: its fields one by one (upstream `genericDescriber`).

use serde_json::Value;

use super::events_about;
use super::parts::{events, labels_and_annotations, name_and_namespace};
use super::tabs::TabWriter;
use crate::objects::Object;
use crate::report::go_value::go_value;
use crate::sim::Simulation;

/// Fields that stand at the top already.
const TOLD: [&str; 5] =
    [".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];

/// Words that stay in capitals.
const ACRONYMS: [&str; 4] = ["API", "URL", "UID", "GUID"];

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, object: &Object) {
    name_and_namespace(out, object.meta());
    labels_and_annotations(out, object.meta());
    fields(out, 0, "", &object.to_wire());
    events(out, events_about(sim, object.meta()), sim.wall());
}

/// Upstream `printUnstructuredContent`.
fn fields(out: &mut TabWriter, level: usize, path: &str, value: &Value) {
    let Value::Object(members) = value else { return };
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in members {
        let path = format!("{path}.{name}");
        if TOLD.contains(&&*path) {
            continue;
        }
        let title = title(name);
        match value {
            Value::Object(_) => {
                out.line(level, format_args!("{title}:"));
                fields(out, level + 1, &path, value);
            }
            Value::Array(items) => {
                out.line(level, format_args!("{title}:"));
                for item in items {
                    match item {
                        Value::Object(_) => fields(out, level + 1, &path, item),
                        plain => out.line(level + 1, go_value(plain)),
                    }
                }
            }
            plain => out.field(level, &title, go_value(plain)),
        }
    }
}

/// A field's name in words: `apiVersion` becomes `API Version` (upstream `smartLabelFor`).
fn title(field: &str) -> String {
    if field.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return field.to_owned();
    }
    let word = |word: String| {
        if ACRONYMS.contains(&&*word.to_uppercase()) {
            return word.to_uppercase();
        }
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if word.to_lowercase() == word => first.to_uppercase().chain(letters).collect(),
            _ => word,
        }
    };
    joined(words(field)).into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Capitals and the word behind them are one: `IPAddress`, `CIDRs`.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut open = false;
    for word in words {
        let capital = word.starts_with(char::is_uppercase);
        match joined.last_mut() {
            Some(last) if open && capital => {
                last.push_str(&word);
                open = false;
            }
            _ => {
                open = word.len() >= 2 && !word.contains(char::is_lowercase);
                joined.push(word);
            }
        }
    }
    joined
}

/// Parts of a name in camel case; capitals that follow each other stay together, the last of them begins the next word.
fn words(field: &str) -> Vec<String> {
    let letters: Vec<char> = field.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let begins = match before {
            None => true,
            Some(before) if letter.is_uppercase() => {
                !before.is_uppercase() || letters.get(at + 1).is_some_and(|next| next.is_lowercase())
            }
            Some(before) => (*letter == '-') != (before == '-'),
        };
        match words.last_mut() {
            Some(word) if !begins => word.push(*letter),
            _ => words.push(letter.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn names_of_fields_become_words() {
        for (field, words) in [
            ("apiVersion", "API Version"),
            ("kind", "Kind"),
            ("creationTimestamp", "Creation Timestamp"),
            ("uid", "UID"),
            ("targetURL", "Target URL"),
            ("podCIDRs", "Pod CIDRs"),
            ("hostIPAddress", "Host IPAddress"),
            ("data.conf", "data.conf"),
            ("x1", "x1"),
        ] {
            assert_eq!(title(field), words);
        }
    }
}
