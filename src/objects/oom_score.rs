//! Who is killed first when memory is short (upstream `pkg/kubelet/qos/policy.go`), and which pods are critical
//! (`pkg/kubelet/types/pod_update.go`).

use super::pod_resources::container_requests;
use super::{Container, Pod, PodSpec, QosClass};

/// The last to be killed.
const GUARANTEED: i64 = -997;
/// The first to be killed.
const BEST_EFFORT: i64 = 1000;
/// Least priority of pods that the system needs.
const SYSTEM_CRITICAL_PRIORITY: i32 = 2_000_000_000;
const NODE_CRITICAL: &str = "system-node-critical";
/// Annotation of the API's image of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Annotation that says where a pod comes from.
const SOURCE: &str = "kubernetes.io/config.source";

impl Pod {
    /// Whether this is the API's image of a pod that a kubelet has from a file.
    #[must_use]
    pub fn is_mirror(&self) -> bool {
        self.meta.annotations.get(MIRROR).is_some()
    }

    /// Whether a kubelet has it from elsewhere than the API server, or it is the image of such a pod.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.is_mirror() || self.meta.annotations.get(SOURCE).is_some_and(|source| source != "api")
    }

    /// Whether the system needs it: kubelets do not evict it and make room for it.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.is_static() || self.spec.is_critical()
    }
}

impl PodSpec {
    /// Whether its priority says that the system needs the pod.
    #[must_use]
    pub fn is_critical(&self) -> bool {
        self.priority.is_some_and(|priority| priority >= SYSTEM_CRITICAL_PRIORITY)
    }
}

/// `oom_score_adj` of a container of the spec, on a node with that much memory (in bytes). `is_static`: whether the pod is one.
///
/// ```
/// use seatrial::objects::{PodSpec, oom_score_adj};
///
/// let wire = serde_json::json!({"containers": [{"name": "c", "resources": {"requests": {"memory": "4G"}}}]});
/// let spec = PodSpec::from_wire(wire.as_object().cloned().unwrap_or_default())?;
/// assert_eq!(oom_score_adj(&spec, &spec.containers[0], false, 8_000_000_000), 500);
/// # Ok::<(), seatrial::objects::WireError>(())
/// ```
#[must_use]
pub fn oom_score_adj(spec: &PodSpec, container: &Container, is_static: bool, memory: i64) -> i64 {
    if (is_static || spec.is_critical()) && *spec.priority_class_name == *NODE_CRITICAL {
        return GUARANTEED;
    }
    match spec.qos_class {
        QosClass::Guaranteed => return GUARANTEED,
        QosClass::BestEffort => return BEST_EFFORT,
        QosClass::Burstable => {}
    }
    let share = pod_share(spec);
    let score = |request: i64| {
        let request = i128::from(request) + i128::from(share);
        i64::try_from(1000 - 1000 * request / i128::from(memory.max(1))).unwrap_or(0)
    };
    let mut adjusted = score(container.resources.requests.memory);
    let is_sidecar = container.is_sidecar() && spec.init_containers.iter().any(|init| init.name == container.name);
    if is_sidecar {
        let least = spec.containers.iter().map(|regular| regular.resources.requests.memory).min();
        adjusted = adjusted.min(score(least.unwrap_or(0)));
    }
    adjusted.clamp(BEST_EFFORT + GUARANTEED, BEST_EFFORT - 1)
}

/// What a pod-level request leaves over for each container.
fn pod_share(spec: &PodSpec) -> i64 {
    let Some(pod_level) = &spec.resources else { return 0 };
    if pod_level.requests.named == 0 && pod_level.requests.extended.is_empty() {
        return 0;
    }
    let aggregate = container_requests(spec.wire());
    let requested = aggregate.get("memory").map_or(0, |quantity| quantity.value());
    let containers = i64::try_from(spec.containers.len() + spec.init_containers.len()).unwrap_or(1).max(1);
    (pod_level.requests.memory - requested) / containers
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scores(spec: Value, memory: i64) -> Vec<i64> {
        let spec = PodSpec::from_wire(spec.as_object().cloned().unwrap_or_default()).expect("a spec");
        let all = spec.init_containers.iter().chain(&spec.containers);
        all.map(|container| oom_score_adj(&spec, container, false, memory)).collect()
    }

    fn requesting(memory: Value) -> Value {
        json!({"name": "c", "resources": {"requests": {"memory": memory}}})
    }

    #[test]
    fn the_more_is_requested_the_later_a_container_is_killed() {
        let one = |container: Value| scores(json!({"containers": [container]}), 8_000_000_000)[0];
        assert_eq!(one(requesting(json!("4G"))), 500);
        assert_eq!(one(requesting(json!("1G"))), 875);
        assert_eq!(one(requesting(json!("7999999999"))), 3);
        assert_eq!(one(requesting(json!("800G"))), 3);
        assert_eq!(one(json!({"name": "c", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}})), 999);
        assert_eq!(one(json!({"name": "c"})), 1000);
        let all = json!({"cpu": "1", "memory": "1G"});
        assert_eq!(one(json!({"name": "c", "resources": {"limits": all, "requests": all}})), -997);
    }

    #[test]
    fn sidecars_are_no_more_killable_than_the_most_killable_regular_container() {
        let sidecar = json!({"name": "s", "restartPolicy": "Always"});
        let spec =
            json!({"initContainers": [sidecar], "containers": [requesting(json!("4G")), requesting(json!("2G"))]});
        assert_eq!(scores(spec, 8_000_000_000), [750, 500, 750]);
    }

    #[test]
    fn pod_level_requests_are_shared_out() {
        let containers = json!([requesting(json!("1G")), {"name": "d"}]);
        let spec = json!({"resources": {"requests": {"memory": "5G"}}, "containers": containers});
        assert_eq!(scores(spec, 8_000_000_000), [1000 - 375, 1000 - 250]);
    }

    #[test]
    fn node_critical_pods_are_the_last() {
        let class = |name: &str, priority: i32| {
            let spec = json!({"priorityClassName": name, "priority": priority, "containers": [{"name": "c"}]});
            scores(spec, 8_000_000_000)[0]
        };
        assert_eq!(class("system-node-critical", 2_000_001_000), -997);
        assert_eq!(class("system-cluster-critical", 2_000_000_000), 1000);
    }
}
