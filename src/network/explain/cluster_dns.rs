//! Whether a client gets an answer of cluster DNS.

use std::sync::Arc;

use crate::objects::{Key, Pod};

use super::super::policy::{self, Connection, DNS_LABEL, DNS_NAMESPACE, Peer};
use super::super::{Cause, Source};
use super::endpoints::{Scope, or_tcp};
use super::services::described;
use super::{Link, Stop, Verdict, Walk, Walked};

/// The Service of cluster DNS, if a cluster has one.
const SERVICE: &str = "kube-dns";
const PORT: i32 = 53;

impl Walk<'_> {
    /// Asks cluster DNS: policies must allow it and, where its Service is there, the rules of the client's node lead to a pod that
    /// answers. As long as nothing is odd about that, nothing is said.
    pub(super) fn ask_dns(&mut self) -> Walked<()> {
        self.may_ask_dns()?;
        let service = self.world.view.services.get(&Key::new(DNS_NAMESPACE, SERVICE)).cloned();
        let Some(service) = service else { return Ok(()) };
        let Some(port) = service.spec.ports.iter().find(|port| port.port == PORT).cloned() else { return Ok(()) };
        let before = self.steps.len();
        let protocol = std::mem::replace(&mut self.protocol, or_tcp(&port.protocol).into());
        self.holds("DNS", format!("{} asks cluster DNS, Service {}", self.source, described(&service)));
        let asked = match self.endpoints(&service, &port, &Scope::Cluster) {
            Ok(targets) => self.reach_targets(&targets, None),
            Err(stop) => Err(stop),
        };
        self.protocol = protocol;
        match asked {
            Ok(Verdict::Reachable | Verdict::Unknown) => {
                let is_odd = self.steps[before..].iter().any(|step| step.link != Link::Holds);
                self.steps.truncate(if is_odd { self.steps.len() } else { before });
                Ok(())
            }
            Ok(Verdict::Partly { .. } | Verdict::Sometimes(_)) => Ok(()),
            Ok(_) | Err(_) => Err(Stop(self.verdict_of(Cause::DnsFailure))),
        }
    }

    /// Whether policies let the client ask cluster DNS.
    fn may_ask_dns(&mut self) -> Walked<()> {
        let Source::Pod(key) = self.source else { return Ok(()) };
        let view = self.world.view;
        let Some(pod) = view.pods.get(key) else { return Ok(()) };
        let is_dns = |pod: &&Arc<Pod>| pod.meta.labels.get(DNS_LABEL.0) == Some(DNS_LABEL.1);
        // Where no pods of it are simulated, they are taken to be where kubeadm has them.
        let stand_in = policy::dns_stand_in();
        let server = view.pods.in_namespace(DNS_NAMESPACE).find(is_dns).map_or(&stand_in, |pod| &**pod);
        let connection = Connection { from: Peer::Pod(pod), to: Peer::Pod(server), port: 53, protocol: "UDP" };
        let verdict = policy::verdict(view, &connection);
        let Some((direction, policies)) = verdict.denial() else { return Ok(()) };
        let names = policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let word = direction.as_str().to_lowercase();
        let text = format!(
            "pod {key} cannot ask cluster DNS: NetworkPolicy {names} isolates for {word} and does not allow port 53 (UDP) of {DNS_NAMESPACE}"
        );
        let hint =
            "allow egress to port 53, UDP and TCP, of the pods k8s-app=kube-dns in namespace kube-system".to_owned();
        self.broken("Policy", Cause::DnsFailure, text, vec![hint])
    }
}
