//! The nodes and their machines, as far as proxies and load balancers are concerned with them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::kernel::{Purpose, SimDuration};
use crate::objects::{Labels, Node};

use super::super::endpoint_set::ZoneId;
use super::super::runner::Runner;
use super::super::watch::Hearing;
use super::ProxyTable;
use crate::network::ids::NodeId;

const NODE_JITTER: Purpose = Purpose::new(0x5ea_0201);
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const DELETION_TAINT: &str = "ToBeDeletedByClusterAutoscaler";

/// A node, its machine, and the proxy that runs there.
#[derive(Clone, Debug)]
pub(in crate::network::proxy) struct ProxyNode {
    pub(super) name: Arc<str>,
    pub(in crate::network::proxy) zone: Option<ZoneId>,
    address: Option<IpAddr>,
    pub(in crate::network::proxy) runner: Runner,
    pub(in crate::network::proxy) hearing: Hearing,
    /// The machine runs.
    pub(super) up: bool,
    /// It was said of the machine that it runs, or that it does not.
    is_known: bool,
    /// Counts how often it went down.
    outages: u32,
    /// The Node object exists.
    pub(in crate::network::proxy) registered: bool,
    /// Load balancers leave it out.
    pub(super) excluded: bool,
}

impl ProxyTable {
    pub(super) fn follow_node(&mut self, object: &Node, deleted: bool, now: u64) {
        let number = self.node(&object.meta.name);
        let zone = object.meta.labels.get(ZONE_LABEL).map(|zone| self.zone(zone));
        let excluded = is_excluded(&object.meta.labels)
            || object.meta.deletion_timestamp.is_some()
            || object.spec.taints.iter().any(|taint| *taint.key == *DELETION_TAINT);
        let node = &mut self.nodes[number.at()];
        node.address = object.internal_ip().or(node.address);
        let before = (node.zone, node.registered, node.excluded);
        (node.zone, node.registered, node.excluded) = (zone, !deleted, excluded);
        if before != (zone, !deleted, excluded) {
            self.refresh_pools(now);
        }
    }

    /// A machine runs, or not any more. The rules of one that starts are gone with the memory of its kernel; machines of the first
    /// instant have run for long.
    pub(in crate::network) fn set_up(&mut self, name: &Arc<str>, up: bool, now: u64) -> NodeId {
        let number = self.node(name);
        let node = &mut self.nodes[number.at()];
        if node.up != up || !node.is_known {
            (node.up, node.is_known) = (up, true);
            node.outages += u32::from(!up);
            if up && now > 0 {
                self.start_proxy(number, now.saturating_add(self.proxy_start));
            }
            self.refresh_pools(now);
        }
        number
    }

    /// The number of a node.
    pub(in crate::network) fn node(&mut self, name: &Arc<str>) -> NodeId {
        if let Some(&number) = self.nodes_by_name.get(name) {
            return number;
        }
        let number = NodeId(self.nodes.len() as u32);
        let jitter = self.timing.jitter.as_nanos();
        let lag = if jitter == 0 { 0 } else { self.streams.stream(NODE_JITTER, &**name).below(jitter) };
        self.nodes.push(ProxyNode {
            name: name.clone(),
            zone: None,
            address: None,
            runner: Runner::new(SimDuration::from_nanos(lag)),
            hearing: Hearing::default(),
            up: true,
            outages: 0,
            is_known: false,
            registered: false,
            excluded: false,
        });
        self.nodes_by_name.insert(name.clone(), number);
        number
    }

    pub(super) fn zone(&mut self, name: &str) -> ZoneId {
        let next = self.zones.len() as ZoneId;
        *self.zones.entry(name.into()).or_insert(next)
    }

    /// How many machines were heard of.
    pub(in crate::network) const fn machines(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the machine runs.
    #[inline]
    pub(in crate::network) fn is_up(&self, node: NodeId) -> bool {
        self.nodes[node.at()].up
    }

    /// How often a machine went down; whatever its kernel knew of connections went with it.
    pub(in crate::network) fn outages(&self, node: NodeId) -> u32 {
        self.nodes.get(node.at()).map_or(0, |node| node.outages)
    }

    /// Address of a node, if its object has one.
    pub(in crate::network) fn address(&self, node: NodeId) -> Option<IpAddr> {
        self.nodes[node.at()].address
    }

    /// Name of a node.
    pub(in crate::network) fn name(&self, node: usize) -> &Arc<str> {
        &self.nodes[node].name
    }

    /// Number of a node that has been heard of.
    pub(in crate::network) fn find_node(&self, name: &str) -> Option<NodeId> {
        self.nodes_by_name.get(name).copied()
    }
}

fn is_excluded(labels: &Labels) -> bool {
    labels.get(EXCLUDE_LABEL).is_some()
}
