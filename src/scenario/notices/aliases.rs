//! Services of type ExternalName: names without an address, for what is mostly outside of the cluster.

use std::collections::BTreeSet;

use crate::network::dns::ClusterDns;
use crate::objects::reader::Document;
use crate::objects::wire::Wire;
use crate::sim::{ClientSpec, RequestTarget};

const NO_ADDRESS: &str =
    "an external name has no address, and requests to it by that fail; clients that ask for its name are not concerned";
const OUTSIDE: &str =
    "what an external name stands for is outside of the cluster and not simulated; requests to it fail";
const BEHIND: &str =
    "what an external name stands for is outside of the cluster and not simulated; ingress controllers answer 502";
const BEHIND_GATEWAY: &str = "Gateways do not look up external names; they answer 502";

/// A rule's kind, and namespace and name of a Service that it leads to.
pub(super) type Backend = (&'static str, String, String);

/// What of a Service of that type is not simulated, as far as these clients come upon it, and rules of Ingresses and HTTPRoutes.
pub(super) fn about(
    document: &Document,
    (clients, backends): (&[ClientSpec], &BTreeSet<Backend>),
    dns: &ClusterDns,
) -> Vec<&'static str> {
    let (name, namespace) = place(document);
    let by_address = |client: &ClientSpec| match &client.to {
        RequestTarget::Service(key, _) => *key.name == *name && *key.namespace == *namespace,
        RequestTarget::Host(..) => false,
        RequestTarget::Url(request) => {
            request.via.as_ref().is_some_and(|via| *via.name == *name && *via.namespace == *namespace)
        }
    };
    let by_name = |client: &ClientSpec| match &client.to {
        RequestTarget::Host(host, _) => host.name.split('.').next() == Some(name),
        _ => false,
    };
    let stands_for = document.value.at("spec").text("externalName");
    let is_behind = |kind: &'static str| backends.contains(&(kind, namespace.to_owned(), name.to_owned()));
    [
        (clients.iter().any(by_address), NO_ADDRESS),
        (clients.iter().any(by_name) && !is_known(stands_for, dns), OUTSIDE),
        (is_behind("Ingress") && !is_inside(stands_for, dns), BEHIND),
        (is_behind("HTTPRoute"), BEHIND_GATEWAY),
    ]
    .into_iter()
    .filter_map(|(is_so, what)| is_so.then_some(what))
    .collect()
}

/// The Services that rules of an Ingress or HTTPRoute lead to.
pub(super) fn backends(document: &Document) -> Vec<Backend> {
    let (_, own) = place(document);
    let spec = document.value.at("spec");
    let of_ingress =
        |backend: &serde_json::Value| ("Ingress", own.to_owned(), backend.at("service").text("name").to_owned());
    let of_route = |backend: &serde_json::Value| {
        ("HTTPRoute", backend.text_some("namespace").unwrap_or(own).to_owned(), backend.text("name").to_owned())
    };
    let rules = spec.list("rules").iter();
    match document.kind.as_str() {
        "Ingress" => {
            let paths = rules.flat_map(|rule| rule.at("http").list("paths")).map(|path| path.at("backend"));
            paths.chain([spec.at("defaultBackend")]).map(of_ingress).collect()
        }
        "HTTPRoute" => rules.flat_map(|rule| rule.list("backendRefs")).map(of_route).collect(),
        _ => Vec::new(),
    }
}

/// Name and namespace.
fn place(document: &Document) -> (&str, &str) {
    (document.name.as_deref().unwrap_or_default(), document.namespace.as_deref().unwrap_or("default"))
}

/// Whether cluster DNS has an answer of its own for a name.
fn is_known(name: &str, dns: &ClusterDns) -> bool {
    is_inside(name, dns) || dns.outside.contains_key(&absolute(name))
}

/// Whether a name is one of the cluster.
fn is_inside(name: &str, dns: &ClusterDns) -> bool {
    absolute(name).ends_with(&format!(".{}", dns.domain))
}

fn absolute(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{BEHIND, BEHIND_GATEWAY, NO_ADDRESS, OUTSIDE};
    use crate::scenario::{RunOptions, Scenario};

    const SCENARIO: &str = "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: told}
spec:
  duration: 1s
  nodes: [{name: w}]
  network: {dns: {outside: {DB.example.net: [192.0.2.1]}}}
  traffic: [{name: a, rate: 1/s, CLIENT}]
  objects: |
    {apiVersion: v1, kind: Service, metadata: {name: near}, spec: {type: ExternalName, externalName: web.default.svc.cluster.local.}}
    ---
    {apiVersion: v1, kind: Service, metadata: {name: far}, spec: {type: ExternalName, externalName: db.example.com}}
    ---
    {apiVersion: v1, kind: Service, metadata: {name: known}, spec: {type: ExternalName, externalName: db.example.net}}
    ---
    {apiVersion: v1, kind: Service, metadata: {name: odd}, spec: {type: ExternalName, externalName: a.svc.example.com}}
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: shop}
    spec:
      ingressClassName: nginx
      defaultBackend: {service: {name: far, port: {number: 80}}}
      rules: [{host: shop.org, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: near, port: {number: 80}}}}]}}]
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {name: shop}
    spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: odd, port: 80}, {name: known, namespace: other, port: 80}]}]}
";

    #[test]
    fn external_names_are_told_of_to_those_who_come_upon_them() {
        for (client, expected) in [
            ("from: node/w, to: 'far:80'", vec![("far", OUTSIDE)]),
            ("from: node/w, to: 'odd:80'", vec![("odd", OUTSIDE)]),
            ("from: node/w, to: 'near:80'", vec![]),
            ("from: node/w, to: 'known:80'", vec![]),
            ("from: node/w, to: 'service/near:80'", vec![("near", NO_ADDRESS)]),
            ("to: 'http://shop.org/'", vec![("far", BEHIND), ("odd", BEHIND_GATEWAY)]),
        ] {
            let scenario = Scenario::read("n.yaml", &SCENARIO.replace("CLIENT", client)).expect("a scenario");
            let told = scenario.run(&RunOptions::default()).expect("it runs").notices;
            let expected: Vec<String> =
                expected.into_iter().map(|(name, what)| format!("Service {name}: {what}")).collect();
            assert_eq!(told, expected, "{client}");
        }
    }
}
