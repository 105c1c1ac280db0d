//! Clients that ask DNS for a host, and what they do with the addresses that they get.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::dns::ClientCaching;

/// A host that a client knows by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName {
    /// The name as the program has it: `db`, `db-0.db`, `db.shop.svc.cluster.local.`.
    pub name: Arc<str>,
    /// How long it keeps the addresses.
    pub caching: ClientCaching,
    /// Which of them it takes.
    pub pick: AddressPick,
}

impl HostName {
    /// A host whose addresses are asked for before every connection, as programs do that use glibc, musl or Go.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), caching: ClientCaching::None, pick: AddressPick::First }
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
