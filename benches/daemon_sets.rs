//! Updates of a DaemonSet on clusters of different size, from a fork of a settled cluster to quiescence: profile `ideal`,
//! recorder off. The time a pod should not depend on the number of nodes.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::kernel::SimTime;
use seatrial::sim::{Delays, Simulation, Target};

const END: SimTime = SimTime::from_secs(86_400);

/// A settled cluster with an agent on each of that many nodes, updated a tenth at a time.
fn settled(nodes: usize, rolling: &str) -> Simulation {
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(nodes).build().expect("a cluster");
    let manifest = format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: agent}}\nspec:\n  \
         updateStrategy: {{type: RollingUpdate, rollingUpdate: {rolling}}}\n  \
         selector: {{matchLabels: {{app: agent}}}}\n  template:\n    metadata: {{labels: {{app: agent}}}}\n    \
         spec: {{containers: [{{name: c, image: 'agent:v1', resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]}}\n"
    );
    sim.apply(&manifest).expect("a valid manifest");
    assert!(sim.run_until_quiescent(END));
    sim
}

fn update(sim: &mut Simulation) {
    let agent: Target = "daemonset/agent".parse().expect("a target");
    sim.set_image(&agent, "c", "agent:v2").expect("the container exists");
    assert!(sim.run_until_quiescent(END));
    let status = &sim.view().daemon_sets.iter().next().expect("the DaemonSet").status;
    assert_eq!(status.updated_number_scheduled, status.desired_number_scheduled);
}

fn updates(c: &mut Criterion) {
    for (name, rolling) in [
        ("maxUnavailable 10%", "{maxUnavailable: 10%, maxSurge: 0}"),
        ("maxSurge 10%", "{maxUnavailable: 0, maxSurge: 10%}"),
    ] {
        let mut group = c.benchmark_group(format!("DaemonSet update, {name}"));
        for nodes in [100, 1_000, 5_000, 10_000] {
            let cluster = settled(nodes, rolling);
            group.throughput(Throughput::Elements(nodes as u64));
            group.sample_size(10);
            group.bench_function(BenchmarkId::new("nodes", nodes), |b| {
                b.iter_batched(
                    || (),
                    |()| {
                        let mut fork = cluster.clone();
                        update(&mut fork);
                        black_box(fork.changes())
                    },
                    BatchSize::PerIteration,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, updates);
criterion_main!(benches);
