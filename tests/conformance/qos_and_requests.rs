//! QoS classes and resource totals of pods.

use seatrial::objects::pod_resources::{
    ResourceAmounts, ResourceOptions, container_requests, pod_limits, pod_requests, qos_class,
};
use seatrial::objects::{PodSpec, Resources, defaults};
use seatrial::scheduler::CpuMemory;
use serde_json::{Map, Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let mut pod = case.input["pod"].clone();
    (pod["apiVersion"], pod["kind"]) = ("v1".into(), "Pod".into());
    defaults::apply("Pod", "v1", &mut pod);
    let spec = &pod["spec"];
    let resizing = ResourceOptions { status: pod.get("status"), ..ResourceOptions::default() };
    let mut got = json!({
        "qosClass": qos_class(spec).as_str(),
        "requests": texts(&pod_requests(spec, ResourceOptions::default())),
        "limits": texts(&pod_limits(spec, ResourceOptions::default())),
        "requestsWithoutOverhead":
            texts(&pod_requests(spec, ResourceOptions { without_overhead: true, ..ResourceOptions::default() })),
        "containerRequests": texts(&container_requests(spec)),
        "scheduler": scheduler(spec, resizing)?,
    });
    if case.output.get("requestsWithStatus").is_some() {
        got["requestsWithStatus"] = texts(&pod_requests(spec, resizing));
    }
    if case.output.get("limitsWithStatus").is_some() {
        got["limitsWithStatus"] = texts(&pod_limits(spec, resizing));
    }
    compare(case.output, &got)
}

fn texts(amounts: &ResourceAmounts) -> Value {
    amounts.iter().map(|(name, amount)| (name.clone(), amount.to_string().into())).collect::<Map<_, _>>().into()
}

/// What the scheduler accounts for.
fn scheduler(spec: &Value, resizing: ResourceOptions<'_>) -> Result<Value, String> {
    let wire = spec.as_object().cloned().ok_or("in.pod.spec: no object")?;
    let compiled = PodSpec::from_wire(wire).map_err(|error| error.to_string())?;
    let requests = Resources::from(&pod_requests(spec, resizing));
    let is_resizing = resizing.status.is_some_and(|status| status.get("containerStatuses").is_some());
    if !is_resizing && requests != compiled.requests {
        return Err(format!("the compiled spec requests {:?}, its wire form {requests:?}", compiled.requests));
    }
    let non_zero = if is_resizing {
        // Every container of these cases names both.
        (requests.cpu_milli, requests.memory)
    } else {
        let non_zero = CpuMemory::non_zero_of(&compiled);
        (non_zero.cpu_milli, non_zero.memory)
    };
    let scalar: Map<String, Value> =
        requests.extended.iter().map(|(name, amount)| (name.to_string(), (*amount).into())).collect();
    Ok(json!({
        "milliCPU": requests.cpu_milli, "memory": requests.memory, "ephemeralStorage": requests.ephemeral_storage,
        "scalar": scalar, "non0CPU": non_zero.0, "non0Mem": non_zero.1,
    }))
}
