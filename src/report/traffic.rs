//! What came of the traffic, as tables.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::kernel::SimDuration;
use crate::sim::{Cause, ClientReport, Intermediary, Outcome, RouteReport, Served, TrafficReport};

use super::table::Table;

/// More nodes than these are not listed one by one.
const FEW_NODES: usize = 12;

/// The clients, what failed and why, and who answered.
#[must_use]
pub fn traffic(report: &TrafficReport) -> String {
    let mut clients = Table::new(&[
        "client",
        "to",
        "requests",
        "succeeded",
        "lost",
        "success",
        "retries",
        "p50",
        "p95",
        "p99",
        "max",
    ]);
    let mut failures = Table::new(&["client", "attempts failed", "seen as", "because"]);
    let mut versions = Table::new(&["client", "version", "answered", "failed"]);
    let mut detours = Table::new(&["client", "went on to another node", "answered by pods being deleted"]);
    let (mut anything_failed, mut has_detours) = (false, false);
    for client in &report.clients {
        clients.row(row(client));
        let (hops, late) = (client.total.extra_hops, client.total.by_terminating);
        if hops + late > 0 {
            has_detours = true;
            detours.row(vec![client.name.to_string(), hops.to_string(), late.to_string()]);
        }
        for cause in Cause::ALL.into_iter().filter(|cause| cause.outcome() != Outcome::Answered) {
            let count = client.cause(cause);
            if count > 0 {
                anything_failed = true;
                let because = client.told_by(cause).map_or(cause.as_str(), |by| cause.told_by(by));
                failures.row(
                    [&*client.name, &count.to_string(), cause.outcome().as_str(), because].map(str::to_owned).to_vec(),
                );
            }
        }
        for version in &client.versions {
            versions.row(served(&client.name, version));
        }
    }
    let mut text = clients.to_string();
    if anything_failed {
        let _ = write!(text, "\n{failures}");
    }
    if report.clients.iter().any(|client| !client.versions.is_empty()) {
        let _ = write!(text, "\n{versions}");
    }
    if has_detours {
        let _ = write!(text, "\n{detours}");
    }
    if report.clients.iter().any(|client| !client.routes.is_empty()) {
        let _ = write!(text, "\n{}", routes(report));
    }
    if (2..=FEW_NODES).contains(&report.nodes.len()) {
        let mut nodes = Table::new(&["node", "answered", "failed"]);
        for node in &report.nodes {
            nodes.row(vec![node.name.to_string(), node.answered.to_string(), node.failed.to_string()]);
        }
        let _ = write!(text, "\n{nodes}");
    }
    text
}

/// What came by each way through an ingress controller or Gateway.
fn routes(report: &TrafficReport) -> Table {
    let mut table = Table::new(&[
        "client",
        "through",
        "rule",
        "host and path",
        "sent to",
        "requests",
        "share",
        "tried again",
        "answered itself",
    ]);
    for client in &report.clients {
        let all: u64 = client.routes.iter().map(|route| route.requests).sum();
        for route in &client.routes {
            let statuses: Vec<String> =
                route.statuses.iter().map(|(status, count)| format!("{count} x {status}")).collect();
            let nobody = || "-".to_owned();
            let to = route.service.as_ref().map_or_else(nobody, |service| service.to_string());
            table.row(vec![
                client.name.to_string(),
                route.through.map_or("-", Intermediary::as_str).to_owned(),
                route.rule.as_ref().map_or_else(nobody, |rule| rule.to_string()),
                format!("{}{}", route.host, route.path),
                if route.is_canary { format!("{to} (canary)") } else { to },
                route.requests.to_string(),
                percent((u128::from(route.requests) * 1_000_000_000 / u128::from(all.max(1))) as u64),
                route.retried.to_string(),
                if statuses.is_empty() { "-".to_owned() } else { statuses.join(", ") },
            ]);
        }
    }
    table
}

fn row(client: &ClientReport) -> Vec<String> {
    let total = &client.total;
    let latency = |permille| match total.succeeded {
        0 => "-".to_owned(),
        _ => short(client.latency.quantile(permille)),
    };
    vec![
        client.name.to_string(),
        client.to.to_string(),
        total.requests.to_string(),
        total.succeeded.to_string(),
        total.lost.to_string(),
        if total.finished() == 0 { "-".to_owned() } else { percent(total.success_billionths()) },
        total.retries.to_string(),
        latency(500),
        latency(950),
        latency(990),
        if total.succeeded == 0 { "-".to_owned() } else { short(client.latency.max()) },
    ]
}

fn served(client: &str, version: &Served) -> Vec<String> {
    vec![client.to_owned(), version.name.to_string(), version.answered.to_string(), version.failed.to_string()]
}

/// Billionths as a percentage, never rounded up to all.
pub(super) fn percent(billionths: u64) -> String {
    let thousandths = billionths / 10_000;
    format!("{}.{:03}%", thousandths / 1000, thousandths % 1000)
}

/// A duration with three digits or so.
pub(super) fn short(time: SimDuration) -> String {
    let nanos = time.as_nanos();
    match nanos {
        0 => "0".to_owned(),
        1..1_000_000 => format!("{}us", nanos / 1000),
        1_000_000..10_000_000 => format!("{}.{:02}ms", nanos / 1_000_000, nanos / 10_000 % 100),
        10_000_000..100_000_000 => format!("{}.{}ms", nanos / 1_000_000, nanos / 100_000 % 10),
        100_000_000..1_000_000_000 => format!("{}ms", nanos / 1_000_000),
        _ => format!("{}.{:02}s", nanos / 1_000_000_000, nanos / 10_000_000 % 100),
    }
}

fn route_json(route: &RouteReport) -> Value {
    let statuses = route.statuses.iter().map(|(status, count)| (status.to_string(), json!(count)));
    json!({
        "through": route.through.map(Intermediary::as_str),
        "rule": route.rule,
        "host": route.host,
        "path": route.path,
        "service": route.service,
        "canary": route.is_canary,
        "requests": route.requests,
        "upstreamRetries": route.retried,
        "statuses": Value::Object(statuses.collect()),
    })
}

/// The same for programs: counts, latencies in seconds.
#[must_use]
pub fn traffic_json(report: &TrafficReport) -> Value {
    let who = |served: &[Served]| -> Value {
        let entries = served.iter();
        entries
            .map(|one| json!({"name": one.name, "answered": one.answered, "failed": one.failed}))
            .collect::<Vec<_>>()
            .into()
    };
    let clients = report.clients.iter().map(|client| {
        let failures = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Served && client.cause(*cause) > 0);
        let failures = failures.map(|cause| {
            let by = client.told_by(cause).map(Intermediary::as_str);
            json!({"because": cause.as_str(), "by": by, "seenAs": cause.outcome().as_str(), "attempts": client.cause(cause)})
        });
        let time = |permille| client.latency.quantile(permille).as_secs_f64();
        json!({
            "name": client.name,
            "to": client.to,
            "requests": client.total.requests,
            "succeeded": client.total.succeeded,
            "lost": client.total.lost,
            "successRate": client.total.success_billionths() as f64 / 1e9,
            "retries": client.total.retries,
            "byTerminating": client.total.by_terminating,
            "extraHops": client.total.extra_hops,
            "connections": client.total.connections,
            "dnsQueries": client.total.dns_queries,
            "addressFallbacks": client.total.fallbacks,
            "upstreamRetries": client.total.upstream_retries,
            "failures": failures.collect::<Vec<_>>(),
            "latency": {
                "mean": client.latency.mean().as_secs_f64(),
                "p50": time(500), "p90": time(900), "p95": time(950), "p99": time(990), "p999": time(999),
                "max": client.latency.max().as_secs_f64(),
            },
            "versions": who(&client.versions),
            "routes": client.routes.iter().map(route_json).collect::<Vec<_>>(),
        })
    });
    json!({"clients": clients.collect::<Vec<_>>(), "nodes": who(&report.nodes)})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Histogram, Tally};

    fn told(routes: Vec<RouteReport>) -> (String, Value) {
        let mut total = Tally::default();
        (total.causes[Cause::NoRule as usize], total.causes[Cause::GatewayTimeout as usize]) = (3, 1);
        let latency = Histogram::default();
        let [name, to] = ["users", "http://a.org/"].map(Into::into);
        let client =
            ClientReport { name, to, total, latency, versions: Vec::new(), nowhere: 4, routes, windows: Vec::new() };
        let report = TrafficReport { clients: vec![client], nodes: Vec::new() };
        let text = traffic(&report);
        let failures = text.split("\n\n").nth(1).expect("what failed").lines().skip(1);
        let because = failures.map(|line| line.rsplit("  ").next().unwrap_or_default()).collect::<Vec<_>>().join("; ");
        let json = traffic_json(&report)["clients"][0].take();
        (because, json!([json["failures"][0]["by"], json["failures"][1]["by"], json["routes"][0]["through"]]))
    }

    /// What answers by itself is named, unless for one of its statuses it is now one kind and now the other.
    #[test]
    fn failures_say_whether_an_ingress_or_a_gateway_told_of_them() {
        let route = |by, statuses: &[u16]| {
            let statuses = statuses.iter().map(|status| (*status, 1)).collect();
            RouteReport { through: Some(by), host: "a.org".into(), requests: 4, statuses, ..RouteReport::default() }
        };
        let (ingress, gateway) = (Intermediary::Ingress, Intermediary::Gateway);
        for (routes, because, json) in [
            (
                vec![route(ingress, &[404]), route(ingress, &[404, 504])],
                "no rule of an ingress; ingress: upstream did not answer (504)",
                json!(["ingress", "ingress", "ingress"]),
            ),
            (
                vec![route(gateway, &[404]), route(ingress, &[504])],
                "no rule of a gateway; ingress: upstream did not answer (504)",
                json!(["gateway", "ingress", "gateway"]),
            ),
            (
                vec![route(gateway, &[404]), route(ingress, &[404])],
                "no rule of an ingress or gateway; ingress or gateway: upstream did not answer (504)",
                json!([null, null, "gateway"]),
            ),
        ] {
            assert_eq!(told(routes), (because.to_owned(), json));
        }
    }
}
