//! Expressions: no panic, no hang; one that can be read holds or not, and is told with its parts.

use seatrial::kernel::SimDuration;
use seatrial::scenario::{Expression, NumberExpression};
use seatrial::sim::{Delays, Simulation};

/// A small cluster: something of what expressions ask about.
const OBJECTS: &str =
    "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}}}";

fn cluster() -> Simulation {
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build().expect("a cluster");
    sim.apply(OBJECTS).expect("objects");
    sim.run_for(SimDuration::from_secs(30));
    sim
}

/// Reads a text as an expression, and asks it if it is one.
pub(super) fn expression(text: &str) {
    thread_local!(static CLUSTER: Simulation = cluster());
    if let Err(error) = text.parse::<NumberExpression>() {
        assert!(!error.to_string().is_empty(), "{text:?}");
    }
    let expression = match text.parse::<Expression>() {
        Ok(expression) => expression,
        Err(error) => return assert!(!error.to_string().is_empty(), "{text:?}"),
    };
    CLUSTER.with(|sim| {
        let holds = expression.holds(sim);
        for wanted in [true, false] {
            assert!(!expression.parts(sim, wanted).is_empty(), "{text:?}");
            assert_eq!(expression.explain(sim, wanted).is_empty(), holds == wanted, "{text:?}");
        }
    });
}
