//! Random pods in a random order of events. Whatever happens, deleted pods go within their grace, phases move forward only,
//! init containers start in their order and sidecars outlive the regular containers: the bench checks every write and start.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::bench::Bench;

const IMAGES: [&str; 8] = ["ok", "slow", "never", "pull", "crash", "task", "flaky", "stubborn"];

const ENTRIES: &str = "
- {image: ok, start: {distribution: uniform, min: 0s, max: 3s}, ready: 1s, terminate: 1s}
- {image: slow, start: 20s, ready: {distribution: exponential, mean: 10s}, terminate: 5s}
- {image: never, ready: never}
- {image: pull, pull: error, terminate: 1s}
- {image: crash, exit: {code: 1, after: 3s}}
- {image: task, exit: {after: {distribution: uniform, min: 0s, max: 40s}}, terminate: 2s}
- {image: flaky, exit: {code: 3, after: 2s, once: true}}
- {image: stubborn, terminate: 500s}
";

#[derive(Clone, Debug)]
enum Act {
    Bind(Value),
    Delete { pod: usize, grace: i64 },
    Hang { pod: usize, answers: bool },
    Stop,
    Start,
    Wait(u64),
}

fn probe() -> impl Strategy<Value = Value> {
    (1..20i32, 0..10i32, 1..4i32, 1..4i32, any::<bool>()).prop_map(|(period, delay, failures, successes, present)| {
        match present {
            true => json!({"tcpSocket": {"port": 80}, "periodSeconds": period, "initialDelaySeconds": delay,
            "failureThreshold": failures, "successThreshold": successes}),
            false => Value::Null,
        }
    })
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    let hooks = (0..20u64, prop::option::weighted(0.2, 0..10u64));
    (0..IMAGES.len(), [probe(), probe(), probe()], hooks).prop_map(move |(image, [ready, live, startup], (stop, start))| {
        let start = start.map(|seconds| json!({"sleep": {"seconds": seconds}}));
        json!({"name": name, "image": IMAGES[image], "readinessProbe": ready, "livenessProbe": live, "startupProbe": startup,
            "lifecycle": {"preStop": {"sleep": {"seconds": stop}}, "postStart": start}})
    })
}

/// No init container, a regular one, or a sidecar.
fn init(name: &'static str) -> impl Strategy<Value = Option<Value>> {
    prop::option::of((container(name), any::<bool>())).prop_map(|chosen| {
        chosen.map(|(mut container, is_sidecar)| {
            if is_sidecar {
                container["restartPolicy"] = "Always".into();
            }
            container
        })
    })
}

fn pod() -> impl Strategy<Value = Value> {
    let policy = prop::sample::select(vec!["Always", "OnFailure", "Never"]);
    let deadline = prop::option::weighted(0.1, 1..100i64);
    let mains = (container("a"), prop::option::of(container("b")));
    let inits = [init("i"), init("j"), init("k")];
    let ephemeral = prop::option::weighted(0.2, container("e"));
    (policy, deadline, mains, inits, ephemeral).prop_map(|(policy, deadline, (a, b), inits, ephemeral)| {
        let containers: Vec<Value> = [a].into_iter().chain(b).collect();
        let inits: Vec<Value> = inits.into_iter().flatten().collect();
        let ephemeral: Vec<Value> = ephemeral.into_iter().collect();
        json!({"restartPolicy": policy, "activeDeadlineSeconds": deadline, "containers": containers, "initContainers": inits,
            "ephemeralContainers": ephemeral})
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => pod().prop_map(Act::Bind),
        3 => (0..8usize, 0..60i64).prop_map(|(pod, grace)| Act::Delete { pod, grace }),
        2 => (0..8usize, any::<bool>()).prop_map(|(pod, answers)| Act::Hang { pod, answers }),
        1 => Just(Act::Stop),
        1 => Just(Act::Start),
        6 => (0..60_000u64).prop_map(Act::Wait),
    ]
}

/// Names are used once, so that a deleted pod cannot be taken for its successor.
fn play(acts: &[Act]) -> Bench {
    let mut bench = Bench::new(ENTRIES);
    let (mut bound, mut millis) = (0, 0);
    for act in acts {
        match act {
            Act::Bind(spec) => {
                bench.bind(&format!("p{bound}"), spec.clone());
                bound += 1;
            }
            Act::Delete { pod, grace } => {
                if bench.pod(&format!("p{pod}")).is_some() {
                    bench.delete(&format!("p{pod}"), *grace);
                }
            }
            Act::Hang { pod, answers } => {
                if bench.pod(&format!("p{pod}")).is_some() {
                    bench.app_health(&format!("p{pod}"), "a", *answers);
                }
            }
            Act::Stop => bench.stop_node(),
            Act::Start => bench.start_node(),
            Act::Wait(more) => {
                millis += more;
                bench.run_to(millis);
            }
        }
    }
    bench.start_node();
    bench.run_to(millis + 1_000_000);
    for pod in 0..bound {
        let name = format!("p{pod}");
        if bench.pod(&name).is_some_and(|pod| !pod.meta.is_deleting()) {
            bench.delete(&name, 30);
        }
    }
    bench.run_to(millis + 2_000_000);
    bench
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_deleted_pod_goes(acts in prop::collection::vec(act(), 1..30)) {
        let bench = play(&acts);
        prop_assert_eq!(bench.view.pods.len(), 0, "{:?}", bench.story);
        prop_assert_eq!(bench.kubelet.pod_count(), 0);
        let again = play(&acts);
        prop_assert_eq!(bench.story, again.story);
        prop_assert_eq!(bench.events, again.events);
    }
}
