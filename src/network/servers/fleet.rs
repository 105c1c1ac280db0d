//! All containers that may serve, by pod, and which of them answers at an address.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::SimDuration;
use crate::objects::{Key, Labels, Uid};

use super::super::accounting::GroupId;
use super::super::dns::ResolvConf;
use super::super::ids::{NodeId, ServerId, TargetId};
use super::super::outcome::Cause;
use super::super::relay::ReverseProxy;
use super::model::ServeModel;
use super::server::{Server, State};

/// A pod that has come up on a node, with its containers.
#[derive(Clone, Debug)]
pub struct PodUp {
    /// Its uid.
    pub uid: Uid,
    /// Namespace and name.
    pub key: Key,
    /// Its labels.
    pub labels: Labels,
    /// Its node.
    pub node: Arc<str>,
    /// Its address; that of the node if it shares the node's network.
    pub address: IpAddr,
    /// Whether it shares the node's network.
    pub host_network: bool,
    /// Containers that may serve.
    pub containers: Vec<ContainerUp>,
    /// Settings of its resolver, if somebody asks for hosts.
    pub resolv_conf: Option<ResolvConf>,
    /// What it is if it is a reverse proxy, and the place of the container that is it.
    pub reverse_proxy: Option<(u16, ReverseProxy)>,
    /// Ports of its machine that lead to it, each with its own port behind that.
    pub host_ports: Vec<(u16, u16)>,
}

/// A container that may serve.
#[derive(Clone, Debug)]
pub struct ContainerUp {
    /// Its place among all containers of the pod.
    pub place: u16,
    /// Ports that it declares.
    pub ports: Vec<u16>,
    /// What reports call it: image and revision.
    pub version: Arc<str>,
    /// How it serves: a place in the list of models.
    pub model: u32,
    /// CPU limit in thousandths of a core; 0 = none.
    pub cpu_limit: u32,
}

/// What happens to the process of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessChange {
    /// It starts; it does not listen yet.
    Started,
    /// It listens.
    Listening,
    /// It hangs: it takes connections and does not answer.
    Hung,
    /// It is told to stop: SIGTERM after `sigterm`, ended after `stops` unless something else comes.
    Stopping {
        /// From now to SIGTERM; `None` = as was said before.
        sigterm: Option<SimDuration>,
        /// From now to the end.
        stops: SimDuration,
    },
    /// It has ended.
    Ended,
}

#[derive(Clone, Debug)]
pub(in crate::network) struct Pod {
    pub(in crate::network) uid: Uid,
    pub(in crate::network) namespace: Arc<str>,
    pub(in crate::network) labels: Labels,
    pub(in crate::network) node: NodeId,
    pub(in crate::network) address: IpAddr,
    pub(in crate::network) host_network: bool,
    /// Place, ports and server of each container, and what answers at other ports, if somebody has asked there.
    containers: Vec<(u16, Vec<u16>, ServerId)>,
    /// Counts pods: stands for the address of one that sends.
    pub(in crate::network) number: u64,
}

/// Stands in the place of a container for what answers at the ports that none listens to.
const NO_CONTAINER: u16 = u16::MAX;

/// Who listens to a port of an address.
enum Listener {
    Container(ServerId),
    /// Nobody of those that are there, of which this pod is one.
    Nobody(u32),
    /// Nothing has the address, or nothing tells apart those that share it.
    Unknown,
}

/// All containers that may serve.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Fleet {
    pub(in crate::network) servers: Vec<Server>,
    free_servers: Vec<ServerId>,
    /// Servers of machines that went down, and until when somebody may wait for their answers, ns.
    waited_for: VecDeque<(u64, ServerId)>,
    pods: Vec<Option<Pod>>,
    free_pods: Vec<u32>,
    by_uid: FxHashMap<Uid, u32>,
    by_number: FxHashMap<u64, u32>,
    /// All addresses that pods have or had.
    by_address: FxHashMap<IpAddr, Vec<u32>>,
    /// The server of each target.
    by_target: Vec<ServerId>,
    targets_at: FxHashMap<IpAddr, Vec<(TargetId, u16)>>,
    numbers: u64,
    /// Whether it is counted what the servers do.
    metered: bool,
    pub(in crate::network) models: Arc<[ServeModel]>,
}

impl Fleet {
    pub(in crate::network) fn new(models: Vec<ServeModel>) -> Self {
        Self { models: models.into(), ..Self::default() }
    }

    /// A pod has come up. Returns its number.
    pub(in crate::network) fn add(&mut self, pod: &PodUp, node: NodeId, mut group: impl FnMut(&str) -> GroupId) -> u64 {
        self.numbers += 1;
        let containers = pod.containers.iter().map(|container| {
            let mut server = Server::new(node, group(&container.version), container.model, container.cpu_limit);
            server.pod = self.numbers;
            (container.place, container.ports.clone(), self.place(server))
        });
        let containers = containers.collect();
        let entry = Pod {
            uid: pod.uid.clone(),
            namespace: pod.key.namespace.clone(),
            labels: pod.labels.clone(),
            node,
            address: pod.address,
            host_network: pod.host_network,
            containers,
            number: self.numbers,
        };
        let at = self.free_pods.pop().unwrap_or(self.pods.len() as u32);
        match self.pods.get_mut(at as usize) {
            Some(slot) => *slot = Some(entry),
            None => self.pods.push(Some(entry)),
        }
        self.by_uid.insert(pod.uid.clone(), at);
        self.by_number.insert(self.numbers, at);
        self.by_address.entry(pod.address).or_default().push(at);
        self.resolve_again(pod.address);
        self.numbers
    }

    /// From now on it is counted what the servers do.
    pub(in crate::network) fn start_metering(&mut self) {
        if !std::mem::replace(&mut self.metered, true) {
            self.servers.iter_mut().for_each(Server::measure);
        }
    }

    fn place(&mut self, mut server: Server) -> ServerId {
        server.meter = self.metered.then(Box::default);
        match self.free_servers.pop() {
            Some(id) => {
                let before = &self.servers[id.at()];
                // Counters go on, so that nobody takes the new container for the old one.
                (server.process, server.plan) = (before.process + 1, before.plan + 1);
                server.listed = before.listed;
                self.servers[id.at()] = server;
                id
            }
            None => {
                self.servers.push(server);
                ServerId(self.servers.len() as u32 - 1)
            }
        }
    }

    /// A pod is gone. Its servers must have been ended before. `waits`: until when somebody may wait for an answer of them, ns; if the
    /// machine did not go down, nobody does.
    pub(in crate::network) fn remove(&mut self, uid: &Uid, waits: Option<u64>) {
        let Some(at) = self.by_uid.remove(uid) else { return };
        let Some(pod) = self.pods[at as usize].take() else { return };
        self.by_number.remove(&pod.number);
        self.free_pods.push(at);
        if let Some(others) = self.by_address.get_mut(&pod.address) {
            others.retain(|other| *other != at);
        }
        self.resolve_again(pod.address);
        let servers = pod.containers.iter().map(|(.., server)| *server);
        match waits {
            Some(until) => self.waited_for.extend(servers.map(|server| (until, server))),
            None => self.free_servers.extend(servers),
        }
    }

    /// Frees the servers for whose answers nobody waits any more at `now`, ns; returns whether there are any.
    pub(in crate::network) fn free_forgotten(&mut self, now: u64) -> bool {
        let forgotten = self.waited_for.iter().take_while(|(until, _)| *until < now).count();
        self.free_servers.extend(self.waited_for.drain(..forgotten).map(|(_, server)| server));
        forgotten > 0
    }

    /// The server of a container.
    pub(in crate::network) fn server_of(&self, uid: &Uid, place: u16) -> Option<ServerId> {
        let pod = self.pods[*self.by_uid.get(uid)? as usize].as_ref()?;
        pod.containers.iter().find(|(at, ..)| *at == place).map(|(.., server)| *server)
    }

    /// The servers of a pod.
    pub(in crate::network) fn servers_of(&self, uid: &Uid) -> Vec<ServerId> {
        let pod = self.by_uid.get(uid).and_then(|at| self.pods[*at as usize].as_ref());
        pod.into_iter().flat_map(|pod| &pod.containers).map(|(.., server)| *server).collect()
    }

    /// The number of a pod.
    pub(in crate::network) fn number_of(&self, uid: &Uid) -> Option<u64> {
        let pod = self.pods[*self.by_uid.get(uid)? as usize].as_ref()?;
        Some(pod.number)
    }

    /// Why nothing ever comes from an address that nothing here has: its pod is gone, or no pod has had it.
    #[cold]
    pub(in crate::network) fn absence(&self, address: IpAddr) -> Cause {
        if self.by_address.contains_key(&address) { Cause::AddressGone } else { Cause::OutsideCluster }
    }

    /// Why a new connection to a port of an address gets no answer at `now`, ns, as far as the process there decides it.
    pub(in crate::network) fn obstacle(&self, address: IpAddr, port: u16, now: u64) -> Option<Cause> {
        match self.listener(address, port) {
            Listener::Container(server) => {
                let server = &self.servers[server.at()];
                let is_full = || server.wait(now, &self.models[server.model()]).is_none();
                server.obstacle(now).or_else(|| is_full().then_some(Cause::QueueFull))
            }
            Listener::Nobody(_) => Some(Cause::PortClosed),
            Listener::Unknown => Some(self.absence(address)),
        }
    }

    /// How long a request that comes to a port of an address at `now`, ns, waits for its turn there, ns.
    pub(in crate::network) fn wait_at(&self, address: IpAddr, port: u16, now: u64) -> u64 {
        let Listener::Container(server) = self.listener(address, port) else { return 0 };
        let server = &self.servers[server.at()];
        server.wait(now, &self.models[server.model()]).unwrap_or(0).max(server.wait_for_cpu(now))
    }

    /// The pod of that number, if it is up.
    pub(in crate::network) fn pod(&self, number: u64) -> Option<&Pod> {
        self.by_number.get(&number).and_then(|at| self.pods[*at as usize].as_ref())
    }

    /// Whether the pod is known.
    pub(in crate::network) fn knows(&self, uid: &Uid) -> bool {
        self.by_uid.contains_key(uid)
    }

    /// Pods on a machine.
    pub(in crate::network) fn pods_on(&self, node: NodeId) -> Vec<Uid> {
        self.pods().filter(|pod| pod.node == node).map(|pod| pod.uid.clone()).collect()
    }

    /// All pods.
    pub(in crate::network) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().flatten()
    }

    /// Whether a process runs in a pod, so that it may send requests.
    pub(in crate::network) fn is_running(&self, pod: &Pod) -> bool {
        pod.containers.iter().any(|(.., server)| {
            matches!(self.servers[server.at()].state, State::Listening | State::Starting | State::Hung)
        })
    }

    /// The server behind a target; `NONE` if nothing has its address.
    #[inline(always)]
    pub(in crate::network) fn behind(&mut self, target: TargetId, places: &[(IpAddr, u16)]) -> ServerId {
        if target.at() >= self.by_target.len() {
            self.learn(places);
        }
        self.by_target[target.at()]
    }

    /// Resolves targets that are new.
    #[cold]
    fn learn(&mut self, places: &[(IpAddr, u16)]) {
        for (at, (address, port)) in places.iter().enumerate().skip(self.by_target.len()) {
            let server = self.resolve(*address, *port);
            self.by_target.push(server);
            self.targets_at.entry(*address).or_default().push((TargetId(at as u32), *port));
        }
    }

    /// Somebody else may have an address now.
    fn resolve_again(&mut self, address: IpAddr) {
        let Some(targets) = self.targets_at.get(&address).cloned() else { return };
        for (target, port) in targets {
            self.by_target[target.at()] = self.resolve(address, port);
        }
    }

    fn resolve(&mut self, address: IpAddr, port: u16) -> ServerId {
        match self.listener(address, port) {
            Listener::Container(server) => server,
            Listener::Nobody(pod) => self.closed_port(pod),
            Listener::Unknown => ServerId::NONE,
        }
    }

    /// The container that declares a port; the first one of a pod that declares none listens to every port. In the network of a node
    /// only declared ports tell pods apart.
    fn listener(&self, address: IpAddr, port: u16) -> Listener {
        let all = self.by_address.get(&address).map_or(&[][..], Vec::as_slice);
        let pods = || all.iter().filter_map(|at| self.pods[*at as usize].as_ref());
        if let Some((.., server)) = pods().flat_map(|pod| &pod.containers).find(|(_, ports, _)| ports.contains(&port)) {
            return Listener::Container(*server);
        }
        let declares = |pod: &&Pod| pod.containers.iter().any(|(_, ports, _)| !ports.is_empty());
        let mut others = pods().filter(|pod| !declares(pod));
        match (others.next(), others.next(), all.first()) {
            (Some(pod), other, _) if other.is_none() || !pod.host_network => {
                pod.containers.first().map_or(Listener::Unknown, |(.., server)| Listener::Container(*server))
            }
            (None, _, Some(pod)) => Listener::Nobody(*pod),
            _ => Listener::Unknown,
        }
    }

    /// What answers at the ports of a pod to which none of its containers listens.
    #[cold]
    fn closed_port(&mut self, pod: u32) -> ServerId {
        let Some(known) = &self.pods[pod as usize] else { return ServerId::NONE };
        if let Some((.., server)) = known.containers.iter().find(|(place, ..)| *place == NO_CONTAINER) {
            return *server;
        }
        let Some((.., first)) = known.containers.first() else { return ServerId::NONE };
        let first = &self.servers[first.at()];
        let mut server = Server::new(first.node, first.group, first.model() as u32, 0);
        server.pod = known.number;
        server.state = if first.state == State::NodeDown { State::NodeDown } else { State::Closed };
        let server = self.place(server);
        if let Some(known) = &mut self.pods[pod as usize] {
            known.containers.push((NO_CONTAINER, Vec::new(), server));
        }
        server
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What answers at a port: `closed`, nothing, or a container by its version.
    fn told(fleet: &mut Fleet, places: &mut Vec<(IpAddr, u16)>, port: u16) -> String {
        places.push((ADDRESS.parse().expect("an address"), port));
        let server = fleet.behind(TargetId(places.len() as u32 - 1), places);
        match fleet.servers.get(server.at()) {
            None => "nothing".to_owned(),
            Some(server) if server.state == State::Closed => "closed".to_owned(),
            Some(server) => server.group.0.to_string(),
        }
    }

    const ADDRESS: &str = "192.0.2.1";

    #[test]
    fn pods_listen_to_the_ports_that_they_list_or_to_all_if_they_list_none() {
        for (pods, host_network, expected) in [
            // Of each pod the ports of its containers; what answers at 80, 81 and 82.
            (&[&[&[80][..]][..]][..], false, ["0", "closed", "closed"]),
            (&[&[&[80], &[81]]], false, ["0", "1", "closed"]),
            (&[&[&[], &[81]]], false, ["closed", "1", "closed"]),
            (&[&[&[]]], false, ["0", "0", "0"]),
            (&[&[&[], &[]]], false, ["0", "0", "0"]),
            (&[], false, ["nothing", "nothing", "nothing"]),
            // On one machine.
            (&[&[&[80]], &[&[81]]], true, ["0", "1", "closed"]),
            (&[&[&[80]], &[&[]]], true, ["0", "1", "1"]),
            (&[&[&[80]], &[&[]], &[&[]]], true, ["0", "nothing", "nothing"]),
        ] {
            let (mut fleet, mut places) = (Fleet::new(vec![ServeModel::default()]), Vec::new());
            let mut versions = 0;
            for (number, containers) in pods.iter().enumerate() {
                let container = |(place, ports): (usize, &&[u16])| ContainerUp {
                    place: place as u16,
                    ports: ports.to_vec(),
                    version: "".into(),
                    model: 0,
                    cpu_limit: 0,
                };
                let pod = PodUp {
                    uid: Uid::Uuid { high: 1, low: number as u64 },
                    key: Key::new("default", format!("pod-{number}")),
                    labels: Labels::new(),
                    node: "node".into(),
                    address: ADDRESS.parse().expect("an address"),
                    host_network,
                    containers: containers.iter().enumerate().map(container).collect(),
                    resolv_conf: None,
                    reverse_proxy: None,
                    host_ports: Vec::new(),
                };
                fleet.add(&pod, NodeId(0), |_| {
                    versions += 1;
                    GroupId(versions - 1)
                });
            }
            let found = [80, 81, 82].map(|port| told(&mut fleet, &mut places, port));
            assert_eq!(found, expected, "{pods:?} {host_network}");
            // Whoever is asked there twice is the same.
            assert_eq!(told(&mut fleet, &mut places, 81), expected[1], "{pods:?}");
            (0..pods.len()).for_each(|pod| fleet.remove(&Uid::Uuid { high: 1, low: pod as u64 }, None));
            assert_eq!(fleet.free_servers.len(), fleet.servers.len(), "all servers are free again: {pods:?}");
        }
    }
}
