//! Pods leave nodes whose `NoExecute` taints they do not bear, when their time there is over.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Pod, Resource, Taint, Uid};
use crate::sim::{Place, Simulation};

use super::{Invariant, Violation};

/// A pod on a node with `NoExecute` taints is deleted at once if it does not tolerate all of them, and after the shortest of
/// its `tolerationSeconds` otherwise, unless it tolerates them for ever. As upstream has it, a time that has begun to run is not
/// changed by further taints that the pod tolerates for a while. And it is not only deleted: while its machine runs and is
/// in touch with the control plane, it also ends, within the grace that it has.
#[derive(Debug)]
pub struct TaintEviction {
    window: SimDuration,
    /// Pods that have to leave, and until when they are to be deleted.
    sentences: BTreeMap<Uid, Sentence>,
    /// Pods that are being deleted on machines that run, and until when they are to have ended.
    leaving: BTreeMap<Uid, Sentence>,
}

/// What the end of a container may take beyond its grace.
const LAST_BREATH: SimDuration = SimDuration::from_secs(3);

#[derive(Debug)]
struct Sentence {
    until: SimTime,
    pod: Key,
    node: Arc<str>,
}

impl TaintEviction {
    /// By a control plane that does at once what it has to do.
    #[must_use]
    pub const fn new() -> Self {
        Self::within(SimDuration::ZERO)
    }

    /// By a control plane that may take that long.
    #[must_use]
    pub const fn within(window: SimDuration) -> Self {
        Self { window, sentences: BTreeMap::new(), leaving: BTreeMap::new() }
    }

    fn judge(&mut self, sim: &Simulation) {
        let (view, now) = (sim.view(), sim.now());
        let before = std::mem::take(&mut self.sentences);
        let left_before = std::mem::take(&mut self.leaving);
        for node in view.nodes.iter() {
            let taints: Vec<&Taint> = node.spec.taints.iter().filter(|taint| taint.effect == *"NoExecute").collect();
            if taints.is_empty() {
                continue;
            }
            for pod in view.pods_on(&node.meta.name).filter(|pod| !pod.is_terminal()) {
                let sentence = |until| Sentence { until, pod: pod.key(), node: node.meta.name.clone() };
                if pod.meta.is_deleting() {
                    let is_cut_off = sim.is_disturbed(&Place::Node(node.meta.name.clone()));
                    if sim.machine_is_up(&node.meta.name) && !is_cut_off {
                        let known = left_before.get(&pod.meta.uid).map(|sentence| sentence.until);
                        let until = known.unwrap_or_else(|| now + grace(pod) + LAST_BREATH);
                        self.leaving.insert(pod.meta.uid.clone(), sentence(until));
                    }
                    continue;
                }
                let planned = before.get(&pod.meta.uid).map(|sentence| sentence.until);
                let until = match patience(pod, &taints) {
                    Patience::Endless => continue,
                    Patience::None => planned.map_or(now, |until| until.min(now)),
                    Patience::For(time) => planned.unwrap_or(now + time),
                };
                self.sentences.insert(pod.meta.uid.clone(), sentence(until));
            }
        }
    }
}

fn grace(pod: &Pod) -> SimDuration {
    let seconds = pod.meta.deletion_grace_period_seconds.unwrap_or(0);
    SimDuration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// How long a pod bears taints.
enum Patience {
    None,
    For(SimDuration),
    Endless,
}

fn patience(pod: &Pod, taints: &[&Taint]) -> Patience {
    let mut shortest: Option<u64> = None;
    for taint in taints {
        let Some(borne) = pod.spec.tolerations.iter().find(|toleration| toleration.tolerates(taint)) else {
            return Patience::None;
        };
        let seconds = borne.toleration_seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0));
        shortest = match (shortest, seconds) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    shortest.map_or(Patience::Endless, |seconds| Patience::For(SimDuration::from_secs(seconds)))
}

impl Default for TaintEviction {
    fn default() -> Self {
        Self::new()
    }
}

impl Invariant for TaintEviction {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        self.judge(sim);
        let late = |sentences: &BTreeMap<Uid, Sentence>, what: &str| {
            let late = sentences.values().find(|sentence| sentence.until + self.window < sim.now());
            late.map(|Sentence { until, pod, node }| {
                format!("pod {pod} does not bear the NoExecute taints of {node}, but {what}; it had until {until}")
            })
        };
        let story = late(&self.sentences, "is still there").or_else(|| late(&self.leaving, "has not ended"));
        story.map_or(Ok(()), |story| Err(Violation { invariant: "taintEviction()".to_owned(), at: sim.now(), story }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::sim::Delays;

    /// A pod on a node that gets a taint which the pod bears for so many seconds, if at all.
    fn tainted(tolerations: &Value) -> Simulation {
        let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build().unwrap();
        let spec = json!({"containers": [{"name": "c", "image": "i"}], "tolerations": tolerations});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec});
        sim.apply(&pod.to_string()).unwrap();
        sim.run_until(SimTime::from_secs(10));
        sim.taint("node-0", &json!([{"key": "busy", "effect": "NoExecute"}])).unwrap();
        sim
    }

    /// What is said of the pod if nobody drives it out until then.
    fn told(tolerations: &Value, seconds: u64) -> String {
        let sim = tainted(tolerations);
        let mut watch = TaintEviction::new();
        watch.check(&sim).unwrap();
        // The cluster stands still; its clock does not.
        let passed = SimDuration::from_secs(seconds);
        watch.sentences.values_mut().for_each(|sentence| {
            sentence.until = sentence.until.checked_sub(passed).unwrap_or(SimTime::ZERO);
        });
        watch.check(&sim).map_or_else(|violation| violation.story, |()| String::new())
    }

    #[test]
    fn a_pod_that_stays_longer_than_it_may_is_told() {
        let for_seconds = |seconds: i64| json!([{"key": "busy", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}]);
        let story = "pod default/web does not bear the NoExecute taints of node-0, but is still there; it had until";
        assert_eq!(told(&json!([]), 1), format!("{story} 9s"));
        assert_eq!(told(&for_seconds(5), 5), "");
        assert_eq!(told(&for_seconds(5), 6), format!("{story} 9s"));
        assert_eq!(told(&json!([{"key": "busy", "operator": "Exists"}]), 10), "");
    }

    #[test]
    fn a_pod_that_is_driven_out_ends_in_its_grace() {
        let mut sim = tainted(&json!([]));
        let mut promises = crate::invariants::Always::new().and(TaintEviction::new());
        promises.run(&mut sim, SimTime::from_secs(60)).unwrap();
        assert!(sim.view().pods.is_empty());
    }
}
