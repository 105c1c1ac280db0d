//! Jobs from creation to completion, at most 500 pods at a time: profile `ideal`, recorder off.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::kernel::SimTime;
use seatrial::kubelet::BehaviourSpec;
use seatrial::sim::{Delays, NodeTemplate, Simulation};

const END: SimTime = SimTime::from_secs(86_400);
const PARALLELISM: usize = 500;

/// A cluster whose tasks take ten seconds, with room for 500 of them.
fn cluster() -> Simulation {
    let task: BehaviourSpec = serde_json::from_str(r#"{"image": "*", "exit": {"after": "10s"}}"#).expect("a behaviour");
    let mut builder = Simulation::builder().delays(Delays::ideal()).behaviour(task);
    for n in 0..5 {
        let node = NodeTemplate::new(format!("node-{n}"));
        let node = node.capacity("cpu", "64").and_then(|node| node.capacity("pods", "250"));
        builder = builder.node(node.expect("quantities"));
    }
    builder.build().expect("a cluster")
}

fn complete(mut sim: Simulation, mode: &str, pods: usize) -> u64 {
    let parallelism = pods.min(PARALLELISM);
    let manifest = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j}}\nspec:\n  completionMode: {mode}\n  completions: {pods}\n  \
         parallelism: {parallelism}\n  template:\n    spec:\n      restartPolicy: Never\n      \
         containers: [{{name: c, image: task, resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]\n"
    );
    sim.apply(&manifest).expect("a valid Job");
    assert!(sim.run_until_quiescent(END));
    assert!(sim.view().jobs.iter().all(|job| job.is_complete()));
    sim.changes()
}

fn jobs(c: &mut Criterion) {
    let cluster = cluster();
    for mode in ["NonIndexed", "Indexed"] {
        let mut group = c.benchmark_group(format!("job, {mode}"));
        for pods in [100, 1_000, 10_000] {
            group.throughput(Throughput::Elements(pods as u64));
            group.sample_size(10);
            group.bench_function(BenchmarkId::new("from creation to completion", pods), |b| {
                b.iter_batched(|| cluster.clone(), |sim| black_box(complete(sim, mode, pods)), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

criterion_group!(benches, jobs);
criterion_main!(benches);
