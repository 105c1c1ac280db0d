//! Clients that ask DNS for a host, and what they do with the addresses that they get.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::dns::ClientCaching;
use crate::kernel::SimDuration;

/// A host that a client knows by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The name as the program has it: `db`, `db-0.db`, `db.shop.svc.cluster.local.`.
    pub name: Arc<str>,
    /// How long it keeps the addresses.
    pub caching: ClientCaching,
    /// Which of them it takes.
    pub pick: AddressPick,
    /// Whether it tries the next address where one takes no connection, as Go, Python, curl and libpq do; the HTTP clients of the JDK
    /// and most connection pools leave it at the first. See [`HostName::shares`] for how long it waits for each.
    pub falls_back: bool,
}

impl HostName {
    /// A host whose addresses are asked for before every connection and tried one after the other, as programs do that use glibc, musl
    /// or Go.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), caching: ClientCaching::None, pick: AddressPick::First, falls_back: true }
    }

    /// Whether it is the name of a port, such as `_http._tcp.web`: then records of type SRV are asked for, which have the number.
    #[must_use]
    pub fn is_port(&self) -> bool {
        let mut labels = self.name.splitn(3, '.');
        let is_underscored = |label: Option<&str>| label.is_some_and(|label| label.len() > 1 && label.starts_with('_'));
        is_underscored(labels.next())
            && is_underscored(labels.next())
            && labels.next().is_some_and(|rest| !rest.is_empty())
    }

    /// How long a client waits for the first of so many addresses that are left, if it gives up after `remaining`: an equal part, but
    /// at least two seconds, or all that remains (`partialDeadline` of Go's `net`).
    #[must_use]
    pub fn shares(remaining: SimDuration, addresses: usize) -> SimDuration {
        let part = SimDuration::from_nanos(remaining.as_nanos() / addresses.max(1) as u64);
        part.max(SimDuration::from_secs(2)).min(remaining)
    }
}

/// Which address of an answer a connection goes to. CoreDNS shuffles every answer; a client keeps the order that it got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AddressPick {
    /// The first one, as nearly all programs do: all connections go there for as long as the answer is kept. The default.
    #[default]
    First,
    /// A random one.
    Random,
    /// One after the other, as client-side load balancers do.
    RoundRobin,
}
