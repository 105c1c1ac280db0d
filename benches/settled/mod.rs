//! Clusters at rest, and what is done to forks of them until they are at rest again: profile `ideal`, recorder off.
#![allow(dead_code, reason = "each benchmark uses what it needs")]

use std::hint::black_box;

use criterion::{BatchSize, Bencher};
use seatrial::kernel::SimTime;
use seatrial::sim::{Delays, NodeTemplate, Simulation, SimulationBuilder, Target};

const END: SimTime = SimTime::from_secs(86_400);

/// A cluster with these objects, at rest.
pub(crate) fn settled(builder: SimulationBuilder, manifests: &str) -> Simulation {
    let mut sim = builder.delays(Delays::ideal()).build().expect("a cluster");
    sim.apply(manifests).expect("valid manifests");
    settle(&mut sim);
    sim
}

/// With so many nodes of 64 cores and room for 250 pods.
pub(crate) fn with_large_nodes(builder: SimulationBuilder, nodes: usize) -> SimulationBuilder {
    (0..nodes).fold(builder, |builder, number| {
        let node = NodeTemplate::new(format!("node-{number}"));
        let node = node.capacity("cpu", "64").and_then(|node| node.capacity("pods", "250"));
        builder.node(node.expect("quantities"))
    })
}

/// Lets a cluster come to rest.
pub(crate) fn settle(sim: &mut Simulation) {
    assert!(sim.run_until_quiescent(END));
}

/// Gives the container `c` of a workload another image, and lets the cluster come to rest.
pub(crate) fn update(sim: &mut Simulation, target: &str, image: &str) {
    let target: Target = target.parse().expect("a target");
    sim.set_image(&target, "c", image).expect("the container exists");
    settle(sim);
}

/// Measures what is done to a fork, the fork itself included.
pub(crate) fn forked(bencher: &mut Bencher<'_>, cluster: &Simulation, run: impl Fn(&mut Simulation)) {
    let measured = |()| {
        let mut fork = cluster.clone();
        run(&mut fork);
        black_box(fork.changes())
    };
    bencher.iter_batched(|| (), measured, BatchSize::PerIteration);
}
