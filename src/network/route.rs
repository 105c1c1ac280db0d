//! The way of a request, as people read it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::objects::Key;

use super::outcome::{Cause, Outcome};

/// Where requests come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Outside of the cluster.
    External,
    /// A process in the network namespace of a node.
    Node(Arc<str>),
    /// A pod.
    Pod(Key),
}

/// A stretch of the way of a request, in the order in which it passes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// A name was resolved.
    Name {
        /// As it was asked for in full, such as `web.shop.svc.cluster.local`.
        name: Arc<str>,
        /// What it stands for.
        addresses: Vec<IpAddr>,
    },
    /// A load balancer in front of the cluster has chosen a node.
    LoadBalancer {
        /// The Service that it is for.
        service: Key,
        /// The node.
        node: Arc<str>,
    },
    /// A rule of an Ingress, or the default backend.
    Ingress {
        /// The Ingress; `None` = the default backend of the controller.
        ingress: Option<Key>,
        /// The Service that it leads to.
        service: Key,
    },
    /// The rules of a node for a Service have chosen an endpoint, or would.
    Proxy {
        /// The node.
        node: Arc<str>,
        /// The Service.
        service: Key,
        /// Its port.
        port: u16,
        /// Whether the source address is replaced by the node's.
        masquerade: bool,
    },
    /// Network policies let it pass, or would not.
    Policy {
        /// The policies that select the pod for that direction.
        policies: Vec<Key>,
    },
    /// From one node to another.
    Wire {
        /// Where from.
        from: Arc<str>,
        /// Where to.
        to: Arc<str>,
    },
    /// A container of a pod, or an endpoint that is none.
    Endpoint {
        /// Address and port.
        address: SocketAddr,
        /// The pod.
        pod: Option<Key>,
        /// The container.
        container: Option<Arc<str>>,
    },
}

/// The way of a request, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it began.
    pub source: Source,
    /// What it passed; where it failed, the last one is where.
    pub hops: Vec<Hop>,
    /// Why it ended as it did.
    pub cause: Cause,
}

impl Route {
    /// What the client sees.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.cause.outcome()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External => f.write_str("external"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::Pod(key) => write!(f, "pod/{key}"),
        }
    }
}
