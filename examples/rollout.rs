//! A rollout that is watched while it runs, as a test of one's own would do it.
//!
//! `cargo run --example rollout`
#![allow(clippy::print_stdout, reason = "what an example has to say")]

use std::error::Error;

use seatrial::invariants::{self, Always};
use seatrial::kernel::SimTime;
use seatrial::objects::DeploymentStatus;
use seatrial::report::tree;
use seatrial::sim::{Simulation, Target};

const MANIFEST: &str = include_str!("../scenarios/manifests/web.yaml");

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let web: Target = "deployment/web".parse()?;
    let mut cluster = Simulation::builder().seed(42).nodes(4).build()?;
    cluster.apply(MANIFEST)?;
    assert!(cluster.run_until_quiescent(SimTime::from_mins(30)), "the first version never comes up");

    cluster.set_image(&web, "web", "shop/web:v2")?;
    let begun = cluster.now();
    // What Kubernetes promises of every workload, checked after every change.
    let mut promises = Always::for_every_workload();
    let mut fewest = i32::MAX;
    loop {
        promises.check(&cluster)?;
        let status = status(&cluster, &web);
        fewest = fewest.min(status.available_replicas);
        if status.updated_replicas == 10 && status.available_replicas == 10 && status.replicas == 10 {
            break;
        }
        assert!(cluster.step(SimTime::from_mins(60)), "the rollout never ends");
    }
    println!("rolled out in {}, never fewer than {fewest} of 10 pods available", cluster.now().since(begun));

    // Nothing is left behind.
    invariants::settle(&mut cluster, SimTime::from_mins(120))?;
    print!("{}", tree(&cluster, Some(&web), Some("default")).unwrap_or_default());
    Ok(())
}

fn status<'a>(cluster: &'a Simulation, deployment: &Target) -> &'a DeploymentStatus {
    &cluster.view().deployments.get(&deployment.key).expect("it was applied").status
}
