//! Which object a step is about.

use serde_json::{Value, json};

use crate::objects::{Key, Kind, Object, Resource, Selector};
use crate::sim::{SimError, Simulation, Target};

use crate::scenario::error::Fault;

/// One object, found when the step is taken.
#[derive(Clone, Debug)]
pub enum Choice {
    /// By name.
    Target(Target),
    /// The n-th of a kind.
    Nth {
        /// Kind.
        kind: Kind,
        /// Namespace.
        namespace: String,
        /// Which labels.
        selector: Selector,
        /// Counted from 0 in the order of creation, then name.
        nth: usize,
    },
}

impl Choice {
    pub(super) fn of(
        target: Option<String>,
        kind: Option<String>,
        selector: Option<String>,
        nth: Option<usize>,
        namespace: Option<String>,
    ) -> Result<Self, Fault> {
        match (target, kind) {
            (Some(_), _) if selector.is_some() || nth.is_some() => {
                Err(Fault::new("target", "`target` names one object; `selector` and `nth` belong to `kind`"))
            }
            (Some(_), _) if namespace.is_some() => Err(Fault::new("namespace", "`namespace` belongs to `kind`")
                .help("a target may name its namespace: namespace/kind/name")),
            (Some(target), None) => Ok(Self::Target(parse_target(&target)?)),
            (None, Some(name)) => {
                let kind = Kind::parse(&name).ok_or_else(|| unknown_kind("kind", &name))?;
                let text = selector.unwrap_or_default();
                let selector = text.parse::<Selector>().map_err(|error| Fault::new("selector", error.to_string()))?;
                let namespace = namespace.unwrap_or_else(|| "default".to_owned());
                Ok(Self::Nth { kind, namespace, selector, nth: nth.unwrap_or(0) })
            }
            (Some(_), Some(_)) => Err(Fault::new("kind", "`target` names the kind already")),
            (None, None) => Err(Fault::new("", "it does not say which object")
                .help("write `target: kind/name`, or `kind` with `selector` and `nth`")),
        }
    }

    pub(super) fn resolve(&self, sim: &Simulation) -> Result<Target, SimError> {
        match self {
            Self::Target(target) => Ok(target.clone()),
            Self::Nth { kind, namespace, selector, nth } => {
                let mut found: Vec<Object> = sim.view().list(*kind);
                found.retain(|object| {
                    let meta = object.meta();
                    (!kind.is_namespaced() || *meta.namespace == **namespace) && selector.matches(&meta.labels)
                });
                found.sort_by_key(|object| (object.meta().creation_timestamp, object.key()));
                let object = found.get(*nth).ok_or_else(|| {
                    let message = format!("there is no {kind} number {nth} that matches {selector}");
                    SimError::Cluster(message)
                })?;
                Ok(Target { kind: *kind, key: object.key() })
            }
        }
    }

    pub(super) fn args(&self) -> Value {
        match self {
            Self::Target(target) => json!({"target": target.to_string()}),
            Self::Nth { kind, selector, nth, .. } => {
                json!({"kind": kind.as_str().to_ascii_lowercase(), "selector": selector.to_string(), "nth": nth})
            }
        }
    }
}

pub(super) fn parse_target(text: &str) -> Result<Target, Fault> {
    text.parse::<Target>().map_err(|error| match error {
        SimError::UnknownKind(kind) => unknown_kind("target", &kind),
        error => Fault::new("target", error.to_string()),
    })
}

fn unknown_kind(path: &str, kind: &str) -> Fault {
    let fault = Fault::new(path, format!("the kind {kind:?} is not simulated"));
    let written = kind.to_ascii_lowercase();
    let names = Kind::ALL.iter().map(|kind| kind.as_str().to_ascii_lowercase());
    match names.max_by(|a, b| strsim::jaro(a, &written).total_cmp(&strsim::jaro(b, &written))) {
        Some(nearest) if strsim::jaro(&nearest, &written) > 0.85 => fault.help(format!("did you mean {nearest}?")),
        _ => fault.help("write the kind as kubectl takes it, such as deployment or deploy"),
    }
}

/// The pods that a step evicts, found when it is taken.
#[derive(Clone, Debug)]
pub enum Evictees {
    /// One by name.
    Pod(Key),
    /// All that match.
    Matching {
        /// Namespace.
        namespace: String,
        /// Which labels.
        selector: Selector,
        /// Only those on that node.
        node: Option<String>,
    },
}

impl Evictees {
    pub(super) fn find(&self, sim: &Simulation) -> Vec<Key> {
        match self {
            Self::Pod(key) => vec![key.clone()],
            Self::Matching { namespace, selector, node } => {
                let matching = sim.view().pods_matching(namespace, selector);
                let here = matching.filter(|pod| node.as_ref().is_none_or(|node| *pod.node_name == **node));
                let mut keys: Vec<Key> = here.map(|pod| pod.key()).collect();
                keys.sort_unstable();
                keys
            }
        }
    }

    pub(super) fn args(&self) -> Value {
        match self {
            Self::Pod(key) => json!({"target": format!("pod/{}", key.name)}),
            Self::Matching { selector, node: None, .. } => json!({"selector": selector.to_string()}),
            Self::Matching { selector, node: Some(node), .. } => {
                json!({"selector": selector.to_string(), "node": node})
            }
        }
    }
}
