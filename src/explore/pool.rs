//! Runs the cases of a plan on several threads.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::scenario::Scenario;

use super::case::CaseResult;
use super::error::ExploreError;
use super::plan::Plan;

type Found = (u64, Result<CaseResult, ExploreError>);

/// Runs the cases of the plan's shard, without the first `done`, and hands every result to `take` in the order of the cases,
/// whatever the number of threads. Ends early if `take` breaks.
///
/// # Errors
/// The first case of which the scenario is wrong. The cases before it were handed over.
pub fn explore(
    plan: &Plan,
    threads: NonZeroUsize,
    done: u64,
    take: impl FnMut(CaseResult) -> ControlFlow<()>,
) -> Result<(), ExploreError> {
    let (next, stop) = (AtomicU64::new(done), AtomicBool::new(false));
    let end = plan.cases()?;
    let (found, results) = channel();
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            let found = found.clone();
            scope.spawn(|| work(plan, end, &next, &stop, found));
        }
        drop(found);
        let outcome = in_order(done, &results, take);
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

fn work(plan: &Plan, end: u64, next: &AtomicU64, stop: &AtomicBool, found: Sender<Found>) {
    // Cases of the same values follow each other: a scenario is read once for all its seeds.
    let mut known: Option<(Vec<(String, String)>, Scenario)> = None;
    while !stop.load(Ordering::Relaxed) {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        if nth >= end {
            return;
        }
        let case = plan.case(nth);
        let scenario = match known.take().filter(|(parameters, _)| *parameters == case.parameters) {
            Some((_, scenario)) => Ok(scenario),
            None => plan.scenario(&case),
        };
        let result = scenario.and_then(|scenario| {
            let (_, scenario) = known.insert((case.parameters.clone(), scenario));
            CaseResult::run(scenario, case, plan.options())
        });
        if found.send((nth, result.map_err(ExploreError::from))).is_err() {
            return;
        }
    }
}

fn in_order(
    first: u64,
    results: &Receiver<Found>,
    mut take: impl FnMut(CaseResult) -> ControlFlow<()>,
) -> Result<(), ExploreError> {
    let mut early = BTreeMap::new();
    let mut next = first;
    for (nth, result) in results {
        early.insert(nth, result);
        while let Some(result) = early.remove(&next) {
            next += 1;
            if take(result?).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
