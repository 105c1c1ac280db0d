//! What came of the traffic, as tables.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::kernel::SimDuration;
use crate::sim::{Cause, ClientReport, Outcome, RouteReport, Served, TrafficReport};

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
    let mut anything_failed = false;
    for client in &report.clients {
        clients.row(row(client));
        for cause in Cause::ALL.into_iter().filter(|cause| cause.outcome() != Outcome::Answered) {
            let count = client.cause(cause);
            if count > 0 {
                anything_failed = true;
                let cells =
                    [client.name.to_string(), count.to_string(), cause.outcome().to_string(), cause.to_string()];
                failures.row(cells.to_vec());
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
    let latency = |permille| short(client.latency.quantile(permille));
    vec![
        client.name.to_string(),
        client.to.to_string(),
        total.requests.to_string(),
        total.succeeded.to_string(),
        total.lost.to_string(),
        percent(total.success_billionths()),
        total.retries.to_string(),
        latency(500),
        latency(950),
        latency(990),
        short(client.latency.max()),
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
            json!({"because": cause.as_str(), "seenAs": cause.outcome().as_str(), "attempts": client.cause(cause)})
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
