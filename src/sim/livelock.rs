//! Time that stands still: at one instant there is no end of events. Two controllers may fight over an object without any delay
//! between them, or one may make objects for ever.

use std::fmt;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType};
use crate::kernel::SimTime;

use super::simulation::Simulation;

/// Events at one instant after which time is held to stand still, plus so many for every object.
const EVENTS: u64 = 100_000;
const EVENTS_PER_OBJECT: u64 = 200;
/// Events at one instant from which on it is noted what they change.
const SUSPICIOUS: u64 = EVENTS / 2;
/// Most different things that are noted, and told.
const MOST_NOTED: usize = 1_000;
const MOST_TOLD: usize = 3;

/// Why time does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Livelock {
    /// The instant.
    pub at: SimTime,
    /// Events there.
    pub events: u64,
    /// What changed most since there were suspiciously many, such as `pods of replicaset/web created 4000 times`; most first.
    pub busiest: Vec<String>,
}

impl fmt::Display for Livelock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, events, busiest } = self;
        write!(f, "time stands still at {at}, after {events} events there: ")?;
        if busiest.is_empty() {
            return f.write_str("they change nothing, and never end");
        }
        write!(f, "objects keep changing without any delay between them, most of all {}", busiest.join(", "))
    }
}

/// The instant of the last events.
#[derive(Clone, Debug, Default)]
pub(super) struct Instant {
    at: SimTime,
    events: u64,
    /// What was changed how often, once there are suspiciously many events.
    changed: FxHashMap<String, u64>,
}

impl Instant {
    /// Another event. Returns whether there are too many, if there are so many objects.
    pub(super) fn count(&mut self, at: SimTime, objects: impl FnOnce() -> usize) -> bool {
        if self.at != at {
            self.at = at;
            self.events = 0;
            self.changed.clear();
        }
        self.events += 1;
        self.events > EVENTS && self.events > EVENTS + EVENTS_PER_OBJECT * objects() as u64
    }

    pub(super) fn note(&mut self, change: &Change) {
        if self.events > SUSPICIOUS {
            let what = told(change);
            if self.changed.len() < MOST_NOTED || self.changed.contains_key(&what) {
                *self.changed.entry(what).or_default() += 1;
            }
        }
    }

    pub(super) fn livelock(&self) -> Livelock {
        let mut changed: Vec<(&String, &u64)> = self.changed.iter().collect();
        changed.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let busiest = changed.into_iter().take(MOST_TOLD).map(|(what, count)| format!("{what} {count} times"));
        Livelock { at: self.at, events: self.events, busiest: busiest.collect() }
    }
}

/// `deployment/web modified`; dependents by their controller, since those that come and go have a new name each time.
fn told(change: &Change) -> String {
    let (object, meta) = (&change.object, change.object.meta());
    let kind = object.kind_name().to_ascii_lowercase();
    let namespace = match &*meta.namespace {
        "" | "default" => String::new(),
        other => format!("{other}/"),
    };
    let what = match meta.controller() {
        Some(owner) => format!("{kind}s of {namespace}{}/{}", owner.kind.to_ascii_lowercase(), owner.name),
        None => format!("{namespace}{kind}/{}", meta.name),
    };
    let did = match change.change_type {
        ChangeType::Added => "created",
        ChangeType::Modified => "modified",
        ChangeType::Deleted => "deleted",
    };
    format!("{what} {did}")
}

impl Simulation {
    /// Why time stands still, if it does: events at this instant never end, or there were so many that a limit was reached
    /// there. The simulation does not go on from there.
    #[must_use]
    pub fn livelock(&self) -> Option<&Livelock> {
        self.livelock.as_deref()
    }

    pub(super) fn count_instant(&mut self, at: SimTime) {
        let view = self.server.view();
        if self.instant.count(at, || view.pods.len() + view.nodes.len()) {
            self.livelock = Some(Box::new(self.instant.livelock()));
        }
    }

    /// Whether no event may happen any more. If a limit was reached by what happened at this very instant, time stands still.
    pub(super) fn has_stopped(&mut self) -> bool {
        if self.livelock.is_none() && self.is_exhausted() && self.instant.events > EVENTS {
            self.livelock = Some(Box::new(self.instant.livelock()));
        }
        self.livelock.is_some() || self.is_exhausted()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api::{Context, Enqueue, KindSet, Part, PatchType, Reconciler, Request, Response, Step, View};
    use crate::objects::{Key, Kind, Pod, Resource, WallTime};
    use crate::sim::Delays;

    /// Wants an annotation of every Deployment to have its own name.
    #[derive(Clone)]
    struct Fighter(&'static str);

    impl Reconciler for Fighter {
        type State = ();

        fn name(&self) -> &'static str {
            self.0
        }

        fn watches(&self) -> KindSet {
            KindSet::of(&[Kind::Deployment])
        }

        fn on_change(&mut self, _: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
            let meta = change.object.meta();
            queue.add(Key::new(meta.namespace.clone(), meta.name.clone()));
        }

        fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
            let Some(deployment) = cx.view.deployments.get(key) else { return Step::done() };
            if deployment.meta.annotations.get("owner") == Some(self.0) {
                return Step::done();
            }
            let document = Arc::new(json!({"metadata": {"annotations": {"owner": self.0}}}));
            let (kind, patch_type, part) = (Kind::Deployment, PatchType::Strategic, Part::Main);
            Step::last(vec![Request::Patch { kind, key: key.clone(), patch_type, document, part }])
        }

        fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
            Step::done()
        }
    }

    /// Makes another pod for every pod.
    #[derive(Clone)]
    struct Maker;

    impl Reconciler for Maker {
        type State = ();

        fn name(&self) -> &'static str {
            "maker"
        }

        fn watches(&self) -> KindSet {
            KindSet::of(&[Kind::Pod])
        }

        fn on_change(&mut self, _: &View, change: &Change, _: WallTime, queue: &mut Enqueue) {
            if change.change_type == ChangeType::Added {
                queue.add(Key::new("default", "all"));
            }
        }

        fn reconcile(&mut self, _: Context<'_>, _: &Key) -> Step<()> {
            let owner = json!({"apiVersion": "example.com/v1", "kind": "Swarm", "name": "bees", "uid": "1", "controller": true});
            let pod = Pod::from_wire(json!({
                "metadata": {"generateName": "bee-", "namespace": "default", "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "c", "image": "bee"}]},
            }));
            Step::last(vec![Request::Create(pod.expect("a pod").into())])
        }

        fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
            Step::done()
        }
    }

    const WEB: &str = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}}, \
        template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: web}]}}}}";

    fn stuck(build: crate::sim::SimulationBuilder) -> Livelock {
        let mut sim = build.delays(Delays::ideal()).nodes(1).build().expect("a cluster");
        sim.set_limits(400_000, usize::MAX);
        sim.run_until(SimTime::from_secs(1));
        sim.apply(WEB).expect("applied");
        sim.run_until(SimTime::from_secs(5));
        assert_eq!(sim.now(), SimTime::from_secs(1));
        sim.livelock().expect("time stands still").clone()
    }

    #[test]
    fn two_controllers_that_fight_are_told_by_what_they_fight_over() {
        let stuck = stuck(Simulation::builder().controller(Fighter("red")).controller(Fighter("blue")));
        assert!(stuck.busiest[0].starts_with("deployment/web modified "), "{stuck}");
        let told = stuck.to_string();
        assert!(told.starts_with("time stands still at 1s, after 100"), "{told}");
    }

    #[test]
    fn objects_that_are_made_for_ever_are_told_by_their_maker() {
        let stuck = stuck(Simulation::builder().controller(Maker));
        assert!(stuck.busiest.iter().any(|what| what.starts_with("pods of swarm/bees created ")), "{stuck}");
    }

    #[test]
    fn much_at_one_instant_is_no_livelock() {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(40).build().expect("a cluster");
        sim.apply(&WEB.replace("replicas: 1", "replicas: 4000")).expect("applied");
        sim.run_until(SimTime::from_secs(5));
        assert_eq!((sim.livelock(), sim.now()), (None, SimTime::from_secs(5)));
    }
}
