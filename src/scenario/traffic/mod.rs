//! The clients of a scenario as the file has them, and the checks that make them.

pub(super) mod bounds;
pub(super) mod facts;
pub(super) mod host;
pub(super) mod parse;
mod rates;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::Value;

use crate::kernel::{Sampler, SimDuration};
use crate::objects::{Key, Kind, Selector, SelectorError};
use crate::sim::{ClientSpec, HostName, KeepAlive, Load, Origin, PortRef, Retries, Target};

use super::error::Fault;

use host::RawClientDns;
use rates::RawRate;

/// Most users, connections and addresses of a client.
const MOST: u32 = 1_000_000;
/// Most clients.
pub(super) const MOST_CLIENTS: usize = 10_000;
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
    let value = Value::deserialize(deserializer)?;
    if value.is_u64() {
        let count = u32::deserialize(value).map_err(de::Error::custom)?;
        return Ok(Some(RawRetries { count, ..RawRetries::default() }));
    }
    if value.is_object() {
        return RawRetries::deserialize(value).map(Some).map_err(de::Error::custom);
    }
    Err(de::Error::custom("expected a number of retries, or a map of count, backOff, max and budget"))
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
        let (to, host, port) = self.goal()?;
        let from = origin(self.from.as_deref().unwrap_or("external"), self.namespace.as_ref(), &to, has_node)?;
        let is_external = matches!(from, Origin::External);
        if is_external && host.is_some() {
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
        Ok(ClientSpec {
            name: self.name.as_str().into(),
            to,
            host,
            port,
            from,
            load,
            start: self.start.unwrap_or_default(),
            stop: self.stop,
            timeout,
            retries: self.retries.map_or(Ok(Retries::default()), RawRetries::checked)?,
            keep_alive: self.keep_alive.map(RawKeepAlive::checked).transpose()?,
            addresses: count("addresses", self.addresses.unwrap_or(1000))?,
        })
    }

    /// A Service, or a host and the namespace of those who ask for it.
    fn goal(&self) -> Result<(Key, Option<HostName>, PortRef), Fault> {
        if !self.to.contains('/') {
            let (host, port) = host::parse(self.to.trim(), self.dns.clone())?;
            let namespace = self.namespace.as_deref().unwrap_or("default");
            return Ok((Key::new(namespace, host.name.clone()), Some(host), port));
        }
        if self.dns.is_some() {
            let fault = Fault::new("dns", "the address of a Service is known, nobody asks for it");
            return Err(fault.help("ask for a host by its name, such as `to: web:80`"));
        }
        let (target, port) = destination(&self.to)?;
        Ok((target.key, None, port))
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
        let fault = Fault::new("to", "traffic through an Ingress is not simulated");
        return Err(fault.help("send it to the service behind; `httpStatus` and `seatrial explain` follow an Ingress"));
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
