//! Where a way begins and where it is to go.

use std::fmt;
use std::str::FromStr;

use crate::objects::{Key, Kind};

use super::super::Source;

/// Where a way is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A name or an address as a client writes it.
    Host {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Path, beginning with a slash.
        path: String,
        /// Whether it is asked over TLS.
        is_tls: bool,
    },
    /// A Service by its address, and a port of it by number or name; nothing = its only one.
    Service(Key, Option<String>),
    /// A pod by its address, and a port; nothing = the first that it lists.
    Pod(Key, Option<u16>),
    /// A port of a node.
    Node(String, u16),
}

/// Splits `namespace/kind/name` or `kind/name`.
fn object(text: &str) -> Option<(Kind, Key)> {
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, kind, name) = match parts[..] {
        [kind, name] => ("default", kind, name),
        [namespace, kind, name] => (namespace, kind, name),
        _ => return None,
    };
    let kind = Kind::parse(kind).filter(|_| !name.is_empty() && !namespace.is_empty())?;
    Some((kind, Key::new(if kind.is_namespaced() { namespace } else { "" }, name)))
}

/// Reads where a way begins: `external`, `node/NAME`, `pod/NAME` or `NAMESPACE/pod/NAME`.
///
/// # Errors
/// What is expected, if it is none of these.
pub fn parse_source(text: &str) -> Result<Source, String> {
    let expected = || format!("{text:?} is no client: expected external, pod/NAME, NAMESPACE/pod/NAME or node/NAME");
    if text == "external" {
        return Ok(Source::External);
    }
    match object(text) {
        Some((Kind::Pod, key)) => Ok(Source::Pod(key)),
        Some((Kind::Node, key)) => Ok(Source::Node(key.name)),
        _ => Err(expected()),
    }
}

impl FromStr for Destination {
    type Err = String;

    /// Reads `service/NAME[:PORT]`, `pod/NAME[:PORT]` (each also with a namespace in front), `node/NAME:PORT`, or what a client
    /// writes: `[http[s]://]HOST[:PORT][/PATH]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{text:?}: {what}; expected service/NAME:PORT, pod/NAME:PORT, node/NAME:PORT, each also as NAMESPACE/KIND/NAME:PORT, or HOST[:PORT][/PATH]"
            )
        };
        let (rest, scheme) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, Some(true)),
            (None, Some(rest)) => (rest, Some(false)),
            (None, None) => (text, None),
        };
        let (named, port) = match rest.rsplit_once(':') {
            Some((named, port)) if !port.contains('/') => (named, Some(port)),
            _ => (rest, None),
        };
        let number =
            |port: &str| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| wrong("that is no port"));
        if let Some((kind, key)) = object(named).filter(|_| scheme.is_none()) {
            return match kind {
                Kind::Service => {
                    let is_number = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
                    match port {
                        Some("") => return Err(wrong("the port is missing")),
                        Some(port) if is_number(port) => drop(number(port)?),
                        _ => {}
                    }
                    Ok(Self::Service(key, port.map(str::to_owned)))
                }
                Kind::Pod => Ok(Self::Pod(key, port.map(number).transpose()?)),
                Kind::Node => {
                    Ok(Self::Node(key.name.to_string(), number(port.ok_or_else(|| wrong("the port is missing"))?)?))
                }
                _ => Err(wrong("no connections go to objects of that kind")),
            };
        }
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_tls = scheme == Some(true);
        let (host, port) = split_port(host);
        let port = port.map(number).transpose()?.unwrap_or(if is_tls { 443 } else { 80 });
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(wrong("that is no host"));
        }
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Self::Host { host: host.to_ascii_lowercase(), port, path, is_tls })
    }
}

/// A host and its port; addresses with colons stand in brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    if let Some((ip, rest)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (ip, rest.strip_prefix(':'));
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, Some(port)),
        _ => (host, None),
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port, path, is_tls } => {
                let (scheme, default) = if *is_tls { ("https://", 443) } else { ("", 80) };
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let port = if *port == default { String::new() } else { format!(":{port}") };
                write!(f, "{scheme}{host}{port}{}", if path == "/" { "" } else { path })
            }
            Self::Service(key, port) => write!(f, "service {key}, port {}", port.as_deref().unwrap_or("its only one")),
            Self::Pod(key, Some(port)) => write!(f, "pod {key}, port {port}"),
            Self::Pod(key, None) => write!(f, "pod {key}"),
            Self::Node(name, port) => write!(f, "node {name}, port {port}"),
        }
    }
}
