//! Arithmetic of rollouts: bounds, sizes of ReplicaSets, one step of a rolling update, proportional scaling.

use std::sync::Arc;

use seatrial::controllers::deployment::rolling::{grow_new, new_replica_set_size, shrink_old};
use seatrial::controllers::deployment::scaling::{self, Resize};
use seatrial::controllers::deployment::util::annotations::with_replicas;
use seatrial::controllers::deployment::util::fenceposts::{Fenceposts, min_available};
use seatrial::controllers::deployment::util::sets::ReplicaSets;
use seatrial::objects::{Deployment, DeploymentSpec, DeploymentStrategy, IntOrPercent, ReplicaSet, Resource};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::case::{Case, Outcome, compare};

pub(crate) fn check(case: &Case<'_>) -> Outcome {
    let got = match case.input["op"].as_str() {
        Some("fenceposts") => fenceposts(case.input)?,
        Some("newRSNewReplicas") => new_size(case.input).unwrap_or_else(|error| json!({"error": error})),
        Some("reconcile") => reconcile(case.input).unwrap_or_else(|error| json!({"error": error})),
        Some("scale") => scale(case.input)?,
        op => return Err(format!("in.op: unknown operation {op:?}").into()),
    };
    compare(case.output, &got)
}

fn fenceposts(input: &Value) -> Result<Value, String> {
    let bound =
        |key: &str| Option::<IntOrPercent>::deserialize(&input[key]).map_err(|error| format!("in.{key}: {error}"));
    let (max_surge, max_unavailable) = (bound("maxSurge")?, bound("maxUnavailable")?);
    let replicas =
        input["replicas"].as_i64().and_then(|n| i32::try_from(n).ok()).ok_or("in.replicas: no 32-bit integer")?;
    let resolved = Fenceposts::resolve(max_surge.as_ref(), max_unavailable.as_ref(), replicas);
    let strategy = DeploymentStrategy::RollingUpdate { max_surge, max_unavailable };
    let spec = DeploymentSpec { replicas, strategy, ..DeploymentSpec::default() };
    let used = Fenceposts::of(&spec);
    let deployment = Deployment { spec, ..Deployment::default() };
    let mut out = json!({
        "MaxSurge": used.surge, "MaxUnavailable": used.unavailable, "MinAvailable": min_available(&deployment),
    });
    match resolved {
        Ok(Fenceposts { surge, unavailable }) => {
            out["resolveFenceposts"] = json!({"surge": surge, "unavailable": unavailable});
        }
        Err(error) => out["error"] = error.to_string().into(),
    }
    Ok(out)
}

fn read(input: &Value) -> Result<(Deployment, ReplicaSets), String> {
    let deployment = Deployment::from_wire(input["deployment"].clone()).map_err(|error| error.message)?;
    let sets = input["replicaSets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sets =
        sets.iter().map(|wire| ReplicaSet::from_wire(wire.clone()).map(Arc::new).map_err(|error| error.to_string()));
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    Ok((deployment, ReplicaSets::with_new(sets, input["newRS"].as_str())))
}

fn new_size(input: &Value) -> Result<Value, String> {
    let (deployment, sets) = read(input)?;
    let new = sets.new_set().ok_or("in.newRS: no such ReplicaSet")?;
    let size = new_replica_set_size(&deployment.spec, sets.desired(), new.spec.replicas);
    Ok(json!({"newReplicas": size.map_err(|error| error.to_string())?}))
}

/// Carries resizes out, as the controller would; gives the Events.
fn apply(deployment: &Deployment, sets: &mut ReplicaSets, resizes: &[Resize]) -> Vec<String> {
    let mut events = Vec::new();
    for resize in resizes {
        let mut set = ReplicaSet::clone(&sets.all()[resize.at]);
        let from = std::mem::replace(&mut set.spec.replicas, resize.to);
        if from != resize.to {
            let message = scaling::message(&set.meta.name, from, resize.to);
            events.push(format!("Normal ScalingReplicaSet {message}"));
        }
        set.meta.annotations = with_replicas(&set.meta.annotations, deployment);
        sets.refresh(resize.at, Arc::new(set));
    }
    events
}

fn sizes(sets: &ReplicaSets) -> Map<String, Value> {
    sets.all().iter().map(|set| (set.meta.name.to_string(), set.spec.replicas.into())).collect()
}

fn reconcile(input: &Value) -> Result<Value, String> {
    let (deployment, mut sets) = read(input)?;
    if let Some(resize) = grow_new(&deployment, &sets).map_err(|error| error.to_string())? {
        let events = apply(&deployment, &mut sets, &[resize]);
        return Ok(json!({"scaledNew": true, "scaledOld": null, "replicas": sizes(&sets), "events": events}));
    }
    let plan = shrink_old(&deployment, &sets);
    let events = apply(&deployment, &mut sets, &plan.resizes);
    Ok(json!({"scaledNew": false, "scaledOld": plan.scaled, "replicas": sizes(&sets), "events": events}))
}

fn scale(input: &Value) -> Result<Value, String> {
    let (deployment, mut sets) = read(input)?;
    let plan = scaling::plan(&deployment, &sets);
    let events = apply(&deployment, &mut sets, &plan);
    let noted = |set: &Arc<ReplicaSet>| -> Map<String, Value> {
        let ours = set.meta.annotations.iter().filter(|(key, _)| key.starts_with("deployment.kubernetes.io/"));
        ours.map(|(key, value)| (key.to_owned(), value.into())).collect()
    };
    let annotations: Map<String, Value> =
        sets.all().iter().map(|set| (set.meta.name.to_string(), noted(set).into())).collect();
    Ok(json!({"replicas": sizes(&sets), "annotations": annotations, "events": events}))
}
