//! Jobs from creation to completion, at most 500 pods at a time.

mod settled;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::kubelet::BehaviourSpec;
use seatrial::sim::{Delays, Simulation};

const PARALLELISM: usize = 500;

/// A cluster whose tasks take ten seconds, with room for 500 of them.
fn cluster() -> Simulation {
    let task: BehaviourSpec = serde_json::from_str(r#"{"image": "*", "exit": {"after": "10s"}}"#).expect("a behaviour");
    let builder = Simulation::builder().delays(Delays::ideal()).behaviour(task);
    settled::with_large_nodes(builder, 5).build().expect("a cluster")
}

fn complete(sim: &mut Simulation, mode: &str, pods: usize) {
    let parallelism = pods.min(PARALLELISM);
    let manifest = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j}}\nspec:\n  completionMode: {mode}\n  completions: {pods}\n  \
         parallelism: {parallelism}\n  template:\n    spec:\n      restartPolicy: Never\n      \
         containers: [{{name: c, image: task, resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]\n"
    );
    sim.apply(&manifest).expect("a valid Job");
    settled::settle(sim);
    assert!(sim.view().jobs.iter().all(|job| job.is_complete()));
}

fn jobs(c: &mut Criterion) {
    let cluster = cluster();
    for mode in ["NonIndexed", "Indexed"] {
        let mut group = c.benchmark_group(format!("job, {mode}"));
        for pods in [100, 1_000, 10_000] {
            group.throughput(Throughput::Elements(pods as u64));
            group.sample_size(10);
            group.bench_function(BenchmarkId::new("from creation to completion", pods), |b| {
                settled::forked(b, &cluster, |sim| complete(sim, mode, pods));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, jobs);
criterion_main!(benches);
