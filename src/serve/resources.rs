//! The resources that the API has: the simulated kinds, those that are kept as data, and those of custom resource definitions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::View;
use crate::objects::{Key, Kind, OpaqueObject, versions};
use crate::report::{KeptKind, Query, ResourceType, Wanted};

use super::path::{ResourcePath, api_version};

/// A resource of the API.
#[derive(Clone, Debug)]
pub(super) struct ApiResource {
    pub(super) resource: ResourceType,
    pub(super) kind: String,
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    pub(super) short_names: Vec<String>,
    pub(super) is_namespaced: bool,
}

impl ApiResource {
    /// A kind in a version that it is served in.
    fn simulated(kind: Kind, api_version: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            resource: ResourceType::Simulated(kind),
            kind: kind.as_str().to_owned(),
            group: group.to_owned(),
            version: version.to_owned(),
            plural: kind.plural().to_owned(),
            short_names: kind.short_names().iter().map(|name| (*name).to_owned()).collect(),
            is_namespaced: kind.is_namespaced(),
        }
    }

    fn kept(kind: KeptKind, version: &str, short_name: Option<&str>) -> Self {
        let (name, group, plural) = (kind.kind.clone(), kind.group.clone(), kind.plural.clone());
        let resource = ResourceType::Kept(kind);
        Self {
            kind: name,
            group,
            version: version.to_owned(),
            plural,
            short_names: short_name.into_iter().map(str::to_owned).collect(),
            is_namespaced: resource.is_namespaced(),
            resource,
        }
    }

    /// The resources that a CustomResourceDefinition names, one for each version.
    fn defined(definition: &OpaqueObject) -> Vec<Self> {
        let spec = definition.rest.get("spec").unwrap_or(&Value::Null);
        let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = KeptKind { kind: text("/names/kind"), group: text("/group"), plural: text("/names/plural") };
        let list =
            |pointer: &str| spec.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let short_names = list("/names/shortNames").iter().filter_map(Value::as_str).map(str::to_owned);
        let short_names: Vec<String> = short_names.collect();
        let versions = list("/versions").iter().filter_map(|version| version.get("name")?.as_str());
        let defined = versions
            .map(|version| Self { short_names: short_names.clone(), ..Self::kept(kind.clone(), version, None) });
        if kind.kind.is_empty() || kind.plural.is_empty() || kind.group.is_empty() {
            Vec::new()
        } else {
            defined.collect()
        }
    }

    /// All resources of a cluster, each once, by group, version and name.
    pub(super) fn all(view: &View) -> Vec<Self> {
        let served =
            |kind: &Kind| [Some(kind.api_version()), versions::also_served(*kind)].map(|version| (*kind, version));
        let served = Kind::ALL.iter().flat_map(served);
        let simulated = served.filter_map(|(kind, version)| Some(Self::simulated(kind, version?)));
        let kept = KeptKind::of_kubernetes().map(|(kind, short)| Self::kept(kind, "v1", short));
        let definitions = view.opaque.values().filter(|object| &*object.kind == "CustomResourceDefinition");
        let defined = definitions.flat_map(|definition| Self::defined(definition));
        // Kinds of objects that are there although nobody defined them.
        let found = view.opaque.values().map(|object| {
            let version = object.api_version.rsplit('/').next().unwrap_or_default().to_owned();
            Self::kept(KeptKind::of(object), &version, None)
        });
        let mut all: BTreeMap<(String, String, String), Self> = BTreeMap::new();
        for resource in simulated.chain(kept).chain(defined).chain(found) {
            let id = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
            all.entry(id).or_insert(resource);
        }
        all.into_values().collect()
    }

    /// The resource of a path, if there is such.
    pub(super) fn find(view: &View, path: &ResourcePath<'_>) -> Option<Self> {
        let found = Self::find_simulated(path).or_else(|| Self::find_kept(view, path));
        found.filter(|found| found.version == path.version && (found.is_namespaced || path.namespace.is_none()))
    }

    fn find_simulated(path: &ResourcePath<'_>) -> Option<Self> {
        let is_it = |kind: &&Kind| kind.plural() == path.resource && kind.group() == path.group;
        let kind = *Kind::ALL.iter().find(is_it)?;
        let asked = api_version(path.group, path.version);
        let other = versions::also_served(kind).filter(|other| *other == asked);
        Some(Self::simulated(kind, other.unwrap_or(kind.api_version())))
    }

    /// A resource of which objects are only kept. What most clients ask for is found without a look at all objects.
    fn find_kept(view: &View, path: &ResourcePath<'_>) -> Option<Self> {
        let is_it = |resource: &Self| {
            (&*resource.group, &*resource.version, &*resource.plural) == (path.group, path.version, path.resource)
        };
        let known = KeptKind::of_kubernetes()
            .find(|(kind, _)| (&*kind.group, &*kind.plural) == (path.group, path.resource))
            .map(|(kind, short)| Self::kept(kind, "v1", short));
        let definition = || {
            let definitions = Kind::qualified("CustomResourceDefinition", "apiextensions.k8s.io");
            let named = Key::new("", format!("{definitions}/{}.{}", path.resource, path.group));
            view.opaque.get(&named).into_iter().flat_map(|definition| Self::defined(definition)).find(is_it)
        };
        let anything = || Self::all(view).into_iter().find(is_it);
        known.filter(is_it).or_else(definition).or_else(anything)
    }

    pub(super) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Whether it is served as it is stored.
    pub(super) fn is_stored_so(&self) -> bool {
        match &self.resource {
            ResourceType::Simulated(kind) => self.api_version() == kind.api_version(),
            ResourceType::Kept(_) => true,
        }
    }

    pub(super) const fn simulated_kind(&self) -> Kind {
        self.resource.kind()
    }

    /// Where an object of this kind is in the store.
    pub(super) fn key(&self, namespace: Option<&str>, name: &str) -> Key {
        let namespace = namespace.unwrap_or_default();
        match &self.resource {
            ResourceType::Simulated(_) => Key::new(namespace, name),
            ResourceType::Kept(_) => {
                Key::new(namespace, format!("{}/{name}", Kind::qualified(&self.kind, &self.group)))
            }
        }
    }

    /// `plural.group`, as messages name it.
    pub(super) fn qualified(&self) -> String {
        self.resource.qualified_plural()
    }

    /// All objects of this resource.
    pub(super) fn query(&self, namespace: Option<&str>) -> Query {
        let wanted = vec![Wanted { resource: self.resource.clone(), name: None }];
        Query { wanted, namespace: namespace.map(str::to_owned), ..Query::default() }
    }

    /// Subresources, with the kind that each takes.
    pub(super) fn subresources(&self) -> Vec<Subresource> {
        use Subresource as Sub;
        match self.simulated_kind() {
            Kind::Pod => vec![
                Sub::Status,
                Sub::Eviction,
                Sub::Binding,
                Sub::EphemeralContainers,
                Sub::Log,
                Sub::Exec,
                Sub::Attach,
                Sub::PortForward,
                Sub::Proxy,
            ],
            Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::ReplicationController => {
                vec![Sub::Status, Sub::Scale]
            }
            Kind::Namespace => vec![Sub::Status, Sub::Finalize],
            Kind::Node | Kind::Service => vec![Sub::Status, Sub::Proxy],
            Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::PodDisruptionBudget
            | Kind::HorizontalPodAutoscaler
            | Kind::Ingress
            | Kind::PersistentVolume
            | Kind::PersistentVolumeClaim
            | Kind::VolumeAttachment
            | Kind::ResourceQuota
            | Kind::GatewayClass
            | Kind::Gateway
            | Kind::HTTPRoute => vec![Sub::Status],
            _ => Vec::new(),
        }
    }
}

/// Part of an object that has a path of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subresource {
    Status,
    Scale,
    Eviction,
    Binding,
    EphemeralContainers,
    Finalize,
    Log,
    Exec,
    Attach,
    PortForward,
    Proxy,
}

impl Subresource {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Eviction => "eviction",
            Self::Binding => "binding",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Finalize => "finalize",
            Self::Log => "log",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
        }
    }

    /// Group, version and kind of what it takes, if that is not the object itself.
    pub(super) const fn takes(self) -> Option<[&'static str; 3]> {
        match self {
            Self::Scale => Some(["autoscaling", "v1", "Scale"]),
            Self::Eviction => Some(["policy", "v1", "Eviction"]),
            Self::Binding => Some(["", "v1", "Binding"]),
            Self::Exec => Some(["", "v1", "PodExecOptions"]),
            Self::Attach => Some(["", "v1", "PodAttachOptions"]),
            Self::PortForward => Some(["", "v1", "PodPortForwardOptions"]),
            Self::Proxy => Some(["", "v1", "PodProxyOptions"]),
            Self::Status | Self::EphemeralContainers | Self::Finalize | Self::Log => None,
        }
    }

    pub(super) const fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Status | Self::Scale | Self::EphemeralContainers => &["get", "patch", "update"],
            Self::Eviction | Self::Binding => &["create"],
            Self::Finalize => &["update"],
            Self::Log => &["get"],
            Self::Exec | Self::Attach | Self::PortForward => &["create", "get"],
            Self::Proxy => &["create", "delete", "get", "patch", "update"],
        }
    }
}
