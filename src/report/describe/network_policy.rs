//! `describe networkpolicy` (upstream `describeNetworkPolicy`), which tells of no Events.

use serde_json::Value;

use super::parts::{labels_and_annotations, name_and_namespace, or_none, selector};
use super::tabs::TabWriter;
use crate::objects::wire::Wire;
use crate::objects::{NetworkPolicy, Resource};

/// Words of one direction.
struct Direction {
    rules: &'static str,
    peers: &'static str,
    title: &'static str,
    end: &'static str,
}

const INGRESS: Direction = Direction { rules: "ingress", peers: "from", title: "From", end: "source" };
const EGRESS: Direction = Direction { rules: "egress", peers: "to", title: "To", end: "destination" };

pub(super) fn describe(out: &mut TabWriter, policy: &NetworkPolicy) {
    let wire = policy.to_wire();
    let spec = wire.at("spec");
    name_and_namespace(out, &policy.meta);
    let created = policy.meta.creation_timestamp.map(|at| at.to_string()).unwrap_or_default();
    // As Go prints an instant: 2026-01-02 03:04:05 +0000 UTC.
    out.field(0, "Created on", format_args!("{} +0000 UTC", created.replace('T', " ").trim_end_matches('Z')));
    labels_and_annotations(out, &policy.meta);
    out.line(0, "Spec:");
    let pods = match selector(spec.at("podSelector")) {
        none if none == "<none>" => "<none> (Allowing the specific traffic to all pods in this namespace)".to_owned(),
        some => some,
    };
    out.line(1, format_args!("PodSelector:     {pods}"));
    let types = spec.texts("policyTypes");
    for (name, direction) in [("Ingress", INGRESS), ("Egress", EGRESS)] {
        let word = direction.rules;
        if types.contains(&name) {
            out.line(1, format_args!("Allowing {word} traffic:"));
            rules(out, spec.list(word), &direction);
        } else {
            out.line(1, format_args!("Not affecting {word} traffic"));
        }
    }
    out.line(1, format_args!("Policy Types: {}", or_none(&types.join(", "))));
}

fn rules(out: &mut TabWriter, rules: &[Value], direction: &Direction) {
    if rules.is_empty() {
        let word = direction.rules;
        out.line(2, format_args!("<none> (Selected pods are isolated for {word} connectivity)"));
    }
    for (at, rule) in rules.iter().enumerate() {
        let (ports, peers) = (rule.list("ports"), rule.list(direction.peers));
        if ports.is_empty() {
            out.line(2, "To Port: <any> (traffic allowed to all ports)");
        }
        ports.iter().for_each(|one| port(out, one));
        let title = direction.title;
        if peers.is_empty() {
            out.line(2, format_args!("{title}: <any> (traffic not restricted by {})", direction.end));
        }
        for one in peers {
            out.line(2, format_args!("{title}:"));
            peer(out, one);
        }
        if at + 1 < rules.len() {
            out.line(2, "----------");
        }
    }
}

fn port(out: &mut TabWriter, port: &Value) {
    let protocol = port.text_some("protocol").unwrap_or("TCP");
    let first = match port.at("port") {
        Value::String(name) => name.clone(),
        Value::Null => "<nil>".to_owned(),
        number => number.to_string(),
    };
    match port.int_some("endPort") {
        None => out.line(2, format_args!("To Port: {first}/{protocol}")),
        Some(last) => out.line(2, format_args!("To Port Range: {first}-{last}/{protocol}")),
    }
}

fn peer(out: &mut TabWriter, peer: &Value) {
    let mut is_selected = false;
    for (field, title) in [("namespaceSelector", "NamespaceSelector"), ("podSelector", "PodSelector")] {
        if let Some(found) = peer.get_some(field) {
            is_selected = true;
            out.line(3, format_args!("{title}: {}", selector(found)));
        }
    }
    let block = peer.at("ipBlock");
    if !is_selected && block.is_object() {
        out.line(3, "IPBlock:");
        out.line(4, format_args!("CIDR: {}", block.text("cidr")));
        out.line(4, format_args!("Except: {}", block.texts("except").join(", ")));
    }
}
