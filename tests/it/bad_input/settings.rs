//! Settings of networks, metrics and autoscalers that cannot be: field by field.

use super::{all_are_wrong, spec, table};

fn check(cases: Vec<(String, String)>) -> String {
    let cases: Vec<(&str, String)> = cases.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let table = table(&cases);
    all_are_wrong(&table);
    table
}

/// Values that are no time: of a wrong type, without a unit, negative, too long, a word.
fn bad_times(field: &str, write: impl Fn(&str) -> String) -> Vec<(String, String)> {
    [("a list", "[1s]"), ("no unit", "3"), ("negative", "-3s"), ("centuries", "9000000h"), ("a word", "soon")]
        .into_iter()
        .map(|(what, value)| (format!("{field}: {what}"), write(value)))
        .collect()
}

#[test]
fn networks_that_cannot_be_field_by_field() {
    let network = |fields: &str| spec(&format!("nodes: [{{name: w}}]\nnetwork: {{{fields}}}"));
    let mut cases = Vec::new();
    let times = [
        "minSyncPeriod",
        "syncBase",
        "syncPerEndpoint",
        "proxyStart",
        "nodeJitter",
        "hop",
        "outside",
        "policyDelay",
        "ingressPoll",
        "ingressReload",
        "ingressSync",
        "window",
    ];
    for field in times {
        cases.extend(bad_times(field, |value| network(&format!("{field}: {value}"))));
    }
    for field in ["interval", "timeout", "propagation"] {
        let name = format!("loadBalancer.{field}");
        cases.extend(bad_times(&name, |value| network(&format!("loadBalancer: {{{field}: {value}}}"))));
    }
    for (name, fields) in [
        ("loadBalancer: a word", "loadBalancer: gce"),
        ("loadBalancer.healthyThreshold: negative", "loadBalancer: {healthyThreshold: -1}"),
        ("loadBalancer.healthyThreshold: a fraction", "loadBalancer: {healthyThreshold: 1.5}"),
        ("loadBalancer.unhealthyThreshold: a time", "loadBalancer: {unhealthyThreshold: 3s}"),
        (
            "loadBalancer.unhealthyThreshold: more than a number holds",
            "loadBalancer: {unhealthyThreshold: 99999999999999999999}",
        ),
        ("loadBalancer: misspelt", "loadBalancer: {healthyTreshold: 2}"),
        ("loadBalancer: another case", "loadBalancer: {Interval: 2s}"),
        ("loadBalancer itself misspelt", "loadbalancer: {interval: 2s}"),
        ("ingressPoll misspelt", "ingressPol: 1s"),
        ("ingressReload misspelt", "ingresReload: 1s"),
        ("ingressSync misspelt", "ingressSyncs: 1s"),
        ("policyDelay misspelt", "policydelay: 1s"),
        ("dns: a word", "dns: fast"),
        ("dns misspelt", "dsn: {}"),
        ("dns.attempts: none", "dns: {attempts: 0}"),
        ("dns.attempts: a word", "dns: {attempts: many}"),
        ("dns.attempts: misspelt", "dns: {attemts: 2}"),
        ("dns.timeout: no unit", "dns: {timeout: 5}"),
        ("dns.timeout: an hour", "dns: {timeout: 1h}"),
        ("dns.ttl: no unit", "dns: {ttl: 30}"),
        ("dns.outside: a list", "dns: {outside: [x.org]}"),
        ("dns.outside: no address", "dns: {outside: {x.org: [x]}}"),
        ("dns.search: a word", "dns: {search: example}"),
        ("a list of networks", ""),
    ] {
        let text = if fields.is_empty() { spec("nodes: [{name: w}]\nnetwork: [{hop: 1ms}]") } else { network(fields) };
        cases.push((name.to_owned(), text));
    }
    insta::assert_snapshot!(check(cases));
}

#[test]
fn metrics_that_cannot_be_field_by_field() {
    let metrics = |fields: &str| spec(&format!("nodes: [{{name: w}}]\nmetrics: {{{fields}}}"));
    let mut cases = Vec::new();
    for field in ["resolution", "lag"] {
        cases.extend(bad_times(field, |value| metrics(&format!("{field}: {value}"))));
    }
    for (name, fields) in [
        ("resolution: less than a second", "resolution: 999ms"),
        ("lag: more than the resolution", "resolution: 10s, lag: 11s"),
        ("resourceMetrics: a word", "resourceMetrics: maybe"),
        ("everything: a number", "everything: 1"),
        ("requestRates: a word", "requestRates: http_requests"),
        ("misspelt", "resourceMetric: true"),
        ("objects: a mapping", "objects: {name: a}"),
        ("objects: no name", "objects: [{of: Ingress/main, values: [{at: 0s, value: 1}]}]"),
        ("objects: of nothing", "objects: [{name: a, values: [{at: 0s, value: 1}]}]"),
        ("objects: of a kind without a name", "objects: [{name: a, of: Ingress/, values: [{at: 0s, value: 1}]}]"),
        ("objects: misspelt", "objects: [{name: a, of: Ingress/main, valuse: [{at: 0s, value: 1}]}]"),
        (
            "objects: times that fall",
            "objects: [{name: a, of: Ingress/main, values: [{at: 5s, value: 1}, {at: 1s, value: 1}]}]",
        ),
        ("objects: no quantity", "objects: [{name: a, of: Ingress/main, values: [{at: 0s, value: much}]}]"),
        ("objects: neither values nor requests", "objects: [{name: a, of: Ingress/main}]"),
        ("objects: requests of nobody", "objects: [{name: a, of: Ingress/main, requestsOf: users}]"),
        ("external: of an object", "external: [{name: a, of: Ingress/main, values: [{at: 0s, value: 1}]}]"),
        ("external: labels that are a list", "external: [{name: a, labels: [b], values: [{at: 0s, value: 1}]}]"),
        ("external: a value misspelt", "external: [{name: a, values: [{at: 0s, vlaue: 1}]}]"),
    ] {
        cases.push((format!("metrics.{name}"), metrics(fields)));
    }
    insta::assert_snapshot!(check(cases));
}

#[test]
fn use_of_cpu_that_cannot_be_field_by_field() {
    let cpu = |value: &str| spec(&format!("nodes: [{{name: w}}]\ncontainers: [{{image: '*', cpu: {value}}}]"));
    let serve =
        |value: &str| spec(&format!("nodes: [{{name: w}}]\ncontainers: [{{image: '*', serve: {{cpu: {value}}}}}]"));
    let mut cases = bad_times("serve.cpu", serve);
    cases.extend(bad_times("cpu.for", |value| cpu(&format!("{{use: 1, starting: 2, for: {value}}}"))));
    for (name, value) in [
        ("a word", "lots"),
        ("a list", "[100m]"),
        ("negative", "-100m"),
        ("a time", "{use: 1s}"),
        ("misspelt", "{used: 100m}"),
        ("starting misspelt", "{use: 100m, startin: 900m, for: 30s}"),
        ("starting for no time", "{use: 100m, starting: 900m}"),
    ] {
        cases.push((format!("cpu: {name}"), cpu(value)));
    }
    insta::assert_snapshot!(check(cases));
}

#[test]
fn flags_of_autoscaling_that_cannot_be_field_by_field() {
    let flags = |fields: &str| spec(&format!("nodes: [{{name: w}}]\nhorizontalPodAutoscaler: {{{fields}}}"));
    let mut cases = Vec::new();
    for field in ["syncPeriod", "downscaleStabilization", "cpuInitializationPeriod", "initialReadinessDelay"] {
        cases.extend(bad_times(field, |value| flags(&format!("{field}: {value}"))));
    }
    for (name, fields) in [
        ("syncPeriod: none", "syncPeriod: 0s"),
        ("tolerance: a word", "tolerance: little"),
        ("tolerance: negative", "tolerance: -0.1"),
        ("misspelt", "syncperiod: 15s"),
    ] {
        cases.push((name.to_owned(), flags(fields)));
    }
    insta::assert_snapshot!(check(cases));
}
