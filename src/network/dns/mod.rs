//! Cluster DNS: what CoreDNS answers about services, endpoints and pods, how a pod's resolver asks for a short name, and how
//! long caches keep what was true before.
//!
//! Everything is a pure function of an [`api::View`](crate::api::View), the question and, for caches, the instant.
//!
//! ```
//! use seatrial::api::View;
//! use seatrial::network::dns::{ClusterDns, RecordType, Rcode};
//!
//! let dns = ClusterDns::default();
//! let answer = dns.answer(&View::default(), "web.default.svc.cluster.local", RecordType::A);
//! assert_eq!(answer.rcode, Rcode::NameError); // there is no such service
//! ```

mod cache;
mod config;
mod lookup;
mod records;
mod resolv_conf;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kernel::{SimDuration, Stream};

pub use cache::{Cached, ClientCaching, CoreDnsCache, NameCache};
pub use config::DnsConfig;
pub use lookup::{Attempt, Lookup};
pub(in crate::network) use records::MOST_CNAMES;
pub use records::reverse_name;
pub(crate) use records::{cluster_ips, external_name};
pub use resolv_conf::{MAX_NAMESERVERS, MAX_SEARCH_CHARS, MAX_SEARCH_DOMAINS, Nameserver, NodeDns, ResolvConf};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name that a name stands for.
    Cname,
    /// Port and host name of a named port.
    Srv,
    /// The name of an address.
    Ptr,
    /// Anything else; cluster DNS has no such records.
    Other,
}

/// The data of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that this name stands for.
    Cname(String),
    /// A port of a host.
    Srv {
        /// Lower ones are tried first.
        priority: u16,
        /// Share among those of equal priority.
        weight: u16,
        /// Port.
        port: u16,
        /// Host name.
        target: String,
    },
    /// The name of an address.
    Ptr(String),
}

/// One resource record. Names have no dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// Whose record it is.
    pub name: String,
    /// How long it may be kept.
    pub ttl: SimDuration,
    /// What it says.
    pub data: RecordData,
}

impl Record {
    /// The address, if it has one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self.data {
            RecordData::A(ip) => Some(IpAddr::V4(ip)),
            RecordData::Aaaa(ip) => Some(IpAddr::V6(ip)),
            RecordData::Cname(_) | RecordData::Srv { .. } | RecordData::Ptr(_) => None,
        }
    }
}

/// The code of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rcode {
    /// The name exists; without records that is NODATA.
    NoError,
    /// NXDOMAIN: there is no such name.
    NameError,
    /// SERVFAIL: nobody who knows could be asked.
    ServerFailure,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The code.
    pub rcode: Rcode,
    /// Records, those of a CNAME before those of its target.
    pub records: Vec<Record>,
    /// Addresses of the hosts in its SRV records, so that nobody has to ask for them (the additional section).
    pub additional: Vec<Record>,
    /// The name outside the cluster domain on which it depends and of which the simulation was told nothing.
    pub unknown_outside: Option<String>,
}

impl Answer {
    pub(super) const fn no_such_name() -> Self {
        Self { rcode: Rcode::NameError, records: Vec::new(), additional: Vec::new(), unknown_outside: None }
    }

    #[cfg(test)]
    pub(in crate::network) const fn nothing() -> Self {
        Self::of(Vec::new())
    }

    pub(super) const fn of(records: Vec<Record>) -> Self {
        Self { rcode: Rcode::NoError, records, additional: Vec::new(), unknown_outside: None }
    }

    /// Whether the name exists and has no record of the type that was asked for.
    #[must_use]
    pub fn is_nodata(&self) -> bool {
        self.rcode == Rcode::NoError && self.records.is_empty()
    }

    /// The addresses in it.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.records.iter().filter_map(Record::ip)
    }

    /// The addresses with ports that its SRV records name; CoreDNS gives all of them the same priority and weight. Of a host with
    /// addresses of both families those of IPv4.
    pub fn places(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        self.records.iter().flat_map(|record| {
            let (host, port) = match &record.data {
                RecordData::Srv { target, port, .. } => (target.as_str(), *port),
                _ => ("", 0),
            };
            let of_host = move |record: &&Record| !host.is_empty() && record.name == host;
            let is_v4 = self.additional.iter().filter(of_host).any(|record| matches!(record.data, RecordData::A(_)));
            let ips = self.additional.iter().filter(of_host).filter_map(Record::ip);
            ips.filter(move |ip| ip.is_ipv4() == is_v4).map(move |ip| (ip, port))
        })
    }

    /// The shortest lifetime of its records; nothing if it has none.
    #[must_use]
    pub fn ttl(&self) -> Option<SimDuration> {
        self.records.iter().map(|record| record.ttl).min()
    }

    /// Puts its addresses in a random order, as CoreDNS' `loadbalance` does with every answer: that is how clients that take the
    /// first address spread over a headless service.
    pub fn shuffle(&mut self, stream: &mut Stream) {
        let first = self.records.iter().position(|record| record.ip().is_some()).unwrap_or(self.records.len());
        stream.shuffle(&mut self.records[first..]);
    }
}

impl fmt::Display for Answer {
    /// `10.0.0.5`, `CNAME x.org`, `NXDOMAIN`, `NODATA`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rcode {
            Rcode::NameError => return f.write_str("NXDOMAIN"),
            Rcode::ServerFailure => return f.write_str("SERVFAIL"),
            Rcode::NoError if self.records.is_empty() => return f.write_str("NODATA"),
            Rcode::NoError => {}
        }
        for (place, record) in self.records.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            match &record.data {
                RecordData::A(ip) => write!(f, "{ip}")?,
                RecordData::Aaaa(ip) => write!(f, "{ip}")?,
                RecordData::Cname(name) => write!(f, "CNAME {name}")?,
                RecordData::Srv { port, target, .. } => write!(f, "{target}:{port}")?,
                RecordData::Ptr(name) => f.write_str(name)?,
            }
        }
        Ok(())
    }
}

/// What CoreDNS says of `a-b-c-d.ns.pod` (option `pods` of its kubernetes plugin).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodRecords {
    /// NXDOMAIN.
    Disabled,
    /// The address in the name, whether or not a pod has it: kubeadm's setting.
    #[default]
    Insecure,
    /// The address in the name if a pod of that namespace has it.
    Verified,
}

/// How cluster DNS is set up. The default is kubeadm's: domain `cluster.local`, records live 30 seconds, insecure pod records,
/// nothing known of the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterDns {
    /// The cluster domain.
    pub domain: String,
    /// Lifetime of its records; 30 seconds from kubeadm, 5 seconds if the Corefile does not say.
    pub ttl: SimDuration,
    /// Records of pods by address.
    pub pods: PodRecords,
    /// What names outside the cluster domain stand for, in lower case without a dot at the end.
    pub outside: BTreeMap<String, Vec<IpAddr>>,
    /// Lifetime of records from outside.
    pub outside_ttl: SimDuration,
}

impl Default for ClusterDns {
    fn default() -> Self {
        Self {
            domain: "cluster.local".to_owned(),
            ttl: SimDuration::from_secs(30),
            pods: PodRecords::default(),
            outside: BTreeMap::new(),
            outside_ttl: SimDuration::from_secs(300),
        }
    }
}
