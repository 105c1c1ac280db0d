//! Tests of the loop: against a slow reference, against theory, and of what must never happen.

mod aliases;
mod bed;
mod dials;
mod doors;
mod fronts;
mod matrix;
mod names;
mod policies;
mod reference;
mod relay;
mod same;
mod shadow;
mod statistics;
mod stops;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::outcome::{Cause, Outcome};
use super::super::{KeepAlive, Origin, ProcessChange};
use bed::{Bed, constant, open, secs};

#[test]
fn every_endpoint_that_is_programmed_serves_and_none_refuses() {
    let mut bed = Bed::new(vec![open("users", constant("1000/s"))], 3, 6);
    bed.run(10);
    let report = bed.report("users");
    assert_eq!((report.total.requests, report.total.lost, report.outcome(Outcome::Refused)), (10_000, 0, 0));
    assert_eq!(report.versions.iter().map(|version| version.answered).sum::<u64>(), report.total.succeeded);
}

#[test]
fn without_endpoints_connections_are_refused_and_without_a_service_its_name_is_not_found() {
    let mut bed = Bed::new(vec![open("users", constant("10/s"))], 1, 1);
    bed.delete_endpoints();
    bed.run(1);
    assert_eq!(bed.report("users").cause(Cause::NoEndpoints), 10);
    bed.delete_service();
    bed.run(2);
    assert_eq!(bed.report("users").cause(Cause::NoSuchName), 10);
}

#[test]
fn a_port_to_which_no_container_listens_refuses_for_as_long_as_its_pod_is_there() {
    let mut bed = Bed::new(vec![open("users", constant("10/s"))], 2, 2);
    bed.retarget(8081);
    bed.run(1);
    let report = bed.report("users");
    assert_eq!((report.cause(Cause::PortClosed), report.outcome(Outcome::Refused)), (10, 10));
    assert_eq!(report.versions.iter().map(|version| version.failed).sum::<u64>(), 10, "it is known which pods refuse");
    // What comes of a process counts at its own ports only.
    bed.stop(0, 0, 100);
    bed.kill(1);
    bed.run(2);
    assert_eq!(bed.report("users").cause(Cause::PortClosed), 20);
    bed.node_down(1);
    bed.pod_gone(0);
    bed.set_ready(0, true);
    bed.run(15);
    let report = bed.report("users");
    assert!(report.cause(Cause::NodeDown) > 0 && report.cause(Cause::AddressGone) > 0, "{:?}", report.total);
    assert_eq!(report.cause(Cause::PortClosed), 20);
    // Another pod has the address, and then the Service leads where it listens.
    bed.pod_up(0);
    bed.set_ready(1, false);
    bed.run(16);
    assert_eq!(bed.report("users").cause(Cause::PortClosed), 30);
    bed.retarget(8080);
    bed.run(17);
    assert_eq!(bed.report("users").cause(Cause::Served), 10);
}

#[test]
fn an_endpoint_that_no_pod_has_is_outside_and_one_that_a_pod_had_is_gone() {
    let mut bed = Bed::new(vec![open("users", constant("10/s"))], 1, 2);
    bed.pod_gone(0);
    bed.pod_gone(1);
    bed.add_endpoint("198.51.100.7");
    bed.run(15);
    assert_eq!(bed.report("users").cause(Cause::OutsideCluster), 50, "those of the first five seconds");
    bed.set_ready(0, true);
    bed.run(30);
    let report = bed.report("users");
    assert!(report.cause(Cause::AddressGone) > 10, "{:?}", report.total);
}

#[test]
fn a_process_that_stops_refuses_new_connections_and_finishes_its_requests() {
    let mut bed = Bed::new(vec![open("users", constant("100/s"))], 1, 1);
    bed.run(1);
    // SIGTERM half a second from now, the end a second from now.
    bed.stop(0, 500, 1000);
    bed.run(2);
    let report = bed.report("users");
    assert_eq!((report.cause(Cause::Stopping), report.cause(Cause::Killed)), (50, 0));
    assert_eq!(report.total.by_terminating, 50);
    bed.run(3);
    assert_eq!(bed.report("users").cause(Cause::NoProcess), 100);
}

#[test]
fn a_machine_that_goes_down_leaves_its_clients_waiting() {
    let mut bed = Bed::new(vec![open("users", constant("100/s"))], 2, 2);
    bed.node_down(1);
    bed.run(30);
    let report = bed.report("users");
    let lost = report.cause(Cause::NodeDown);
    assert!((1000..2000).contains(&lost), "{lost}: half of them, but for those that still wait");
    assert_eq!(lost, report.outcome(Outcome::TimedOut));
}

#[test]
fn requests_that_are_cut_are_counted_once() {
    let mut bed = Bed::slow(vec![open("users", constant("1000/s"))], "200ms");
    bed.run(1);
    bed.kill(0);
    let report = bed.report("users");
    assert_eq!(report.cause(Cause::Killed), 200, "those of the last 200 ms were under way");
    assert_eq!(report.total.finished(), report.total.requests);
}

#[test]
fn what_would_end_at_the_instant_of_a_kill_is_cut() {
    for attentive in [0, 1] {
        let mut spec = open("users", constant("10/s"));
        spec.retries.count = attentive;
        let mut bed = Bed::slow(vec![spec], "200ms");
        bed.run(1);
        assert_eq!(bed.report("users").total.succeeded, 8, "what ends at that instant is not there yet");
        bed.kill(0);
        bed.run(2);
        assert_eq!(bed.report("users").cause(Cause::Killed), 2);
        // A process that ends as planned is no other.
        bed.process(0, ProcessChange::Started);
        bed.process(0, ProcessChange::Listening);
        bed.run(3);
        bed.stop(0, 900, 1000);
        bed.run(5);
        assert_eq!(bed.report("users").cause(Cause::Killed), 3, "that of 3.8 s");
    }
}

/// Seconds.
fn nothing_is_lost_between(bed: &mut Bed, from: u64, until: u64) {
    bed.run(from);
    let lost = bed.report("users").total.lost;
    bed.run(until);
    assert_eq!(bed.report("users").total.lost, lost);
}

#[test]
fn nothing_happens_to_the_processes_of_a_machine_that_is_down() {
    let mut spec = open("users", constant("100/s"));
    spec.timeout = secs(2);
    let mut bed = Bed::new(vec![spec], 2, 2);
    bed.run(1);
    bed.node_down(1);
    bed.process(1, ProcessChange::Hung);
    bed.run(2);
    bed.kill(1);
    bed.run(10);
    let report = bed.report("users");
    assert!(report.cause(Cause::NodeDown) > 200, "{:?}", report.total);
    assert_eq!((report.cause(Cause::NoProcess), report.cause(Cause::Hung), report.cause(Cause::Killed)), (0, 0, 0));
    // A while later it is there again, with pods of its own.
    bed.node_up(1);
    nothing_is_lost_between(&mut bed, 12, 14);
}

#[test]
fn a_session_stays_where_it_is_until_its_timeout() {
    let mut bed = Bed::new(vec![open("users", constant("5/s"))], 1, 8);
    bed.affinity(10);
    bed.run(100);
    let report = bed.report("users");
    assert_eq!(report.versions.len(), 1, "one client, one pod: {:?}", report.versions);
    let mut bed = Bed::new(vec![open("users", constant("1/20s"))], 1, 8);
    bed.affinity(10);
    bed.run(2000);
    assert!(bed.report("users").versions.len() > 4, "each request comes too late for the last");
}

#[test]
fn kept_connections_pin_a_client_to_a_pod() {
    let mut spec = open("users", constant("100/s"));
    spec.keep_alive = Some(KeepAlive { connections: 1, requests: 10, lasts: secs(0) });
    let mut bed = Bed::new(vec![spec], 1, 8);
    bed.run(10);
    let report = bed.report("users");
    assert_eq!((report.total.connections, report.total.requests), (100, 1000));
    assert!(report.versions.iter().all(|version| version.answered % 10 == 0), "{:?}", report.versions);
}

#[test]
fn kept_connections_through_a_machine_that_goes_down_wait_in_vain_and_do_not_outlive_it() {
    let mut spec = open("users", constant("10/s"));
    (spec.from, spec.timeout) = (Origin::External, secs(1));
    spec.keep_alive = Some(KeepAlive { connections: 8, requests: 0, lasts: secs(0) });
    // The pod is on the other machine.
    let mut bed = Bed::new(vec![spec], 2, 1);
    bed.run(10);
    assert_eq!(bed.report("users").total.connections, 8);
    bed.node_down(1);
    bed.run(20);
    let (down, opened) = (bed.report("users"), bed.report("users").total.connections);
    let lost = down.cause(Cause::EntryNodeDown);
    assert!(lost > 2 && lost == down.total.lost, "{:?}", down.total);
    assert!(opened > 8, "what nothing comes on is closed");
    bed.node_up(1);
    nothing_is_lost_between(&mut bed, 22, 30);
}

#[test]
fn a_machine_that_went_down_has_forgotten_which_endpoint_a_client_had() {
    let mut spec = open("users", constant("5/s"));
    spec.from = Origin::External;
    let mut bed = Bed::new(vec![spec], 1, 30);
    bed.affinity(1000);
    bed.run(10);
    assert_eq!(bed.report("users").versions.len(), 1);
    bed.node_down(0);
    bed.node_up(0);
    bed.run(20);
    assert_eq!(bed.report("users").versions.len(), 2);
}

#[test]
fn a_retry_finds_another_pod() {
    let mut spec = open("users", constant("100/s"));
    spec.retries.count = 5;
    let mut bed = Bed::new(vec![spec], 1, 4);
    bed.kill(0);
    bed.run(10);
    let report = bed.report("users");
    assert!(report.cause(Cause::NoProcess) > 200 && report.total.lost <= 3, "{:?}", report.total);
    let mut spec = open("users", constant("100/s"));
    spec.retries.count = 5;
    spec.retries.budget = Some(100);
    let mut bed = Bed::new(vec![spec], 1, 4);
    bed.kill(0);
    bed.run(10);
    let retries = bed.report("users").total.retries;
    assert!((100..=111).contains(&retries), "a tenth of the requests, and ten: {retries}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every request has one end, and every attempt one cause, however often somebody looks and whatever happens.
    #[test]
    fn everything_is_counted_once(script in same::script(), seed in 0u64..1000) {
        let mut bed = same::bed(&script, seed);
        same::play(&mut bed, &script, |bed| {
            for client in &bed.network.report().clients {
                let total = &client.total;
                let attempts: u64 = total.causes.iter().sum();
                prop_assert!(total.finished() <= total.requests);
                prop_assert!(attempts <= total.requests + total.retries);
                prop_assert!(total.succeeded == total.outcome(Outcome::Answered));
                prop_assert_eq!(client.latency.count(), total.succeeded);
                let reached: u64 = client.versions.iter().map(|version| version.answered + version.failed).sum();
                prop_assert_eq!(reached + client.nowhere, attempts);
            }
            Ok(())
        })?;
        // Nobody begins anything after five seconds, nor waits longer than three times a minute.
        bed.run(200);
        let report = bed.network.report();
        let mut windows: BTreeMap<&str, u64> = BTreeMap::new();
        for client in &report.clients {
            prop_assert_eq!(client.total.finished(), client.total.requests);
            prop_assert_eq!(client.total.causes.iter().sum::<u64>(), client.total.requests + client.total.retries);
            windows.insert(&client.name, client.windows.iter().map(|window| window.tally.finished()).sum());
        }
        prop_assert!(report.clients.iter().all(|client| windows[&*client.name] == client.total.finished()));
    }
}
