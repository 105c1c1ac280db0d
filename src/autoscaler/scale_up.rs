//! Growing a group for pods that fit nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{EventKind, View};
use crate::objects::{ConditionStatus, Conditions, Kind, ObjectReference, Pod, WallTime};

use super::expander::{Candidate, Share};
use super::group::Group;
use super::snapshot::Snapshot;
use super::{Autoscaler, Plan, event, status_event};

/// Pods of a lower priority neither make a group grow nor keep a machine (`--expendable-pods-priority-cutoff`).
pub(super) const EXPENDABLE_BELOW: i32 = -10;
/// The most machines that one decision adds (`--max-nodes-per-scaleup`).
const MAX_MACHINES: u32 = 1000;

/// A group that would help, with the pods that would then have room.
struct Proposal {
    candidate: Candidate,
    pods: Vec<Arc<Pod>>,
}

/// Pods for which the scheduler found no room and that would still fit nowhere; those that would are put where they fit.
pub(super) fn unplaced(cluster: &mut Snapshot, view: &View) -> Vec<Arc<Pod>> {
    let mut waiting: Vec<Arc<Pod>> = view.pods.iter().filter(|pod| waits(pod)).cloned().collect();
    // As the scheduler would: by priority, the oldest first.
    waiting.sort_by_key(|pod| std::cmp::Reverse(pod.spec.priority.unwrap_or(0)));
    waiting.retain(|pod| !cluster.place(pod, |_| true));
    waiting
}

/// Whether the scheduler has given a pod up for now. One for which others are being displaced has its place already.
pub(super) fn waits(pod: &Pod) -> bool {
    let told = pod.status.conditions.find("PodScheduled");
    !pod.is_bound()
        && pod.is_active()
        && pod.spec.priority.unwrap_or(0) >= EXPENDABLE_BELOW
        && pod.status.nominated_node_name.is_empty()
        && told.is_some_and(|told| told.status == ConditionStatus::False && told.reason == *"Unschedulable")
}

impl Autoscaler {
    /// Grows one group for the pods that wait, if any group would help. Returns whether one does.
    pub(super) fn scale_up(
        &mut self,
        cluster: &Snapshot,
        view: &View,
        waiting: &[Arc<Pod>],
        now: WallTime,
        plan: &mut Plan,
    ) -> bool {
        let places = 0..self.groups.len();
        let options: Vec<Proposal> = places.filter_map(|at| self.option(cluster, view, at, waiting, now)).collect();
        let candidates: Vec<Candidate> = options.iter().map(|option| option.candidate.clone()).collect();
        let chosen = self.options.expander.choose(&candidates, &mut self.luck).map(|chosen| chosen.group);
        let Some(option) = options.iter().find(|option| Some(option.candidate.group) == chosen) else {
            self.explain(cluster, view, waiting, now, plan);
            return false;
        };
        let group = &self.groups[option.candidate.group];
        let (from, to) = (group.size(), group.size() + option.candidate.machines);
        let (name, max) = (group.name(), group.max());
        let told = format!("Scale-up: setting group {name} size to {to} instead of {from} (max: {max})");
        plan.requests.push(status_event(EventKind::Normal, "ScaledUpGroup", told));
        for pod in &option.pods {
            let message = format!("pod triggered scale-up: [{{{name} {from}->{to} (max: {max})}}]");
            plan.requests.push(event(about(pod), EventKind::Normal, "TriggeredScaleUp", message));
        }
        plan.grow = Some((option.candidate.group, option.candidate.machines));
        self.last_scale_up = Some(now);
        true
    }

    /// How many machines a group may get now.
    fn room(&self, group: &Group, view: &View) -> u32 {
        let room = group.max().saturating_sub(group.size()).min(MAX_MACHINES);
        if self.options.max_nodes_total == 0 {
            return room;
        }
        let upcoming: usize = self.groups.iter().map(|group| group.upcoming().count()).sum();
        let total = u32::try_from(view.nodes.len() + upcoming).unwrap_or(u32::MAX);
        room.min(self.options.max_nodes_total.saturating_sub(total))
    }

    /// What a group could do for the pods: as many machines as it takes, each filled before the next.
    fn option(
        &self,
        cluster: &Snapshot,
        view: &View,
        at: usize,
        waiting: &[Arc<Pod>],
        now: WallTime,
    ) -> Option<Proposal> {
        let group = &self.groups[at];
        let room = self.room(group, view);
        if room == 0 || group.backs_off(now) {
            return None;
        }
        let mut trial = cluster.clone();
        let mut fresh: Vec<Arc<str>> = Vec::new();
        let mut pods = Vec::new();
        for pod in largest_first(waiting, group) {
            if trial.place(&pod, |node| fresh.iter().any(|name| **name == *node)) {
                pods.push(pod);
                continue;
            }
            if fresh.len() as u32 >= room {
                continue;
            }
            let name: Arc<str> = format!("{}-template-{}", group.name(), fresh.len()).into();
            trial.add_machine(group.template(), &name);
            if trial.place(&pod, |node| *node == *name) {
                fresh.push(name);
                pods.push(pod);
            } else {
                trial.remove_machine(&name);
            }
        }
        let machines = u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        (machines > 0).then(|| Proposal { candidate: candidate(at, group, machines, &pods), pods })
    }

    /// Tells every pod that waits why no group grows for it.
    fn explain(&self, cluster: &Snapshot, view: &View, waiting: &[Arc<Pod>], now: WallTime, plan: &mut Plan) {
        for pod in waiting {
            let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
            for group in &self.groups {
                let why = if group.backs_off(now) {
                    vec!["in backoff after failed scale-up".to_owned()]
                } else if group.size() >= group.max() {
                    vec!["max node group size reached".to_owned()]
                } else if self.room(group, view) == 0 {
                    vec!["max cluster size reached".to_owned()]
                } else {
                    let mut trial = cluster.clone();
                    let name: Arc<str> = format!("{}-template", group.name()).into();
                    trial.add_machine(group.template(), &name);
                    trial.refusal(pod, &name)
                };
                why.into_iter().for_each(|reason| *reasons.entry(reason).or_default() += 1);
            }
            let told: Vec<String> = reasons.iter().map(|(reason, groups)| format!("{groups} {reason}")).collect();
            let message = format!("pod didn't trigger scale-up: {}", told.join(", "));
            plan.requests.push(event(about(pod), EventKind::Normal, "NotTriggerScaleUp", message));
        }
    }
}

fn about(pod: &Pod) -> ObjectReference {
    ObjectReference::to(Kind::Pod, &pod.meta)
}

/// Pods by the larger of their shares of a machine's cpu and memory (first fit decreasing); of equal ones, in the order given.
fn largest_first(pods: &[Arc<Pod>], group: &Group) -> Vec<Arc<Pod>> {
    let room = &group.template().status.allocatable;
    let ppm = |wanted: i64, room: i64| i128::from(wanted) * 1_000_000 / i128::from(room.max(1));
    let size = |pod: &Pod| {
        let wanted = &pod.spec.requests;
        ppm(wanted.cpu_milli, room.cpu_milli).max(ppm(wanted.memory, room.memory))
    };
    let mut sorted = pods.to_vec();
    sorted.sort_by_key(|pod| std::cmp::Reverse(size(pod)));
    sorted
}

fn candidate(at: usize, group: &Group, machines: u32, pods: &[Arc<Pod>]) -> Candidate {
    let room = &group.template().status.allocatable;
    let share = |of: fn(&crate::objects::Resources) -> i64| Share {
        used: pods.iter().fold(0i64, |sum, pod| sum.saturating_add(of(&pod.spec.requests))),
        total: of(room).saturating_mul(i64::from(machines)),
    };
    Candidate {
        group: at,
        priority: group.priority(),
        machines,
        pods: pods.len(),
        cpu: share(|resources| resources.cpu_milli),
        memory: share(|resources| resources.memory),
    }
}
