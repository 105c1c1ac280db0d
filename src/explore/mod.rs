//! Exploration: a scenario under many seeds and values of its parameters, on all cores; failures shrunk to small scenarios.
//!
//! A [`Plan`] says which runs there are. Every run is a [`Case`] with a number; its [`CaseResult`] depends on nothing but the
//! plan and that number, so that it does not matter how many threads and machines share the work, and how often it is broken off:
//! [`explore`] hands the results over in the order of their numbers, a [`Ledger`] keeps them in a file that can be gone on
//! with after a kill, and [`merge`] puts the files of several shards together.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//! use seatrial::explore::{Plan, Summary, explore};
//!
//! let text = r#"
//! apiVersion: seatrial.dev/v1
//! kind: Scenario
//! metadata: {name: machines-that-crash}
//! spec:
//!   duration: 30m
//!   nodes: [{name: worker, count: 2}]
//!   faults: [{kind: NodeCrash, mtbf: 1h, mttr: 5m}]
//!   expect: [{always: "podsReady(app=web) >= 0"}]
//!   measure: [{name: ready, min: "podsReady(app=web)"}]
//! "#;
//! let plan = Plan::new("crash.yaml", text).seeds(0..20);
//! let mut summary = Summary::default();
//! explore(&plan, NonZeroUsize::MIN, 0, |result| {
//!     summary.add(&result);
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((summary.cases, summary.held), (20, 20));
//! # Ok::<(), seatrial::explore::ExploreError>(())
//! ```

mod case;
mod error;
mod ledger;
mod merge;
#[cfg(feature = "parquet")]
mod parquet;
mod plan;
mod pool;
mod shrink;
mod summary;

pub use case::{Case, CaseOutcome, CaseResult};
pub use error::ExploreError;
pub use ledger::Ledger;
pub use merge::{merge, merge_with};
#[cfg(feature = "parquet")]
pub use parquet::write_parquet;
pub use plan::{Plan, Shard, Variation};
pub use pool::explore;
#[cfg(feature = "proptest")]
pub(crate) use shrink::ENDS;
pub use shrink::{Shrunk, shrink};
pub use summary::{Distribution, Failures, Row, Summary};
