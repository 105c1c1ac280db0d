//! A controller of one's own, and how the property kit finds the bug in it: `cargo run --release --example custom_controller
//! --features proptest`.
//!
//! The controller rolls an application out blue/green. What is wanted stands on a Service, as the annotation `example.com/image`;
//! the pods are those of two ReplicaSets, `web-blue` and `web-green`. A new image goes to the colour that has no traffic; when its
//! pods are ready the Service is switched over. The old colour is kept warm for a minute, so that one can go back at once.
//!
//! The bug: a new image may be wanted while the other colour is still warm. Changing the template of a ReplicaSet changes none of its
//! pods, so the controller that only looks at the number of ready pods switches the Service to pods of an image that nobody wants
//! any more. Two changes within a minute are needed to see it.
#![allow(clippy::print_stdout, reason = "an example talks")]

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use seatrial::api::{Change, Context, Enqueue, KindSet, Part, PatchType, Reconciler, Request, Response, Step, View};
use seatrial::invariants::{Invariant, Violation};
use seatrial::kernel::SimDuration;
use seatrial::objects::{Key, Kind, Labels, ReplicaSet, Resource, Service, WallTime};
use seatrial::scenario::Extensions;
use seatrial::sim::Simulation;
use seatrial::testing::{Cases, Counterexample, FaultKind, Harness, Step as UserStep};
use serde_json::{Value, json};

const IMAGE: &str = "example.com/image";
const SWITCHED: &str = "example.com/switched";
const PODS: i32 = 3;
/// How long the old colour is kept after a switch, s.
const WARM_SECS: i64 = 60;

/// Rolls the application out blue/green.
#[derive(Clone, Debug)]
pub(crate) struct BlueGreen {
    /// Whether it empties a colour before it gives it another image.
    is_mended: bool,
}

fn web(name: &str) -> Key {
    Key::new("default", name)
}

fn image(set: &ReplicaSet) -> &str {
    set.spec.template.spec.containers.first().map_or("", |container| &*container.image)
}

fn colour(service: &Service) -> &str {
    service.spec.selector.as_ref().and_then(|selector| selector.get("colour")).unwrap_or_default()
}

fn patch(kind: Kind, key: &Key, document: Value) -> Request {
    let document = Arc::new(document);
    Request::Patch { kind, key: key.clone(), patch_type: PatchType::Strategic, document, part: Part::Main }
}

fn scale(set: &ReplicaSet, replicas: i32) -> Request {
    patch(Kind::ReplicaSet, &set.key(), json!({"spec": {"replicas": replicas}}))
}

impl BlueGreen {
    /// The next thing to do, with the request for it, and when to look again without a change.
    fn next(&self, view: &View, service: &Service, now: WallTime) -> Option<(Vec<Request>, Option<SimDuration>)> {
        let wanted = service.meta.annotations.get(IMAGE)?;
        let live_colour = colour(service);
        let idle_colour = if live_colour == "blue" { "green" } else { "blue" };
        let live = view.replica_sets.get(&web(&format!("web-{live_colour}")))?;
        let idle = view.replica_sets.get(&web(&format!("web-{idle_colour}")))?;
        if image(live) == wanted {
            let switched: i64 = service.meta.annotations.get(SWITCHED).and_then(|at| at.parse().ok()).unwrap_or(0);
            let warm = switched + WARM_SECS - now.timestamp().as_unix_secs();
            return match u64::try_from(warm) {
                _ if idle.spec.replicas == 0 => None,
                Ok(secs @ 1..) => Some((Vec::new(), Some(SimDuration::from_secs(secs)))),
                _ => Some((vec![scale(idle, 0)], None)),
            };
        }
        let is_observed = idle.status.observed_generation == idle.meta.generation;
        if image(idle) != wanted {
            // The pods of a ReplicaSet keep the image that they were made with.
            if self.is_mended && (idle.spec.replicas > 0 || idle.status.replicas > 0 || !is_observed) {
                let is_empty = idle.spec.replicas == 0;
                return Some((if is_empty { Vec::new() } else { vec![scale(idle, 0)] }, None));
            }
            let containers = json!([{"name": "c", "image": wanted}]);
            let spec = json!({"replicas": PODS, "template": {"spec": {"containers": containers}}});
            return Some((vec![patch(Kind::ReplicaSet, &idle.key(), json!({"spec": spec}))], None));
        }
        if idle.spec.replicas < PODS {
            return Some((vec![scale(idle, PODS)], None));
        }
        if !is_observed || idle.status.ready_replicas < PODS {
            return None;
        }
        let annotations = json!({SWITCHED: now.timestamp().as_unix_secs().to_string()});
        let switch = json!({"metadata": {"annotations": annotations}, "spec": {"selector": {"colour": idle_colour}}});
        Some((vec![patch(Kind::Service, &service.key(), switch)], None))
    }
}

impl Reconciler for BlueGreen {
    type State = ();

    fn name(&self) -> &'static str {
        "blue-green-controller"
    }

    fn watches(&self) -> KindSet {
        KindSet::of(&[Kind::Service, Kind::ReplicaSet])
    }

    fn on_change(&mut self, _: &View, _: &Change, _: WallTime, queue: &mut Enqueue) {
        queue.add(web("web"));
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        let service = cx.view.services.get(key).filter(|_| cx.expectations_met);
        match service.and_then(|service| self.next(cx.view, service, cx.now)) {
            Some((requests, Some(later))) => Step::last(requests).requeue_after(later),
            Some((requests, None)) => Step::last(requests),
            None => Step::done(),
        }
    }

    fn resume(&mut self, _: Context<'_>, _: &Key, (): (), _: Vec<Response>) -> Step<()> {
        Step::done()
    }
}

/// When the Service is switched over, it leads to ready pods only of an image that is wanted, or was a moment ago.
#[derive(Debug, Default)]
pub(crate) struct SwitchedToWhatIsWanted {
    selector: Option<Labels>,
    wanted: String,
    wanted_before: String,
}

impl Invariant for SwitchedToWhatIsWanted {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(service) = sim.view().services.get(&web("web")) else { return Ok(()) };
        let wanted = service.meta.annotations.get(IMAGE).unwrap_or_default();
        if self.wanted != wanted {
            self.wanted_before = std::mem::replace(&mut self.wanted, wanted.to_owned());
        }
        let selector = service.spec.selector.clone();
        let was = std::mem::replace(&mut self.selector, selector.clone());
        let (Some(selector), true) = (&selector, was.is_some() && was != selector) else { return Ok(()) };
        let pods = sim.view().pods.in_namespace("default").filter(|pod| pod.meta.labels.contains_all(selector));
        let ready = pods.filter(|pod| pod.is_ready() && !pod.meta.is_deleting());
        let image = |pod: &seatrial::objects::Pod| pod.spec.containers[0].image.to_string();
        let wrong = ready.filter(|pod| ![&self.wanted, &self.wanted_before].contains(&&image(pod)));
        let wrong: Vec<String> = wrong.map(|pod| format!("{} with {}", pod.meta.name, image(pod))).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let story =
            format!("promised pods of {} behind the Service, but it was switched to {}", self.wanted, wrong.join(", "));
        Err(Violation::new("switchedToWhatIsWanted", sim, story))
    }
}

/// The Service and its two colours, blue with all the traffic.
fn objects() -> Vec<Value> {
    let set = |colour: &str, replicas: i32| {
        let labels = json!({"app": "web", "colour": colour});
        let template =
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "shop:v1"}]}});
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": format!("web-{colour}")},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": {IMAGE: "shop:v1"}},
        "spec": {"selector": {"app": "web", "colour": "blue"}, "ports": [{"port": 80}]},
    });
    vec![service, set("blue", PODS), set("green", 0)]
}

/// What is tried: other images at any time, on machines that come and go.
fn cases() -> Cases {
    let roll = (1..6u8).prop_map(|version| {
        let annotations = json!({IMAGE: format!("shop:v{version}")});
        UserStep::Verb(json!({"annotate": {"target": "service/web", "annotations": annotations}}))
    });
    Cases::new()
        .kinds(&[])
        .objects(objects())
        .nodes(2..=3)
        .users(false)
        .also_any(roll)
        .faults(&[FaultKind::Node, FaultKind::Partition])
        .mishaps(false)
        .autoscaler(false)
        .dedicated(false)
        .expect(json!({"final": format!("endpoints(service/web) == {PODS}")}))
}

/// The first of 200 cases that breaks a promise, made small.
pub(crate) fn find(is_mended: bool) -> Option<Counterexample> {
    let extensions = Extensions::new().controller(BlueGreen { is_mended }).invariant(SwitchedToWhatIsWanted::default);
    Harness::with(extensions).search(&cases(), 1, 200)
}

fn main() -> std::io::Result<()> {
    println!("The controller as it is:\n");
    match find(false) {
        Some(found) => {
            println!("{found}");
            let path = std::env::temp_dir().join("blue-green.yaml");
            fs::write(&path, &found.yaml)?;
            println!("written to {}\n", path.display());
        }
        None => println!("nothing found\n"),
    }
    println!("The controller that empties a colour before it gives it another image:\n");
    match find(true) {
        Some(found) => println!("{found}"),
        None => println!("nothing found in 200 cases"),
    }
    Ok(())
}
