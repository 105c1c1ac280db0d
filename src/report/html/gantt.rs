//! Nodes and pods over time, a row each.

use std::fmt::Write as _;

use crate::kernel::SimTime;
use crate::report::lives::{Lives, NodeState, PodState, Spans, closed};
use crate::report::table::moment;

use super::axis::Axis;
use super::escaped;
use super::marks::Marks;

/// Most rows of each.
const MOST_NODES: usize = 60;
const MOST_PODS: usize = 120;
/// Most spans of a row.
const MOST_SPANS: usize = 300;

/// A row for each node.
pub(super) fn nodes(page: &mut String, lives: &Lives, axis: &Axis, marks: &Marks) {
    if lives.nodes.is_empty() {
        return;
    }
    page.push_str("<h2>Nodes</h2>\n<div class=\"gantt\">\n");
    for node in lives.nodes.iter().take(MOST_NODES) {
        let (class, text) = (|state: NodeState| state.name().replace(' ', ""), NodeState::name);
        row(page, axis, marks, &node.name, &spans(&node.spans, node.gone, axis), class, text);
    }
    time(page, axis);
    more(page, lives.nodes.len(), MOST_NODES, "nodes");
    legend(page, &[("ready", "ready"), ("cordoned", "cordoned"), ("notready", "not ready"), ("unknown", "unknown")]);
}

/// A row for each pod: those of a workload side by side.
pub(super) fn pods(page: &mut String, lives: &Lives, axis: &Axis, marks: &Marks) {
    if lives.pods.is_empty() {
        return;
    }
    let mut order: Vec<usize> = (0..lives.pods.len()).collect();
    order.sort_by_key(|at| (lives.pods[*at].workload.as_ref().map(|(kind, key)| (kind.as_str(), key)), *at));
    page.push_str("<h2>Pods</h2>\n<div class=\"gantt\">\n");
    for at in order.into_iter().take(MOST_PODS) {
        let pod = &lives.pods[at];
        let namespace =
            if &*pod.key.namespace == "default" { String::new() } else { format!("{}/", pod.key.namespace) };
        let name = format!("{namespace}{}", pod.key.name);
        let class = |state: PodState| match state {
            PodState::Waiting => "ready waiting".to_owned(),
            state => state.name().to_owned(),
        };
        let place = if pod.node.is_empty() { String::new() } else { format!(" on {}", pod.node) };
        let text = |state: PodState| format!("{}{place}", state.name());
        row(page, axis, marks, &name, &spans(&pod.spans, pod.gone, axis), class, text);
    }
    time(page, axis);
    more(page, lives.pods.len(), MOST_PODS, "pods");
    let states = [
        ("pending", "no node yet"),
        ("ready waiting", "not ready"),
        ("ready", "ready"),
        ("terminating", "terminating"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
    ];
    legend(page, &states);
}

fn spans<S: Copy>(spans: &Spans<S>, gone: Option<SimTime>, axis: &Axis) -> Vec<(SimTime, SimTime, S)> {
    closed(spans, gone.unwrap_or(axis.end)).take(MOST_SPANS).collect()
}

fn row<S: Copy, C: AsRef<str>, T: AsRef<str>>(
    page: &mut String,
    axis: &Axis,
    marks: &Marks,
    name: &str,
    spans: &[(SimTime, SimTime, S)],
    class: impl Fn(S) -> C,
    text: impl Fn(S) -> T,
) {
    let name = escaped(name);
    let _ = write!(page, "<div class=\"row\"><span class=\"name\" title=\"{name}\">{name}</span><div class=\"bar\">");
    for (from, to, state) in spans {
        let _ = write!(
            page,
            "<b class=\"{}\" style=\"left:{}%;width:{}%\" title=\"{} – {}: {}\"></b>",
            class(*state).as_ref(),
            axis.percent(*from),
            axis.width(*from, *to),
            moment(*from),
            moment(*to),
            escaped(text(*state).as_ref())
        );
    }
    marks.inside(page, axis);
    page.push_str("</div></div>\n");
}

fn time(page: &mut String, axis: &Axis) {
    page.push_str("<div class=\"row\"><span></span>");
    axis.labels(page);
    page.push_str("</div>\n</div>\n");
}

fn more(page: &mut String, all: usize, shown: usize, what: &str) {
    if all > shown {
        let _ = writeln!(page, "<p class=\"faint\">… and {} more {what}</p>", all - shown);
    }
}

fn legend(page: &mut String, entries: &[(&str, &str)]) {
    page.push_str("<div class=\"legend\">");
    for (class, text) in entries {
        let _ = write!(page, "<span><i class=\"{class}\"></i>{text}</span>");
    }
    page.push_str("</div>\n");
}
