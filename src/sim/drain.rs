//! `kubectl drain`: a client that cordons a node, evicts its pods, and waits until they are gone (upstream
//! `kubectl/pkg/drain`).

mod filters;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{ApiError, DeleteOptions, Reason, Request};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Kind, Pod, Resource, Uid};

use super::error::SimError;
use super::event::{Event, rank};
use super::recorder::StepRecord;
use super::simulation::Simulation;

/// Wait after an eviction that a budget did not allow.
const RETRY: SimDuration = SimDuration::from_secs(5);
/// How often kubectl looks whether a pod is gone.
const POLL: SimDuration = SimDuration::from_secs(1);

/// Flags of `kubectl drain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrainOptions {
    /// `--ignore-daemonsets`: pods of DaemonSets stay; without it they are an error.
    pub ignore_daemonsets: bool,
    /// `--delete-emptydir-data`: pods with emptyDir volumes go too; without it they are an error.
    pub delete_emptydir_data: bool,
    /// `--force`: pods that no controller would replace go too; without it they are an error.
    pub force: bool,
    /// `--disable-eviction`: plain deletion, whatever budgets say.
    pub disable_eviction: bool,
    /// `--grace-period`, in seconds; absent = the pods' own.
    pub grace_period_seconds: Option<i64>,
    /// `--timeout`; zero = no end.
    pub timeout: SimDuration,
}

/// A drain under way.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    node: Arc<str>,
    options: DrainOptions,
    started: SimTime,
    pods: Vec<Draining>,
}

#[derive(Clone, Debug)]
struct Draining {
    key: Key,
    uid: Uid,
    stage: Stage,
    /// When kubectl acts on it next.
    next: SimTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Evicting,
    Leaving,
    Gone,
}

/// How one look at a drain ended.
enum Outcome {
    GoesOn(SimTime),
    Drained,
    Failed(String),
}

impl Simulation {
    /// Begins to drain a node: `kubectl drain`. The node is cordoned at once and stays so, whatever comes of it; evictions
    /// that a budget does not allow are repeated every five seconds. Returns the warnings that kubectl prints. How it goes on is
    /// in the recording: a step `evict` for each attempt, and at the end a step `drained` or `drain` with the error.
    ///
    /// # Errors
    /// If there is no such node, or it has pods that the options do not allow to delete: then nothing is evicted.
    pub fn drain(&mut self, node: &str, options: DrainOptions) -> Result<Vec<String>, SimError> {
        self.cordon(node, true)?;
        let node: Arc<str> = node.into();
        let filtered = filters::filter(self.view(), &node, &options);
        if !filtered.errors.is_empty() {
            return Err(SimError::Cluster(unable_to_drain(&node, &filtered.errors)));
        }
        let now = self.now();
        let draining = |pod: &Arc<Pod>| {
            let (key, uid) = (pod.key(), pod.meta.uid.clone());
            Draining { key, uid, stage: Stage::Evicting, next: now }
        };
        let pods = filtered.pods.iter().map(draining).collect();
        let number = u32::try_from(self.drains.len()).unwrap_or(u32::MAX);
        self.drains.push(Some(Drain { node, options, started: now, pods }));
        self.go_on_draining(number);
        Ok(filtered.warnings)
    }

    /// Evicts a pod: `POST pods/eviction`, as `kubectl drain` does for each.
    ///
    /// # Errors
    /// If there is no such pod, or its disruption budget does not allow it (429).
    pub fn evict(&mut self, pod: &Key, options: DeleteOptions) -> Result<(), ApiError> {
        self.execute(&Request::Evict { pod: pod.clone(), options }).map(drop)
    }

    /// Whether a drain of that node is still under way.
    #[must_use]
    pub fn is_draining(&self, node: &str) -> bool {
        self.drains.iter().flatten().any(|drain| &*drain.node == node)
    }

    /// kubectl looks at its pods again.
    pub(super) fn go_on_draining(&mut self, number: u32) {
        let Some(mut drain) = self.drains.get_mut(number as usize).and_then(Option::take) else { return };
        let (name, result) = match self.look_at(&mut drain) {
            Outcome::GoesOn(next) => {
                self.drains[number as usize] = Some(drain);
                self.queue.push(next, rank::USER, Event::Drain(number));
                return;
            }
            Outcome::Drained => ("drained", json!(format!("node/{} drained", drain.node))),
            Outcome::Failed(why) => ("drain", json!({"message": unable_to_drain(&drain.node, &[why])})),
        };
        self.record_step(StepRecord { name: name.to_owned(), args: json!({"node": drain.node}), result });
    }

    fn look_at(&mut self, drain: &mut Drain) -> Outcome {
        let now = self.now();
        let end = (!drain.options.timeout.is_zero()).then(|| drain.started + drain.options.timeout);
        for at in 0..drain.pods.len() {
            if drain.pods[at].stage == Stage::Gone || drain.pods[at].next > now {
                continue;
            }
            let done = match drain.pods[at].stage {
                Stage::Evicting => self.try_to_evict(drain, at),
                Stage::Leaving | Stage::Gone => Ok(()),
            };
            if let Err(why) = done {
                return Outcome::Failed(why);
            }
            self.look_whether_gone(&mut drain.pods[at]);
        }
        let next = drain.pods.iter().filter(|pod| pod.stage != Stage::Gone).map(|pod| pod.next).min();
        match (next, end) {
            (None, _) => Outcome::Drained,
            (Some(_), Some(end)) if now >= end => {
                Outcome::Failed(format!("global timeout reached: {}", drain.options.timeout))
            }
            (Some(next), end) => Outcome::GoesOn(end.map_or(next, |end| next.min(end))),
        }
    }

    /// One request for one pod; the error is one that ends the drain.
    fn try_to_evict(&mut self, drain: &mut Drain, at: usize) -> Result<(), String> {
        let pod = &mut drain.pods[at];
        let grace_period_seconds = drain.options.grace_period_seconds;
        let options = DeleteOptions { grace_period_seconds, ..DeleteOptions::default() };
        let request = if drain.options.disable_eviction {
            Request::Delete { kind: Kind::Pod, key: pod.key.clone(), options }
        } else {
            Request::Evict { pod: pod.key.clone(), options }
        };
        let answer = self.execute(&request);
        self.record_step(StepRecord {
            name: if drain.options.disable_eviction { "delete" } else { "evict" }.to_owned(),
            args: json!({"node": drain.node, "pod": pod.key.to_string()}),
            result: json!([eviction_answer(&pod.key, answer.as_ref().err())]),
        });
        let Err(error) = answer else {
            pod.stage = Stage::Leaving;
            return Ok(());
        };
        match error.reason {
            Reason::NotFound => pod.stage = Stage::Gone,
            Reason::TooManyRequests => pod.next = self.now() + RETRY,
            Reason::Forbidden if error.is_namespace_terminating() => pod.next = self.now() + RETRY,
            _ => {
                let Key { namespace, name } = &pod.key;
                return Err(format!("error when evicting pods/{:?} -n {:?}: {error}", &**name, &**namespace));
            }
        }
        Ok(())
    }

    fn look_whether_gone(&self, pod: &mut Draining) {
        if pod.stage != Stage::Leaving {
            return;
        }
        let there = self.view().pods.get(&pod.key).is_some_and(|now| now.meta.uid == pod.uid);
        if there {
            pod.next = self.now() + POLL;
        } else {
            pod.stage = Stage::Gone;
        }
    }
}

/// How the answer to an eviction stands in the event log: `[name, code]`, with the message of a refusal.
#[must_use]
pub fn eviction_answer(pod: &Key, error: Option<&ApiError>) -> Value {
    match error {
        None => json!([&*pod.name, 201]),
        Some(error) => json!([&*pod.name, error.code(), error.message]),
    }
}

fn unable_to_drain(node: &str, errors: &[String]) -> String {
    let why = match errors {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    format!("unable to drain node {node:?} due to error: {why}, continuing command...")
}
