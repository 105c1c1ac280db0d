//! The loop that takes the arrivals between two control events, in the order in which they would come as events.
//!
//! Routing state changes only at control events: a write, a process that starts or ends, a machine that goes down. Up to each of
//! them [`Network::run_until`] takes all arrivals before it. At one instant control events come first, then what is due (the end of a
//! process, an answer, a retry) in the order of its [`Turn`], then new arrivals in the order of the clients. What ends with a process does
//! so even if its answer were there at that instant; of many requests that go on at once, those begun first draw first.

mod connect;
mod connections;
mod control;
mod due;
mod flows;
mod look;
mod metering;
mod names;
mod note;
mod passages;
mod policy;
mod relay;
mod send;
mod settle;
#[cfg(test)]
mod tests;
mod upstream;
mod wheel;

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime, Streams};

use super::accounting::{ClientReport, Ledger, TrafficReport, Window, by_node};
use super::clients::{Client, ClientError, ClientSpec, Load};
use super::ids::ServerId;
use super::policy::Filter;
use super::proxy::{Affinity, Balancer, NetworkConfig, ProxyTable};
use super::relay::Relays;
use super::servers::{Fleet, ServeModel};

pub(super) use look::Rules;
pub use metering::ServedCount;

use due::{Due, DueQueue, Tickets, Turn};
use flows::Flows;
use names::Names;
use passages::Passages;

/// The network of a cluster and all that uses it.
#[derive(Clone, Debug)]
pub struct Network {
    config: NetworkConfig,
    proxies: ProxyTable,
    balancer: Balancer,
    affinity: Affinity,
    policies: Filter,
    fleet: Fleet,
    relays: Relays,
    passages: Passages,
    clients: Vec<Client>,
    /// What clients know by name; nothing, if all know addresses.
    names: Option<Box<Names>>,
    flows: Flows,
    due: DueQueue,
    tickets: Tickets,
    ledger: Ledger,
    /// Servers with attempts under way.
    busy: Vec<ServerId>,
    /// Attempts under way at servers and in silence.
    under_way: usize,
    requests: u64,
    /// Attempts, and what takes about as long.
    work: u64,
    work_limit: u64,
    /// After so much work it is looked whether there is too much of anything.
    look_after: u64,
    /// Everything before is done, ns.
    now: u64,
    /// Pods that send may have changed.
    senders_changed: bool,
}

/// Most attempts under way, and most requests that somebody waits for; a run with more of them stops.
const UNDER_WAY_MAX: usize = 8_000_000;
/// Most clients that nodes remember for the sake of session affinity.
const REMEMBERED_MAX: usize = 8_000_000;
/// Most windows of time that are kept.
const WINDOWS_MAX: usize = 2_000_000;

impl Network {
    /// A network without services, nodes and pods. `watch`: from an accepted write to the proxies; `models`: how containers serve.
    ///
    /// # Errors
    /// If a client cannot be, as [`ClientSpec::check`] says.
    pub fn new(
        config: NetworkConfig,
        clients: Vec<ClientSpec>,
        models: Vec<ServeModel>,
        watch: SimDuration,
        streams: Streams,
    ) -> Result<Self, ClientError> {
        clients.iter().try_for_each(ClientSpec::check)?;
        let mut clients: Vec<Client> = clients.into_iter().map(|spec| Client::new(spec, streams)).collect();
        let flows = Flows::new(clients.iter_mut().map(Client::first_arrival).collect());
        let mut network = Self {
            proxies: ProxyTable::new(&config, watch, streams),
            balancer: Balancer::new(config.proxy_mode, config.ipvs_scheduler),
            affinity: Affinity::default(),
            policies: Filter::new(watch.as_nanos().saturating_add(config.policy_delay.as_nanos())),
            fleet: Fleet::new(models),
            names: Names::new(&config.dns, &clients, watch),
            relays: Relays::new(&config, watch, clients.iter().map(Client::request).collect()),
            passages: Passages::default(),
            flows,
            due: DueQueue::default(),
            tickets: Tickets::default(),
            ledger: Ledger::new(clients.len(), config.window),
            busy: Vec::new(),
            under_way: 0,
            requests: 0,
            work: 0,
            work_limit: u64::MAX,
            look_after: 0,
            now: 0,
            senders_changed: false,
            clients,
            config,
        };
        network.seat_users();
        Ok(network)
    }

    /// Users think before their first request.
    fn seat_users(&mut self) {
        for number in 0..self.clients.len() {
            let client = &mut self.clients[number];
            let spec = client.spec.clone();
            let Load::Closed { users, think } = &spec.load else { continue };
            for user in 0..*users {
                let at = spec.start + think.sample(&mut client.arrivals);
                let ticket = self.tickets.open(number as u16, user.into());
                self.due.push(at.as_nanos(), Turn::request(number as u16, user.into()), Due::Send { ticket });
            }
        }
    }

    /// Takes everything that happens before `limit`, or until too much has happened.
    pub fn run_until(&mut self, limit: SimTime) {
        let limit = limit.as_nanos();
        if self.senders_changed {
            self.find_senders();
        }
        loop {
            let arrival = self.flows.next_time();
            let due = self.due.next_time();
            let next = arrival.min(due);
            if next >= limit || self.must_stop() {
                break;
            }
            self.pass_windows(next);
            if due <= arrival {
                self.take_due(due);
            } else {
                self.take_arrivals(due.min(limit).min(self.ledger.window_end));
            }
        }
        if !self.is_exhausted() {
            self.pass_windows(limit);
            self.now = self.now.max(limit);
        }
    }

    /// Arrivals of one client after the other, as long as nothing else comes before `limit`.
    fn take_arrivals(&mut self, limit: u64) {
        while let Some((at, number)) = self.flows.first_before(limit) {
            self.arrive(number, at);
            let next = self.clients[number].next_arrival();
            self.flows.replace_first(next);
            if self.due.next_time() < limit || self.must_stop() {
                return;
            }
        }
    }

    /// Closes the windows that end up to `now`.
    #[inline]
    fn pass_windows(&mut self, now: u64) {
        if now >= self.ledger.window_end {
            self.close_windows(now);
        }
    }

    #[cold]
    fn close_windows(&mut self, now: u64) {
        while self.ledger.window_end <= now {
            let end = self.ledger.window_end;
            self.settle_all(end - 1);
            self.ledger.close_window();
            self.work += self.clients.len() as u64;
            if self.under_way == 0 {
                self.ledger.skip_to(now);
            }
        }
    }

    /// How many requests were begun.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Lets at most that many attempts begin, later ones of a request and vain looks for somebody who sends included; then nothing goes on.
    pub const fn set_request_limit(&mut self, limit: u64) {
        self.work_limit = limit;
        self.look_after = 0;
    }

    /// Whether there is too much of anything, looked at so seldom that it is seen in time: an attempt adds one to each count, or two.
    #[inline]
    fn must_stop(&mut self) -> bool {
        self.work >= self.look_after && self.look()
    }

    #[cold]
    fn look(&mut self) -> bool {
        let room = |most: usize, count: usize| most.saturating_sub(count) as u64 / 2;
        let under_way = self.under_way.max(self.tickets.open_ones()).max(self.passages.len());
        let remembered = self.affinity.len() + self.relays.sessions.len();
        let rooms = [
            room(UNDER_WAY_MAX, under_way),
            room(REMEMBERED_MAX, remembered),
            room(WINDOWS_MAX, self.ledger.windows()),
        ];
        let room = rooms.into_iter().min().unwrap_or(0);
        self.look_after = self.work.saturating_add(room).min(self.work_limit);
        self.is_exhausted()
    }

    /// Whether there was too much to do, or is too much to remember.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.work >= self.work_limit
            || self.under_way > UNDER_WAY_MAX
            || self.tickets.open_ones() > UNDER_WAY_MAX
            || self.passages.len() > UNDER_WAY_MAX
            || self.affinity.len() + self.relays.sessions.len() > REMEMBERED_MAX
            || self.ledger.windows() > WINDOWS_MAX
    }

    /// What there is too much of, if there is.
    #[must_use]
    pub fn exhausted(&self) -> Option<String> {
        if !self.is_exhausted() {
            return None;
        }
        Some(if self.under_way.max(self.tickets.open_ones()).max(self.passages.len()) > UNDER_WAY_MAX {
            format!("more than {UNDER_WAY_MAX} requests were under way at once")
        } else if self.affinity.len() + self.relays.sessions.len() > REMEMBERED_MAX {
            format!("more than {REMEMBERED_MAX} clients were remembered for session affinity")
        } else if self.ledger.windows() > WINDOWS_MAX {
            format!(
                "traffic was recorded over more than {WINDOWS_MAX} windows of time: a longer `network.window` makes fewer"
            )
        } else {
            format!("the {} requests that it may have were used up", self.work_limit)
        })
    }

    /// Windows that were closed since the last call: name of the client, and window.
    pub fn take_windows(&mut self) -> Vec<(Arc<str>, Window)> {
        let closed = self.ledger.take_closed();
        closed
            .into_iter()
            .map(|(client, window)| (self.clients[usize::from(client)].spec.name.clone(), window))
            .collect()
    }

    /// Names of the clients.
    pub fn client_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.clients.iter().map(|client| &client.spec.name)
    }

    /// What came of everything so far, with the windows.
    #[must_use]
    pub fn report(&self) -> TrafficReport {
        let settled = self.settled();
        let report = |(number, ledger)| {
            ClientReport::of(&settled, ledger, self.signs(number), true).with_routes(ledger, self.relays.ways())
        };
        let clients = settled.clients().iter().enumerate().map(report).collect();
        TrafficReport { clients, nodes: by_node(&settled, |node| self.proxies.name(node)) }
    }

    /// What came of a client's requests so far, without the windows: nothing that grows with time is looked at.
    #[must_use]
    pub fn client_report(&self, name: &str) -> Option<ClientReport> {
        let number = self.clients.iter().position(|client| *client.spec.name == *name)?;
        let account = self.settled_of(number);
        let report = ClientReport::of(&self.ledger, &account, self.signs(number), false);
        Some(report.with_routes(&account, self.relays.ways()))
    }

    /// Name and destination of a client.
    fn signs(&self, number: usize) -> [Arc<str>; 2] {
        let spec = &self.clients[number].spec;
        [spec.name.clone(), spec.destination().into()]
    }
}
