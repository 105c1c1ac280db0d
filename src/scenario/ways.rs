//! Facts about ways through the network: `reachable(pod/client, service/web:80)`.

use std::fmt;

use crate::network::Source;
use crate::network::dns::{ClusterDns, NodeDns, RecordType, ResolvConf};
use crate::network::explain::{Destination, Verdict, parse_source};
use crate::objects::Kind;
use crate::sim::{Simulation, Target};

/// From a client to where it wants to go, as written and as read.
#[derive(Clone, Debug)]
pub(super) struct Way {
    from: Source,
    to: Destination,
    written: [String; 2],
}

impl Way {
    /// Reads `CLIENT, DESTINATION`, each in quotes or not.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = |text: &str| text.trim().trim_matches(|c| c == '\'' || c == '"').trim().to_owned();
        let (from, to) =
            text.split_once(',').ok_or("a client and a destination are expected, with a comma between them")?;
        let written = [bare(from), bare(to)];
        Ok(Self { from: parse_source(&written[0])?, to: written[1].parse()?, written })
    }

    /// The client.
    pub(super) const fn source(&self) -> &Source {
        &self.from
    }

    /// The object that it wants to go to, unless it goes by a host's name.
    pub(super) fn target(&self) -> Option<Target> {
        match &self.to {
            Destination::Service(key, _) => Some(Target { kind: Kind::Service, key: key.clone() }),
            Destination::Pod(key, _) => Some(Target { kind: Kind::Pod, key: key.clone() }),
            Destination::Host { .. } | Destination::Node(..) => None,
        }
    }

    /// Whether every connection gets an answer of the application.
    pub(super) fn is_reachable(&self, sim: &Simulation) -> bool {
        sim.explain(&self.from, &self.to).is_reachable()
    }

    /// The HTTP status that a client sees if the application answers whatever reaches it; 0 = none, as the connection fails.
    pub(super) fn status(&self, sim: &Simulation) -> i64 {
        match sim.explain(&self.from, &self.to).verdict {
            Verdict::Reachable | Verdict::Partly { .. } | Verdict::Sometimes(_) => 200,
            Verdict::Status(status, _) | Verdict::Redirected(status) => i64::from(status),
            Verdict::Unreachable(_) | Verdict::Unknown => 0,
        }
    }
}

impl Way {
    /// How many addresses the client gets for the destination's name.
    pub(super) fn addresses(&self, sim: &Simulation) -> i64 {
        let (Source::Pod(key), Destination::Host { host, .. }) = (&self.from, &self.to) else { return 0 };
        let Some(pod) = sim.view().pods.get(key) else { return 0 };
        let dns = ClusterDns::default();
        let conf = ResolvConf::of(pod, &dns, &NodeDns::default());
        let lookup = conf.lookup(host, RecordType::A, |server, name, _| dns.answer_by(server, sim.view(), name));
        lookup.answer().map_or(0, |answer| answer.ips().count() as i64)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.written[0], self.written[1])
    }
}
