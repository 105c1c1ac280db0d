//! What expressions can ask of traffic: `traffic(users).successRate`.

use crate::kernel::SimDuration;
use crate::sim::{Cause, ClientReport, Outcome, Simulation};

/// A number of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A count.
    Count,
    /// A share of one.
    Share,
    /// A length of time.
    Time,
}

type Ask = fn(&ClientReport) -> u64;

/// What can be asked of a client: name, unit, and the value as a count, in billionths, or in nanoseconds.
pub(crate) const FIELDS: &[(&str, Unit, Ask)] = &[
    ("requests", Unit::Count, |client| client.total.requests),
    ("succeeded", Unit::Count, |client| client.total.succeeded),
    ("lost", Unit::Count, |client| client.total.lost),
    ("successRate", Unit::Share, |client| client.total.success_billionths()),
    ("refused", Unit::Count, |client| client.outcome(Outcome::Refused)),
    ("reset", Unit::Count, |client| client.outcome(Outcome::Reset)),
    ("timedOut", Unit::Count, |client| client.outcome(Outcome::TimedOut)),
    ("serverErrors", Unit::Count, |client| client.outcome(Outcome::ServerError)),
    ("nameErrors", Unit::Count, |client| client.outcome(Outcome::NameError)),
    ("clientErrors", Unit::Count, |client| client.outcome(Outcome::ClientError)),
    ("redirected", Unit::Count, |client| client.outcome(Outcome::Redirected)),
    ("notFound", Unit::Count, |client| client.cause(Cause::NoRule)),
    ("badGateway", Unit::Count, |client| client.cause(Cause::BadGateway)),
    ("unavailable", Unit::Count, |client| client.cause(Cause::NoUpstream)),
    ("gatewayTimeout", Unit::Count, |client| client.cause(Cause::GatewayTimeout)),
    ("upstreamRetries", Unit::Count, |client| client.total.upstream_retries),
    ("retries", Unit::Count, |client| client.total.retries),
    ("byTerminating", Unit::Count, |client| client.total.by_terminating),
    ("extraHops", Unit::Count, |client| client.total.extra_hops),
    ("connections", Unit::Count, |client| client.total.connections),
    ("dnsQueries", Unit::Count, |client| client.total.dns_queries),
    ("addressFallbacks", Unit::Count, |client| client.total.fallbacks),
    ("mean", Unit::Time, |client| client.latency.mean().as_nanos()),
    ("p50", Unit::Time, |client| client.latency.quantile(500).as_nanos()),
    ("p90", Unit::Time, |client| client.latency.quantile(900).as_nanos()),
    ("p95", Unit::Time, |client| client.latency.quantile(950).as_nanos()),
    ("p99", Unit::Time, |client| client.latency.quantile(990).as_nanos()),
    ("p999", Unit::Time, |client| client.latency.quantile(999).as_nanos()),
    ("max", Unit::Time, |client| client.latency.max().as_nanos()),
];

/// Asked with an argument: attempts answered by versions whose name contains it; attempts that reverse proxies sent to Services, or by
/// rules, whose name contains it.
pub(crate) const WITH_ARGUMENT: [&str; 2] = [ANSWERED_BY, "sentTo"];
const ANSWERED_BY: &str = "answeredBy";

/// A question about a client.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The client.
    pub(crate) client: String,
    /// The field.
    pub(crate) field: &'static str,
    /// Its argument, if it takes one.
    pub(crate) argument: Option<String>,
}

impl Question {
    /// The answer in billionths of a unit: of one, or of a second.
    pub(crate) fn value(&self, sim: &Simulation) -> i128 {
        let Some(client) = sim.client(&self.client) else { return 0 };
        if let Some(name) = &self.argument {
            let count = if self.field == ANSWERED_BY { client.answered_by(name) } else { client.sent_to(name) };
            return i128::from(count) * 1_000_000_000;
        }
        let known = FIELDS.iter().find(|(name, ..)| *name == self.field);
        known.map_or(0, |(_, unit, ask)| match unit {
            Unit::Count => i128::from(ask(&client)) * 1_000_000_000,
            Unit::Share | Unit::Time => i128::from(ask(&client)),
        })
    }

    /// What the answer is.
    pub(crate) fn unit(&self) -> Unit {
        FIELDS.iter().find(|(name, ..)| *name == self.field).map_or(Unit::Count, |(_, unit, _)| *unit)
    }

    /// The answer as people write it.
    pub(crate) fn show(&self, billionths: i128) -> String {
        match self.unit() {
            Unit::Time => SimDuration::from_nanos(u64::try_from(billionths).unwrap_or(0)).to_string(),
            Unit::Count | Unit::Share => decimal(billionths),
        }
    }
}

/// A number of billionths as a decimal.
pub(crate) fn decimal(billionths: i128) -> String {
    let (sign, size) = (if billionths < 0 { "-" } else { "" }, billionths.unsigned_abs());
    let (whole, rest) = (size / 1_000_000_000, size % 1_000_000_000);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{}", format!("{rest:09}").trim_end_matches('0'))
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "traffic({}).{}", self.client, self.field)?;
        match &self.argument {
            Some(argument) => write!(f, "({argument})"),
            None => Ok(()),
        }
    }
}
