//! The cluster autoscaler: adds machines for pods that find no room, and takes machines away that are hardly used (upstream
//! `kubernetes/autoscaler`, as its FAQ and its sources of 1.36 have it).
//!
//! - [`Autoscaler::scan`] looks at the cluster once and says what to do; whoever runs it makes the machines, tells it of them, and
//!   carries a [`Removal`] on step by step.
//! - `snapshot`: a copy of the cluster in which pods and machines are moved about, with the scheduler's own filters.
//! - `scale_up`: which group to grow for the pods that wait; `expander`: the choice between several.
//! - `scale_down`: which machines are not needed; `drainability`: pods that keep theirs from going; `removal`: how one goes.
//!
//! It never moves a running pod and never preempts. What it leaves out, and says so: balancing of similar groups, priorities in a
//! ConfigMap, machines that never register (they come, late), the status ConfigMap itself, eviction of daemon pods.

mod drainability;
mod expander;
mod group;
mod removal;
mod scale_down;
mod scale_up;
mod snapshot;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{EventKind, EventSpec, Request, View};
use crate::kernel::{SimDuration, Stream};
use crate::objects::{Conditions, Key, Node, ObjectReference, Pod, Text, WallTime};
use crate::scheduler::Registry;

pub use drainability::{Blocker, blocker};
pub use expander::Expander;
pub use group::Group;
pub use removal::{Next, Removal};

use snapshot::Snapshot;

/// Taint of a machine that is about to go.
pub const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";
/// Taint of a machine that is not needed and may go soon.
pub const DELETION_CANDIDATE: &str = "DeletionCandidateOfClusterAutoscaler";
/// Annotation of a node that keeps it, if `"true"`.
pub const SCALE_DOWN_DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

/// Flags of the cluster autoscaler, with upstream's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoscalerOptions {
    /// `--scan-interval`.
    pub scan_interval: SimDuration,
    /// `--expander`.
    pub expander: Expander,
    /// `--scale-down-enabled`.
    pub scale_down_enabled: bool,
    /// `--scale-down-unneeded-time`: how long a machine must not be needed before it goes.
    pub scale_down_unneeded_time: SimDuration,
    /// `--scale-down-unready-time`: the same of a machine that is not ready.
    pub scale_down_unready_time: SimDuration,
    /// `--scale-down-delay-after-add`: how long after a scale-up none goes.
    pub scale_down_delay_after_add: SimDuration,
    /// `--scale-down-delay-after-failure`.
    pub scale_down_delay_after_failure: SimDuration,
    /// `--scale-down-utilization-threshold` in thousandths: a machine is hardly used if the pods on it request less of its cpu and
    /// of its memory.
    pub utilization_threshold_milli: u32,
    /// `--max-node-provision-time`: a machine that takes longer is given up.
    pub max_node_provision_time: SimDuration,
    /// `--max-nodes-total`, all nodes of the cluster counted; 0 = no bound.
    pub max_nodes_total: u32,
    /// `--max-graceful-termination-sec`, in seconds: the most that evicted pods get.
    pub max_graceful_termination_seconds: i64,
    /// `--skip-nodes-with-local-storage`: pods with such volumes keep their machine.
    pub skip_nodes_with_local_storage: bool,
    /// `--skip-nodes-with-system-pods`: pods of `kube-system` without a budget keep theirs.
    pub skip_nodes_with_system_pods: bool,
}

impl Default for AutoscalerOptions {
    fn default() -> Self {
        Self {
            scan_interval: SimDuration::from_secs(10),
            expander: Expander::LeastWaste,
            scale_down_enabled: true,
            scale_down_unneeded_time: SimDuration::from_mins(10),
            scale_down_unready_time: SimDuration::from_mins(20),
            scale_down_delay_after_add: SimDuration::from_mins(10),
            scale_down_delay_after_failure: SimDuration::from_mins(3),
            utilization_threshold_milli: 500,
            max_node_provision_time: SimDuration::from_mins(15),
            max_nodes_total: 0,
            max_graceful_termination_seconds: 600,
            skip_nodes_with_local_storage: true,
            skip_nodes_with_system_pods: true,
        }
    }
}

/// What one scan decides.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Taints and Events, in this order.
    pub requests: Vec<Request>,
    /// The group that grows, by its place, and by how many machines.
    pub grow: Option<(usize, u32)>,
    /// Machines that are to go.
    pub remove: Vec<Removal>,
}

/// The cluster autoscaler, as far as it remembers anything.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    options: AutoscalerOptions,
    groups: Vec<Group>,
    luck: Stream,
    /// Machines that are not needed, and since when.
    unneeded: BTreeMap<Arc<str>, WallTime>,
    /// Machines on their way out.
    leaving: BTreeMap<Arc<str>, bool>,
    last_scale_up: Option<WallTime>,
    last_failure: Option<WallTime>,
}

impl Autoscaler {
    /// An autoscaler of these groups; `luck` decides where its expander leaves a choice.
    #[must_use]
    pub const fn new(options: AutoscalerOptions, groups: Vec<Group>, luck: Stream) -> Self {
        let unneeded = BTreeMap::new();
        let leaving = BTreeMap::new();
        Self { options, groups, luck, unneeded, leaving, last_scale_up: None, last_failure: None }
    }

    /// Flags.
    #[must_use]
    pub const fn options(&self) -> &AutoscalerOptions {
        &self.options
    }

    /// Groups.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A machine of that group was asked for.
    pub fn asked_for(&mut self, group: usize, node: Arc<str>, now: WallTime) {
        if let Some(group) = self.groups.get_mut(group) {
            group.ask_for(node, now);
        }
    }

    /// A machine of that group is there from the start.
    pub fn adopt(&mut self, group: usize, node: Arc<str>) {
        if let Some(group) = self.groups.get_mut(group) {
            group.adopt(node);
        }
    }

    /// Whether that machine is still wanted: it may have been given up.
    #[must_use]
    pub fn expects(&self, group: usize, node: &str) -> bool {
        self.groups.get(group).is_some_and(|group| group.expects(node))
    }

    /// Whether a machine counts its time to go: something will happen.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.options.scale_down_enabled && !self.unneeded.is_empty()
    }

    /// A removal is over: the machine is gone, or stays because its pods could not be evicted.
    pub fn removed(&mut self, node: &str, now: WallTime, failed: bool) {
        self.leaving.remove(node);
        self.unneeded.remove(node);
        if failed {
            self.last_failure = Some(now);
        } else {
            self.groups.iter_mut().for_each(|group| group.forget(node));
        }
    }

    /// Looks at the cluster: grows a group if pods wait that fit nowhere, else sees which machines are not needed. Whether pods
    /// fit is decided by these plugins of the scheduler.
    pub fn scan(&mut self, plugins: &Registry, view: &View, now: WallTime) -> Plan {
        let mut plan = Plan::default();
        self.refresh(view, now, &mut plan);
        if !view.pods.iter().any(|pod| scale_up::waits(pod)) && !self.has_candidates(view) {
            self.unneeded.clear();
            self.mark_candidates(view, now, &mut plan);
            return plan;
        }
        let mut cluster = Snapshot::new(plugins, view, now);
        self.add_upcoming(&mut cluster);
        let waiting = scale_up::unplaced(&mut cluster, view);
        if !waiting.is_empty() && self.scale_up(&cluster, view, &waiting, now, &mut plan) {
            return plan;
        }
        if self.options.scale_down_enabled {
            self.scale_down(cluster, view, now, &mut plan);
        }
        plan
    }

    /// Takes in which machines have come and which are gone, and gives those up that take too long.
    fn refresh(&mut self, view: &View, now: WallTime, plan: &mut Plan) {
        let limit = self.options.max_node_provision_time;
        for group in &mut self.groups {
            let late = group.refresh(view, now, limit);
            if late > 0 {
                let message = format!("Nodes added to group {} failed to register within {limit}", group.name());
                plan.requests.push(status_event(EventKind::Warning, "ScaleUpTimedOut", message));
            }
        }
    }

    /// Puts the machines that are on their way into the picture, as they will be.
    fn add_upcoming(&self, cluster: &mut Snapshot) {
        for group in &self.groups {
            for name in group.upcoming() {
                cluster.add_machine(group.template(), name);
            }
        }
    }
}

/// Whether pods may come to a node.
fn is_ready(node: &Node) -> bool {
    let starting = node.spec.taints.iter().any(|taint| *taint.key == *"node.kubernetes.io/not-ready");
    node.status.conditions.is_true("Ready") && !starting
}

fn has_taint(node: &Node, key: &str) -> bool {
    node.spec.taints.iter().any(|taint| *taint.key == *key)
}

/// From an instant to now.
fn elapsed(since: WallTime, now: WallTime) -> SimDuration {
    SimDuration::from_nanos(u64::try_from(now.nanos_since(since)).unwrap_or(0))
}

fn event(about: ObjectReference, kind: EventKind, reason: &'static str, message: impl Into<Text>) -> Request {
    Request::Event(EventSpec { about, kind, reason: Text::Static(reason), message: message.into() })
}

/// An Event about the ConfigMap in which upstream keeps its status.
fn status_event(kind: EventKind, reason: &'static str, message: String) -> Request {
    let about = ObjectReference {
        kind: "ConfigMap".into(),
        api_version: "v1".into(),
        namespace: "kube-system".into(),
        name: "cluster-autoscaler-status".into(),
        ..ObjectReference::default()
    };
    event(about, kind, reason, message)
}

fn node_of<'a>(view: &'a View, name: &str) -> Option<&'a Arc<Node>> {
    view.nodes.get(&Key::new("", name))
}

fn is_daemon(pod: &Pod) -> bool {
    pod.meta.controller().is_some_and(|owner| &*owner.kind == "DaemonSet")
}

fn is_mirror(pod: &Pod) -> bool {
    pod.meta.annotations.get("kubernetes.io/config.mirror").is_some()
}
