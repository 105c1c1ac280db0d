//! Paths of the API (upstream `endpoints/request.RequestInfo`).

/// What a path of a resource means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResourcePath<'a> {
    /// Empty for the core group.
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) namespace: Option<&'a str>,
    /// Plural.
    pub(super) resource: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) subresource: Option<&'a str>,
}

impl<'a> ResourcePath<'a> {
    /// Reads the parts of a path.
    pub(super) fn read(parts: &[&'a str]) -> Option<Self> {
        let (group, version, rest) = match parts {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let path = Self { group, version, ..Self::default() };
        let (namespace, rest) = match rest {
            // A namespace itself, with its subresources.
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some(*namespace), rest),
            rest => (None, rest),
        };
        let path = Self { namespace, ..path };
        match rest {
            [resource] => Some(Self { resource, ..path }),
            [resource, name] => Some(Self { resource, name: Some(name), ..path }),
            [resource, name, subresource] => {
                Some(Self { resource, name: Some(name), subresource: Some(subresource), ..path })
            }
            // What follows `proxy` is for the proxied.
            [resource, name, "proxy", ..] => {
                Some(Self { resource, name: Some(name), subresource: Some("proxy"), ..path })
            }
            _ => None,
        }
    }
}

/// `group/version`, or only the version for the core group.
pub(super) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<ResourcePath<'_>> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        ResourcePath::read(&parts)
    }

    #[test]
    fn paths_name_group_namespace_resource_and_subresource() {
        let core = ResourcePath { version: "v1", ..ResourcePath::default() };
        let apps = ResourcePath { group: "apps", ..core };
        let (shop, web) = (Some("shop"), Some("web"));
        let cases = [
            ("/api/v1/pods", ResourcePath { resource: "pods", ..core }),
            ("/api/v1/namespaces", ResourcePath { resource: "namespaces", ..core }),
            ("/api/v1/namespaces/shop", ResourcePath { resource: "namespaces", name: shop, ..core }),
            (
                "/api/v1/namespaces/shop/finalize",
                ResourcePath { resource: "namespaces", name: shop, subresource: Some("finalize"), ..core },
            ),
            ("/api/v1/namespaces/shop/pods", ResourcePath { namespace: shop, resource: "pods", ..core }),
            (
                "/apis/apps/v1/namespaces/shop/deployments/web/scale",
                ResourcePath {
                    namespace: shop,
                    resource: "deployments",
                    name: web,
                    subresource: Some("scale"),
                    ..apps
                },
            ),
            (
                "/api/v1/namespaces/shop/pods/web/proxy/a/b",
                ResourcePath { namespace: shop, resource: "pods", name: web, subresource: Some("proxy"), ..core },
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(read(path), Some(expected), "{path}");
        }
        for path in ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/api/v1/a/b/c/d"] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
