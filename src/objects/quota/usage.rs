//! What an object uses of the resources that quotas track (upstream `pkg/quota/v1/evaluator/core`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::objects::pod_resources::{ResourceAmounts, ResourceOptions, listed, pod_limits, pod_requests};
use crate::objects::storage::ResourceList;
use crate::objects::wire::Wire;
use crate::objects::{Format, Kind, Object, PersistentVolumeClaim, Pod, Quantity, Service, WallTime};

/// A pod does not say what a quota needs to know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must specify {0}")]
pub struct UsageError(String);

/// Resources whose quota makes every container name an amount: upstream's mistake, kept for those who rely on it.
const MUST_BE_NAMED: [&str; 6] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];
const POD_RESOURCES: [&str; 11] = [
    "count/pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
];
const SERVICE_RESOURCES: [&str; 4] = ["count/services", "services", "services.nodeports", "services.loadbalancers"];
const CLAIMS: &str = "persistentvolumeclaims";
const STORAGE: &str = "requests.storage";
const BY_CLASS: &str = ".storageclass.storage.k8s.io/";

/// Whether a resource of a quota is used by objects of a kind.
#[must_use]
pub fn tracked(kind: Kind, resource: &str) -> bool {
    match kind {
        Kind::Pod => {
            POD_RESOURCES.contains(&resource)
                || resource.starts_with("hugepages-")
                || resource.starts_with("requests.hugepages-")
                || resource.strip_prefix("requests.").is_some_and(is_extended)
        }
        Kind::Service => SERVICE_RESOURCES.contains(&resource),
        Kind::PersistentVolumeClaim => {
            let name = resource.split_once(BY_CLASS).map_or(resource, |(_, name)| name);
            name == CLAIMS || name == STORAGE || resource == "count/persistentvolumeclaims"
        }
        Kind::Opaque => false,
        _ => resource.strip_prefix("count/") == Some(&*kind.resource()) || is_alias(kind, resource),
    }
}

/// Kinds that may be counted by their plain name.
fn is_alias(kind: Kind, resource: &str) -> bool {
    matches!(kind, Kind::ReplicationController | Kind::ResourceQuota) && resource == kind.plural()
}

/// Names with a domain that is not Kubernetes' own.
fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.split('/').next().is_some_and(|domain| domain.ends_with("kubernetes.io"))
}

/// What an object uses. A pod that has ended, or whose grace is over, counts as an object only.
#[must_use]
pub fn usage(object: &Object, now: WallTime) -> ResourceList {
    match object {
        Object::Pod(pod) => pod_usage(pod, now),
        Object::Service(service) => service_usage(service),
        Object::PersistentVolumeClaim(claim) => claim_usage(claim),
        other => {
            let mut used = ResourceList::from([(format!("count/{}", other.kind().resource()).into(), count(1))]);
            if is_alias(other.kind(), other.kind().plural()) {
                used.insert(other.kind().plural().into(), count(1));
            }
            used
        }
    }
}

fn count(number: usize) -> Quantity {
    Quantity::from_value(i64::try_from(number).unwrap_or(i64::MAX), Format::DecimalSi)
}

fn pod_usage(pod: &Pod, now: WallTime) -> ResourceList {
    let mut used = ResourceList::from([("count/pods".into(), count(1))]);
    if !counts_for_compute(pod, now) {
        return used;
    }
    let (spec, options) = (pod.spec.wire(), ResourceOptions::default());
    used.extend(compute(&pod_requests(spec, options), &pod_limits(spec, options)));
    used
}

fn counts_for_compute(pod: &Pod, now: WallTime) -> bool {
    !pod.is_terminal() && grace_ends(pod).is_none_or(|end| now <= end)
}

/// When the grace of a pod that is being deleted is over: a pod stuck in termination is not charged beyond. The deletion
/// timestamp already includes the grace; upstream adds it once more.
#[must_use]
pub fn grace_ends(pod: &Pod) -> Option<WallTime> {
    Some(pod.meta.deletion_timestamp?.plus_secs(pod.meta.deletion_grace_period_seconds?).wall())
}

/// Requests and limits by the names that quotas have for them (upstream `podComputeUsageHelper`).
fn compute(requests: &ResourceAmounts, limits: &ResourceAmounts) -> ResourceList {
    let mut used = ResourceList::from([("pods".into(), count(1))]);
    let mut add = |name: String, amount: Quantity| used.extend([(Arc::from(name), amount)]);
    for (name, amount) in requests {
        if matches!(&**name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-") {
            add(name.clone(), *amount);
            add(format!("requests.{name}"), *amount);
        } else if is_extended(name) {
            add(format!("requests.{name}"), *amount);
        }
    }
    for (name, amount) in limits {
        if matches!(&**name, "cpu" | "memory" | "ephemeral-storage") {
            add(format!("limits.{name}"), *amount);
        }
    }
    used
}

/// Whether every container of a pod names an amount of what the quota tracks.
///
/// # Errors
/// What is missing where.
pub fn missing_requests(pod: &Pod, tracked: &[&str]) -> Result<(), UsageError> {
    let spec = pod.spec.wire();
    if !spec.at("resources").at("requests").is_null() || !spec.at("resources").at("limits").is_null() {
        return Ok(());
    }
    let required: BTreeSet<&str> = tracked.iter().copied().filter(|name| MUST_BE_NAMED.contains(name)).collect();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for container in spec.list("containers").iter().chain(spec.list("initContainers")) {
        let resources = container.at("resources");
        let named = compute(&listed(resources.at("requests")), &listed(resources.at("limits")));
        for name in required.iter().filter(|name| !named.contains_key(**name)) {
            missing.entry(name).or_default().insert(container.text("name"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let texts = missing.into_iter().map(|(name, containers)| {
        let containers: Vec<&str> = containers.into_iter().collect();
        format!("{name} for: {}", containers.join(","))
    });
    Err(UsageError(texts.collect::<Vec<_>>().join("; ")))
}

fn service_usage(service: &Service) -> ResourceList {
    let ports = match &*service.spec.kind {
        "NodePort" => service.spec.ports.len(),
        "LoadBalancer" if service.spec.allocates_node_ports() => service.spec.ports.len(),
        "LoadBalancer" => service.spec.ports.iter().filter(|port| port.node_port != 0).count(),
        _ => 0,
    };
    let balancers = usize::from(service.spec.kind == *"LoadBalancer");
    SERVICE_RESOURCES.into_iter().map(Arc::from).zip([count(1), count(1), count(ports), count(balancers)]).collect()
}

fn claim_usage(claim: &PersistentVolumeClaim) -> ResourceList {
    let mut used = ResourceList::from([("count/persistentvolumeclaims".into(), count(1)), (CLAIMS.into(), count(1))]);
    let storage = claim.spec.resources.requests.get("storage").map(|asked| {
        let mut whole = *asked;
        whole.round_up(0);
        whole
    });
    used.extend(storage.map(|storage| (STORAGE.into(), storage)));
    let class = claim.class();
    if !class.is_empty() {
        used.insert(format!("{class}{BY_CLASS}{CLAIMS}").into(), count(1));
        used.extend(storage.map(|storage| (format!("{class}{BY_CLASS}{STORAGE}").into(), storage)));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn object(wire: Value) -> Object {
        Object::from_wire(wire).expect("a well-formed object")
    }

    fn pod(containers: Value) -> Object {
        object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}),
        )
    }

    fn used(object: &Object) -> Vec<String> {
        usage(object, WallTime::default()).iter().map(|(name, amount)| format!("{name}={amount}")).collect()
    }

    #[test]
    fn a_pod_uses_its_requests_and_limits() {
        let resources = json!({"requests": {"cpu": "100m", "example.com/gpu": "2"}, "limits": {"memory": "1Gi"}});
        let wanted = [
            "count/pods=1",
            "cpu=100m",
            "limits.memory=1Gi",
            "pods=1",
            "requests.cpu=100m",
            "requests.example.com/gpu=2",
        ];
        assert_eq!(used(&pod(json!([{"name": "c", "image": "i", "resources": resources}]))), wanted);
    }

    #[test]
    fn a_pod_that_has_ended_is_an_object_only() {
        let mut wire = pod(json!([{"name": "c", "image": "i"}])).to_wire();
        wire["status"] = json!({"phase": "Succeeded"});
        assert_eq!(used(&object(wire)), ["count/pods=1"]);
    }

    #[test]
    fn every_container_must_name_what_a_quota_tracks() {
        let resources = json!({"requests": {"cpu": "1"}});
        let Object::Pod(pod) =
            pod(json!([{"name": "b", "image": "i"}, {"name": "a", "image": "i", "resources": resources}]))
        else {
            unreachable!("a pod was made")
        };
        let missing = missing_requests(&pod, &["requests.cpu", "limits.memory", "pods"]).expect_err("it lacks some");
        assert_eq!(missing.to_string(), "must specify limits.memory for: a,b; requests.cpu for: b");
    }

    #[test]
    fn a_claim_counts_for_its_class_too() {
        let claim = object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}));
        let wanted = [
            "count/persistentvolumeclaims=1",
            "fast.storageclass.storage.k8s.io/persistentvolumeclaims=1",
            "fast.storageclass.storage.k8s.io/requests.storage=1Gi",
            "persistentvolumeclaims=1",
            "requests.storage=1Gi",
        ];
        assert_eq!(used(&claim), wanted);
        assert!(tracked(Kind::PersistentVolumeClaim, "fast.storageclass.storage.k8s.io/requests.storage"));
    }
}
