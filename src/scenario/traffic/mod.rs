//! The clients of a scenario as the file has them, and the checks that make them.

pub(super) mod bounds;
pub(super) mod facts;
pub(super) mod host;
pub(super) mod parse;
mod rates;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::kernel::{Sampler, SimDuration};
use crate::network::{Cidr, HttpRequest};
use crate::objects::{Key, Kind, Quantity, Selector, SelectorError};
use crate::sim::{ClientSpec, KeepAlive, Load, Origin, PortRef, RequestTarget, Retries, Target};

use super::error::Fault;

use host::RawClientDns;
use rates::RawRate;

/// Most users, connections and addresses of a client.
const MOST: u32 = 1_000_000;
/// Most clients.
pub(super) const MOST_CLIENTS: usize = 10_000;
/// Most headers, and most cookies, of a request.
const MOST_WORDS: usize = 100;
/// How long a client waits unless it says otherwise.
const DEFAULT_TIMEOUT: SimDuration = SimDuration::from_secs(10);
/// Longest timeout: an attempt is remembered that long.
const LONGEST_TIMEOUT: SimDuration = SimDuration::from_hours(1);
/// First wait before a retry unless the client says otherwise.
const DEFAULT_BACK_OFF: SimDuration = SimDuration::from_millis(25);

/// An entry of `spec.traffic`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawClient {
    name: String,
    to: String,
    from: Option<String>,
    namespace: Option<String>,
    dns: Option<RawClientDns>,
    rate: Option<RawRate>,
    arrivals: Option<RawArrivals>,
    users: Option<u32>,
    think: Option<Sampler>,
    start: Option<SimDuration>,
    stop: Option<SimDuration>,
    timeout: Option<SimDuration>,
    #[serde(default, deserialize_with = "retries")]
    retries: Option<RawRetries>,
    keep_alive: Option<RawKeepAlive>,
    addresses: Option<u32>,
    network: Option<String>,
    method: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    cookies: Option<BTreeMap<String, String>>,
    body: Option<Quantity>,
    via: Option<String>,
    insecure: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawArrivals {
    /// Evenly spaced.
    Even,
    /// Independent of each other.
    Poisson,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawRetries {
    count: u32,
    back_off: Option<SimDuration>,
    max: Option<SimDuration>,
    budget: Option<crate::kubelet::Share>,
}

/// `retries: 2`, or a map.
fn retries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawRetries>, D::Error> {
    struct RetriesVisitor;

    impl<'de> Visitor<'de> for RetriesVisitor {
        type Value = RawRetries;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of retries, or a map of count, backOff, max and budget")
        }

        fn visit_u64<E: de::Error>(self, count: u64) -> Result<RawRetries, E> {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            Ok(RawRetries { count, ..RawRetries::default() })
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRetries, A::Error> {
            RawRetries::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_any(RetriesVisitor).map(Some)
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeepAlive {
    connections: u32,
    #[serde(default)]
    requests: u32,
    #[serde(default)]
    lasts: SimDuration,
}

impl RawClient {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The client. `nodes`: whether a node of that name is there, or may be one day.
    pub(super) fn client(self, has_node: impl Fn(&str) -> bool) -> Result<ClientSpec, Fault> {
        if self.name.trim().is_empty() {
            return Err(Fault::new("name", "the name is empty"));
        }
        let (to, key) = self.goal()?;
        let from = origin(self.from.as_deref().unwrap_or("external"), self.namespace.as_ref(), &key, has_node)?;
        let is_external = matches!(from, Origin::External);
        if is_external && matches!(to, RequestTarget::Host(..)) {
            let fault = Fault::new("from", "names of the cluster are known inside of it only");
            return Err(fault.help("`from` pods or a node, or `to: service/NAME`"));
        }
        let load = self.load()?;
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            return Err(Fault::new("timeout", "must be more than 0 and at most 1h"));
        }
        if self.stop.is_some_and(|stop| stop <= self.start.unwrap_or_default()) {
            return Err(Fault::new("stop", "must be later than `start`"));
        }
        if self.addresses.is_some() && !is_external {
            let fault = Fault::new("addresses", "pods and nodes have one address each");
            return Err(fault.help("`addresses` belongs to `from: external`"));
        }
        let network = self.network.as_deref().map(range).transpose()?;
        if network.is_some() && !is_external {
            let fault = Fault::new("network", "pods and nodes have addresses of their own");
            return Err(fault.help("`network` belongs to `from: external`"));
        }
        let client = ClientSpec {
            name: self.name.as_str().into(),
            to,
            from,
            load,
            start: self.start.unwrap_or_default(),
            stop: self.stop,
            timeout,
            retries: self.retries.map_or(Ok(Retries::default()), RawRetries::checked)?,
            keep_alive: self.keep_alive.map(RawKeepAlive::checked).transpose()?,
            addresses: count("addresses", self.addresses.unwrap_or(1000))?,
            network,
        };
        client.check().map_err(|error| Fault::new("rate", error.to_string()))?;
        Ok(client)
    }

    /// Where its requests go, and a name in the namespace of those who ask for it.
    fn goal(&self) -> Result<(RequestTarget, Key), Fault> {
        let asking = self.namespace.as_deref().unwrap_or("default");
        if self.to.contains("://") {
            let request = self.url()?;
            let key = Key::new(asking, request.host.clone());
            return Ok((RequestTarget::Url(request.into()), key));
        }
        self.without_http()?;
        if !self.to.contains('/') {
            let (host, port) = host::parse(self.to.trim(), self.dns.clone())?;
            let key = Key::new(asking, host.name.clone());
            return Ok((RequestTarget::Host(host, port), key));
        }
        self.without_dns()?;
        let (target, port) = destination(&self.to)?;
        Ok((RequestTarget::Service(target.key.clone(), port), target.key))
    }

    fn without_dns(&self) -> Result<(), Fault> {
        if self.dns.is_none() {
            return Ok(());
        }
        let fault = Fault::new("dns", "the address of a Service is known, nobody asks for it");
        Err(fault.help("ask for a host by its name, such as `to: web:80`"))
    }

    /// Only reverse proxies look at these.
    fn without_http(&self) -> Result<(), Fault> {
        let given = [
            ("method", self.method.is_some()),
            ("headers", self.headers.is_some()),
            ("cookies", self.cookies.is_some()),
            ("body", self.body.is_some()),
            ("via", self.via.is_some()),
            ("insecure", self.insecure.is_some()),
        ];
        let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
        let fault = Fault::new(*field, format!("`{field}` belongs to requests to a URL"));
        Err(fault.help("such as `to: http://shop.example.com/cart`; a Service does not look at it"))
    }

    fn url(&self) -> Result<HttpRequest, Fault> {
        let help = "such as http://shop.example.com/cart or https://shop.example.com:8443";
        self.without_dns()?;
        let plain = HttpRequest::get(&self.to).map_err(|why| Fault::new("to", why).help(help))?;
        let method = self.method.as_deref().unwrap_or("GET");
        if method.is_empty() || method.len() > 20 || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Fault::new("method", format!("{method:?} is no method")).help("such as GET or POST"));
        }
        let via = self.via.as_deref().map(|text| match destination(text) {
            Ok((target, PortRef::Only)) => Ok(target.key),
            Ok(_) => {
                Err(Fault::new("via", "the port is that of the URL").help("such as ingress-nginx/service/controller"))
            }
            Err(fault) => Err(Fault::new("via", fault.message)),
        });
        let bytes = self.body.map_or(Ok(0), |body| u64::try_from(body.value()));
        let body_bytes = bytes.map_err(|_| Fault::new("body", "must not be negative"))?;
        Ok(HttpRequest {
            method: method.into(),
            headers: words("headers", self.headers.as_ref())?,
            cookies: words("cookies", self.cookies.as_ref())?,
            body_bytes,
            via: via.transpose()?,
            insecure: self.insecure.unwrap_or(false),
            ..plain
        })
    }

    fn load(&self) -> Result<Load, Fault> {
        match (&self.rate, self.users) {
            (Some(_), Some(_)) => {
                let fault = Fault::new("users", "a client has either a `rate` or `users`");
                Err(fault.help("with a rate it sends whatever becomes of its requests; users wait for an answer first"))
            }
            (None, None) => Err(Fault::new("", "neither `rate` nor `users` is given").help("such as `rate: 200/s`")),
            (None, Some(users)) => {
                if self.arrivals.is_some() {
                    return Err(Fault::new("arrivals", "`arrivals` belongs to `rate`"));
                }
                let think = self.think.clone().unwrap_or_else(|| SimDuration::from_secs(1).into());
                if think.as_constant().is_some_and(|think| think < SimDuration::from_micros(10)) {
                    return Err(Fault::new("think", "must be at least 10us"));
                }
                Ok(Load::Closed { users: count("users", users)?, think })
            }
            (Some(rate), None) => {
                if self.think.is_some() {
                    return Err(Fault::new("think", "`think` belongs to `users`"));
                }
                rate.arrivals(self.arrivals == Some(RawArrivals::Poisson)).map(Load::Open)
            }
        }
    }
}

impl RawRetries {
    fn checked(self) -> Result<Retries, Fault> {
        if self.count > 100 {
            return Err(Fault::new("retries", "must be at most 100"));
        }
        let back_off = self.back_off.unwrap_or(DEFAULT_BACK_OFF);
        let budget = self.budget.map(|share| share.millionths() / 1000);
        Ok(Retries { count: self.count, back_off, back_off_max: self.max.unwrap_or_default(), budget })
    }
}

impl RawKeepAlive {
    fn checked(self) -> Result<KeepAlive, Fault> {
        let Self { connections, requests, lasts } = self;
        Ok(KeepAlive { connections: count("keepAlive.connections", connections)?, requests, lasts })
    }
}

/// Names and values of headers or cookies.
fn words(field: &str, given: Option<&BTreeMap<String, String>>) -> Result<Vec<(String, String)>, Fault> {
    let pairs: Vec<(String, String)> = given.into_iter().flatten().map(|(a, b)| (a.clone(), b.clone())).collect();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    match pairs.iter().find(|(name, _)| name.is_empty() || !name.chars().all(is_name)) {
        Some((name, _)) => Err(Fault::new(field, format!("{name:?} is no name of one"))),
        None if pairs.len() > MOST_WORDS => Err(Fault::new(field, format!("are more than {MOST_WORDS}"))),
        None => Ok(pairs),
    }
}

/// A range of addresses.
fn range(text: &str) -> Result<Cidr, Fault> {
    Cidr::parse(text).ok_or_else(|| {
        Fault::new("network", format!("{text:?} is no range of addresses")).help("such as 203.0.113.0/24")
    })
}

fn count(field: &str, count: u32) -> Result<u32, Fault> {
    if count == 0 || count > MOST {
        return Err(Fault::new(field, format!("must be from 1 to {MOST}")));
    }
    Ok(count)
}

/// `service/web:80`, `service/web:http`, `service/web`, with a namespace in front if it is not `default`.
fn destination(text: &str) -> Result<(Target, PortRef), Fault> {
    let (target, port) = text.split_once(':').unwrap_or((text, ""));
    let example = "such as service/web:80, service/web:http, or service/web if it has one port";
    let target: Target = target.parse().map_err(|error| Fault::new("to", format!("{error}")).help(example))?;
    if target.kind == Kind::Ingress {
        let fault = Fault::new("to", "requests name a host that an Ingress serves, not the Ingress");
        return Err(fault.help("such as http://shop.example.com/cart"));
    }
    if target.kind != Kind::Service {
        return Err(Fault::new("to", format!("requests go to a service, not to a {}", target.kind)).help(example));
    }
    let port = match port {
        "" if text.ends_with(':') => return Err(Fault::new("to", "the port is missing behind the colon").help(example)),
        "" => PortRef::Only,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse::<u16>() {
            Ok(port) if port > 0 => PortRef::Number(port),
            _ => return Err(Fault::new("to", format!("{digits} is not a port: those are from 1 to 65535"))),
        },
        name => PortRef::Name(name.into()),
    };
    Ok((target, port))
}

/// `external`, `node/worker-0`, or a selector of pods.
fn origin(text: &str, namespace: Option<&String>, to: &Key, has_node: impl Fn(&str) -> bool) -> Result<Origin, Fault> {
    let help = "`external`, `node/NAME`, or a label selector of pods such as app=frontend";
    let origin = match text.trim() {
        "external" => Origin::External,
        "" => return Err(Fault::new("from", "is empty").help(help)),
        text if text.starts_with("node/") => {
            let name = text.trim_start_matches("node/");
            if !has_node(name) {
                return Err(Fault::new("from", format!("there is no node {name:?}")).help(help));
            }
            Origin::Node(name.into())
        }
        text => {
            let selector: Selector =
                text.parse().map_err(|error: SelectorError| Fault::new("from", error.to_string()).help(help))?;
            return Ok(Origin::Pods(
                namespace.map_or_else(|| to.namespace.clone(), |own| own.as_str().into()),
                selector,
            ));
        }
    };
    if namespace.is_some() {
        let fault = Fault::new("namespace", "only pods have a namespace");
        return Err(fault.help("it belongs to a `from` that is a label selector"));
    }
    Ok(origin)
}
