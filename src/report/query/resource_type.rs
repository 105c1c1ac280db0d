//! Kinds by the names that kubectl takes.

use crate::api::View;
use crate::objects::{Kind, Object, OpaqueObject, validation};

use super::QueryError;

/// A kind of object, simulated or only kept as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceType {
    /// A simulated kind.
    Simulated(Kind),
    /// A kind that is kept as data.
    Kept(KeptKind),
}

/// A kind that is not simulated: its objects are kept and given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptKind {
    /// Kind as manifests write it.
    pub kind: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Name of the resource in URLs and messages.
    pub plural: String,
}

/// Kinds of Kubernetes that are kept as data and that users ask for: kind, group, plural, short name.
const WELL_KNOWN: [(&str, &str, &str, &str); 11] = [
    ("ConfigMap", "", "configmaps", "cm"),
    ("Secret", "", "secrets", "secrets"),
    ("ServiceAccount", "", "serviceaccounts", "sa"),
    ("PodTemplate", "", "podtemplates", "podtemplates"),
    ("PriorityClass", "scheduling.k8s.io", "priorityclasses", "pc"),
    ("CustomResourceDefinition", "apiextensions.k8s.io", "customresourcedefinitions", "crd"),
    ("Role", "rbac.authorization.k8s.io", "roles", "roles"),
    ("RoleBinding", "rbac.authorization.k8s.io", "rolebindings", "rolebindings"),
    ("ClusterRole", "rbac.authorization.k8s.io", "clusterroles", "clusterroles"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io", "clusterrolebindings", "clusterrolebindings"),
    ("CSIDriver", "storage.k8s.io", "csidrivers", "csidrivers"),
];

/// What `all` stands for, in kubectl's order.
const ALL: [&str; 10] = [
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "horizontalpodautoscalers",
    "cronjobs",
    "jobs",
];

impl ResourceType {
    /// A kind by its singular, plural or short name, with or without the group: `deploy`, `deployments.apps`. Kinds of users
    /// are those of the objects that are there.
    ///
    /// # Errors
    /// If there is none.
    pub fn parse(view: &View, name: &str) -> Result<Self, QueryError> {
        let lower = name.to_ascii_lowercase();
        let (plain, group) = lower.split_once('.').map_or((&*lower, None), |(plain, group)| (plain, Some(group)));
        // `deployments.v1.apps` is how kubectl takes a version.
        let is_group = |of: &str| group.is_none_or(|group| group == of || group.ends_with(&format!(".{of}")));
        if let Some(kind) = Kind::parse(plain).filter(|kind| is_group(kind.group())) {
            return Ok(Self::Simulated(kind));
        }
        let known = WELL_KNOWN.iter().find(|(kind, of, plural, short)| {
            [*plural, *short].contains(&plain) && is_group(of) || kind.eq_ignore_ascii_case(plain) && is_group(of)
        });
        if let Some((kind, group, ..)) = known {
            return Ok(Self::Kept(KeptKind::new(kind, group)));
        }
        let mut kept = view.opaque.values().map(|object| KeptKind::of(object));
        let found =
            kept.find(|kept| is_group(&kept.group) && (kept.kind.eq_ignore_ascii_case(plain) || kept.plural == plain));
        found.map(Self::Kept).ok_or_else(|| QueryError::UnknownType(name.to_owned()))
    }

    /// A kind, or all kinds of the category `all`.
    pub(super) fn parse_category(view: &View, name: &str) -> Result<Vec<Self>, QueryError> {
        match name {
            "all" => ALL.iter().map(|kind| Self::parse(view, kind)).collect(),
            one => Self::parse(view, one).map(|resource| vec![resource]),
        }
    }

    /// Whether `all` stands for it too.
    #[must_use]
    pub fn is_in_all(&self) -> bool {
        matches!(self, Self::Simulated(kind) if ALL.contains(&kind.plural()))
    }

    /// The kind by which objects are listed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Simulated(kind) => *kind,
            Self::Kept(_) => Kind::Opaque,
        }
    }

    /// Whether an object is of this kind.
    #[must_use]
    pub fn is_of(&self, object: &Object) -> bool {
        match (self, object) {
            (Self::Kept(kept), Object::Opaque(object)) => {
                *object.kind == *kept.kind && group_of(&object.api_version) == kept.group
            }
            (Self::Kept(_), _) => false,
            (Self::Simulated(kind), object) => object.kind() == *kind,
        }
    }

    /// Whether a reference with this kind, and this group and version if it has any, is to an object of this kind.
    #[must_use]
    pub fn is_named(&self, kind: &str, api_version: &str) -> bool {
        let (own, group) = match self {
            Self::Simulated(own) => (own.as_str(), own.group()),
            Self::Kept(kept) => (&*kept.kind, &*kept.group),
        };
        own == kind && (api_version.is_empty() || group == group_of(api_version))
    }

    /// Whether objects live in a namespace.
    #[must_use]
    pub fn is_namespaced(&self) -> bool {
        match self {
            Self::Simulated(kind) => kind.is_namespaced(),
            Self::Kept(kept) => {
                let cluster_wide = kept.kind.starts_with("Cluster")
                    || ["CustomResourceDefinition", "CSIDriver"].contains(&&*kept.kind)
                    || !validation::is_namespaced(&kept.kind);
                !cluster_wide || !WELL_KNOWN.iter().any(|(kind, ..)| *kind == kept.kind)
            }
        }
    }

    /// `plural.group`, as messages name it.
    #[must_use]
    pub fn qualified_plural(&self) -> String {
        match self {
            Self::Simulated(kind) => kind.resource(),
            Self::Kept(kept) => Kind::qualified(&kept.plural, &kept.group),
        }
    }

    /// `kind.group` in lower case, as it stands in front of names.
    #[must_use]
    pub fn qualified_singular(&self) -> String {
        match self {
            Self::Simulated(kind) => Kind::qualified(&kind.as_str().to_lowercase(), kind.group()),
            Self::Kept(kept) => Kind::qualified(&kept.kind.to_lowercase(), &kept.group),
        }
    }
}

impl KeptKind {
    /// The kind of an object that is kept as data.
    #[must_use]
    pub fn of(object: &OpaqueObject) -> Self {
        Self::new(&object.kind, group_of(&object.api_version))
    }

    /// Kinds of Kubernetes that are kept as data and that users ask for, each with its short name if it has one. Their version is `v1`.
    pub fn of_kubernetes() -> impl Iterator<Item = (Self, Option<&'static str>)> {
        WELL_KNOWN
            .iter()
            .map(|(kind, group, plural, short)| (Self::new(kind, group), (short != plural).then_some(*short)))
    }

    fn new(kind: &str, group: &str) -> Self {
        let known = WELL_KNOWN.iter().find(|(known, of, ..)| *known == kind && *of == group);
        let plural = known.map_or_else(|| plural_of(kind), |(_, _, plural, _)| (*plural).to_owned());
        Self { kind: kind.to_owned(), group: group.to_owned(), plural }
    }
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The plural that one would guess of a kind (apimachinery `UnsafeGuessKindToResource`).
fn plural_of(kind: &str) -> String {
    let singular = kind.to_lowercase();
    match singular.chars().last() {
        Some('s') => format!("{singular}es"),
        Some('y') => format!("{}ies", &singular[..singular.len() - 1]),
        _ => format!("{singular}s"),
    }
}
