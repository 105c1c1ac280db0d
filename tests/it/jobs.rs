//! Random Jobs under random changes and faults: they keep their promises, and come to an end.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::api::{DeleteOptions, PatchType, Propagation};
use seatrial::invariants::{Always, JobCompletions};
use seatrial::kernel::SimDuration;
use seatrial::objects::{Job, Key, Kind, PodPhase, Resource};
use seatrial::sim::{Delays, Simulation, Target};

use crate::random::{self, play, some_cases};

/// How completions are told apart, and what ends the Job.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Plain,
    WorkQueue,
    Indexed,
    PerIndex { limit: i32, most: Option<i32> },
    EarlySuccess(i32),
}

#[derive(Clone, Debug)]
enum Action {
    Parallelism(i32),
    Resize(i32),
    Suspend(bool),
    Deadline(i64),
    Limit(i32),
    KillPod(usize),
    Relabel(usize),
    NodeDown(usize),
    NodeUp(usize),
    DeleteJob(Propagation),
    Wait(u64),
}

/// What the containers do.
#[derive(Clone, Copy, Debug)]
struct Task {
    exit_code: u8,
    mean_secs: u64,
    /// Seconds after which a pod is failed that still runs.
    limit: Option<i64>,
    restarts: bool,
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    mode: Mode,
    completions: i32,
    parallelism: i32,
    backoff_limit: Option<i32>,
    deadline: Option<i64>,
    policy: bool,
    replace_failed: bool,
    ttl: Option<i32>,
    task: Task,
    lags: bool,
    actions: Vec<Action>,
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        3 => Just(Mode::Plain),
        2 => Just(Mode::WorkQueue),
        2 => Just(Mode::Indexed),
        2 => (0..3i32, prop::option::of(0..4i32)).prop_map(|(limit, most)| Mode::PerIndex { limit, most }),
        1 => (1..5i32).prop_map(Mode::EarlySuccess),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let propagation =
        prop_oneof![Just(Propagation::Background), Just(Propagation::Foreground), Just(Propagation::Orphan)];
    prop_oneof![
        4 => (0..12i32).prop_map(Action::Parallelism),
        2 => (1..12i32).prop_map(Action::Resize),
        2 => any::<bool>().prop_map(Action::Suspend),
        1 => (1..120i64).prop_map(Action::Deadline),
        1 => (0..6i32).prop_map(Action::Limit),
        4 => (0..20usize).prop_map(Action::KillPod),
        1 => (0..20usize).prop_map(Action::Relabel),
        2 => (0..3usize).prop_map(Action::NodeDown),
        2 => (0..3usize).prop_map(Action::NodeUp),
        1 => propagation.prop_map(Action::DeleteJob),
        6 => (0..60u64).prop_map(Action::Wait),
    ]
}

fn task() -> impl Strategy<Value = Task> {
    let code = prop_oneof![4 => Just(0u8), 1 => Just(1), 1 => Just(42)];
    (code, 1..40u64, prop::option::of(1..40i64), any::<bool>())
        .prop_map(|(exit_code, mean_secs, limit, restarts)| Task { exit_code, mean_secs, limit, restarts })
}

fn case() -> impl Strategy<Value = Case> {
    let size = (mode(), 0..14i32, 0..8i32, prop::option::of(0..5i32));
    let rules =
        (prop::option::weighted(0.2, 5..200i64), any::<bool>(), any::<bool>(), prop::option::weighted(0.3, 0..30i32));
    let run = (any::<u64>(), task(), any::<bool>(), prop::collection::vec(action(), 1..12));
    (size, rules, run).prop_map(|(size, rules, run)| {
        let (mode, completions, parallelism, backoff_limit) = size;
        let (deadline, policy, replace_failed, ttl) = rules;
        let (seed, task, lags, actions) = run;
        let completions = completions.max(i32::from(matches!(mode, Mode::EarlySuccess(_))));
        Case {
            seed,
            mode,
            completions,
            parallelism,
            backoff_limit,
            deadline,
            policy,
            replace_failed,
            ttl,
            task,
            lags,
            actions,
        }
    })
}

fn spec(case: &Case) -> Value {
    let Task { limit, restarts, .. } = case.task;
    let indexed = !matches!(case.mode, Mode::Plain | Mode::WorkQueue);
    // The API server wants policies about failed pods to be about pods that do not restart.
    let policy = case.policy && !restarts;
    let mut spec = json!({
        "parallelism": case.parallelism,
        "completionMode": if indexed { "Indexed" } else { "NonIndexed" },
        "activeDeadlineSeconds": case.deadline,
        "ttlSecondsAfterFinished": case.ttl,
        "backoffLimit": case.backoff_limit,
        "podReplacementPolicy": if case.replace_failed || policy { "Failed" } else { "TerminatingOrFailed" },
        "template": {"spec": {
            "restartPolicy": if restarts && !matches!(case.mode, Mode::PerIndex { .. }) { "OnFailure" } else { "Never" },
            "activeDeadlineSeconds": limit,
            "containers": [{"name": "c", "image": "task", "resources": {"requests": {"cpu": "100m"}}}],
        }},
    });
    if !matches!(case.mode, Mode::WorkQueue) {
        spec["completions"] = case.completions.into();
    }
    if policy {
        let action = if matches!(case.mode, Mode::PerIndex { .. }) { "FailIndex" } else { "FailJob" };
        spec["podFailurePolicy"] = json!({"rules": [
            {"action": action, "onExitCodes": {"operator": "In", "values": [42]}},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
        ]});
    }
    match case.mode {
        Mode::PerIndex { limit, most } => {
            spec["backoffLimitPerIndex"] = limit.into();
            spec["maxFailedIndexes"] = most.map(|most| most.min(case.completions)).into();
        }
        Mode::EarlySuccess(count) => {
            spec["successPolicy"] = json!({"rules": [{"succeededCount": count.min(case.completions).max(1)}]});
        }
        Mode::Plain | Mode::WorkQueue | Mode::Indexed => {}
    }
    spec
}

/// What must be true once nothing is left to happen.
fn at_rest(sim: &Simulation) -> Result<(), String> {
    let Some(job) = sim.view().jobs.get(&Key::new("default", "j")) else { return Ok(()) };
    let active = sim.view().unsettled_pods(&job.meta.uid).filter(|pod| pod.is_active()).count();
    if !job.is_finished() && active == 0 && job.spec.parallelism > 0 {
        return Err(format!("the Job neither runs nor has it finished: {:?}", job.status));
    }
    if !job.is_finished() {
        return Ok(());
    }
    ended_well(sim, job)
}

fn ended_well(sim: &Simulation, job: &Job) -> Result<(), String> {
    let status = &job.status;
    let (complete, enough) = (job.is_complete(), job.spec.completions.map_or(1, i64::from));
    // What an indexed Job asks for may have changed after its end.
    if complete && !job.is_indexed() && i64::from(status.succeeded) < enough {
        return Err(format!("complete with {} of {enough} completions", status.succeeded));
    }
    if complete == status.completion_time.is_none() || status.active > 0 || status.terminating.unwrap_or(0) > 0 {
        return Err(format!("an odd end: {status:?}"));
    }
    let running = sim.view().pods.controlled_by(&job.meta.uid).filter(|pod| pod.status.phase == PodPhase::Running);
    let on = running.map(|pod| pod.key().to_string()).collect::<Vec<_>>();
    if on.is_empty() { Ok(()) } else { Err(format!("a finished Job's pods run on: {on:?}")) }
}

/// Pods that nobody controls any more may fail and restart for ever.
fn forsake_orphans(sim: &mut Simulation) {
    let orphans: Vec<Key> = sim.view().pods.orphans("default").map(|pod| pod.key()).collect();
    for key in orphans {
        drop(sim.delete(&Target { kind: Kind::Pod, key }, DeleteOptions::default()));
    }
}

impl random::Case for Case {
    type Action = Action;

    fn cluster(&self) -> Simulation {
        let Task { exit_code, mean_secs, .. } = self.task;
        let after = json!({"distribution": "exponential", "mean": format!("{mean_secs}s")});
        let behaviour =
            json!({"image": "*", "start": "1s", "terminate": "2s", "exit": {"code": exit_code, "after": after}});
        let behaviour = serde_json::from_value(behaviour).expect("a behaviour");
        let delays = if self.lags { Delays::realistic() } else { Delays::ideal() };
        let builder = Simulation::builder().seed(self.seed).delays(delays).behaviour(behaviour).nodes(3);
        let mut sim = builder.build().expect("a cluster");
        let manifest = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": spec(self)});
        sim.apply(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}: {manifest}"));
        sim
    }

    fn actions(&self) -> &[Action] {
        &self.actions
    }

    fn act(&self, sim: &mut Simulation, action: &Action) -> SimDuration {
        let job: Target = "job/j".parse().expect("a target");
        let mut patch = |spec: Value| drop(sim.patch(&job, PatchType::Strategic, &json!({ "spec": spec })));
        // Refusals (the Job is gone, completions cannot change) are part of the game.
        match action {
            Action::Parallelism(parallelism) => patch(json!({"parallelism": parallelism})),
            Action::Resize(size) => patch(json!({"parallelism": size, "completions": size})),
            Action::Suspend(suspend) => patch(json!({"suspend": suspend})),
            Action::Deadline(seconds) => patch(json!({"activeDeadlineSeconds": seconds})),
            Action::Limit(limit) => patch(json!({"backoffLimit": limit})),
            Action::KillPod(nth) => random::kill_pod(sim, *nth),
            Action::Relabel(nth) => {
                let job_leaves = sim.get(&job).is_ok_and(|job| job.meta().is_deleting());
                if let Some(pod) = random::nth_pod(sim, *nth).filter(|_| !job_leaves) {
                    drop(sim.label(&pod, vec![("batch.kubernetes.io/controller-uid".into(), None)]));
                }
                // A Job that is deleted in the foreground before it let go of the pod would wait for it for ever.
                return SimDuration::from_secs(5);
            }
            Action::NodeDown(node) => random::node_up(sim, *node, false),
            Action::NodeUp(node) => random::node_up(sim, *node, true),
            Action::DeleteJob(policy) => {
                drop(sim.delete(&job, DeleteOptions { propagation: Some(*policy), ..DeleteOptions::default() }));
            }
            Action::Wait(seconds) => return SimDuration::from_secs(*seconds),
        }
        SimDuration::ZERO
    }

    fn promises(&self) -> Always {
        let window = if self.lags { SimDuration::from_secs(2) } else { SimDuration::ZERO };
        Always::new().and(JobCompletions::within(Key::new("default", "j"), window))
    }

    /// The suspension ends too.
    fn calm(&self, sim: &mut Simulation, promises: &mut Always) -> Result<(), String> {
        (0..3).for_each(|node| random::node_up(sim, node, true));
        self.act(sim, &Action::Suspend(false));
        if matches!(self.mode, Mode::PerIndex { .. }) {
            // Without a pod to come, the failed pod before it is kept for ever.
            self.act(sim, &Action::Parallelism(self.parallelism.max(1)));
        }
        let soon = sim.now() + SimDuration::from_secs(30);
        promises.run(sim, soon).map_err(|violation| violation.to_string())?;
        forsake_orphans(sim);
        Ok(())
    }

    fn limit(&self) -> SimDuration {
        SimDuration::from_hours(24)
    }

    fn at_rest(&self, sim: &mut Simulation) -> Result<(), String> {
        at_rest(sim)
    }
}

proptest! {
    #![proptest_config(some_cases(500))]

    #[test]
    fn random_jobs_keep_their_promises_and_come_to_an_end(case in case()) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
