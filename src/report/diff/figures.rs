//! Figures of two runs side by side.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::api::ChangeType;
use crate::kernel::SimTime;
use crate::objects::Kind;
use crate::report::object_name;
use crate::report::replay::Replay;
use crate::report::rollout::status_of;
use crate::report::table::{moment, rounded};
use crate::report::traffic::short;
use crate::scenario::{Measured, Run};

use super::Side;

/// A figure of both sides; `None` = that side does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What it says.
    pub name: String,
    /// On the first side.
    pub first: Option<String>,
    /// On the second side.
    pub second: Option<String>,
}

/// All figures, those of the first side in its order, then those that only the second has.
pub(super) fn compare(first: Side<'_>, second: Side<'_>) -> Vec<Figure> {
    let (lefts, rights) = (figures(first), figures(second));
    let mut all: Vec<Figure> = Vec::new();
    for (name, value) in &lefts {
        let other = rights.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        all.push(Figure { name: name.clone(), first: Some(value.clone()), second: other });
    }
    for (name, value) in rights.into_iter().filter(|(name, _)| !lefts.iter().any(|(other, _)| other == name)) {
        all.push(Figure { name, first: None, second: Some(value) });
    }
    all
}

fn figures(side: Side<'_>) -> Vec<(String, String)> {
    let run = side.run;
    let mut all = vec![("virtual time".to_owned(), moment(side.replay.now()))];
    for verdict in &run.verdicts {
        let word = if verdict.held() { "held" } else { "BROKEN" };
        all.push((verdict.expectation.clone(), word.to_owned()));
    }
    for (name, value) in &run.measured {
        let value = match value {
            Some(Measured::Number(number)) => number.to_string(),
            Some(Measured::Time(time)) => rounded(SimTime::ZERO + *time),
            None => "never".to_owned(),
        };
        all.push((format!("measured {name}"), value));
    }
    all.extend(traffic(run));
    all.extend(rollouts(side.replay, run));
    all
}

fn traffic(run: &Run) -> Vec<(String, String)> {
    let Some(report) = run.simulation.traffic() else { return Vec::new() };
    let mut all = Vec::new();
    for client in &report.clients {
        let mut add = |what: &str, value: String| all.push((format!("client {}: {what}", client.name), value));
        add("requests", client.total.requests.to_string());
        add("succeeded", client.total.succeeded.to_string());
        add("lost", client.total.lost.to_string());
        add("retries", client.total.retries.to_string());
        for (what, share) in [("p50", 500), ("p99", 990)] {
            add(what, short(client.latency.quantile(share)));
        }
    }
    all
}

/// How long each rollout took: from a change of what is wanted until its status is that of one that is done.
fn rollouts(side: &Replay<'_>, run: &Run) -> Vec<(String, String)> {
    let mut replay = Replay::of(&run.simulation);
    let mut open: BTreeMap<(Kind, String), SimTime> = BTreeMap::new();
    let mut took: BTreeMap<(Kind, String), Vec<String>> = BTreeMap::new();
    let _: ControlFlow<()> = replay.follow(side.now(), |replay, change| {
        if !matches!(change.kind(), Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet) {
            return ControlFlow::Continue(());
        }
        let key = (change.kind(), object_name(&change.object));
        if change.change_type == ChangeType::Deleted {
            open.remove(&key);
            return ControlFlow::Continue(());
        }
        let was = change.old.as_ref().map(|old| old.meta().generation);
        if was != Some(change.object.meta().generation) {
            open.entry(key.clone()).or_insert(replay.now());
        }
        if matches!(status_of(&change.object, 0), Ok((_, true)))
            && let Some(since) = open.remove(&key)
        {
            took.entry(key).or_default().push(rounded(SimTime::ZERO + (replay.now() - since)));
        }
        ControlFlow::Continue(())
    });
    for key in open.into_keys() {
        took.entry(key).or_default().push("not done".to_owned());
    }
    took.into_iter().map(|((_, name), times)| (format!("rollouts of {name}"), times.join(", "))).collect()
}
