//! `describe pod` (upstream `describePod`), and what kubectl cannot show: figures that a node would compute.

use std::sync::Arc;

use serde_json::Value;

use super::containers::{containers, resources};
use super::parts::{
    Place, controlled_by, events, labels, labels_and_annotations, name_and_namespace, rfc1123, spread, terminating,
    tolerations,
};
use super::tabs::TabWriter;
use super::volumes::volumes;
use super::{DescribeOptions, events_about};
use crate::objects::pod_resources::listed;
use crate::objects::wire::Wire;
use crate::objects::{Condition, Conditions, Key, MemoryReservationPolicy, Pod, Resource, memory_qos, oom_score_adj};
use crate::sim::Simulation;

pub(super) fn describe(sim: &Simulation, pod: &Arc<Pod>, options: DescribeOptions) -> String {
    let (mut out, wire) = (TabWriter::default(), pod.to_wire());
    let spec = wire.at("spec");
    head(&mut out, pod, spec);
    condition(&mut out, sim, pod, spec);
    if spec.at("resources").is_object() {
        out.line(0, "Resources:");
        resources(&mut out, 1, spec.at("resources"));
    }
    let status = &pod.status;
    let (init, ephemeral) = (spec.list("initContainers"), spec.list("ephemeralContainers"));
    if !init.is_empty() {
        containers(&mut out, Place::Pod, "Init Containers", init, &status.init_container_statuses, Some(pod));
    }
    containers(&mut out, Place::Pod, "Containers", spec.list("containers"), &status.container_statuses, Some(pod));
    if !ephemeral.is_empty() {
        containers(
            &mut out,
            Place::Pod,
            "Ephemeral Containers",
            ephemeral,
            &status.ephemeral_container_statuses,
            Some(pod),
        );
    }
    conditions(&mut out, pod);
    volumes(&mut out, Place::Pod, spec.list("volumes"));
    out.field(0, "QoS Class", status.qos_class.unwrap_or(pod.spec.qos_class).as_str());
    labels(&mut out, "Node-Selectors", &pod.spec.node_selector);
    tolerations(&mut out, "Tolerations", spec.list("tolerations"));
    spread(&mut out, Place::Pod, spec);
    events(&mut out, events_about(sim, &pod.meta), sim.wall());
    if options.memory_qos {
        memory(&mut out, sim, pod, spec);
    }
    if options.environment {
        environment(&mut out, sim, pod, spec);
    }
    out.finish()
}

fn head(out: &mut TabWriter, pod: &Pod, spec: &Value) {
    name_and_namespace(out, &pod.meta);
    if let Some(priority) = pod.spec.priority {
        out.field(0, "Priority", priority);
    }
    let texts = [
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ];
    for (title, field) in texts {
        if let Some(text) = spec.text_some(field).filter(|text| !text.is_empty()) {
            out.field(0, title, text);
        }
    }
    let host = pod.status.host_ip.map(|ip| ip.to_string()).unwrap_or_default();
    match &*pod.node_name {
        "" => out.field(0, "Node", "<none>"),
        node => out.field(0, "Node", format_args!("{node}/{host}")),
    }
    if let Some(start) = pod.status.start_time {
        out.field(0, "Start Time", rfc1123(start));
    }
    labels_and_annotations(out, &pod.meta);
}

fn condition(out: &mut TabWriter, sim: &Simulation, pod: &Pod, spec: &Value) {
    let status = &pod.status;
    match pod.meta.deletion_timestamp {
        Some(at) if !pod.is_terminal() => {
            out.field(0, "Status", terminating(at, sim.wall()));
            let grace = pod.meta.deletion_grace_period_seconds.unwrap_or_default();
            out.field(0, "Termination Grace Period", format_args!("{grace}s"));
        }
        _ => out.field(0, "Status", status.phase.as_str()),
    }
    for (title, text) in [("Reason", &status.reason), ("Message", &status.message)] {
        if !text.is_empty() {
            out.field(0, title, text);
        }
    }
    let profile = spec.at("securityContext").at("seccompProfile");
    if profile.is_object() {
        out.field(0, "SeccompProfile", profile.text("type"));
        if profile.text("type") == "Localhost" {
            out.field(0, "LocalhostProfile", profile.text("localhostProfile"));
        }
    }
    let ip = status.pod_ip.map(|ip| ip.to_string()).unwrap_or_default();
    out.field(0, "IP", &ip);
    if ip.is_empty() {
        out.field(0, "IPs", "<none>");
    } else {
        out.line(0, "IPs:");
        out.field(1, "IP", &ip);
    }
    controlled_by(out, &pod.meta);
    if !status.nominated_node_name.is_empty() {
        out.field(0, "NominatedNodeName", &status.nominated_node_name);
    }
}

fn conditions(out: &mut TabWriter, pod: &Pod) {
    let conditions = &pod.status.conditions;
    if !pod.spec.readiness_gates.is_empty() {
        out.line(0, "Readiness Gates:\n  Type\tStatus");
    }
    for gate in &pod.spec.readiness_gates {
        let status = conditions.find(&gate.condition_type).map_or("<none>", |found| found.status.as_str());
        out.line(1, format_args!("{} \t{status} ", gate.condition_type));
    }
    if !conditions.is_empty() {
        out.line(0, "Conditions:\n  Type\tStatus");
    }
    let line = |condition: &Condition| format!("{} \t{} ", condition.kind, condition.status.as_str());
    conditions.iter().for_each(|condition| out.line(1, line(condition)));
}

/// What cgroups v2 would be set to with the feature `MemoryQoS`, which is off by default.
fn memory(out: &mut TabWriter, sim: &Simulation, pod: &Pod, spec: &Value) {
    out.flush();
    out.line(0, "Memory QoS:\n  Container\tMin\tLow\tHigh\tMin (tiered)\tLow (tiered)\tOOM Score Adj");
    out.line(1, "---------\t---\t---\t----\t------------\t------------\t-------------");
    let node = sim.view().nodes.get(&Key::new("", pod.node_name.clone()));
    let machine = node.map_or(0, |node| {
        listed(&Value::Object(node.status.capacity.clone())).get("memory").map_or(0, |memory| memory.value())
    });
    let all = || pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let allocatable = sim.allocatable_of(pod);
    let class = pod.status.qos_class.unwrap_or(pod.spec.qos_class);
    for list in ["initContainers", "containers"] {
        for container in spec.list(list) {
            let figures = |policy| memory_qos(class, container, &allocatable, policy);
            let plain = figures(MemoryReservationPolicy::None);
            let tiered = figures(MemoryReservationPolicy::TieredReservation);
            let high = plain.high.map_or_else(|| "max".to_owned(), |high| high.to_string());
            let (name, min, low) = (container.text("name"), plain.min, plain.low);
            let typed = all().find(|typed| *typed.name == *name).filter(|_| machine > 0);
            let score = typed.map(|typed| oom_score_adj(&pod.spec, typed, pod.is_static(), machine));
            let score = score.map_or_else(|| "<unknown>".to_owned(), |score| score.to_string());
            out.line(1, format_args!("{name}\t{min}\t{low}\t{high}\t{}\t{}\t{score}", tiered.min, tiered.low));
        }
    }
}

/// The environment that each container has, or why it has none.
fn environment(out: &mut TabWriter, sim: &Simulation, pod: &Pod, spec: &Value) {
    out.flush();
    out.line(0, "Resolved environment:");
    for container in ["initContainers", "containers", "ephemeralContainers"].iter().flat_map(|list| spec.list(list)) {
        let name = container.text("name");
        match sim.container_env(pod, name) {
            Ok(env) if env.is_empty() => out.line(1, format_args!("{name}:\t<none>")),
            Ok(env) => {
                out.line(1, format_args!("{name}:"));
                env.iter().for_each(|variable| out.field(2, &variable.name, variable.value.replace('\n', "\\n")));
            }
            Err(error) => out.line(1, format_args!("{name}:\t{error}")),
        }
    }
    for volume in spec.list("volumes") {
        let (name, files) = (volume.text("name"), sim.volume_files(pod, volume));
        let Ok(files) = files else { continue };
        if !files.is_empty() {
            out.line(1, format_args!("volume {name}:"));
        }
        for file in files {
            let content = String::from_utf8_lossy(&file.content).replace('\n', "\\n");
            out.field(2, &file.path, content);
        }
    }
}
