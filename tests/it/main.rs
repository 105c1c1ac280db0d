//! The one integration binary: a module per area.

mod autoscaler;
mod bad_input;
mod cli;
mod clusters;
mod daemon_sets;
mod determinism;
mod disruptions;
mod disturbances;
mod docs;
mod docs_commands;
mod examples;
mod expectations;
mod explain;
mod exploration;
mod features;
mod fuzz_bodies;
mod jobs;
mod namespaces;
mod node_admission;
mod pages;
mod properties;
mod quotas;
mod random;
mod recordings;
mod reports;
mod rollouts;
mod scenarios;
mod scheduling;
mod serve;
mod stateful_sets;
mod static_pods;
mod stories;
#[cfg(feature = "parquet")]
mod tables;
mod tidy;
mod volumes;

/// The worked example, so that it goes on working.
#[path = "../../examples/custom_controller.rs"]
#[allow(dead_code, reason = "an example has a main function")]
mod custom_controller;
