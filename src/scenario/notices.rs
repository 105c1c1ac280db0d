//! What a scenario's manifests ask for and the simulation does not do, and what the API server warns of: told once, at the beginning of a run.

mod aliases;
mod blocks;
mod rules;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kubelet::{BehaviourSpec, Signal};
use crate::network::dns::ClusterDns;
use crate::objects::reader::Document;
use crate::objects::wire::Wire;
use crate::objects::{Kind, horizontal_pod_autoscaler, validation};
use crate::sim::{ClientSpec, NodeTemplate, RequestTarget};

/// Kinds that are not typed and still do all that they do in a cluster: they are data.
const DATA: [&str; 5] = ["ConfigMap", "Secret", "ServiceAccount", "PriorityClass", "PodPreset"];

/// The notices about these manifests, each once, in alphabetical order.
pub(super) fn about<'a>(documents: impl Iterator<Item = &'a Document>) -> Vec<String> {
    let mut notices = BTreeSet::new();
    for document in documents {
        let kind = document.kind.as_str();
        let version = document.api_version.replace("gateway.networking.k8s.io/v1beta1", "gateway.networking.k8s.io/v1");
        match Kind::of(&version, kind) {
            Some(Kind::Gateway | Kind::HTTPRoute) => rules::about(document, &mut notices),
            None if !DATA.contains(&kind) && !horizontal_pod_autoscaler::v1::is_v1(&document.value) => {
                notices.insert(format!("{kind}: not simulated yet; kept and given back as it is"));
            }
            Some(_) | None => {}
        }
        let spec = document.value.at("spec");
        let of_the_kind = match kind {
            "Service" if spec.text("type") == "LoadBalancer" && spec.has("loadBalancerClass") => {
                Some("nobody takes care of load balancers of a class; it stays pending")
            }
            "StatefulSet" if spec.at("updateStrategy").at("rollingUpdate").has("maxUnavailable") => Some(
                "updateStrategy.rollingUpdate.maxUnavailable is dropped, as by a 1.36 API server with default gates",
            ),
            _ => None,
        };
        let named = |text: String| format!("{kind} {}: {text}", document.name.as_deref().unwrap_or_default());
        notices.extend(of_the_kind.map(|what| named(what.to_owned())));
        notices.extend(validation::warnings(&document.value).into_iter().map(named));
        fields(&document.value, &mut notices);
    }
    notices.into_iter().collect()
}

/// What of the settings of these machines' kubelets is not simulated; each once.
pub(super) fn about_machines<'a>(machines: impl Iterator<Item = &'a NodeTemplate>) -> Vec<String> {
    let waits_for_inodes = |template: &NodeTemplate| {
        template.kubelet.thresholds.iter().any(|threshold| threshold.signal == Signal::Inodes)
    };
    let told = "inodesFree: inodes are not simulated; such a threshold is never met";
    machines.into_iter().any(waits_for_inodes).then(|| told.to_owned()).into_iter().collect()
}

/// What of the way of requests is not simulated, as far as these clients and manifests come upon it; each once.
pub(super) fn about_traffic<'a>(
    clients: &[ClientSpec],
    dns: &ClusterDns,
    documents: impl Iterator<Item = &'a Document> + Clone,
) -> Vec<String> {
    let mut notices = BTreeSet::new();
    let mut backends = BTreeSet::new();
    if clients.iter().any(|client| matches!(client.to, RequestTarget::Url(_))) {
        for document in documents.clone() {
            backends.extend(aliases::backends(document));
            if document.kind == "Ingress" {
                rules::about_ingress(document, &mut notices);
            }
        }
    }
    for policy in documents.clone().filter(|document| document.kind == "NetworkPolicy") {
        blocks::about(policy, clients, &mut notices);
    }
    let is_alias =
        |document: &&Document| document.kind == "Service" && document.value.at("spec").text("type") == "ExternalName";
    for document in documents.filter(is_alias) {
        let name = document.name.as_deref().unwrap_or_default();
        let told = aliases::about(document, (clients, &backends), dns);
        notices.extend(told.into_iter().map(|what| format!("Service {name}: {what}")));
    }
    notices.into_iter().collect()
}

/// Patterns of behaviours that match no image of these documents; nothing if there are no images.
pub(super) fn about_images<'a>(
    behaviours: &[BehaviourSpec],
    documents: impl Iterator<Item = &'a Value>,
) -> Vec<String> {
    let mut images = BTreeSet::new();
    documents.for_each(|document| collect_images(document, &mut images));
    let is_unused = |behaviour: &&BehaviourSpec| !images.iter().any(|image| behaviour.is_for(image));
    let unused = behaviours.iter().filter(|_| !images.is_empty()).filter(is_unused);
    unused
        .map(|behaviour| format!("containers: no image of manifests or steps matches {:?}", &*behaviour.image))
        .collect()
}

fn collect_images<'a>(value: &'a Value, images: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            images.extend(members.get("image").and_then(Value::as_str));
            members.values().for_each(|member| collect_images(member, images));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_images(item, images)),
        _ => {}
    }
}

/// Looks for fields of pods wherever a document has them. Documents are not deep: their reader saw to that.
fn fields(value: &Value, notices: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                notices.extend(field(name, member).map(|what| format!("{name}: {what}")));
                fields(member, notices);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, notices)),
        _ => {}
    }
}

fn field(name: &str, value: &Value) -> Option<&'static str> {
    match name {
        "schedulerName" if value.as_str().is_some_and(|name| !name.is_empty() && name != "default-scheduler") => {
            Some("there is no scheduler of another name; such pods stay pending")
        }
        "resourceClaims" if value.as_array().is_some_and(|claims| !claims.is_empty()) => {
            Some("dynamic resources are not allocated; nobody waits for them")
        }
        "volumes" if value.as_array().is_some_and(|volumes| volumes.iter().any(|volume| volume.has("ephemeral"))) => {
            Some("no claims are made for generic ephemeral volumes; such pods stay pending")
        }
        "fileKeyRef" => Some("variables from files are left out of the environment"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::objects::reader::{ReaderLimits, read_manifests};

    #[test]
    fn thresholds_of_inodes_are_told_of_and_default_settings_are_not() {
        let mut template = NodeTemplate::new("n");
        assert_eq!(about_machines([&template].into_iter()), Vec::<String>::new());
        template.kubelet =
            Arc::new(serde_yaml::from_str("{evictionHard: {nodefs.inodesFree: 5%}}").expect("settings of a kubelet"));
        assert_eq!(about_machines([&template].into_iter()).len(), 1);
    }

    fn notices(manifest: &str) -> Vec<String> {
        let documents = read_manifests("test", manifest, &ReaderLimits::default()).expect("readable");
        about(documents.iter())
    }

    #[test]
    fn what_is_simulated_needs_no_notice() {
        let manifest = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {schedulerName: default-scheduler,
            containers: [{name: c, image: i}], volumes: [{name: v, emptyDir: {}}]}}\n---\n
            {apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {a: b}}";
        assert_eq!(notices(manifest), Vec::<String>::new());
    }

    #[test]
    fn what_requests_do_not_meet_is_told_to_those_who_send_some() {
        let scenario = |client: &str| {
            let text = format!(
                "{{apiVersion: seatrial.dev/v1, kind: Scenario, metadata: {{name: told}}, spec: {{duration: 1s, nodes: [{{name: w}}],
                  network: {{proxyMode: ipvs}}, traffic: [{client}], objects: '{}'}}}}",
                "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: LoadBalancer, ports: [{port: 80}],
                  externalTrafficPolicy: Local}}"
            );
            let scenario = crate::scenario::Scenario::read("n.yaml", &text).expect("a scenario");
            scenario.run(&crate::scenario::RunOptions::default()).expect("it runs").notices
        };
        assert_eq!(scenario(""), Vec::<String>::new());
        assert_eq!(scenario("{name: a, to: service/web, rate: 1/s}"), Vec::<String>::new());
        assert_eq!(scenario("{name: a, to: service/web, rate: 1/s, from: node/w}"), Vec::<String>::new());
    }

    #[test]
    fn patterns_that_match_no_image_are_named() {
        let behaviour = |image: &str| BehaviourSpec { image: image.into(), ..BehaviourSpec::default() };
        let behaviours = ["shop/web:*", "web:*", "debug:1"].map(behaviour);
        let pod = json!({"spec": {"containers": [{"image": "shop/web:v1"}], "image": 3}});
        let step = json!({"image": "debug:1"});
        assert_eq!(
            about_images(&behaviours, [&pod, &step].into_iter()),
            ["containers: no image of manifests or steps matches \"web:*\""]
        );
        assert_eq!(about_images(&behaviours, std::iter::empty()), Vec::<String>::new(), "others may bring images");
    }

    #[test]
    fn warnings_of_the_api_server_are_told() {
        let manifest = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {externalName: x.org, trafficDistribution: PreferClose,
            ports: [{port: 80}]}}";
        assert_eq!(
            notices(manifest),
            [
                "Service web: spec.externalName is ignored when spec.type is not \"ExternalName\"",
                "Service web: spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
            ]
        );
    }

    #[test]
    fn kinds_and_fields_that_do_nothing_are_named_once() {
        let pod = "{apiVersion: v1, kind: Pod, metadata: {name: NAME}, spec: {schedulerName: mine,
            containers: [{name: c, image: i}], volumes: [{name: v, ephemeral: {}}]}}";
        let manifest = [
            &pod.replace("NAME", "a"),
            &pod.replace("NAME", "b"),
            "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: LoadBalancer, loadBalancerClass: mine, ports: [{port: 80}]}}",
            "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: none-in}, spec: {podSelector: {}}}",
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader}}",
        ]
        .join("\n---\n");
        assert_eq!(
            notices(&manifest),
            [
                "Role: not simulated yet; kept and given back as it is",
                "Service web: nobody takes care of load balancers of a class; it stays pending",
                "schedulerName: there is no scheduler of another name; such pods stay pending",
                "volumes: no claims are made for generic ephemeral volumes; such pods stay pending",
            ]
        );
    }
}
