//! One scheduling attempt: which nodes pass, why the others do not, how many points each gets, and what is said.

use seatrial::api::{Change, ChangeType, View};
use seatrial::objects::{Kind, Object, WallTime, defaults};
use seatrial::scheduler::{Code, Explanation, Scheduler, Verdict};
use serde_json::{Map, Value, json};

use crate::case::{Case, Miss, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    if let Some(missing) = missing(case.input) {
        return Err(Miss::Skipped(format!("{missing} not simulated yet")));
    }
    if case.output.get("nominatedNode").is_some() {
        return Err(Miss::Skipped("preemption not simulated yet".to_owned()));
    }
    let (mut scheduler, view) = cluster(case.input)?;
    let Object::Pod(pod) = object(Kind::Pod, &case.input["pod"], "incoming")? else {
        return Err("in.pod: no pod".to_owned().into());
    };
    let explanation = scheduler.explain(&view, &pod);
    let mut expected = case.output.clone();
    if let Some(output) = expected.as_object_mut() {
        output.remove("preFilter");
    }
    // Plugins that are not there give no points to the cases that get here.
    for node in expected["nodes"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(scores) = node.get_mut("scores").and_then(Value::as_object_mut) {
            for absent in ["DynamicResources", "ImageLocality"] {
                scores.remove(absent);
            }
        }
    }
    compare(&expected, &outcome(&explanation))
}

/// What the case needs and the scheduler does not have.
fn missing(input: &Value) -> Option<&'static str> {
    let pods = input["pods"].as_array().into_iter().flatten().chain([&input["pod"]]);
    for pod in pods {
        let affinity = &pod["spec"]["affinity"];
        if !affinity["podAffinity"].is_null() || !affinity["podAntiAffinity"].is_null() {
            return Some("affinity between pods");
        }
    }
    let spec = &input["pod"]["spec"];
    let images = |node: &Value| !node["status"]["images"].is_null();
    match () {
        () if !spec["topologySpreadConstraints"].is_null() => Some("a pod's own spread constraints"),
        () if input["nodes"].as_array().into_iter().flatten().any(images) => Some("image locality"),
        () if input["owners"].as_array().into_iter().flatten().any(|owner| owner["kind"] != "ReplicaSet") => {
            Some("a workload of another kind")
        }
        () => None,
    }
}

fn cluster(input: &Value) -> Result<(Scheduler, View), String> {
    let (mut scheduler, mut view) = (Scheduler::default(), View::default());
    let lists = [("services", Kind::Service), ("owners", Kind::ReplicaSet), ("nodes", Kind::Node), ("pods", Kind::Pod)];
    for (list, kind) in lists {
        for (at, wire) in input[list].as_array().into_iter().flatten().enumerate() {
            let object = object(kind, wire, &format!("{list}-{at}"))?;
            let change = Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 };
            view.apply(&change);
            scheduler.on_change(&view, &change, WallTime::default());
        }
    }
    Ok((scheduler, view))
}

fn object(kind: Kind, wire: &Value, uid: &str) -> Result<Object, String> {
    let mut wire = wire.clone();
    (wire["apiVersion"], wire["kind"]) = (kind.api_version().into(), kind.as_str().into());
    defaults::apply(kind.as_str(), kind.api_version(), &mut wire);
    if wire["metadata"]["uid"].is_null() {
        wire["metadata"]["uid"] = uid.into();
    }
    Object::from_wire(wire).map_err(|error| format!("in.{uid}: {error}"))
}

fn outcome(explanation: &Explanation) -> Value {
    let mut nodes = Map::new();
    let mut best: Vec<&str> = Vec::new();
    let totals = explanation.nodes.iter().filter_map(|(_, verdict)| match verdict {
        Verdict::Feasible { total, .. } => Some(*total),
        Verdict::Refused { .. } => None,
    });
    let highest = totals.max();
    for (name, verdict) in &explanation.nodes {
        let told = match verdict {
            Verdict::Feasible { scores, total } => {
                if Some(*total) == highest {
                    best.push(name);
                }
                let scores: Map<String, Value> =
                    scores.iter().map(|(n, score)| ((*n).into(), (*score).into())).collect();
                json!({"feasible": true, "scores": scores, "total": total})
            }
            Verdict::Refused { code, plugin, reasons } => {
                let code = match code {
                    Code::UnschedulableAndUnresolvable => "UnschedulableAndUnresolvable",
                    Code::Unschedulable | Code::Success => "Unschedulable",
                };
                let mut told = json!({"feasible": false, "code": code});
                if let Some(plugin) = plugin {
                    told["plugin"] = (*plugin).into();
                }
                if !reasons.is_empty() {
                    told["reasons"] = reasons.iter().map(|reason| reason.as_str()).collect();
                }
                told
            }
        };
        nodes.insert(name.to_string(), told);
    }
    best.sort_unstable();
    let mut outcome = json!({"nodes": nodes, "message": explanation.message});
    if !best.is_empty() {
        outcome["best"] = best.into();
    }
    outcome
}
