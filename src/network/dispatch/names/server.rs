//! The pods of cluster DNS, where a cluster has some: Service `kube-system/kube-dns`. A cluster without that Service has a DNS that
//! always answers.

use crate::objects::Key;

use super::super::super::clients::{PortRef, Sender};
use super::super::super::ids::PortId;
use super::super::super::policy::{Port, Protocol};
use super::super::super::servers::State;
use super::super::Network;
use super::super::policy::Attempt;
use super::Names;

/// The Service of cluster DNS, and its port.
const SERVICE: (&str, &str) = ("kube-system", "kube-dns");
const PORT: u16 = 53;

/// The Service of cluster DNS, as long as no service changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameServer {
    generation: u64,
    port: Option<PortId>,
}

impl Default for NameServer {
    fn default() -> Self {
        Self { generation: u64::MAX, port: None }
    }
}

/// What comes of one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Query {
    Answered,
    /// An ICMP error comes at once.
    Refused,
    /// Nothing comes.
    Silent,
}

impl Network {
    /// How long a lookup waits for name servers that do not answer, ns; an error, with the same, if the resolver gives up.
    pub(super) fn wait_for_dns(
        &mut self,
        names: &mut Names,
        number: usize,
        sender: Sender,
        queries: u32,
        now: u64,
    ) -> Result<u64, u64> {
        if names.server.generation != self.proxies.generation() {
            let service = Key::new(SERVICE.0, SERVICE.1);
            let port = self.proxies.find_port(&service, &PortRef::Number(PORT)).ok();
            names.server = NameServer { generation: self.proxies.generation(), port };
        }
        let timeout = names.config.timeout.as_nanos();
        let Some(port) = names.server.port else {
            let attempts = u64::from(names.config.attempts.max(1));
            return if self.may_ask_dns(sender, now) { Ok(0) } else { Err(timeout.saturating_mul(attempts)) };
        };
        let mut waited: u64 = 0;
        for _ in 0..queries {
            let mut attempts = 0..names.config.attempts.max(1);
            let answered = attempts.any(|_| match self.query(port, number, sender, now) {
                Query::Answered => true,
                Query::Refused => false,
                Query::Silent => {
                    waited = waited.saturating_add(timeout);
                    false
                }
            });
            if !answered {
                return Err(waited);
            }
        }
        Ok(waited)
    }

    /// One query to cluster DNS, through the rules of the node.
    fn query(&mut self, port: PortId, number: usize, sender: Sender, now: u64) -> Query {
        let Self { proxies, clients, fleet, .. } = self;
        let Some((_, set, zone)) = proxies.programmed(port, sender.node, now) else { return Query::Silent };
        let Some(target) = clients[number].lookups.pick(set.cluster(sender.node, zone)).copied() else {
            return Query::Refused;
        };
        let server = fleet.behind(target, proxies.places());
        let (_, port) = proxies.places()[target.at()];
        let port = Port { number: port, protocol: Protocol::Udp };
        if self.passes(Attempt { client: number as u16, from: sender, masquerade: None, server, port }, now).is_err() {
            return Query::Silent;
        }
        match self.fleet.servers.get(server.at()).map(|server| (server.state, server.closes)) {
            Some((State::Listening, closes)) if now < closes => Query::Answered,
            Some((State::Listening | State::Starting | State::NoProcess | State::Closed, _)) => Query::Refused,
            Some((State::Hung | State::NodeDown | State::Gone, _)) | None => Query::Silent,
        }
    }
}
