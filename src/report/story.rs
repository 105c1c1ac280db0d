//! The story of a run, for a terminal.

use std::fmt::Write as _;

use crate::api::ChangeType;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, Key, Kind, Object};
use crate::scenario::{Outcome, Run, Scenario, Verdict};
use crate::sim::{Record, Simulation};

use super::get::{GetOptions, OutputFormat, get};
use super::timeline::{Timeline, timelines};

const CHART_WIDTH: usize = 72;
const MOST_LINES: usize = 40;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What happened in a run, the promises and how it ended. The run must have been recorded in full.
#[must_use]
pub fn story(scenario: &Scenario, run: &Run) -> String {
    let sim = &run.simulation;
    let mut text = format!("{}: {} of virtual time, seed {}\n", scenario.name, sim.now(), scenario.seed);
    for notice in &run.notices {
        let _ = writeln!(text, "note: {notice}");
    }
    section(&mut text, "What happened", &happened(run));
    let charts: String = timelines(sim.recording()).iter().map(|line| chart(line, sim.now(), run)).collect();
    section(&mut text, "Ready pods over time", &charts);
    section(&mut text, "At the end", &end_state(sim));
    section(&mut text, "Promises", &promises(run));
    if let Some(at) = sim.livelock() {
        let _ = writeln!(text, "\nTime stands still at {at}: objects keep changing without any delay between them.");
    }
    let _ = writeln!(text, "\n{}", verdict(run));
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{title}\n{body}");
    }
}

/// Steps, scalings and the fate of nodes and containers, one line each.
fn happened(run: &Run) -> String {
    let mut lines: Vec<(SimTime, String)> = Vec::new();
    for record in run.simulation.recording().records() {
        match record {
            Record::Step(at, step) if step.name != "apply" => {
                let mut line = format!("» {} {}", step.name, arguments(&step.args));
                if let Some(message) = step.result.get("message").and_then(|m| m.as_str()) {
                    let _ = write!(line, ": refused: {message}");
                }
                lines.push((*at, line));
            }
            Record::Step(at, _) => lines.push((*at, "» apply".to_owned())),
            Record::Change(at, change) => {
                lines.extend(told(&change.object, change.old.as_ref(), change.change_type).map(|line| (*at, line)));
            }
        }
    }
    lines.dedup_by(|next, first| next.1 == first.1);
    let left_out = lines.len().saturating_sub(MOST_LINES);
    let mut text = String::new();
    for (at, line) in lines.iter().take(MOST_LINES) {
        let _ = writeln!(text, "  {:>9}  {line}", rounded(*at));
    }
    if left_out > 0 {
        let _ = writeln!(text, "             … and {left_out} more lines; --events FILE has them all");
    }
    text
}

fn arguments(args: &serde_json::Value) -> String {
    let entries = args.as_object().into_iter().flatten();
    let words = entries.filter(|(_, value)| !value.is_null()).map(|(key, value)| match value.as_str() {
        Some(text) if key == "target" || key == "node" => text.to_owned(),
        Some(text) => format!("{key}={text}"),
        None => format!("{key}={value}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn told(object: &Object, old: Option<&Object>, change: ChangeType) -> Option<String> {
    match object {
        Object::Event(event) if change == ChangeType::Added => {
            let told = match &*event.reason {
                "ScalingReplicaSet" => true,
                "Scheduled" | "SuccessfulCreate" | "SuccessfulDelete" => false,
                _ => event.kind == *"Warning",
            };
            let about = format!("{}/{}", event.involved_object.kind.to_lowercase(), event.involved_object.name);
            told.then(|| format!("{about}: {}: {}", event.reason, event.message))
        }
        Object::Node(node) => {
            let ready = |object: &Object| match object {
                Object::Node(node) => node.status.conditions.is_true("Ready"),
                _ => false,
            };
            let name = &node.meta.name;
            match (change, old) {
                (ChangeType::Added, _) => None,
                (ChangeType::Deleted, _) => Some(format!("node/{name}: deleted")),
                (ChangeType::Modified, Some(old)) if ready(old) != ready(object) => {
                    Some(format!("node/{name}: {}", if ready(object) { "Ready" } else { "NotReady" }))
                }
                (ChangeType::Modified, _) => None,
            }
        }
        Object::Deployment(deployment) => {
            let complete = |object: &Object| match object {
                Object::Deployment(d) => {
                    let (status, wanted) = (&d.status, d.spec.replicas);
                    status.observed_generation >= d.meta.generation
                        && [status.updated_replicas, status.replicas, status.available_replicas] == [wanted; 3]
                }
                _ => false,
            };
            let now_complete = complete(object) && !old.is_some_and(complete);
            now_complete.then(|| format!("deployment/{}: rollout complete", deployment.meta.name))
        }
        _ => None,
    }
}

/// Two rows of blocks: new pods in the first, old ones in the second; steps marked below.
fn chart(line: &Timeline, end: SimTime, run: &Run) -> String {
    let Some(highest) = line.samples.iter().map(|(_, s)| s.new.max(s.old)).max().filter(|most| *most > 0) else {
        return String::new();
    };
    let instant = |column: usize| {
        let nanos = u128::from(end.as_nanos()) * column as u128 / CHART_WIDTH as u128;
        SimTime::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    let row = |count: fn(super::Sample) -> u32| -> String {
        let cell = |column| count(line.fewest(instant(column), instant(column + 1)));
        (0..CHART_WIDTH).map(|column| BLOCKS[(cell(column) * 8).div_ceil(highest.max(1)).min(8) as usize]).collect()
    };
    let mut marks = vec![' '; CHART_WIDTH];
    for step in run.steps.iter().filter_map(|step| step.at) {
        let column = (u128::from(step.as_nanos()) * CHART_WIDTH as u128 / u128::from(end.as_nanos().max(1))) as usize;
        marks[column.min(CHART_WIDTH - 1)] = '^';
    }
    let mut text = format!("  {} (highest bar = {highest} ready pods)\n", target(&line.deployment));
    let _ = writeln!(text, "    new {}|", row(|sample| sample.new));
    let _ = writeln!(text, "    old {}|", row(|sample| sample.old));
    let axis = format!("0s{:>width$}", rounded(end), width = CHART_WIDTH - 2);
    let marks: String = marks.into_iter().collect();
    if !run.steps.is_empty() {
        let _ = writeln!(text, "        {}", marks.trim_end());
    }
    let _ = writeln!(text, "        {axis}");
    text
}

fn target(key: &Key) -> String {
    let namespace = if &*key.namespace == "default" { String::new() } else { format!("{}/", key.namespace) };
    format!("{namespace}deployment/{}", key.name)
}

fn end_state(sim: &Simulation) -> String {
    let mut text = String::new();
    for kind in [Kind::Deployment, Kind::Node] {
        let options = GetOptions {
            kind,
            name: None,
            namespace: Some("default".into()),
            selector: None,
            format: OutputFormat::Table,
        };
        for line in get(sim, &options).unwrap_or_default().lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn promises(run: &Run) -> String {
    let mut text = String::new();
    for Verdict { expectation, outcome } in &run.verdicts {
        let _ = match outcome {
            Outcome::Held { at: Some(at) } => writeln!(text, "  held    {expectation} (at {})", rounded(*at)),
            Outcome::Held { at: None } => writeln!(text, "  held    {expectation}"),
            Outcome::Failed { at, why } => {
                writeln!(text, "  BROKEN  {expectation}\n          at {}: {why}", rounded(*at))
            }
        };
    }
    for step in run.steps.iter().filter(|step| step.at.is_none()) {
        let _ = writeln!(text, "  never   {}: its condition did not come true", step.text);
    }
    text
}

fn verdict(run: &Run) -> String {
    let broken = run.verdicts.iter().filter(|verdict| !verdict.held()).count();
    match (run.verdicts.len(), broken) {
        (0, _) => "Nothing was expected of this run.".to_owned(),
        (all, 0) => format!("All {all} expectations held."),
        (all, broken) => format!("{broken} of {all} expectations were broken."),
    }
}

/// To milliseconds, which is as much as people read.
fn rounded(at: SimTime) -> String {
    SimDuration::from_millis(at.as_nanos() / 1_000_000).to_string()
}
