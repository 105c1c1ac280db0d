//! References into other namespaces.

use crate::api::View;

/// Whether objects of that group, kind and namespace may refer to an object (group, kind, namespace, name): within a namespace
/// always, into another one if a ReferenceGrant there says so.
#[must_use]
pub fn is_granted(
    view: &View,
    from: (&str, &str, &str),
    (group, kind, namespace, name): (&str, &str, &str, &str),
) -> bool {
    from.2 == namespace
        || view.reference_grants.in_namespace(namespace).any(|grant| grant.allows(from, (group, kind, name)))
}
