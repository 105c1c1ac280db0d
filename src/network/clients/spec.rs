//! Clients as they are configured.

use std::sync::Arc;

use crate::kernel::{Rate, Sampler, SimDuration};
use crate::objects::{Key, Selector};

use super::host::HostName;

/// Something that sends requests to a service.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// Name in reports.
    pub name: Arc<str>,
    /// The Service, whose address it knows. Where it asks for a host, nothing but the namespace counts.
    pub to: Key,
    /// The host that it asks DNS for instead: it sends to the port of that number at one of the addresses that it gets.
    pub host: Option<HostName>,
    /// Its port.
    pub port: PortRef,
    /// Where from.
    pub from: Origin,
    /// When.
    pub load: Load,
    /// When it begins, counted from the start of the simulation.
    pub start: SimDuration,
    /// When it ends; `None` = never.
    pub stop: Option<SimDuration>,
    /// How long it waits for an answer, each attempt for itself; not zero.
    pub timeout: SimDuration,
    /// What it does when an attempt failed.
    pub retries: Retries,
    /// Whether connections are used more than once; `None` = each request has one of its own.
    pub keep_alive: Option<KeepAlive>,
    /// How many addresses it has, of clients outside; each request comes from a random one. At least 1.
    pub addresses: u32,
}

impl ClientSpec {
    /// A client outside of the cluster with a thousand addresses that begins at once, waits ten seconds for each answer and
    /// asks once, over a connection for each request, at the only port of a Service. Fields are changed as needed:
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::objects::Key;
    /// use seatrial::sim::{Arrivals, ClientSpec, Load};
    ///
    /// let load = Load::Open(Arrivals::constant("100/s".parse()?));
    /// let users = ClientSpec {
    ///     timeout: SimDuration::from_secs(1),
    ///     ..ClientSpec::new("users", Key::new("default", "web"), load)
    /// };
    /// assert_eq!(users.destination(), "service/web");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, to: Key, load: Load) -> Self {
        Self {
            name: name.into(),
            to,
            host: None,
            port: PortRef::Only,
            from: Origin::External,
            load,
            start: SimDuration::ZERO,
            stop: None,
            timeout: SimDuration::from_secs(10),
            retries: Retries::default(),
            keep_alive: None,
            addresses: 1000,
        }
    }

    /// Where requests go, in words: `service/web:80`, or `web:80` for a host.
    #[must_use]
    pub fn destination(&self) -> String {
        let port = match &self.port {
            PortRef::Only => String::new(),
            PortRef::Number(port) => format!(":{port}"),
            PortRef::Name(name) => format!(":{name}"),
        };
        if let Some(host) = &self.host {
            return format!("{}{port}", host.name);
        }
        let namespace =
            if *self.to.namespace == *"default" { String::new() } else { format!("{}/", self.to.namespace) };
        format!("{namespace}service/{}{port}", self.to.name)
    }
}

/// Which port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// The only one that it has.
    Only,
    /// By number.
    Number(u16),
    /// By name.
    Name(Arc<str>),
}

/// Where requests come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Outside of the cluster: by the load balancer of the Service, or else by a node port of a random node.
    External,
    /// A process on a node, in the node's network.
    Node(Arc<str>),
    /// The running pods of a namespace that match, in random turn. While there is none, nothing is sent.
    Pods(Arc<str>, Selector),
}

/// When requests are sent.
#[derive(Clone, Debug)]
pub enum Load {
    /// At a rate, whatever becomes of them.
    Open(Arrivals),
    /// By users of whom each thinks, sends a request, waits for what comes of it, and so on.
    Closed {
        /// How many.
        users: u32,
        /// How long each thinks.
        think: Sampler,
    },
}

/// A rate of requests over time: constant, or piece by piece, perhaps over and over again.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// Rates from instants on; ascending, the first at zero.
    pub pieces: Vec<Piece>,
    /// After this long it begins again; `None` = the last rate stays. Not before the last piece begins.
    pub repeats: Option<SimDuration>,
    /// Whether requests come independently of each other (Poisson) instead of evenly.
    pub poisson: bool,
}

/// A rate from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From when on, counted from the client's start.
    pub at: SimDuration,
    /// Requests per time.
    pub rate: Rate,
}

impl Arrivals {
    /// Evenly spaced requests at one rate.
    #[must_use]
    pub fn constant(rate: Rate) -> Self {
        Self { pieces: vec![Piece { at: SimDuration::ZERO, rate }], repeats: None, poisson: false }
    }

    /// Independent requests at one rate.
    #[must_use]
    pub fn poisson(rate: Rate) -> Self {
        Self { poisson: true, ..Self::constant(rate) }
    }
}

/// What a client does when an attempt failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// How many more attempts a request has.
    pub count: u32,
    /// Wait before the first of them; doubles with each. Random between half of it and all.
    pub back_off: SimDuration,
    /// The longest wait; zero = no limit.
    pub back_off_max: SimDuration,
    /// Retries in a thousand requests that are allowed on average, and ten more at once; `None` = any number.
    pub budget: Option<u32>,
}

/// Connections that are used more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How many connections there are; requests take them in turn. At least 1.
    pub connections: u32,
    /// A connection is closed after that many requests; zero = never.
    pub requests: u32,
    /// A connection is closed that long after it was opened; zero = never.
    pub lasts: SimDuration,
}
