//! Which pods of a ReplicaSet, or of a ReplicationController, go first when it shrinks (upstream `controller.ActivePodsWithRanks`).

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::View;
use crate::objects::{Annotations, Pod, PodPhase, Timestamp, Uid, WallTime};

use super::replica_set::ReplicatedKind;

/// Annotation by which a user says how dear a pod is; the cheapest go first.
pub const POD_DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// How many active pods of related ReplicaSets are on each node. Unassigned pods count together under `""`.
pub type PodsByNode<'a> = FxHashMap<&'a str, u32>;

/// The `count` pods to delete, first to go first. Pods of `active` must be active and `set`'s own.
#[must_use]
pub fn pods_to_delete<'a, S: ReplicatedKind>(
    view: &View,
    set: &S,
    active: &[&'a Arc<Pod>],
    count: usize,
    now: WallTime,
) -> Vec<&'a Arc<Pod>> {
    if count >= active.len() {
        return active.to_vec();
    }
    let mut order = deletion_order(active, &related_pods_by_node(view, set), now);
    order.truncate(count);
    order.into_iter().map(|at| active[at]).collect()
}

/// Counts the active pods of all ReplicaSets with the same controller as `set`, by node (upstream
/// `getIndirectlyRelatedPods`). Nothing is related to a ReplicaSet that nobody controls.
#[must_use]
pub fn related_pods_by_node<'a, S: ReplicatedKind>(view: &'a View, set: &'a S) -> PodsByNode<'a> {
    let mut by_node = PodsByNode::default();
    let Some(owner) = set.meta().controller() else { return by_node };
    let mut seen: FxHashSet<*const Pod> = FxHashSet::default();
    for related in S::table(view).controlled_by(&owner.uid) {
        for pod in view.pods_matching(&related.meta().namespace, &related.spec().selector.compiled) {
            if pod.is_active() && seen.insert(Arc::as_ptr(pod)) {
                *by_node.entry(&*pod.node_name).or_default() += 1;
            }
        }
    }
    by_node
}

/// Positions of `pods` in the order in which they are to be deleted.
#[must_use]
pub fn deletion_order(pods: &[&Arc<Pod>], related: &PodsByNode<'_>, now: WallTime) -> Vec<usize> {
    let ranked: Vec<Ranked<'_>> = pods.iter().map(|pod| Ranked::of(pod, related, now)).collect();
    let mut order: Vec<usize> = (0..pods.len()).collect();
    sort_tolerantly(&mut order, |a, b| ranked[a].goes_before(&ranked[b]));
    order
}

/// Positions of active pods in the order in which a Job deletes them (upstream `controller.ActivePods`): those that are
/// not assigned, not running, not ready, ready for a shorter time, restarted more often, younger go first.
#[must_use]
pub fn active_pods_order(pods: &[Arc<Pod>]) -> Vec<usize> {
    /// Nothing goes first, then the latest.
    fn latest_first(at: Option<Timestamp>) -> (bool, Reverse<Option<Timestamp>>) {
        (at.is_some(), Reverse(at))
    }
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by_cached_key(|at| {
        let pod = &pods[*at];
        let (assigned, phase, ready) = (pod.is_bound(), phase_rank(pod.status.phase), pod.is_ready());
        let ready_since = latest_first(pod.ready_since().filter(|_| ready));
        let restarted = (Reverse(restarts(pod)), Reverse(sidecar_restarts(pod)));
        (assigned, phase, ready, ready_since, restarted, latest_first(pod.meta.creation_timestamp))
    });
    order
}

/// What is compared of a pod, taken out once.
struct Ranked<'a> {
    assigned: bool,
    phase: u8,
    ready: bool,
    cost: i32,
    colocated: u32,
    ready_since: Moment,
    restarts: i32,
    sidecar_restarts: i32,
    created: Moment,
    uid: &'a Uid,
}

impl<'a> Ranked<'a> {
    fn of(pod: &'a Pod, related: &PodsByNode<'_>, now: WallTime) -> Self {
        let ready = pod.is_ready();
        Self {
            assigned: pod.is_bound(),
            phase: phase_rank(pod.status.phase),
            ready,
            cost: deletion_cost(&pod.meta.annotations),
            colocated: related.get(&*pod.node_name).copied().unwrap_or(0),
            ready_since: Moment::new(pod.ready_since().filter(|_| ready), now),
            restarts: restarts(pod),
            sidecar_restarts: sidecar_restarts(pod),
            created: Moment::new(pod.meta.creation_timestamp, now),
            uid: &pod.meta.uid,
        }
    }

    /// The first rule by which the two differ decides. The relation is not transitive: rules 6 and 8 compare buckets
    /// of age, then uids, but skip pods of the very same age.
    fn goes_before(&self, other: &Self) -> bool {
        let order = (self.assigned.cmp(&other.assigned))
            .then(self.phase.cmp(&other.phase))
            .then(self.ready.cmp(&other.ready))
            .then(self.cost.cmp(&other.cost))
            .then(other.colocated.cmp(&self.colocated))
            .then_with(|| if self.ready { self.by_age(other, |pod| pod.ready_since) } else { Ordering::Equal })
            .then(other.restarts.cmp(&self.restarts))
            .then(other.sidecar_restarts.cmp(&self.sidecar_restarts))
            .then_with(|| self.by_age(other, |pod| pod.created));
        order == Ordering::Less
    }

    /// Younger by order of magnitude first; within one, the smaller uid. One without a time goes before all.
    fn by_age(&self, other: &Self, moment: impl Fn(&Self) -> Moment) -> Ordering {
        let (a, b) = (moment(self), moment(other));
        match (a.at, b.at) {
            (x, y) if x == y => Ordering::Equal,
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            _ => a.magnitude.cmp(&b.magnitude).then_with(|| self.uid.cmp(other.uid)),
        }
    }
}

/// A time and the order of magnitude of its age.
#[derive(Clone, Copy)]
struct Moment {
    at: Option<Timestamp>,
    /// Integer part of the logarithm to base 2 of the age in nanoseconds; -1 if it is none.
    magnitude: i32,
}

impl Moment {
    fn new(at: Option<Timestamp>, now: WallTime) -> Self {
        let age = at.map_or(0, |at| now.nanos_since(at.wall()));
        let magnitude = u64::try_from(age).ok().and_then(u64::checked_ilog2).map_or(-1, |log| log as i32);
        Self { at, magnitude }
    }
}

const fn phase_rank(phase: PodPhase) -> u8 {
    match phase {
        PodPhase::Unknown => 1,
        PodPhase::Running => 2,
        PodPhase::Pending | PodPhase::Succeeded | PodPhase::Failed => 0,
    }
}

/// The cost that a pod's annotation names; 0 if there is none or it is no plain 32-bit integer.
#[must_use]
pub fn deletion_cost(annotations: &Annotations) -> i32 {
    let Some(text) = annotations.get(POD_DELETION_COST) else { return 0 };
    let plain = text == "0" || text.starts_with(|first: char| first == '-' || ('1'..='9').contains(&first));
    if plain { text.parse().unwrap_or(0) } else { 0 }
}

fn restarts(pod: &Pod) -> i32 {
    pod.status.container_statuses.iter().map(|status| status.restart_count).fold(0, i32::max)
}

fn sidecar_restarts(pod: &Pod) -> i32 {
    let is_sidecar = |name: &str| pod.spec.init_containers.iter().any(|init| *init.name == *name && init.is_sidecar());
    let sidecars = pod.status.init_container_statuses.iter().filter(|status| is_sidecar(&status.name));
    sidecars.map(|status| status.restart_count).fold(0, i32::max)
}

/// Up to this many are sorted by insertion, as Go's `sort.Sort` does, so that the outcome is the same where the
/// relation contradicts itself.
const INSERTION_LENGTH: usize = 12;

/// A stable sort that bears a relation which is no order; the standard library's may panic on one.
fn sort_tolerantly(items: &mut [usize], before: impl Fn(usize, usize) -> bool + Copy) {
    if items.len() <= INSERTION_LENGTH {
        return insertion_sort(items, before);
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    sort_tolerantly(left, before);
    sort_tolerantly(right, before);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut l, mut r) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let (Some(&a), Some(&b)) = (l.peek(), r.peek()) {
        merged.extend(if before(b, a) { r.next() } else { l.next() });
    }
    merged.extend(l);
    merged.extend(r);
    items.copy_from_slice(&merged);
}

fn insertion_sort(items: &mut [usize], before: impl Fn(usize, usize) -> bool) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && before(items[at], items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn costs_that_are_no_plain_integers_count_as_0() {
        let cost = |text: &str| deletion_cost(&[(POD_DELETION_COST, text)].into_iter().collect());
        assert_eq!([cost("10"), cost("-10"), cost("0"), cost("-08")], [10, -10, 0, -8]);
        let wrong = ["+10", "008", "", "1.5", "x", "2147483648", " 1", "99999999999999999999"];
        assert!(wrong.iter().all(|text| cost(text) == 0));
        assert_eq!(deletion_cost(&Annotations::default()), 0);
    }

    #[test]
    fn ages_are_told_apart_by_powers_of_two_of_nanoseconds() {
        let now = WallTime::from_unix_nanos(100 * 86_400 * 1_000_000_000);
        let magnitude = |secs: i64| Moment::new(Some(now.timestamp().plus_secs(-secs)), now).magnitude;
        assert_eq!([1, 2, 60, 7200, 18_000, 28_800, 86_400].map(magnitude), [29, 30, 35, 42, 44, 44, 46]);
        assert_eq!([0, -5].map(magnitude), [-1, -1]);
    }

    proptest! {
        #[test]
        fn the_sort_is_a_stable_sort_where_the_relation_is_an_order(keys in prop::collection::vec(0u8..8, 0..200)) {
            let mut items: Vec<usize> = (0..keys.len()).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|at| keys[*at]);
            sort_tolerantly(&mut items, |a, b| keys[a] < keys[b]);
            prop_assert_eq!(items, expected);
        }

        #[test]
        fn the_sort_bears_any_relation(seed in any::<u64>(), length in 0usize..300) {
            let mut items: Vec<usize> = (0..length).collect();
            sort_tolerantly(&mut items, |a, b| (seed.wrapping_mul((a * 977 + b) as u64 | 1) >> 7) & 1 == 1);
            items.sort_unstable();
            prop_assert_eq!(items, (0..length).collect::<Vec<_>>());
        }
    }
}
