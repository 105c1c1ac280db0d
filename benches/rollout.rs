//! Whole rolling updates, from a fork of a settled cluster to quiescence.

mod settled;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::sim::Simulation;

/// A cluster with one Deployment of that many pods, 25 % surge and 25 % unavailable.
fn cluster(pods: usize) -> Simulation {
    let builder = settled::with_large_nodes(Simulation::builder(), pods.div_ceil(100).max(3));
    let manifest = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {pods}\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec: {{containers: [{{name: c, image: 'web:v1', resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}]}}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\n\
         spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n"
    );
    settled::settled(builder, &manifest)
}

fn rollouts(c: &mut Criterion) {
    let mut group = c.benchmark_group("rolling update");
    for pods in [10, 100, 1_000, 10_000] {
        let cluster = cluster(pods);
        group.throughput(Throughput::Elements(pods as u64));
        group.sample_size(if pods > 1_000 { 10 } else { 50 });
        group.bench_function(BenchmarkId::new("from fork to quiescence", pods), |b| {
            settled::forked(b, &cluster, |sim| settled::update(sim, "deployment/web", "web:v2"));
        });
    }
    group.finish();
}

fn forks(c: &mut Criterion) {
    let mut group = c.benchmark_group("fork");
    for pods in [10, 10_000] {
        let cluster = cluster(pods);
        group.throughput(Throughput::Elements(pods as u64));
        group.bench_function(BenchmarkId::from_parameter(pods), |b| b.iter(|| black_box(cluster.clone())));
    }
    group.finish();
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Not a time: resident bytes a pod, printed once.
fn memory(c: &mut Criterion) {
    let before = resident();
    let cluster = cluster(20_000);
    let bytes = resident().saturating_sub(before) / cluster.view().pods.len().max(1) as u64;
    c.bench_function(&format!("memory: {bytes} bytes a pod (20,000 pods, nodes and endpoints included)"), |b| {
        b.iter(|| black_box(cluster.view().pods.len()));
    });
}

criterion_group!(benches, memory, rollouts, forks);
criterion_main!(benches);
