//! A deterministic discrete-event simulator of Kubernetes clusters, with the behaviour of Kubernetes 1.36.
//!
//! Build a cluster, apply real manifests, let virtual time pass, assert. Same manifests and seed, same bytes, on every
//! machine.
//!
//! ```
//! use seatrial::invariants::{self, Always};
//! use seatrial::kernel::{SimDuration, SimTime};
//! use seatrial::sim::{Delays, Simulation, Target};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = Simulation::builder().seed(7).delays(Delays::realistic()).nodes(3).build()?;
//! cluster.apply(include_str!("../scenarios/manifests/web.yaml"))?;
//! cluster.run_for(SimDuration::from_mins(1));
//!
//! let web: Target = "deployment/web".parse()?;
//! cluster.set_image(&web, "web", "shop/web:v2")?;
//! Always::for_every_workload().run(&mut cluster, SimTime::from_mins(5))?; // maxSurge, maxUnavailable
//!
//! let status = &cluster.view().deployments.get(&web.key).expect("applied above").status;
//! assert_eq!((status.updated_replicas, status.available_replicas), (10, 10));
//! invariants::settled(&cluster)?; // replicas conserved, nothing orphaned, nothing stuck
//! # Ok(())
//! # }
//! ```
//!
//! - [`sim`]: clusters and what users do to them. [`scenario`]: the same as a YAML file, with expectations.
//! - [`invariants`]: what rollouts promise, as checkers. [`report`]: what people read.
//! - [`objects`], [`api`]: manifests, typed objects, the vocabulary of components; [`api::Reconciler`] is for controllers of
//!   your own, [`scheduler`]'s plugins for scheduling rules of your own.
//! - [`apiserver`], [`controllers`], [`scheduler`], [`kubelet`], [`autoscaler`]: the simulated components. [`kernel`]: time, events, randomness.
//!
//! - `testing` (feature `proptest`): random clusters and what is done to them, checked against every promise.
//! - `serve` (feature `serve`): the API over HTTP, for a real `kubectl`.
//! - [`metrics`]: what is measured of pods and nodes, for autoscalers and `top`.
//! - [`explore`]: a scenario under many seeds and parameters, its failures made small. [`network`]: what requests meet on their way.
#![forbid(unsafe_code)]

pub mod api;
pub mod apiserver;
pub mod autoscaler;
#[cfg(feature = "cli")]
pub mod cli;
pub mod controllers;
pub mod explore;
pub mod invariants;
pub mod kernel;
pub mod kubelet;
pub mod metrics;
pub mod network;
pub mod objects;
pub mod report;
pub mod scenario;
pub mod scheduler;
#[cfg(feature = "serve")]
pub mod serve;
pub mod sim;
#[cfg(feature = "proptest")]
pub mod testing;

/// The example of the readme, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;

/// The guide for Rust developers, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/guides/rust-developer.md")]
struct RustDeveloperGuide;

/// The examples of the guide to property-based testing.
#[cfg(all(doctest, feature = "proptest"))]
#[doc = include_str!("../docs/property-testing.md")]
struct PropertyTestingGuide;
