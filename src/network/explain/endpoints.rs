//! Which endpoints of a Service are chosen from, or why there are none.

use std::sync::Arc;

use crate::api::View;
use crate::objects::{EndpointSlice, IntOrPercent, Key, Pod, Resource as _, Selector, Service, ServicePort};

use super::super::Cause;
use super::super::policy::named_port;
use super::near::{count, first_few, near_miss};
use super::pods::{Target, why_not_ready};
use super::services::{port_name, target_name};
use super::{Walk, Walked};

/// Which endpoints count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of all nodes.
    Cluster,
    /// Those of one node, by `internalTrafficPolicy` or `externalTrafficPolicy: Local`.
    Node(Arc<str>),
    /// Those of the nodes that a load balancer takes for healthy: all that have one.
    AnyLocal,
    /// Only ready ones: what an ingress controller and DNS look at.
    Ready,
}

/// The port of the pods that a port of a Service goes to, as a slice has it.
pub(super) fn number_in(slice: &EndpointSlice, port: &ServicePort) -> Option<u16> {
    let is_same = |own: &&crate::objects::EndpointPort| {
        own.name.as_deref().unwrap_or("") == &*port.name
            && own.protocol.as_deref().unwrap_or("TCP") == or_tcp(&port.protocol)
    };
    slice.ports.iter().find(is_same).and_then(|own| u16::try_from(own.port?).ok())
}

/// The endpoints of a port of a Service.
#[derive(Default)]
struct Found {
    ready: Vec<Target>,
    /// They are being removed and still serve.
    leaving: Vec<Target>,
    others: usize,
}

impl Found {
    fn of(view: &View, service: &Key, port: &ServicePort) -> Self {
        let mut found = Self::default();
        for slice in view.slices_of(service) {
            found.add(slice, port);
        }
        found
    }

    fn add(&mut self, slice: &EndpointSlice, port: &ServicePort) {
        let Some(number) = number_in(slice, port) else { return };
        for endpoint in &slice.endpoints {
            let Some(ip) = endpoint.ip() else { continue };
            let target = endpoint.target_ref.as_ref().filter(|target| *target.kind == *"Pod");
            let pod = target.map(|target| Key::new(&*target.namespace, &*target.name));
            let target = Target { ip, port: number, pod, node: endpoint.node_name.clone() };
            let conditions = endpoint.conditions;
            match (
                conditions.ready != Some(false),
                conditions.serving != Some(false) && conditions.terminating == Some(true),
            ) {
                (true, _) => self.ready.push(target),
                (false, true) => self.leaving.push(target),
                (false, false) => self.others += 1,
            }
        }
    }

    /// Those that a proxy chooses from: the ready ones, else those that still serve while they are removed.
    fn usable(&self, scope: &Scope) -> Vec<Target> {
        let among = |list: &[Target]| -> Vec<Target> {
            let is_on = |target: &&Target| match scope {
                Scope::Node(node) => target.node.as_ref() == Some(node),
                Scope::Cluster | Scope::AnyLocal | Scope::Ready => true,
            };
            list.iter().filter(is_on).cloned().collect()
        };
        let ready = among(&self.ready);
        if ready.is_empty() && *scope != Scope::Ready && *scope != Scope::AnyLocal {
            among(&self.leaving)
        } else {
            ready
        }
    }
}

pub(super) fn or_tcp(protocol: &str) -> &str {
    if protocol.is_empty() { "TCP" } else { protocol }
}

impl Walk<'_> {
    /// The endpoints that a connection to a port of a Service may go to.
    pub(super) fn endpoints(
        &mut self,
        service: &Arc<Service>,
        port: &ServicePort,
        scope: &Scope,
    ) -> Walked<Vec<Target>> {
        let key = service.key();
        let found = Found::of(self.world.view, &key, port);
        let usable = found.usable(scope);
        let programmed = self.programmed(service, port, scope, &usable);
        if usable.is_empty() {
            if let Some(old) = programmed.as_ref().filter(|programmed| !programmed.is_empty()).cloned() {
                self.shaky("Endpoints", format!("{key} has none to choose from any more"));
                return self.by_proxy(&key, (Vec::new(), old), scope);
            }
            self.no_endpoints(service, port, scope, &found)?;
        }
        let names: Vec<String> =
            usable.iter().map(|target| format!("{} at {}:{}", target.name(), target.ip, target.port)).collect();
        let (chosen, shown) = (count(usable.len(), "endpoint"), first_few(&names));
        let text = match (found.ready.is_empty(), found.others + found.leaving.len()) {
            (true, _) => format!("none is ready; {chosen} that still serve while they are removed are used: {shown}"),
            (false, 0) => format!("{chosen}, {}ready: {shown}", if usable.len() == 1 { "" } else { "all " }),
            (false, left) => format!("{chosen} ready and {left} left out: {shown}"),
        };
        if found.ready.is_empty() {
            self.shaky("Endpoints", text);
        } else {
            self.holds("Endpoints", text);
        }
        match programmed {
            Some(programmed) => self.by_proxy(&key, (usable, programmed), scope),
            None if self.knows_no_rules(service, port, scope) => self.no_rules(&key),
            None => Ok(usable),
        }
    }

    /// Of these nodes those on which no endpoint of a Service can be used; none if there is none anywhere.
    pub(super) fn without_endpoints(&self, service: &Key, port: &ServicePort, nodes: &[Arc<str>]) -> Vec<Arc<str>> {
        let found = Found::of(self.world.view, service, port);
        if found.usable(&Scope::Cluster).is_empty() {
            return Vec::new();
        }
        let is_empty = |node: &&Arc<str>| found.usable(&Scope::Node(Arc::clone(node))).is_empty();
        nodes.iter().filter(is_empty).cloned().collect()
    }

    /// Under Local those on nodes by which connections come in.
    pub(super) fn of_ways_in(&self, scope: &Scope, mut targets: Vec<Target>) -> Vec<Target> {
        if let (Scope::AnyLocal, Some(nodes)) = (scope, &self.ways_in) {
            let is_up = |node: &Arc<str>| nodes.contains(node) && self.world.node_is_up(node);
            targets.retain(|target| target.node.as_ref().is_none_or(is_up));
        }
        targets
    }

    fn no_endpoints(&mut self, service: &Arc<Service>, port: &ServicePort, scope: &Scope, found: &Found) -> Walked<()> {
        let key = service.key();
        let cause = Cause::NoEndpoints;
        if let (Scope::Node(node), false) = (scope, found.usable(&Scope::Cluster).is_empty()) {
            let others: Vec<String> = found
                .usable(&Scope::Cluster)
                .iter()
                .filter_map(|target| target.node.as_deref().map(str::to_owned))
                .collect();
            let text =
                format!("no endpoint of {key} is on node {node}, and its traffic policy is Local: packets are dropped");
            return self.broken(
                "Endpoints",
                Cause::NoLocalEndpoints,
                text,
                vec![format!("there are endpoints on {}", first_few(&distinct(others)))],
            );
        }
        let Some(selector) = &service.spec.selector else {
            let text = format!(
                "{key} has no selector, and no EndpointSlice with a ready endpoint and {} was made for it",
                port_name(port)
            );
            return self.broken("Endpoints", cause, text, Vec::new());
        };
        let compiled = Selector::from_labels(selector);
        let view = self.world.view;
        let pods: Vec<&Arc<Pod>> = view.pods_matching(&key.namespace, &compiled).collect();
        if pods.is_empty() {
            let hints = self.selector_hints(&key, selector);
            return self.broken(
                "Endpoints",
                cause,
                format!("no pod in namespace {} matches its selector {compiled}", key.namespace),
                hints,
            );
        }
        if let Some(IntOrPercent::Percent(name)) = &port.target_port
            && !pods.iter().any(|pod| named_port(pod, name, or_tcp(&port.protocol)).is_some())
        {
            let all = pods.iter().flat_map(|pod| pod.spec.containers.iter().flat_map(|container| &container.ports));
            let names =
                all.filter(|port| !port.name.is_empty()).map(|port| format!("{} ({})", port.name, port.container_port));
            let names = distinct(names.collect());
            let hint = if names.is_empty() {
                "they name no ports".to_owned()
            } else {
                format!("they name {}", first_few(&names))
            };
            let text = format!(
                "{} goes to {}, which none of its {} has",
                port_name(port),
                target_name(port),
                count(pods.len(), "pod")
            );
            return self.broken("Endpoints", cause, text, vec![hint]);
        }
        let ready: Vec<String> =
            pods.iter().filter(|pod| pod.is_ready() && pod.is_active()).map(|pod| pod.meta.name.to_string()).collect();
        if !ready.is_empty() {
            let text = format!("pod {} is ready, but no EndpointSlice of {key} says so yet", first_few(&ready));
            return self.broken("Endpoints", cause, text, Vec::new());
        }
        let why = reasons(&pods);
        let text = format!(
            "its selector {compiled} matches {}, {}: {}",
            count(pods.len(), "pod"),
            if pods.len() == 1 { "which is not ready" } else { "and none is ready" },
            first_few(&why)
        );
        let hints = if *scope == Scope::Ready && !found.leaving.is_empty() {
            vec!["a proxy would still use those that are being removed; an ingress controller does not".to_owned()]
        } else {
            Vec::new()
        };
        self.broken("Endpoints", cause, text, hints)
    }

    fn selector_hints(&self, key: &Key, selector: &crate::objects::Labels) -> Vec<String> {
        let view = self.world.view;
        let mut hints = Vec::new();
        if let Some(miss) = near_miss(view, &key.namespace, selector) {
            let (wanted, value) = &miss.wanted;
            let pods = count(miss.pods, "pod");
            let verb = if miss.pods == 1 { "has" } else { "have" };
            hints.push(match &miss.has {
                Some((own, other)) => format!("{pods} {verb} {own}={other} in the place of {wanted}={value}"),
                None => format!("{pods} {verb} all of its labels but {wanted}={value}"),
            });
        }
        let compiled = Selector::from_labels(selector);
        let elsewhere = view.namespaces.iter().filter(|namespace| *namespace.meta.name != *key.namespace);
        let other = elsewhere.filter(|namespace| view.pods_matching(&namespace.meta.name, &compiled).next().is_some());
        let names: Vec<String> = other.map(|namespace| namespace.meta.name.to_string()).collect();
        if !names.is_empty() {
            hints.push(format!(
                "pods of namespace {} match, but a Service selects pods of its own namespace only",
                first_few(&names)
            ));
        }
        hints
    }
}

/// Why pods are not ready, each reason with the pods that it is about.
fn reasons(pods: &[&Arc<Pod>]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for pod in pods {
        let why = why_not_ready(pod);
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(&pod.meta.name),
            None => groups.push((why, vec![&pod.meta.name])),
        }
    }
    let text = |(why, names): (String, Vec<&str>)| match names[..] {
        [name] => format!("{name}: {why}"),
        _ => format!("{} pods: {why}", names.len()),
    };
    if let [(why, _)] = &groups[..] {
        return vec![why.clone()];
    }
    groups.into_iter().map(text).collect()
}

fn distinct(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
