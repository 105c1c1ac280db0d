//! Which endpoints of a service port take traffic, as kube-proxy decides it (upstream `pkg/proxy/topology.go`).

use super::super::ids::{NodeId, TargetId};

/// Number of a zone; zones are compared only.
pub(in crate::network) type ZoneId = u32;

/// An endpoint of a service port as a slice has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::network) struct Candidate {
    pub(in crate::network) target: TargetId,
    /// `NONE` where the slice names none.
    pub(in crate::network) node: NodeId,
    pub(in crate::network) ready: bool,
    pub(in crate::network) serving: bool,
    pub(in crate::network) terminating: bool,
    pub(in crate::network) zone_hints: Box<[ZoneId]>,
    pub(in crate::network) node_hints: Box<[NodeId]>,
}

/// What of a Service decides about the use of its endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::network) struct Policies {
    pub(in crate::network) internal_local: bool,
    pub(in crate::network) external_local: bool,
    /// It has node ports, load balancer addresses or external addresses.
    pub(in crate::network) externally_accessible: bool,
}

/// Targets by a number, such as that of their node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    /// Ascending.
    keys: Vec<u32>,
    /// Where the targets of each key begin, and the end of the last.
    starts: Vec<u32>,
    targets: Vec<TargetId>,
}

impl Groups {
    /// Keeps the order of the targets within a key.
    fn new(mut entries: Vec<(u32, TargetId)>) -> Self {
        entries.sort_by_key(|(key, _)| *key);
        let mut groups = Self::default();
        for (at, (key, target)) in entries.into_iter().enumerate() {
            if groups.keys.last() != Some(&key) {
                groups.keys.push(key);
                groups.starts.push(at as u32);
            }
            groups.targets.push(target);
        }
        groups.starts.push(groups.targets.len() as u32);
        groups
    }

    fn get(&self, key: u32) -> &[TargetId] {
        match self.keys.binary_search(&key) {
            Ok(at) => &self.targets[self.starts[at] as usize..self.starts[at + 1] as usize],
            Err(_) => &[],
        }
    }
}

/// The usable endpoints of a service port, for every node at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::network) struct EndpointSet {
    /// Ready ones; if there are none, those that serve while they terminate.
    cluster: Vec<TargetId>,
    /// Whether `cluster` is the ready ones.
    is_ready: bool,
    /// The same by node, for `Local` policies: on each node its ready ones, else its terminating ones that serve.
    local: Groups,
    /// Ready ones by the nodes and zones that they are meant for, if all have such a hint.
    for_nodes: Option<Groups>,
    for_zones: Option<Groups>,
    /// Whether they have.
    has_hints: bool,
    /// Whether anything could be used anywhere.
    has_any: bool,
    /// All that serve, terminating or not, ascending: established UDP flows to others are forgotten.
    serving: Vec<TargetId>,
}

impl EndpointSet {
    /// Sorts the endpoints. Where slices name the same target twice, the copy that is ready wins, then the one that is not terminating.
    pub(in crate::network) fn new(mut candidates: Vec<Candidate>, policies: Policies) -> Self {
        candidates.sort_by_key(|c| (c.target, !c.ready, c.terminating, !c.serving));
        candidates.dedup_by_key(|c| c.target);
        let ready = |c: &&Candidate| c.ready;
        let draining = |c: &&Candidate| !c.ready && c.serving && c.terminating;
        let targets = |chosen: &dyn Fn(&&Candidate) -> bool| -> Vec<TargetId> {
            candidates.iter().filter(chosen).map(|c| c.target).collect()
        };
        let mut cluster = targets(&ready);
        let all_ready = cluster.len();
        let has_any = candidates.iter().any(|c| ready(&c) || draining(&c));
        if cluster.is_empty() {
            cluster = targets(&draining);
        }
        let hints = |of: &dyn Fn(&Candidate) -> Vec<u32>| -> Option<Groups> {
            let hinted = candidates.iter().filter(ready).filter(|c| !of(c).is_empty()).count();
            (hinted == all_ready && hinted > 0).then(|| {
                let each = candidates.iter().filter(ready);
                Groups::new(each.flat_map(|c| of(c).into_iter().map(|key| (key, c.target))).collect())
            })
        };
        let local = if policies.uses_local() { local(&candidates) } else { Groups::default() };
        let for_nodes = hints(&|c| c.node_hints.iter().map(|node| node.0).collect());
        let for_zones = hints(&|c| c.zone_hints.to_vec());
        Self {
            has_hints: for_nodes.is_some() || for_zones.is_some(),
            for_nodes,
            for_zones,
            serving: targets(&|c| c.serving || c.ready),
            is_ready: all_ready > 0,
            cluster,
            local,
            has_any,
        }
    }

    /// Whether endpoints are meant for nodes or zones.
    #[inline(always)]
    pub(in crate::network) const fn has_hints(&self) -> bool {
        self.has_hints
    }

    /// The endpoints for traffic that may go anywhere, as a node in a zone sees them.
    #[inline(always)]
    pub(in crate::network) fn cluster(&self, node: NodeId, zone: Option<ZoneId>) -> &[TargetId] {
        if !self.has_hints() {
            return &self.cluster;
        }
        let near = self.for_nodes.as_ref().map_or(&[][..], |groups| groups.get(node.0));
        if !near.is_empty() {
            return near;
        }
        let near = self.for_zones.as_ref().zip(zone).map_or(&[][..], |(groups, zone)| groups.get(zone));
        if near.is_empty() { &self.cluster } else { near }
    }

    /// The endpoints for traffic that must stay on a node.
    #[inline(always)]
    pub(in crate::network) fn local(&self, node: NodeId) -> &[TargetId] {
        self.local.get(node.0)
    }

    /// Whether there is a usable endpoint on any node.
    #[inline]
    pub(in crate::network) const fn has_any(&self) -> bool {
        self.has_any
    }

    /// Whether an established UDP flow to a target is kept.
    pub(in crate::network) fn keeps_flow(&self, target: TargetId) -> bool {
        self.serving.is_empty() || self.serving.binary_search(&target).is_ok()
    }

    /// The ready endpoints, wherever they are: what DNS knows of.
    pub(in crate::network) fn ready(&self) -> &[TargetId] {
        if self.is_ready { &self.cluster } else { &[] }
    }
}

impl Policies {
    const fn uses_local(self) -> bool {
        self.internal_local || (self.external_local && self.externally_accessible)
    }
}

/// On each node its ready endpoints, or else its terminating ones that serve.
fn local(candidates: &[Candidate]) -> Groups {
    let on_nodes = || candidates.iter().filter(|c| c.node.is_some());
    let ready = Groups::new(on_nodes().filter(|c| c.ready).map(|c| (c.node.0, c.target)).collect());
    let draining = on_nodes().filter(|c| !c.ready && c.serving && c.terminating && ready.get(c.node.0).is_empty());
    let ready_ones = on_nodes().filter(|c| c.ready);
    Groups::new(ready_ones.chain(draining).map(|c| (c.node.0, c.target)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: NodeId = NodeId(0);
    const REMOTE: NodeId = NodeId(9);

    fn endpoint(target: u32, node: NodeId, state: &str) -> Candidate {
        let (ready, serving, terminating) = match state {
            "ready" => (true, true, false),
            "not ready" => (false, false, false),
            "draining" => (false, true, true),
            _ => (false, false, true),
        };
        let (zone_hints, node_hints) = (Box::default(), Box::default());
        Candidate { target: TargetId(target), node, ready, serving, terminating, zone_hints, node_hints }
    }

    fn zones(target: u32, node: NodeId, zones: &str) -> Candidate {
        let zone_hints = zones.bytes().map(u32::from).collect();
        Candidate { zone_hints, ..endpoint(target, node, "ready") }
    }

    fn numbers(targets: &[TargetId]) -> Vec<u32> {
        targets.iter().map(|target| target.0).collect()
    }

    fn cluster(candidates: &[Candidate], node: NodeId, zone: Option<u8>) -> Vec<u32> {
        let set = EndpointSet::new(candidates.to_vec(), Policies::default());
        numbers(set.cluster(node, zone.map(u32::from)))
    }

    /// Rows of upstream's `TestCategorizeEndpoints` about topology.
    #[test]
    fn hints_are_followed_if_all_ready_endpoints_have_them() {
        let abca = [zones(1, LOCAL, "a"), zones(2, LOCAL, "b"), zones(3, LOCAL, "c"), zones(4, LOCAL, "a")];
        assert_eq!(cluster(&abca, LOCAL, Some(b'a')), [1, 4]);
        assert_eq!(cluster(&abca, LOCAL, None), [1, 2, 3, 4]);
        assert_eq!(cluster(&[zones(1, LOCAL, "a")], LOCAL, Some(b'b')), [1], "no endpoint is for the zone");
        let mut late = abca.clone();
        late[3] = Candidate { zone_hints: Box::new([u32::from(b'a')]), ..endpoint(4, LOCAL, "not ready") };
        assert_eq!(cluster(&late, LOCAL, Some(b'a')), [1], "one in the zone is not ready");
        late[0] = Candidate { zone_hints: Box::new([u32::from(b'a')]), ..endpoint(1, LOCAL, "not ready") };
        assert_eq!(cluster(&late, LOCAL, Some(b'a')), [2, 3], "none in the zone is ready");
        let mut missing = abca.clone();
        missing[1].zone_hints = Box::default();
        assert_eq!(cluster(&missing, LOCAL, Some(b'a')), [1, 2, 3, 4], "one lacks hints");
        let several = [zones(1, LOCAL, "abc"), zones(2, LOCAL, "bc"), zones(3, LOCAL, "bd"), zones(4, LOCAL, "c")];
        assert_eq!(cluster(&several, LOCAL, Some(b'c')), [1, 2, 4]);
    }

    #[test]
    fn local_endpoints_do_not_depend_on_hints() {
        let external = Policies { external_local: true, externally_accessible: true, internal_local: false };
        let all = [zones(1, LOCAL, "a"), zones(2, LOCAL, "b"), zones(3, REMOTE, "c"), zones(4, REMOTE, "a")];
        let set = EndpointSet::new(all.to_vec(), external);
        assert_eq!(numbers(set.cluster(LOCAL, Some(u32::from(b'a')))), [1, 4]);
        assert_eq!(numbers(set.local(LOCAL)), [1, 2]);
    }

    #[test]
    fn node_hints_come_before_zone_hints() {
        let hinted = |target: u32, zone: &str| Candidate {
            node_hints: Box::new([NodeId(target)]),
            ..zones(target, NodeId(target), zone)
        };
        let all = [hinted(1, "a"), hinted(2, "b"), hinted(3, "c"), hinted(4, "a")];
        assert_eq!(cluster(&all, NodeId(1), Some(b'a')), [1]);
        assert_eq!(cluster(&all, NodeId(0), Some(b'a')), [1, 4], "by zone, as no endpoint is for the node");
        let mut missing = all.clone();
        missing[2] = endpoint(3, NodeId(3), "ready");
        assert_eq!(cluster(&missing, NodeId(1), Some(b'a')), [1, 2, 3, 4]);
    }

    /// Rows of upstream's `TestCategorizeEndpoints` about policies and terminating endpoints.
    #[test]
    fn terminating_endpoints_serve_only_where_nothing_else_does() {
        let external = Policies { external_local: true, externally_accessible: true, internal_local: false };
        let check = |states: &[(NodeId, &str)], policies: Policies| {
            let each = states.iter().enumerate();
            let all = each.map(|(at, (node, state))| endpoint(at as u32 + 1, *node, state)).collect();
            let set = EndpointSet::new(all, policies);
            (numbers(set.cluster(LOCAL, None)), numbers(set.local(LOCAL)), set.has_any())
        };
        let none: Vec<u32> = Vec::new();
        let (l, r) = (LOCAL, REMOTE);
        assert_eq!(check(&[(l, "not ready"), (r, "not ready")], external), (none.clone(), none.clone(), false));
        assert_eq!(check(&[(l, "draining"), (r, "draining")], Policies::default()), (vec![1, 2], none.clone(), true));
        let mixed = [(r, "ready"), (l, "gone"), (l, "draining"), (r, "draining")];
        assert_eq!(check(&mixed, external), (vec![1], vec![3], true));
        let rows = [(l, "ready"), (l, "ready"), (l, "draining"), (l, "gone"), (r, "ready")];
        assert_eq!(check(&rows, external), (vec![1, 2, 5], vec![1, 2], true));
        assert_eq!(check(&[(r, "draining")], external), (vec![1], none.clone(), true), "DROP, not REJECT");
        assert_eq!(check(&[(l, "gone")], external), (none.clone(), none.clone(), false));
        let unused = Policies { externally_accessible: false, ..external };
        assert_eq!(check(&[(r, "ready"), (l, "ready")], unused), (vec![1, 2], none.clone(), true));
        let internal = Policies { internal_local: true, ..Policies::default() };
        assert_eq!(check(&[(r, "ready"), (l, "ready")], internal), (vec![1, 2], vec![2], true));
        assert_eq!(check(&[(r, "ready"), (r, "ready")], internal), (vec![1, 2], none.clone(), true));
        assert_eq!(check(&[], internal), (none.clone(), none.clone(), false));
        assert_eq!(check(&[(l, "draining"), (r, "draining")], internal), (vec![1, 2], vec![1], true));
        let both = Policies { internal_local: true, ..external };
        assert_eq!(check(&[(r, "draining"), (r, "draining")], both), (vec![1, 2], none.clone(), true));
        // Rows of `TestTerminatingEndpointsTrafficPolicyLocal` and `…Cluster`.
        let only_draining = [(l, "draining"), (l, "draining"), (l, "gone"), (r, "ready")];
        assert_eq!(check(&only_draining, external), (vec![4], vec![1, 2], true));
        let cluster_policy = Policies { external_local: false, ..external };
        assert_eq!(check(&rows, cluster_policy), (vec![1, 2, 5], none.clone(), true));
        let only_going = [(l, "draining"), (l, "gone"), (r, "draining")];
        assert_eq!(check(&only_going, cluster_policy), (vec![1, 3], none.clone(), true));
        assert_eq!(check(&[(l, "gone"), (r, "gone")], cluster_policy), (none.clone(), none, false));
    }

    #[test]
    fn of_two_copies_the_ready_one_counts() {
        let set = |first: &str, second: &str| {
            let both = vec![endpoint(1, LOCAL, first), endpoint(1, LOCAL, second)];
            numbers(EndpointSet::new(both, Policies::default()).cluster(LOCAL, None))
        };
        assert_eq!(set("gone", "ready"), [1]);
        assert_eq!(set("ready", "not ready"), [1]);
        assert_eq!(set("gone", "not ready"), Vec::<u32>::new());
    }

    /// Rows of `TestCleanStaleEntries`: which established flows of UDP are forgotten.
    #[test]
    fn flows_go_with_endpoints_that_do_not_serve() {
        let all = ["ready", "draining", "gone", "not ready"].into_iter().enumerate();
        let all: Vec<Candidate> = all.map(|(at, state)| endpoint(at as u32, LOCAL, state)).collect();
        let keeps = |candidates: &[Candidate]| {
            let set = EndpointSet::new(candidates.to_vec(), Policies::default());
            // The last one was deleted, or had another port.
            [0, 1, 2, 3, 9].map(|target| set.keeps_flow(TargetId(target)))
        };
        assert_eq!(keeps(&all), [true, true, false, false, false]);
        assert_eq!(keeps(&all[2..]), [true; 5], "nothing serves: nothing is forgotten");
        assert_eq!(keeps(&[]), [true; 5]);
    }
}
