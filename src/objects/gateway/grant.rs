//! ReferenceGrants.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::objects::object::serde_resource;
use crate::objects::{ObjectMeta, SharedList, Text};

/// A ReferenceGrant: which objects of other namespaces may refer to those of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceGrant {
    /// Metadata.
    pub meta: ObjectMeta,
    /// Desired state.
    pub spec: Arc<ReferenceGrantSpec>,
}

/// Desired state of a ReferenceGrant: each of `from` may refer to each of `to`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    pub from: SharedList<ReferenceGrantFrom>,
    /// To what.
    pub to: SharedList<ReferenceGrantTo>,
}

/// Objects that may refer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReferenceGrantFrom {
    /// API group; empty = the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Namespace.
    pub namespace: Text,
}

/// Objects that may be referred to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReferenceGrantTo {
    /// API group; empty = the core group.
    pub group: Text,
    /// Kind.
    pub kind: Text,
    /// Name; absent = any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

serde_resource!(ReferenceGrant, without_status);

impl ReferenceGrant {
    /// Whether objects of that kind and namespace may refer to an object of the grant's own namespace.
    #[must_use]
    pub fn allows(&self, (group, kind, namespace): (&str, &str, &str), to: (&str, &str, &str)) -> bool {
        let from = |one: &ReferenceGrantFrom| one.group == *group && one.kind == *kind && one.namespace == *namespace;
        let fits = |one: &ReferenceGrantTo| {
            one.group == *to.0 && one.kind == *to.1 && one.name.as_ref().is_none_or(|name| *name == *to.2)
        };
        self.spec.from.iter().any(from) && self.spec.to.iter().any(fits)
    }
}
