//! A run in the trace event format that Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing` open: nodes are processes, pods
//! their threads, states are slices, steps and faults are instants.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kernel::SimTime;
use crate::scenario::Run;
use crate::sim::Record;

use super::lives::{Lives, closed};
use super::steps::{step_line, with_previous};

/// The process of what belongs to no node.
const CLUSTER: u64 = 0;

/// The trace of a run that was recorded in full, as JSON text. Times are microseconds of virtual time.
#[must_use]
pub fn trace(run: &Run) -> String {
    let (lives, end) = (Lives::of(&run.simulation), run.simulation.now());
    let mut events = vec![named("process_name", CLUSTER, 0, "cluster")];
    let mut nodes: BTreeMap<&str, u64> = BTreeMap::new();
    for (at, node) in lives.nodes.iter().enumerate() {
        let process = at as u64 + 1;
        nodes.insert(&node.name, process);
        events.push(named("process_name", process, 0, &node.name));
        events.push(named("thread_name", process, 0, "node"));
        for (from, to, state) in closed(&node.spans, node.gone.unwrap_or(end)) {
            events.push(slice(process, 0, state.name(), from, to));
        }
    }
    for (at, pod) in lives.pods.iter().enumerate() {
        let process = nodes.get(&*pod.node).copied().unwrap_or(CLUSTER);
        let thread = at as u64 + 1;
        events.push(named("thread_name", process, thread, &pod.key.name));
        for (from, to, state) in closed(&pod.spans, pod.gone.unwrap_or(end)) {
            events.push(slice(process, thread, state.name(), from, to));
        }
    }
    for (before, record) in with_previous(run.simulation.recording().records()) {
        if let Record::Step(at, step) = record {
            let (micros, name) = (micros(*at), step_line(step, before));
            events.push(json!({"ph": "i", "s": "g", "pid": CLUSTER, "tid": 0, "ts": micros, "name": name}));
        }
    }
    let mut text = String::from("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
    for (at, event) in events.iter().enumerate() {
        text.push_str(if at == 0 { "" } else { ",\n" });
        text.push_str(&event.to_string());
    }
    text.push_str("\n]}\n");
    text
}

fn named(what: &str, process: u64, thread: u64, name: &str) -> Value {
    json!({"ph": "M", "pid": process, "tid": thread, "name": what, "args": {"name": name}})
}

fn slice(process: u64, thread: u64, name: &str, from: SimTime, to: SimTime) -> Value {
    let (begin, length) = (micros(from), micros(to) - micros(from));
    json!({"ph": "X", "pid": process, "tid": thread, "name": name, "ts": begin, "dur": length})
}

const fn micros(at: SimTime) -> u64 {
    at.as_nanos() / 1000
}
