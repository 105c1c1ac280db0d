//! The fields of an API object that recordings and runs are compared on.

use serde_json::{Map, Value, json};

use super::python::{items, truthy};

/// The kinds whose objects are compared.
const KINDS: &[&str] = &[
    "Pod",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "ReplicationController",
    "PodDisruptionBudget",
    "EndpointSlice",
    "Node",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Service",
    "ControllerRevision",
    "Event",
];

/// The compared fields of an object; `None` if its kind is not compared.
pub(crate) fn project(object: &Value) -> Option<Map<String, Value>> {
    let kind = object["kind"].as_str().filter(|kind| KINDS.contains(kind))?;
    let own = match kind {
        "Event" => return Some(fields(event(object))),
        "Pod" => pod(object),
        "ReplicaSet" => replica_set(object),
        "Deployment" => deployment(object),
        "EndpointSlice" => endpoint_slice(object),
        "Node" => node(object),
        "PersistentVolumeClaim" => {
            json!({"volume": object["spec"]["volumeName"], "phase": object["status"]["phase"]})
        }
        "PersistentVolume" => {
            json!({"claim": object["spec"]["claimRef"]["name"], "phase": object["status"]["phase"]})
        }
        "Service" => service(object),
        "ControllerRevision" => json!({"revision": object["revision"]}),
        _ => workload(object),
    };
    let mut projected = fields(common(&object["metadata"]));
    projected.extend(fields(own));
    Some(projected)
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn or(value: &Value, default: Value) -> Value {
    if truthy(value) { value.clone() } else { default }
}

fn common(metadata: &Value) -> Value {
    let owner = items(&metadata["ownerReferences"]).iter().find(|reference| truthy(&reference["controller"]));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    json!({
        "owner": owner.map(|owner| text(&owner["kind"]) + "/" + &text(&owner["name"])),
        "deleting": metadata.get("deletionTimestamp").is_some(),
        "finalizers": or(&metadata["finalizers"], json!([])),
        "labels": or(&metadata["labels"], json!({})),
    })
}

/// Status and reason of each condition, by type.
fn conditions(object: &Value) -> Map<String, Value> {
    let pair = |condition: &Value| {
        let reason = condition.get("reason").cloned().unwrap_or_else(|| "".into());
        (condition["type"].as_str().unwrap_or_default().to_owned(), json!([condition["status"], reason]))
    };
    items(&object["status"]["conditions"]).iter().map(pair).collect()
}

fn images(pod_spec: &Value) -> Vec<&Value> {
    items(&pod_spec["containers"]).iter().map(|container| &container["image"]).collect()
}

fn pick(from: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| ((*name).to_owned(), from[*name].clone())).collect()
}

fn pod(object: &Value) -> Value {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let conditions = conditions(object);
    let restarts = items(&status["containerStatuses"]).iter().filter_map(|status| status["restartCount"].as_i64());
    let toleration =
        |toleration: &Value| json!([toleration["key"], toleration["effect"], toleration["tolerationSeconds"]]);
    json!({
        "node": spec["nodeName"],
        "phase": status["phase"],
        "ready": conditions.get("Ready").is_some_and(|ready| ready[0] == "True"),
        "conditions": conditions,
        "images": images(spec),
        "restarts": restarts.fold(0, i64::saturating_add),
        "priority": spec["priority"],
        "qos": status["qosClass"],
        "grace": metadata["deletionGracePeriodSeconds"],
        "nominated": status["nominatedNodeName"],
        "tolerations": items(&spec["tolerations"]).iter().map(toleration).collect::<Vec<_>>(),
    })
}

fn replica_set(object: &Value) -> Value {
    let annotations = &object["metadata"]["annotations"];
    let counts = ["replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas", "terminatingReplicas"];
    json!({
        "replicas": object["spec"]["replicas"],
        "status": pick(&object["status"], &counts),
        "revision": annotations["deployment.kubernetes.io/revision"],
        "desired": annotations["deployment.kubernetes.io/desired-replicas"],
        "max": annotations["deployment.kubernetes.io/max-replicas"],
        "images": images(&object["spec"]["template"]["spec"]),
    })
}

fn deployment(object: &Value) -> Value {
    let counts = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    ];
    json!({
        "replicas": object["spec"]["replicas"],
        "paused": or(&object["spec"]["paused"], json!(false)),
        "generation": object["metadata"]["generation"],
        "conditions": conditions(object),
        "revision": object["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "status": pick(&object["status"], &counts),
    })
}

/// Kinds whose status is compared as it is, but for timestamps and lists.
fn workload(object: &Value) -> Value {
    const LEFT_OUT: &[&str] = &[
        "conditions",
        "startTime",
        "completionTime",
        "uncountedTerminatedPods",
        "lastScheduleTime",
        "lastSuccessfulTime",
    ];
    let kept = |(name, value): &(&String, &Value)| {
        !LEFT_OUT.contains(&name.as_str()) && (*name != "active" || value.is_i64() || value.is_u64())
    };
    let status = object["status"].as_object().into_iter().flatten().filter(kept);
    let status: Map<String, Value> = status.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut projected = json!({
        "replicas": object["spec"]["replicas"],
        "generation": object["metadata"]["generation"],
        "status": status,
        "conditions": conditions(object),
    });
    if object["kind"] == "CronJob" {
        projected["active"] = items(&object["status"]["active"]).iter().map(|job| job["name"].clone()).collect();
    }
    projected
}

fn endpoint_slice(object: &Value) -> Value {
    let endpoint = |endpoint: &Value| {
        let conditions = &endpoint["conditions"];
        json!({
            "pod": endpoint["targetRef"]["name"],
            "ip": endpoint["addresses"],
            "ready": conditions["ready"],
            "serving": conditions["serving"],
            "terminating": conditions["terminating"],
            "node": endpoint["nodeName"],
            "hostname": endpoint["hostname"],
        })
    };
    json!({
        "service": object["metadata"]["labels"]["kubernetes.io/service-name"],
        "ports": items(&object["ports"]).iter().map(|port| json!([port["name"], port["port"]])).collect::<Vec<_>>(),
        "endpoints": items(&object["endpoints"]).iter().map(endpoint).collect::<Vec<_>>(),
    })
}

fn node(object: &Value) -> Value {
    let taint = |taint: &Value| json!([taint["key"], taint["value"], taint["effect"]]);
    json!({
        "taints": items(&object["spec"]["taints"]).iter().map(taint).collect::<Vec<_>>(),
        "unschedulable": or(&object["spec"]["unschedulable"], json!(false)),
        "ready": conditions(object).get("Ready"),
    })
}

fn service(object: &Value) -> Value {
    let spec = &object["spec"];
    let node_ports: Vec<&Value> = items(&spec["ports"]).iter().map(|port| &port["nodePort"]).collect();
    json!({"type": spec["type"], "clusterIP": spec["clusterIP"], "nodePorts": node_ports})
}

fn event(object: &Value) -> Value {
    let first =
        |values: &[&Value]| values.iter().find(|value| truthy(value)).map_or(Value::Null, |value| (*value).clone());
    let about = first(&[&object["involvedObject"], &object["regarding"]]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    json!({
        "reason": object["reason"],
        "message": first(&[&object["message"], &object["note"]]),
        "on": text(&about["kind"]) + "/" + &text(&object["involvedObject"]["name"]),
        "type": object["type"],
        "count": object["count"],
        "from": first(&[&object["source"]["component"], &object["reportingComponent"], &object["reportingController"]]),
    })
}
