//! Endpoints to packets: how a request finds its way from a client to a container, and what comes of it.
//!
//! | folder | what is in it |
//! |---|---|
//! | `proxy/` | kube-proxy on every node: versioned endpoint sets, when each node has programmed which, the choice of a backend |
//! | `servers/` | the processes that answer: queue, service time, what a request finds at a pod in each state of its life |
//! | `clients/` | who sends requests, and when: rates, users, timeouts, retries, connections, what they keep of DNS |
//! | `accounting/` | outcomes and latencies by client, version, node and cause, over windows of time |
//! | `dispatch/` | the loop that takes the arrivals between two control events; `names/`: clients that ask DNS for a host |
//! | `dns/` | what names stand for: records, search domains, caches |
//! | `explain/` | the way from a client to a container, and its first broken link, in words |
//! | `gateway/` | which rule of the Gateway API's HTTPRoutes takes a request, and the shares of its backends |
//! | `ingress/` | which location of an ingress controller takes a request, and where that leads |
//! | `policy/` | what network policies let through, and what each node has programmed of them |
//! | `relay/` | pods of ingress controllers and Gateways at work: what each has synced, which endpoint a request gets there |
//!
//! [`Source`], [`Hop`], [`Route`], [`Outcome`] and [`Cause`] are what all of them, and the explanations of routes, speak in.

mod accounting;
mod cidr;
mod clients;
mod dispatch;
pub mod dns;
pub mod explain;
pub mod gateway;
pub mod health;
mod ids;
pub mod ingress;
mod outcome;
pub mod policy;
mod proxy;
mod relay;
mod route;
mod servers;
#[cfg(test)]
mod testing;

pub use accounting::{
    ClientReport, Detail, Histogram, LATENCY_CLASSES, RouteReport, Served, Tally, TrafficReport, Window,
};
pub use cidr::Cidr;
pub use clients::{
    AddressPick, Arrivals, ClientError, ClientSpec, HostName, HttpRequest, KeepAlive, Load, Origin, Piece, PortRef,
    RequestTarget, Retries,
};
pub use dispatch::{Network, ServedCount};
pub use outcome::{Cause, Intermediary, Outcome};
pub use proxy::{IpvsScheduler, NetworkConfig, ProxyMode, Silence, SyncTiming};
pub use relay::ReverseProxy;
pub use route::{Hop, Route, Source};
pub use servers::{ContainerUp, ErrorRate, PodUp, ProcessChange, ServeModel, WarmUp};
