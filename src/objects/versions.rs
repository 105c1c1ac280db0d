//! The versions in which kinds are served. Documents come in and are given back in any of them; one is stored.

use serde_json::Value;

use super::horizontal_pod_autoscaler::v1;
use super::wire::WireMut;
use super::{Kind, Object, gateway};

/// Group and version in which a kind is served beside the one that is stored.
#[must_use]
pub(crate) const fn also_served(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::HorizontalPodAutoscaler => Some(v1::API_VERSION),
        Kind::GatewayClass | Kind::Gateway | Kind::HTTPRoute | Kind::ReferenceGrant => Some(gateway::BETA),
        _ => None,
    }
}

/// Brings a document into the version that is stored.
pub(crate) fn to_stored(document: &mut Value) {
    v1::convert(document);
    gateway::convert(document);
}

/// An object in wire form, in that version.
#[must_use]
pub(crate) fn wire_in(object: &Object, api_version: &str) -> Value {
    match object {
        Object::HorizontalPodAutoscaler(autoscaler) if api_version == v1::API_VERSION => v1::wire(autoscaler),
        _ => {
            let mut wire = object.to_wire();
            if also_served(object.kind()) == Some(api_version) {
                // Nothing else differs.
                wire.set("apiVersion", api_version);
            }
            wire
        }
    }
}
