//! Turns what struck at random into steps, which can then be taken away one by one.

use serde_json::{Value, json};

use crate::kernel::SimTime;
use crate::sim::{Record, Recording};

use super::draft::Draft;

/// The draft with a step for everything that its injectors did until the failure, and without the injectors; nothing if one
/// of them did something that no verb stands for.
pub(super) fn scripted(draft: &Draft, recording: &Recording, until: SimTime) -> Option<Draft> {
    if draft.list("faults").is_empty() {
        return None;
    }
    let mut scripted = draft.clone();
    let mut steps: Vec<Value> = draft.list("steps").to_vec();
    for record in recording.records() {
        match record {
            Record::Step(at, step) if step.name == "fault" && *at <= until => {
                steps.extend(verbs(&step.args)?.into_iter().map(|mut step| {
                    step["at"] = json!(at.to_string());
                    step
                }));
            }
            Record::Step(..) | Record::Change(..) | Record::Traffic(..) => {}
        }
    }
    scripted.spec.remove("faults");
    scripted.spec.insert("steps".to_owned(), Value::Array(steps));
    Some(scripted)
}

/// The verbs of a fault that says itself how to do it to a node.
fn verbs_as(args: &Value) -> Option<Vec<Value>> {
    let (verb, fields) = args["as"].as_object()?.iter().next()?;
    let step = |node: &Value| {
        let mut fields = fields.clone();
        fields["node"] = node.clone();
        json!({verb: fields})
    };
    Some(args["nodes"].as_array()?.iter().map(step).collect())
}

/// The verbs that do what a fault did.
fn verbs(args: &Value) -> Option<Vec<Value>> {
    let verb = match args["kind"].as_str()? {
        "NodeCrash" => "nodeDown",
        "NodeRepair" => "nodeUp",
        "PodKiller" => {
            let (namespace, pod) = (args["namespace"].as_str()?, args["pod"].as_str()?);
            return Some(vec![json!({"delete": {"target": format!("pod/{pod}"), "namespace": namespace}})]);
        }
        _ => return verbs_as(args),
    };
    let nodes = args["nodes"].as_array()?;
    Some(nodes.iter().map(|node| json!({verb: {"node": node}})).collect())
}
