//! An Ingress whose backend is a Service of type ExternalName: the controller looks up what that stands for.

use serde_json::{Value, json};

use super::super::super::outcome::Cause;
use super::bed::{Bed, constant, secs};
use super::fronts::{ingress, to_url};
use crate::api::ChangeType;
use crate::kernel::{Sampler, SimDuration};
use crate::network::NetworkConfig;
use crate::network::dns::DnsConfig;
use crate::network::{PodUp, ServeModel};

const URL: &str = "http://shop.example/cart";

fn alias(stands_for: &str, target: u16) -> Value {
    let ports = json!([{"port": 80, "protocol": "TCP", "targetPort": target}]);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias", "namespace": "default"},
        "spec": {"type": "ExternalName", "externalName": stands_for, "ports": ports}})
}

/// Two pods behind Service `web`, port 80, and headless Service `pods`; the Ingress leads to the alias.
fn bed(stands_for: &str, target: u16) -> Bed {
    let mut client = to_url("users", URL, constant("100/s"));
    client.timeout = secs(60);
    let outside = [("db.example".into(), vec!["203.0.113.7".parse().expect("an address")])].into();
    let config = NetworkConfig { dns: DnsConfig { outside, ..DnsConfig::ideal() }, ..NetworkConfig::ideal() };
    let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
    let mut bed = Bed::with(vec![client], 2, 2, model, config, 7).headless().behind_ingress(1, &json!({}));
    bed.tell(alias(stands_for, target), ChangeType::Added);
    bed.tell(ingress("shop", &json!({}), "alias"), ChangeType::Modified);
    bed
}

/// What becomes of a hundred requests, and how many pods answer.
fn told(bed: &mut Bed) -> (Cause, usize) {
    let began = bed.report("users");
    let until = bed.now + secs(40);
    bed.run_until(until);
    let report = bed.report("users");
    let causes: Vec<Cause> =
        Cause::ALL.into_iter().filter(|cause| report.cause(*cause) > began.cause(*cause)).collect();
    assert_eq!(causes.len(), 1, "{causes:?}");
    let before = |name: &str| began.versions.iter().find(|old| *old.name == *name).map_or(0, |old| old.answered);
    let answered = report.versions.iter().filter(|one| one.answered > before(&one.name));
    (causes[0], answered.count())
}

#[test]
fn an_ingress_leads_on_to_what_the_name_of_its_backend_stands_for() {
    for (stands_for, target, expected) in [
        ("web.default.svc.cluster.local", 80, (Cause::Served, 2)),
        ("web.default.svc.cluster.local.", 80, (Cause::Served, 2)),
        // By the search domains of the controller's pod.
        ("web.default", 80, (Cause::Served, 2)),
        ("web", 80, (Cause::Served, 2)),
        // The port is that of the Service, and for pods of a headless one their own.
        ("web", 8080, (Cause::GatewayTimeout, 0)),
        ("pods", 8080, (Cause::Served, 2)),
        ("pods", 80, (Cause::BadGateway, 0)),
        ("web-1.pods", 8080, (Cause::Served, 1)),
        // What does not resolve is no backend; what is outside is not simulated.
        ("web.other.svc.cluster.local", 80, (Cause::NoUpstream, 0)),
        ("localhost", 80, (Cause::NoUpstream, 0)),
        ("203.0.113.7", 80, (Cause::NoUpstream, 0)),
        ("db.example", 80, (Cause::BadGateway, 0)),
        ("db.example.com", 80, (Cause::BadGateway, 0)),
    ] {
        assert_eq!(told(&mut bed(stands_for, target)), expected, "{stands_for} {target}");
    }
}

#[test]
fn what_a_name_stands_for_is_looked_up_anew_when_something_changes() {
    let mut bed = bed("web.default.svc.cluster.local", 80);
    assert_eq!(told(&mut bed), (Cause::Served, 2));
    // By the rules of the node: the controller knows of no endpoints.
    bed.set_ready(0, false);
    bed.set_ready(1, false);
    assert_eq!(told(&mut bed), (Cause::BadGateway, 0));
    bed.delete_service();
    assert_eq!(told(&mut bed), (Cause::NoUpstream, 0));
    bed.edit(|_| {});
    bed.set_ready(1, true);
    assert_eq!(told(&mut bed), (Cause::Served, 1));
    bed.tell(alias("pods", 8080), ChangeType::Modified);
    bed.set_ready(0, true);
    assert_eq!(told(&mut bed), (Cause::Served, 2));
}

/// In the network of its node, and without `ClusterFirstWithHostNet`, a pod asks the node's resolver.
#[test]
fn a_controller_that_does_not_ask_cluster_dns_knows_no_names_of_the_cluster() {
    let mut pod = crate::objects::Pod::default();
    pod.meta.namespace = "default".into();
    let mut spec = (*pod.spec).clone();
    spec.host_network = true;
    pod.spec = spec.into();
    let mut bed = bed("web.default.svc.cluster.local", 80);
    let conf = bed.network.resolv_conf(&pod);
    bed = bed.by_machines(|front| PodUp { resolv_conf: conf.clone(), host_ports: vec![(80, 80)], ..front });
    assert_eq!(told(&mut bed), (Cause::NoUpstream, 0));
}
