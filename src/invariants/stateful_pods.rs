//! The pods of a StatefulSet come and go in order, and there is at most one for each ordinal.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, DISRUPTION_TARGET, Key, Kind, Pod, PodManagementPolicy, StatefulSet, Uid};
use crate::sim::Simulation;

use super::window::Window;
use super::{Invariant, Violation};

/// A StatefulSet that is `OrderedReady` creates a pod only when those of all lower ordinals are running and ready, and
/// of the pods that it does not ask for any more it deletes the one with the highest ordinal first. Pods that it adopts
/// or that are evicted are left out; a deletion by hand of a pod that is not asked for counts as its own.
#[derive(Debug)]
pub struct OrderedPods {
    set: Key,
    window: SimDuration,
    /// What was seen of this StatefulSet, by its uid.
    seen: Option<(Uid, Seen)>,
}

#[derive(Debug)]
struct Seen {
    /// The ordinals that were asked for of late.
    ordinals: Window<Range<i64>>,
    /// When the pod of an ordinal was last seen running and ready.
    ready: BTreeMap<i32, SimTime>,
    /// Pods that are known, and whether they are being deleted.
    pods: BTreeMap<Uid, bool>,
}

impl OrderedPods {
    /// By what is true at the same instant.
    #[must_use]
    pub fn of(set: Key) -> Self {
        Self::within(set, SimDuration::ZERO)
    }

    /// By anything that was true in the last `window`: for control planes with delays.
    #[must_use]
    pub const fn within(set: Key, window: SimDuration) -> Self {
        Self { set, window, seen: None }
    }

    fn broken(&self, sim: &Simulation, story: String) -> Violation {
        Violation { invariant: Violation::name("orderedPods", Kind::StatefulSet, &self.set), at: sim.now(), story }
    }
}

impl Invariant for OrderedPods {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(set) = sim.view().stateful_sets.get(&self.set).cloned() else {
            self.seen = None;
            return Ok(());
        };
        if set.meta.is_deleting() || set.spec.pod_management_policy == PodManagementPolicy::Parallel {
            return Ok(());
        }
        let pods = pods(sim, &set);
        let is_new = self.seen.as_ref().is_none_or(|(uid, _)| *uid != set.meta.uid);
        let mut seen = match self.seen.take().filter(|_| !is_new) {
            Some((_, seen)) => seen,
            None => Seen { ordinals: Window::new(self.window), ready: BTreeMap::new(), pods: BTreeMap::new() },
        };
        let first = i64::from(set.spec.first_ordinal());
        seen.ordinals.push(sim.now(), first..first + i64::from(set.spec.replicas));
        let ready = pods.iter().filter(|(_, pod)| pod.is_running_and_ready());
        seen.ready.extend(ready.map(|(ordinal, _)| (*ordinal, sim.now())));
        // What was there before the watch began is taken as it is, unless the StatefulSet itself is new.
        let story = if is_new && sim.now() > SimTime::ZERO && set.status.observed_generation > 0 {
            None
        } else {
            seen.too_early(sim, &set, &pods, self.window).or_else(|| seen.out_of_turn(&pods))
        };
        seen.pods = pods.iter().map(|(_, pod)| (pod.meta.uid.clone(), pod.meta.is_deleting())).collect();
        self.seen = Some((set.meta.uid.clone(), seen));
        story.map_or(Ok(()), |story| Err(self.broken(sim, story)))
    }
}

impl Seen {
    /// Tells of a new pod that did not wait for a lower one.
    fn too_early(
        &self,
        sim: &Simulation,
        set: &StatefulSet,
        pods: &[(i32, &Pod)],
        window: SimDuration,
    ) -> Option<String> {
        let start = self.ordinals.iter().filter_map(|wanted| i32::try_from(wanted.start).ok()).max().unwrap_or(0);
        let since = sim.now().checked_sub(window).unwrap_or(SimTime::ZERO);
        let born = sim.wall().plus_nanos(-i64::try_from(window.as_nanos()).unwrap_or(i64::MAX)).timestamp();
        let is_new = |pod: &Pod| {
            !self.pods.contains_key(&pod.meta.uid) && pod.meta.creation_timestamp.is_some_and(|at| at >= born)
        };
        let (ordinal, pod) = pods.iter().find(|(ordinal, pod)| set.spec.has_ordinal(*ordinal) && is_new(pod))?;
        let missing = (start..*ordinal).find(|lower| self.ready.get(lower).is_none_or(|at| *at < since))?;
        let lower = format!("{}-{missing}", set.meta.name);
        let last = match self.ready.get(&missing) {
            Some(at) => format!("last so at {at}"),
            None => "it has never been".to_owned(),
        };
        Some(format!("pod {} was created while {lower} was not running and ready ({last})", pod.meta.name))
    }

    /// Tells of a pod that is deleted although one with a higher ordinal should go first.
    fn out_of_turn(&self, pods: &[(i32, &Pod)]) -> Option<String> {
        let was_wanted = |ordinal: i32| self.ordinals.iter().any(|wanted| wanted.contains(&i64::from(ordinal)));
        let surplus = || pods.iter().filter(|(ordinal, _)| !was_wanted(*ordinal));
        let taken = |pod: &Pod| {
            pod.meta.is_deleting()
                && self.pods.get(&pod.meta.uid) == Some(&false)
                && !pod.status.conditions.is_true(DISRUPTION_TARGET)
        };
        let (ordinal, pod) = surplus().find(|(_, pod)| taken(pod))?;
        let (_, higher) = surplus().find(|(other, pod)| other > ordinal && !pod.meta.is_deleting())?;
        Some(format!("pod {} was deleted before {}, which has a higher ordinal", pod.meta.name, higher.meta.name))
    }
}

/// A StatefulSet has at most one pod for each ordinal.
#[derive(Debug)]
pub struct OnePodPerOrdinal {
    set: Key,
}

impl OnePodPerOrdinal {
    /// At every instant.
    #[must_use]
    pub const fn of(set: Key) -> Self {
        Self { set }
    }
}

impl Invariant for OnePodPerOrdinal {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(set) = sim.view().stateful_sets.get(&self.set) else { return Ok(()) };
        let pods = pods(sim, set);
        let twins = pods.windows(2).find(|pair| pair[0].0 == pair[1].0);
        twins.map_or(Ok(()), |pair| {
            let [(ordinal, one), (_, other)] = [pair[0], pair[1]];
            let story = format!("pods {} and {} both have ordinal {ordinal}", one.meta.name, other.meta.name);
            Err(Violation {
                invariant: Violation::name("onePodPerOrdinal", Kind::StatefulSet, &self.set),
                at: sim.now(),
                story,
            })
        })
    }
}

/// The pods of a StatefulSet that have an ordinal, by it.
fn pods<'a>(sim: &'a Simulation, set: &StatefulSet) -> Vec<(i32, &'a Pod)> {
    let own = sim.view().pods.controlled_by(&set.meta.uid);
    let mut pods: Vec<(i32, &Pod)> = own.filter_map(|pod| Some((set.ordinal_of(&pod.meta.name)?, &**pod))).collect();
    pods.sort_by_key(|(ordinal, _)| *ordinal);
    pods
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::DeleteOptions;
    use crate::invariants::Always;
    use crate::sim::{Delays, Target};

    /// StatefulSet `db` with ready pods, and what watches it.
    fn ready(replicas: i32) -> (Simulation, Always) {
        let behaviour = serde_json::from_value(json!({"image": "*", "terminate": "5s"})).unwrap();
        let builder = Simulation::builder().delays(Delays::ideal()).nodes(2).behaviour(behaviour);
        let mut sim = builder.build().unwrap();
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "db"}}, "template": template()},
        });
        sim.apply(&manifest.to_string()).unwrap();
        let key = Key::new("default", "db");
        let mut promises = Always::new().and(OrderedPods::of(key.clone())).and(OnePodPerOrdinal::of(key));
        promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
        (sim, promises)
    }

    fn template() -> Value {
        json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "db:v1"}]}})
    }

    /// A pod that the controller did not make, but that says so.
    fn forge(sim: &mut Simulation, name: &str) {
        let set = sim.view().stateful_sets.iter().next().unwrap().meta.uid.to_string();
        let mut pod = template();
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = name.into();
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": set, "controller": true});
        pod["metadata"]["ownerReferences"] = json!([owner]);
        sim.apply(&pod.to_string()).unwrap();
    }

    fn delete(sim: &mut Simulation, pod: &str) {
        let target: Target = format!("pod/{pod}").parse().unwrap();
        sim.delete(&target, DeleteOptions::default()).unwrap();
    }

    fn scale(sim: &mut Simulation, replicas: i32) {
        sim.scale(&"statefulset/db".parse().unwrap(), replicas).unwrap();
    }

    fn broken(sim: &mut Simulation, promises: &mut Always) -> String {
        let end = sim.now() + SimDuration::from_secs(30);
        promises
            .run(sim, end)
            .map_or_else(|violation| format!("{}: {}", violation.invariant, violation.story), |()| "".into())
    }

    #[test]
    fn scaling_in_order_is_as_promised() {
        let (mut sim, mut promises) = ready(2);
        for replicas in [5, 1, 3] {
            scale(&mut sim, replicas);
            assert_eq!(broken(&mut sim, &mut promises), "");
        }
    }

    #[test]
    fn a_pod_that_did_not_wait_is_told() {
        let (mut sim, mut promises) = ready(2);
        delete(&mut sim, "db-1");
        promises.run(&mut sim, SimTime::from_secs(62)).unwrap();
        scale(&mut sim, 3);
        forge(&mut sim, "db-2");
        let story = "orderedPods(statefulset/db): pod db-2 was created while db-1 was not running and ready (it has never been)";
        // The old db-1 is still ready while it ends.
        assert_eq!(broken(&mut sim, &mut promises), "");
        let (mut sim, mut promises) = ready(1);
        scale(&mut sim, 3);
        forge(&mut sim, "db-2");
        assert_eq!(broken(&mut sim, &mut promises), story);
    }

    #[test]
    fn a_pod_that_goes_out_of_turn_is_told() {
        let (mut sim, mut promises) = ready(4);
        scale(&mut sim, 1);
        promises.run(&mut sim, SimTime::from_secs(61)).unwrap();
        delete(&mut sim, "db-1");
        let story = "orderedPods(statefulset/db): pod db-1 was deleted before db-2, which has a higher ordinal";
        assert_eq!(broken(&mut sim, &mut promises), story);
    }

    #[test]
    fn two_pods_of_one_ordinal_are_told() {
        let (mut sim, mut promises) = ready(2);
        forge(&mut sim, "db-01");
        let told = broken(&mut sim, &mut promises);
        assert!(
            told.starts_with("onePodPerOrdinal(statefulset/db): pods db-") && told.ends_with("both have ordinal 1"),
            "{told}"
        );
    }
}
