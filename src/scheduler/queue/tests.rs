use serde_json::json;

use super::*;
use crate::scheduler::testing::{pod, second, with_meta};

struct Bench {
    queue: SchedulingQueue,
    registry: Registry,
}

impl Bench {
    fn new() -> Self {
        let mut queue = SchedulingQueue::default();
        queue.start(second(0.0));
        Self { queue, registry: Registry::default() }
    }

    fn add(&mut self, pod: &Arc<Pod>, now: f64) {
        self.queue.add(&self.registry, pod, second(now));
    }

    fn pop(&mut self, now: f64) -> Option<QueuedPod> {
        self.queue.pop(&self.registry, second(now))
    }

    fn popped(&mut self, now: f64) -> Option<String> {
        self.pop(now).map(|queued| queued.pod.meta.name.to_string())
    }

    fn fail(&mut self, queued: QueuedPod, plugin: &str, now: f64) {
        let mut by = PluginSet::default();
        let plugin = self.registry.slots().find(|(_, slot)| slot.name() == plugin);
        by.insert(plugin.expect("a plugin of that name").0);
        self.queue.add_failed(&self.registry, queued, by, second(now));
    }

    fn err(&mut self, queued: QueuedPod, now: f64) {
        self.queue.add_failed(&self.registry, queued, PluginSet::default(), second(now));
    }

    fn delete_of_another_pod(&mut self, now: f64) {
        let gone = with_meta(&pod("gone", json!({})), |pod| pod.node_name = "n".into());
        let event = ClusterEvent { action: Actions::POD_DELETE, subject: Subject::Pod(Some(&gone), None) };
        self.queue.wake(&self.registry, &event, second(now));
    }
}

fn urgent(name: &str, priority: i32) -> Arc<Pod> {
    pod(name, json!({"priority": priority}))
}

#[test]
fn higher_priority_goes_first_then_the_earlier_pod() {
    let mut bench = Bench::new();
    bench.add(&urgent("late", 0), 2.0);
    bench.add(&urgent("early", 0), 1.0);
    bench.add(&urgent("urgent", 5), 3.0);
    bench.add(&urgent("twin", 0), 2.0);
    let order: Vec<_> = std::iter::from_fn(|| bench.popped(4.0)).collect();
    assert_eq!(order, ["urgent", "early", "late", "twin"]);
}

#[test]
fn back_off_doubles_from_one_second_to_ten() {
    assert_eq!([1, 2, 3, 4, 5, 60, u32::MAX].map(|n| backoff(n) / SECOND), [1, 2, 4, 8, 10, 10, 10]);
}

#[test]
fn an_error_waits_out_whole_seconds() {
    let mut bench = Bench::new();
    bench.add(&urgent("p", 0), 0.4);
    let queued = bench.pop(0.4).expect("the pod");
    bench.err(queued, 0.4);
    // 0.4 s + 1 s = 1.4 s, in the window of second 1, which ends at 2 s.
    assert_eq!(bench.queue.next_wake(), Some(second(2.0)));
    assert!(!bench.queue.has_ready(second(1.999)));
    assert_eq!(bench.popped(1.999), None);
    let queued = bench.pop(2.0).expect("the pod");
    bench.err(queued, 2.0);
    assert_eq!(bench.queue.next_wake(), Some(second(5.0)), "the second error in a row waits two seconds");
}

#[test]
fn a_pod_without_a_node_waits_for_an_event_that_may_help() {
    let mut bench = Bench::new();
    bench.add(&urgent("p", 0), 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeAffinity", 0.0);
    bench.delete_of_another_pod(20.0);
    assert!(!bench.queue.has_ready(second(20.0)), "pods that leave do not change labels");
    let mut bench = Bench::new();
    bench.add(&urgent("p", 0), 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeResourcesFit", 0.0);
    bench.delete_of_another_pod(20.0);
    assert_eq!(bench.popped(20.0).as_deref(), Some("p"));
}

#[test]
fn an_idle_scheduler_does_not_wait_for_back_off() {
    let mut bench = Bench::new();
    bench.add(&urgent("p", 0), 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeResourcesFit", 0.0);
    bench.delete_of_another_pod(0.1);
    bench.add(&urgent("fresh", 0), 0.2);
    assert_eq!(bench.popped(0.2).as_deref(), Some("fresh"), "active pods go before those in back-off");
    assert!(bench.queue.has_ready(second(0.2)));
    assert_eq!(bench.popped(0.2).as_deref(), Some("p"));
}

#[test]
fn a_pod_whose_back_off_is_over_is_active_again() {
    let mut bench = Bench::new();
    bench.add(&urgent("p", 1), 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeResourcesFit", 0.0);
    bench.delete_of_another_pod(0.1);
    bench.add(&urgent("fresh", 0), 0.2);
    assert_eq!(bench.popped(2.0).as_deref(), Some("p"), "and its priority counts");
}

#[test]
fn after_five_minutes_a_waiting_pod_is_tried_anyway() {
    let mut bench = Bench::new();
    bench.add(&urgent("p", 0), 10.0);
    let queued = bench.pop(10.0).expect("the pod");
    bench.fail(queued, "NodeAffinity", 10.0);
    // More than 300 s: the flush at 310 s is not late enough for 10 s + 300 s, so it is the one at 330 s.
    assert_eq!(bench.queue.next_wake(), Some(second(330.0)));
    assert_eq!(bench.popped(329.9), None);
    assert_eq!(bench.popped(330.0).as_deref(), Some("p"));
    let mut bench = Bench::new();
    bench.add(&urgent("q", 0), 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeAffinity", 0.0);
    assert_eq!(bench.queue.next_wake(), Some(second(330.0)), "exactly five minutes are not more than five minutes");
}

#[test]
fn a_gated_pod_waits_until_its_last_gate_is_gone() {
    let mut bench = Bench::new();
    let gated = pod("p", json!({"schedulingGates": [{"name": "g"}]}));
    bench.add(&gated, 0.0);
    assert!(!bench.queue.has_ready(second(0.0)) && bench.queue.next_wake().is_none());
    bench.delete_of_another_pod(1.0);
    assert!(!bench.queue.has_ready(second(1.0)));
    let labelled = with_meta(&gated, |pod| pod.meta.labels = [("a", "b")].into_iter().collect());
    bench.queue.update(&bench.registry, &gated, &labelled, second(2.0));
    assert!(!bench.queue.has_ready(second(2.0)));
    let free = with_meta(&gated, |p| p.spec = pod("p", json!({})).spec.clone());
    bench.queue.update(&bench.registry, &labelled, &free, second(3.0));
    assert_eq!(bench.popped(3.0).as_deref(), Some("p"));
}

#[test]
fn a_note_of_failure_on_the_pod_itself_does_not_wake_it() {
    let mut bench = Bench::new();
    let old = urgent("p", 0);
    bench.add(&old, 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeResourcesFit", 0.0);
    let new = with_meta(&old, |pod| pod.status.reason = "x".into());
    bench.queue.update(&bench.registry, &old, &new, second(0.1));
    assert!(!bench.queue.has_ready(second(0.1)));
    let tolerant =
        with_meta(&new, |p| p.spec = pod("p", json!({"tolerations": [{"operator": "Exists"}]})).spec.clone());
    bench.queue.update(&bench.registry, &new, &tolerant, second(0.2));
    assert!(!bench.queue.has_ready(second(0.2)), "room is not a matter of tolerations");
}

#[test]
fn a_deleted_pod_leaves_the_queue_wherever_it_is() {
    let mut bench = Bench::new();
    let (active, waiting) = (urgent("a", 0), urgent("w", 1));
    bench.add(&waiting, 0.0);
    let queued = bench.pop(0.0).expect("the pod");
    bench.fail(queued, "NodeResourcesFit", 0.0);
    bench.add(&active, 0.0);
    bench.queue.delete(&active.meta.uid);
    bench.queue.delete(&waiting.meta.uid);
    assert!(!bench.queue.has_ready(second(1000.0)) && bench.queue.next_wake().is_none());
    bench.delete_of_another_pod(1.0);
    assert_eq!(bench.popped(1.0), None);
}
