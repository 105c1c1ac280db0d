//! The API of a simulated cluster over HTTP, so that a real `kubectl`, a client library or a controller of your own can be pointed
//! at a running simulation.
//!
//! [`Endpoint`] answers one request after the other and knows nothing of sockets, threads or clocks: the same requests at the same
//! virtual times give the same answers. [`Server`] brings it to a port, and lets virtual time pass as real time does, faster, or
//! only when it is asked to.
//!
//! ```
//! use seatrial::scenario::{RunOptions, Scenario};
//! use seatrial::serve::{Endpoint, HttpRequest, Reply};
//! use seatrial::sim::RecordMode;
//!
//! let text = "{apiVersion: seatrial.dev/v1, kind: Scenario, metadata: {name: t}, spec: {duration: 1m, nodes: [{name: w}]}}";
//! let scenario = Scenario::read("t.yaml", text)?;
//! let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
//! let mut endpoint = Endpoint::new(scenario.begin(&options)?);
//! let Reply::Whole(answer) = endpoint.answer(&HttpRequest::get("/api/v1/nodes/w")) else { unreachable!("no watch") };
//! assert_eq!(answer.code, 200);
//! assert!(String::from_utf8_lossy(&answer.body).contains(r#""name":"w""#));
//! # Ok::<(), seatrial::scenario::ScenarioError>(())
//! ```
//!
//! What is there: discovery, OpenAPI, lists, watches and tables, create, replace, patch and delete with their dry runs and strict field validation,
//! the subresources `status`, `scale`, `eviction`, `binding`, `ephemeralcontainers` and `finalize`, and `metrics.k8s.io`. What is not: server-side
//! apply, TLS, authentication (everybody may do everything), and whatever needs a container that really runs (`log`, `exec`, `attach`,
//! `portforward`, `proxy`): these are refused with a message that says so.

mod answer;
mod control;
mod deletes;
mod discovery;
mod endpoint;
mod forms;
mod metrics;
mod openapi;
mod pace;
mod path;
mod protobuf;
mod reads;
mod request;
mod resources;
mod reviews;
mod server;
mod strict;
#[cfg(test)]
mod tests;
mod watches;
mod writes;

pub use answer::Answer;
pub use endpoint::{Endpoint, Reply};
pub use pace::{Speed, real_time};
pub use request::HttpRequest;
pub use server::{Server, ServerError};
pub use watches::Watch;
