//! What containers did for requests, for whoever measures it.

use std::sync::Arc;

use crate::objects::Uid;

use super::Network;

/// What a container did for requests since its start, or since the measuring began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServedCount {
    /// CPU time until now, ns.
    pub cpu_nanos: u64,
    /// Requests that it took in.
    pub requests: u64,
}

impl Network {
    /// From now on it is counted what containers do for requests.
    pub fn start_metering(&mut self) {
        self.fleet.start_metering();
    }

    /// What a container did, up to the present; nothing before [`start_metering`](Self::start_metering).
    pub fn served_by(&mut self, pod: &Uid, place: u16) -> ServedCount {
        let now = self.now;
        let Some(server) = self.fleet.server_of(pod, place) else { return ServedCount::default() };
        let Some(meter) = &mut self.fleet.servers[server.at()].meter else { return ServedCount::default() };
        ServedCount { cpu_nanos: meter.cpu_until(now), requests: meter.requests }
    }

    /// Requests that each client has begun.
    pub fn requests_by_client(&self) -> impl Iterator<Item = (&Arc<str>, u64)> {
        let accounts = self.ledger.clients().iter().map(super::super::accounting::ClientLedger::requests);
        self.client_names().zip(accounts)
    }
}
