//! Scaling during a rollout: the pods to add or remove are shared out in proportion (upstream `scale`).

use std::cmp::Reverse;
use std::sync::Arc;

use crate::objects::{Deployment, ReplicaSet};

use super::util::annotations::{is_scaled_for, noted_max_replicas};
use super::util::fenceposts::{is_rolling_update, max_replicas};
use super::util::sets::{ReplicaSets, by_age};

/// A size that a ReplicaSet is brought to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Place of the ReplicaSet.
    pub at: usize,
    /// Its size.
    pub to: i32,
}

/// What the Event about a resize says.
#[must_use]
pub fn message(name: &str, from: i32, to: i32) -> String {
    let direction = if from < to { "up" } else { "down" };
    format!("Scaled {direction} replica set {name} from {from} to {to}")
}

/// The sizes that ReplicaSets get when a Deployment is scaled or paused, in the order of the writes. One that keeps
/// its size may be among them: the Deployment's size is noted on it.
#[must_use]
pub fn plan(deployment: &Deployment, sets: &ReplicaSets) -> Vec<Resize> {
    let replicas = deployment.spec.replicas;
    let mut active = sets.active().map(|(at, _)| at);
    match (active.next(), active.next()) {
        (None, _) => {
            let newest = sets.new_index().or_else(|| sets.old().next_back().map(|(at, _)| at));
            newest.and_then(|at| change(sets, at, replicas)).into_iter().collect()
        }
        (Some(only), None) => change(sets, only, replicas).into_iter().collect(),
        _ if sets.new_set().is_some_and(|set| is_saturated(deployment, set)) => {
            newest_first(sets).filter(|at| Some(*at) != sets.new_index()).map(|at| Resize { at, to: 0 }).collect()
        }
        _ if is_rolling_update(&deployment.spec) => proportional(deployment, sets),
        _ => Vec::new(),
    }
}

fn change(sets: &ReplicaSets, at: usize, to: i32) -> Option<Resize> {
    (sets.all()[at].spec.replicas != to).then_some(Resize { at, to })
}

/// Whether a ReplicaSet has all the pods that its Deployment wants, available.
fn is_saturated(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let replicas = deployment.spec.replicas;
    set.spec.replicas == replicas && set.status.available_replicas == replicas && is_scaled_for(set, replicas)
}

/// Active ReplicaSets: the old ones, newest first, then the new one.
fn newest_first(sets: &ReplicaSets) -> impl Iterator<Item = usize> {
    let new = sets.new_index().filter(|at| sets.all()[*at].spec.replicas > 0);
    sets.old().rev().filter(|(_, set)| set.spec.replicas > 0).map(|(at, _)| at).chain(new)
}

/// Shares the pods to add or remove out, the largest ReplicaSet first: among equal ones the newest when adding, the
/// oldest when removing. What rounding leaves goes to the first.
fn proportional(deployment: &Deployment, sets: &ReplicaSets) -> Vec<Resize> {
    let set = |at: usize| -> &Arc<ReplicaSet> { &sets.all()[at] };
    let mut order: Vec<usize> = newest_first(sets).collect();
    let total = order.iter().fold(0i32, |sum, at| sum.wrapping_add(set(*at).spec.replicas));
    let allowed = if deployment.spec.replicas > 0 { max_replicas(&deployment.spec) } else { 0 };
    let to_add = allowed.wrapping_sub(total);
    let size = |at: usize| Reverse(set(at).spec.replicas);
    if to_add > 0 {
        order.sort_by(|a, b| size(*a).cmp(&size(*b)).then_with(|| by_age(set(*b), set(*a))));
    } else if to_add < 0 {
        order.sort_by(|a, b| size(*a).cmp(&size(*b)).then_with(|| by_age(set(*a), set(*b))));
    }
    let mut added = 0i32;
    let mut plan = Vec::with_capacity(order.len());
    for at in order {
        let share = share(deployment, set(at), to_add, added);
        plan.push(Resize { at, to: set(at).spec.replicas.wrapping_add(share) });
        added = added.wrapping_add(share);
    }
    if let Some(first) = plan.first_mut().filter(|_| to_add != 0) {
        first.to = first.to.wrapping_add(to_add.wrapping_sub(added)).max(0);
    }
    plan
}

/// How many of the pods to add (or, negative, to remove) fall to one ReplicaSet, of which `added` are spoken for
/// (upstream `GetReplicaSetProportion`).
#[must_use]
pub fn share(deployment: &Deployment, set: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    if set.spec.replicas == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let left = to_add.wrapping_sub(added);
    let fraction = fraction(deployment, set);
    if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// How much a ReplicaSet would change if it kept its part of the whole. The product keeps its low 32 bits, as
/// upstream's does: very large Deployments are scaled wrongly there too.
fn fraction(deployment: &Deployment, set: &ReplicaSet) -> i32 {
    let replicas = set.spec.replicas;
    if deployment.spec.replicas == 0 {
        return replicas.wrapping_neg();
    }
    let before = noted_max_replicas(set).filter(|noted| *noted != 0).unwrap_or(deployment.status.replicas);
    if before == 0 {
        return 0;
    }
    let product = replicas.wrapping_mul(max_replicas(&deployment.spec));
    divide_rounding(product, before).wrapping_sub(replicas)
}

/// The quotient rounded to the nearest integer, halves away from zero.
fn divide_rounding(a: i32, b: i32) -> i32 {
    let (a, b) = (i64::from(a), i64::from(b));
    let magnitude = (2 * a.abs() + b.abs()) / (2 * b.abs());
    (magnitude * a.signum() * b.signum()) as i32
}
