//! The node lifecycle controller: notices that a node is lost and lets that have its consequences (upstream
//! `pkg/controller/nodelifecycle`).
//!
//! Upstream looks at every node every 5 s. Here a node is looked at only at those of these instants at which the look
//! can matter: after a change of the node, and when its last sign of life has become too old. A renewed lease costs
//! one look-up.

mod health;
mod monitor;
mod status;
mod taints;
#[cfg(test)]
mod tests;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{
    Change, ChangeType, Context, Enqueue, EventKind, EventSpec, KindSet, MetaPatch, Part, Reconciler, Request,
    Response, Step, Then, View,
};
use crate::kernel::SimDuration;
use crate::objects::{
    ConditionStatus, Conditions, Key, Kind, Lease, Node, Object, ObjectReference, Pod, Resource, WallTime,
};

use super::grid::{Grid, until};
use health::Health;
use monitor::Pass;
use taints::TaintWrites;
use zones::Zones;

/// Namespace of the nodes' leases.
const NODE_LEASES: &str = "kube-node-lease";

/// Namespace part of the monitor's key, which no object can have. Keys of nodes have none, keys of pods have theirs.
const MONITOR: &str = "<monitor>";

/// Labels that follow another one.
const FOLLOWING_LABELS: [(&str, &str); 2] =
    [("kubernetes.io/os", "beta.kubernetes.io/os"), ("kubernetes.io/arch", "beta.kubernetes.io/arch")];

/// Settings of kube-controller-manager for nodes; the default is that of Kubernetes 1.36.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLifecycleConfig {
    /// Time between two looks at the nodes (`--node-monitor-period`, 5 s).
    pub monitor_period: SimDuration,
    /// Silence after which a node is lost (`--node-monitor-grace-period`, 50 s).
    pub monitor_grace_period: SimDuration,
    /// The same for a node that never spoke (`--node-startup-grace-period`, 60 s).
    pub startup_grace_period: SimDuration,
    /// Time between two nodes of a zone that are emptied (10 s; inverse of `--node-eviction-rate`).
    pub eviction_interval: SimDuration,
    /// The same in a large zone with many lost nodes (100 s; inverse of `--secondary-node-eviction-rate`).
    pub secondary_eviction_interval: SimDuration,
    /// Nodes above which a zone is large (`--large-cluster-size-threshold`, 50).
    pub large_cluster_size: usize,
    /// Percentage of lost nodes from which a zone has many (`--unhealthy-zone-threshold`, 55).
    pub unhealthy_zone_percent: u8,
}

impl Default for NodeLifecycleConfig {
    fn default() -> Self {
        Self {
            monitor_period: SimDuration::from_secs(5),
            monitor_grace_period: SimDuration::from_secs(50),
            startup_grace_period: SimDuration::from_secs(60),
            eviction_interval: SimDuration::from_secs(10),
            secondary_eviction_interval: SimDuration::from_secs(100),
            large_cluster_size: 50,
            unhealthy_zone_percent: 55,
        }
    }
}

/// Watches the nodes' signs of life; marks, taints and reports those that are lost.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::NodeLifecycleController;
/// assert_eq!(NodeLifecycleController::default().name(), "node-controller");
/// ```
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycleController {
    config: NodeLifecycleConfig,
    /// Phase of the loops, once the first change came.
    grid: Option<Grid>,
    /// Last instant of the monitor that is over.
    last_tick: Option<WallTime>,
    /// Next time for which a sync of the monitor is asked.
    armed: Option<WallTime>,
    nodes: FxHashMap<Arc<str>, Health>,
    /// When which node is to be looked at.
    looks: BTreeSet<(WallTime, Arc<str>)>,
    /// Announced nodes that are gone, and when that is said.
    gone: BTreeMap<Arc<str>, (WallTime, ObjectReference)>,
    zones: Zones,
    /// Whether the zones must be judged again.
    zones_changed: bool,
    /// Syncs of the monitor in a row in which something could not be written.
    failures: u32,
    /// No sign of life is older: the end of the last disruption of everything.
    signs_not_before: Option<WallTime>,
}

/// What a sync remembers between two of its steps.
#[derive(Clone, Debug)]
pub struct SyncState(Stage);

#[derive(Clone, Debug)]
enum Stage {
    /// A run of the monitor.
    Monitor(Box<Pass>),
    /// `NoExecute` taints of queued nodes.
    NoExecute(Vec<TaintWrites>, Vec<usize>),
    /// `NoSchedule` taints of one node.
    NoSchedule(Box<TaintWrites>),
    /// Readiness of a pod that was put on a lost node.
    Pod(Arc<Pod>),
}

impl NodeLifecycleController {
    /// A controller with other settings than the default ones. A monitor period below a millisecond counts as one.
    #[must_use]
    pub fn new(mut config: NodeLifecycleConfig) -> Self {
        config.monitor_period = config.monitor_period.max(SimDuration::from_millis(1));
        Self { config, ..Self::default() }
    }

    fn grid(&self, now: WallTime) -> Grid {
        self.grid.unwrap_or(Grid::starting_at(now))
    }

    /// The next run of the monitor that sees what happens now.
    fn next_tick(&self, now: WallTime) -> WallTime {
        let (grid, period) = (self.grid(now), self.config.monitor_period);
        let tick = grid.at_or_after(now, period);
        if self.last_tick.is_some_and(|last| last >= tick) { grid.after(tick, period) } else { tick }
    }

    /// Looks at a node not later than at `at`.
    fn look(&mut self, name: &Arc<str>, at: WallTime) {
        let Some(health) = self.nodes.get_mut(name) else { return };
        if health.look_at.is_some_and(|look| look <= at) {
            return;
        }
        if let Some(later) = health.look_at.replace(at) {
            self.looks.remove(&(later, Arc::clone(name)));
        }
        self.looks.insert((at, Arc::clone(name)));
    }

    /// When the monitor has something to do.
    fn wake(&self, now: WallTime) -> Option<WallTime> {
        let look = self.looks.first().map(|(at, _)| *at);
        let farewell = self.gone.values().map(|(at, _)| *at).min();
        [look, farewell, self.zones.due(self.grid(now))].into_iter().flatten().min()
    }

    /// Asks for a sync of the monitor if it has something to do earlier than it knew.
    fn arm(&mut self, now: WallTime, queue: &mut Enqueue) {
        let Some(wake) = self.wake(now) else { return };
        if self.armed.is_none_or(|armed| wake < armed) {
            self.armed = Some(wake);
            queue.add_after(Key::new(MONITOR, ""), until(wake, now));
        }
    }

    fn lease_changed(&mut self, lease: &Lease, now: WallTime) {
        let tick = self.next_tick(now);
        if *lease.meta.namespace == *NODE_LEASES
            && let Some(health) = self.nodes.get_mut(&lease.meta.name)
        {
            health.lease(lease.renew_time, tick);
        }
    }

    fn node_changed(&mut self, view: &View, change: ChangeType, old: Option<&Arc<Node>>, node: &Node, now: WallTime) {
        let tick = self.next_tick(now);
        if change == ChangeType::Deleted {
            self.node_deleted(node, tick);
        } else if let Some(old) = old.filter(|_| self.nodes.contains_key(&node.meta.name)) {
            self.node_modified(old, node, tick);
        } else {
            self.node_added(view, node, tick);
        }
    }

    fn node_added(&mut self, view: &View, node: &Node, tick: WallTime) {
        let name = &node.meta.name;
        let mut health = Health::new(node, tick);
        health.registered = self.gone.remove(name).is_some();
        if let Some(lease) = view.leases.get(&Key::new(NODE_LEASES, Arc::clone(name))) {
            health.lease(lease.renew_time, tick);
        }
        self.nodes.insert(Arc::clone(name), health);
        self.zones_changed = true;
        self.look(name, tick);
    }

    fn node_modified(&mut self, old: &Node, node: &Node, tick: WallTime) {
        let name = &node.meta.name;
        let Some(health) = self.nodes.get_mut(name) else { return };
        let heartbeat = |node: &Node| node.status.conditions.find("Ready").map(|ready| ready.last_heartbeat_time);
        if heartbeat(old) != heartbeat(node) {
            health.heartbeat(tick);
        }
        let relabelled = old.meta.labels != node.meta.labels;
        let before = Arc::clone(&health.zone);
        if relabelled && health.relabel(node) {
            health.marked = false;
            self.zones.remove(&before, name);
        }
        let turned = taints::ready(old) != taints::ready(node);
        self.zones_changed |= turned || relabelled;
        if turned || relabelled || old.spec.taints != node.spec.taints {
            self.look(name, tick);
        }
    }

    fn node_deleted(&mut self, node: &Node, tick: WallTime) {
        let name = &node.meta.name;
        let Some(health) = self.nodes.remove(name) else { return };
        if let Some(at) = health.look_at {
            self.looks.remove(&(at, Arc::clone(name)));
        }
        if health.registered {
            self.gone.insert(Arc::clone(name), (tick, ObjectReference::to(Kind::Node, &node.meta)));
        }
        self.zones.remove(&health.zone, name);
        self.zones_changed = true;
    }

    /// Whether a pod was just put on a node that is not ready.
    fn is_misplaced(&self, view: &View, old: Option<&Arc<Pod>>, pod: &Pod) -> bool {
        pod.is_bound()
            && old.is_none_or(|old| old.node_name != pod.node_name)
            && lost_node(view, pod).is_some_and(|node| self.nodes.contains_key(&node.meta.name))
    }

    /// Upstream `doNodeProcessingPassWorker`.
    fn sync_node(&self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let Some(node) = cx.view.nodes.get(key) else { return Step::done() };
        let writes = TaintWrites::new(Arc::clone(node), taints::no_schedule_edits(node));
        write_no_schedule(cx, Box::new(writes))
    }

    /// Upstream `processPod`.
    fn sync_pod(cx: Context<'_>, key: &Key) -> Step<SyncState> {
        let now = cx.now.timestamp();
        let pod = cx.view.pods.get(key).filter(|pod| lost_node(cx.view, pod).is_some());
        let Some(pod) = pod.and_then(|pod| status::not_ready(pod, now)) else { return Step::done() };
        let pod = Arc::new(pod);
        let write = Request::Update(Object::Pod(Arc::clone(&pod)), Part::Status);
        Step::call(vec![write], SyncState(Stage::Pod(pod)))
    }
}

impl Reconciler for NodeLifecycleController {
    type State = SyncState;

    fn name(&self) -> &'static str {
        "node-controller"
    }

    fn is_background(&self) -> bool {
        true
    }

    /// The first change of a run, which sets the phase, is that of a namespace.
    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Lease, Kind::Node, Kind::Pod, Kind::Namespace])
    }

    fn on_change(&mut self, view: &View, change: &Change, now: WallTime, queue: &mut Enqueue) {
        self.grid.get_or_insert(Grid::starting_at(now));
        if let Some((_, lease)) = change.of::<Lease>() {
            self.lease_changed(lease, now);
        } else if let Some((old, node)) = change.of::<Node>() {
            self.node_changed(view, change.change_type, old, node, now);
            if change.change_type != ChangeType::Deleted && is_mislabelled_or_mistainted(node) {
                queue.add(node.key());
            }
            self.arm(now, queue);
        } else if let Some((old, pod)) = change.of::<Pod>()
            && change.change_type != ChangeType::Deleted
            && self.is_misplaced(view, old, pod)
        {
            queue.add(pod.key());
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<SyncState> {
        match &*key.namespace {
            MONITOR => self.sync_monitor(cx),
            "" => self.sync_node(cx, key),
            _ => Self::sync_pod(cx, key),
        }
    }

    fn resume(&mut self, cx: Context<'_>, _: &Key, state: SyncState, responses: Vec<Response>) -> Step<SyncState> {
        match state.0 {
            Stage::Monitor(pass) => self.resume_pass(cx, pass, responses),
            Stage::NoExecute(writes, asked) => self.resume_no_execute(cx, writes, &asked, responses),
            Stage::NoSchedule(mut writes) => {
                responses.into_iter().for_each(|response| writes.answered(response));
                write_no_schedule(cx, writes)
            }
            Stage::Pod(pod) => pod_marked(&pod, responses),
        }
    }
}

fn node_key(name: Arc<str>) -> Key {
    Key { namespace: Arc::default(), name }
}

/// The node of a pod, if it is known not to be ready.
fn lost_node<'a>(view: &'a View, pod: &Pod) -> Option<&'a Arc<Node>> {
    let node = view.nodes.get(&node_key(Arc::clone(&pod.node_name)))?;
    taints::ready(node).is_some_and(|ready| ready != ConditionStatus::True).then_some(node)
}

fn is_mislabelled_or_mistainted(node: &Node) -> bool {
    !taints::no_schedule_edits(node).is_empty() || stale_labels(node).next().is_some()
}

/// Labels that must change to follow another one (upstream `reconcileNodeLabels`).
fn stale_labels(node: &Node) -> impl Iterator<Item = (&'static str, &str)> {
    let labels = &node.meta.labels;
    let followed = FOLLOWING_LABELS.iter().filter_map(|(from, to)| Some((*to, labels.get(from)?)));
    followed.filter(|(to, value)| labels.get(to) != Some(value))
}

/// Writes the `NoSchedule` taints of a node, then its labels.
fn write_no_schedule(cx: Context<'_>, mut writes: Box<TaintWrites>) -> Step<SyncState> {
    if let Some(request) = writes.next_request(cx.now.timestamp()) {
        return Step::call(vec![request], SyncState(Stage::NoSchedule(writes)));
    }
    if writes.failed() {
        return Step::retry("failed to swap taints of the node");
    }
    let node = &writes.node;
    let labels: Vec<_> = stale_labels(node).map(|(label, value)| (label.into(), Some(value.into()))).collect();
    if labels.is_empty() {
        return Step::done();
    }
    let patch = MetaPatch { labels, ..MetaPatch::default() };
    Step::last(vec![Request::PatchMeta { kind: Kind::Node, key: node.key(), uid: node.meta.uid.clone(), patch }])
}

fn pod_marked(pod: &Arc<Pod>, responses: Vec<Response>) -> Step<SyncState> {
    match responses.into_iter().next() {
        Some(Err(error)) if error.is_not_found() => Step::done(),
        Some(Err(error)) => {
            Step { requests: vec![pod_event(pod)], then: Then::Retry(format!("unable to mark the pod: {error}")) }
        }
        _ => Step::last(vec![pod_event(pod)]),
    }
}

fn pod_event(pod: &Arc<Pod>) -> Request {
    let about = Object::Pod(Arc::clone(pod));
    Request::Event(EventSpec::about(&about, EventKind::Warning, "NodeNotReady", "Node is not ready"))
}

fn node_event(about: ObjectReference, reason: &'static str, message: String) -> Request {
    Request::Event(EventSpec { about, kind: EventKind::Normal, reason: reason.into(), message: message.into() })
}
