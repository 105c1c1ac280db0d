//! "Why can't I reach it?": the way from a client to a container, link by link, and the first one that is broken, in plain words.
//!
//! ```
//! use seatrial::api::View;
//! use seatrial::network::Source;
//! use seatrial::network::explain::{Destination, World, explain};
//!
//! let view = View::default();
//! let to: Destination = "service/web:80".parse()?;
//! let why = explain(&World::of(&view), &Source::External, &to);
//! assert!(!why.is_reachable());
//! assert_eq!(why.broken().expect("a link").text, "there is no Service default/web");
//! # Ok::<(), String>(())
//! ```

mod aliases;
mod cluster_dns;
mod endpoints;
mod entry;
mod gateways;
mod ingress;
mod names;
mod near;
mod place;
mod pods;
mod proxies;
mod services;
mod sources;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use crate::api::View;
use crate::kernel::SimTime;

use super::dns::{ClusterDns, NodeDns};
use super::{Cause, Intermediary, Network, Outcome, Source};

pub use place::{Destination, parse_source};

/// What is around: the cluster at an instant.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// The cluster now.
    pub view: &'w View,
    /// What every node has programmed, and when that is asked; nothing = every node has programmed what the API says.
    pub network: Option<(&'w Network, SimTime)>,
    /// Cluster DNS; nothing = kubeadm's.
    pub dns: Option<&'w ClusterDns>,
    /// What the nodes' `resolv.conf` say; nothing = no search domains.
    pub node_dns: Option<&'w NodeDns>,
    /// Whether a node's machine is up; nothing = all are.
    pub is_up: Option<&'w dyn Fn(&str) -> bool>,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("resource_version", &self.view.resource_version).finish_non_exhaustive()
    }
}

impl<'w> World<'w> {
    /// A world of which only the API objects are known.
    #[must_use]
    pub const fn of(view: &'w View) -> Self {
        Self { view, network: None, dns: None, node_dns: None, is_up: None }
    }

    fn node_is_up(&self, node: &str) -> bool {
        self.is_up.is_none_or(|is_up| is_up(node))
    }
}

/// How a link of the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It holds.
    Holds,
    /// It holds, but not for all connections or not for long, or there is something to know.
    Shaky,
    /// It is broken.
    Broken(Cause),
}

/// A link of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which kind of link: `Name`, `Service`, `Endpoints`, `Policy`, `Pod`, …
    pub stage: &'static str,
    /// How it is.
    pub link: Link,
    /// What chose the way here, or what is wrong.
    pub text: String,
    /// What may be meant, or what to do.
    pub hints: Vec<String>,
}

/// Whether the way leads to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every connection gets through.
    Reachable,
    /// So many of all endpoints that are chosen from answer.
    Partly {
        /// That answer.
        good: usize,
        /// That are chosen from.
        all: usize,
        /// Why the first of the others does not.
        cause: Cause,
    },
    /// Some connections get through and others do not, by chance or by the node where they come in: why those do not.
    Sometimes(Cause),
    /// None does.
    Unreachable(Cause),
    /// An ingress controller or Gateway answers with that status, without the application.
    Status(u16, Cause),
    /// An ingress controller or Gateway sends the client elsewhere.
    Redirected(u16),
    /// The way leads to where the simulation knows nothing of.
    Unknown,
}

/// The way from a client to where it wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Where it begins.
    pub source: Source,
    /// Where it is to go.
    pub destination: Destination,
    /// The links, as far as it gets.
    pub steps: Vec<Step>,
    /// The last that it leads through, of what answers by itself.
    pub through: Option<Intermediary>,
    /// What comes of it.
    pub verdict: Verdict,
}

impl Explanation {
    /// Whether every connection gets an answer of the application.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.verdict == Verdict::Reachable
    }

    /// The first broken link.
    #[must_use]
    pub fn broken(&self) -> Option<&Step> {
        self.steps.iter().find(|step| matches!(step.link, Link::Broken(_)))
    }

    /// Why a request fails; nothing if none does or nobody knows.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self.verdict {
            Verdict::Partly { cause, .. }
            | Verdict::Sometimes(cause)
            | Verdict::Unreachable(cause)
            | Verdict::Status(_, cause) => Some(cause),
            Verdict::Reachable | Verdict::Redirected(_) | Verdict::Unknown => None,
        }
    }

    /// What the client sees if it fails.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.verdict {
            Verdict::Reachable => Some(Outcome::Answered),
            Verdict::Status(500.., _) => Some(Outcome::ServerError),
            Verdict::Status(..) => Some(Outcome::ClientError),
            Verdict::Partly { cause, .. } | Verdict::Sometimes(cause) | Verdict::Unreachable(cause) => {
                Some(cause.outcome())
            }
            Verdict::Redirected(_) | Verdict::Unknown => None,
        }
    }
}

/// Goes the way from a client to a destination.
#[must_use]
pub fn explain(world: &World<'_>, source: &Source, destination: &Destination) -> Explanation {
    let default = ClusterDns::default();
    let dns = world.dns.unwrap_or(&default);
    let mut walk = Walk {
        world,
        dns,
        source,
        steps: Vec::new(),
        through: None,
        entry: None,
        ways_in: None,
        partly: None,
        masquerades: false,
        protocol: "TCP".into(),
    };
    let verdict = walk.go(destination).unwrap_or_else(|stop| stop.0);
    let verdict = match (verdict, walk.partly) {
        (Verdict::Reachable, Some(cause)) => Verdict::Sometimes(cause),
        (verdict, _) => verdict,
    };
    let Walk { steps, through, .. } = walk;
    Explanation { source: source.clone(), destination: destination.clone(), steps, through, verdict }
}

/// The way ends here, with that verdict.
struct Stop(Verdict);

type Walked<T> = Result<T, Stop>;

struct Walk<'w> {
    world: &'w World<'w>,
    dns: &'w ClusterDns,
    source: &'w Source,
    steps: Vec<Step>,
    /// What stands in between, and tells of broken links by statuses.
    through: Option<Intermediary>,
    /// The node by whose port the way leads in, if one was named.
    entry: Option<Arc<str>>,
    /// The nodes by which connections from outside come in, if any may be it.
    ways_in: Option<Vec<Arc<str>>>,
    /// Why a part of the connections does not get as far as the way was gone.
    partly: Option<Cause>,
    /// Nodes replace the client's address by their own, where connections come in.
    masquerades: bool,
    /// The protocol of the port that was chosen last.
    protocol: Arc<str>,
}

impl Walk<'_> {
    fn go(&mut self, destination: &Destination) -> Walked<Verdict> {
        self.leave()?;
        match destination {
            Destination::Host { host, port, path, is_tls } => self.reach_host(host, *port, path, *is_tls),
            Destination::Service(key, port) => self.reach_service(key, port.as_deref()),
            Destination::Pod(key, port) => self.reach_pod(key, *port),
            Destination::Node(name, port) => self.reach_node(name, *port),
        }
    }

    fn step(&mut self, stage: &'static str, link: Link, text: impl Into<String>) -> &mut Vec<String> {
        self.steps.push(Step { stage, link, text: text.into(), hints: Vec::new() });
        let last = self.steps.len() - 1;
        &mut self.steps[last].hints
    }

    fn holds(&mut self, stage: &'static str, text: impl Into<String>) {
        self.step(stage, Link::Holds, text);
    }

    fn shaky(&mut self, stage: &'static str, text: impl Into<String>) -> &mut Vec<String> {
        self.step(stage, Link::Shaky, text)
    }

    /// The way ends at a broken link.
    fn broken<T>(
        &mut self,
        stage: &'static str,
        cause: Cause,
        text: impl Into<String>,
        hints: Vec<String>,
    ) -> Walked<T> {
        *self.step(stage, Link::Broken(cause), text) = hints;
        Err(Stop(self.verdict_of(cause)))
    }

    /// What comes of a broken link: behind an ingress controller, a status.
    fn verdict_of(&self, cause: Cause) -> Verdict {
        match cause.outcome() {
            _ if self.through.is_none() => Verdict::Unreachable(cause),
            _ if cause == Cause::NoEndpoints => Verdict::Status(503, cause),
            Outcome::TimedOut => Verdict::Status(504, cause),
            _ => Verdict::Status(502, cause),
        }
    }
}
