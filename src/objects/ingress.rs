//! Ingresses and their classes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::serde_resource;
use super::text::{self, Text};
use super::{SharedList, skip};

/// Annotation of an Ingress that names its class, from before `spec.ingressClassName`.
pub const INGRESS_CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Annotation of the class that Ingresses without one get.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// An Ingress: which HTTP requests from outside go to which Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ingress {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<IngressSpec>,
    /// Observed state.
    pub status: IngressStatus,
}

/// Desired state of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec {
    /// Name of the class; absent = none, or that of the annotation [`INGRESS_CLASS_ANNOTATION`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_class_name: Option<Text>,
    /// Where requests go that no rule fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_backend: Option<IngressBackend>,
    /// Hosts that are served over TLS.
    #[serde(skip_serializing_if = "skip::none")]
    pub tls: SharedList<IngressTls>,
    /// Rules.
    #[serde(skip_serializing_if = "skip::none")]
    pub rules: SharedList<IngressRule>,
    /// What is valid and not simulated.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Hosts that share a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressTls {
    /// Hosts; none = all.
    #[serde(skip_serializing_if = "skip::none")]
    pub hosts: SharedList<Text>,
    /// Secret with the certificate; it need not exist.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub secret_name: Text,
}

/// What happens to requests to a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// Host in lower case, possibly with `*` as its first label; empty = all hosts.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub host: Text,
    /// Paths; absent = everything goes to the default backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpIngressRule>,
}

/// Paths of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpIngressRule {
    /// In the order they were written.
    pub paths: SharedList<HttpIngressPath>,
}

/// What happens to requests to a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpIngressPath {
    /// Path; only with [`PathType::ImplementationSpecific`] it may be empty.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub path: Text,
    /// How the path is compared.
    pub path_type: PathType,
    /// Where the requests go.
    pub backend: IngressBackend,
}

/// How a path is compared with that of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathType {
    /// Equal, case and trailing slash included.
    Exact,
    /// Element by element between slashes.
    Prefix,
    /// As the class of the Ingress has it.
    #[default]
    ImplementationSpecific,
}

impl PathType {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "Exact",
            Self::Prefix => "Prefix",
            Self::ImplementationSpecific => "ImplementationSpecific",
        }
    }
}

/// Where requests go: a Service, or any other object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressBackend {
    /// A port of a Service of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<IngressServiceBackend>,
    /// Another object of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<TypedLocalReference>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressServiceBackend {
    /// Name of the Service; it need not exist.
    pub name: Text,
    /// Its port.
    pub port: ServiceBackendPort,
}

/// A port of a Service by name or number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceBackendPort {
    /// Name; empty = it is named by its number.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub name: Text,
    /// Number, 0 = it is named by its name.
    #[serde(skip_serializing_if = "skip::zero")]
    pub number: i32,
}

/// An object of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TypedLocalReference {
    /// API group; absent = the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_group: Option<Text>,
    /// Kind.
    pub kind: Text,
    /// Name.
    pub name: Text,
}

/// Observed state of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressStatus {
    /// Where the Ingress is reached.
    pub load_balancer: IngressLoadBalancer,
}

/// Where an Ingress is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressLoadBalancer {
    /// Addresses.
    #[serde(skip_serializing_if = "skip::none")]
    pub ingress: SharedList<IngressAddress>,
}

/// One address of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressAddress {
    /// IP address, or empty.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub ip: Text,
    /// Host name, or empty.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub hostname: Text,
    /// What is valid and not simulated (ports).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

serde_resource!(Ingress);

impl Ingress {
    /// Name of the class, by the field or else by the annotation.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        let annotation = || self.meta.annotations.get(INGRESS_CLASS_ANNOTATION);
        self.spec.ingress_class_name.as_deref().or_else(annotation)
    }
}

/// An IngressClass: who takes care of the Ingresses that name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IngressClass {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<IngressClassSpec>,
}

/// Desired state of an IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressClassSpec {
    /// The controller, such as `k8s.io/ingress-nginx`.
    #[serde(skip_serializing_if = "text::is_empty")]
    pub controller: Text,
    /// An object with further settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<IngressClassParameters>,
}

/// An object with settings of an IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressClassParameters {
    /// API group; absent = the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_group: Option<Text>,
    /// Kind.
    pub kind: Text,
    /// Name.
    pub name: Text,
    /// `Cluster` or `Namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Text>,
    /// Namespace, if that is the scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
}

impl IngressClass {
    /// Whether Ingresses without a class get this one.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.meta.annotations.get(DEFAULT_CLASS_ANNOTATION) == Some("true")
    }

    /// The class that Ingresses without one get: the newest that is marked, of equally new ones the first by name.
    pub fn default_of<'a>(classes: impl Iterator<Item = &'a Arc<Self>>) -> Option<&'a Arc<Self>> {
        let rank = |class: &&Arc<Self>| (std::cmp::Reverse(class.meta.creation_timestamp), class.meta.name.clone());
        classes.filter(|class| class.is_default()).min_by_key(rank)
    }
}

serde_resource!(IngressClass, without_status);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn what_goes_in_comes_out() {
        let ingress = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "shop", "namespace": "default", "annotations": {INGRESS_CLASS_ANNOTATION: "old"}},
            "spec": {
                "defaultBackend": {"resource": {"apiGroup": "x.io", "kind": "Bucket", "name": "static"}},
                "tls": [{"hosts": ["a.example.com"], "secretName": "cert"}, {}],
                "rules": [
                    {"host": "*.example.com", "http": {"paths": [
                        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}},
                        {"pathType": "ImplementationSpecific", "backend": {"service": {"name": "s", "port": {"name": "web"}}}},
                    ]}},
                    {"host": "b.example.com"},
                ],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ports": [{"port": 80, "protocol": "TCP"}]}]}},
        });
        let typed = Ingress::from_wire(ingress.clone()).unwrap();
        assert_eq!((typed.to_wire(), typed.class()), (ingress, Some("old")));
        let class = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"},
            "spec": {
                "controller": "k8s.io/ingress-nginx",
                "parameters": {"apiGroup": "x.io", "kind": "P", "name": "p", "scope": "Namespace", "namespace": "ns"},
            },
        });
        assert_eq!(IngressClass::from_wire(class.clone()).unwrap().to_wire(), class);
    }

    /// `plugin/pkg/admission/network/defaultingressclass`.
    #[test]
    fn the_newest_of_the_marked_classes_is_the_default() {
        let class = |name: &str, mark: &str, at: &str| {
            let meta = json!({
                "name": name, "creationTimestamp": at, "annotations": {DEFAULT_CLASS_ANNOTATION: mark},
            });
            Arc::new(IngressClass::from_wire(json!({"metadata": meta})).unwrap())
        };
        let default = |classes: &[Arc<IngressClass>]| {
            IngressClass::default_of(classes.iter()).map(|class| class.meta.name.to_string())
        };
        let [old, new] = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"];
        assert_eq!(default(&[class("a", "false", new), class("b", "", new)]), None);
        assert_eq!(default(&[class("a", "false", new), class("b", "true", old)]), Some("b".into()));
        assert_eq!(default(&[class("b", "true", old), class("a", "true", old)]), Some("a".into()));
        assert_eq!(default(&[class("a", "true", old), class("b", "true", new)]), Some("b".into()));
    }
}
