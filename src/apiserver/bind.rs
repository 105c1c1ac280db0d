//! Binding of pods to nodes (`pods/binding`).

use std::sync::Arc;

use crate::api::{ApiError, Response};
use crate::objects::{Condition, ConditionStatus, Conditions, Key, Kind, Labels, Pod, Text, Uid, WallTime};

use super::namespaces::cluster_key;
use super::{ApiServer, errors};

/// Labels of a node that its pods get too (admission plugin `PodTopologyLabels`).
const TOPOLOGY_LABELS: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

impl ApiServer {
    pub(super) fn bind(&mut self, now: WallTime, key: &Key, uid: &Uid, node: &Arc<str>) -> Response {
        let Some(old) = self.view().pods.get(key).cloned() else {
            return Err(errors::not_found(Kind::Pod, key));
        };
        self.admit_into_namespace(Kind::Pod, &old.meta, || key.clone())?;
        if !uid.is_none() && *uid != old.meta.uid {
            return Err(errors::uid_conflict(Kind::Pod, key, uid, &old.meta.uid));
        }
        if node.is_empty() {
            return Err(errors::bad_request("target.name: Required value"));
        }
        can_be_bound(&old)?;
        let mut new = Pod::clone(&old);
        new.node_name = node.clone();
        new.status.nominated_node_name = Text::default();
        let condition = Condition::new("PodScheduled", ConditionStatus::True, now.timestamp());
        new.status.conditions = old.status.conditions.with(condition);
        self.label_with_topology(&mut new);
        Ok(self.replace(old, new))
    }

    /// Gives a bound pod the labels that say where its node is.
    pub(super) fn label_with_topology(&self, pod: &mut Pod) {
        if let Some(node) = self.view().nodes.get(&cluster_key(&pod.node_name)) {
            pod.meta.labels = with_topology(&pod.meta.labels, &node.meta.labels);
        }
    }
}

fn can_be_bound(pod: &Pod) -> Result<(), ApiError> {
    let name = &pod.meta.name;
    let why = if pod.meta.is_deleting() {
        format!("pod {name} is being deleted, cannot be assigned to a host")
    } else if pod.is_bound() {
        format!("pod {name} is already assigned to node {:?}", &*pod.node_name)
    } else if !pod.spec.scheduling_gates.is_empty() {
        format!("pod {name} has non-empty .spec.schedulingGates")
    } else {
        return Ok(());
    };
    let message = format!("Operation cannot be fulfilled on pods/binding {:?}: {why}", &**name);
    Err(ApiError::new(crate::api::Reason::Conflict, message))
}

fn with_topology(labels: &Labels, node: &Labels) -> Labels {
    let mut labels = labels.clone();
    for key in TOPOLOGY_LABELS {
        if let Some(value) = node.get(key) {
            labels = labels.with(key, value);
        }
    }
    labels
}
