//! Scenarios: a cluster, manifests, what a user does to it and when, and what is expected, as one YAML file.
//!
//! ```
//! use seatrial::scenario::{RunOptions, Scenario};
//!
//! let text = r#"
//! apiVersion: seatrial.dev/v1
//! kind: Scenario
//! metadata: {name: hello}
//! spec:
//!   duration: 1m
//!   nodes: [{name: worker, count: 2}]
//!   objects: |
//!     apiVersion: apps/v1
//!     kind: Deployment
//!     metadata: {name: web}
//!     spec:
//!       replicas: 3
//!       selector: {matchLabels: {app: web}}
//!       template:
//!         metadata: {labels: {app: web}}
//!         spec: {containers: [{name: c, image: "web:v1"}]}
//!   expect:
//!   - {eventually: "rolloutComplete(deployment/web)", within: 30s}
//!   - {final: "available(deployment/web) == 3"}
//! "#;
//! let run = Scenario::read("hello.yaml", text)?.run(&RunOptions::default())?;
//! assert!(run.held());
//! # Ok::<(), seatrial::scenario::ScenarioError>(())
//! ```

mod check;
mod encoding;
mod error;
mod excerpt;
mod expectation;
mod expression;
mod extensions;
mod facts;
mod faults;
mod measure;
mod metrics;
mod node_groups;
mod notices;
mod parameters;
mod run;
mod schema;
mod steps;
mod traffic;
mod ways;

pub(crate) use encoding::text;
pub use error::{Problem, ScenarioError};
pub use excerpt::Excerpt;
pub use expectation::{Expectation, ExpectationKind, Outcome, Verdict, Written};
pub use expression::{Expression, ExpressionError, NumberExpression, Part, Subject};
pub use extensions::Extensions;
pub use measure::{Gauge, Measure, Measured};
pub use parameters::Parameters;
pub use run::{DEFAULT_MAX_EVENTS, Run, RunOptions, Session, StepOutcome};
pub use schema::{Manifest, Scenario, Step, Trigger};
pub use steps::{Choice, Disturb, Evictees, MachineVerb, Nodes, Press, Verb};
