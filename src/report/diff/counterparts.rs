//! What counts as a difference between two runs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::matching::Pair;
use crate::objects::{Labels, POD_TEMPLATE_HASH};
use crate::report::fields::Rules;
use crate::sim::LAST_APPLIED;

/// Label that names the ControllerRevision of a pod.
const REVISION_HASH: &str = "controller-revision-hash";

/// Two objects that stand for each other in two runs.
pub(super) struct Counterparts<'a> {
    pub(super) renamed: &'a Renamed,
    /// Whether what time, chance and the number of writes gave counts too.
    pub(super) exact: bool,
}

impl Rules for Counterparts<'_> {
    const OPENS: bool = false;

    fn is_left_out(&self, name: &str, both: bool) -> bool {
        !self.exact && both && is_of_chance(name)
    }

    fn is_same(&self, first: &Value, second: &Value) -> bool {
        match (first, second) {
            (first, second) if first == second => true,
            (Value::String(first), Value::String(second)) if !self.exact => self.renamed.in_text(first) == *second,
            _ => false,
        }
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.0.get(name).map_or(name, String::as_str)
    }
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

/// Fields that say when, or what chance or the number of writes gave, where both sides have them.
fn is_of_chance(name: &str) -> bool {
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
    let is_time = ["Time", "Timestamp"].iter().any(|end| name.ends_with(end)) || name.ends_with("edAt");
    is_time || NAMES.contains(&name)
}
