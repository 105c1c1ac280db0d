//! Services lead to the pods that are ready, and to no others.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::objects::{Key, Labels, Resource, Service};
use crate::sim::Simulation;

use super::Violation;
use super::violation::names;

/// In a settled cluster the ready endpoints of every Service with a selector are the pods that match it, have an address, are ready
/// and neither ended nor are being deleted; with `publishNotReadyAddresses` all that have an address and have not ended. Pods whose
/// Node is gone are left out.
#[must_use]
pub fn endpoints_ready(sim: &Simulation) -> Vec<Violation> {
    let view = sim.view();
    let managed = view.services.iter().filter(|service| !service.meta.is_deleting());
    let wrong = managed.filter_map(|service| {
        let selector = service.spec.selector.as_ref().filter(|selector| !selector.is_empty())?;
        if service.spec.kind == *"ExternalName" {
            return None;
        }
        let (ready, told) = (ready_pods(sim, service, selector), told_ready(sim, service));
        let list = |these: &BTreeSet<Arc<str>>, those: &BTreeSet<Arc<str>>| names(these.difference(those));
        let story = match (list(&told, &ready), list(&ready, &told)) {
            (extra, _) if !extra.is_empty() => format!("leads to {extra}, which are not ready"),
            (_, missing) if !missing.is_empty() => format!("does not lead to {missing}, which are ready"),
            _ => return None,
        };
        let story = format!("promised that Services lead to ready pods, but service {} {story}", service.key());
        Some(Violation::new("endpointsReady()", sim, story))
    });
    wrong.collect()
}

fn ready_pods(sim: &Simulation, service: &Service, selector: &Labels) -> BTreeSet<Arc<str>> {
    let view = sim.view();
    let all = service.spec.publish_not_ready_addresses;
    let pods = view.pods.in_namespace(&service.meta.namespace).filter(|pod| pod.meta.labels.contains_all(selector));
    let reachable = pods.filter(|pod| {
        let has_node = view.nodes.get(&Key::new("", pod.node_name.clone())).is_some();
        let answers = all || (has_node && pod.is_ready() && !pod.meta.is_deleting());
        pod.status.pod_ip.is_some() && !pod.is_terminal() && answers
    });
    reachable.map(|pod| pod.meta.name.clone()).collect()
}

fn told_ready(sim: &Simulation, service: &Service) -> BTreeSet<Arc<str>> {
    let key = service.key();
    let slices = sim.view().slices_of(&key);
    let ready = slices.flat_map(|slice| slice.endpoints.iter()).filter(|e| e.conditions.ready != Some(false));
    ready.filter_map(|endpoint| Some(Arc::from(&*endpoint.target_ref.as_ref()?.name))).collect()
}
