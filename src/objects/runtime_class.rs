//! RuntimeClasses.

use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, take_value};
use super::text::Text;

/// A RuntimeClass (`node.k8s.io/v1`): a container runtime, what its sandboxes cost, and which nodes have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeClass {
    /// Metadata.
    pub meta: ObjectMeta,
    /// The runtime's name on the nodes.
    pub handler: Text,
    /// What a sandbox takes (`overhead`), in wire form; null = nothing is said.
    pub overhead: Value,
    /// Node selector and tolerations of its pods (`scheduling`), in wire form; null = nothing is said.
    pub scheduling: Value,
}

impl RuntimeClass {
    /// What is added to the requests of its pods (`overhead.podFixed`), if anything is said.
    #[must_use]
    pub fn pod_fixed(&self) -> Option<Map<String, Value>> {
        let overhead = self.overhead.as_object()?;
        Some(overhead.get("podFixed").and_then(Value::as_object).cloned().unwrap_or_default())
    }
}

impl Resource for RuntimeClass {
    const KIND: Kind = Kind::RuntimeClass;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        Ok(Self {
            meta: take(&mut wire, "metadata")?,
            handler: take(&mut wire, "handler")?,
            overhead: take_value(&mut wire, "overhead"),
            scheduling: take_value(&mut wire, "scheduling"),
        })
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        wire.insert("handler".into(), Value::String(self.handler.to_string()));
        for (field, value) in [("overhead", &self.overhead), ("scheduling", &self.scheduling)] {
            if !value.is_null() {
                wire.insert(field.into(), value.clone());
            }
        }
    }
}
