//! What a plugin is, and the registry of plugins that makes up the scheduler's profile.

use std::fmt;
use std::sync::Arc;

use crate::api::Request;
use crate::objects::{Pod, Text};

use super::cache::{NodeId, NodeInfo};
use super::cycle::Cycle;
use super::event::{Actions, ClusterEvent};
use super::plugins;

/// Whether a pod may go to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// It may.
    Success,
    /// It may not; it might if other pods left.
    Unschedulable,
    /// It may not, and it would not help if other pods left.
    UnschedulableAndUnresolvable,
}

/// What a plugin makes of a pod before it looks at nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreFilter {
    /// Ask [`Plugin::filter`] about each node.
    Filter,
    /// The plugin has nothing to say about this pod.
    Skip,
    /// As [`PreFilter::Filter`], and only these nodes come into question.
    Only(Vec<Arc<str>>),
    /// No node will do.
    Reject(Code, Text),
}

/// Whether a plugin gives points for this pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreScore {
    /// Ask [`Plugin::score`] about each node.
    Score,
    /// The plugin gives no points.
    Skip,
}

/// Whether an event may let a pod in that the plugin had rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It may: try the pod again.
    Queue,
    /// It does not.
    Skip,
}

/// A plugin of the scheduler. Each method is an extension point of upstream's scheduling framework; all but the name
/// have a default that changes nothing.
///
/// ```
/// use seatrial::scheduler::{Code, Cycle, NodeInfo, Plugin, Registry, Scheduler};
/// use seatrial::objects::Text;
///
/// /// Keeps pods off nodes that are labelled `maintenance`.
/// #[derive(Debug)]
/// struct Maintenance;
///
/// impl Plugin for Maintenance {
///     type State = ();
///     fn name(&self) -> &'static str {
///         "Maintenance"
///     }
///     fn filter(&self, _: &Cycle<'_>, _: &(), node: &NodeInfo) -> Code {
///         let closed = node.node().meta.labels.contains_key("maintenance");
///         if closed { Code::UnschedulableAndUnresolvable } else { Code::Success }
///     }
///     fn reasons(&self, _: &Cycle<'_>, _: &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
///         say("node(s) were under maintenance".into());
///     }
/// }
///
/// let registry = Registry::default().with(Maintenance, 0)?;
/// let scheduler = Scheduler::with_registry(registry);
/// # Ok::<(), seatrial::scheduler::RegistryError>(())
/// ```
pub trait Plugin: fmt::Debug + Send + Sync + 'static {
    /// What the plugin works out once per cycle. It is handed on from cycle to cycle, so that buffers can be used
    /// again; it must not carry a decision over.
    type State: Default + Send + Sync;

    /// Name, unique in a registry.
    fn name(&self) -> &'static str;

    /// Which events may let a pod in that this plugin rejected.
    fn events(&self) -> Actions {
        Actions::ALL
    }

    /// Whether this event, one of [`Plugin::events`], may let this pod in.
    fn hint(&self, _pod: &Pod, _event: &ClusterEvent<'_>) -> Hint {
        Hint::Queue
    }

    /// Whether the pod may enter the queue at all.
    fn pre_enqueue(&self, _pod: &Pod) -> bool {
        true
    }

    /// Looks at the pod before any node.
    fn pre_filter(&self, _cycle: &Cycle<'_>, _state: &mut Self::State) -> PreFilter {
        PreFilter::Filter
    }

    /// Whether the pod may go to the node.
    fn filter(&self, _cycle: &Cycle<'_>, _state: &Self::State, _node: &NodeInfo) -> Code {
        Code::Success
    }

    /// Says why the pod may not go to a node that [`Plugin::filter`] refused.
    fn reasons(&self, _cycle: &Cycle<'_>, _state: &Self::State, _node: &NodeInfo, _say: &mut dyn FnMut(Text)) {}

    /// Supposes that another pod were on the node too, which has been added to `node`: what [`Plugin::pre_filter`] noted is
    /// to be as if it had seen it. Only what concerns other pods needs this.
    fn add_pod(&self, _cycle: &Cycle<'_>, _state: &mut Self::State, _pod: &Pod, _node: &NodeInfo) {}

    /// The opposite of [`Plugin::add_pod`]; `node` is without the pod.
    fn remove_pod(&self, _cycle: &Cycle<'_>, _state: &mut Self::State, _pod: &Pod, _node: &NodeInfo) {}

    /// Writes that must be made, and take effect, before the pod is bound to the node that was chosen. The scheduler waits
    /// until the claims that they are about are bound.
    fn pre_bind(&self, _cycle: &Cycle<'_>, _state: &Self::State, _node: &NodeInfo) -> Vec<Request> {
        Vec::new()
    }

    /// Looks at the nodes that passed all filters before any gets points.
    fn pre_score(&self, _cycle: &Cycle<'_>, _state: &mut Self::State, _nodes: &[NodeId]) -> PreScore {
        PreScore::Score
    }

    /// Points of a node, in any range if [`Plugin::normalize`] brings them into 0 to 100.
    fn score(&self, _cycle: &Cycle<'_>, _state: &Self::State, _node: &NodeInfo) -> i64 {
        0
    }

    /// Brings the points into the range 0 to 100.
    fn normalize(&self, _cycle: &Cycle<'_>, _state: &Self::State, _nodes: &[NodeId], _scores: &mut [i64]) {}
}

/// A set of plugins, by their place in the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PluginSet(u64);

impl PluginSet {
    pub(super) const fn insert(&mut self, plugin: u8) {
        self.0 |= 1 << plugin;
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let at = u8::try_from(rest.trailing_zeros()).ok().filter(|at| *at < 64)?;
            rest &= rest - 1;
            Some(at)
        })
    }
}

/// A registry cannot take a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is one of that name.
    #[error("plugin {0} is registered already")]
    Duplicate(&'static str),
    /// There are 64 plugins.
    #[error("no room for plugin {0}: a registry holds 64")]
    Full(&'static str),
}

/// The plugins of a scheduler in the order in which they are asked, with the weights of their points; and which pods
/// the scheduler takes care of.
#[derive(Clone, Debug)]
pub struct Registry {
    scheduler_name: Arc<str>,
    slots: Vec<Box<dyn Slot>>,
}

impl Default for Registry {
    /// Upstream's default profile, as far as its plugins exist here.
    fn default() -> Self {
        plugins::default_registry()
    }
}

impl Registry {
    /// The name of the scheduler that pods have by default.
    pub const DEFAULT_SCHEDULER: &'static str = "default-scheduler";

    /// No plugins: every pod goes to the first node.
    #[must_use]
    pub fn empty() -> Self {
        Self { scheduler_name: Self::DEFAULT_SCHEDULER.into(), slots: Vec::new() }
    }

    /// Takes care of pods with another `spec.schedulerName`.
    #[must_use]
    pub fn for_scheduler(mut self, name: impl Into<Arc<str>>) -> Self {
        self.scheduler_name = name.into();
        self
    }

    /// Adds a plugin behind the others. Its points count `weight` times; 0 = it gives none.
    ///
    /// # Errors
    /// If there is one of that name, or if there are 64.
    pub fn with<P: Plugin>(mut self, plugin: P, weight: u32) -> Result<Self, RegistryError> {
        let name = plugin.name();
        if self.slots.iter().any(|slot| slot.name() == name) {
            return Err(RegistryError::Duplicate(name));
        }
        if self.slots.len() == 64 {
            return Err(RegistryError::Full(name));
        }
        self.slots.push(Box::new(Registered::new(Arc::new(plugin), weight)));
        Ok(self)
    }

    /// Leaves a plugin out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.slots.retain(|slot| slot.name() != name);
        self
    }

    /// Names and weights in order.
    pub fn plugins(&self) -> impl ExactSizeIterator<Item = (&'static str, u32)> + '_ {
        self.slots.iter().map(|slot| (slot.name(), slot.weight()))
    }

    /// Whether pods with this `spec.schedulerName` are this scheduler's.
    #[must_use]
    pub fn is_responsible_for(&self, scheduler_name: &str) -> bool {
        let name = if scheduler_name.is_empty() { Self::DEFAULT_SCHEDULER } else { scheduler_name };
        *self.scheduler_name == *name
    }

    pub(super) fn push_upstream<P: Plugin>(self, plugin: P, weight: u32) -> Self {
        self.push_local(plugin, weight, Local::default())
    }

    pub(super) fn push_local<P: Plugin>(mut self, plugin: P, weight: u32, local: Local) -> Self {
        debug_assert!(self.slots.len() < 64);
        self.slots.push(Box::new(Registered { local, ..Registered::new(Arc::new(plugin), weight) }));
        self
    }

    pub(super) fn slots(&self) -> impl ExactSizeIterator<Item = (u8, &dyn Slot)> {
        self.slots.iter().enumerate().map(|(at, slot)| (place(at), &**slot))
    }

    pub(super) fn slots_mut(&mut self) -> impl ExactSizeIterator<Item = (u8, &mut Box<dyn Slot>)> {
        self.slots.iter_mut().enumerate().map(|(at, slot)| (place(at), slot))
    }

    /// The place of the plugin of that name.
    pub(super) fn position(&self, name: &str) -> Option<u8> {
        self.slots().find(|(_, slot)| slot.name() == name).map(|(at, _)| at)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Tells these plugins to suppose that a pod were on a node.
    pub(super) fn add_pod(&mut self, plugins: &[u8], cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo) {
        plugins.iter().for_each(|plugin| self.slots[usize::from(*plugin)].add_pod(cycle, pod, node));
    }

    /// Tells these plugins to suppose that a pod were not on a node.
    pub(super) fn remove_pod(&mut self, plugins: &[u8], cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo) {
        plugins.iter().for_each(|plugin| self.slots[usize::from(*plugin)].remove_pod(cycle, pod, node));
    }

    pub(super) fn slot(&self, plugin: u8) -> &dyn Slot {
        &*self.slots[usize::from(plugin)]
    }
}

/// At most 64 plugins: [`Registry::with`] sees to it.
fn place(at: usize) -> u8 {
    u8::try_from(at).unwrap_or(u8::MAX)
}

/// What of a plugin's answers depends on nothing but the node with its pods and what the pod's spec asks of a node: requests,
/// tolerations, node selector, node affinity, ports. They are remembered as long as the node does not change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Local {
    /// [`Plugin::filter`].
    pub(super) filter: bool,
    /// [`Plugin::score`], for a pod that [`Plugin::pre_score`] does not skip.
    pub(super) score: bool,
}

impl Local {
    pub(super) const FILTER: Self = Self { filter: true, score: false };
    pub(super) const SCORE: Self = Self { filter: false, score: true };
    pub(super) const BOTH: Self = Self { filter: true, score: true };
}

/// A plugin with its state, of a type that is no longer known. Whole lists of nodes are handed over at once, so that
/// the call through the table is made once per cycle and not once per node.
pub(super) trait Slot: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn weight(&self) -> u32;
    fn local(&self) -> Local;
    fn events(&self) -> Actions;
    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint;
    fn pre_enqueue(&self, pod: &Pod) -> bool;
    fn pre_filter(&mut self, cycle: &Cycle<'_>) -> PreFilter;
    /// Drops the nodes that do not pass, in order, and tells of each.
    fn filter_all(&self, cycle: &Cycle<'_>, nodes: &mut Vec<NodeId>, refused: &mut Vec<Refusal>, plugin: u8);
    fn filter(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Code;
    fn reasons(&self, cycle: &Cycle<'_>, node: &NodeInfo, say: &mut dyn FnMut(Text));
    fn add_pod(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo);
    fn remove_pod(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo);
    fn pre_bind(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Vec<Request>;
    fn pre_score(&mut self, cycle: &Cycle<'_>, nodes: &[NodeId]) -> PreScore;
    /// Adds weighted, normalised points to the totals. `scores` is a buffer.
    fn score_all(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut Vec<i64>);
    fn score(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> i64;
    fn normalize(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]);
    fn clone_fresh(&self) -> Box<dyn Slot>;
}

/// A node that a plugin refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) node: NodeId,
    pub(super) plugin: u8,
    pub(super) code: Code,
}

impl Clone for Box<dyn Slot> {
    fn clone(&self) -> Self {
        self.clone_fresh()
    }
}

struct Registered<P: Plugin> {
    plugin: Arc<P>,
    weight: u32,
    local: Local,
    state: P::State,
}

impl<P: Plugin> Registered<P> {
    fn new(plugin: Arc<P>, weight: u32) -> Self {
        Self { plugin, weight, local: Local::default(), state: P::State::default() }
    }
}

impl<P: Plugin> fmt::Debug for Registered<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("plugin", &self.plugin).field("weight", &self.weight).finish()
    }
}

impl<P: Plugin> Slot for Registered<P> {
    fn name(&self) -> &'static str {
        self.plugin.name()
    }

    fn weight(&self) -> u32 {
        self.weight
    }

    fn local(&self) -> Local {
        self.local
    }

    fn events(&self) -> Actions {
        let events = self.plugin.events();
        // Upstream adds this for plugins that ask for new nodes but not for taints, without a hint of their own.
        if events.intersects(Actions::NODE_ADD) { events | Actions::NODE_TAINT } else { events }
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        if self.plugin.events().intersects(event.action) { self.plugin.hint(pod, event) } else { Hint::Queue }
    }

    fn pre_enqueue(&self, pod: &Pod) -> bool {
        self.plugin.pre_enqueue(pod)
    }

    fn pre_filter(&mut self, cycle: &Cycle<'_>) -> PreFilter {
        self.plugin.pre_filter(cycle, &mut self.state)
    }

    fn filter_all(&self, cycle: &Cycle<'_>, nodes: &mut Vec<NodeId>, refused: &mut Vec<Refusal>, plugin: u8) {
        nodes.retain(|&node| {
            let code = self.plugin.filter(cycle, &self.state, cycle.cache.node(node));
            if code != Code::Success {
                refused.push(Refusal { node, plugin, code });
            }
            code == Code::Success
        });
    }

    fn filter(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Code {
        self.plugin.filter(cycle, &self.state, node)
    }

    fn reasons(&self, cycle: &Cycle<'_>, node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        self.plugin.reasons(cycle, &self.state, node, say);
    }

    fn add_pod(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo) {
        self.plugin.add_pod(cycle, &mut self.state, pod, node);
    }

    fn remove_pod(&mut self, cycle: &Cycle<'_>, pod: &Pod, node: &NodeInfo) {
        self.plugin.remove_pod(cycle, &mut self.state, pod, node);
    }

    fn pre_bind(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> Vec<Request> {
        self.plugin.pre_bind(cycle, &self.state, node)
    }

    fn pre_score(&mut self, cycle: &Cycle<'_>, nodes: &[NodeId]) -> PreScore {
        self.plugin.pre_score(cycle, &mut self.state, nodes)
    }

    fn score_all(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut Vec<i64>) {
        scores.clear();
        scores.extend(nodes.iter().map(|&node| self.plugin.score(cycle, &self.state, cycle.cache.node(node))));
        self.plugin.normalize(cycle, &self.state, nodes, scores);
    }

    fn score(&self, cycle: &Cycle<'_>, node: &NodeInfo) -> i64 {
        self.plugin.score(cycle, &self.state, node)
    }

    fn normalize(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        self.plugin.normalize(cycle, &self.state, nodes, scores);
    }

    fn clone_fresh(&self) -> Box<dyn Slot> {
        Box::new(Self { local: self.local, ..Self::new(self.plugin.clone(), self.weight) })
    }
}
