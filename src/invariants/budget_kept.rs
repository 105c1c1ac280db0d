//! Evictions leave as many healthy pods as a PodDisruptionBudget asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::View;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{
    Conditions, DISRUPTION_TARGET, IntOrPercent, Key, Kind, Object, Pod, PodDisruptionBudget, PodPhase, Resource,
    Rounding, Timestamp, Uid, disruption_reason,
};
use crate::sim::Simulation;

use super::window::Window;
use super::{Invariant, Violation};

/// When an eviction is granted, the healthy pods of the budget that are then left are not fewer than it asks for. Healthy
/// are pods that are ready and not being deleted; they, and how many there should be, are counted here anew, and not taken from
/// the budget's status.
///
/// Left out is what upstream leaves out: evictions of pods that have ended, have not started or are being deleted already, and
/// those of pods that are not ready under `unhealthyPodEvictionPolicy: AlwaysAllow`. Disruptions that ask no budget (deletions,
/// rollouts, preemption, lost nodes) break no promise, but an eviction on top of them does.
#[derive(Debug)]
pub struct BudgetKept {
    budget: Key,
    window: SimDuration,
    seen: Option<Seen>,
}

/// What was seen of a budget.
#[derive(Debug)]
struct Seen {
    uid: Uid,
    pods: BTreeMap<Uid, Known>,
    /// How many healthy pods it asked for of late; `None`: that could not be told, and so nothing may go.
    desired: Window<Option<i64>>,
    /// Evictions that the API server noted in the budget, with their times.
    granted: BTreeMap<Arc<str>, Timestamp>,
}

/// A pod that the budget covers, or covered a moment ago.
#[derive(Debug)]
struct Known {
    key: Key,
    /// When it was last seen healthy.
    healthy: Option<SimTime>,
    /// Whether an eviction has to ask the budget.
    asks: bool,
    /// Whether it was healthy at the last look.
    ready: bool,
    evicted: bool,
}

impl BudgetKept {
    /// By what is true at the same instant.
    #[must_use]
    pub const fn of(budget: Key) -> Self {
        Self::within(budget, SimDuration::ZERO)
    }

    /// By anything that was true in the last `window`: for control planes with delays, whose budgets know of a lost pod only
    /// after a while.
    #[must_use]
    pub const fn within(budget: Key, window: SimDuration) -> Self {
        Self { budget, window, seen: None }
    }

    /// What is wrong about evictions that were granted.
    fn judge(&self, sim: &Simulation, seen: &Seen, evicted: &[Key]) -> Option<String> {
        if evicted.is_empty() {
            return None;
        }
        let since = sim.now().checked_sub(self.window).unwrap_or(SimTime::ZERO);
        let healthy = |pod: &&Known| !pod.evicted && pod.healthy.is_some_and(|at| at >= since);
        let left = seen.pods.values().filter(healthy).count() as i64;
        let names: Vec<String> = evicted.iter().map(ToString::to_string).collect();
        let were = if names.len() == 1 { "was" } else { "were" };
        let names = names.join(", ");
        match seen.desired.iter().copied().flatten().min() {
            Some(least) if left >= least => None,
            Some(least) => {
                Some(format!("{names} {were} evicted, which left {left} healthy pods where there must be {least}"))
            }
            None => Some(format!("{names} {were} evicted, although it cannot be told how many pods there should be")),
        }
    }
}

impl Seen {
    fn new(budget: &PodDisruptionBudget, window: SimDuration) -> Self {
        let granted = budget.status.disrupted_pods.clone();
        Self { uid: budget.meta.uid.clone(), pods: BTreeMap::new(), desired: Window::new(window), granted }
    }

    /// Marks the pods that were evicted since the last look, and returns those that could not go without the budget's leave.
    fn note_evictions(&mut self, view: &View, budget: &PodDisruptionBudget) -> Vec<Key> {
        let mut evicted = Vec::new();
        for (uid, known) in self.pods.iter_mut().filter(|(_, known)| known.asks && !known.evicted) {
            known.evicted = match view.pods.get(&known.key) {
                Some(pod) if pod.meta.uid == *uid => pod.meta.is_deleting() && evicted_by_api(pod),
                // With a grace period of zero nothing is left of it but the note.
                _ => {
                    let noted = budget.status.disrupted_pods.get(&known.key.name);
                    noted.is_some() && noted != self.granted.get(&known.key.name)
                }
            };
            if known.evicted && (known.ready || !budget.always_allows_unhealthy()) {
                evicted.push(known.key.clone());
            }
        }
        self.granted.clone_from(&budget.status.disrupted_pods);
        evicted
    }

    /// Takes in how the pods of the budget are now, and forgets those that were healthy before `since` only.
    fn look(&mut self, pods: &[&Arc<Pod>], now: SimTime, since: SimTime) {
        // What was so at the last look was so until now.
        for known in self.pods.values_mut().filter(|known| known.ready) {
            known.healthy = Some(now);
        }
        let mut there = BTreeSet::new();
        for pod in pods {
            let uid = &pod.meta.uid;
            let is_going = pod.meta.is_deleting();
            let known = self.pods.entry(uid.clone()).or_insert_with(|| Known {
                key: pod.key(),
                healthy: None,
                asks: false,
                ready: false,
                evicted: is_going && evicted_by_api(pod),
            });
            known.ready = pod.is_ready() && !is_going;
            known.asks = !pod.is_terminal() && pod.status.phase != PodPhase::Pending && !is_going;
            if known.ready {
                known.healthy = Some(now);
            }
            there.insert(uid.clone());
        }
        self.pods.retain(|uid, known| there.contains(uid) || known.healthy.is_some_and(|at| at >= since));
        for (_, gone) in self.pods.iter_mut().filter(|(uid, _)| !there.contains(uid)) {
            (gone.asks, gone.ready) = (false, false);
        }
    }
}

impl Invariant for BudgetKept {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let (view, now) = (sim.view(), sim.now());
        let Some(budget) = view.pod_disruption_budgets.get(&self.budget) else {
            self.seen = None;
            return Ok(());
        };
        let seen = self.seen.take().filter(|seen| seen.uid == budget.meta.uid);
        let mut seen = seen.unwrap_or_else(|| Seen::new(budget, self.window));
        let all = view.pods.in_namespace(&self.budget.namespace);
        let pods: Vec<&Arc<Pod>> = all.filter(|pod| budget.covers(pod)).collect();
        let evicted = seen.note_evictions(view, budget);
        seen.desired.push(now, desired(view, budget, &pods));
        seen.look(&pods, now, now.checked_sub(self.window).unwrap_or(SimTime::ZERO));
        let story = self.judge(sim, &seen, &evicted);
        self.seen = Some(seen);
        story.map_or(Ok(()), |story| {
            let invariant = Violation::name("budgetKept", Kind::PodDisruptionBudget, &self.budget);
            Err(Violation { invariant, at: now, story })
        })
    }
}

fn evicted_by_api(pod: &Pod) -> bool {
    let target = pod.status.conditions.find(DISRUPTION_TARGET);
    target.is_some_and(|condition| condition.reason == *disruption_reason::EVICTION_BY_EVICTION_API)
}

/// How many healthy pods the budget asks for; `None` if that cannot be told.
fn desired(view: &View, budget: &PodDisruptionBudget, pods: &[&Arc<Pod>]) -> Option<i64> {
    let of = |bound: &IntOrPercent, total: i32| bound.scaled_value(total, Rounding::Up).ok().map(i64::from);
    match (&budget.spec.min_available, &budget.spec.max_unavailable) {
        (Some(IntOrPercent::Int(least)), _) => Some(i64::from(*least)),
        (Some(percent), _) => of(percent, replicas(view, pods)?),
        (None, Some(most)) => {
            let total = replicas(view, pods)?;
            Some((i64::from(total) - of(most, total)?).max(0))
        }
        (None, None) => Some(0),
    }
}

/// The replicas that those ask for who made the pods; pods that nobody made count for nothing.
fn replicas(view: &View, pods: &[&Arc<Pod>]) -> Option<i32> {
    let mut makers: BTreeMap<Uid, i32> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = pod.meta.controller() else { continue };
        let namespace = &pod.meta.namespace;
        let kind = Kind::of(&owner.api_version, &owner.kind)?;
        let mut maker = view.object(kind, &Key::new(namespace.clone(), owner.name.clone()))?;
        if maker.meta().uid != owner.uid {
            return None;
        }
        let above = match &maker {
            Object::ReplicaSet(set) => set.meta.controller(),
            _ => None,
        };
        let deployment = above.and_then(|above| view.deployments.get(&Key::new(namespace.clone(), above.name.clone())));
        if let (Some(deployment), Some(above)) = (deployment, above)
            && deployment.meta.uid == above.uid
        {
            maker = deployment.clone().into();
        }
        makers.insert(maker.meta().uid.clone(), maker.replicas()?);
    }
    Some(makers.values().fold(0, |sum, replicas| sum.saturating_add(*replicas)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{DeleteOptions, Part, PatchType, Request};
    use crate::invariants::Always;
    use crate::sim::{Delays, Target};

    fn cluster(budget: &Value) -> (Simulation, Always) {
        let behaviour = |image: &str, ready: &str| {
            serde_json::from_value(json!({"image": image, "ready": ready, "terminate": "1s"})).unwrap()
        };
        let builder = Simulation::builder().delays(Delays::ideal()).nodes(2);
        let mut sim =
            builder.behaviour(behaviour("broken", "never")).behaviour(behaviour("web", "20s")).build().unwrap();
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 4, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "web"}]},
                },
            },
        });
        let mut spec = json!({"selector": {"matchLabels": {"app": "web"}}});
        spec.as_object_mut().unwrap().extend(budget.as_object().unwrap().clone());
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec});
        sim.apply(&deployment.to_string()).unwrap();
        sim.apply(&budget.to_string()).unwrap();
        let mut promises = Always::new().and(BudgetKept::of(Key::new("default", "web")));
        promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
        (sim, promises)
    }

    fn nth(sim: &Simulation, nth: usize) -> Key {
        sim.view().pods.iter().nth(nth).unwrap().key()
    }

    fn evict(sim: &mut Simulation, pod: &Key) -> bool {
        sim.evict(pod, DeleteOptions::default()).is_ok()
    }

    /// Lies about how many pods may go, as a broken controller would.
    fn forge(sim: &mut Simulation, allowed: i32) {
        let (kind, key) = (Kind::PodDisruptionBudget, Key::new("default", "web"));
        let document = Arc::new(json!({"status": {"disruptionsAllowed": allowed}}));
        sim.execute(&Request::Patch { kind, key, patch_type: PatchType::Merge, document, part: Part::Status }).unwrap();
    }

    fn told(sim: &Simulation, promises: &mut Always) -> String {
        promises.check(sim).map_or_else(|violation| violation.story, |()| String::new())
    }

    #[test]
    fn what_the_budget_grants_is_as_promised() {
        for budget in [json!({"minAvailable": 3}), json!({"maxUnavailable": 1}), json!({"minAvailable": "75%"})] {
            let (mut sim, mut promises) = cluster(&budget);
            let (first, second) = (nth(&sim, 0), nth(&sim, 1));
            assert!(evict(&mut sim, &first) && !evict(&mut sim, &second));
            assert_eq!(told(&sim, &mut promises), "", "{budget}");
        }
    }

    #[test]
    fn an_eviction_that_the_budget_should_not_have_granted_is_told() {
        for budget in [json!({"minAvailable": 4}), json!({"maxUnavailable": 0}), json!({"minAvailable": "76%"})] {
            let (mut sim, mut promises) = cluster(&budget);
            let first = nth(&sim, 0);
            forge(&mut sim, 1);
            assert!(evict(&mut sim, &first));
            let story = format!("{first} was evicted, which left 3 healthy pods where there must be 4");
            assert_eq!(told(&sim, &mut promises), story, "{budget}");
        }
    }

    #[test]
    fn an_eviction_without_grace_is_seen_too() {
        let (mut sim, mut promises) = cluster(&json!({"minAvailable": 4}));
        let first = nth(&sim, 0);
        forge(&mut sim, 1);
        sim.evict(&first, DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() }).unwrap();
        assert!(sim.view().pods.get(&first).is_none());
        assert!(told(&sim, &mut promises).contains("left 3 healthy pods"));
    }

    #[test]
    fn deletions_ask_no_budget_but_an_eviction_on_top_of_them_does() {
        let (mut sim, mut promises) = cluster(&json!({"minAvailable": 3}));
        for at in [0, 1] {
            let pod = Target { kind: Kind::Pod, key: nth(&sim, at) };
            sim.delete(&pod, DeleteOptions::default()).unwrap();
        }
        assert_eq!(told(&sim, &mut promises), "");
        let later = sim.now() + SimDuration::from_millis(1);
        promises.run(&mut sim, later).unwrap();
        let third = nth(&sim, 2);
        forge(&mut sim, 1);
        assert!(evict(&mut sim, &third));
        assert!(told(&sim, &mut promises).contains("where there must be 3"));
    }

    #[test]
    fn a_pod_that_is_not_ready_may_go_where_the_policy_says_so() {
        for (policy, may) in [("AlwaysAllow", true), ("IfHealthyBudget", false)] {
            let (mut sim, mut promises) = cluster(&json!({"minAvailable": 4, "unhealthyPodEvictionPolicy": policy}));
            sim.set_image(&"deployment/web".parse().unwrap(), "c", "broken").unwrap();
            sim.scale(&"deployment/web".parse().unwrap(), 5).unwrap();
            promises.run(&mut sim, SimTime::from_secs(70)).unwrap();
            // One of the old ones goes, so that there are too few.
            let old = Target { kind: Kind::Pod, key: nth(&sim, 0) };
            sim.delete(&old, DeleteOptions::default()).unwrap();
            promises.run(&mut sim, SimTime::from_secs(71)).unwrap();
            let waiting = sim.view().pods.iter().find(|pod| !pod.is_ready() && !pod.meta.is_deleting()).unwrap().key();
            assert_eq!(evict(&mut sim, &waiting), may, "{policy}");
            assert_eq!(told(&sim, &mut promises), "", "{policy}");
        }
    }
}
