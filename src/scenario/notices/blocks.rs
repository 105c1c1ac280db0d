//! Blocks of addresses in network policies, and the addresses of clients outside: a policy judges all of a client's alike.

use std::collections::BTreeSet;

use crate::network::{Cidr, Origin};
use crate::objects::reader::Document;
use crate::objects::wire::Wire;
use crate::sim::ClientSpec;

/// What blocks of a NetworkPolicy are to these clients, as far as that is not what they would be in a cluster.
pub(super) fn about(document: &Document, clients: &[ClientSpec], notices: &mut BTreeSet<String>) {
    let rules = document.value.at("spec").list("ingress").iter();
    let blocks = rules.flat_map(|rule| rule.list("from")).map(|peer| peer.at("ipBlock"));
    let ranges = blocks.flat_map(|block| {
        let except = block.list("except").iter().filter_map(|range| range.as_str());
        [block.text("cidr")].into_iter().chain(except)
    });
    let ranges: Vec<(&str, Cidr)> = ranges.filter_map(|text| Some((text, Cidr::parse(text)?))).collect();
    let name = document.name.as_deref().unwrap_or_default();
    for client in clients.iter().filter(|client| matches!(client.from, Origin::External)) {
        let Some((range, what)) = ranges.iter().find_map(|(text, range)| Some((text, apart(client, range)?))) else {
            continue;
        };
        notices.insert(format!("NetworkPolicy {name}: of client {}, {what} {range}", client.name));
    }
}

/// Why a client's addresses do not fare each as it would by a range.
fn apart(client: &ClientSpec, range: &Cidr) -> Option<&'static str> {
    match &client.network {
        None if range.is_everything() => None,
        None => Some("which says no `network`, all addresses are taken for 203.0.113.1, also by"),
        Some(network) if network.covers(range) && network != range => {
            Some("all addresses are taken for the first of its `network`, of which a part is in")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{RunOptions, Scenario};

    #[test]
    fn clients_of_whom_a_block_is_about_a_part_are_told_of() {
        let first = "of client users, all addresses are taken for the first of its `network`, of which a part is in";
        let any = "of client users, which says no `network`, all addresses are taken for 203.0.113.1, also by";
        for (client, block, expected) in [
            ("network: 203.0.113.0/24", "cidr: 203.0.113.0/24", None),
            ("network: 203.0.113.0/25", "cidr: 203.0.113.0/24", None),
            ("network: 198.51.100.0/24", "cidr: 203.0.113.0/24", None),
            ("network: 203.0.113.0/24", "cidr: 203.0.113.0/26", Some(format!("{first} 203.0.113.0/26"))),
            (
                "network: 203.0.113.0/24",
                "cidr: 203.0.113.0/24, except: [203.0.113.64/26]",
                Some(format!("{first} 203.0.113.64/26")),
            ),
            ("addresses: 5", "cidr: 0.0.0.0/0", None),
            ("addresses: 5", "cidr: 198.51.100.0/24", Some(format!("{any} 198.51.100.0/24"))),
            ("from: node/w", "cidr: 198.51.100.0/24", None),
        ] {
            let scenario = format!(
                "{{apiVersion: seatrial.dev/v1, kind: Scenario, metadata: {{name: told}}, spec: {{duration: 1s, nodes: [{{name: w}}],\n\
                 traffic: [{{name: users, to: service/web, rate: 1/s, {client}}}], objects: '{{apiVersion: networking.k8s.io/v1,\n\
                 kind: NetworkPolicy, metadata: {{name: p}}, spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{{block}}}}}]}}]}}}}'}}}}"
            );
            let scenario = Scenario::read("n.yaml", &scenario).expect("a scenario");
            let told = scenario.run(&RunOptions::default()).expect("it runs").notices;
            let expected: Vec<String> = expected.into_iter().map(|what| format!("NetworkPolicy p: {what}")).collect();
            assert_eq!(told, expected, "{client} {block}");
        }
    }
}
