//! References of routes to backends.

use crate::api::View;
use crate::objects::Key;
use crate::objects::gateway::{GATEWAY_GROUP, HttpBackendRef};

use super::is_granted;

/// Why requests for a backend are answered with 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendFault {
    /// It is no Service.
    InvalidKind(String),
    /// It is in another namespace, and no ReferenceGrant there allows the reference.
    RefNotPermitted(Key),
    /// There is no such Service.
    NotFound(Key),
    /// The Service does not have the port.
    NoPort(Key, i32),
}

impl BackendFault {
    /// The reason of the condition `ResolvedRefs`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidKind(_) => "InvalidKind",
            Self::RefNotPermitted(_) => "RefNotPermitted",
            Self::NotFound(_) | Self::NoPort(..) => "BackendNotFound",
        }
    }
}

impl std::fmt::Display for BackendFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InvalidKind(kind) => write!(f, "backends of kind {kind} are not supported"),
            Self::RefNotPermitted(key) => {
                write!(f, "no ReferenceGrant in namespace {} allows a reference to Service {key}", key.namespace)
            }
            Self::NotFound(key) => write!(f, "there is no Service {key}"),
            Self::NoPort(key, port) => write!(f, "Service {key} has no port {port}"),
        }
    }
}

/// What is wrong with a backend of an HTTPRoute of that namespace; nothing = it is valid.
#[must_use]
pub fn backend_fault(view: &View, namespace: &str, backend: &HttpBackendRef) -> Option<BackendFault> {
    if !backend.group.is_empty() || backend.kind != "Service" {
        let kind = if backend.group.is_empty() {
            backend.kind.to_string()
        } else {
            format!("{}.{}", backend.kind, backend.group)
        };
        return Some(BackendFault::InvalidKind(kind));
    }
    let key = Key::new(backend.namespace.as_deref().unwrap_or(namespace), &*backend.name);
    let to = ("", "Service", &*key.namespace, &*key.name);
    if !is_granted(view, (GATEWAY_GROUP, "HTTPRoute", namespace), to) {
        return Some(BackendFault::RefNotPermitted(key));
    }
    let Some(service) = view.services.get(&key) else { return Some(BackendFault::NotFound(key)) };
    let port = backend.port.unwrap_or(0);
    let has_port = service.spec.ports.iter().any(|own| own.port == port);
    (!has_port).then_some(BackendFault::NoPort(key, port))
}
