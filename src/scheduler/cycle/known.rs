//! What plugins said of nodes that have not changed since, to pods that ask for the same: it is not asked again.
//!
//! Only what [`Local`](crate::scheduler::framework::Local) plugins say is remembered: that depends on the node with its pods,
//! and on what a pod asks of a node ([`asks_the_same`]).

use std::sync::Arc;

use crate::objects::{Pod, PodSpec};
use crate::scheduler::cache::{Cache, CpuMemory, HostPort, NodeId};
use crate::scheduler::framework::{Code, Refusal, Registry};

use super::Cycle;

/// For how many nodes something is remembered, over all groups of pods that ask for the same.
const NODES_MAX: usize = 100_000;
const GROUPS_MIN: usize = 4;
const GROUPS_MAX: usize = 64;

/// Answers by what pods ask for, the last used first. A clone begins anew.
#[derive(Debug, Default)]
pub(super) struct Known(Vec<Answers>);

impl Clone for Known {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Answers to pods that ask for the same.
#[derive(Debug)]
pub(super) struct Answers {
    spec: Arc<PodSpec>,
    /// The plugins that filter before any that is not local.
    filters: Vec<u8>,
    scorers: Vec<u8>,
    nodes: Vec<Answer>,
    /// For each scorer the points of each node.
    points: Vec<Vec<i64>>,
}

/// What is known of a node.
#[derive(Clone, Copy, Debug, Default)]
struct Answer {
    /// State of the node of which it is true; 0 = nothing is known.
    state: u64,
    refused: Option<(u8, Code)>,
}

/// Whether all that local plugins see of two pods is equal.
fn asks_the_same(one: &Arc<PodSpec>, other: &Arc<PodSpec>) -> bool {
    Arc::ptr_eq(one, other)
        || one.requests == other.requests
            && one.tolerations == other.tolerations
            && one.node_selector == other.node_selector
            && one.affinity.node_affinity == other.affinity.node_affinity
            && CpuMemory::scored_of(one) == CpuMemory::scored_of(other)
            && HostPort::of(one).eq(HostPort::of(other))
}

impl Known {
    /// The answers for a pod, to be handed back; nothing if the pod belongs to a node of its own.
    pub(super) fn take(&mut self, registry: &Registry, pod: &Pod, cache: &Cache, filtering: &[u8]) -> Option<Answers> {
        if !pod.pinned_to.is_empty() {
            return None;
        }
        let local = filtering.iter().take_while(|plugin| registry.slot(**plugin).local().filter).count();
        let filters = &filtering[..local];
        let found = self.0.iter().position(|known| known.filters == filters && asks_the_same(&known.spec, &pod.spec));
        let mut answers = match found {
            Some(at) => self.0.remove(at),
            None => Answers::new(registry, pod, filters),
        };
        answers.nodes.resize(cache.node_count(), Answer::default());
        answers.points.iter_mut().for_each(|points| points.resize(cache.node_count(), 0));
        Some(answers)
    }

    pub(super) fn give_back(&mut self, answers: Answers) {
        let groups = (NODES_MAX / answers.nodes.len().max(1)).clamp(GROUPS_MIN, GROUPS_MAX);
        self.0.truncate(groups - 1);
        self.0.insert(0, answers);
    }
}

impl Answers {
    fn new(registry: &Registry, pod: &Pod, filters: &[u8]) -> Self {
        let scorers: Vec<u8> =
            registry.slots().filter(|(_, slot)| slot.weight() > 0 && slot.local().score).map(|(at, _)| at).collect();
        Self {
            spec: pod.spec.clone(),
            filters: filters.to_vec(),
            points: vec![Vec::new(); scorers.len()],
            scorers,
            nodes: Vec::new(),
        }
    }

    /// How many of the plugins that filter have answered here.
    pub(super) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Drops the nodes that do not pass, and tells of each: plugin by plugin, as if each plugin had looked at all nodes before
    /// the next did.
    pub(super) fn filter_all(
        &mut self,
        registry: &Registry,
        cycle: &Cycle<'_>,
        nodes: &mut Vec<NodeId>,
        refused: &mut Vec<Refusal>,
    ) {
        let before = refused.len();
        nodes.retain(|&node| {
            let state = cycle.cache.state(node);
            if self.nodes[node.index()].state != state {
                self.ask(registry, cycle, node, state);
            }
            let Some((plugin, code)) = self.nodes[node.index()].refused else { return true };
            refused.push(Refusal { node, plugin, code });
            false
        });
        refused[before..].sort_by_key(|refusal| refusal.plugin);
    }

    fn ask(&mut self, registry: &Registry, cycle: &Cycle<'_>, id: NodeId, state: u64) {
        let node = cycle.cache.node(id);
        let mut codes = self.filters.iter().map(|plugin| (*plugin, registry.slot(*plugin).filter(cycle, node)));
        let refused = codes.find(|(_, code)| *code != Code::Success);
        self.nodes[id.index()] = Answer { state, refused };
        if refused.is_none() {
            for (plugin, points) in self.scorers.iter().zip(&mut self.points) {
                points[id.index()] = registry.slot(*plugin).score(cycle, node);
            }
        }
    }

    /// The points that a plugin gives to nodes that passed, before they are normalized; says no if it is not local.
    pub(super) fn points(&self, plugin: u8, nodes: &[NodeId], scores: &mut Vec<i64>) -> bool {
        let Some(at) = self.scorers.iter().position(|scorer| *scorer == plugin) else { return false };
        scores.clear();
        let points = &self.points[at];
        scores.extend(nodes.iter().map(|node| points[node.index()]));
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Runner, Verdict};
    use super::*;
    use crate::kernel::{Purpose, Stream, Streams};
    use crate::objects::Node;
    use crate::scheduler::testing::{Bench, bound, node, pod};

    const DRAWS: Purpose = Purpose::new(0x7e57_0001);

    fn one_of<'a, T>(luck: &mut Stream, choices: &'a [T]) -> &'a T {
        &choices[luck.below(choices.len() as u64) as usize]
    }

    fn random_node(luck: &mut Stream, name: &str) -> Arc<Node> {
        let taint = |effect: &str| json!([{"key": "k", "value": "v", "effect": effect}]);
        let taints = [json!([]), json!([]), taint("NoSchedule"), taint("PreferNoSchedule"), taint("NoExecute")];
        node(
            name,
            json!({
                "metadata": {"labels": {"disk": one_of(luck, &["ssd", "hdd"])}},
                "spec": {"taints": one_of(luck, &taints), "unschedulable": luck.below(8) == 0},
                "status": {"allocatable": {"cpu": one_of(luck, &["1", "2", "8"]), "pods": one_of(luck, &["3", "110"])}},
            }),
        )
    }

    fn random_spec(luck: &mut Stream) -> Value {
        let requests = json!({"cpu": one_of(luck, &["100m", "700m"]), "memory": one_of(luck, &["1Gi", "5Gi"])});
        let ports = if luck.below(4) == 0 { json!([{"containerPort": 80, "hostPort": 80}]) } else { json!([]) };
        let preferred = json!([{"weight": 5, "preference": {"matchExpressions": [
            {"key": "disk", "operator": "In", "values": ["ssd"]}]}}]);
        let affinity =
            [json!({}), json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})];
        json!({
            "containers": [{"name": "c", "resources": {"requests": requests}, "ports": ports}],
            "tolerations": one_of(luck, &[json!([]), json!([{"key": "k", "operator": "Exists"}])]),
            "nodeSelector": one_of(luck, &[json!({}), json!({"disk": "ssd"})]),
            "affinity": one_of(luck, &affinity),
        })
    }

    /// What a cycle with a memory found is what one without says of every node.
    fn check(bench: &Bench, runner: &mut Runner, pod: &Pod) -> Option<NodeId> {
        let mut cache = bench.cache.clone();
        cache.prepare(pod);
        let cycle = Cycle::new(pod, &bench.view, &cache);
        let found = runner.run(&mut Registry::default(), &cycle);
        let explained = Runner::default().explain(&mut Registry::default(), &cycle);
        for (name, verdict) in &explained.nodes {
            let id = cache.id(name).unwrap();
            let at = runner.feasible.iter().position(|node| *node == id);
            match verdict {
                Verdict::Feasible { total, .. } => {
                    let at = at.unwrap();
                    assert!(runner.feasible.len() == 1 || runner.totals[at] == *total, "{name}");
                }
                Verdict::Refused { code, plugin, .. } => {
                    assert_eq!(at, None);
                    let refusal = runner.refused.iter().find(|refusal| refusal.node == id).unwrap();
                    let by = Registry::default().slot(refusal.plugin).name();
                    assert_eq!((refusal.code, Some(by)), (*code, *plugin), "{name}");
                }
            }
        }
        assert!(runner.refused.is_sorted_by_key(|refusal| refusal.plugin));
        assert_eq!(found.as_ref().err().map(|failure| failure.message.clone()), explained.message);
        found.ok()
    }

    #[test]
    fn what_is_known_is_what_would_be_said_anew() {
        for seed in 0..30 {
            let luck = &mut Streams::new(seed).stream(DRAWS, "known");
            let (mut bench, mut runner, mut on_nodes) = (Bench::default(), Runner::default(), Vec::new());
            (0..9).for_each(|number| bench.add(random_node(luck, &format!("n{number}"))));
            for number in 0..60 {
                match luck.below(8) {
                    0 => {
                        let name = format!("n{}", luck.below(9));
                        bench.add(random_node(luck, &name));
                    }
                    1 if !on_nodes.is_empty() => {
                        let gone: Arc<Pod> = on_nodes.swap_remove(luck.below(on_nodes.len() as u64) as usize);
                        bench.cache.remove_pod(&gone.meta.uid);
                    }
                    2 => {
                        let name = format!("n{}", luck.below(9));
                        let node = bench.view.nodes.get(&crate::objects::Key::new("", name)).unwrap().clone();
                        bench.cache.remove_node(&node);
                        bench.add(random_node(luck, &node.meta.name));
                    }
                    _ => {
                        let new = pod(&format!("p{number}"), random_spec(luck));
                        if let Some(node) = check(&bench, &mut runner, &new) {
                            let new = bound(&new, bench.cache.node(node).name());
                            bench.cache.set_pod(&new);
                            on_nodes.push(new);
                        }
                    }
                }
            }
            assert!(runner.known.0.len() > 8, "{}", runner.known.0.len());
        }
    }
}
