//! Judges a run against the recording of a real control plane.
//!
//! The rules are no tighter than the real thing is with itself: two recordings of one scenario agree. Compared are
//! replica steps, states at quiet instants, the order of StatefulSet pods, answers to steps, kinds of Event and, for
//! `sched-*`, pods per node.

mod names;
mod project;
pub(crate) mod python;
mod sequences;
mod state;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use names::Names;
use sequences::{Moment, Replicas, first, repr_answer, repr_step};
use state::{Detail, Instant, State, View, quiet_instants, view};
pub(crate) use trace::{Entry, of_log, of_recording};

/// Share of instants that may differ: pods created at one instant are bound in no fixed order, and start delays follow that order.
const ODD: f64 = 0.15;
/// Seconds by which a step of a sequence may be early or late.
const SLACK: f64 = 0.60;
/// Characters of a difference that are told.
const TOLD: usize = 600;

/// One comparison, and what differs.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) difference: Option<String>,
}

/// All comparisons of a run with a recording.
pub(crate) struct Verdict {
    pub(crate) checks: Vec<Check>,
}

impl Verdict {
    pub(crate) fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.difference.is_some()).count()
    }

    /// The closing line.
    pub(crate) fn total(&self) -> String {
        format!("{} passed, {} failed", self.checks.len() - self.failed(), self.failed())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.difference {
            None => write!(f, "ok    {}", self.name),
            Some(difference) => {
                let told: String = difference.chars().take(TOLD).collect();
                write!(f, "DIFF  {}: {told}", self.name)
            }
        }
    }
}

/// A trace and the identities in it.
struct Side<'a> {
    trace: &'a [Entry],
    names: Names,
}

impl<'a> Side<'a> {
    fn new(trace: &'a [Entry]) -> Self {
        Self { trace, names: Names::of_trace(trace) }
    }
}

/// Compares a run with a recording.
pub(crate) fn judge(recording: &Value, run: &[Entry]) -> Verdict {
    let trace = of_recording(recording);
    let (recorded, run) = (Side::new(&trace), Side::new(run));
    let name = recording["scenario"]["name"].as_str().unwrap_or_default();
    let end = recording["end"].as_f64().unwrap_or(0.0);
    let of_nodes = name.starts_with("node-");
    let instants = quiet_instants(recorded.trace, end, of_nodes);
    let parallel =
        recording["scenario"]["objects"].as_str().is_some_and(|text| text.contains("podManagementPolicy: Parallel"));

    let mut checks = replica_steps(&recorded, &run);
    checks.push(states(&recorded, &run, &instants, !of_nodes));
    checks.extend(pod_order(&recorded, &run, parallel));
    checks.extend(answers(&recorded, &run));
    checks.push(events(&recorded, &run));
    if name.starts_with("sched-") {
        checks.push(pods_per_node(&recorded, &run, instants.last().map_or(end, |last| last.t)));
    }
    Verdict { checks }
}

fn replica_steps(recorded: &Side<'_>, run: &Side<'_>) -> Vec<Check> {
    let recorded = sequences::replica_steps(recorded.trace, &recorded.names);
    let run = sequences::replica_steps(run.trace, &run.names);
    let owners: BTreeSet<&String> = recorded.keys().chain(run.keys()).collect();
    let steps =
        |of: &'_ BTreeMap<String, Vec<(f64, Replicas)>>, owner: &String| of.get(owner).cloned().unwrap_or_default();
    let check = |owner: &String| Check {
        name: format!("replica steps of {owner}"),
        difference: step_difference(&steps(&recorded, owner), &steps(&run, owner)),
    };
    owners.into_iter().map(check).collect()
}

fn step_difference(recorded: &[(f64, Replicas)], run: &[(f64, Replicas)]) -> Option<String> {
    let pairs = || recorded.iter().zip(run);
    let same = pairs().take_while(|(a, b)| a.1 == b.1).count();
    if same < recorded.len().max(run.len()) {
        let told = |side: &[(f64, Replicas)]| side.get(same).map_or_else(|| "nothing more".to_owned(), repr_step);
        return Some(format!("step {same}: recorded {} run {}", told(recorded), told(run)));
    }
    let mut late = pairs().filter(|(a, b)| (a.0 - b.0).abs() > SLACK).peekable();
    late.peek()?;
    let pair = |(a, b): (&(f64, Replicas), &(f64, Replicas))| python::tuple(&[python::float(a.0), python::float(b.0)]);
    Some(format!("same steps, other times: {}", first(late, 3, pair)))
}

fn states(recorded: &Side<'_>, run: &Side<'_>, instants: &[Instant], by_name: bool) -> Check {
    let (mut recorded_state, mut run_state) = (State::before(recorded.trace), State::before(run.trace));
    let mut odd = 0;
    let mut first_odd = None;
    for &Instant { t, calm } in instants {
        recorded_state.advance(t);
        run_state.advance(t);
        let detail = Detail { calm, by_name };
        let (a, b) = (view(&recorded_state, &recorded.names, detail), view(&run_state, &run.names, detail));
        if a != b {
            odd += 1;
            first_odd.get_or_insert_with(|| format!("{t:.2} s: {}", view_difference(&a, &b)));
        }
    }
    let count = instants.len();
    let allowed = usize::from(count >= 4).max((ODD * count as f64) as usize);
    let difference = first_odd.filter(|_| odd > allowed).map(|first| format!("{odd} differ, first at {first}"));
    Check { name: format!("state at {count} quiet instants"), difference }
}

fn view_difference(recorded: &View, run: &View) -> String {
    let keys: BTreeSet<&String> = recorded.keys().chain(run.keys()).collect();
    let differing: Vec<&String> = keys.into_iter().filter(|key| recorded.get(*key) != run.get(*key)).collect();
    let told = |view: &View, key: &String| view.get(key).map_or_else(|| "null".to_owned(), python::dumps);
    let line = |key: &&String| format!("{key}: recorded {} run {}", told(recorded, key), told(run, key));
    let lines: Vec<String> = differing.iter().take(3).map(line).collect();
    let more = differing.len().saturating_sub(3);
    let tail = if more > 0 { format!(" (+{more} more)") } else { String::new() };
    lines.join("; ") + &tail
}

fn pod_order(recorded: &Side<'_>, run: &Side<'_>, parallel: bool) -> Option<Check> {
    let order = |side: &Side<'_>| {
        let mut moments = sequences::pod_order(side.trace);
        if parallel {
            // No order among pods: each pod's own story.
            moments.sort_by(|a, b| a.pod.cmp(&b.pod).then(a.t.total_cmp(&b.t)));
        }
        moments
    };
    let (recorded, run) = (order(recorded), order(run));
    if recorded.is_empty() && run.is_empty() {
        return None;
    }
    let agree = |(a, b): &(&Moment, &Moment)| a.pod == b.pod && a.what == b.what && (a.t - b.t).abs() <= SLACK;
    let same = recorded.iter().zip(&run).take_while(agree).count();
    let told = |side: &[Moment]| first(side.iter().skip(same), 2, Moment::repr);
    let differs = same < recorded.len().max(run.len());
    let difference = differs.then(|| format!("at {same}: recorded {} run {}", told(&recorded), told(&run)));
    Some(Check { name: "order of StatefulSet pods".to_owned(), difference })
}

fn answers(recorded: &Side<'_>, run: &Side<'_>) -> Option<Check> {
    let (recorded, run) = (sequences::answers(recorded.trace), sequences::answers(run.trace));
    if recorded.is_empty() && run.is_empty() {
        return None;
    }
    let only = |of: &[sequences::Answer], other: &[sequences::Answer]| {
        first(of.iter().filter(|answer| !other.contains(answer)), 2, repr_answer)
    };
    let difference =
        (recorded != run).then(|| format!("recorded {} run {}", only(&recorded, &run), only(&run, &recorded)));
    Some(Check { name: "answers to steps".to_owned(), difference })
}

fn events(recorded: &Side<'_>, run: &Side<'_>) -> Check {
    let (recorded, run) =
        (sequences::events(recorded.trace, &recorded.names), sequences::events(run.trace, &run.names));
    let only = |of: &BTreeSet<String>, other: &BTreeSet<String>| first(of.difference(other), 3, String::clone);
    let difference =
        (recorded != run).then(|| format!("missing {} extra {}", only(&recorded, &run), only(&run, &recorded)));
    Check { name: format!("{} kinds of Event", recorded.len()), difference }
}

fn pods_per_node(recorded: &Side<'_>, run: &Side<'_>, t: f64) -> Check {
    let at = |side: &Side<'_>| {
        let mut state = State::before(side.trace);
        state.advance(t);
        state.pods_per_node()
    };
    let told =
        |(counts, pending): &(Vec<u64>, u64)| format!("({}, {pending})", first(counts, counts.len(), u64::to_string));
    let (recorded, run) = (at(recorded), at(run));
    let difference = (recorded != run).then(|| format!("recorded {} run {}", told(&recorded), told(&run)));
    Check { name: "pods per node (as a multiset), pending".to_owned(), difference }
}
