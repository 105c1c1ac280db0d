//! One node in the eyes of one DaemonSet: what its pods there count for, and what is to be done about them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::controllers::history::POD_REVISION_LABEL;
use crate::objects::{DaemonSet, Pod, PodPhase, WallTime};

use super::template::{self, Eligibility};

/// What of a DaemonSet the judgement of a node depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    /// Hash of the current revision.
    pub(super) hash: Arc<str>,
    /// Version of the template, as pods carry it.
    pub(super) generation: Option<String>,
    /// Seconds that a pod must be ready to count as available.
    pub(super) min_ready_seconds: i32,
    /// Whether a node may have an old and a new pod.
    pub(super) surges: bool,
}

impl Basis {
    pub(super) fn of(set: &DaemonSet, hash: &Arc<str>) -> Self {
        Self {
            hash: Arc::clone(hash),
            generation: set.template_generation().map(|generation| generation.to_string()),
            min_ready_seconds: set.spec.min_ready_seconds,
            surges: set.spec.update_strategy.allows_surge(),
        }
    }

    /// Whether pods made for one are made for the other.
    pub(super) fn makes_the_pods_of(&self, other: &Self) -> bool {
        (&self.hash, &self.generation) == (&other.hash, &other.generation)
    }

    pub(super) fn is_updated(&self, pod: &Pod) -> bool {
        template::is_updated(&pod.meta.labels, &self.hash, self.generation.as_deref())
    }

    fn is_of_revision(&self, pod: &Pod) -> bool {
        pod.meta.labels.get(POD_REVISION_LABEL) == Some(&*self.hash)
    }

    fn is_available(&self, pod: &Pod, now: WallTime) -> bool {
        pod.is_available(self.min_ready_seconds, now)
    }
}

/// What a node counts for: sums over all nodes make up the status and the state of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Eligible nodes.
    pub(super) desired: i32,
    /// Eligible nodes with a pod.
    pub(super) current: i32,
    /// Other nodes with a pod.
    pub(super) misscheduled: i32,
    /// Eligible nodes whose oldest pod is ready.
    pub(super) ready: i32,
    /// Eligible nodes whose oldest pod is available.
    pub(super) available: i32,
    /// Eligible nodes whose oldest pod is up to date.
    pub(super) updated: i32,
    /// Nodes that count against `maxUnavailable`.
    pub(super) unavailable: i32,
    /// Nodes that count against `maxSurge`.
    pub(super) surging: i32,
    /// Nodes with an available pod, the old one where there are two.
    pub(super) serving: i32,
}

impl Tally {
    fn fields(&mut self) -> [&mut i32; 9] {
        [
            &mut self.desired,
            &mut self.current,
            &mut self.misscheduled,
            &mut self.ready,
            &mut self.available,
            &mut self.updated,
            &mut self.unavailable,
            &mut self.surging,
            &mut self.serving,
        ]
    }

    /// Takes one node's share out and puts another in.
    pub(super) fn exchange(&mut self, mut old: Self, mut new: Self) {
        let shares = old.fields().map(|field| *field).into_iter().zip(new.fields().map(|field| *field));
        for (sum, (old, new)) in self.fields().into_iter().zip(shares) {
            *sum += new - old;
        }
    }
}

/// Where a node is in an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing old is there, or it is for [`duty`] to tidy up first.
    #[default]
    Nothing,
    /// Only an old pod, and it is not available.
    OldDown,
    /// Only an old pod, and it is available.
    OldUp,
    /// Only an old pod, and it is available, on a node that is not eligible or does not exist.
    OldUpElsewhere,
    /// An old pod and a new one that is available.
    Replaced,
}

/// What is known of a node at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// What it counts for.
    pub(super) tally: Tally,
    /// Whether a pod is to be created, update or not.
    pub(super) needs_pod: bool,
    /// Whether pods are to be deleted, update or not.
    pub(super) needs_attention: bool,
    /// Where it is in an update.
    pub(super) progress: Progress,
    /// When to judge again because a ready pod becomes available.
    pub(super) next: Option<WallTime>,
}

/// What is to be done about the pods of a node, update or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Duty {
    /// Whether a pod is to be created.
    pub(super) create: bool,
    /// Pods that failed or came to an end: they are deleted so that others can take their place.
    pub(super) ended: Vec<Arc<Pod>>,
    /// Pods that are to be deleted.
    pub(super) delete: Vec<Arc<Pod>>,
}

/// Judges a node by its eligibility, if it exists, and the DaemonSet's pods that are on it or meant for it.
pub(super) fn judge(basis: &Basis, eligible: Option<Eligibility>, pods: &[Arc<Pod>], now: WallTime) -> Judgement {
    let counted: Vec<&Arc<Pod>> = counted(pods).collect();
    let mut judgement = Judgement { next: next_available(basis, &counted, now), ..Judgement::default() };
    // Nodes that do not exist are not in the status.
    if let Some(eligible) = eligible {
        count(basis, eligible, &counted, now, &mut judgement.tally);
    }
    follow_update(basis, eligible.unwrap_or_default(), &counted, now, &mut judgement);
    let duty = duty(basis, eligible, pods, now);
    judgement.needs_pod = duty.create;
    judgement.needs_attention = !(duty.ended.is_empty() && duty.delete.is_empty());
    judgement
}

/// Pods that ended and are being deleted are out of the DaemonSet's hands.
fn counted(pods: &[Arc<Pod>]) -> impl Iterator<Item = &Arc<Pod>> {
    pods.iter().filter(|pod| !(pod.is_terminal() && pod.meta.is_deleting()))
}

/// Adds what the status reports of a node (upstream `updateDaemonSetStatus`).
fn count(basis: &Basis, eligible: Eligibility, pods: &[&Arc<Pod>], now: WallTime, tally: &mut Tally) {
    let oldest = pods.iter().min_by(|a, b| by_age(a, b));
    if !eligible.should_run {
        tally.misscheduled = i32::from(oldest.is_some());
        return;
    }
    tally.desired = 1;
    if let Some(pod) = oldest {
        tally.current = 1;
        tally.ready = i32::from(pod.is_ready());
        tally.available = i32::from(basis.is_available(pod, now));
        tally.updated = i32::from(basis.is_updated(pod));
    }
}

/// Pods that are bound come first, then the oldest (upstream `podByCreationTimestampAndPhase`).
fn by_age(a: &Pod, b: &Pod) -> Ordering {
    let order = |pod: &Pod| (!pod.is_bound(), pod.meta.creation_timestamp);
    order(a).cmp(&order(b)).then_with(|| a.meta.name.cmp(&b.meta.name))
}

fn next_available(basis: &Basis, pods: &[&Arc<Pod>], now: WallTime) -> Option<WallTime> {
    if basis.min_ready_seconds == 0 {
        return None;
    }
    let ready = pods.iter().filter(|pod| pod.is_ready()).filter_map(|pod| pod.ready_since());
    ready.map(|since| since.plus_secs(i64::from(basis.min_ready_seconds)).wall()).filter(|at| *at > now).min()
}

/// Where the node is in an update (the cases of upstream `rollingUpdate`).
fn follow_update(basis: &Basis, eligible: Eligibility, pods: &[&Arc<Pod>], now: WallTime, judgement: &mut Judgement) {
    let Judgement { tally, progress, .. } = judgement;
    if pods.is_empty() && !eligible.should_run {
        return;
    }
    let live = pods.iter().filter(|pod| !pod.meta.is_deleting());
    let (new, old): (Vec<&Pod>, Vec<&Pod>) = live.map(|pod| &***pod).partition(|pod| basis.is_updated(pod));
    let up = |pod: &Pod| basis.is_available(pod, now);
    match (&*new, &*old) {
        ([], []) => tally.unavailable = 1,
        ([new], []) => {
            tally.serving = i32::from(up(new));
            tally.unavailable = 1 - tally.serving;
        }
        ([], [old]) => {
            tally.serving = i32::from(up(old));
            tally.unavailable = 1 - tally.serving;
            *progress = match (up(old), eligible.should_run) {
                (false, _) => Progress::OldDown,
                (true, true) => Progress::OldUp,
                (true, false) => Progress::OldUpElsewhere,
            };
        }
        ([new], [old]) => {
            tally.serving = i32::from(up(old));
            tally.unavailable = 1;
            if up(new) {
                *progress = Progress::Replaced;
            } else {
                tally.surging = 1;
            }
        }
        // Too many: `duty` sees to it first.
        _ => (tally.unavailable, tally.surging) = (1, 1),
    }
}

/// What is to be done about the pods of a node, update or not (upstream `podsShouldBeOnNode`).
pub(super) fn duty(basis: &Basis, eligible: Option<Eligibility>, pods: &[Arc<Pod>], now: WallTime) -> Duty {
    let mut duty = Duty::default();
    let Some(eligible) = eligible else {
        // A pod that was never bound stays for ever once its node is gone: nobody else deletes it.
        let lost = pods.iter().filter(|pod| !pod.is_bound() && !pod.meta.is_deleting());
        duty.delete = lost.cloned().collect();
        return duty;
    };
    let exists = counted(pods).next().is_some();
    let live = counted(pods).filter(|pod| !pod.meta.is_deleting());
    if eligible.should_run && !exists {
        duty.create = true;
    } else if eligible.should_continue {
        let mut running = Vec::new();
        for pod in live {
            if pod.is_terminal() { duty.ended.push(Arc::clone(pod)) } else { running.push(Arc::clone(pod)) }
        }
        running.sort_by(|a, b| by_age(a, b));
        if basis.surges {
            duty.create = running.is_empty() && eligible.should_run;
            duty.delete = superfluous_beside_surge(basis, running, now);
        } else {
            duty.delete = running.into_iter().skip(1).collect();
        }
    } else {
        duty.delete = live.cloned().collect();
    }
    duty
}

/// Of the running pods of a node, oldest first, all but the oldest new and the oldest old one; and that one too once the
/// new one does its work, or it does not do its own.
fn superfluous_beside_surge(basis: &Basis, running: Vec<Arc<Pod>>, now: WallTime) -> Vec<Arc<Pod>> {
    if running.len() <= 1 {
        return Vec::new();
    }
    let (mut new, mut old, mut superfluous) = (None, None, Vec::new());
    for pod in running {
        let first = if basis.is_of_revision(&pod) { &mut new } else { &mut old };
        match first {
            None => *first = Some(pod),
            Some(_) => superfluous.push(pod),
        }
    }
    if let (Some(new), Some(old)) = (new, old)
        && (!old.is_ready() || basis.is_available(&new, now))
    {
        superfluous.push(old);
    }
    superfluous
}

/// Whether the pod failed, rather than came to a good end.
pub(super) fn has_failed(pod: &Pod) -> bool {
    pod.status.phase == PodPhase::Failed
}
