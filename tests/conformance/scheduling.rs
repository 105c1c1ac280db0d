//! One scheduling attempt: which nodes pass, why the others do not, how many points each gets, and what is said.

use seatrial::api::{Change, ChangeType, View};
use seatrial::objects::{Kind, Labels, Object, WallTime, defaults, merge_label_keys};
use seatrial::scheduler::{Code, Explanation, Scheduler, Verdict};
use serde_json::{Map, Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let explanation = explain(case.input)?;
    let mut expected = case.output.clone();
    if let Some(output) = expected.as_object_mut() {
        output.remove("preFilter");
    }
    // What gives no points to any node is left out here and there: a plugin that skips, or one that is not there.
    for node in expected["nodes"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(scores) = node.get_mut("scores").and_then(Value::as_object_mut) {
            scores.remove("DynamicResources");
            if scores.get("ImageLocality") == Some(&json!(0)) {
                scores.remove("ImageLocality");
            }
        }
    }
    compare(&expected, &outcome(&explanation))
}

/// What the scheduler makes of the incoming pod.
pub(crate) fn explain(input: &Value) -> Result<Explanation, String> {
    let (mut scheduler, view) = cluster(input)?;
    let mut incoming = input["pod"].clone();
    let labels: Labels = serde_json::from_value(incoming["metadata"]["labels"].clone()).unwrap_or_default();
    if let Some(spec) = incoming["spec"].as_object_mut() {
        merge_label_keys(spec, &labels);
    }
    let Object::Pod(pod) = object(Kind::Pod, &incoming, "incoming")? else {
        return Err("in.pod: no pod".to_owned());
    };
    Ok(scheduler.explain(&view, &pod))
}

fn cluster(input: &Value) -> Result<(Scheduler, View), String> {
    let (mut scheduler, mut view) = (Scheduler::default(), View::default());
    let lists = [
        ("namespaces", Kind::Namespace),
        ("services", Kind::Service),
        ("pdbs", Kind::PodDisruptionBudget),
        ("owners", Kind::ReplicaSet),
        ("nodes", Kind::Node),
        ("pods", Kind::Pod),
    ];
    let usual = ["default", "other"]
        .map(|name| json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}));
    for (list, kind) in lists {
        let given = input[list].as_array().map(Vec::as_slice);
        let wires = given.unwrap_or(if list == "namespaces" { &usual } else { &[] });
        for (at, wire) in wires.iter().enumerate() {
            // The list of owners has several kinds.
            let kind =
                wire["kind"].as_str().and_then(|name| Kind::of(wire["apiVersion"].as_str()?, name)).unwrap_or(kind);
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
                let told = scores.iter().filter(|(plugin, score)| *plugin != "ImageLocality" || *score != 0);
                let scores: Map<String, Value> = told.map(|(n, score)| ((*n).into(), (*score).into())).collect();
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
