//! What upstream's PostFilter plugins say when they cannot help: DynamicResources, which has no claims to give back, and
//! then DefaultPreemption. Pods are not displaced yet.

use crate::objects::{Pod, Text};

use super::cache::NodeInfo;
use super::cycle::Cycle;
use super::framework::{Code, Refusal, Registry};
use super::message::Histogram;

/// What preemption adds to the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// A sentence, or nothing.
    pub(super) message: String,
    /// Whether an earlier nomination of the pod is void.
    pub(super) clears_nomination: bool,
}

const NO_CLAIMS: &str = "no new claims to deallocate";

/// What comes out when a plugin turned the pod away so early that DynamicResources was not asked: it then misses its
/// own notes, and the error is that they were not found.
pub(super) fn unprepared() -> Outcome {
    Outcome { message: "not found".to_owned(), clears_nomination: false }
}

/// Why no pod can make room. The sentence is left out if some could.
pub(super) fn explain(registry: &Registry, cycle: &Cycle<'_>, filtering: &[u8], refused: &[Refusal]) -> Outcome {
    if &*cycle.pod.spec.preemption_policy == "Never" {
        let message = format!("{NO_CLAIMS}, preemption: not eligible due to preemptionPolicy=Never.");
        return Outcome { message, clears_nomination: false };
    }
    let all = cycle.cache.order().len();
    let mut histogram = Histogram::default();
    let mut tried = 0;
    for refusal in refused.iter().filter(|refusal| refusal.code == Code::Unschedulable) {
        tried += 1;
        if !try_without_lower(registry, cycle, filtering, cycle.cache.node(refusal.node), &mut histogram) {
            return Outcome::default();
        }
    }
    histogram.add("Preemption is not helpful for scheduling".into(), all.saturating_sub(tried));
    Outcome { message: format!("{NO_CLAIMS}, preemption: {}", histogram.message(all)), clears_nomination: true }
}

/// Whether the pod would still not fit if all pods of lower priority left the node; the reasons go into the histogram.
fn try_without_lower(
    registry: &Registry,
    cycle: &Cycle<'_>,
    filtering: &[u8],
    node: &NodeInfo,
    histogram: &mut Histogram,
) -> bool {
    let pods = node.pods().iter().filter_map(|uid| cycle.cache.pod(uid));
    let lower: Vec<&Pod> = pods.filter(|pod| priority(pod) < priority(cycle.pod)).map(|pod| &**pod).collect();
    if lower.is_empty() {
        histogram.add("No preemption victims found for incoming pod".into(), 1);
        return true;
    }
    let mut without = node.clone();
    for pod in lower {
        without.remove_pod(pod);
    }
    let slots = filtering.iter().map(|plugin| registry.slot(*plugin));
    let Some(refusing) = slots.into_iter().find(|slot| slot.filter(cycle, &without) != Code::Success) else {
        return false;
    };
    refusing.reasons(cycle, &without, &mut |reason: Text| histogram.add(reason, 1));
    true
}

/// Resolved priority of a pod.
pub(super) fn priority(pod: &Pod) -> i32 {
    pod.spec.priority.unwrap_or(0)
}
