//! Updates of a DaemonSet on clusters of different size, from a fork of a settled cluster to quiescence. The time a pod should not depend on the number of nodes.

mod settled;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::sim::Simulation;

/// A cluster with an agent on each of that many nodes, updated a tenth at a time.
fn cluster(nodes: usize, rolling: &str) -> Simulation {
    let manifest = format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: agent}}\nspec:\n  \
         updateStrategy: {{type: RollingUpdate, rollingUpdate: {rolling}}}\n  \
         selector: {{matchLabels: {{app: agent}}}}\n  template:\n    metadata: {{labels: {{app: agent}}}}\n    \
         spec: {{containers: [{{name: c, image: 'agent:v1', resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]}}\n"
    );
    settled::settled(Simulation::builder().nodes(nodes), &manifest)
}

fn update(sim: &mut Simulation) {
    settled::update(sim, "daemonset/agent", "agent:v2");
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
            let cluster = cluster(nodes, rolling);
            group.throughput(Throughput::Elements(nodes as u64));
            group.sample_size(10);
            group.bench_function(BenchmarkId::new("nodes", nodes), |b| settled::forked(b, &cluster, update));
        }
        group.finish();
    }
}

criterion_group!(benches, updates);
criterion_main!(benches);
