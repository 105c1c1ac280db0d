//! Property-based testing of clusters: strategies for workloads, machines, what users do and what befalls them, which compose into
//! [`Case`]s; a [`Harness`] that plays cases, watches every invariant and makes failures small; and [`LiveCluster`], the state
//! machine of a live cluster. Feature `proptest`.
//!
//! A case is a scenario: what fails is written as a file for `seatrial run`. Everything depends on the seed alone.
//!
//! With [`proptest`]'s own runner:
//!
//! ```
//! use proptest::prelude::*;
//! use seatrial::testing::{Cases, Harness, WorkloadKind};
//!
//! let rollouts = Cases::new().kinds(&[WorkloadKind::Deployment]).workloads(1..=1).steps(1..=4);
//! proptest!(ProptestConfig { cases: 2, ..ProptestConfig::default() }, |(case in rollouts.strategy())| {
//!     Harness::new().check(&case)?;
//! });
//! ```
//!
//! Or by the harness, which makes what fails as small as it can:
//!
//! ```
//! use seatrial::testing::{Cases, Harness};
//!
//! let found = Harness::new().search(&Cases::new().steps(1..=4), 7, 2);
//! assert!(found.is_none(), "{}", found.unwrap());
//! ```

mod case;
mod cases;
mod faults;
mod harness;
mod live;
mod machines;
mod steps;
mod workloads;

pub use case::Case;
pub use cases::Cases;
pub use faults::{Fault, FaultKind, Mishap};
pub use harness::{Counterexample, Failure, Harness};
pub use live::{LiveCluster, Promised, PromisedCluster, Setup, Standard};
pub use machines::Machine;
pub use steps::Step;
pub use workloads::{Autoscaler, BROKEN_IMAGE, Budget, Rule, Workload, WorkloadKind};
