//! What came of the traffic, as people and programs read it.

use std::sync::Arc;

use super::super::outcome::{Cause, Intermediary, Outcome};
use super::histogram::Histogram;
use super::ledger::{ClientLedger, Ledger, STATUSES, Tally, WayTally, Window};

/// What came of all traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficReport {
    /// Of each client, in the order of the configuration.
    pub clients: Vec<ClientReport>,
    /// By the node of what was reached: its name, attempts answered and failed.
    pub nodes: Vec<Served>,
}

/// What came of a client's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientReport {
    /// Name of the client.
    pub name: Arc<str>,
    /// Where its requests go.
    pub to: Arc<str>,
    /// Counts since the start.
    pub total: Tally,
    /// Latencies of requests that succeeded, from the beginning of the first attempt.
    pub latency: Histogram,
    /// Attempts by the version that they reached.
    pub versions: Vec<Served>,
    /// Attempts that reached nothing.
    pub nowhere: u64,
    /// By the way through an ingress controller or Gateway.
    pub routes: Vec<RouteReport>,
    /// Windows of time in which something happened; the present one is not among them.
    pub windows: Vec<Window>,
}

/// Attempts that something answered or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What: a version, or a node.
    pub name: Arc<str>,
    /// Attempts that it answered.
    pub answered: u64,
    /// Attempts that failed there.
    pub failed: u64,
}

/// What came by one way through an ingress controller or Gateway: the path of a rule, and the Service that was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteReport {
    /// Which of them.
    pub through: Option<Intermediary>,
    /// The Ingress or HTTPRoute, such as `shop/web`; nothing = no rule.
    pub rule: Option<Arc<str>>,
    /// The host of the rule; `_` = any.
    pub host: Arc<str>,
    /// The path of the rule; empty = none.
    pub path: Arc<str>,
    /// The Service; nothing = it answered itself.
    pub service: Option<Arc<str>>,
    /// Whether the Service is the canary of another one.
    pub is_canary: bool,
    /// Attempts of the client that went that way.
    pub requests: u64,
    /// Tries at further endpoints, in place of one that failed.
    pub retried: u64,
    /// Statuses that it answered itself, with their numbers; 308 stands for all redirects.
    pub statuses: Vec<(u16, u64)>,
}

impl ClientReport {
    /// `known`: the account, which need not be the one in the ledger.
    pub(in crate::network) fn of(
        ledger: &Ledger,
        known: &ClientLedger,
        [name, to]: [Arc<str>; 2],
        with_windows: bool,
    ) -> Self {
        let (total, latency) = known.total();
        let versions = known.groups.iter().enumerate().filter(|(_, counts)| **counts != [0; 2]);
        let versions = versions.map(|(at, [answered, failed])| Served {
            name: ledger.groups[at].clone(),
            answered: *answered,
            failed: *failed,
        });
        let versions = versions.collect();
        let routes = Vec::new();
        let windows = if with_windows { known.windows.clone() } else { Vec::new() };
        Self { name, to, total, latency, versions, nowhere: known.nowhere.iter().sum(), routes, windows }
    }

    /// Attempts with an outcome.
    #[must_use]
    pub fn outcome(&self, outcome: Outcome) -> u64 {
        self.total.outcome(outcome)
    }

    /// Attempts with a cause.
    #[must_use]
    pub const fn cause(&self, cause: Cause) -> u64 {
        self.total.causes[cause as usize]
    }

    /// Who told of a cause for which several may stand; nothing = nobody, or both kinds.
    #[must_use]
    pub fn told_by(&self, cause: Cause) -> Option<Intermediary> {
        let status = cause.status()?;
        let tells = |route: &&RouteReport| route.statuses.iter().any(|(own, _)| *own == status);
        let mut all = self.routes.iter().filter(tells).map(|route| route.through);
        let first = all.next()?;
        first.filter(|_| all.all(|other| other == first))
    }

    /// The same with its ways through reverse proxies; `names` are the ways without counts.
    pub(in crate::network) fn with_routes(mut self, known: &ClientLedger, names: &[RouteReport]) -> Self {
        let used = known.ways.iter().zip(names).filter(|(tally, _)| **tally != WayTally::default());
        let filled = used.map(|(tally, name)| {
            let statuses = STATUSES.into_iter().zip(tally.statuses).filter(|(_, count)| *count > 0);
            RouteReport {
                requests: tally.requests,
                retried: tally.retried,
                statuses: statuses.collect(),
                ..name.clone()
            }
        });
        self.routes = filled.collect();
        self
    }

    /// Attempts that a reverse proxy sent to Services, or by Ingresses and HTTPRoutes, whose `namespace/name` contains `text`.
    #[must_use]
    pub fn sent_to(&self, text: &str) -> u64 {
        let is_meant = |name: &Option<Arc<str>>| name.as_ref().is_some_and(|name| name.contains(text));
        let meant = self.routes.iter().filter(|route| is_meant(&route.rule) || is_meant(&route.service));
        meant.map(|route| route.requests).sum()
    }

    /// Attempts answered by a version: the sum over those whose name contains `text`, such as `web:v2`.
    #[must_use]
    pub fn answered_by(&self, text: &str) -> u64 {
        self.versions.iter().filter(|version| version.name.contains(text)).map(|version| version.answered).sum()
    }
}

/// Attempts by node, those that have any.
pub(in crate::network) fn by_node<'a>(ledger: &Ledger, name: impl Fn(usize) -> &'a Arc<str>) -> Vec<Served> {
    let nodes = ledger.nodes.iter().enumerate().filter(|(_, counts)| **counts != [0; 2]);
    nodes
        .map(|(at, [answered, failed])| Served { name: name(at).clone(), answered: *answered, failed: *failed })
        .collect()
}
