//! What is said of an eviction, in upstream's words.

use std::fmt::Write as _;

use serde_json::Value;

use super::config::{KubeletConfig, Threshold};
use super::manager::Places;
use super::signal::{Observations, Signal};
use crate::kubelet::behaviour::Behaviours;
use crate::kubelet::worker::{Role, Worker};
use crate::objects::pod_resources::listed;
use crate::objects::wire::Wire;
use crate::objects::{Format, Quantity, WallTime};

/// The resource that a signal is about.
pub(in super::super) const fn resource_name(signal: Signal) -> &'static str {
    match signal {
        Signal::MemoryAvailable => "memory",
        Signal::NodeFsAvailable | Signal::ImageFsAvailable => "ephemeral-storage",
        Signal::PidAvailable => "pids",
        Signal::Inodes => "inodes",
    }
}

/// Why a pod is evicted (upstream `evictionMessage`): the first of the thresholds that are met is told.
pub(in super::super) fn for_shortage(
    config: &KubeletConfig,
    urgent: &Places,
    seen: &Observations,
    worker: &Worker,
    behaviours: &Behaviours,
    now: WallTime,
) -> String {
    let Some(first) = urgent.first().map(|place| &config.thresholds[*place]) else { return String::new() };
    let resource = resource_name(first.signal);
    let mut message = format!("The node was low on resource: {resource}. ");
    message.push_str(&amounts(first, seen));
    let mut say = |what: &str, name: &str, used: i64, request: &Quantity| {
        let used = Quantity::from_value(used, Format::BinarySi);
        let written = write!(
            message,
            "{what} {name} was using {used}, request is {request}, has larger consumption of {resource}. "
        );
        debug_assert!(written.is_ok(), "writing to a String does not fail");
    };
    let spec = worker.spec.wire();
    let pod_request = spec.get("resources").map(|resources| listed(resources.at("requests")));
    if let Some(request) =
        pod_request.as_ref().and_then(|requests| requests.get(resource)).filter(|_| resource == "memory")
    {
        say("Pod", &worker.key.name, worker.pod_use(behaviours, now).memory, request);
    }
    for role in [Role::Main, Role::Sidecar, Role::Init] {
        for at in worker.places(role) {
            let used = worker.container_use(at, behaviours, now);
            let used = match resource {
                "memory" => used.memory,
                "ephemeral-storage" => used.disk(),
                _ => continue,
            };
            let request = container_request(worker, at, resource);
            if worker.containers[at].is_running() && used > request.value() {
                say("Container", &worker.container_spec(at).name, used, &request);
            }
        }
    }
    message
}

fn amounts(threshold: &Threshold, seen: &Observations) -> String {
    let Some(observed) = seen.of(threshold.signal) else { return String::new() };
    let quantity = threshold.amount.of(observed.capacity);
    let format = if threshold.signal == Signal::PidAvailable { Format::DecimalSi } else { Format::BinarySi };
    format!("Threshold quantity: {quantity}, available: {}. ", Quantity::from_value(observed.available, format))
}

/// What the container asks for, spelled as it asks.
fn container_request(worker: &Worker, at: usize, resource: &str) -> Quantity {
    let init = worker.init_count();
    let (list, place) = if at < init { ("initContainers", at) } else { ("containers", at - init) };
    let container = worker.spec.wire().get(list).and_then(|list| list.get(place)).unwrap_or(&Value::Null);
    let requests = listed(container.at("resources").at("requests"));
    requests.get(resource).copied().unwrap_or(Quantity::from_value(0, Format::DecimalSi))
}
