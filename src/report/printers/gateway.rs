//! Rows of the kinds of the Gateway API, by the columns of their definitions (`additionalPrinterColumns`).

use crate::objects::{Condition, Conditions, Gateway, GatewayClass, HTTPRoute};

use super::Cells;

pub(super) fn class_cells(class: &GatewayClass, age: String) -> Cells {
    let description = class.spec.description.as_ref().map(ToString::to_string).unwrap_or_default();
    let accepted = status_of(&class.status.conditions, "Accepted");
    vec![class.meta.name.to_string(), class.spec.controller_name.to_string(), accepted, age, description]
}

pub(super) fn gateway_cells(gateway: &Gateway, age: String) -> Cells {
    // Of several values a column of a definition shows the first.
    let address = gateway.status.addresses.first().map(|address| address.value.to_string()).unwrap_or_default();
    let programmed = status_of(&gateway.status.conditions, "Programmed");
    vec![gateway.meta.name.to_string(), gateway.spec.gateway_class_name.to_string(), address, programmed, age]
}

/// A list is shown as JSON.
pub(super) fn route_cells(route: &HTTPRoute, age: String) -> Cells {
    let hostnames: Vec<&str> = route.spec.hostnames.iter().map(|host| &**host).collect();
    let shown = if hostnames.is_empty() { String::new() } else { serde_json::json!(hostnames).to_string() };
    vec![route.meta.name.to_string(), shown, age]
}

fn status_of(conditions: &[Condition], kind: &str) -> String {
    conditions.find(kind).map(|condition| condition.status.as_str().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Resource;
    use serde_json::json;

    #[test]
    fn columns_are_those_of_the_definitions() {
        let gateway = json!({"metadata": {"name": "public"}, "spec": {"gatewayClassName": "mine"}, "status": {
            "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}, {"type": "IPAddress", "value": "192.0.2.2"}],
            "conditions": [{"type": "Programmed", "status": "True"}]}});
        let gateway = Gateway::from_wire(gateway).unwrap();
        assert_eq!(gateway_cells(&gateway, "5s".into()), ["public", "mine", "192.0.2.1", "True", "5s"]);
        let route = |spec| HTTPRoute::from_wire(json!({"metadata": {"name": "r"}, "spec": spec})).unwrap();
        assert_eq!(
            route_cells(&route(json!({"hostnames": ["a.x", "b.x"]})), "5s".into()),
            ["r", r#"["a.x","b.x"]"#, "5s"]
        );
        assert_eq!(route_cells(&route(json!({})), "5s".into()), ["r", "", "5s"]);
        let class =
            json!({"metadata": {"name": "c"}, "spec": {"controllerName": "x.io/y", "description": "for tests"}});
        let class = GatewayClass::from_wire(class).unwrap();
        assert_eq!(class_cells(&class, "5s".into()), ["c", "x.io/y", "", "5s", "for tests"]);
    }
}
