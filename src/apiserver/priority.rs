//! Priority of pods (admission plugin `Priority`).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::api::View;
use crate::objects::{Key, OpaqueObject};

/// Priority classes that every cluster has.
const BUILT_IN: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
const PREEMPT: &str = "PreemptLowerPriority";

struct Class {
    name: String,
    value: i64,
    preemption_policy: String,
}

/// Whether an object is a PriorityClass.
pub(super) fn is_class(object: &OpaqueObject) -> bool {
    &*object.kind == "PriorityClass" && object.api_version.starts_with("scheduling.k8s.io/")
}

/// Resolves the priority class of a pod's spec.
///
/// # Errors
/// Why the pod is forbidden.
pub(super) fn admit(view: &View, spec: &mut Map<String, Value>) -> Result<(), String> {
    let name = spec.get("priorityClassName").and_then(Value::as_str).unwrap_or("").to_owned();
    let class = if name.is_empty() { default_class(view) } else { class(view, &name)? };
    if !class.name.is_empty() {
        spec.insert("priorityClassName".into(), class.name.into());
    }
    let computed = class.value;
    if let Some(given) = spec.get("priority").and_then(Value::as_i64).filter(|given| *given != computed) {
        return Err(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {computed} from the given PriorityClass name"
        ));
    }
    let policy = class.preemption_policy;
    if let Some(given) = spec.get("preemptionPolicy").and_then(Value::as_str).filter(|given| *given != policy) {
        return Err(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        ));
    }
    spec.insert("priority".into(), computed.into());
    spec.insert("preemptionPolicy".into(), policy.into());
    Ok(())
}

fn class(view: &View, name: &str) -> Result<Class, String> {
    let key = Key::new("", format!("PriorityClass.scheduling.k8s.io/{name}"));
    if let Some(object) = view.opaque.get(&key) {
        return Ok(read(object));
    }
    let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
    let (_, value) = built_in.ok_or_else(|| format!("no PriorityClass with name {name} was found"))?;
    Ok(Class { name: name.to_owned(), value: *value, preemption_policy: PREEMPT.to_owned() })
}

/// The lowest of those marked as default, else 0.
fn default_class(view: &View) -> Class {
    let is_default = |object: &&Arc<OpaqueObject>| object.rest.get("globalDefault") == Some(&Value::Bool(true));
    let classes = view.opaque.values().filter(|object| is_class(object));
    let default = classes.filter(is_default).map(|object| read(object)).min_by_key(|class| class.value);
    default.unwrap_or_else(|| Class { name: String::new(), value: 0, preemption_policy: PREEMPT.to_owned() })
}

fn read(object: &OpaqueObject) -> Class {
    let policy = object.rest.get("preemptionPolicy").and_then(Value::as_str);
    Class {
        name: object.meta.name.to_string(),
        value: object.rest.get("value").and_then(Value::as_i64).unwrap_or(0),
        preemption_policy: policy.unwrap_or(PREEMPT).to_owned(),
    }
}
