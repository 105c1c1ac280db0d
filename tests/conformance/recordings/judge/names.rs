//! Identities without random suffixes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::trace::Entry;

/// ReplicaSets, ControllerRevisions and Jobs are known by their order of creation under their owner: `Deployment/web#2`.
pub(crate) struct Names {
    ordinal: BTreeMap<(String, String), String>,
    /// Names to replace in a text, the longest first.
    in_text: Vec<(String, String)>,
}

const NUMBERED: &[&str] = &["ReplicaSet", "Job", "ControllerRevision"];

impl Names {
    pub(crate) fn of_trace(trace: &[Entry]) -> Self {
        let mut names = Self { ordinal: BTreeMap::new(), in_text: Vec::new() };
        let mut count: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for entry in trace {
            let (kind, owner) = (entry.kind(), entry.text("owner"));
            let key = (kind.to_owned(), entry.name().to_owned());
            if !entry.added() || owner.is_empty() || !NUMBERED.contains(&kind) || names.ordinal.contains_key(&key) {
                continue;
            }
            let ordinal = count.entry((kind, owner)).or_default();
            *ordinal += 1;
            let identity = format!("{owner}#{ordinal}");
            match names.in_text.iter_mut().find(|(name, _)| *name == key.1) {
                Some(known) => known.1.clone_from(&identity),
                None => names.in_text.push((key.1.clone(), identity.clone())),
            }
            names.ordinal.insert(key, identity);
        }
        names.in_text.sort_by_key(|(name, _)| std::cmp::Reverse(name.chars().count()));
        names
    }

    /// The identity of an object.
    pub(crate) fn of(&self, kind: &str, name: &str) -> String {
        let known = self.ordinal.get(&(kind.to_owned(), name.to_owned()));
        known.cloned().unwrap_or_else(|| format!("{kind}/{name}"))
    }

    /// The identity of an owner, written `Kind/name`.
    pub(crate) fn owner(&self, owner: &str) -> Option<String> {
        owner.split_once('/').map(|(kind, name)| self.of(kind, name))
    }

    /// A text with all that is random replaced.
    pub(crate) fn text(&self, text: &str) -> String {
        static PATTERNS: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
            let compiled = |pattern| Regex::new(pattern).expect("a valid pattern");
            [
                (compiled(r"(#\d+)-[a-z0-9]{5}\b"), "${1}-*"),
                (compiled(r"\b([a-z][a-z0-9]*(?:-\d+)?)-[bcdfghjklmnpqrstvwxz2456789]{5}\b"), "${1}-*"),
                (compiled(r"\b(to|on) n\d+\b"), "${1} NODE"),
                // For whom a pod is displaced is said by uid; on which of equal nodes, upstream leaves to chance three times:
                // where the search begins (`GetOffsetAndNumCandidates`), in which order the candidates are gone through (a Go
                // map in `pickOneNodeForPreemption`), and how long pods run that have not started (`GetPodStartTime` then
                // takes the time of the comparison).
                (compiled(r"\bPreempted by pod [0-9a-f-]{36} on node n\d+\b"), "Preempted by pod UID on NODE"),
            ]
        });
        let mut text = text.to_owned();
        for (name, identity) in &self.in_text {
            text = text.replace(name, identity);
        }
        for (pattern, replacement) in &*PATTERNS {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    }
}
