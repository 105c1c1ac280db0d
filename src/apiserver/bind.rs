//! Binding of pods to nodes (`pods/binding`).

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{ApiError, Response};
use crate::objects::{Condition, ConditionStatus, Conditions, Key, Kind, Labels, Pod, Text, Uid, WallTime};

use super::namespaces::cluster_key;
use super::{ApiServer, errors};

/// Labels of a node that its pods get too (admission plugin `PodTopologyLabels`).
const TOPOLOGY_LABELS: [&str; 2] = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"];

/// How many labels with those of nodes added are remembered.
const LABELS_MAX: usize = 1024;

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
    pub(super) fn label_with_topology(&mut self, pod: &mut Pod) {
        if let Some(node) = self.store.view().nodes.get(&cluster_key(&pod.node_name)) {
            pod.meta.labels = self.topology_labels.add(&pod.meta.labels, &node.meta.labels);
        }
    }
}

/// Labels with those of the node added, by the identity of the labels they were made from, so that the pods of one template in
/// one zone share theirs.
#[derive(Clone, Debug, Default)]
pub(super) struct TopologyLabels(FxHashMap<(usize, Place), Labelled>);

/// The values of a node's [`TOPOLOGY_LABELS`].
type Place = [Option<Arc<str>>; TOPOLOGY_LABELS.len()];

#[derive(Clone, Debug)]
struct Labelled {
    /// Kept so that no other labels come to the same address.
    _from: Labels,
    to: Labels,
}

impl TopologyLabels {
    fn add(&mut self, labels: &Labels, node: &Labels) -> Labels {
        let values = TOPOLOGY_LABELS.map(|key| node.get_shared(key).cloned());
        if values.iter().all(Option::is_none) {
            return labels.clone();
        }
        let key = (labels.shared().as_ptr().addr(), values);
        if let Some(known) = self.0.get(&key).filter(|_| !labels.is_empty()) {
            return known.to.clone();
        }
        let to = with_topology(labels, node);
        if self.0.len() >= LABELS_MAX {
            self.0.clear();
        }
        if !labels.is_empty() {
            self.0.insert(key, Labelled { _from: labels.clone(), to: to.clone() });
        }
        to
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
