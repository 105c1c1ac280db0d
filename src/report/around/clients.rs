//! Which Services and routes the requests of a client go by.

use serde_json::Value;

use crate::objects::{Key, Kind, Object};
use crate::sim::{ClientSpec, Origin, Record, Recording, RequestTarget, Target};

/// Services, Ingresses and HTTPRoutes.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) targets: Vec<Target>,
    pub(super) routes: Vec<Key>,
}

impl Ways {
    pub(super) fn of<'a>(recording: &Recording, clients: impl Iterator<Item = &'a ClientSpec>) -> Self {
        let mut ways = Self::default();
        for client in clients {
            match &client.to {
                RequestTarget::Service(key, _) => ways.service(key.clone()),
                RequestTarget::Host(host, _) => {
                    let namespace = match &client.from {
                        Origin::Pods(namespace, _) => namespace,
                        Origin::External | Origin::Node(_) => "default",
                    };
                    services_of_name(&host.name, namespace).into_iter().for_each(|key| ways.service(key));
                }
                RequestTarget::Url(request) => {
                    request.via.iter().for_each(|via| ways.service(via.clone()));
                    ways.behind(recording, &request.host);
                }
            }
        }
        ways
    }

    fn service(&mut self, key: Key) {
        self.target(Target { kind: Kind::Service, key });
    }

    fn target(&mut self, target: Target) {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
    }

    /// What serves a host at any time, and the Services behind it.
    fn behind(&mut self, recording: &Recording, host: &str) {
        for record in recording.records() {
            let Record::Change(_, change) = record else { continue };
            let (object, key) = (&change.object, change.object.key());
            if !matches!(object.kind_name(), "Ingress" | "HTTPRoute") {
                continue;
            }
            let wire = object.to_wire();
            let Some(services) = services_of_route(object, &wire["spec"], host) else { continue };
            match object.kind() {
                Kind::Ingress => self.target(Target { kind: Kind::Ingress, key }),
                _ if !self.routes.contains(&key) => self.routes.push(key),
                _ => {}
            }
            services.into_iter().for_each(|service| self.service(service));
        }
    }
}

/// The Services that a name may mean for a program in a namespace: `db`, `db.shop.svc.cluster.local`, `db-0.db`.
fn services_of_name(name: &str, namespace: &str) -> Vec<Key> {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let own = &labels[..labels.iter().position(|label| *label == "svc").unwrap_or(labels.len())];
    match *own {
        [service] => vec![Key::new(namespace, service)],
        // A Service of another namespace, or a pod of a headless one.
        [first, second] => vec![Key::new(second, first), Key::new(namespace, second)],
        [_, service, namespace] => vec![Key::new(namespace, service)],
        _ => Vec::new(),
    }
}

/// The Services behind an Ingress or HTTPRoute, if it serves the host.
fn services_of_route(object: &Object, spec: &Value, host: &str) -> Option<Vec<Key>> {
    let fits = |rule: &str| match rule.strip_prefix("*.") {
        Some(rest) => host.split_once('.').is_some_and(|(_, own)| own == rest),
        None => rule.is_empty() || rule == host,
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let meta = object.meta();
    let in_namespace = |reference: &Value| {
        let namespace = reference["namespace"].as_str().unwrap_or(&meta.namespace);
        reference["name"].as_str().map(|name| Key::new(namespace, name))
    };
    if object.kind_name() == "HTTPRoute" {
        let hosts = items(&spec["hostnames"]);
        let serves = hosts.is_empty() || hosts.iter().any(|rule| rule.as_str().is_some_and(fits));
        let backends = items(&spec["rules"]).into_iter().flat_map(|rule| items(&rule["backendRefs"]));
        return serves.then(|| backends.filter_map(|backend| in_namespace(&backend)).collect());
    }
    let rules = items(&spec["rules"]);
    let mut served = rules.iter().filter(|rule| fits(rule["host"].as_str().unwrap_or_default())).peekable();
    served.peek()?;
    let paths = served.flat_map(|rule| items(&rule["http"]["paths"])).map(|path| path["backend"].clone());
    let backends = paths.chain([spec["defaultBackend"].clone()]);
    Some(backends.filter_map(|backend| in_namespace(&backend["service"])).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::{Ingress, OpaqueObject, Resource};

    fn services(object: &Object, host: &str) -> Option<Vec<String>> {
        let found = services_of_route(object, &object.to_wire()["spec"], host)?;
        Some(found.iter().map(|key| format!("{}/{}", key.namespace, key.name)).collect())
    }

    #[test]
    fn a_host_leads_to_the_services_of_its_rules() {
        let backend = |name: &str| json!({"service": {"name": name, "port": {"number": 80}}});
        let path = |name: &str| json!({"path": "/", "pathType": "Prefix", "backend": backend(name)});
        let rules = json!([
            {"host": "shop.example", "http": {"paths": [path("shop"), path("cart")]}},
            {"host": "*.blog.example", "http": {"paths": [path("blog")]}},
        ]);
        let wire = json!({"metadata": {"name": "i", "namespace": "web"}, "spec": {"rules": rules, "defaultBackend": backend("other")}});
        let ingress = Object::from(std::sync::Arc::new(Ingress::from_wire(wire).expect("an Ingress")));
        let told = |host: &str| services(&ingress, host).map(|found| found.join(" "));
        assert_eq!(told("shop.example").as_deref(), Some("web/shop web/cart web/other"));
        assert_eq!(told("a.blog.example").as_deref(), Some("web/blog web/other"));
        assert_eq!(told("elsewhere.example"), None);
    }

    #[test]
    fn a_route_leads_to_its_backends_in_any_namespace() {
        let backends = json!([{"name": "v1", "port": 80}, {"name": "v2", "namespace": "next", "port": 80}]);
        let wire = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "web"},
            "spec": {"hostnames": ["shop.example"], "rules": [{"backendRefs": backends}]},
        });
        let route = Object::Opaque(OpaqueObject::from_wire(wire).expect("a route").into());
        assert_eq!(services(&route, "shop.example").expect("it serves it").join(" "), "web/v1 next/v2");
        assert_eq!(services(&route, "blog.example"), None);
    }

    #[test]
    fn a_name_leads_to_the_services_that_it_may_mean() {
        let told = |name: &str| {
            let found = services_of_name(name, "here");
            found.iter().map(|key| format!("{}/{}", key.namespace, key.name)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told("db"), "here/db");
        assert_eq!(told("db.shop"), "shop/db here/shop");
        assert_eq!(told("db.shop.svc.cluster.local."), "shop/db here/shop");
        assert_eq!(told("db-0.db.shop.svc"), "shop/db");
        assert_eq!(told("www.a.b.example"), "");
    }
}
