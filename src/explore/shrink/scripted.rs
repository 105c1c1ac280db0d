//! Turns what struck at random into steps, which can then be taken away one by one.

use serde_json::{Value, json};

use crate::kernel::SimTime;
use crate::sim::{Record, Recording};

use super::draft::{Draft, FAULT};

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
                    step[FAULT] = json!(true);
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

/// The verbs that do what a fault did, as it says itself: one for each node, one if it is about no nodes, none if it ends by itself.
fn verbs(args: &Value) -> Option<Vec<Value>> {
    let step = args["as"].as_object()?;
    let Some((verb, fields)) = step.iter().next() else { return Some(Vec::new()) };
    let Some(nodes) = args["nodes"].as_array() else { return Some(vec![json!({verb: fields})]) };
    let on = |node: &Value| {
        let mut fields = fields.clone();
        fields["node"] = node.clone();
        json!({verb: fields})
    };
    Some(nodes.iter().map(on).collect())
}
