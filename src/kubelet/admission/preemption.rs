//! Which pods go so that a pod fits that the system needs: as few and as small ones as possible, Guaranteed pods last.

use smallvec::SmallVec;

use super::fit::Lack;
use super::{Answer, Rejection};
use crate::kubelet::driver::Kubelet;
use crate::kubelet::eviction::kubelet_request;
use crate::kubelet::worker::Worker;
use crate::objects::{Pod, PodSpec, QosClass, Resources, Uid};

/// So much of something is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) resource: std::sync::Arc<str>,
    pub(super) quantity: i64,
}

impl Kubelet {
    pub(super) fn make_room(&self, pod: &Pod, lacks: &[Lack]) -> Answer {
        let mut workers: Vec<(&Uid, &Worker)> = self.workers.iter().map(|(uid, worker)| (uid, &**worker)).collect();
        workers.retain(|(_, worker)| yields(pod, worker));
        workers.sort_by(|(_, a), (_, b)| a.key.cmp(&b.key));
        let wants: Vec<Want> =
            lacks.iter().map(|lack| Want { resource: lack.resource.clone(), quantity: lack.missing() }).collect();
        let specs: Vec<&PodSpec> = workers.iter().map(|(_, worker)| &*worker.spec).collect();
        match choose(&specs, &wants) {
            Ok(chosen) => {
                let victims: SmallVec<[Uid; 2]> = chosen.into_iter().map(|at| workers[at].0.clone()).collect();
                if victims.is_empty() { Answer::Taken } else { Answer::Later(victims) }
            }
            Err(missing) => Answer::Rejected(Rejection::new(
                "UnexpectedAdmissionError",
                format!(
                    "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of \
                     pods to preempt: no set of running pods found to reclaim resources: {missing}"
                ),
            )),
        }
    }
}

/// Upstream `Preemptable`.
fn yields(newcomer: &Pod, other: &Worker) -> bool {
    let other_is_critical = other.is_static() || other.spec.is_critical();
    if newcomer.is_critical() && !other_is_critical {
        return true;
    }
    matches!((newcomer.spec.priority, other.spec.priority), (Some(mine), Some(theirs)) if mine > theirs)
}

/// The places of the pods that go; what could not be had if they are not enough (upstream `getPodsToPreempt`).
pub(super) fn choose(pods: &[&PodSpec], wants: &[Want]) -> Result<Vec<usize>, String> {
    let of_class =
        |class: QosClass| -> Vec<usize> { (0..pods.len()).filter(|at| pods[*at].qos_class == class).collect() };
    let (best_effort, burstable, guaranteed) =
        (of_class(QosClass::BestEffort), of_class(QosClass::Burstable), of_class(QosClass::Guaranteed));
    let without = |groups: &[&[usize]]| subtract(wants, groups.iter().copied().flatten().map(|at| pods[*at]));
    let missing = without(&[&best_effort, &burstable, &guaranteed]);
    if !missing.is_empty() {
        return Err(told(&missing));
    }
    let guaranteed = nearest(pods, guaranteed, without(&[&best_effort, &burstable]))?;
    let burstable = nearest(pods, burstable, without(&[&best_effort, &guaranteed]))?;
    let best_effort = nearest(pods, best_effort, without(&[&burstable, &guaranteed]))?;
    Ok(best_effort.into_iter().chain(burstable).chain(guaranteed).collect())
}

/// Takes the pod that comes nearest to what is wanted, again and again.
fn nearest(pods: &[&PodSpec], mut group: Vec<usize>, mut wants: Vec<Want>) -> Result<Vec<usize>, String> {
    let mut chosen = Vec::new();
    while !wants.is_empty() {
        let Some(first) = group.first() else { return Err(told(&wants)) };
        let (mut best, mut distance) = (0, distance_of(&wants, pods[*first]));
        for (place, at) in group.iter().enumerate().skip(1) {
            let other = distance_of(&wants, pods[*at]);
            let is_smaller = || is_smaller(pods[*at], pods[group[best]]);
            if other < distance || (other.total_cmp(&distance).is_eq() && is_smaller()) {
                (best, distance) = (place, other);
            }
        }
        // The last one takes its place, as upstream has it.
        let at = group.swap_remove(best);
        wants = subtract(&wants, std::iter::once(pods[at]));
        chosen.push(at);
    }
    Ok(chosen)
}

fn told(wants: &[Want]) -> String {
    let each = wants.iter().map(|want| format!("(res: {}, q: {}), ", want.resource, want.quantity));
    format!("[{}]", each.collect::<String>())
}

/// Sum of the squares of the parts that are still missing. Products and quotients of floats are the same on every machine.
fn distance_of(wants: &[Want], pod: &PodSpec) -> f64 {
    let part = |want: &Want| {
        let missing = (want.quantity - request(pod, &want.resource)) as f64;
        let part = missing / want.quantity as f64;
        if missing > 0.0 { part * part } else { 0.0 }
    };
    wants.iter().map(part).fold(0.0, |sum, part| sum + part)
}

fn subtract<'a>(wants: &[Want], pods: impl Iterator<Item = &'a PodSpec> + Clone) -> Vec<Want> {
    let left = |want: &Want| {
        let freed = pods.clone().map(|pod| request(pod, &want.resource)).fold(0, i64::saturating_add);
        Want { quantity: want.quantity.saturating_sub(freed), ..want.clone() }
    };
    wants.iter().map(left).filter(|want| want.quantity > 0).collect()
}

fn is_smaller(one: &PodSpec, other: &PodSpec) -> bool {
    let size = |pod: &PodSpec| (request(pod, "memory"), request(pod, "cpu"));
    size(one) <= size(other)
}

fn request(pod: &PodSpec, resource: &str) -> i64 {
    let amount: fn(&Resources) -> i64 = match resource {
        "pods" => return 1,
        "cpu" => |amounts| amounts.cpu_milli,
        "memory" => |amounts| amounts.memory,
        "ephemeral-storage" => |amounts| amounts.ephemeral_storage,
        other => return pod.requests.extended(other),
    };
    kubelet_request(pod, amount)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MI: i64 = 1 << 20;

    fn spec(requests: Value, limits: Value) -> PodSpec {
        let container = json!({"name": "c", "resources": {"requests": requests, "limits": limits}});
        let wire = json!({"containers": [container]});
        PodSpec::from_wire(wire.as_object().cloned().unwrap_or_default()).expect("a spec")
    }

    fn burstable(amount: i64) -> PodSpec {
        spec(json!({"cpu": format!("{amount}m"), "memory": format!("{amount}Mi")}), json!({}))
    }

    fn guaranteed(amount: i64) -> PodSpec {
        let all = json!({"cpu": format!("{amount}m"), "memory": format!("{amount}Mi")});
        spec(all.clone(), all)
    }

    fn chosen(pods: &[(&'static str, PodSpec)], wants: &[(&str, i64)]) -> Result<Vec<&'static str>, String> {
        let specs: Vec<&PodSpec> = pods.iter().map(|(_, spec)| spec).collect();
        let want = |&(resource, quantity): &(&str, i64)| Want { resource: resource.into(), quantity };
        let wants: Vec<Want> = wants.iter().map(want).collect();
        choose(&specs, &wants).map(|places| places.into_iter().map(|at| pods[at].0).collect())
    }

    /// Upstream `TestGetPodsToPreempt`.
    #[test]
    fn as_few_and_as_unimportant_pods_as_possible_go() {
        let best_effort = || ("bestEffort", spec(json!({}), json!({})));
        let all = [
            best_effort(),
            ("burstable100", burstable(100)),
            ("burstable300", burstable(300)),
            ("guaranteed100", guaranteed(100)),
            ("guaranteed300", guaranteed(300)),
        ];
        assert_eq!(chosen(&[("burstable", burstable(100)), best_effort()], &[("pods", 1)]).unwrap(), ["bestEffort"]);
        let three = [best_effort(), ("high", guaranteed(300)), ("burstable", burstable(100))];
        assert_eq!(chosen(&three, &[("cpu", 100), ("memory", 100 * MI)]).unwrap(), ["burstable"]);
        let both = chosen(&all, &[("cpu", 350), ("memory", 350 * MI)]).unwrap();
        assert_eq!(both, ["burstable300", "burstable100"]);
        assert_eq!(chosen(&all, &[("memory", 550 * MI)]).unwrap(), ["burstable300", "guaranteed300"]);
        let error = chosen(&all, &[("cpu", 900)]).unwrap_err();
        assert_eq!(error, "[(res: cpu, q: 100), ]");
    }
}
