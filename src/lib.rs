//! A deterministic discrete-event simulator of Kubernetes clusters.
#![forbid(unsafe_code)]

pub mod api;
pub mod apiserver;
#[cfg(feature = "cli")]
pub mod cli;
pub mod controllers;
pub mod explore;
pub mod invariants;
pub mod kernel;
pub mod kubelet;
pub mod network;
pub mod objects;
pub mod report;
pub mod scenario;
pub mod scheduler;
pub mod sim;

/// The example of the readme, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
