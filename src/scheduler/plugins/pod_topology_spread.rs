//! Spreads the pods of a workload over nodes and zones: upstream's default constraints, which only give points.
//!
//! Constraints that pods carry themselves are not honoured yet; such pods get no points from here.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::View;
use crate::objects::{Key, Kind, Labels, Pod, Requirement, Selector};
use crate::scheduler::cache::{Cache, NodeId, NodeInfo};
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::Actions;
use crate::scheduler::framework::{Plugin, PreFilter, PreScore};

use super::node_affinity;

#[derive(Debug)]
pub(super) struct PodTopologySpread;

/// `maxSkew - 1` of the default constraints.
const HOSTNAME_SLACK: f64 = 2.0;
const ZONE_SLACK: f64 = 4.0;

/// How many pods of the workload there are, and how much a pod weighs.
#[derive(Debug, Default)]
pub(super) struct Spread {
    per_node: Vec<u32>,
    per_zone: Vec<u32>,
    hostname_weight: f64,
    zone_weight: f64,
    known: FxHashMap<WorkloadKey, Workload>,
    seen_workloads: Option<WorkloadsVersion>,
    epoch: u32,
}

/// Pods with equal keys belong to the same workload.
type WorkloadKey = (Arc<str>, Labels, Option<Arc<str>>);

/// Which groups of pods with equal labels a workload has: worked out once and then only extended.
#[derive(Debug)]
struct Workload {
    selector: Option<Selector>,
    groups: Vec<u32>,
    /// How many of the namespace's groups have been compared with the selector.
    compared: usize,
}

/// Changes when selectors of workloads may have changed.
type WorkloadsVersion = u64;

impl Plugin for PodTopologySpread {
    type State = Spread;

    fn name(&self) -> &'static str {
        "PodTopologySpread"
    }

    fn events(&self) -> Actions {
        Actions::NONE
    }

    fn pre_filter(&self, _: &Cycle<'_>, _: &mut Spread) -> PreFilter {
        PreFilter::Skip
    }

    fn pre_score(&self, cycle: &Cycle<'_>, spread: &mut Spread, nodes: &[NodeId]) -> PreScore {
        if cycle.pod.spec.wire().contains_key("topologySpreadConstraints") || !spread.count(cycle) {
            return PreScore::Skip;
        }
        spread.count_zones(cycle, nodes);
        spread.hostname_weight = weight(nodes.len());
        PreScore::Score
    }

    fn score(&self, _: &Cycle<'_>, spread: &Spread, node: &NodeInfo) -> i64 {
        let mut score = 0.0;
        if node.has_hostname() {
            score += f64::from(spread.per_node[node.id().index()]) * spread.hostname_weight + HOSTNAME_SLACK;
        }
        if node.zone() != 0 {
            score += f64::from(spread.per_zone[node.zone() as usize]) * spread.zone_weight + ZONE_SLACK;
        }
        score.round() as i64
    }

    fn normalize(&self, _: &Cycle<'_>, _: &Spread, _: &[NodeId], scores: &mut [i64]) {
        let max = scores.iter().copied().max().unwrap_or(0);
        let min = scores.iter().copied().min().unwrap_or(0);
        for score in scores {
            *score = if max == 0 { 100 } else { 100 * (max + min - *score) / max };
        }
    }
}

/// Weight of one pod where there are that many domains.
fn weight(domains: usize) -> f64 {
    libm::log((domains + 2) as f64)
}

impl Spread {
    /// Counts the workload's pods on each node. Says no if the pod belongs to no workload.
    fn count(&mut self, cycle: &Cycle<'_>) -> bool {
        let (pod, groups) = (cycle.pod, cycle.cache.groups());
        let version = cycle.cache.workloads_version();
        if self.seen_workloads != Some(version) || self.epoch != groups.epoch() {
            self.known.clear();
            (self.seen_workloads, self.epoch) = (Some(version), groups.epoch());
        }
        let owner = pod.meta.controller().map(|owner| owner.name.clone());
        let key = (pod.meta.namespace.clone(), pod.meta.labels.clone(), owner);
        let workload = self.known.entry(key).or_insert_with(|| Workload::of(pod, cycle.view));
        let Some(selector) = &workload.selector else { return false };
        let all = groups.of_namespace(&pod.meta.namespace);
        let new = all.get(workload.compared..).unwrap_or(&[]);
        workload.groups.extend(new.iter().filter(|id| selector.matches(&groups.group(**id).labels)));
        workload.compared = all.len();
        self.per_node.clear();
        self.per_node.resize(cycle.cache.node_count(), 0);
        for (node, pods) in workload.groups.iter().flat_map(|id| groups.group(*id).per_node()) {
            self.per_node[node.index()] += pods;
        }
        true
    }

    /// Counts the workload's pods in each zone that has a feasible node, over all nodes that the pod's node selector
    /// admits.
    fn count_zones(&mut self, cycle: &Cycle<'_>, nodes: &[NodeId]) {
        let cache = cycle.cache;
        self.per_zone.clear();
        self.per_zone.resize(cache.zone_count(), 0);
        if cache.zone_count() == 1 {
            self.zone_weight = 0.0;
            return;
        }
        self.zone_weight = weight(count_domains(cache, nodes, &mut self.per_zone));
        let pod = cycle.pod;
        let picky = !pod.spec.node_selector.is_empty()
            || !pod.pinned_to.is_empty()
            || pod.spec.affinity.node_affinity.is_some();
        for &id in cache.order() {
            let node = cache.node(id);
            if !picky || node_affinity::matches(pod, node.name(), &node.node().meta.labels) {
                self.per_zone[node.zone() as usize] += self.per_node[id.index()];
            }
        }
    }
}

/// How many different zones the nodes are in; nodes without a zone are in one of their own. `marks` is all zeros,
/// before and after.
fn count_domains(cache: &Cache, nodes: &[NodeId], marks: &mut [u32]) -> usize {
    for id in nodes {
        marks[cache.node(*id).zone() as usize] = 1;
    }
    let domains = marks.iter().filter(|mark| **mark == 1).count();
    marks.fill(0);
    domains
}

impl Workload {
    fn of(pod: &Pod, view: &View) -> Self {
        Self { selector: default_selector(pod, view), groups: Vec::new(), compared: 0 }
    }
}

/// Selects the pods of the Services and of the controller that a pod belongs to (upstream `helper.DefaultSelector`).
fn default_selector(pod: &Pod, view: &View) -> Option<Selector> {
    let mut requirements: Vec<Requirement> = Vec::new();
    let namespace = &pod.meta.namespace;
    let services = view.services.in_namespace(namespace).filter_map(|service| service.spec.selector.as_ref());
    for selector in services.filter(|selector| pod.meta.labels.contains_all(selector)) {
        requirements.extend_from_slice(Selector::from_labels(selector).requirements());
    }
    if let Some(owner) = pod.meta.controller() {
        let key = Key::new(namespace.clone(), owner.name.clone());
        let selector = match Kind::of(&owner.api_version, &owner.kind) {
            Some(Kind::ReplicaSet) => view.replica_sets.get(&key).map(|set| &set.spec.selector),
            Some(Kind::ReplicationController) => view.replication_controllers.get(&key).map(|set| &set.spec.selector),
            _ => None,
        };
        requirements.extend(selector.iter().flat_map(|selector| selector.compiled.requirements().iter().cloned()));
    }
    (!requirements.is_empty()).then(|| Selector::from_requirements(requirements))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::{Node, OwnerReference, ReplicaSet, Resource, Service};
    use crate::scheduler::testing::{Bench, labelled, pod, second, with_meta};

    const NAME: &str = "PodTopologySpread";

    fn node(name: &str, zone: Option<&str>) -> Arc<Node> {
        let zone: Vec<_> = zone.map(|zone| ("topology.kubernetes.io/zone", zone)).into_iter().collect();
        labelled(name, &zone)
    }

    fn web(name: &str) -> Arc<Pod> {
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": true});
        let owner: OwnerReference = serde_json::from_value(owner).expect("an owner");
        with_meta(&pod(name, json!({})), |pod| {
            pod.meta.labels = [("app", "web")].into_iter().collect();
            pod.meta.owner_references = vec![owner].into();
        })
    }

    fn bench(nodes: &[(&str, Option<&str>)]) -> Bench {
        let mut bench = Bench::default();
        for (name, zone) in nodes {
            bench.add(node(name, *zone));
        }
        let set = json!({
            "metadata": {"name": "web", "namespace": "default", "uid": "rs"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {}},
        });
        bench.apply(ReplicaSet::from_wire(set).expect("a ReplicaSet"));
        for (at, node) in ["a", "a", "b"].into_iter().enumerate() {
            bench.add_bound(node, &web(&format!("old-{at}")));
        }
        bench
    }

    #[test]
    fn nodes_with_fewer_pods_of_the_workload_get_more_points() {
        // Raw points: 2 ln 5 + 2, ln 5 + 2 and 2, rounded 5, 4 and 2.
        let bench = bench(&[("a", None), ("b", None), ("c", None)]);
        assert_eq!(bench.scores(NAME, &web("new")), [40, 60, 100]);
    }

    #[test]
    fn zones_count_beside_nodes() {
        // Zone x has all three pods: 3 ln 4 + 4 more on a and b, just 4 more on c.
        let bench = bench(&[("a", Some("x")), ("c", Some("y")), ("b", Some("x"))]);
        assert_eq!(bench.scores(NAME, &web("new")), [46, 100, 53]);
    }

    #[test]
    fn pods_that_leave_or_live_elsewhere_do_not_count() {
        let mut bench = bench(&[("a", None), ("b", None), ("c", None)]);
        let leaving = with_meta(&web("x"), |pod| pod.meta.deletion_timestamp = Some(second(0.0).timestamp()));
        bench.add_bound("c", &leaving);
        bench.add_bound("c", &with_meta(&web("y"), |pod| pod.meta.namespace = "other".into()));
        assert_eq!(bench.scores(NAME, &web("new")), [40, 60, 100]);
    }

    #[test]
    fn a_service_makes_a_workload_too() {
        let mut bench = bench(&[("a", None), ("b", None), ("c", None)]);
        let single = with_meta(&web("new"), |pod| pod.meta.owner_references = Vec::new().into());
        assert_eq!(bench.scores(NAME, &single), [0, 0, 0], "it belongs to nothing");
        let service = json!({"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"app": "web"}}});
        bench.apply(Service::from_wire(service).expect("a Service"));
        assert_eq!(bench.scores(NAME, &single), [40, 60, 100]);
    }

    #[test]
    fn a_pod_with_constraints_of_its_own_gets_no_default_ones() {
        let bench = bench(&[("a", None), ("b", None), ("c", None)]);
        let spec = json!({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname"}]});
        let own = with_meta(&web("new"), |p| p.spec = pod("p", spec).spec.clone());
        assert_eq!(bench.scores(NAME, &own), [0, 0, 0]);
    }
}
