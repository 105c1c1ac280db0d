use crate::api::{EventKind, EventSpec};
use crate::apiserver::EventRecorder;
use crate::objects::Event;

use super::*;

fn about(message: &str) -> EventSpec {
    EventSpec::about(&pod("web"), EventKind::Warning, "Failed", message.to_owned())
}

fn events(server: &ApiServer) -> Vec<Arc<Event>> {
    server.view().events.iter().cloned().collect()
}

#[test]
fn an_event_says_who_what_when_and_of_which_object() {
    let mut server = server();
    EventRecorder::new().record(&mut server, at(1_500), "kubelet", "n1", &about("no image"));
    let event = &events(&server)[0];
    assert_eq!(*event.meta.name, format!("web.{:x}", T0 + 1_500_000_000));
    assert_eq!(event.meta.name.len(), "web.".len() + 16);
    let wire = Object::from(event.clone()).to_wire();
    assert_eq!(wire["source"], json!({"component": "kubelet", "host": "n1"}));
    assert_eq!(
        wire["involvedObject"],
        json!({"kind": "Pod", "namespace": "default", "name": "web", "apiVersion": "v1"})
    );
    assert_eq!(
        (&wire["type"], &wire["reason"], &wire["message"]),
        (&json!("Warning"), &json!("Failed"), &json!("no image"))
    );
    assert_eq!((&wire["count"], &wire["firstTimestamp"]), (&json!(1), &json!("2026-01-01T00:00:01Z")));
}

#[test]
fn equal_events_are_counted_in_place() {
    let mut server = server();
    let mut recorder = EventRecorder::new();
    for second in 0..3 {
        recorder.record(&mut server, at(second * 1_000), "kubelet", "n1", &about("again"));
    }
    let [event] = &events(&server)[..] else { panic!("one event") };
    assert_eq!(event.count, 3);
    assert_eq!((event.first_timestamp, event.last_timestamp), (Some(at(0).timestamp()), Some(at(2_000).timestamp())));
    let kinds: Vec<ChangeType> = server.told().into_iter().map(|(change, _)| change).collect();
    assert_eq!(kinds, [ChangeType::Added, ChangeType::Modified, ChangeType::Modified]);
}

#[test]
fn two_things_said_in_one_nanosecond_are_two_events() {
    let mut server = server();
    let (mut kubelet, mut scheduler) = (EventRecorder::new(), EventRecorder::new());
    kubelet.record(&mut server, at(0), "kubelet", "n1", &about("a"));
    kubelet.record(&mut server, at(0), "kubelet", "n1", &about("b"));
    scheduler.record(&mut server, at(0), "scheduler", "", &about("a"));
    assert_eq!(events(&server).len(), 3);
    kubelet.record(&mut server, at(1), "kubelet", "n1", &about("b"));
    let counts: Vec<i32> = events(&server).iter().map(|event| event.count).collect();
    assert_eq!(counts, [1, 2, 1]);
}

#[test]
fn the_tenth_similar_message_and_later_ones_are_combined() {
    let mut server = server();
    let mut recorder = EventRecorder::new();
    for n in 0..12 {
        recorder.record(&mut server, at(n), "kubelet", "n1", &about(&format!("number {n}")));
    }
    let all = events(&server);
    assert_eq!(all.len(), 10);
    assert_eq!((all[8].message.as_str(), all[8].count), ("number 8", 1));
    assert_eq!((all[9].message.as_str(), all[9].count), ("(combined from similar events): number 11", 3));
    recorder.record(&mut server, at(601_000), "kubelet", "n1", &about("later"));
    assert_eq!(events(&server).last().map(|event| event.message.to_string()), Some("later".into()));
}

#[test]
fn after_a_burst_of_25_one_event_in_five_minutes_is_written() {
    let mut server = server();
    let mut recorder = EventRecorder::new();
    let mut say = |server: &mut ApiServer, millis: i64| {
        recorder.record(server, at(millis), "kubelet", "n1", &about("again"));
        events(server)[0].count
    };
    for _ in 0..30 {
        say(&mut server, 0);
    }
    assert_eq!(events(&server)[0].count, 25);
    assert_eq!(say(&mut server, 299_999), 25);
    assert_eq!(say(&mut server, 300_000), 32);
    assert_eq!(say(&mut server, 300_000), 32);
}

#[test]
fn an_event_ends_an_hour_after_it_was_last_said() {
    let mut server = server();
    let mut recorder = EventRecorder::new();
    recorder.record(&mut server, at(0), "a", "", &about("once"));
    recorder.record(&mut server, at(0), "b", "", &about("twice"));
    recorder.record(&mut server, at(1_800_000), "b", "", &about("twice"));
    server.expire_events(at(3_599_999));
    assert_eq!(events(&server).len(), 2);
    server.drain_changes();
    server.expire_events(at(3_600_000));
    assert_eq!(events(&server)[0].message.as_str(), "twice");
    assert_eq!(server.told().len(), 1);
    recorder.record(&mut server, at(9_000_000), "a", "", &about("once"));
    let [event] = &events(&server)[..] else { panic!("one event") };
    assert_eq!((event.message.as_str(), event.count), ("once", 2));
}

#[test]
fn events_about_cluster_scoped_objects_live_in_default_and_refused_ones_are_dropped() {
    let mut server = server();
    let mut recorder = EventRecorder::new();
    let mut spec = about("x");
    spec.about.namespace = Default::default();
    recorder.record(&mut server, at(0), "a", "", &spec);
    assert_eq!(&*events(&server)[0].meta.namespace, "default");
    spec.about.namespace = "nowhere".into();
    recorder.record(&mut server, at(0), "a", "", &spec);
    assert_eq!(events(&server).len(), 1);
}

#[test]
fn a_disabled_recorder_writes_nothing() {
    let mut server = server();
    EventRecorder::disabled().record(&mut server, at(0), "a", "", &about("x"));
    assert!(!server.has_changes());
}
