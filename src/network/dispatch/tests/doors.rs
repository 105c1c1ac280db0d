//! How requests get in to an ingress controller, and from there to endpoints: ports of machines, policies, the Service's address, workers
//! that are replaced.

use serde_json::{Value, json};

use super::super::super::clients::KeepAlive;
use super::super::super::outcome::Cause;
use super::bed::{Bed, constant, secs};
use super::fronts::{FRONT, millis, nginx, to_url};
use crate::kernel::{Sampler, SimTime};
use crate::network::{ClientSpec, NetworkConfig, Origin, PodUp, ServeModel};
use crate::objects::{Labels, Selector};

const URL: &str = "http://shop.example/cart";

fn ingress_in(from: &Value) -> Option<Value> {
    Some(
        json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": [{"from": from}]}),
    )
}

fn outside(name: &str, url: &str, rate: &str) -> ClientSpec {
    ClientSpec { from: Origin::External, ..to_url(name, url, constant(rate)) }
}

#[test]
fn endpoints_that_a_policy_keeps_from_the_controller_are_a_504_after_all_connect_timeouts() {
    let mut patient = to_url("patient", URL, constant("10/s"));
    patient.timeout = secs(60);
    let mut hasty = to_url("hasty", URL, constant("10/s"));
    hasty.timeout = secs(2);
    let mut bed = Bed::new(vec![patient, hasty], 3, 4).behind_ingress(1, &json!({}));
    bed.run(1);
    bed.policy("web", ingress_in(&json!([{"podSelector": {"matchLabels": {"app": "frontend"}}}])));
    bed.run(16);
    // Three tries of five seconds each: who has come by the first second is answered by the sixteenth.
    let report = bed.report("patient");
    assert_eq!((report.total.succeeded, report.cause(Cause::GatewayTimeout)), (10, 0));
    bed.run(31);
    let report = bed.report("patient");
    assert_eq!((report.total.succeeded, report.cause(Cause::GatewayTimeout)), (10, 150));
    assert_eq!(report.routes[0].statuses, [(504, 150)]);
    assert_eq!(report.total.upstream_retries, 250 + 200, "a second try after five seconds, a third one after ten");
    // Who does not wait so long never learns of it.
    let report = bed.report("hasty");
    assert_eq!((report.cause(Cause::TooSlow), report.cause(Cause::GatewayTimeout)), (280, 0));
    // What lets the controller in lets its clients in.
    bed.policy("controller", ingress_in(&json!([{"podSelector": {"matchLabels": {"app": "ingress"}}}])));
    bed.run(32);
    assert_eq!(bed.report("hasty").total.succeeded, 20);
}

#[test]
fn one_endpoint_of_two_that_a_policy_keeps_from_the_controller_costs_a_connect_timeout() {
    let mut bed = Bed::new(vec![to_url("users", URL, constant("10/s"))], 1, 2)
        .behind_ingress(1, &nginx(&[("proxy-connect-timeout", "2")]));
    let spec = json!({"podSelector": {"matchLabels": {"pod": "1"}}, "policyTypes": ["Ingress"]});
    bed.policy("one", Some(spec));
    bed.run(10);
    let report = bed.report("users");
    let answered: Vec<&str> = report.versions.iter().filter(|v| v.answered > 0).map(|v| &*v.name).collect();
    assert_eq!(answered, ["v0"]);
    // Whoever is sent on in between has the other endpoint's turn: some requests come to the same one three times.
    let (late, lost) = (report.total.upstream_retries, report.cause(Cause::GatewayTimeout));
    assert!(late > 30 && lost < 20 && report.total.lost == lost, "{late} and {lost} of 100");
    assert!(report.latency.quantile(900) >= secs(2), "the first try costs its timeout");
}

#[test]
fn egress_of_the_controller_is_closed_at_its_pods() {
    let clients = vec![to_url("users", URL, constant("10/s"))];
    let mut bed = Bed::new(clients, 1, 2).behind_ingress(1, &nginx(&[("proxy-next-upstream", "off")]));
    let to = json!([{"to": [{"podSelector": {"matchLabels": {"pod": "0"}}}]}]);
    let spec = json!({"podSelector": {"matchLabels": {"app": "ingress"}}, "policyTypes": ["Egress"], "egress": to});
    bed.policy("controller", Some(spec));
    bed.run(10);
    bed.silence_clients();
    bed.run(20);
    let report = bed.report("users");
    assert_eq!(
        (report.total.succeeded, report.cause(Cause::GatewayTimeout)),
        (50, 25),
        "half of those of five seconds"
    );
}

#[test]
fn a_host_port_leads_to_the_controller_without_a_service() {
    let elsewhere = ClientSpec { timeout: secs(1), ..outside("elsewhere", "http://shop.example:8443/", "10/s") };
    let clients = vec![outside("users", URL, "300/s"), elsewhere, to_url("node", URL, constant("10/s"))];
    let bed = Bed::new(clients, 3, 3).behind_ingress(2, &json!({}));
    let mut bed = bed.by_machines(|pod| PodUp { host_ports: vec![(80, 8080)], ..pod });
    bed.run(10);
    let users = bed.report("users");
    assert_eq!((users.total.requests, users.total.succeeded), (3000, 3000));
    assert_eq!(bed.report("node").total.succeeded, 100);
    assert_eq!(bed.report("elsewhere").cause(Cause::NoSuchPort), 90, "nobody listens there");
    // Of the two machines one is gone; outside nobody has noticed.
    bed.node_down(1);
    bed.run(12);
    let lost = bed.report("users").total.requests - bed.report("users").total.succeeded;
    assert!((200..400).contains(&lost), "half of 600: {lost}");
}

#[test]
fn a_controller_in_the_network_of_its_machine_is_reached_there_and_no_policy_is_about_it() {
    let bed = Bed::new(vec![outside("users", URL, "10/s")], 1, 1).behind_ingress(1, &json!({}));
    let mut bed = bed.by_machines(|pod| {
        let address = [192, 0, 2, 0].into();
        PodUp { host_network: true, address, ..pod }
    });
    let spec = json!({"podSelector": {"matchLabels": {"app": "ingress"}}, "policyTypes": ["Ingress", "Egress"]});
    bed.policy("none", Some(spec));
    bed.run(10);
    assert_eq!(bed.report("users").total.succeeded, 100);
    // The endpoint is on the same machine, whose processes reach it whatever policies say.
    bed.policy("web", ingress_in(&json!([{"podSelector": {"matchLabels": {"app": "nobody"}}}])));
    bed.run(20);
    assert_eq!(bed.report("users").total.succeeded, 200);
}

#[test]
fn policies_of_the_controller_and_of_who_sends_are_asked_behind_a_host_port() {
    let from_pods = Origin::Pods("default".into(), Selector::from_labels(&Labels::new().with("pod", "0")));
    let inside = ClientSpec { from: from_pods, timeout: secs(1), ..to_url("inside", URL, constant("10/s")) };
    let mut users = outside("users", URL, "10/s");
    users.timeout = secs(1);
    let bed = Bed::new(vec![users, inside], 2, 1).behind_ingress(1, &json!({}));
    let mut bed = bed.by_machines(|pod| PodUp { host_ports: vec![(80, 8080)], ..pod });
    bed.run(10);
    assert_eq!(["users", "inside"].map(|name| bed.report(name).total.succeeded), [100, 100]);
    // By then the port is that of the pod.
    let egress = |port: u16| {
        let rule = json!([{"ports": [{"port": port}]}]);
        Some(json!({"podSelector": {"matchLabels": {"pod": "0"}}, "policyTypes": ["Egress"], "egress": rule}))
    };
    bed.policy("out", egress(80));
    bed.run(20);
    bed.policy("out", None);
    bed.policy("pod", egress(8080));
    bed.run(30);
    assert_eq!(["users", "inside"].map(|name| bed.report(name).total.succeeded), [300, 200]);
    assert_eq!(bed.report("inside").cause(Cause::PolicyDenied), 100);
    let block = json!([{"from": [{"podSelector": {}}]}]);
    let spec =
        json!({"podSelector": {"matchLabels": {"app": "ingress"}}, "policyTypes": ["Ingress"], "ingress": block});
    bed.policy("in", Some(spec));
    bed.run(40);
    assert_eq!(["users", "inside"].map(|name| bed.report(name).total.succeeded), [300, 300]);
}

#[test]
fn by_the_address_of_the_service_the_proxy_of_its_node_chooses() {
    let clients = vec![to_url("users", URL, constant("100/s"))];
    let config =
        NetworkConfig { min_sync_period: Some(secs(2)), ingress_sync: Some(secs(0)), ..NetworkConfig::ideal() };
    let model = ServeModel { time: Sampler::default(), ..ServeModel::default() };
    let played = |annotations: &Value| {
        let mut bed = Bed::with(clients.clone(), 1, 2, model.clone(), config.clone(), 7).behind_ingress(1, annotations);
        bed.affinity(1000);
        bed.run(10);
        let before = bed.report("users");
        // Two changes: kube-proxy acts on the second one after its period.
        bed.set_ready(0, false);
        bed.set_ready(0, true);
        bed.run_until(SimTime::from_millis(10_500));
        bed.delete_endpoints();
        bed.run(13);
        (before, bed.report("users"))
    };
    let (before, after) = played(&json!({}));
    assert_eq!(before.versions.len(), 2, "endpoints take turns, whatever the affinity of the Service");
    assert_eq!(after.cause(Cause::NoUpstream), 250, "the controller sees at once that there are none");
    let (before, after) = played(&nginx(&[("service-upstream", "true")]));
    assert_eq!(before.versions.len(), 1, "to the Service the controller is one client: {:?}", before.versions);
    assert_eq!(after.cause(Cause::NoUpstream), 0);
    let refused = after.cause(Cause::BadGateway);
    assert!((50..200).contains(&refused), "as soon as the node has programmed it: {refused}");
}

/// Three connections for ever.
fn kept(name: &str, rate: &str) -> ClientSpec {
    let keep_alive = Some(KeepAlive { connections: 3, requests: 0, lasts: secs(0) });
    ClientSpec { keep_alive, timeout: secs(1000), ..to_url(name, URL, constant(rate)) }
}

#[test]
fn a_reload_closes_kept_connections_and_a_change_of_endpoints_does_not() {
    let mut bed = Bed::new(vec![kept("users", "10/s")], 3, 3).behind_ingress(2, &json!({}));
    bed.run(10);
    assert_eq!(bed.report("users").total.connections, 3);
    bed.set_ready(0, false);
    bed.run(20);
    assert_eq!(bed.report("users").total.connections, 3, "workers are told of endpoints without a reload");
    bed.annotate(&nginx(&[("proxy-read-timeout", "30")]));
    bed.run(30);
    let report = bed.report("users").total;
    assert_eq!((report.connections, report.lost), (6, 0), "each is opened again by the new workers");
}

#[test]
fn after_sigterm_the_controller_closes_kept_connections_and_ends_what_is_under_way() {
    let model = ServeModel { time: Sampler::constant(millis(500)), ..ServeModel::default() };
    let mut bed = Bed::with(vec![kept("users", "10/s")], 1, 1, model, NetworkConfig::ideal(), 7);
    bed = bed.behind_ingress(1, &json!({}));
    bed.run(10);
    bed.stop(FRONT, 0, 5000);
    bed.run(15);
    let report = bed.report("users");
    // Whoever comes next opens another connection, which is refused; the five that were under way are answered.
    assert_eq!((report.total.succeeded, report.cause(Cause::Stopping), report.cause(Cause::Killed)), (100, 50, 0));
}

#[test]
fn workers_that_were_replaced_are_given_four_minutes_for_what_they_have_begun() {
    let model = ServeModel { time: Sampler::constant(secs(400)), ..ServeModel::default() };
    let mut slow = to_url("slow", URL, constant("1/s"));
    (slow.timeout, slow.stop) = (secs(1000), Some(secs(20)));
    let bed = Bed::with(vec![slow], 1, 1, model, NetworkConfig::ideal(), 7);
    let mut bed = bed.behind_ingress(1, &nginx(&[("proxy-read-timeout", "900")]));
    bed.run(10);
    bed.annotate(&nginx(&[("proxy-read-timeout", "901")]));
    bed.run(250);
    assert_eq!(bed.report("slow").total.finished(), 0);
    bed.run(251);
    assert_eq!(bed.report("slow").cause(Cause::Killed), 10, "those of the old workers");
    bed.run(500);
    assert_eq!(bed.report("slow").total.succeeded, 10, "those of the new ones");
}
