//! Users who send requests during a rollout, and what they get, with and without a preStop hook.
//!
//! `cargo run --example traffic`
#![allow(clippy::print_stdout, reason = "what an example has to say")]

use std::error::Error;

use seatrial::kernel::{SimDuration, SimTime};
use seatrial::objects::Key;
use seatrial::report::traffic;
use seatrial::sim::{Arrivals, ClientReport, ClientSpec, Load, Simulation};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let bare = roll_out("")?;
    let careful = roll_out("lifecycle: {preStop: {sleep: {seconds: 5}}}")?;
    println!(
        "lost of {}: {} without a preStop hook, {} with one",
        bare.total.requests, bare.total.lost, careful.total.lost
    );
    assert!(bare.total.lost > 0 && careful.total.lost == 0);
    Ok(())
}

/// Rolls out a new version under load, with this in the container's spec.
fn roll_out(lifecycle: &str) -> Result<ClientReport, Box<dyn Error>> {
    let users = ClientSpec {
        start: SimDuration::from_secs(20),
        timeout: SimDuration::from_secs(1),
        ..ClientSpec::new("users", Key::new("default", "web"), Load::Open(Arrivals::constant("200/s".parse()?)))
    };
    let mut cluster = Simulation::builder().nodes(4).client(users).build()?;
    cluster.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 6
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: shop/web:v1
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
        {lifecycle}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
"#
    ))?;
    cluster.run_until(SimTime::from_secs(30));
    cluster.set_image(&"deployment/web".parse()?, "web", "shop/web:v2")?;
    cluster.run_until(SimTime::from_secs(90));
    if let Some(report) = cluster.traffic() {
        println!("{}", traffic(&report));
    }
    Ok(cluster.client("users").expect("it was configured above"))
}
