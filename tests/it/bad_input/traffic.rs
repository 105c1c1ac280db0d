//! Clients, networks and applications that cannot be.

use seatrial::scenario::{RunOptions, Scenario};

use super::{all_are_wrong, spec, table};

/// A scenario with a machine, a Service and one client with these fields.
fn client(fields: &str) -> String {
    spec(&format!("nodes: [{{name: w}}]\ntraffic:\n- {{name: users, {fields}}}"))
}

#[test]
fn traffic_that_makes_no_sense() {
    let to = "to: service/web, rate: 1/s";
    let crowd: String = (0..3).map(|n| format!("- {{name: c{n}, to: service/web, users: 900000}}\n")).collect();
    let pools: String =
        (0..2).map(|n| format!("- {{name: c{n}, {to}, keepAlive: {{connections: 1000000}}}}\n")).collect();
    let years = "duration: 80000h\nnodes: [{name: w}]\n";
    let cases = [
        ("no destination", client("rate: 1/s")),
        ("no load", client("to: service/web")),
        ("a rate without a time", client("to: service/web, rate: 200")),
        ("a rate in a wrong unit", client("to: service/web, rate: 200/fortnight")),
        ("a negative rate", client("to: service/web, rate: -1/s")),
        ("more than one request a nanosecond", client("to: service/web, rate: 1000000000000/s")),
        ("more requests than anybody sends", client("to: service/web, rate: 20000000/s")),
        ("a rate and users", client("to: service/web, rate: 1/s, users: 3")),
        ("no users", client("to: service/web, users: 0")),
        ("more users than a city", client("to: service/web, users: 4000000")),
        ("users that do not think", client("to: service/web, users: 1, think: 1us")),
        ("arrivals of users", client("to: service/web, users: 1, arrivals: poisson")),
        ("arrivals of an unknown kind", client(&format!("{to}, arrivals: random"))),
        ("a rate that falls in time", client("to: service/web, rate: [{at: 9s, rate: 1/s}, {at: 3s, rate: 2/s}]")),
        (
            "a burst longer than its period",
            client("to: service/web, rate: {curve: bursts, low: 0/s, high: 9/s, every: 1s, for: 1m}"),
        ),
        ("a curve of an unknown shape", client("to: service/web, rate: {curve: sawtooth}")),
        (
            "a field of another curve",
            client("to: service/web, rate: {curve: recorded, step: 1s, counts: [3], high: 9/s}"),
        ),
        ("fewer requests than none", client("to: service/web, rate: {curve: recorded, step: 1s, counts: [3, -1]}")),
        ("a step that is misspelt", client("to: service/web, rate: [{at: 0s, rat: 1/s}]")),
        ("a period of no time", client("to: service/web, rate: {curve: diurnal, low: 0/s, high: 1/s, every: 0s}")),
        ("nothing of a kind", client("to: web, rate: 1/s")),
        ("what takes no requests", client("to: deployment/web, rate: 1/s")),
        ("an unknown kind", client("to: servcie/web, rate: 1/s")),
        ("an ingress", client("to: ingress/web, rate: 1/s")),
        ("another scheme", client("to: \"ftp://shop.example.com/\", rate: 1/s")),
        ("no host in a URL", client("to: \"http:///cart\", rate: 1/s")),
        ("a host with a space", client("to: \"http://my shop/\", rate: 1/s")),
        ("a port that is none", client("to: \"http://shop.example.com:99999/\", rate: 1/s")),
        ("a method in small letters", client("to: \"http://shop.example.com/\", method: get, rate: 1/s")),
        (
            "a header with a space",
            client("to: \"http://shop.example.com/\", headers: {\"X Canary\": always}, rate: 1/s"),
        ),
        ("a body of less than nothing", client("to: \"http://shop.example.com/\", body: -1, rate: 1/s")),
        ("headers for a service", client("to: service/web, headers: {X-Canary: always}, rate: 1/s")),
        ("a port of a way in", client("to: \"http://shop.example.com/\", via: \"service/web:80\", rate: 1/s")),
        ("a way in by a deployment", client("to: \"http://shop.example.com/\", via: deployment/web, rate: 1/s")),
        ("no range of addresses", client("to: service/web, network: 203.0.113.7, rate: 1/s")),
        ("a range of addresses inside", client("to: service/web, from: node/w, network: 203.0.113.0/24, rate: 1/s")),
        (
            "a resolver for a URL",
            client("to: \"http://shop.example.com/\", dns: {cache: ttl}, from: node/w, rate: 1/s"),
        ),
        ("a port that is none", client("to: 'service/web:99999', rate: 1/s")),
        ("a port that is missing", client("to: 'service/web:', rate: 1/s")),
        ("a machine that is not there", client(&format!("{to}, from: node/nobody"))),
        ("a selector that is none", client(&format!("{to}, from: 'app=a=b'"))),
        ("addresses of pods", client(&format!("{to}, from: app=web, addresses: 3"))),
        ("no time to wait", client(&format!("{to}, timeout: 0s"))),
        ("a day to wait", client(&format!("{to}, timeout: 24h"))),
        ("an end before the start", client(&format!("{to}, start: 9s, stop: 3s"))),
        ("a thousand retries", client(&format!("{to}, retries: 1000"))),
        ("retries in words", client(&format!("{to}, retries: many"))),
        ("a field of retries that does not exist", client(&format!("{to}, retries: {{count: 1, jitter: 1s}}"))),
        ("retries without a number", client(&format!("{to}, retries: {{backOff: 1s}}"))),
        ("a budget that is no share", client(&format!("{to}, retries: {{count: 1, budget: some}}"))),
        ("no connections", client(&format!("{to}, keepAlive: {{connections: 0}}"))),
        ("more connections than ports", client(&format!("{to}, keepAlive: {{connections: 4000000000}}"))),
        ("a field that does not exist", client(&format!("{to}, conections: 3"))),
        (
            "two clients of a name",
            spec(&format!("nodes: [{{name: w}}]\ntraffic:\n- {{name: a, {to}}}\n- {{name: a, {to}}}")),
        ),
        ("millions of users of all clients", spec(&format!("nodes: [{{name: w}}]\ntraffic:\n{crowd}"))),
        ("millions of connections of all clients", spec(&format!("nodes: [{{name: w}}]\ntraffic:\n{pools}"))),
        (
            "a short curve over a long time",
            spec(&format!(
                "{years}traffic: [{{name: a, to: service/web, rate: {{curve: diurnal, low: 1/h, high: 2/h, every: 100ms}}}}]"
            )),
        ),
        ("a proxy of an unknown kind", spec("network: {proxyMode: ebpf}")),
        ("an unknown scheduler", spec("network: {ipvsScheduler: random}")),
        ("a scheduler without ipvs", spec("network: {ipvsScheduler: lc}")),
        ("a number without a unit", spec("network: {hop: 3}")),
        ("a negative time", spec("network: {outside: -3ms}")),
        ("a namespace of a machine", client(&format!("{to}, from: node/w, namespace: shop"))),
        ("a window of a moment", spec("network: {window: 1us}")),
        ("no client in an expectation", spec("expect: [{final: traffic(nobody).lost == 0}]")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn hosts_that_nobody_can_ask_for() {
    let cases = [
        ("a host without a port", client("to: web.shop, rate: 1/s, from: app=web")),
        ("a host and a name of a port", client("to: 'web:http', rate: 1/s, from: app=web")),
        ("a name of a port and a port", client("to: '_http._tcp.web:80', rate: 1/s, from: app=web")),
        ("no name of a host", client("to: 'we b:80', rate: 1/s, from: app=web")),
        ("an address for a name", client("to: '10.0.0.1:80', rate: 1/s, from: app=web")),
        ("a name of the cluster from outside", client("to: 'web:80', rate: 1/s")),
        ("DNS for an address that is known", client("to: service/web, rate: 1/s, from: app=web, dns: {cache: 30s}")),
        ("an unknown way to keep addresses", client("to: 'web:80', rate: 1/s, from: app=web, dns: {cache: sometimes}")),
        ("an unknown way to pick addresses", client("to: 'web:80', rate: 1/s, from: app=web, dns: {pick: last}")),
        ("a resolver that never asks", spec("network: {dns: {attempts: 0}}")),
        ("a resolver that waits for ever", spec("network: {dns: {timeout: 1h}}")),
        ("an address outside that is none", spec("network: {dns: {outside: {x.org: [203.0.113]}}}")),
        ("a name outside that is none", spec("network: {dns: {outside: {'x y': [203.0.113.7]}}}")),
        ("a search domain that is none", spec("network: {dns: {search: ['corp..example']}}")),
        ("a fallback that is none", client("to: 'web:80', rate: 1/s, from: app=web, dns: {fallback: next}")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn containers_that_serve_in_no_possible_way() {
    let serve = |fields: &str| spec(&format!("containers:\n- {{image: 'web:*', serve: {{{fields}}}}}"));
    let cases = [
        ("a time without a unit", serve("time: 5")),
        ("a negative time", serve("time: -5ms")),
        ("an unknown distribution", serve("time: {distribution: bell, mean: 3ms}")),
        ("cores for CPU time", serve("cpu: 500m5")),
        ("nobody who works", serve("concurrency: 0")),
        ("a crowd that works", serve("concurrency: 1000000")),
        ("a queue without end", serve("concurrency: 1, queue: 4000000")),
        ("a queue before nobody", serve("queue: 5")),
        ("more errors than requests", serve("errorRate: 3/2")),
        ("errors in words", serve("errorRate: rarely")),
        ("a load that nobody knows", serve("slowWithLoad: 50%")),
        ("a load of a crowd", serve("concurrency: 5000, slowWithLoad: 50%")),
        ("a warm-up without a length", serve("warmUp: {slower: 200%}")),
        ("probes in a line that nobody stands in", serve("probes: queue")),
        ("probes nowhere", serve("concurrency: 1, probes: never")),
        ("an unknown answer to SIGTERM", serve("onSigterm: ignore")),
        ("a field that does not exist", serve("threads: 4")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

/// Such a client would be looked through for its next request for ever.
#[test]
fn rates_that_never_send_are_refused() {
    let text = client("to: service/web, rate: {curve: bursts, low: 0/s, high: 1/h, every: 1m, for: 1s}");
    let error = Scenario::read("bad.yaml", &text).expect_err("it never sends").to_string();
    assert!(error.contains("bad.yaml:8:42: spec.traffic[0].rate: client users: it never sends"), "{error}");
}

/// What is odd and allowed comes to an end, or is stopped and told.
#[test]
fn absurd_traffic_comes_to_an_end() {
    let web = "objects: '{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}}'";
    let run = |duration: &str, client: &str| {
        let text = spec(&format!(
            "duration: {duration}\nnodes: [{{name: w}}]\n{web}\ntraffic: [{{name: a, to: service/web, {client}}}]"
        ));
        let options = RunOptions { max_events: Some(20_000), ..RunOptions::default() };
        Scenario::read("odd.yaml", &text)
            .expect("a scenario")
            .run(&options)
            .expect("it runs")
            .stopped()
            .unwrap_or_default()
    };
    let used_up = "the 400000 requests that it may have were used up";
    // Machines tell of themselves for ever, and that ends first.
    let events = "the 20000 events that it may have were used up";
    for (duration, client, told) in [
        ("1h", "rate: 10000000/s", used_up),
        ("1h", "rate: 10000000/s, arrivals: poisson, timeout: 1h, retries: {count: 100, backOff: 1000h}", used_up),
        ("1h", "rate: 10000/s, retries: {count: 100, backOff: 0s}", used_up),
        ("1h", "users: 100000, think: 10us", used_up),
        ("80000h", "users: 10, from: app=nobody", used_up),
        ("80000h", "rate: 1/s", events),
        ("80000h", "rate: {curve: bursts, low: 0/s, high: 1/h, every: 10s, for: 1s}, arrivals: poisson", events),
        ("80000h", "rate: {curve: bursts, low: 0/s, high: 1/100h, every: 10s, for: 1s}, arrivals: poisson", events),
        ("80000h", "rate: {curve: recorded, step: 2000000h, counts: [1, 0, 1]}", events),
    ] {
        let stopped = run(duration, client);
        assert!(stopped.starts_with(told), "{client}: {stopped}");
    }
}
