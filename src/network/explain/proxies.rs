//! What the nodes have programmed, where that is not what the API says: proxies that have not caught up, or hear nothing.

use std::sync::Arc;

use crate::objects::{Key, Resource as _, Service, ServicePort};

use super::super::Cause;
use super::super::Source;
use super::super::dispatch::Rules;
use super::super::proxy::Seen;
use super::endpoints::Scope;
use super::near::first_few;
use super::pods::Target;
use super::{Walk, Walked};

impl Walk<'_> {
    /// The node whose rules a connection meets; nothing if any node may be it.
    pub(super) fn entry_node(&self) -> Option<Arc<str>> {
        self.entry.clone().or_else(|| self.client_node())
    }

    fn rules(&self, service: &Service, port: &ServicePort, scope: &Scope) -> Option<Rules> {
        let ((network, now), node) = (self.world.network?, self.entry_node()?);
        let (is_local, is_inside) = (matches!(scope, Scope::Node(_)), !matches!(self.source, Source::External));
        network.rules_on((&service.key(), &port.name), &node, (is_local, is_inside), now)
    }

    /// The endpoints to which the nodes send by the rules that they have, of which `usable` are those that the API tells of;
    /// nothing if no proxy is in between, or if it has no rules.
    pub(super) fn programmed(
        &self,
        service: &Service,
        port: &ServicePort,
        scope: &Scope,
        usable: &[Target],
    ) -> Option<Vec<Target>> {
        if *scope == Scope::Ready || service.spec.is_headless() {
            return None;
        }
        if self.entry_node().is_some() {
            return self.rules(service, port, scope)?.now.map(targets);
        }
        let (network, now) = self.world.network?;
        let lists = network.rules_anywhere((&service.key(), &port.name), *scope == Scope::AnyLocal, now);
        let mut all = if lists.iter().any(|(list, _)| list.is_none()) { usable.to_vec() } else { Vec::new() };
        for target in lists.into_iter().filter_map(|(list, _)| list).flat_map(targets) {
            if !all.contains(&target) {
                all.push(target);
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Whether the node where the connection comes in has no rules for the Service yet.
    pub(super) fn knows_no_rules(&self, service: &Service, port: &ServicePort, scope: &Scope) -> bool {
        let is_proxied = *scope != Scope::Ready && !service.spec.is_headless();
        is_proxied && self.rules(service, port, scope).is_some_and(|rules| rules.now.is_none())
    }

    /// Tells of nodes that have no rules for the port of theirs by which clients outside come in, if no node was named.
    pub(super) fn some_know_no_rules(&mut self, service: &Service, port: &ServicePort) {
        let (Some((network, now)), None) = (self.world.network, self.entry_node()) else { return };
        let lists = network.rules_anywhere((&service.key(), &port.name), false, now);
        let all: usize = lists.iter().map(|(_, nodes)| nodes).sum();
        let without: usize = lists.iter().filter(|(list, _)| list.is_none()).map(|(_, nodes)| nodes).sum();
        if without > 0 {
            let text = format!(
                "kube-proxy has no rules for it yet on {without} of {all} nodes: connections to those are refused"
            );
            self.shaky("Proxy", text);
        }
    }

    pub(super) fn no_rules<T>(&mut self, service: &Key) -> Walked<T> {
        let node = self.entry_node().unwrap_or_default();
        let why = if self.is_cut_off(&node) { ", as it is cut off from the control plane" } else { "" };
        // A node that is named is asked at a port of its own.
        let (cause, so) = match self.entry {
            Some(_) => (Cause::PortNotProgrammed, "nobody listens on its port, and connections are refused"),
            None => (Cause::NotProgrammed, "packets lead nowhere"),
        };
        let text = format!("kube-proxy on node {node} has no rules for {service} yet{why}: {so}");
        self.broken("Proxy", cause, text, Vec::new())
    }

    /// Goes on with the endpoints that the nodes have, and says where those are others than the API tells of.
    pub(super) fn by_proxy(
        &mut self,
        service: &Key,
        (usable, programmed): (Vec<Target>, Vec<Target>),
        scope: &Scope,
    ) -> Walked<Vec<Target>> {
        let names = |list: &[Target], other: &[Target]| -> Vec<String> {
            list.iter().filter(|target| !other.contains(target)).map(Target::name).collect()
        };
        let (gone, new) = (names(&programmed, &usable), names(&usable, &programmed));
        let Some(node) = self.entry_node() else {
            self.somewhere(&gone, &new);
            return Ok(programmed);
        };
        let why = if self.is_cut_off(&node) { ", as it is cut off from the control plane" } else { "" };
        if !gone.is_empty() {
            let verb = if gone.len() == 1 { "has" } else { "have" };
            let text = format!(
                "{} {verb} left the endpoints, and kube-proxy on node {node} has not heard of that{why}: it still sends connections there",
                first_few(&gone)
            );
            self.shaky("Proxy", text);
        }
        if !new.is_empty() && self.is_behind(service, &node) {
            let verb = if new.len() == 1 { "has" } else { "have" };
            let and = if programmed.is_empty() { ", and refuses connections until then" } else { "" };
            let text = format!(
                "{} {verb} joined the endpoints, and kube-proxy on node {node} does not know of that yet{why}{and}",
                first_few(&new)
            );
            if programmed.is_empty() {
                let cause = if matches!(scope, Scope::Node(_)) { Cause::NoLocalEndpoints } else { Cause::NoEndpoints };
                return self.broken("Proxy", cause, text, Vec::new());
            }
            self.shaky("Proxy", text);
        } else if !new.is_empty() {
            let text =
                format!("connections from node {node} go to {} of them, which hints keep near", programmed.len());
            self.holds("Proxy", text);
        }
        Ok(programmed)
    }

    /// What nodes that have not caught up do, where connections may come in by any of them.
    fn somewhere(&mut self, gone: &[String], new: &[String]) {
        if !gone.is_empty() {
            let verb = if gone.len() == 1 { "has" } else { "have" };
            let text = format!(
                "{} {verb} just left the endpoints: nodes whose proxy has not caught up still send connections there",
                first_few(gone)
            );
            self.shaky("Proxy", text);
        }
        if !new.is_empty() {
            let verb = if new.len() == 1 { "has" } else { "have" };
            let text = format!(
                "{} {verb} just joined the endpoints: nodes whose proxy has not caught up do not know of that",
                first_few(new)
            );
            self.shaky("Proxy", text);
        }
    }

    fn is_cut_off(&self, node: &str) -> bool {
        self.world.network.is_some_and(|(network, _)| network.is_cut_off(node))
    }

    /// Whether a node has other rules for a service than it would have if it had heard of everything.
    fn is_behind(&self, service: &Key, node: &str) -> bool {
        self.world.network.is_some_and(|(network, now)| network.is_behind(service, node, now))
    }
}

fn targets(list: Vec<Seen>) -> Vec<Target> {
    list.into_iter().map(|Seen { ip, port, pod, node }| Target { ip, port, pod, node }).collect()
}
