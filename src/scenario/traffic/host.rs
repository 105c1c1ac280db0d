//! Clients that ask DNS for a host: `to: db-0.db:5432`, `dns: {cache: 30s, pick: first, fallback: false}`.

use std::net::IpAddr;

use serde::Deserialize;

use crate::kernel::SimDuration;
use crate::scenario::error::Fault;
use crate::sim::{AddressPick, ClientCaching, DnsConfig, HostName, PortRef};

/// Longest name, and longest label of it.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;
/// What glibc takes at most of `attempts` and `timeout` in `resolv.conf`.
const MOST_ATTEMPTS: u32 = 5;
const LONGEST_TIMEOUT: SimDuration = SimDuration::from_secs(30);
/// Most search domains of a node.
const MOST_SEARCHED: usize = 32;

/// `dns` of a client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawClientDns {
    cache: Option<String>,
    pick: Option<AddressPick>,
    fallback: Option<bool>,
}

/// The host and port of a destination that names no object.
pub(super) fn parse(text: &str, dns: Option<RawClientDns>) -> Result<(HostName, PortRef), Fault> {
    let example =
        "such as web:80, db-0.db.shop:5432 or _http._tcp.web; service/web:80 is a Service whose address is known";
    let fault = |message: String| Fault::new("to", message).help(example);
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let port = match (HostName::new(name).is_port(), port) {
        (true, None) => PortRef::Only,
        (true, Some(_)) => return Err(fault(format!("DNS says which number {name} has"))),
        (false, None) => return Err(fault(format!("{text:?} is a host without a port"))),
        (false, Some(port)) => match port.parse::<u16>() {
            Ok(port) if port > 0 => PortRef::Number(port),
            _ => return Err(fault(format!("{port:?} is not a port of a host: those are from 1 to 65535"))),
        },
    };
    if name.parse::<IpAddr>().is_ok() {
        return Err(fault(format!("{name} is an address and no name")));
    }
    if !is_name(name) {
        return Err(fault(format!("{name:?} is not the name of a host")));
    }
    let dns = dns.unwrap_or_default();
    let caching = dns.cache.as_deref().map_or(Ok(ClientCaching::None), caching)?;
    let pick = dns.pick.unwrap_or_default();
    let falls_back = dns.fallback.unwrap_or(true);
    Ok((HostName { name: name.into(), caching, pick, falls_back }, port))
}

fn caching(text: &str) -> Result<ClientCaching, Fault> {
    match text {
        "none" => Ok(ClientCaching::None),
        "ttl" => Ok(ClientCaching::Ttl),
        "forever" => Ok(ClientCaching::Forever),
        time => match time.parse() {
            Ok(time) => Ok(ClientCaching::For(time)),
            Err(_) => {
                let fault = Fault::new("dns.cache", format!("{time:?} is no way to keep addresses"));
                Err(fault.help("none, ttl, forever, or a time such as 30s"))
            }
        },
    }
}

fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= LONGEST_LABEL
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= LONGEST_NAME && name.split('.').all(is_label)
}

/// What cannot be of `spec.network.dns`.
pub(in crate::scenario) fn check(dns: &DnsConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault =
        |field: &str, message: String| faults.push(Fault::new(format!("spec.network.dns.{field}"), message));
    if !(1..=MOST_ATTEMPTS).contains(&dns.attempts) {
        fault("attempts", format!("must be from 1 to {MOST_ATTEMPTS}"));
    }
    if dns.timeout.is_zero() || dns.timeout > LONGEST_TIMEOUT {
        fault("timeout", format!("must be more than 0 and at most {LONGEST_TIMEOUT}"));
    }
    if dns.search.len() > MOST_SEARCHED {
        fault("search", format!("must be at most {MOST_SEARCHED} domains"));
    }
    for (at, domain) in dns.search.iter().enumerate().filter(|(_, domain)| !is_name(domain)) {
        fault(&format!("search[{at}]"), format!("{domain:?} is not the name of a domain"));
    }
    for name in dns.outside.keys().filter(|name| !is_name(name)) {
        fault("outside", format!("{name:?} is not the name of a host"));
    }
    faults
}
