use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::api::{Part, Request};
use crate::api::{Reason, Table};
use crate::objects::{Conditions, Key, Object, Resources, Uid};
use crate::scheduler::testing::{bound, change, node, pod, requesting, second, sized, with_meta};

const MI: i64 = 1 << 20;

/// A scheduler and the view that it sees; requests are carried out at once, or refused.
#[derive(Default)]
struct Bench {
    scheduler: Scheduler,
    view: View,
    now: WallTime,
}

impl Bench {
    fn change(&mut self, change_type: ChangeType, object: impl Into<Object>) {
        let change = change(&self.view, change_type, object);
        self.view.apply(&change);
        self.scheduler.on_change(&self.view, &change, self.now);
    }

    fn add(&mut self, object: impl Into<Object>) {
        self.change(ChangeType::Added, object);
    }

    fn modify(&mut self, object: impl Into<Object>) {
        self.change(ChangeType::Modified, object);
    }

    fn delete(&mut self, object: impl Into<Object>) {
        self.change(ChangeType::Deleted, object);
    }

    fn attempt(&mut self) -> Option<Attempt> {
        let ready = self.scheduler.has_ready(self.now);
        let attempt = self.scheduler.attempt(&self.view, self.now);
        assert_eq!(ready, attempt.is_some(), "has_ready says whether an attempt can be made");
        attempt
    }

    /// What an attempt does and says, a line per request.
    fn said(&mut self) -> Vec<String> {
        let Some(attempt) = self.attempt() else { return Vec::new() };
        let said = attempt.requests.iter().map(text).collect();
        for request in attempt.requests {
            self.carry_out(&request);
        }
        for request in attempt.displaced.iter().flatten() {
            self.carry_out(request);
        }
        let _ = self.scheduler.on_result(&self.view, self.now, attempt.id, None);
        said
    }

    fn carry_out(&mut self, request: &Request) {
        match request {
            Request::Bind { pod, node, .. } => {
                let pod = bound(self.view.pods.get(pod).expect("the pod"), node);
                self.modify(pod);
            }
            Request::Update(object, _) => self.modify(object.clone()),
            _ => {}
        }
    }
}

fn text(request: &Request) -> String {
    match request {
        Request::Bind { pod, node, .. } => format!("bind {pod} to {node}"),
        Request::Event(event) => format!("{} {}: {}", event.kind.as_str(), event.reason, event.message),
        Request::Update(Object::Pod(pod), Part::Status) => {
            let condition = pod.status.conditions.find("PodScheduled").expect("the condition");
            format!("{} {}: {}", condition.status.as_str(), condition.reason, condition.message)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_pod_that_fits_is_bound_and_said_to_be() {
    let mut bench = Bench::default();
    bench.add(node("n", json!({})));
    bench.add(pod("p", json!({})));
    assert_eq!(bench.said(), ["bind default/p to n", "Normal Scheduled: Successfully assigned default/p to n"]);
    assert!(bench.attempt().is_none());
}

#[test]
fn a_pod_that_does_not_fit_gets_its_condition_once_and_an_event_each_time() {
    let mut bench = Bench::default();
    bench.add(sized("n", 100, MI, 110));
    bench.add(requesting("p", 200, MI));
    let message = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: \
                   1 Preemption is not helpful for scheduling.";
    let event = format!("Warning FailedScheduling: {message}");
    assert_eq!(bench.said(), [format!("False Unschedulable: {message}"), event.clone()]);
    assert!(bench.said().is_empty(), "the write of the condition does not wake the pod");
    bench.now = second(30.0);
    bench.modify(sized("n", 100, MI, 111));
    assert!(bench.said().is_empty(), "more pods do not help one that needs more cores");
    bench.modify(sized("n", 200, MI, 111));
    assert_eq!(bench.said()[0], "bind default/p to n");
}

#[test]
fn without_nodes_the_pod_is_tried_again_with_back_off() {
    let mut bench = Bench { now: second(0.5), ..Bench::default() };
    bench.add(pod("p", json!({})));
    let message = "no nodes available to schedule pods";
    assert_eq!(
        bench.said(),
        [format!("False Unschedulable: {message}"), format!("Warning FailedScheduling: {message}")]
    );
    assert_eq!(bench.scheduler.next_wake(bench.now), Some(second(2.0)));
    bench.add(node("n", json!({})));
    assert!(bench.said().is_empty(), "no plugin rejected it, so no event wakes it");
    bench.now = second(2.0);
    assert_eq!(bench.said()[0], "bind default/p to n");
}

#[test]
fn an_assumed_pod_takes_its_room_at_once() {
    let mut bench = Bench::default();
    bench.add(sized("n", 1_000, 100 * MI, 110));
    bench.add(requesting("first", 600, MI));
    bench.add(requesting("second", 600, MI));
    let first = bench.attempt().expect("an attempt");
    assert_eq!(text(&first.requests[0]), "bind default/first to n");
    let message = bench.said().remove(0);
    assert!(message.contains(
        "1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims"
    ));
}

#[test]
fn a_refused_binding_frees_the_room_and_tries_the_pod_again() {
    let mut bench = Bench::default();
    bench.add(sized("n", 1_000, 100 * MI, 110));
    bench.add(requesting("first", 600, MI));
    bench.add(requesting("second", 600, MI));
    let first = bench.attempt().expect("an attempt");
    bench.said();
    let error = ApiError::new(Reason::InternalError, "etcd is down");
    let _ = bench.scheduler.on_result(&bench.view, bench.now, first.id, Some(&error));
    assert_eq!(bench.said()[0], "bind default/second to n", "the room is free, and the other pod was woken");
    bench.now = second(2.0);
    assert!(bench.said()[0].contains("Insufficient cpu"), "the first one is tried again after its back-off");
}

#[test]
fn a_pod_that_vanished_meanwhile_is_dropped() {
    let mut bench = Bench::default();
    bench.add(sized("n", 1_000, 100 * MI, 110));
    let pod = requesting("p", 600, MI);
    bench.add(pod.clone());
    let attempt = bench.attempt().expect("an attempt");
    bench.delete(pod.clone());
    let error = ApiError::not_found(crate::objects::Kind::Pod, &pod.key());
    let _ = bench.scheduler.on_result(&bench.view, bench.now, attempt.id, Some(&error));
    assert_eq!(bench.scheduler.next_wake(bench.now), None);
    let id = bench.scheduler.cache.id("n").expect("the node");
    assert_eq!(*bench.scheduler.cache.node(id).requested(), Resources { named: 3, ..Resources::default() });
}

#[test]
fn a_pod_that_is_being_deleted_is_skipped() {
    let mut bench = Bench::default();
    bench.add(node("n", json!({})));
    let deleting = with_meta(&pod("p", json!({})), |pod| pod.meta.deletion_timestamp = Some(second(0.0).timestamp()));
    bench.add(deleting);
    assert_eq!(bench.said(), ["Warning FailedScheduling: skip schedule deleting pod: default/p"]);
    assert!(bench.said().is_empty());
}

#[test]
fn pods_of_other_schedulers_are_left_alone() {
    let mut bench = Bench::default();
    bench.add(node("n", json!({})));
    bench.add(pod("other", json!({"schedulerName": "mine"})));
    assert!(bench.said().is_empty());
    bench.add(pod("unnamed", json!({"schedulerName": ""})));
    assert_eq!(bench.said()[0], "bind default/unnamed to n");
}

#[test]
fn pods_that_have_ended_free_their_room() {
    let mut bench = Bench::default();
    bench.add(sized("n", 1_000, 100 * MI, 110));
    let first = bound(&requesting("first", 600, MI), "n");
    bench.add(first.clone());
    bench.add(requesting("second", 600, MI));
    assert_eq!(bench.said().len(), 2);
    bench.modify(with_meta(&first, |pod| pod.status.phase = crate::objects::PodPhase::Succeeded));
    assert_eq!(bench.said()[0], "bind default/second to n");
}

#[test]
fn uncordoning_a_node_wakes_pods_that_found_no_room() {
    let mut bench = Bench::default();
    bench.add(sized("full", 100, MI, 110));
    bench.add(node("closed", json!({"spec": {"unschedulable": true}})));
    bench.add(requesting("p", 200, MI));
    assert!(bench.said()[1].contains("1 Insufficient cpu, 1 node(s) were unschedulable."));
    bench.modify(node("closed", json!({})));
    assert_eq!(bench.said()[0], "bind default/p to closed");
}

#[test]
fn equal_pods_spread_over_equal_nodes() {
    let mut bench = Bench::default();
    for name in ["a", "b", "c"] {
        bench.add(node(name, json!({})));
    }
    for number in 0..9 {
        bench.add(requesting(&format!("p{number}"), 100, MI));
        bench.said();
    }
    let pods = |name: &str| bench.view.pods_on(name).count();
    assert_eq!([pods("a"), pods("b"), pods("c")], [3, 3, 3]);
}

#[test]
fn a_fork_decides_as_its_original() {
    let mut bench = Bench::default();
    for name in ["a", "b", "c"] {
        bench.add(node(name, json!({})));
    }
    for number in 0..6 {
        bench.add(requesting(&format!("p{number}"), 100 * number, MI));
    }
    bench.said();
    let mut fork = bench.scheduler.clone();
    while let Some(attempt) = bench.attempt() {
        let other = fork.attempt(&bench.view, bench.now).expect("an attempt of the fork");
        let texts = |attempt: &Attempt| attempt.requests.iter().map(text).collect::<Vec<_>>();
        assert_eq!(texts(&attempt), texts(&other));
    }
}

#[derive(Clone, Debug)]
enum Step {
    AddNode(u8, u16),
    RemoveNode(u8),
    AddPod(u8, u16),
    DeletePod(u8),
    EndPod(u8),
    Attempt { refused: bool },
    Wait(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..6u8, 1..20u16).prop_map(|(node, size)| Step::AddNode(node, size)),
        1 => (0..6u8).prop_map(Step::RemoveNode),
        5 => (0..20u8, 0..9u16).prop_map(|(pod, size)| Step::AddPod(pod, size)),
        1 => (0..20u8).prop_map(Step::DeletePod),
        1 => (0..20u8).prop_map(Step::EndPod),
        6 => proptest::bool::weighted(0.2).prop_map(|refused| Step::Attempt { refused }),
        1 => (0..20u8).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..120)
}

impl Bench {
    fn step(&mut self, step: &Step, uids: &mut u32) {
        match *step {
            Step::AddNode(number, size) => {
                let name = format!("n{number}");
                let object = sized(&name, i64::from(size) * 100, i64::from(size) * MI, 4);
                let exists = self.view.nodes.get(&object.key()).is_some();
                self.change(if exists { ChangeType::Modified } else { ChangeType::Added }, object);
            }
            Step::RemoveNode(number) => {
                if let Some(node) = self.view.nodes.get(&Key::new("", format!("n{number}"))).cloned() {
                    self.delete(node);
                }
            }
            Step::AddPod(number, size) => {
                let object = requesting(&format!("p{number}"), i64::from(size) * 100, i64::from(size) * MI);
                if self.view.pods.get(&object.key()).is_none() {
                    *uids += 1;
                    let uid = Uid::uuid(u128::from(*uids));
                    self.add(with_meta(&object, |pod| pod.meta.uid = uid));
                }
            }
            Step::DeletePod(number) => {
                if let Some(pod) = self.pod(number) {
                    self.delete(pod);
                }
            }
            Step::EndPod(number) => {
                if let Some(pod) = self.pod(number) {
                    self.modify(with_meta(&pod, |pod| pod.status.phase = crate::objects::PodPhase::Failed));
                }
            }
            Step::Attempt { refused } => self.attempt_with(refused),
            Step::Wait(seconds) => self.now = self.now.plus_nanos(i64::from(seconds) * 1_000_000_000),
        }
    }

    fn pod(&self, number: u8) -> Option<Arc<Pod>> {
        self.view.pods.get(&Key::new("default", format!("p{number}"))).cloned()
    }

    fn attempt_with(&mut self, refused: bool) {
        let Some(attempt) = self.attempt() else { return };
        let error = refused.then(|| ApiError::new(Reason::ServiceUnavailable, "no"));
        for request in attempt.requests.iter().filter(|_| !refused) {
            self.carry_out(request);
        }
        let _ = self.scheduler.on_result(&self.view, self.now, attempt.id, error.as_ref());
    }

    fn check(&self) {
        let cache = &self.scheduler.cache;
        for node in self.view.nodes.iter() {
            let info = cache.node(cache.id(&node.meta.name).expect("the node is known"));
            let (mut requested, mut count) = (Resources::default(), 0);
            for pod in pods_on(&self.view, &node.meta.name) {
                requested.add(&pod.spec.requests);
                count += 1;
            }
            requested.named = info.requested().named;
            assert_eq!((info.requested(), info.pod_count()), (&requested, count), "{}", node.meta.name);
        }
        assert_eq!(cache.id("nowhere"), None);
    }
}

fn pods_on<'a>(view: &'a View, node: &str) -> impl Iterator<Item = &'a Arc<Pod>> {
    view.pods_on(node).filter(|pod| !pod.is_terminal())
}

fn overcommitted(view: &View, nodes: &Table<Node>) -> Vec<Arc<str>> {
    let over = |node: &&Arc<Node>| {
        let (room, mut taken) = (&node.status.allocatable, Resources::default());
        pods_on(view, &node.meta.name).for_each(|pod| taken.add(&pod.spec.requests));
        let pods = i64::try_from(pods_on(view, &node.meta.name).count()).expect("few pods");
        taken.cpu_milli > room.cpu_milli || taken.memory > room.memory || pods > room.pods
    };
    nodes.iter().filter(over).map(|node| node.meta.name.clone()).collect()
}

proptest! {
    #[test]
    fn what_the_cache_counts_is_what_the_view_shows(steps in steps()) {
        let (mut bench, mut uids) = (Bench::default(), 0);
        for step in &steps {
            bench.step(step, &mut uids);
            bench.check();
        }
    }

    #[test]
    fn no_node_is_given_more_than_it_has(steps in steps()) {
        let (mut bench, mut uids) = (Bench::default(), 0);
        for step in &steps {
            let before = overcommitted(&bench.view, &bench.view.nodes);
            bench.step(step, &mut uids);
            // A node that is made smaller, or made anew under its old name, may carry too much already.
            if matches!(step, Step::Attempt { .. }) {
                let after = overcommitted(&bench.view, &bench.view.nodes);
                prop_assert!(after.iter().all(|node| before.contains(node)), "{after:?}");
            }
        }
    }
}
