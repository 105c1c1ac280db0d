//! What a Service of type ExternalName stands for, behind an ingress controller, which looks its name up.

use std::net::IpAddr;
use std::sync::Arc;

use crate::objects::{Key, Service, ServicePort};

use super::super::Cause;
use super::super::dns::{NodeDns, RecordType, ResolvConf, cluster_ips};
use super::endpoints::Scope;
use super::pods::Target;
use super::{Link, Stop, Verdict, Walk, Walked};

impl Walk<'_> {
    /// From a pod of the controller to a port of what a name stands for there.
    pub(super) fn reach_alias(&mut self, (name, port): (&str, u16), front: &Key) -> Walked<Verdict> {
        let (view, dns, default) = (self.world.view, self.dns, NodeDns::default());
        let Some(pod) = view.pods.get(front) else { return Ok(Verdict::Unknown) };
        let conf = ResolvConf::of(pod, dns, self.world.node_dns.unwrap_or(&default));
        let lookup = conf.lookup(name, RecordType::A, |server, name, _| dns.answer_by(server, view, name));
        let Some(answer) = lookup.answer() else {
            if lookup.attempts.iter().any(|attempt| attempt.answer.unknown_outside.is_some()) {
                return self.unknown(name);
            }
            let tried: Vec<&str> = lookup.attempts.iter().map(|attempt| attempt.name.as_str()).collect();
            let text = format!("{name} does not resolve for the controller; tried {}", tried.join(", "));
            let hint =
                "a pod in the network of its node knows names of the cluster by dnsPolicy ClusterFirstWithHostNet";
            let hints = pod.spec.host_network.then(|| hint.to_owned());
            *self.step("Name", Link::Broken(Cause::NoSuchName), text) = hints.into_iter().collect();
            return Ok(Verdict::Status(503, Cause::NoSuchName));
        };
        let ips: Vec<IpAddr> = answer.ips().collect();
        let is_outside = |ip: &IpAddr| dns.outside.values().flatten().any(|outside| outside == ip);
        if ips.is_empty() || ips.iter().any(is_outside) {
            return self.unknown(name);
        }
        self.holds("Name", format!("the controller looks {name} up: {answer}"));
        let text = ips[0].to_string();
        let Some(service) = view.services.iter().find(|one| cluster_ips(one).any(|own| own == text)).cloned() else {
            let targets: Vec<Target> = ips.into_iter().map(|ip| self.target_at(ip, port)).collect();
            return self.reach_targets(&targets, Some(front));
        };
        let own = self.port(&service, Some(&port.to_string()))?;
        self.reach_by_rules(&service, &own, front)
    }

    /// From a pod of the controller by the address of a Service: where there are no endpoints the controller is refused, and says 502.
    pub(super) fn reach_by_rules(
        &mut self,
        service: &Arc<Service>,
        port: &ServicePort,
        front: &Key,
    ) -> Walked<Verdict> {
        let targets = self.endpoints(service, port, &Scope::Cluster).map_err(|stop| match stop {
            Stop(Verdict::Status(503, cause)) => Stop(Verdict::Status(502, cause)),
            other => other,
        })?;
        self.reach_targets(&targets, Some(front))
    }
}
