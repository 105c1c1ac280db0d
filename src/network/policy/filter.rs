//! What the network plugin's agents have programmed of the policies, and what that lets through.
//!
//! Policies count where they are programmed: some time after the write, and on a node that is cut off not before it is connected
//! again. An agent knows the pods of its own node from their start, so that a pod is isolated from its first instant if a policy
//! about it is programmed by then; of pods elsewhere it learns as of policies, so that a new pod may be kept out for a
//! moment by a policy that allows it.
//!
//! Nothing is worked out for a request: pods that policies cannot tell apart are one class, and what a policy says of
//! two classes and a port is worked out once, for as long as policies and namespaces stay as they are.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType, View};
use crate::objects::{IpBlock, Labels, Namespace, NetworkPolicy, Object, Pod, PolicyType, Uid};

use super::super::Cidr;
use super::super::ids::NodeId;
use super::free::FreePods;
use super::{Connection, Peer, about, dns_stand_in, gate};

/// The number of the stand-in for the pods of cluster DNS.
const DNS_NUMBER: u64 = u64::MAX;
/// Most answers that are kept in a picture; then they are worked out anew.
const ANSWERS_MAX: usize = 4_000_000;

/// Of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::network) enum Protocol {
    #[default]
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub(in crate::network) fn parse(text: &str) -> Self {
        match text {
            "UDP" => Self::Udp,
            "SCTP" => Self::Sctp,
            _ => Self::Tcp,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// Where a connection goes, at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::network) struct Port {
    pub(in crate::network) number: u16,
    pub(in crate::network) protocol: Protocol,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct End<'a> {
    /// No other end ever has it.
    pub(in crate::network) number: u64,
    /// The pod, unless it is a node or somebody outside.
    pub(in crate::network) pod: Option<&'a Uid>,
    pub(in crate::network) address: Option<IpAddr>,
}

/// What all agents have programmed.
#[derive(Clone, Debug)]
pub(in crate::network) struct Filter {
    /// From an accepted write until it is programmed, ns.
    lag: u64,
    /// Pods as they are.
    pods: FxHashMap<Uid, Arc<Pod>>,
    /// What is not programmed yet, and from when on it is, ns.
    pending: VecDeque<(u64, Change)>,
    /// What most agents go by.
    common: Picture,
    /// What agents go by that hear nothing.
    old: Vec<Picture>,
    apart: FxHashMap<NodeId, Apart>,
    /// Until then an agent goes by an old picture, ns.
    apart_until: u64,
    /// By the common picture.
    free: FreePods,
    /// There is, or was, a policy.
    is_active: bool,
}

/// An agent that goes by an old picture.
#[derive(Clone, Copy, Debug)]
struct Apart {
    picture: usize,
    /// Until then, ns.
    until: u64,
}

impl Filter {
    /// `lag`: from an accepted write until it is programmed.
    pub(in crate::network) fn new(lag: u64) -> Self {
        Self {
            lag,
            pods: FxHashMap::default(),
            pending: VecDeque::new(),
            common: Picture::default(),
            old: Vec::new(),
            apart: FxHashMap::default(),
            apart_until: 0,
            free: FreePods::default(),
            is_active: false,
        }
    }

    /// Whether there never was a policy: everything passes.
    #[inline]
    pub(in crate::network) const fn is_idle(&self) -> bool {
        !self.is_active
    }

    /// A change that was accepted at `now`, ns.
    pub(in crate::network) fn follow(&mut self, change: &Change, now: u64) {
        let is_deleted = change.change_type == ChangeType::Deleted;
        let counts = match &change.object {
            Object::Pod(pod) => self.follow_pod(pod, change.of::<Pod>().and_then(|(before, _)| before), is_deleted),
            Object::Namespace(namespace) => {
                let before = change.of::<Namespace>().and_then(|(before, _)| before);
                is_deleted || before.is_none_or(|before| before.meta.labels != namespace.meta.labels)
            }
            Object::NetworkPolicy(_) => true,
            _ => return,
        };
        if !counts {
            return;
        }
        if !self.is_active {
            match change.object {
                // Agents know of those before they know of any policy.
                Object::Namespace(_) => return self.common.rules.apply(change),
                Object::NetworkPolicy(_) => self.begin(),
                _ => return,
            }
        }
        self.pending.push_back((now.saturating_add(self.lag), Change { old: None, ..change.clone() }));
    }

    fn begin(&mut self) {
        self.is_active = true;
        self.common.pods = Arc::new(self.pods.clone());
        self.free.clear(self.pods.len());
    }

    /// Returns whether policies may see a difference.
    fn follow_pod(&mut self, pod: &Arc<Pod>, before: Option<&Arc<Pod>>, is_deleted: bool) -> bool {
        if is_deleted {
            return self.pods.remove(&pod.meta.uid).is_some();
        }
        if before.is_some_and(|before| same_to_policies(before, pod)) {
            return false;
        }
        let before = self.pods.insert(pod.meta.uid.clone(), pod.clone());
        !before.is_some_and(|before| same_to_policies(&before, pod))
    }

    /// Programmes what is due. `number`: that of a pod that is up.
    #[inline]
    pub(in crate::network) fn advance(&mut self, now: u64, number: impl Fn(&Uid) -> Option<u64>) {
        while self.pending.front().is_some_and(|(due, _)| *due <= now)
            && let Some((_, change)) = self.pending.pop_front()
        {
            self.common.apply(&change, &number);
            match &change.object {
                Object::Pod(pod) => number(&pod.meta.uid).into_iter().for_each(|number| self.free.forget(number)),
                _ => self.free.clear(self.pods.len()),
            }
        }
    }

    /// A node's agent hears nothing more from `now` on. What is due by then must have been programmed.
    pub(in crate::network) fn freeze(&mut self, node: NodeId, now: u64) {
        self.apart.retain(|_, apart| apart.until > now);
        self.apart_until = u64::MAX;
        if let Some(apart) = self.apart.get_mut(&node) {
            apart.until = u64::MAX;
            return;
        }
        if self.apart.is_empty() {
            self.old.clear();
        }
        if self.old.last().is_none_or(|last| last.version != self.common.version) {
            self.old.push(self.common.copy());
        }
        self.apart.insert(node, Apart { picture: self.old.len() - 1, until: u64::MAX });
    }

    /// A node's agent hears again at `again`, ns: of all that it missed.
    pub(in crate::network) fn thaw(&mut self, node: NodeId, again: u64) {
        if let Some(apart) = self.apart.get_mut(&node) {
            apart.until = again.saturating_add(self.lag);
        }
        self.apart_until = self.apart.values().map(|apart| apart.until).max().unwrap_or(0);
    }

    /// Nothing is left of a pod.
    pub(in crate::network) fn forget(&mut self, number: u64) {
        if self.is_active {
            self.old.iter_mut().chain([&mut self.common]).for_each(|picture| picture.forget(number));
            self.free.forget(number);
        }
    }

    /// Whether the agent of a node lets a pod, which runs there, ask the stand-in for the pods of cluster DNS.
    pub(in crate::network) fn may_ask_dns(&mut self, (agent, now): (NodeId, u64), near: End<'_>) -> bool {
        let port = Port { number: 53, protocol: Protocol::Udp };
        let far = End { number: DNS_NUMBER, pod: None, address: None };
        self.is_open((agent, now), PolicyType::Egress, (near, far), port)
    }

    /// Whether it is known already that no policy is about either end of a connection: the pod that it comes from, if it comes from
    /// one, and the pod that it goes to.
    #[inline]
    pub(in crate::network) fn is_free(&self, from: Option<u64>, to: u64, now: u64) -> bool {
        self.apart_until <= now
            && self.pending.front().is_none_or(|(due, _)| *due > now)
            && self.free.has(to, PolicyType::Ingress)
            && from.is_none_or(|from| self.free.has(from, PolicyType::Egress))
    }

    /// Whether the agent of a node lets a connection pass in that direction: out of or in to the pod `near`, which runs there.
    pub(in crate::network) fn is_open(
        &mut self,
        (agent, now): (NodeId, u64),
        direction: PolicyType,
        (near, far): (End<'_>, End<'_>),
        port: Port,
    ) -> bool {
        let (picture, is_common) = match self.apart.get(&agent).filter(|apart| apart.until > now) {
            Some(apart) => (&mut self.old[apart.picture], false),
            None => (&mut self.common, true),
        };
        if picture.rules.network_policies.is_empty() {
            return true;
        }
        let (number, Some(near)) = (near.number, picture.near(near, &self.pods)) else { return true };
        if is_common && picture.is_free(direction, near) {
            self.free.note(number, direction);
            return true;
        }
        let far = picture.far(far);
        picture.is_open(direction, near, far, port)
    }
}

/// Whether policies cannot tell the difference between two states of a pod.
fn same_to_policies(a: &Pod, b: &Pod) -> bool {
    a.meta.labels == b.meta.labels && a.status.pod_ip == b.status.pod_ip && a.node_name == b.node_name
}

/// Name, protocol and number of a port of a container.
type NamedPort = (Arc<str>, Arc<str>, i32);

/// All that policies see of an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Signature {
    /// Namespace, labels, ports with names.
    pod: Option<(Arc<str>, Labels, Vec<NamedPort>)>,
    /// In which of the blocks of addresses its address is.
    blocks: Box<[bool]>,
}

/// One of those that policies cannot tell apart.
#[derive(Clone, Debug)]
enum Example {
    Pod(Arc<Pod>),
    Address(Option<IpAddr>),
}

impl Example {
    fn peer(&self) -> Peer<'_> {
        match self {
            Self::Pod(pod) => Peer::Pod(pod),
            Self::Address(address) => Peer::Node("", *address),
        }
    }
}

/// Ends that policies cannot tell apart.
type ClassId = u32;

/// What an agent goes by.
#[derive(Clone, Debug, Default)]
struct Picture {
    /// Counts changes.
    version: u64,
    /// Policies and namespaces.
    rules: View,
    pods: Arc<FxHashMap<Uid, Arc<Pod>>>,
    /// All blocks of addresses that policies name, with their holes.
    blocks: Vec<(Option<Cidr>, Vec<Cidr>)>,
    classes: FxHashMap<Signature, ClassId>,
    examples: Vec<Example>,
    /// The classes of the pods that are asked about, as the agent of their own node knows them, and as others do.
    near: FxHashMap<u64, ClassId>,
    far: FxHashMap<u64, ClassId>,
    answers: FxHashMap<(ClassId, ClassId, Port, bool), bool>,
}

impl Picture {
    fn apply(&mut self, change: &Change, number: impl Fn(&Uid) -> Option<u64>) {
        self.version += 1;
        match &change.object {
            Object::Pod(pod) => {
                let pods = Arc::make_mut(&mut self.pods);
                if change.change_type == ChangeType::Deleted {
                    pods.remove(&pod.meta.uid);
                } else {
                    pods.insert(pod.meta.uid.clone(), pod.clone());
                }
                number(&pod.meta.uid).into_iter().for_each(|number| self.forget(number));
            }
            Object::NetworkPolicy(_) => {
                self.rules.apply(change);
                self.blocks = blocks(&self.rules);
                self.forget_answers();
                self.classes.clear();
                self.examples.clear();
                self.near.clear();
                self.far.clear();
            }
            _ => {
                self.rules.apply(change);
                self.forget_answers();
            }
        }
    }

    /// The same without what was worked out.
    fn copy(&self) -> Self {
        let (version, rules, pods) = (self.version, self.rules.clone(), self.pods.clone());
        Self { version, rules, pods, blocks: self.blocks.clone(), ..Self::default() }
    }

    fn forget(&mut self, number: u64) {
        self.near.remove(&number);
        self.far.remove(&number);
    }

    fn forget_answers(&mut self) {
        self.answers.clear();
    }

    /// The class of a pod as the agent of its own node knows it; nothing if the API has no such pod.
    #[inline]
    fn near(&mut self, end: End<'_>, pods: &FxHashMap<Uid, Arc<Pod>>) -> Option<ClassId> {
        if let Some(class) = self.near.get(&end.number) {
            return Some(*class);
        }
        let uid = end.pod?;
        let pod = self.pods.get(uid).or_else(|| pods.get(uid))?.clone();
        let class = self.class(Example::Pod(pod), end.address);
        self.near.insert(end.number, class);
        Some(class)
    }

    /// The class of an end as agents of other nodes know it.
    #[inline]
    fn far(&mut self, end: End<'_>) -> ClassId {
        if let Some(class) = self.far.get(&end.number) {
            return *class;
        }
        let known = end.pod.and_then(|uid| self.pods.get(uid)).filter(|pod| pod.status.pod_ip.is_some());
        let example = match known {
            Some(pod) => Example::Pod(pod.clone()),
            None if end.number == DNS_NUMBER => Example::Pod(Arc::new(dns_stand_in())),
            None => Example::Address(end.address),
        };
        let class = self.class(example, end.address);
        self.far.insert(end.number, class);
        class
    }

    #[cold]
    fn class(&mut self, example: Example, address: Option<IpAddr>) -> ClassId {
        let pod = match &example {
            Example::Pod(pod) => Some((pod.meta.namespace.clone(), pod.meta.labels.clone(), named_ports(pod))),
            Example::Address(_) => None,
        };
        let address = match &example {
            Example::Pod(pod) => pod.status.pod_ip,
            Example::Address(_) => address,
        };
        let holds = |(block, except): &(Option<Cidr>, Vec<Cidr>)| {
            let is_in = |block: &Cidr| address.is_some_and(|address| block.contains(address));
            block.as_ref().is_some_and(is_in) && !except.iter().any(is_in)
        };
        let signature = Signature { pod, blocks: self.blocks.iter().map(holds).collect() };
        let Self { classes, examples, .. } = self;
        *classes.entry(signature).or_insert_with(|| {
            examples.push(example);
            examples.len() as ClassId - 1
        })
    }

    /// Whether no policy is about the pods of a class in that direction.
    fn is_free(&self, direction: PolicyType, near: ClassId) -> bool {
        match &self.examples[near as usize] {
            Example::Pod(pod) => about(&self.rules, pod, direction).is_empty(),
            Example::Address(_) => true,
        }
    }

    #[inline]
    fn is_open(&mut self, direction: PolicyType, near: ClassId, far: ClassId, port: Port) -> bool {
        let question = (near, far, port, direction == PolicyType::Egress);
        match self.answers.get(&question) {
            Some(answer) => *answer,
            None => self.work_out(question),
        }
    }

    #[cold]
    fn work_out(&mut self, question: (ClassId, ClassId, Port, bool)) -> bool {
        let (near, far, port, is_egress) = question;
        let [near, far] = [near, far].map(|class| self.examples[class as usize].peer());
        let (from, to) = if is_egress { (near, far) } else { (far, near) };
        let direction = if is_egress { PolicyType::Egress } else { PolicyType::Ingress };
        let connection = Connection { from, to, port: port.number, protocol: port.protocol.as_str() };
        let answer = gate(&self.rules, &connection, direction).is_open();
        if self.answers.len() >= ANSWERS_MAX {
            self.forget_answers();
        }
        self.answers.insert(question, answer);
        answer
    }
}

/// All blocks of addresses that policies name.
fn blocks(rules: &View) -> Vec<(Option<Cidr>, Vec<Cidr>)> {
    let of = |policy: &Arc<NetworkPolicy>| -> Vec<IpBlock> {
        let ingress = policy.spec.ingress.iter().flat_map(|rule| &rule.from);
        let peers = ingress.chain(policy.spec.egress.iter().flat_map(|rule| &rule.to));
        peers.filter_map(|peer| peer.ip_block.clone()).collect()
    };
    let all = rules.network_policies.iter().flat_map(of);
    let mut blocks: Vec<(Option<Cidr>, Vec<Cidr>)> = Vec::new();
    for block in all {
        let except = block.except.iter().filter_map(|range| Cidr::parse(range)).collect();
        let compiled = (Cidr::parse(&block.cidr), except);
        if !blocks.contains(&compiled) {
            blocks.push(compiled);
        }
    }
    blocks
}

fn named_ports(pod: &Pod) -> Vec<NamedPort> {
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    let named = ports.filter(|port| !port.name.is_empty());
    named.map(|port| ((&*port.name).into(), (&*port.protocol).into(), port.container_port)).collect()
}
