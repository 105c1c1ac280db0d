//! "Why can't I reach it?": the texts of `seatrial explain` for the lessons.

use assert_cmd::Command;
use seatrial::kernel::SimTime;
use seatrial::network::explain::{Verdict, parse_source};
use seatrial::scenario::{RunOptions, Scenario};
use serde_json::Value;

fn seatrial(scenario: &str, at: &str, from: &str, to: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CLICOLOR_FORCE");
    let file = format!("scenarios/{scenario}.yaml");
    command.args(["explain", "-f", &file, "--at", at, "--from", from, "--to", to]).args(more).assert()
}

fn told(scenario: &str, cases: &[(&str, &str, &str)]) -> String {
    let text = |(at, from, to): &(&str, &str, &str)| {
        let run = seatrial(scenario, at, from, to, &[]);
        let output = run.get_output();
        format!(
            "## {at}: {from} to {to} (exit code {})\n{}\n",
            output.status.code().expect("a code"),
            String::from_utf8_lossy(&output.stdout)
        )
    };
    cases.iter().map(text).collect()
}

#[test]
fn broken_links_inside_the_cluster_are_named() {
    insta::assert_snapshot!(told(
        "why-no-answer-inside",
        &[
            ("50s", "pod/client", "web"),
            ("50s", "pod/client", "api"),
            ("50s", "pod/client", "metrics"),
            ("50s", "pod/client", "admin"),
            ("50s", "pod/client", "db:5432"),
            ("50s", "pod/client", "db.shop:5432"),
            ("50s", "pod/client", "webb"),
            ("50s", "pod/client", "service/web:8080"),
            ("50s", "pod/client", "api.example.com"),
            ("50s", "pod/clinet", "web"),
            ("50s", "node/worker-0", "web"),
            ("50s", "node/worker-0", "service/web"),
            ("50s", "external", "service/web"),
            ("50s", "external", "web"),
            ("50s", "external", "db.shop"),
            ("50s", "pod/client", "node/worker-1:30080"),
            ("60.5s", "pod/client", "web"),
            ("100s", "pod/client", "web:8080"),
            ("100s", "shop/pod/db", "db"),
        ]
    ));
}

#[test]
fn names_of_ports_lead_to_their_numbers() {
    insta::assert_snapshot!(told(
        "dns-next-address",
        &[("50s", "pod/app", "_pg._tcp.db"), ("50s", "pod/app", "db:5432"), ("50s", "pod/app", "_http._tcp.db")]
    ));
}

#[test]
fn a_machine_that_has_just_started_has_no_rules() {
    insta::assert_snapshot!(told(
        "reboot-before-the-rules",
        &[
            ("50s", "pod/client", "web"),
            ("82s", "pod/client", "web"),
            ("82s", "pod/client", "service/web"),
            ("82s", "external", "service/web"),
            ("82s", "external", "node/worker-0:30080"),
            ("84s", "pod/client", "web"),
            ("84s", "external", "node/worker-0:30080"),
        ]
    ));
}

#[test]
fn processes_that_do_not_answer_yet_or_any_more_are_named() {
    let (from, to) = ("node/worker-0", "service/web:80");
    let times = ["31s", "33050ms", "34s"];
    insta::assert_snapshot!(told("stories/rolling-update-drops-requests/trouble", &times.map(|at| (at, from, to))));
}

#[test]
fn policies_that_see_nodes_in_place_of_clients_are_named() {
    let scenario = "policy-and-the-address-of-the-client";
    insta::assert_snapshot!(told(
        scenario,
        &[("2m", "external", "service/anywhere:80"), ("2m", "external", "service/at-home:80")]
    ));
}

#[test]
fn policies_that_drop_are_named() {
    insta::assert_snapshot!(told(
        "why-policy-drops",
        &[
            ("30s", "pod/client", "db:5432"),
            ("30s", "pod/stranger", "db:5432"),
            ("50s", "pod/client", "db:5432"),
            ("50s", "pod/client", "pod/db:5432"),
            ("90s", "pod/stranger", "pod/client:80"),
            ("90s", "node/worker-0", "pod/db:5432"),
        ]
    ));
}

#[test]
fn external_names_behind_an_ingress_are_looked_up() {
    insta::assert_snapshot!(told(
        "ingress-to-an-external-name",
        &[
            ("50s", "external", "shop.example.com"),
            ("50s", "external", "typo.example.com"),
            ("90s", "external", "shop.example.com")
        ]
    ));
}

#[test]
fn answers_of_an_ingress_controller_are_explained() {
    insta::assert_snapshot!(told(
        "why-ingress-answers-404-or-503",
        &[
            ("1m", "external", "shop.example.com/cart/1"),
            ("1m", "external", "shop.example.com/cartoon"),
            ("1m", "external", "shpo.example.com"),
            ("1m", "external", "blog.example.com"),
            ("1m", "external", "shop.example.com/api"),
            ("1m", "external", "shop.example.com/old"),
            ("1m", "external", "secure.example.com/x"),
            ("1m", "external", "service/cart"),
            ("1m", "external", "node/worker-0:30080"),
            ("3m", "external", "shop.example.com/cart"),
        ]
    ));
}

#[test]
fn answers_of_a_gateway_are_explained() {
    insta::assert_snapshot!(told(
        "why-gateway-answers-404",
        &[
            ("40s", "external", "http://shop.example.com:30082/cart/1"),
            ("40s", "external", "http://shop.example.com:30082/admin"),
            ("40s", "external", "http://blog.example.org:30082/"),
            ("40s", "external", "http://shpo.example.com:30082/"),
            ("40s", "external", "http://api.example.com:30082/"),
            ("40s", "external", "https://shop.example.com:30445/cart"),
            ("70s", "external", "https://shop.example.com:30445/cart"),
            ("80s", "external", "http://shop.example.com:30082/cart"),
        ]
    ));
}

#[test]
fn programs_get_the_same_as_json() {
    let run = seatrial("why-no-answer-inside", "50s", "pod/client", "web", &["-o", "json"]).code(1);
    let told: Value = serde_json::from_slice(&run.get_output().stdout).expect("JSON");
    assert_eq!(
        (&told["reachable"], &told["cause"], &told["outcome"]),
        (&"no".into(), &"no endpoints".into(), &"refused".into())
    );
    let broken = told["steps"].as_array().expect("steps").last().expect("a step");
    assert_eq!((&broken["stage"], &broken["link"]), (&"Endpoints".into(), &"broken".into()));
}

/// What becomes of all requests of a client over some seconds, and at both ends of them what is explained.
#[test]
fn explanations_agree_with_what_requests_meet() {
    for (scenario, client, from, to) in [
        ("node-loss-by-traffic-policy", "cluster", "external", "service/anywhere:80"),
        ("node-loss-by-traffic-policy", "local", "external", "service/at-home:80"),
        ("traffic-by-load-balancer", "local", "external", "service/at-home:80"),
        ("load-balancer-notices-late", "users", "external", "service/web:80"),
        ("policy-and-the-address-of-the-client", "cluster", "external", "service/anywhere:80"),
        ("policy-and-the-address-of-the-client", "local", "external", "service/at-home:80"),
        ("reboot-before-the-rules", "elsewhere", "node/worker-1", "service/web:80"),
        ("partition-keeps-old-rules", "behind-the-cut", "node/worker-0", "service/web:80"),
        ("ingress-on-host-ports", "users", "external", "shop.example.com"),
        ("gateway-weights", "halves", "external", "shop.example.com:30081/half"),
        ("gateway-without-endpoints", "inside", "node/worker-0", "service/web:80"),
        ("gateway-without-endpoints", "through-the-gateway", "external", "shop.example.com:30081"),
        ("stories/rolling-update-drops-requests/trouble", "users", "external", "service/web:80"),
    ] {
        let file = format!("{}/scenarios/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"));
        let scenario = Scenario::load(file.as_ref()).expect("a scenario");
        let mut session = scenario.begin(&RunOptions::default()).expect("a session");
        let (from, to) = (parse_source(from).expect("a client"), to.parse().expect("a destination"));
        let mut look = |at: u64| {
            session.advance_to(SimTime::from_secs(at));
            let sim = session.simulation();
            let total = sim.client(client).expect("the client").total;
            (sim.explain(&from, &to).verdict, total.requests, total.succeeded)
        };
        let mut compared = 0;
        for at in (5..235).step_by(6) {
            let ((before, sent, answered), (after, all_sent, all_answered)) = (look(at), look(at + 5));
            let (sent, answered) = (all_sent - sent, all_answered - answered);
            if sent < 10 {
                continue;
            }
            let share = answered * 100 / sent;
            let fits = match (&before, &after) {
                (Verdict::Reachable, Verdict::Reachable) => share >= 90,
                (Verdict::Unreachable(_) | Verdict::Status(..), Verdict::Unreachable(_) | Verdict::Status(..)) => {
                    share <= 10
                }
                (Verdict::Sometimes(_), Verdict::Sometimes(_)) => (5..=98).contains(&share),
                _ => continue,
            };
            compared += 1;
            assert!(fits, "{file}, {client} from {at} s on: {before:?}, and {share} % of {sent} are answered");
        }
        assert!(compared > 3, "{file}: {compared}");
    }
}

#[test]
fn wrong_clients_and_destinations_are_refused() {
    for (from, to, expected) in [
        ("me", "web", "\"me\" is no client: expected external, pod/NAME, NAMESPACE/pod/NAME or node/NAME"),
        ("deployment/web", "web", "is no client"),
        ("external", "web:0", "that is no port"),
        ("external", "web:http", "that is no port"),
        ("external", "node/worker-0", "the port is missing"),
        ("external", "service/web:", "the port is missing"),
        ("external", "service/web:0", "that is no port"),
        ("external", "service/web:70000", "that is no port"),
        ("external", "deployment/web", "no connections go to objects of that kind"),
        ("external", "a b", "that is no host"),
        ("external", "", "that is no host"),
        ("external", "[::1", "that is no host"),
    ] {
        let run = seatrial("why-no-answer-inside", "1s", from, to, &[]).code(2);
        let told = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(told.contains(expected), "{from} {to}: {told}");
    }
}
