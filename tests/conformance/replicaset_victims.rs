//! Which pods a ReplicaSet deletes when it shrinks.

use std::sync::Arc;

use seatrial::api::{Change, ChangeType, View};
use seatrial::controllers::pod_ranking::{deletion_order, pods_to_delete, related_pods_by_node};
use seatrial::objects::{Key, Kind, Object, Pod, Timestamp};
use serde_json::{Value, json};

use crate::case::{Case, Miss, Outcome, compare};

/// The relation between pods is no order, so that what comes out of sorting depends on how it is sorted. Up to this
/// many Go sorts by insertion, as we do; above, only which pods go can be compared.
const EXACT_LENGTH: usize = 12;

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let input = case.input;
    let view = view(input)?;
    let name = input["replicaSet"].as_str().ok_or("in.replicaSet: no text".to_owned())?;
    let namespace = input["replicaSets"][0]["metadata"]["namespace"].as_str().unwrap_or_default();
    let set = view.replica_sets.get(&Key::new(namespace, name)).ok_or("in.replicaSet: none such".to_owned())?;
    let now: Timestamp =
        input["now"].as_str().unwrap_or_default().parse().map_err(|error| format!("in.now: {error}"))?;
    let diff = input["diff"].as_u64().and_then(|n| usize::try_from(n).ok()).ok_or("in.diff: no number".to_owned())?;

    let owned = view.pods.controlled_by(&set.meta.uid);
    let active: Vec<&Arc<Pod>> =
        owned.filter(|pod| pod.is_active() && set.spec.selector.compiled.matches(&pod.meta.labels)).collect();
    let related = related_pods_by_node(&view, &**set);
    let order = deletion_order(&active, &related, now.wall());
    let names = |at: &[usize]| -> Vec<String> { at.iter().map(|at| active[*at].meta.name.to_string()).collect() };
    let rank = |at: &usize| related.get(&*active[*at].node_name).copied().unwrap_or(0);
    let victims = pods_to_delete(&view, &**set, &active, diff, now.wall());
    let mut victims: Vec<String> = victims.iter().map(|pod| pod.meta.name.to_string()).collect();
    victims.sort();

    if let Some(allowed) = case.output["victimsOneOf"].as_array() {
        return if allowed.contains(&json!(victims)) {
            Ok(())
        } else {
            Err(Miss::Differs(format!("victims: expected one of {} got {victims:?}", case.output["victimsOneOf"])))
        };
    }
    let ranks: Vec<u32> = order.iter().map(rank).collect();
    let order = if order.is_empty() { Value::Null } else { json!(names(&order)) };
    let mut got = json!({"order": order, "ranks": ranks, "victims": victims});
    let mut expected = case.output.clone();
    if active.len() > EXACT_LENGTH {
        for list in ["order", "ranks"] {
            (expected[list], got[list]) = (Value::Null, Value::Null);
        }
    }
    compare(&expected, &got)
}

fn view(input: &Value) -> Result<View, String> {
    let mut view = View::default();
    for (list, kind) in [("replicaSets", Kind::ReplicaSet), ("pods", Kind::Pod)] {
        for wire in input[list].as_array().map(Vec::as_slice).unwrap_or_default() {
            let mut wire = wire.clone();
            wire["apiVersion"] = kind.api_version().into();
            wire["kind"] = kind.as_str().into();
            let object = Object::from_wire(wire).map_err(|error| format!("in.{list}: {error}"))?;
            view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
        }
    }
    Ok(view)
}
