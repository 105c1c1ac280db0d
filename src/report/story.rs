//! The story of a run, for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use crate::kernel::SimTime;
use crate::objects::{Conditions, Key, Kind, Pod};
use crate::scenario::{Measured, Outcome, Run, Scenario, Step, StepOutcome, Trigger, Verdict};
use crate::sim::{SimError, Simulation, StepRecord};

use super::failure::failure;
use super::get::get;
use super::happened::happened;
use super::query::Query;
use super::steps::step_line;
use super::table::{Table, moment, rounded};
use super::timeline::{Timeline, timelines};

const CHART_WIDTH: usize = 72;
/// What is few enough to be shown one by one.
const FEW_NODES: usize = 24;
const FEW_PODS: usize = 20;
const FEW_GROUPS: usize = 4;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What happened in a run, the promises and how it ended. The run must have been recorded in full.
#[must_use]
pub fn story(scenario: &Scenario, run: &Run) -> String {
    let sim = &run.simulation;
    let mut text = format!(
        "{}: {} of virtual time, {} changes, seed {}\n",
        scenario.name,
        moment(sim.now()),
        sim.changes(),
        scenario.seed
    );
    for notice in &run.notices {
        let _ = writeln!(text, "note: {notice}");
    }
    section(&mut text, "What happened", &happened(sim.recording()));
    let charts: String = timelines(sim.recording()).iter().map(|line| chart(line, sim.now(), run)).collect();
    section(&mut text, "Ready pods over time", &charts);
    if let Some(report) = sim.traffic() {
        let tables = super::traffic::traffic(&report);
        let indented: String =
            tables.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect();
        section(&mut text, "Traffic", &indented);
    }
    section(&mut text, "At the end", &end_state(sim));
    section(&mut text, "Promises", &promises(scenario, run));
    section(&mut text, "Measured", &measured(run));
    if let Some(why) = run.stopped() {
        let _ = writeln!(text, "\nThe run did not come to its end: {why}.");
    }
    let _ = writeln!(text, "\n{}", verdict(run));
    text
}

fn section(text: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{title}\n{body}");
    }
}

fn measured(run: &Run) -> String {
    let width = run.measured.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(String, Option<Measured>)| {
        let value = match value {
            Some(Measured::Number(number)) => number.to_string(),
            Some(Measured::Time(time)) => moment(SimTime::ZERO + *time),
            None => "never".to_owned(),
        };
        format!("  {name:width$}   {value}\n")
    };
    run.measured.iter().map(line).collect()
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
    let mut text = format!("  {} (full height = {highest} pods, ^ = a step)\n", target(&line.deployment));
    let _ = writeln!(text, "    new {}|", row(|sample| sample.new));
    let _ = writeln!(text, "    old {}|", row(|sample| sample.old));
    let axis = format!("0s{:>width$}", moment(end), width = CHART_WIDTH - 2);
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
    let view = sim.view();
    let abroad = view.deployments.iter().any(|deployment| *deployment.meta.namespace != *"default");
    let sets_abroad = view.stateful_sets.iter().any(|set| *set.meta.namespace != *"default");
    let mut tables = vec![listed(sim, Kind::Deployment, abroad), listed(sim, Kind::StatefulSet, sets_abroad)];
    let jobs_abroad = view.jobs.iter().any(|job| *job.meta.namespace != *"default");
    if view.jobs.len() <= FEW_PODS {
        tables.push(listed(sim, Kind::Job, jobs_abroad));
    }
    if view.deployments.iter().next().is_none() && view.pods.len() <= FEW_PODS {
        tables.push(listed(sim, Kind::Pod, true));
    }
    tables.push(if view.nodes.len() <= FEW_NODES { nodes(sim) } else { node_counts(sim) });
    tables.iter().flat_map(|table| table.lines()).map(|line| format!("  {line}\n")).collect()
}

fn listed(sim: &Simulation, kind: Kind, every_namespace: bool) -> String {
    let namespace = (!every_namespace).then(|| "default".to_owned());
    get(sim, &Query { namespace, ..Query::all(kind) }.into()).map(|got| got.text).unwrap_or_default()
}

/// Each node with the pods on it, and the pods that have none.
fn nodes(sim: &Simulation) -> String {
    let view = sim.view();
    let mut table = Table::new(&["node", "status", "pods"]);
    for node in view.nodes.iter() {
        let status = if node.status.conditions.is_true("Ready") { "Ready" } else { "NotReady" };
        let cordoned = if node.spec.unschedulable { ",SchedulingDisabled" } else { "" };
        let pods = by_owner(view.pods_on(&node.meta.name).filter(|pod| !pod.is_terminal()));
        table.row(vec![node.meta.name.to_string(), format!("{status}{cordoned}"), pods]);
    }
    let homeless = by_owner(view.pods.iter().filter(|pod| pod.node_name.is_empty()));
    if homeless != "0" {
        table.row(vec!["(none yet)".to_owned(), String::new(), homeless]);
    }
    table.to_string()
}

/// `3: web-8fb66844 ×2, web-745f9dbd77 (not ready)`.
fn by_owner<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>) -> String {
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut all = 0;
    for pod in pods {
        let owner = pod.meta.controller().map_or_else(|| pod.meta.name.to_string(), |owner| owner.name.to_string());
        let (pods, ready) = groups.entry(owner).or_default();
        all += 1;
        *pods += 1;
        *ready += usize::from(pod.is_ready() && !pod.meta.is_deleting());
    }
    let told = groups.iter().take(FEW_GROUPS).map(|(owner, (pods, ready))| {
        let times = if *pods > 1 { format!(" ×{pods}") } else { String::new() };
        let missing = match pods - ready {
            0 => String::new(),
            missing if missing == *pods => " (not ready)".to_owned(),
            missing => format!(" ({missing} not ready)"),
        };
        format!("{owner}{times}{missing}")
    });
    let mut told: Vec<String> = told.collect();
    if groups.len() > FEW_GROUPS {
        told.push("…".to_owned());
    }
    if told.is_empty() { "0".to_owned() } else { format!("{all}: {}", told.join(", ")) }
}

fn node_counts(sim: &Simulation) -> String {
    let view = sim.view();
    let ready = view.nodes.iter().filter(|node| node.status.conditions.is_true("Ready")).count();
    let (pods, nodes) = (view.pods.len(), view.nodes.len());
    let ready_pods = view.pods.iter().filter(|pod| pod.is_ready()).count();
    format!("{nodes} nodes, {ready} of them ready; {pods} pods, {ready_pods} of them ready\n")
}

fn promises(scenario: &Scenario, run: &Run) -> String {
    let mut text = String::new();
    for verdict in &run.verdicts {
        let Verdict { expectation, outcome, .. } = verdict;
        let _ = match outcome {
            Outcome::Held { at: Some(at) } => writeln!(text, "  held    {expectation} (at {})", rounded(*at)),
            Outcome::Held { at: None } => writeln!(text, "  held    {expectation}"),
            Outcome::Failed { .. } => {
                let _ = writeln!(text, "  BROKEN  {expectation}");
                let story = failure(scenario, run, verdict);
                story.lines().try_for_each(|line| writeln!(text, "          {line}"))
            }
        };
    }
    for (step, outcome) in scenario.steps.iter().zip(&run.steps) {
        let Some(why) = why_void(step, outcome) else { continue };
        let (name, args) = (step.verb.name().to_owned(), step.verb.args());
        let asked = step_line(&StepRecord { name, args, result: Value::Null }, None);
        let _ = writeln!(text, "  note    the step {asked} {why}");
    }
    text
}

/// Why a step did nothing, if that is for the scenario's author to know: what it asks for came too late, is not there or
/// is wrong. A cluster may refuse other things as it should, such as an eviction against a budget.
fn why_void(step: &Step, outcome: &StepOutcome) -> Option<String> {
    match (&outcome.error, &step.trigger) {
        (None, _) if outcome.at.is_some() => None,
        (None, Trigger::At(_)) => Some("was not taken: the run ended before".to_owned()),
        (None, Trigger::When(condition)) => Some(format!("was not taken: {condition} did not come true")),
        (Some(SimError::Api(error)), _) if !matches!(error.code(), 400 | 404 | 422) => None,
        (Some(error), _) => Some(format!("was refused: {error}")),
    }
}

pub(super) fn verdict(run: &Run) -> String {
    let broken = run.verdicts.iter().filter(|verdict| !verdict.held()).count();
    match (run.verdicts.len(), broken) {
        (0, _) => "Nothing was expected of this run.".to_owned(),
        (1, 0) => "The expectation held.".to_owned(),
        (all, 0) => format!("All {all} expectations held."),
        (1, _) => "The expectation was broken.".to_owned(),
        (all, 1) => format!("1 of {all} expectations was broken."),
        (all, broken) => format!("{broken} of {all} expectations were broken."),
    }
}
