//! Topology hints from `spec.trafficDistribution` (upstream `endpointslice/trafficdist`), and whether an annotation asks for others.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::objects::{Endpoint, Service};

/// Key of the hints of an endpoint.
pub(super) const HINTS: &str = "hints";

/// Which hints the endpoints of a Service carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hints {
    /// None.
    #[default]
    None,
    /// Ready endpoints name their own zone.
    SameZone,
    /// Ready endpoints name their own zone and node.
    SameNode,
    /// Zones share the endpoints by their CPU.
    Auto,
}

impl Hints {
    pub(super) fn of(service: &Service) -> Self {
        let annotations = &service.meta.annotations;
        let mode = annotations.get("service.kubernetes.io/topology-aware-hints");
        let mode = mode.or_else(|| annotations.get("service.kubernetes.io/topology-mode"));
        if matches!(mode, Some("Auto" | "auto")) {
            return Self::Auto;
        }
        match service.spec.wire().get("trafficDistribution").and_then(Value::as_str) {
            Some("PreferClose" | "PreferSameZone") => Self::SameZone,
            Some("PreferSameNode") => Self::SameNode,
            _ => Self::None,
        }
    }

    /// Whether an endpoint of a slice that is otherwise fine has other hints than it should.
    pub(super) fn are_wrong(self, endpoint: &Endpoint) -> bool {
        match self {
            Self::Auto => false,
            Self::None => endpoint.rest.contains_key(HINTS),
            _ if endpoint.conditions.ready != Some(true) => false,
            _ => endpoint.rest.get(HINTS) != self.wanted(endpoint).as_ref(),
        }
    }

    /// Gives an endpoint that is being written its hints.
    pub(super) fn put(self, endpoint: &mut Endpoint) {
        match self {
            Self::Auto => {}
            Self::None => drop(endpoint.rest.remove(HINTS)),
            _ if endpoint.conditions.ready != Some(true) => {}
            _ => match self.wanted(endpoint) {
                Some(hints) => drop(endpoint.rest.insert(HINTS.into(), hints)),
                None => drop(endpoint.rest.remove(HINTS)),
            },
        }
    }

    fn wanted(self, endpoint: &Endpoint) -> Option<Value> {
        let names = |name: &Option<Arc<str>>| name.as_ref().map(|name| json!([{ "name": &**name }]));
        let zones = names(&endpoint.zone).filter(|_| self != Self::None);
        let nodes = names(&endpoint.node_name).filter(|_| self == Self::SameNode);
        match (zones, nodes) {
            (None, None) => None,
            (Some(zones), None) => Some(json!({ "forZones": zones })),
            (None, Some(nodes)) => Some(json!({ "forNodes": nodes })),
            (Some(zones), Some(nodes)) => Some(json!({ "forZones": zones, "forNodes": nodes })),
        }
    }
}
