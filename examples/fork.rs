//! One rollout, three futures: the cluster is copied in the middle of it, and each copy goes on with another misfortune.
//!
//! `cargo run --example fork`
#![allow(clippy::print_stdout, reason = "what an example has to say")]

use std::error::Error;

use seatrial::kernel::{SimDuration, SimTime};
use seatrial::sim::{SimError, Simulation, Target};

const MANIFEST: &str = include_str!("../scenarios/manifests/web.yaml");

/// Something that happens to a cluster.
type Misfortune = fn(&mut Simulation) -> Result<(), SimError>;

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let web: Target = "deployment/web".parse()?;
    let mut cluster = Simulation::builder().seed(7).nodes(4).build()?;
    cluster.apply(MANIFEST)?;
    cluster.run_for(SimDuration::from_mins(1));
    cluster.set_image(&web, "web", "shop/web:v2")?;
    cluster.run_for(SimDuration::from_secs(8));

    let futures: [(&str, Misfortune); 3] = [
        ("nothing", |_| Ok(())),
        ("a machine dies", |cluster| cluster.node_down("node-1")),
        ("the new image is withdrawn", |cluster| {
            cluster.rollout_undo(&"deployment/web".parse().expect("a target"), None).map(drop)
        }),
    ];
    for (name, happens) in futures {
        // A copy shares what it has in common with the original: it costs next to nothing.
        let mut future = cluster.clone();
        happens(&mut future)?;
        let at_rest = future.run_until_quiescent(SimTime::from_mins(60));
        let pods = future.view().pods.iter();
        let new = pods.filter(|pod| pod.is_ready() && &*pod.spec.containers[0].image == "shop/web:v2").count();
        let end = if at_rest { future.last_change().to_string() } else { "never".to_owned() };
        println!("{name:28} at rest at {end:>12}, {new:2} ready pods of v2");
    }
    // The original knows nothing of it.
    assert_eq!(cluster.now(), SimTime::from_secs(68));
    Ok(())
}
