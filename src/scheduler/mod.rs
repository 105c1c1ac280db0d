//! kube-scheduler: which node each pod is bound to, when, and what is said if there is none.
//!
//! - `scheduler`: the process. It hears of changes through its view, makes one *attempt* at a time, and hears how the
//!   API server answered. A pod that was given a node is *assumed* there until its change arrives.
//! - `queue`: the scheduling queue: active pods by priority, pods in back-off, pods that wait for an event.
//! - `cycle`: one scheduling cycle: filter the nodes, score those that are left, choose.
//! - `framework`: the [`Plugin`] trait and the [`Registry`] of plugins; `plugins`: upstream's, a file each.
//! - `cache`: what every node carries, kept up to date by each change, with dense node ids.
//! - `preemption`: whom to displace for a pod that fits nowhere; `decision`: what came of each pod's last attempt.
//! - `volumes`: what the scheduler wrote of volumes and does not see yet, and what a pod's binding waits for.
//! - `event`: which change may let a waiting pod in; `message`: the words when no node fits.
//!
//! Upstream is deterministic but for the order in which its sixteen filter workers finish; here nodes are filtered
//! one after another in the order of upstream's node tree, and of several nodes with the most points the one is chosen
//! that upstream's heap would have at its root. [`Scheduler::with_shuffling`] plays the workers instead, by a seed.

mod cache;
mod cycle;
mod decision;
mod event;
mod framework;
mod message;
mod plugins;
mod preemption;
mod queue;
#[expect(clippy::module_inception, reason = "the process is called as its room")]
mod scheduler;
#[cfg(test)]
mod testing;
mod volumes;

pub use cache::{Cache, CpuMemory, HostPort, NodeId, NodeInfo};
pub use cycle::{Cycle, Explanation, Verdict};
pub use decision::{Decision, Outcome, Placement};
pub use event::{Actions, ClusterEvent, Subject};
pub use framework::{Code, Hint, Plugin, PreFilter, PreScore, Registry, RegistryError};
pub use preemption::Candidate;
pub use scheduler::{Attempt, AttemptId, Scheduler};
