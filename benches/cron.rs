//! A thousand CronJobs over a simulated day: profile `ideal`, recorder off.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use seatrial::kernel::SimTime;
use seatrial::objects::Timestamp;
use seatrial::objects::cron::Schedule;
use seatrial::sim::{Delays, NodeTemplate, Simulation};

const CRON_JOBS: usize = 1_000;

/// CronJobs that run once an hour, each at a minute of its own, with Jobs of a minute.
fn cluster(count: usize) -> Simulation {
    let task = serde_json::from_value(serde_json::json!({"image": "task:*", "exit": {"code": 0, "after": "60s"}}));
    let mut builder = Simulation::builder().delays(Delays::ideal()).behaviour(task.expect("a behaviour"));
    for n in 0..10 {
        let node = NodeTemplate::new(format!("node-{n}"));
        let node = node.capacity("cpu", "64").and_then(|node| node.capacity("pods", "250"));
        builder = builder.node(node.expect("quantities"));
    }
    let mut sim = builder.build().expect("a cluster");
    let mut manifests = String::new();
    for n in 0..count {
        let minute = n % 60;
        let _ = write!(
            manifests,
            "---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: task-{n}}}\nspec:\n  \
             schedule: '{minute} * * * *'\n  jobTemplate:\n    spec: {{template: {{spec: {{restartPolicy: Never, \
             containers: [{{name: c, image: 'task:v1'}}]}}}}}}\n"
        );
    }
    sim.apply(&manifests).expect("valid manifests");
    sim
}

fn days(c: &mut Criterion) {
    let settled = cluster(CRON_JOBS);
    let mut group = c.benchmark_group("CronJobs");
    // Runs of Jobs.
    group.throughput(Throughput::Elements(CRON_JOBS as u64 * 24));
    group.sample_size(10);
    group.bench_function("1,000 hourly ones over a day", |b| {
        b.iter(|| {
            let mut fork = settled.clone();
            fork.run_until(SimTime::from_secs(86_400));
            assert!(fork.view().jobs.len() >= 3 * CRON_JOBS, "the histories are full");
            black_box(fork.changes())
        });
    });
    group.finish();
}

fn schedules(c: &mut Criterion) {
    let mut group = c.benchmark_group("next time of a schedule");
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    for text in ["*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "TZ=Europe/Berlin 30 2 * * 1-5"] {
        let schedule: Schedule = text.parse().expect("a schedule");
        group.bench_function(text, |b| b.iter(|| black_box(schedule.next(black_box(from)))));
    }
    group.finish();
}

criterion_group!(benches, days, schedules);
criterion_main!(benches);
