//! What requests meet at an ingress controller.

use serde_json::json;

use super::super::super::clients::{HttpRequest, KeepAlive, Load, RequestTarget};
use super::super::super::outcome::{Cause, Outcome};
use super::super::super::servers::ProcessChange;
use super::bed::{Bed, constant, open, secs};
use super::fronts::{FRONT, millis, nginx, to_url};
use super::statistics::chi_square;
use crate::kernel::{Sampler, SimTime};
use crate::network::{Arrivals, Cidr, ClientSpec, NetworkConfig, Origin, ServeModel};
use crate::objects::{Labels, Selector};

fn poisson(rate: &str) -> Load {
    Load::Open(Arrivals::poisson(rate.parse().expect("a rate")))
}

const URL: &str = "http://shop.example/cart";

fn ideal(clients: Vec<ClientSpec>, pods: usize, fronts: usize) -> Bed {
    Bed::new(clients, 3, pods).behind_ingress(fronts, &json!({}))
}

/// With the lags of a real controller.
fn lagging(clients: Vec<ClientSpec>, pods: usize) -> Bed {
    let config = NetworkConfig { ingress_sync: None, ..NetworkConfig::default() };
    let model = ServeModel { time: Sampler::default(), ..ServeModel::default() };
    Bed::with(clients, 1, pods, model, config, 7).behind_ingress(1, &json!({}))
}

#[test]
fn all_ready_and_programmed_none_is_lost_and_endpoints_take_turns() {
    let mut bed = ideal(vec![to_url("users", URL, constant("1000/s"))], 6, 2);
    bed.run(10);
    let report = bed.report("users");
    assert_eq!((report.total.requests, report.total.lost, report.total.succeeded), (10_000, 0, 10_000));
    // Two pods in turn on their own, and a random one of them for each request.
    assert!(report.versions.iter().all(|version| (1600..1740).contains(&version.answered)), "{:?}", report.versions);
    let [route] = &report.routes[..] else { panic!("one way: {:?}", report.routes) };
    assert_eq!((route.rule.as_deref(), route.service.as_deref()), (Some("default/shop"), Some("default/web:80")));
    assert_eq!((route.requests, route.retried, &*route.host, &*route.path), (10_000, 0, "shop.example", "/"));
}

#[test]
fn it_answers_itself_where_no_rule_or_endpoint_is() {
    let url = |name: &str, url: &str| to_url(name, url, constant("10/s"));
    let clients =
        vec![url("users", URL), url("strangers", "http://other.example/"), url("tls", "https://shop.example/")];
    let mut bed = ideal(clients, 2, 1);
    bed.run(1);
    assert_eq!(bed.report("strangers").cause(Cause::NoRule), 10);
    assert_eq!(bed.report("strangers").routes[0].statuses, [(404, 10)]);
    assert_eq!(bed.report("tls").cause(Cause::NoSuchPort), 0, "nobody has waited long enough");
    bed.delete_endpoints();
    bed.run(2);
    let report = bed.report("users");
    assert_eq!((report.cause(Cause::NoUpstream), report.total.succeeded), (10, 10));
    assert_eq!(report.outcome(Outcome::ServerError), 10);
}

#[test]
fn another_endpoint_is_asked_where_one_has_no_process() {
    let mut post = HttpRequest::get(URL).expect("a URL");
    post.method = "POST".into();
    let post = ClientSpec { to: RequestTarget::Url(post.into()), ..open("orders", poisson("1000/s")) };
    let mut bed = ideal(vec![to_url("users", URL, poisson("1000/s")), post], 3, 1);
    bed.kill(0);
    bed.run(3);
    // Nothing was sent to a process that is not there, so that orders are tried again too.
    for client in ["users", "orders"] {
        let report = bed.report(client);
        assert_eq!(report.total.lost, 0, "{client}");
        // Whoever is sent on after a try at the first pod has had that turn: of three requests two ask another one then.
        assert!((900..1600).contains(&report.total.upstream_retries), "{client}: {}", report.total.upstream_retries);
    }
    bed.annotate(&nginx(&[("proxy-next-upstream", "off")]));
    bed.run(6);
    let report = bed.report("users");
    assert!((900..1100).contains(&report.cause(Cause::BadGateway)), "a third of 3000: {:?}", report.total);
}

#[test]
fn what_was_sent_to_a_process_that_ends_is_sent_again_unless_that_may_do_harm() {
    let mut post = HttpRequest::get(URL).expect("a URL");
    post.method = "POST".into();
    let post = ClientSpec { to: RequestTarget::Url(post.into()), ..open("orders", poisson("1000/s")) };
    let model = ServeModel { time: Sampler::constant(millis(100)), ..ServeModel::default() };
    let clients = vec![to_url("users", URL, poisson("1000/s")), post];
    let mut bed = Bed::with(clients, 3, 2, model, NetworkConfig::ideal(), 7).behind_ingress(1, &json!({}));
    bed.run(1);
    bed.kill(0);
    bed.run(2);
    let (users, orders) = (bed.report("users"), bed.report("orders"));
    assert_eq!((users.total.lost, users.cause(Cause::BadGateway)), (0, 0));
    // Half of those of the last tenth of a second.
    assert!((30..70).contains(&orders.cause(Cause::BadGateway)), "{:?}", orders.total);
}

#[test]
fn silence_is_given_up_after_the_timeouts_of_the_rule() {
    let mut bed = ideal(vec![to_url("users", URL, constant("10/s"))], 1, 1);
    bed.annotate(&nginx(&[("proxy-read-timeout", "2"), ("proxy-next-upstream-tries", "2")]));
    bed.process(0, ProcessChange::Hung);
    bed.run(10);
    let report = bed.report("users");
    // Two tries of two seconds each.
    assert_eq!((report.cause(Cause::GatewayTimeout), report.total.succeeded), (60, 0));
    bed.run(20);
    assert_eq!(bed.report("users").total.upstream_retries, 180);
}

#[test]
fn a_pod_of_the_controller_that_ends_takes_its_requests_along() {
    let model = ServeModel { time: Sampler::constant(millis(100)), ..ServeModel::default() };
    let clients = vec![to_url("users", URL, constant("100/s"))];
    let mut bed = Bed::with(clients, 3, 4, model, NetworkConfig::ideal(), 7).behind_ingress(1, &json!({}));
    bed.run(1);
    bed.kill(FRONT);
    bed.run(2);
    let report = bed.report("users");
    assert_eq!((report.cause(Cause::Killed), report.cause(Cause::NoProcess)), (10, 100));
    let front = report.versions.iter().find(|version| &*version.name == "front0").expect("the controller");
    assert_eq!(front.failed, 110);
}

#[test]
fn endpoints_and_rules_are_known_after_a_sync_and_a_look_or_a_reload() {
    let mut bed = lagging(vec![to_url("users", URL, constant("100/s"))], 2);
    bed.run_until(SimTime::from_millis(10_300));
    let before = bed.report("users").total.succeeded;
    // The first change after a while is synced at once; workers look every full second.
    bed.set_ready(1, false);
    bed.kill(1);
    bed.run(12);
    let retried = bed.report("users").total.upstream_retries;
    // The second try of each takes the turn of the pod that is there, so that the next request begins at the other one.
    assert!((68..=71).contains(&retried), "every request until 11 s: {retried}");
    bed.run(13);
    assert_eq!(bed.report("users").total.upstream_retries, retried);
    assert_eq!(bed.report("users").total.succeeded, before + 270);
    // The next sync is 3.333 s after the last one; then nginx takes 300 ms to reload.
    bed.annotate(&nginx(&[("permanent-redirect", "https://elsewhere.example/")]));
    bed.run(20);
    let redirected = bed.report("users").cause(Cause::Redirected);
    assert!((605..=608).contains(&redirected), "from 13.933 s on: {redirected}");
}

#[test]
fn a_canary_takes_its_share_by_weight_header_and_cookie() {
    let mut clients = vec![to_url("users", URL, constant("10000/s"))];
    for (name, header, cookie) in [("always", "always", ""), ("never", "never", ""), ("cookie", "", "always")] {
        let mut request = HttpRequest::get(URL).expect("a URL");
        request.headers = vec![("x-canary".to_owned(), header.to_owned())];
        request.cookies = vec![("beta".to_owned(), cookie.to_owned())];
        clients.push(ClientSpec { to: RequestTarget::Url(request.into()), ..open(name, constant("100/s")) });
    }
    let mut bed = ideal(clients, 4, 2);
    bed.canary(&[3], &[("canary-weight", "20"), ("canary-by-header", "X-Canary"), ("canary-by-cookie", "beta")]);
    bed.run(10);
    let to_canary = |client: &str| bed.report(client).sent_to("canary");
    assert_eq!((to_canary("always"), to_canary("never"), to_canary("cookie")), (1000, 0, 1000));
    let (canary, main) = (to_canary("users"), 100_000 - to_canary("users"));
    // One degree of freedom: 10.8 is exceeded once in a thousand.
    let off = (canary as f64 - 20_000.0).powi(2);
    assert!(off / 20_000.0 + off / 80_000.0 < 10.8, "{canary} and {main}");
}

/// `192.0.2.N` is node N, `10.1.0.N` pod N - 1, on the node of that number.
#[test]
fn lists_of_addresses_meet_those_that_the_controller_sees() {
    let outside = |network: Option<&str>| {
        let network = network.map(|range| Cidr::parse(range).expect("a range"));
        ClientSpec { from: Origin::External, network, ..to_url("users", URL, constant("300/s")) }
    };
    let inside = || to_url("users", URL, constant("300/s"));
    let pod = Selector::from_labels(&Labels::new().with("pod", "1"));
    let from_pod = || ClientSpec { from: Origin::Pods("default".into(), pod.clone()), ..inside() };
    let (office, balanced) = (Some("203.0.113.128/25"), "Balancer");
    for (client, policy, list, let_in) in [
        // What comes in by a node, on its way to whatever pod, has the address of the node.
        (outside(office), "Cluster", "whitelist-source-range: 203.0.113.0/24", 0),
        (outside(office), "Cluster", "whitelist-source-range: 192.0.2.1", 100),
        (outside(office), "Cluster", "denylist-source-range: 192.0.2.1", 200),
        (outside(office), "Cluster", "denylist-source-range: 203.0.113.0/24", 300),
        (outside(None), "Cluster", "allowlist-source-range: 192.0.2.0/24", 300),
        // It keeps its own, if anybody knows it.
        (outside(office), "Local", "whitelist-source-range: 203.0.113.0/24", 300),
        (outside(office), "Local", "whitelist-source-range: 192.0.2.0/24", 0),
        (outside(None), "Local", "whitelist-source-range: 203.0.113.0/24", 0),
        (outside(None), "Local", "whitelist-source-range: 0.0.0.0/0", 300),
        // By the address of the Service inside nothing is replaced; by that of a load balancer it is.
        (inside(), "Cluster", "whitelist-source-range: 192.0.2.0", 300),
        (inside(), "Cluster", "whitelist-source-range: 192.0.2.1", 0),
        (from_pod(), "Cluster", "whitelist-source-range: 10.1.0.2", 300),
        (from_pod(), "Cluster", "whitelist-source-range: 192.0.2.1", 0),
        (from_pod(), balanced, "whitelist-source-range: 192.0.2.1", 300),
        (from_pod(), balanced, "whitelist-source-range: 10.1.0.2", 0),
    ] {
        let row = format!("{:?} {:?} {policy} {list}", client.from, client.network);
        let (name, range) = list.split_once(": ").expect("an annotation");
        let mut bed = Bed::new(vec![client], 3, 3).behind_ingress(3, &nginx(&[(name, range)]));
        match policy {
            "Local" => bed.keep_addresses(),
            "Balancer" => bed.balance(),
            _ => {}
        }
        bed.run(2);
        let report = bed.report("users");
        let (passed, held) = (report.total.succeeded, report.cause(Cause::Forbidden));
        assert_eq!(passed + held, report.total.requests, "{row}");
        match let_in {
            0 | 300 => assert_eq!((passed == 0, held == 0), (let_in == 0, let_in == 300), "{row}: {passed} {held}"),
            // Of 600, give or take four standard deviations.
            share => assert!(passed.abs_diff(share * 2) < 50, "{row}: {passed} {held}"),
        }
    }
}

#[test]
fn what_lists_hold_back_is_told_on_kept_connections_too() {
    let keep_alive = Some(KeepAlive { connections: 1, requests: 0, lasts: secs(0) });
    let outside = ClientSpec { from: Origin::External, keep_alive, ..to_url("users", URL, constant("10/s")) };
    let mut bed = Bed::new(vec![outside], 2, 2).behind_ingress(1, &nginx(&[("denylist-source-range", "192.0.2.0/31")]));
    bed.run(10);
    let report = bed.report("users");
    assert_eq!((report.total.connections, report.cause(Cause::Forbidden), report.total.lost), (1, 100, 100));
    assert_eq!(report.routes[0].statuses, [(403, 100)]);
}

#[test]
fn bodies_that_are_too_long_are_told_apart_from_clients_that_are_not_let_in() {
    let mut spec = to_url("users", URL, constant("10/s"));
    if let RequestTarget::Url(request) = &mut spec.to {
        *request = HttpRequest { method: "POST".into(), body_bytes: 1025, ..(**request).clone() }.into();
    }
    for (size, expected) in [("1k", (0, 10)), ("1025", (10, 0)), ("0", (10, 0))] {
        let mut bed = Bed::new(vec![spec.clone()], 2, 2).behind_ingress(1, &nginx(&[("proxy-body-size", size)]));
        bed.run(1);
        let report = bed.report("users");
        assert_eq!((report.total.succeeded, report.cause(Cause::TooLarge)), expected, "{size}");
        assert_eq!(report.routes[0].statuses.first().map(|(status, _)| *status), (expected.1 > 0).then_some(413));
    }
}

#[test]
fn a_session_cookie_keeps_each_user_at_a_pod_and_spreads_users() {
    let users = Load::Closed { users: 2000, think: Sampler::constant(secs(1)) };
    let mut bed = Bed::new(vec![to_url("users", URL, users)], 3, 8)
        .behind_ingress(2, &nginx(&[("affinity", "cookie"), ("affinity-mode", "persistent")]));
    bed.run_until(SimTime::from_millis(1500));
    let first: Vec<u64> = bed.report("users").versions.iter().map(|version| version.answered).collect();
    assert_eq!(first.iter().sum::<u64>(), 2000);
    // Seven degrees of freedom: 24.3 is exceeded once in a thousand.
    assert!(chi_square(&first) < 24.3, "{first:?}");
    bed.run_until(SimTime::from_millis(10_500));
    let all: Vec<u64> = bed.report("users").versions.iter().map(|version| version.answered).collect();
    let kept: Vec<u64> = first.iter().map(|users| users * 10).collect();
    assert_eq!(all, kept, "everybody came back to the same pod, whichever pod of the controller it was");
}

#[test]
fn a_controller_with_a_time_of_its_own_queues() {
    let slow = ServeModel { time: Sampler::constant(millis(20)), concurrency: Some(1), ..ServeModel::default() };
    let mut bed = Bed::new(vec![to_url("users", URL, constant("40/s"))], 1, 2);
    bed.network.fleet.models = vec![bed.network.fleet.models[0].clone(), slow].into();
    let mut bed = bed.behind_ingress(1, &json!({}));
    bed.run(10);
    let report = bed.report("users");
    assert_eq!((report.total.lost, report.latency.quantile(500)), (0, millis(20)));
    // It stops while a request waits for its turn.
    bed.stop(FRONT, 0, 10);
    bed.run(11);
    assert_eq!(bed.report("users").total.finished(), bed.report("users").total.requests);
}
