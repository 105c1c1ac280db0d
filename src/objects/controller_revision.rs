//! ControllerRevisions: what a StatefulSet or DaemonSet looked like, so that it can go back.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::object::{Kind, Resource, WireError, take, take_value};

/// One entry of a workload's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControllerRevision {
    /// Metadata.
    pub meta: ObjectMeta,
    /// The state, as its controller wrote it: for StatefulSets and DaemonSets a patch with the pod template. Immutable.
    pub data: Arc<Value>,
    /// Number of the revision; the highest is the newest.
    pub revision: i64,
}

impl Resource for ControllerRevision {
    const KIND: Kind = Kind::ControllerRevision;
    const ADOPTABLE: bool = true;

    fn from_wire(mut wire: Value) -> Result<Self, WireError> {
        Ok(Self {
            meta: take(&mut wire, "metadata")?,
            data: Arc::new(take_value(&mut wire, "data")),
            revision: take(&mut wire, "revision")?,
        })
    }

    fn fill_wire(&self, wire: &mut Map<String, Value>) {
        if !self.data.is_null() {
            wire.insert("data".into(), Value::clone(&self.data));
        }
        wire.insert("revision".into(), self.revision.into());
    }
}
