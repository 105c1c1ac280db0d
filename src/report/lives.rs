//! What became of every pod and node of a recording, as spans of time.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Change, ChangeType};
use crate::kernel::SimTime;
use crate::objects::{
    Condition, ConditionStatus, Conditions, Key, Kind, Node, Object, Pod, PodPhase, ReplicaSet, Resource, Uid,
};
use crate::sim::{Record, Simulation};

/// A state that lasts from its instant to the next one's.
pub(super) type Spans<S> = Vec<(SimTime, S)>;

/// What a pod does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PodState {
    /// It has no node yet.
    Pending,
    /// It has one and is not ready.
    Waiting,
    Ready,
    Terminating,
    Succeeded,
    Failed,
}

impl PodState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "not ready",
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeState {
    Ready,
    Cordoned,
    /// Its kubelet says that it is not ready, or nobody has said anything yet.
    NotReady,
    /// Its kubelet has not been heard of for too long.
    Unknown,
}

impl NodeState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Cordoned => "cordoned",
            Self::NotReady => "not ready",
            Self::Unknown => "unknown",
        }
    }
}

/// The life of a pod.
#[derive(Clone, Debug)]
pub(super) struct PodLife {
    pub(super) key: Key,
    /// The workload that it belongs to: its controller, or the Deployment of that; nothing of naked pods.
    pub(super) workload: Option<(Kind, Key)>,
    /// Place in [`Lives::versions`].
    pub(super) version: u32,
    /// Empty if it never had one.
    pub(super) node: Arc<str>,
    pub(super) spans: Spans<PodState>,
    pub(super) gone: Option<SimTime>,
}

/// The life of a node.
#[derive(Clone, Debug)]
pub(super) struct NodeLife {
    pub(super) name: Arc<str>,
    pub(super) spans: Spans<NodeState>,
    pub(super) gone: Option<SimTime>,
}

/// Pods that were made from the same template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The ReplicaSet, or the revision.
    pub(super) name: Arc<str>,
    /// Images of its first pod.
    pub(super) images: String,
}

/// All of them, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    pub(super) pods: Vec<PodLife>,
    pub(super) nodes: Vec<NodeLife>,
    pub(super) versions: Vec<Version>,
    /// What Deployments and other workloads wanted, and the fewest available pods that they promised.
    pub(super) wanted: Vec<(Kind, Key, Spans<Wanted>)>,
    pods_by_uid: FxHashMap<Uid, usize>,
    nodes_by_uid: FxHashMap<Uid, usize>,
    versions_by_name: FxHashMap<(Key, Arc<str>), u32>,
    wanted_by_key: FxHashMap<(Kind, Key), usize>,
    /// The Deployment of each ReplicaSet.
    deployments: FxHashMap<Uid, Key>,
}

/// What a workload wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) replicas: u32,
    /// Replicas less `maxUnavailable`, of Deployments with rolling updates.
    pub(super) least_available: Option<u32>,
}

impl Lives {
    pub(super) fn of(sim: &Simulation) -> Self {
        let mut lives = Self::default();
        lives.first_nodes(sim);
        for record in sim.recording().records() {
            if let Record::Change(at, change) = record {
                lives.change(*at, change);
            }
        }
        lives
    }

    /// The machines of the beginning are no changes: each begins as its first change found it, or as it is to this day.
    fn first_nodes(&mut self, sim: &Simulation) {
        let mut first: Vec<Arc<Node>> = Vec::new();
        let mut met: FxHashSet<Uid> = FxHashSet::default();
        for record in sim.recording().records() {
            if let Record::Change(_, change) = record
                && let Object::Node(node) = &change.object
                && met.insert(node.meta.uid.clone())
                && let Some(Object::Node(before)) = &change.old
            {
                first.push(before.clone());
            }
        }
        first.extend(sim.view().nodes.iter().filter(|node| !met.contains(&node.meta.uid)).cloned());
        first.sort_by_cached_key(|node| (sim.view().nodes.id(&node.key()), node.meta.name.clone()));
        first.iter().for_each(|node| self.node(SimTime::ZERO, node, false));
    }

    fn change(&mut self, at: SimTime, change: &Change) {
        let is_gone = change.change_type == ChangeType::Deleted;
        match &change.object {
            Object::Pod(pod) => self.pod(at, pod, is_gone),
            Object::Node(node) => self.node(at, node, is_gone),
            Object::ReplicaSet(set) => self.replica_set(at, set, is_gone),
            Object::Deployment(deployment) => {
                let replicas = u32::try_from(deployment.spec.replicas).unwrap_or(0);
                let least = crate::invariants::least_available(deployment);
                let least_available = Some(u32::try_from(least).unwrap_or(0));
                self.want(at, Kind::Deployment, deployment.key(), Wanted { replicas, least_available }, is_gone);
            }
            Object::StatefulSet(set) => {
                let replicas = u32::try_from(set.spec.replicas).unwrap_or(0);
                self.want(at, Kind::StatefulSet, set.key(), Wanted { replicas, least_available: None }, is_gone);
            }
            Object::DaemonSet(set) => {
                let replicas = u32::try_from(set.status.desired_number_scheduled).unwrap_or(0);
                self.want(at, Kind::DaemonSet, set.key(), Wanted { replicas, least_available: None }, is_gone);
            }
            _ => {}
        }
    }

    fn replica_set(&mut self, at: SimTime, set: &ReplicaSet, is_gone: bool) {
        match set.meta.controller() {
            Some(owner) if *owner.kind == *"Deployment" => {
                let deployment = Key::new(set.meta.namespace.clone(), owner.name.clone());
                self.deployments.insert(set.meta.uid.clone(), deployment);
            }
            Some(_) => {}
            None => {
                let replicas = u32::try_from(set.spec.replicas).unwrap_or(0);
                self.want(at, Kind::ReplicaSet, set.key(), Wanted { replicas, least_available: None }, is_gone);
            }
        }
    }

    fn want(&mut self, at: SimTime, kind: Kind, key: Key, wanted: Wanted, is_gone: bool) {
        let wanted = if is_gone { Wanted::default() } else { wanted };
        let place = *self.wanted_by_key.entry((kind, key.clone())).or_insert_with(|| {
            self.wanted.push((kind, key, Vec::new()));
            self.wanted.len() - 1
        });
        push(&mut self.wanted[place].2, at, wanted);
    }

    fn pod(&mut self, at: SimTime, pod: &Pod, is_gone: bool) {
        let known = self.pods_by_uid.get(&pod.meta.uid).copied();
        let place = known.unwrap_or_else(|| {
            let life = self.born(pod);
            self.pods.push(life);
            self.pods_by_uid.insert(pod.meta.uid.clone(), self.pods.len() - 1);
            self.pods.len() - 1
        });
        let life = &mut self.pods[place];
        if life.node.is_empty() {
            life.node = pod.node_name.clone();
        }
        if is_gone {
            life.gone = Some(at);
        } else {
            push(&mut life.spans, at, state_of(pod));
        }
    }

    fn born(&mut self, pod: &Pod) -> PodLife {
        let namespace = &pod.meta.namespace;
        let owner = pod.meta.controller();
        let workload = owner.and_then(|owner| {
            if let Some(deployment) = self.deployments.get(&owner.uid) {
                return Some((Kind::Deployment, deployment.clone()));
            }
            Some((Kind::of(&owner.api_version, &owner.kind)?, Key::new(namespace.clone(), owner.name.clone())))
        });
        let revision = pod.meta.labels.get("controller-revision-hash").map(Arc::from);
        let version: Arc<str> = match (revision, owner) {
            (Some(revision), _) => revision,
            (None, Some(owner)) => owner.name.clone(),
            (None, None) => pod.meta.name.clone(),
        };
        let of = workload.as_ref().map_or_else(|| pod.key(), |(_, key)| key.clone());
        let number = *self.versions_by_name.entry((of, version.clone())).or_insert_with(|| {
            let mut images: Vec<&str> = pod.spec.containers.iter().map(|container| &*container.image).collect();
            images.dedup();
            self.versions.push(Version { name: version, images: images.join(", ") });
            u32::try_from(self.versions.len() - 1).unwrap_or(u32::MAX)
        });
        let (key, node) = (pod.key(), pod.node_name.clone());
        PodLife { key, workload, version: number, node, spans: Vec::new(), gone: None }
    }

    fn node(&mut self, at: SimTime, node: &Node, is_gone: bool) {
        let place = *self.nodes_by_uid.entry(node.meta.uid.clone()).or_insert_with(|| {
            self.nodes.push(NodeLife { name: node.meta.name.clone(), spans: Vec::new(), gone: None });
            self.nodes.len() - 1
        });
        let life = &mut self.nodes[place];
        if is_gone {
            life.gone = Some(at);
            return;
        }
        let conditions = &node.status.conditions;
        let state = match (conditions.is_true("Ready"), node.spec.unschedulable) {
            (true, false) => NodeState::Ready,
            (true, true) => NodeState::Cordoned,
            (false, _) if conditions.find("Ready").is_some_and(is_unknown) => NodeState::Unknown,
            (false, _) => NodeState::NotReady,
        };
        push(&mut life.spans, at, state);
    }
}

fn is_unknown(condition: &Condition) -> bool {
    condition.status == ConditionStatus::Unknown
}

fn state_of(pod: &Pod) -> PodState {
    match pod.status.phase {
        PodPhase::Succeeded => PodState::Succeeded,
        PodPhase::Failed => PodState::Failed,
        _ if pod.meta.is_deleting() => PodState::Terminating,
        _ if pod.node_name.is_empty() => PodState::Pending,
        _ if pod.is_ready() => PodState::Ready,
        _ => PodState::Waiting,
    }
}

/// Begins a span, if the state is another than before.
fn push<S: PartialEq>(spans: &mut Spans<S>, at: SimTime, state: S) {
    match spans.last_mut() {
        Some((_, last)) if *last == state => {}
        Some((since, last)) if *since == at => *last = state,
        _ => spans.push((at, state)),
    }
}

/// The spans with their ends.
pub(super) fn closed<S: Copy>(spans: &Spans<S>, end: SimTime) -> impl Iterator<Item = (SimTime, SimTime, S)> + '_ {
    let ends = spans.iter().skip(1).map(|(at, _)| *at).chain([end]);
    spans.iter().zip(ends).map(|((from, state), to)| (*from, to, *state)).filter(|(from, to, _)| from < to)
}
