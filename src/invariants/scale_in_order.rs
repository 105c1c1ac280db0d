//! A ReplicaSet that shrinks takes pods that are not ready before those that are.

use std::collections::BTreeMap;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, DISRUPTION_TARGET, Key, Kind, Pod, Replicated, Uid};
use crate::sim::{Simulation, Target};

use super::{Invariant, Violation};

/// When a ReplicaSet or ReplicationController has more active pods than it wants, it deletes no pod that is ready while it keeps
/// one that is not (upstream `ActivePodsWithRanks`: assigned, phase and readiness are compared before anything else). Pods that a
/// user, a fault, an eviction or a taint takes away are not its choice.
#[derive(Debug)]
pub struct ScaleInOrder {
    target: Target,
    window: SimDuration,
    set: Uid,
    pods: BTreeMap<Uid, Known>,
    by_users: u64,
}

/// An active pod, and since when it has been ready, or not ready.
#[derive(Clone, Debug)]
struct Known {
    key: Key,
    is_ready: bool,
    since: SimTime,
}

impl ScaleInOrder {
    /// By what is true at the same instant.
    #[must_use]
    pub const fn of(target: Target) -> Self {
        Self::within(target, SimDuration::ZERO)
    }

    /// By what has been true for all of `window`: for control planes with delays.
    #[must_use]
    pub const fn within(target: Target, window: SimDuration) -> Self {
        Self { target, window, set: Uid::None, pods: BTreeMap::new(), by_users: 0 }
    }

    fn look(&mut self, sim: &Simulation, set: &impl Replicated) -> Option<String> {
        let (view, now, meta) = (sim.view(), sim.now(), set.meta());
        let by_users = std::mem::replace(&mut self.by_users, sim.changes_by_user());
        let before = if self.set == meta.uid { std::mem::take(&mut self.pods) } else { BTreeMap::new() };
        self.set = meta.uid.clone();
        for pod in view.pods.controlled_by(&meta.uid).filter(|pod| pod.is_active()) {
            let is_ready = pod.is_ready();
            let since = before.get(&pod.meta.uid).filter(|known| known.is_ready == is_ready).map_or(now, |k| k.since);
            let key = Key::new(meta.namespace.clone(), pod.meta.name.clone());
            self.pods.insert(pod.meta.uid.clone(), Known { key, is_ready, since });
        }
        let excess = before.len() as i64 - i64::from(set.spec().replicas);
        if by_users != self.by_users || excess <= 0 || meta.is_deleting() {
            return None;
        }
        let for_long = |known: &Known| known.since + self.window <= now;
        let was_taken = |(uid, known): &(&Uid, &Known)| {
            let pod = view.pods.get(&known.key).filter(|pod| pod.meta.uid == **uid);
            pod.is_some_and(|pod| pod.meta.is_deleting() && !is_disrupted(pod))
        };
        let taken = before.iter().filter(|(_, known)| known.is_ready && for_long(known)).find(was_taken)?.1;
        let spared = self.pods.values().find(|known| !known.is_ready && known.since < now && for_long(known))?;
        Some(format!(
            "promised to take pods that are not ready first when it shrinks from {} to {}, but pod {} was taken, ready since {}, and \
             {} kept, not ready since {}",
            before.len(),
            set.spec().replicas,
            taken.key,
            taken.since,
            spared.key,
            spared.since
        ))
    }
}

fn is_disrupted(pod: &Pod) -> bool {
    pod.status.conditions.is_true(DISRUPTION_TARGET)
}

impl Invariant for ScaleInOrder {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let (view, key) = (sim.view(), self.target.key.clone());
        let story = match self.target.kind {
            Kind::ReplicationController => {
                view.replication_controllers.get(&key).and_then(|set| self.look(sim, &**set))
            }
            _ => view.replica_sets.get(&key).and_then(|set| self.look(sim, &**set)),
        };
        let name = || Violation::name("scaleInOrder", self.target.kind, &key);
        story.map_or(Ok(()), |story| Err(Violation::new(name(), sim, story)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::DeleteOptions;
    use crate::invariants::Always;
    use crate::sim::Delays;

    /// Two ready pods and one for which there is no room.
    fn cluster() -> (Simulation, Always, Target) {
        let node = crate::sim::NodeTemplate::new("node-0").capacity("cpu", "2").unwrap();
        let mut sim = Simulation::builder().delays(Delays::ideal()).node(node).build().unwrap();
        let containers = json!([{"name": "c", "image": "web", "resources": {"requests": {"cpu": "900m"}}}]);
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}},
        });
        sim.apply(&manifest.to_string()).unwrap();
        let web: Target = "replicaset/web".parse().unwrap();
        let mut promises = Always::new().and(ScaleInOrder::of(web.clone()));
        promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
        assert_eq!(sim.view().pods.iter().filter(|pod| pod.is_ready()).count(), 2);
        (sim, promises, web)
    }

    #[test]
    fn the_pod_that_waits_goes_first_when_a_replica_set_shrinks() {
        let (mut sim, mut promises, web) = cluster();
        sim.scale(&web, 2).unwrap();
        promises.run(&mut sim, SimTime::from_secs(90)).unwrap();
        assert_eq!(sim.view().pods.iter().filter(|pod| pod.is_ready()).count(), 2);
    }

    #[test]
    fn a_ready_pod_that_a_controller_takes_first_is_told_and_one_that_a_user_takes_is_not() {
        for by_user in [true, false] {
            let (mut sim, mut promises, web) = cluster();
            let ready = sim.view().pods.iter().find(|pod| pod.is_ready()).unwrap().meta.name.to_string();
            // As if it had been an event.
            let unless_by_user = |sim: &mut Simulation| (!by_user).then(|| sim.count_as_its_own());
            sim.scale(&web, 2).unwrap();
            unless_by_user(&mut sim);
            promises.check(&sim).unwrap();
            sim.delete(&format!("pod/{ready}").parse().unwrap(), DeleteOptions::default()).unwrap();
            unless_by_user(&mut sim);
            let told = promises.check(&sim).map_or_else(|violation| violation.to_string(), |()| String::new());
            assert_eq!(told.contains(&format!("but pod default/{ready} was taken")), !by_user, "{told}");
        }
    }
}
