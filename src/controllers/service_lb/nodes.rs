//! Which nodes load balancers send traffic to, and what becomes of it when nodes come and go (`syncNodes`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::{after, nobody, tell, time_left, wants_balancer};
use crate::api::{ChangeType, Context, EventKind, Request, Step, View};
use crate::kernel::SimDuration;
use crate::objects::{Key, Node, WallTime};

/// Label of nodes that no load balancer sends traffic to.
const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// Taint of nodes that the cluster autoscaler is about to remove.
const TO_BE_DELETED_TAINT: &str = "ToBeDeletedByClusterAutoscaler";

/// Nodes by name, with their ids at the cloud.
pub(super) type Hosts = Arc<Vec<(Arc<str>, String)>>;

/// The nodes that load balancers were told of, and those that are about to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeUpdates {
    known: BTreeMap<Key, Hosts>,
    due: VecDeque<Key>,
    job: Option<(Key, WallTime)>,
}

impl NodeUpdates {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn set(&mut self, service: Key, hosts: Hosts) {
        self.known.insert(service, hosts);
    }

    pub(super) fn forget(&mut self, service: &Key) {
        self.known.remove(service);
    }

    /// Tells load balancers whose nodes changed, one after the other.
    pub(super) fn work(&mut self, cx: Context<'_>, takes: SimDuration) -> Step<()> {
        let hosts = balanced(cx.view);
        for (service, known) in &mut self.known {
            let wants = cx.view.services.get(service).is_some_and(|service| wants_balancer(service));
            if wants && *known != hosts {
                *known = hosts.clone();
                self.due.push_back(service.clone());
            }
        }
        let mut requests = Vec::new();
        loop {
            if let Some((service, end)) = self.job.take() {
                if let Some(left) = time_left(end, cx.now) {
                    self.job = Some((service, end));
                    return Step::last(requests).requeue_after(left);
                }
                requests.extend(self.told(cx.view, &service));
            }
            let Some(service) = self.due.pop_front() else { return Step::last(requests) };
            self.job = Some((service, after(cx.now, takes)));
        }
    }

    fn told(&self, view: &View, service: &Key) -> Option<Request> {
        let (service, hosts) = (view.services.get(service)?, self.known.get(service)?);
        if hosts.is_empty() {
            return Some(nobody(service));
        }
        let message = "Updated load balancer with new hosts";
        Some(tell(service, EventKind::Normal, "UpdatedLoadBalancer", message))
    }
}

/// Whether a change of a node is one to tell load balancers of (`shouldSyncUpdatedNode`).
pub(super) fn matters(change_type: ChangeType, old: Option<&Arc<Node>>, node: &Node) -> bool {
    change_type != ChangeType::Modified
        || old.is_some_and(|old| is_included(old) != is_included(node) || cloud_id(old) != cloud_id(node))
}

/// The nodes that a load balancer sends traffic to, by name.
pub(super) fn balanced(view: &View) -> Hosts {
    let nodes = view.nodes.iter().filter(|node| is_balanced(node));
    let mut hosts: Vec<_> = nodes.map(|node| (node.meta.name.clone(), cloud_id(node).to_owned())).collect();
    hosts.sort_unstable();
    Arc::new(hosts)
}

/// Whether load balancers of a cloud send traffic to a node. Ready or not does not count: their health checks see to that
/// (upstream `stableNodeSetPredicates`).
#[must_use]
pub fn is_balanced(node: &Node) -> bool {
    let about_to_go = node.spec.taints.iter().any(|taint| *taint.key == *TO_BE_DELETED_TAINT);
    !node.meta.is_deleting() && is_included(node) && !about_to_go
}

/// A label that is no boolean excludes too.
fn is_included(node: &Node) -> bool {
    let label = node.meta.labels.get(EXCLUDE_LABEL);
    label.is_none_or(|value| matches!(value, "0" | "f" | "F" | "FALSE" | "false" | "False"))
}

fn cloud_id(node: &Node) -> &str {
    node.spec.rest.get("providerID").and_then(Value::as_str).unwrap_or("")
}
