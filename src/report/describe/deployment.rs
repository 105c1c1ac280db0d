//! `describe deployment` (upstream `describeDeployment`).

use std::sync::Arc;

use super::events_about;
use super::parts::{conditions, events, labels_and_annotations, name_and_namespace, rfc1123};
use super::tabs::TabWriter;
use super::template::pod_template;
use crate::controllers::deployment::kubectl::replica_sets;
use crate::objects::wire::Wire;
use crate::objects::{Deployment, ReplicaSet, Resource};
use crate::sim::Simulation;

pub(super) fn describe(out: &mut TabWriter, sim: &Simulation, deployment: &Arc<Deployment>) {
    let (meta, status, wire) = (&deployment.meta, &deployment.status, deployment.to_wire());
    let spec = wire.at("spec");
    name_and_namespace(out, meta);
    out.field(0, "CreationTimestamp", meta.creation_timestamp.map_or_else(String::new, rfc1123));
    labels_and_annotations(out, meta);
    out.field(0, "Selector", &deployment.spec.selector.compiled);
    let counts = [
        (deployment.spec.replicas, "desired"),
        (status.updated_replicas, "updated"),
        (status.replicas, "total"),
        (status.available_replicas, "available"),
        (status.unavailable_replicas, "unavailable"),
    ];
    out.field(0, "Replicas", counts.map(|(count, what)| format!("{count} {what}")).join(" | "));
    let strategy = spec.at("strategy");
    out.field(0, "StrategyType", strategy.text("type"));
    out.field(0, "MinReadySeconds", spec.int("minReadySeconds"));
    if let Some(bounds) = strategy.get_some("rollingUpdate") {
        let bound = |name: &str| bounds.at(name).as_str().map_or_else(|| bounds.int(name).to_string(), str::to_owned);
        let text = format!("{} max unavailable, {} max surge", bound("maxUnavailable"), bound("maxSurge"));
        out.field(0, "RollingUpdateStrategy", text);
    }
    pod_template(out, &deployment.spec.template);
    conditions(out, wire.at("status").list("conditions"));
    let sets = replica_sets(sim.view(), deployment);
    let old: Vec<&Arc<ReplicaSet>> = sets.old().map(|(_, set)| set).collect();
    let new: Vec<&Arc<ReplicaSet>> = sets.new_set().into_iter().collect();
    if !old.is_empty() || !new.is_empty() {
        out.field(0, "OldReplicaSets", sets_in_words(&old));
        out.field(0, "NewReplicaSet", sets_in_words(&new));
    }
    events(out, events_about(sim, meta), sim.wall());
}

fn sets_in_words(sets: &[&Arc<ReplicaSet>]) -> String {
    let one = |set: &&Arc<ReplicaSet>| {
        format!("{} ({}/{} replicas created)", set.meta.name, set.status.replicas, set.spec.replicas)
    };
    let all: Vec<String> = sets.iter().map(one).collect();
    super::parts::or_none(&all.join(", ")).to_owned()
}
