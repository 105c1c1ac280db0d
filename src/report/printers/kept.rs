//! Rows of kinds that are kept as data.

use serde_json::Value;

use crate::objects::OpaqueObject;
use crate::objects::wire::Wire;

use super::{Cells, Column, column_list};

const CONFIG_MAP: [Column; 3] = column_list!("name", "data", "age";);
const SECRET: [Column; 4] = column_list!("name", "type", "data", "age";);
const PRIORITY_CLASS: [Column; 5] = column_list!("name", "value", "global-default", "age", "preemptionpolicy";);
const OTHER: [Column; 2] = column_list!("name", "age";);

pub(super) fn columns(kept: &OpaqueObject) -> &'static [Column] {
    match kind(kept) {
        ("v1", "ConfigMap") => &CONFIG_MAP,
        ("v1", "Secret") => &SECRET,
        ("scheduling.k8s.io/v1", "PriorityClass") => &PRIORITY_CLASS,
        _ => &OTHER,
    }
}

fn kind(kept: &OpaqueObject) -> (&str, &str) {
    (&kept.api_version, &kept.kind)
}

/// Upstream `printConfigMap`, `printSecret`, `printPriorityClass`.
pub(super) fn cells(kept: &OpaqueObject, age: String) -> Cells {
    let (name, wire) = (kept.meta.name.to_string(), Value::Object(kept.rest.clone()));
    let count = |fields: [&str; 2]| fields.map(|field| wire.entries(field).len()).iter().sum::<usize>().to_string();
    match kind(kept) {
        ("v1", "ConfigMap") => vec![name, count(["data", "binaryData"]), age],
        ("v1", "Secret") => {
            let kind = wire.text_some("type").unwrap_or("Opaque").to_owned();
            vec![name, kind, count(["data", "stringData"]), age]
        }
        ("scheduling.k8s.io/v1", "PriorityClass") => {
            let policy = wire.text_some("preemptionPolicy").unwrap_or("PreemptLowerPriority").to_owned();
            vec![name, wire.int("value").to_string(), wire.flag("globalDefault").to_string(), age, policy]
        }
        _ => vec![name, age],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_is_counted() {
        let kept = |wire: Value| OpaqueObject::from_wire(wire).expect("an object");
        let map = kept(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"},
            "data": {"a": "1", "b": "2"}, "binaryData": {"c": "YQ=="}}));
        assert_eq!(cells(&map, "5s".into()), ["m", "3", "5s"]);
        let secret =
            kept(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "YQ=="}}));
        assert_eq!(cells(&secret, "5s".into()), ["s", "Opaque", "1", "5s"]);
        let class = kept(json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": "gold"}, "value": 7}));
        assert_eq!(cells(&class, "5s".into()), ["gold", "7", "false", "5s", "PreemptLowerPriority"]);
        assert_eq!(columns(&class).len(), 5);
    }
}
