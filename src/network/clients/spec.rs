//! Clients as they are configured.

use std::sync::Arc;

use crate::kernel::{Rate, Sampler, SimDuration};
use crate::objects::{Key, Selector};

use super::super::cidr::Cidr;
use super::host::HostName;

/// Something that sends requests.
#[derive(Clone, Debug)]
pub struct ClientSpec {
    /// Name in reports.
    pub name: Arc<str>,
    /// Where to.
    pub to: RequestTarget,
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
    /// The range that these addresses are of; `None` = they are from anywhere.
    pub network: Option<Cidr>,
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
            to: RequestTarget::Service(to, PortRef::Only),
            from: Origin::External,
            load,
            start: SimDuration::ZERO,
            stop: None,
            timeout: SimDuration::from_secs(10),
            retries: Retries::default(),
            keep_alive: None,
            addresses: 1000,
            network: None,
        }
    }

    /// The host that it asks DNS for.
    pub(in crate::network) fn host(&self) -> Option<&HostName> {
        match &self.to {
            RequestTarget::Host(host, _) => Some(host),
            RequestTarget::Service(..) | RequestTarget::Url(_) => None,
        }
    }

    /// The port of the Service or host.
    pub(in crate::network) fn port(&self) -> &PortRef {
        match &self.to {
            RequestTarget::Service(_, port) | RequestTarget::Host(_, port) => port,
            RequestTarget::Url(_) => &PortRef::Only,
        }
    }

    /// Where requests go, in words: `service/web:80`, `web:80` for a host, `http://shop.example.com/cart`.
    #[must_use]
    pub fn destination(&self) -> String {
        match &self.to {
            RequestTarget::Service(key, port) => {
                let namespace =
                    if *key.namespace == *"default" { String::new() } else { format!("{}/", key.namespace) };
                format!("{namespace}service/{}{}", key.name, port.suffix())
            }
            RequestTarget::Host(host, port) => format!("{}{}", host.name, port.suffix()),
            RequestTarget::Url(request) => request.url(),
        }
    }
}

/// How a client gets to a container.
#[derive(Clone, Debug)]
pub enum RequestTarget {
    /// By a port of a Service, through the rules of kube-proxy.
    Service(Key, PortRef),
    /// By a host that it asks DNS for: it sends to the port of that number at one of the addresses that it gets.
    Host(HostName, PortRef),
    /// By a URL, through the ingress controller or Gateway that serves its host.
    Url(Arc<HttpRequest>),
}

/// A request to a URL, as far as reverse proxies look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Whether it is sent over TLS, with the host as server name.
    pub is_tls: bool,
    /// Host, without a port.
    pub host: Arc<str>,
    /// Port; `None` = 80, or 443 over TLS.
    pub port: Option<u16>,
    /// Path with query.
    pub path: Arc<str>,
    /// Method, in upper case.
    pub method: Arc<str>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Cookies that it always has, beside those that it was given for session affinity.
    pub cookies: Vec<(String, String)>,
    /// Length of the body, bytes.
    pub body_bytes: u64,
    /// The Service by which it comes to the reverse proxy; `None` = the one of type LoadBalancer or NodePort that leads there, or a
    /// port of the machines that its pods run on.
    pub via: Option<Key>,
    /// Whether a certificate that is not for the host is taken.
    pub insecure: bool,
}

impl HttpRequest {
    /// A `GET` of `http://HOST/PATH` or `https://HOST/PATH`, with or without a port.
    ///
    /// ```
    /// use seatrial::network::HttpRequest;
    ///
    /// let cart = HttpRequest::get("https://shop.example.com/cart")?;
    /// assert_eq!((cart.is_tls, &*cart.host, cart.port, &*cart.path), (true, "shop.example.com", None, "/cart"));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn get(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL begins with http:// or https://")?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            other => return Err(format!("{other}:// is neither http:// nor https://")),
        };
        let (place, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match place.split_once(':') {
            None => (place, None),
            Some((host, port)) => {
                let port = port.parse::<u16>().ok().filter(|port| *port > 0);
                (host, Some(port.ok_or("a port is a number from 1 to 65535")?))
            }
        };
        let is_label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !label.is_empty() && label.len() <= 63 && label.chars().all(fits)
        };
        if host.len() > 253 || !host.split('.').all(is_label) {
            return Err(format!("{host:?} is no host name"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            is_tls,
            host: host.to_ascii_lowercase().into(),
            port,
            path: path.into(),
            method: "GET".into(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body_bytes: 0,
            via: None,
            insecure: false,
        })
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{scheme}://{}{port}{}", self.host, self.path)
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

impl PortRef {
    /// As it stands behind a name.
    fn suffix(&self) -> String {
        match self {
            Self::Only => String::new(),
            Self::Number(port) => format!(":{port}"),
            Self::Name(name) => format!(":{name}"),
        }
    }
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
