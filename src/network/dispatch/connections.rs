//! Connections that are used more than once: whatever becomes of an endpoint, they stay where they are, until an end of them is gone.

use super::super::clients::Connection;
use super::super::outcome::Cause;
use super::super::policy::Protocol;
use super::super::proxy::Entrance;
use super::super::relay::NO_SLOT;
use super::super::servers::State;
use super::Network;
use super::send::Way;

/// How long Linux keeps a flow of UDP after its last packet, ns: one that was answered, and one that was not
/// (`nf_conntrack_udp_timeout_stream` and `nf_conntrack_udp_timeout`).
const FLOW_KEPT: u64 = 120_000_000_000;
const UNANSWERED_KEPT: u64 = 30_000_000_000;

impl Network {
    /// The way of the connection whose turn it is, if it is open, or why nothing comes on it any more: then it is given up.
    pub(super) fn open_connection(&mut self, number: usize, now: u64) -> Option<Result<Way, Cause>> {
        let client = &mut self.clients[number];
        client.turn = (client.turn + 1) % client.connections.len();
        client.present = client.turn;
        let connection = client.connections[client.present];
        if connection.left == 0 || now >= connection.until {
            return None;
        }
        if self.proxies.outages(connection.entry) != connection.outages {
            if self.proxies.is_up(connection.entry) {
                // The machine that has started again knows of no connection, and says so.
                return None;
            }
            client.connections[client.present] = Connection::CLOSED;
            return Some(Err(Cause::EntryNodeDown));
        }
        let server = if connection.is_udp {
            if !self.keeps_flow(number, now) {
                return None;
            }
            // Packets go to the address, whoever has it by now.
            self.fleet.behind(connection.target, self.proxies.places())
        } else {
            let server = self.fleet.servers.get(connection.server.at())?;
            if server.has_closed(connection.process) {
                return None;
            }
            // Workers that were told to go, by a reload or SIGTERM, close the connections on which nothing is under way.
            if server.slot != NO_SLOT && server.state != State::NodeDown {
                let takes_more = now < server.closes && self.relays.workers(server.slot) == connection.workers;
                if !takes_more {
                    return None;
                }
            }
            connection.server
        };
        let client = &mut self.clients[number];
        let kept = &mut client.connections[client.present];
        if kept.left != u32::MAX {
            kept.left -= 1;
        }
        (kept.used, kept.answered) = (now, true);
        let Connection { entry, target, is_udp, is_masqueraded, .. } = connection;
        Some(Ok(Way { entry, target, server, connected: true, is_udp, is_masqueraded }))
    }

    /// Whether the node still tracks the client's present flow of UDP. kube-proxy forgets those to targets that do not serve any
    /// more, once it has programmed that; but if nothing serves it forgets none (`pkg/proxy/conntrack/cleanup.go`).
    fn keeps_flow(&mut self, number: usize, now: u64) -> bool {
        let client = &self.clients[number];
        let connection = client.connections[client.present];
        let Ok((port, entrance)) = client.goal.port else { return true };
        if entrance == Entrance::Headless {
            // No address was replaced: there is nothing to track.
            return true;
        }
        let kept = if connection.answered { FLOW_KEPT } else { UNANSWERED_KEPT };
        if now.saturating_sub(connection.used) > kept {
            return false;
        }
        let rules = self.proxies.programmed(port, connection.entry, now);
        rules.is_none_or(|(rules, set, _)| rules.protocol != Protocol::Udp || set.keeps_flow(connection.target))
    }

    /// Keeps a new connection in the place whose turn it is.
    pub(super) fn keep_connection(&mut self, number: usize, way: Result<Way, Cause>, now: u64) {
        let server = way.ok().and_then(|way| self.fleet.servers.get(way.server.at()));
        let process = server.map_or(0, |server| server.process);
        let workers = server.filter(|server| server.slot != NO_SLOT).map_or(0, |front| self.relays.workers(front.slot));
        let outages = way.map_or(0, |way| self.proxies.outages(way.entry));
        let client = &mut self.clients[number];
        let slot = client.present;
        client.connections[slot] = match (way, client.spec.keep_alive) {
            (Ok(way), Some(keep)) => Connection {
                server: way.server,
                process,
                workers,
                entry: way.entry,
                outages,
                left: if keep.requests == 0 { u32::MAX } else { keep.requests - 1 },
                until: if keep.lasts.is_zero() { u64::MAX } else { now.saturating_add(keep.lasts.as_nanos()) },
                target: way.target,
                is_udp: way.is_udp,
                is_masqueraded: way.is_masqueraded,
                used: now,
                answered: true,
            },
            _ => Connection::CLOSED,
        };
    }
}
