//! Rows of Ingresses, their classes, and NetworkPolicies.

use crate::objects::{Ingress, IngressClass, NetworkPolicy};

use super::{Cells, address_list, or_none};

/// How many hosts are shown.
const SHOWN: usize = 3;

/// Upstream `printIngress`.
pub(super) fn ingress_cells(ingress: &Ingress, age: String, wide: bool) -> Cells {
    let spec = &ingress.spec;
    let points = ingress.status.load_balancer.ingress.iter();
    vec![
        ingress.meta.name.to_string(),
        spec.ingress_class_name.as_deref().unwrap_or("<none>").to_owned(),
        hosts(ingress),
        address_list(points.map(|point| (&*point.ip, &*point.hostname)), wide),
        if spec.tls.is_empty() { "80" } else { "80, 443" }.to_owned(),
        age,
    ]
}

/// Upstream `formatHosts`: rules after the third host with a name are only counted.
pub(in crate::report) fn hosts(ingress: &Ingress) -> String {
    let rules = &ingress.spec.rules;
    let named: Vec<&str> = rules.iter().map(|rule| &*rule.host).filter(|host| !host.is_empty()).take(SHOWN).collect();
    let place_of_last = rules.iter().scan(0, |seen, rule| {
        *seen += usize::from(!rule.host.is_empty());
        Some(*seen)
    });
    let all_until = place_of_last.take_while(|seen| *seen < SHOWN).count() + 1;
    match named.len() {
        0 => "*".to_owned(),
        SHOWN if rules.len() > all_until => format!("{} + {} more...", named.join(","), rules.len() - SHOWN),
        _ => named.join(","),
    }
}

/// Upstream `printIngressClass`.
pub(super) fn class_cells(class: &IngressClass, age: String) -> Cells {
    let mark = if class.is_default() { " (default)" } else { "" };
    let parameters = class.spec.parameters.as_ref().map(|parameters| {
        let group = parameters.api_group.as_ref().map(|group| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}", parameters.kind, parameters.name)
    });
    let parameters = or_none(parameters.unwrap_or_default());
    vec![format!("{}{mark}", class.meta.name), class.spec.controller.to_string(), parameters, age]
}

/// Upstream `printNetworkPolicy`.
pub(super) fn policy_cells(policy: &NetworkPolicy, age: String) -> Cells {
    let selector = policy.spec.pod_selector.compiled.to_string();
    vec![policy.meta.name.to_string(), or_none(selector), age]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn three_hosts_are_shown() {
        let shown = |names: &[&str]| {
            let rules: Vec<_> = names.iter().map(|name| json!({"host": name})).collect();
            hosts(&Ingress::from_wire(json!({"spec": {"rules": rules}})).unwrap())
        };
        assert_eq!(shown(&[]), "*");
        assert_eq!(shown(&["", "a"]), "a");
        assert_eq!(shown(&["a", "b", "c"]), "a,b,c");
        assert_eq!(shown(&["a", "b", "c", "d"]), "a,b,c + 1 more...");
        assert_eq!(shown(&["a", "", "b", "c", ""]), "a,b,c + 2 more...");
    }
}
