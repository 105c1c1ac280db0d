//! Whether listeners work.

use crate::api::View;
use crate::objects::gateway::{GATEWAY_GROUP, Gateway, Listener, SecretObjectReference};
use crate::objects::wire::Wire;
use crate::objects::{Key, Kind};

use super::is_granted;

/// What a certificate is made of.
const CERTIFICATE: [&str; 2] = ["tls.crt", "tls.key"];

/// Why a listener takes no requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerFault {
    /// It is of another protocol than HTTP and HTTPS.
    UnsupportedProtocol(String),
    /// An earlier listener has its port with the other protocol.
    ProtocolConflict(String),
    /// It has no certificate; why.
    InvalidCertificateRef(String),
    /// Its certificate is in another namespace, and no ReferenceGrant there allows the reference.
    RefNotPermitted(Key),
}

impl ListenerFault {
    /// The reason of the condition that is not as it should be: `Accepted`, `Conflicted` or `ResolvedRefs`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnsupportedProtocol(_) => "UnsupportedProtocol",
            Self::ProtocolConflict(_) => "ProtocolConflict",
            Self::InvalidCertificateRef(_) => "InvalidCertificateRef",
            Self::RefNotPermitted(_) => "RefNotPermitted",
        }
    }
}

impl std::fmt::Display for ListenerFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnsupportedProtocol(protocol) => write!(f, "protocol {protocol} is not supported"),
            Self::ProtocolConflict(other) => write!(f, "listener {other} has the port with another protocol"),
            Self::InvalidCertificateRef(why) => f.write_str(why),
            Self::RefNotPermitted(key) => {
                write!(f, "no ReferenceGrant in namespace {} allows a reference to Secret {key}", key.namespace)
            }
        }
    }
}

/// What is wrong with a listener of a Gateway; nothing = it takes requests.
#[must_use]
pub fn listener_fault(view: &View, gateway: &Gateway, listener: &Listener) -> Option<ListenerFault> {
    if !matches!(&*listener.protocol, "HTTP" | "HTTPS") {
        return Some(ListenerFault::UnsupportedProtocol(listener.protocol.to_string()));
    }
    let has_port = |other: &&Listener| other.port == listener.port && other.protocol != listener.protocol;
    let conflicting = gateway.spec.listeners.iter().take_while(|other| other.name != listener.name).find(has_port);
    if let Some(other) = conflicting {
        return Some(ListenerFault::ProtocolConflict(other.name.to_string()));
    }
    if !listener.is_https() {
        return None;
    }
    let references = listener.tls.as_ref().map(|tls| &*tls.certificate_refs).unwrap_or_default();
    if references.is_empty() {
        return Some(ListenerFault::InvalidCertificateRef("it names no certificate".to_owned()));
    }
    references.iter().find_map(|reference| certificate_fault(view, &gateway.meta.namespace, reference))
}

fn certificate_fault(view: &View, namespace: &str, reference: &SecretObjectReference) -> Option<ListenerFault> {
    if !reference.group.is_empty() || reference.kind != "Secret" {
        let why = format!("certificates of kind {} are not supported", reference.kind);
        return Some(ListenerFault::InvalidCertificateRef(why));
    }
    let key = Key::new(reference.namespace.as_deref().unwrap_or(namespace), &*reference.name);
    let to = ("", "Secret", &*key.namespace, &*key.name);
    if !is_granted(view, (GATEWAY_GROUP, "Gateway", namespace), to) {
        return Some(ListenerFault::RefNotPermitted(key));
    }
    let Some(secret) = view.object(Kind::Opaque, &Key::new(key.namespace.clone(), format!("Secret/{}", key.name)))
    else {
        return Some(ListenerFault::InvalidCertificateRef(format!("there is no Secret {key}")));
    };
    let wire = secret.to_wire();
    let has = |name: &str| ["data", "stringData"].iter().any(|part| !wire.at(part).text(name).is_empty());
    let missing = CERTIFICATE.iter().find(|name| !has(name))?;
    Some(ListenerFault::InvalidCertificateRef(format!("Secret {key} has no {missing}")))
}

/// Whether HTTPRoutes are among the kinds that may attach to a listener.
#[must_use]
pub fn allows_http_routes(listener: &Listener) -> bool {
    let kinds = &listener.allowed_routes.kinds;
    kinds.is_empty() || kinds.iter().any(|one| one.group == GATEWAY_GROUP && one.kind == "HTTPRoute")
}
