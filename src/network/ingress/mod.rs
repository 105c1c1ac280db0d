//! Ingresses as ingress-nginx serves them: which location takes a request, which group of endpoints that leads to, what it
//! answers itself and why.
//!
//! A [`Controller`] is found by its pods, compiles all Ingresses of its classes into a [`Matcher`], and acts on changes after
//! some [lag](SyncLag). Everything is pure; where nginx draws lots, the caller hands in a stream.
//!
//! ```
//! use seatrial::api::View;
//! use seatrial::network::ingress::{Controller, Matcher, Request, Routed};
//!
//! let matcher = Matcher::compile(&View::default(), &Controller::default());
//! let Routed::Status { status, .. } = matcher.route(&Request::get("shop.example.com", "/cart")) else { panic!("no rules") };
//! assert_eq!(status, 404); // there is no Ingress
//! ```

mod affinity;
mod canary;
mod compile;
mod controller;
mod lag;
mod matcher;
mod retry;
mod route;
mod settings;
#[cfg(test)]
mod tests;
mod upstream;

pub(super) use affinity::Ranked;
pub use affinity::{Affinity, Session};
pub use canary::{Shaping, Side};
pub(super) use controller::names_host;
pub use controller::{Controller, Refusal};
pub use lag::{IngressChange, SyncLag, SyncTimes};
pub use matcher::{BackendPort, Certificate, Group, GroupId, Location, LocationMatch, Matcher, Notice, Server};
pub use retry::{Attempt, Next, NextUpstream};
pub use route::{Request, Routed, Why};
pub use settings::{LoadBalance, Settings};
pub use upstream::{NoUpstream, Upstream, Upstreams};
