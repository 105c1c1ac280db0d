//! Taking machines away that are not needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{EventKind, Part, Request, View};
use crate::objects::{Kind, Node, ObjectReference, Pod, Resource, SharedList, Taint, WallTime};

use super::drainability::{Fate, fate};
use super::group::Group;
use super::removal::Removal;
use super::snapshot::{Snapshot, unbound};
use super::{
    Autoscaler, DELETION_CANDIDATE, Plan, SCALE_DOWN_DISABLED, TO_BE_DELETED, elapsed, event, has_taint, is_ready,
    node_of, status_event,
};

/// Machines without pods that go at a time (`--max-empty-bulk-delete`).
const MAX_EMPTY: usize = 10;
/// Machines with pods that go at a time (`--max-drain-parallelism`).
const MAX_DRAINED: usize = 1;

impl Autoscaler {
    /// Sees which machines are not needed, and takes away those that have not been for long enough.
    pub(super) fn scale_down(&mut self, cluster: Snapshot, view: &View, now: WallTime, plan: &mut Plan) {
        let before = std::mem::take(&mut self.unneeded);
        let (unneeded, moves) = self.find_unneeded(cluster, view);
        self.unneeded = unneeded
            .into_iter()
            .map(|name| {
                let since = before.get(&name).copied().unwrap_or(now);
                (name, since)
            })
            .collect();
        self.mark_candidates(view, now, plan);
        if !self.cools_down(now) {
            self.take_away(view, &moves, now, plan);
        }
    }

    fn cools_down(&self, now: WallTime) -> bool {
        let within = |since: Option<WallTime>, delay| since.is_some_and(|since| elapsed(since, now) < delay);
        within(self.last_scale_up, self.options.scale_down_delay_after_add)
            || within(self.last_failure, self.options.scale_down_delay_after_failure)
    }

    /// Machines whose pods would all fit elsewhere, one after the other, each on top of those before; with whether it has pods to
    /// move.
    fn find_unneeded(&self, mut cluster: Snapshot, view: &View) -> (Vec<Arc<str>>, BTreeMap<Arc<str>, bool>) {
        let (mut unneeded, mut moves) = (Vec::new(), BTreeMap::new());
        for name in self.leaving.keys() {
            cluster.remove_machine(name);
        }
        for group in &self.groups {
            let leaving = group.members().filter(|name| self.leaving.contains_key(*name)).count();
            let mut spare = group.members().count().saturating_sub(leaving).saturating_sub(group.min() as usize);
            for name in group.members().filter(|name| !self.leaving.contains_key(*name)) {
                if spare == 0 {
                    break;
                }
                let Some(node) = node_of(view, name).filter(|_| !group.expects(name)) else { continue };
                if !self.may_go(view, node) {
                    continue;
                }
                if let Some((trial, has_moved)) = self.without(&cluster, node) {
                    cluster = trial;
                    spare -= 1;
                    unneeded.push(name.clone());
                    moves.insert(name.clone(), has_moved);
                }
            }
        }
        (unneeded, moves)
    }

    /// Whether any machine comes into question.
    pub(super) fn has_candidates(&self, view: &View) -> bool {
        let may_go = |name: &Arc<str>| node_of(view, name).is_some_and(|node| self.may_go(view, node));
        let shrinks = |group: &&Group| group.size() > group.min();
        self.options.scale_down_enabled && self.groups.iter().filter(shrinks).any(|group| group.members().any(may_go))
    }

    /// Whether a machine comes into question: nobody keeps it, and it is hardly used or does not work.
    fn may_go(&self, view: &View, node: &Node) -> bool {
        let is_kept = node.meta.annotations.get(SCALE_DOWN_DISABLED) == Some("true");
        let pods = view.pods_on(&node.meta.name).filter(|pod| !pod.is_terminal());
        let mut used = (0i64, 0i64);
        for pod in pods {
            let requests = &pod.spec.requests;
            used = (used.0.saturating_add(requests.cpu_milli), used.1.saturating_add(requests.memory));
        }
        let room = &node.status.allocatable;
        let threshold = i128::from(self.options.utilization_threshold_milli);
        let is_low = |used: i64, room: i64| i128::from(used) * 1000 < threshold * i128::from(room.max(1));
        let is_idle = is_low(used.0, room.cpu_milli) && is_low(used.1, room.memory);
        !is_kept && !has_taint(node, TO_BE_DELETED) && (is_idle || !is_ready(node))
    }

    /// The cluster without a machine, its pods elsewhere, and whether there were any; nothing if one of them keeps it or fits
    /// nowhere.
    fn without(&self, cluster: &Snapshot, node: &Node) -> Option<(Snapshot, bool)> {
        let name = &node.meta.name;
        let pods: Vec<Arc<Pod>> = cluster.view().pods_on(name).cloned().collect();
        let mut moving = Vec::new();
        for pod in pods {
            match fate(&self.options, cluster.view(), &pod) {
                Fate::Stays => {}
                Fate::Moves => moving.push(pod),
                Fate::Blocks => return None,
            }
        }
        let mut trial = cluster.clone();
        trial.remove_machine(name);
        let has_moved = !moving.is_empty();
        moving.iter().all(|pod| trial.place(&unbound(pod), |_| true)).then_some((trial, has_moved))
    }

    /// Sets and removes the taint by which the scheduler tries to leave candidates alone.
    pub(super) fn mark_candidates(&self, view: &View, now: WallTime, plan: &mut Plan) {
        for name in self.groups.iter().flat_map(Group::members) {
            let Some(node) = node_of(view, name).filter(|_| !self.leaving.contains_key(name)) else { continue };
            match (self.unneeded.contains_key(name), has_taint(node, DELETION_CANDIDATE)) {
                (true, false) => plan.requests.push(with_taint(node, DELETION_CANDIDATE, "PreferNoSchedule", now)),
                (false, true) => plan.requests.push(without_taints(node)),
                _ => {}
            }
        }
    }

    fn take_away(&mut self, view: &View, moves: &BTreeMap<Arc<str>, bool>, now: WallTime, plan: &mut Plan) {
        let drained = self.leaving.values().filter(|has_pods| **has_pods).count();
        let empty = self.leaving.len() - drained;
        let (mut drained, mut empty) = (drained, empty);
        let due: Vec<Arc<str>> = self
            .unneeded
            .iter()
            .filter(|(name, since)| {
                let limit = if node_of(view, name).is_some_and(|node| is_ready(node)) {
                    self.options.scale_down_unneeded_time
                } else {
                    self.options.scale_down_unready_time
                };
                elapsed(**since, now) >= limit
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            let has_pods = moves.get(&name).copied().unwrap_or(true);
            let (count, most) = if has_pods { (&mut drained, MAX_DRAINED) } else { (&mut empty, MAX_EMPTY) };
            let Some(node) = node_of(view, &name).filter(|_| *count < most) else { continue };
            *count += 1;
            plan.remove.push(self.begin_removal(view, node, has_pods, now, plan.requests.as_mut()));
            self.unneeded.remove(&name);
            self.leaving.insert(name, has_pods);
        }
    }

    fn begin_removal(
        &self,
        view: &View,
        node: &Arc<Node>,
        has_pods: bool,
        now: WallTime,
        requests: &mut Vec<Request>,
    ) -> Removal {
        let name = &node.meta.name;
        let (reason, told) = if has_pods {
            ("ScaleDown", format!("Scale-down: removing node {name}"))
        } else {
            ("ScaleDownEmpty", format!("Scale-down: removing empty node {name:?}"))
        };
        requests.push(status_event(EventKind::Normal, reason, told));
        requests.push(with_taint(node, TO_BE_DELETED, "NoSchedule", now));
        let about = ObjectReference::to(Kind::Node, &node.meta);
        let marked = "marked the node as toBeDeleted/unschedulable";
        requests.push(event(about, EventKind::Normal, "ScaleDown", marked));
        let goes = |pod: &&Arc<Pod>| matches!(fate(&self.options, view, pod), Fate::Moves);
        let pods: Vec<Arc<Pod>> = view.pods_on(name).filter(goes).cloned().collect();
        for pod in &pods {
            let about = ObjectReference::to(Kind::Pod, &pod.meta);
            requests.push(event(about, EventKind::Normal, "ScaleDown", "deleting pod for node scale down"));
        }
        let pods = pods.iter().map(|pod| (pod.key(), pod.meta.uid.clone()));
        Removal::new(name.clone(), pods.collect(), self.options.max_graceful_termination_seconds, now)
    }
}

/// The write that sets one of the autoscaler's taints, with the second at which it was set, in place of any other of them.
fn with_taint(node: &Node, key: &'static str, effect: &'static str, now: WallTime) -> Request {
    let value = now.timestamp().as_unix_secs().to_string().into();
    taint(node, Some(Taint { key: key.into(), value, effect: effect.into(), time_added: None }))
}

/// The write that removes the autoscaler's taints.
pub(super) fn without_taints(node: &Node) -> Request {
    taint(node, None)
}

fn taint(node: &Node, taint: Option<Taint>) -> Request {
    let own = |taint: &&Taint| [TO_BE_DELETED, DELETION_CANDIDATE].contains(&&*taint.key);
    let others = node.spec.taints.iter().filter(|taint| !own(taint)).cloned();
    let taints: Vec<Taint> = others.chain(taint).collect();
    let mut changed = node.clone();
    changed.meta.resource_version = 0;
    changed.spec.taints = SharedList::from(taints);
    Request::Update(changed.into(), Part::Main)
}
