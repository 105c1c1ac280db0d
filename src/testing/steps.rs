//! What users do, step by step, in kubectl's verbs.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::faults::Fault;
use super::machines::Machine;
use super::workloads::{BROKEN_IMAGE, Workload, WorkloadKind, bound, rolling};
use crate::objects::to_yaml;
use crate::sim::ZONE_LABEL;

/// When a drain is given up.
pub(super) const DRAIN_TIMEOUT_SECS: u64 = 120;

/// One step. Workloads by number, counted round and round; nodes and pods by number, of which there may be none: a step that
/// is refused is part of the game.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Time passes.
    Wait {
        /// How much.
        secs: u64,
    },
    /// `kubectl apply` of a workload as it was at first; one that was deleted comes back.
    Apply(usize),
    /// `kubectl scale`.
    Scale(usize, i32),
    /// `kubectl set image`; version 0 never becomes ready.
    SetImage(usize, u8),
    /// `kubectl rollout restart`.
    Restart(usize),
    /// `kubectl rollout undo`.
    Undo(usize),
    /// `kubectl rollout pause`.
    Pause(usize),
    /// `kubectl rollout resume`.
    Resume(usize),
    /// `kubectl patch` of a Deployment's `maxSurge` and `maxUnavailable`.
    Bounds(usize, Value, Value),
    /// `kubectl delete`, with `background`, `foreground` or `orphan`.
    Delete(usize, &'static str),
    /// `kubectl delete pod` of the n-th oldest, with `--force` if asked for.
    DeletePod {
        /// From 0.
        nth: usize,
        /// Without grace.
        force: bool,
    },
    /// Evictions of the pods of a workload.
    Evict(usize),
    /// `kubectl drain`.
    Drain(usize),
    /// `kubectl cordon` or `uncordon`.
    Cordon(usize, bool),
    /// Another `minAvailable` of a workload's budget.
    SetBudget(usize, Value),
    /// A machine joins, in that zone.
    AddNode(usize, u8),
    /// A machine stops and its Node is deleted.
    DeleteNode(usize),
    /// Sets the taint `busy` with that effect, or takes it away.
    Taint(usize, Option<&'static str>),
    /// Something befalls the cluster.
    Fault(Fault),
    /// A verb of a scenario as it is written there, such as `{"annotate": {…}}`.
    Verb(Value),
}

/// What steps are about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) machines: &'a [Machine],
    pub(super) workloads: &'a [Workload],
}

/// Steps of users at up to so many nodes, workloads and pods.
pub(super) fn voluntary(nodes: usize, zones: u8) -> BoxedStrategy<Step> {
    let node = move || 0..nodes.max(1);
    let workload = || 0..8usize;
    let cascade = prop_oneof![Just("background"), Just("foreground"), Just("orphan")];
    let taint = prop_oneof![1 => Just(None), 1 => Just(Some("NoSchedule")), 2 => Just(Some("NoExecute"))];
    let pods = (0..16usize, prop::bool::weighted(0.3)).prop_map(|(nth, force)| Step::DeletePod { nth, force });
    let rollouts = prop_oneof![
        3 => (workload(), 0..4u8).prop_map(|(workload, version)| Step::SetImage(workload, version)),
        3 => (workload(), 0..8i32).prop_map(|(workload, replicas)| Step::Scale(workload, replicas)),
        1 => workload().prop_map(Step::Restart),
        1 => workload().prop_map(Step::Undo),
        1 => workload().prop_map(Step::Pause),
        1 => workload().prop_map(Step::Resume),
        1 => (workload(), rolling()).prop_map(|(workload, (surge, unavailable))| Step::Bounds(workload, surge, unavailable)),
        1 => workload().prop_map(Step::Apply),
    ];
    let disruptions = prop_oneof![
        4 => node().prop_map(Step::Drain),
        4 => workload().prop_map(Step::Evict),
        3 => pods,
        1 => (node(), any::<bool>()).prop_map(|(node, on)| Step::Cordon(node, on)),
        1 => (workload(), cascade).prop_map(|(workload, cascade)| Step::Delete(workload, cascade)),
        1 => (workload(), bound()).prop_map(|(workload, bound)| Step::SetBudget(workload, bound)),
        1 => (node(), 0..zones.max(1)).prop_map(|(node, zone)| Step::AddNode(node, zone)),
        1 => node().prop_map(Step::DeleteNode),
        1 => (node(), taint).prop_map(|(node, effect)| Step::Taint(node, effect)),
    ];
    prop_oneof![1 => rollouts, 1 => disruptions].boxed()
}

/// Pauses between steps: short ones mostly, and long enough for nodes to be given up sometimes.
pub(super) fn pauses() -> BoxedStrategy<Step> {
    prop_oneof![4 => 0..60u64, 1 => 300..900u64].prop_map(|secs| Step::Wait { secs }).boxed()
}

impl Step {
    /// The verb of a scenario; nothing for what passes time, or is about something that there is not.
    pub(super) fn verb(&self, about: About<'_>) -> Option<Value> {
        let of = |number: usize| {
            let number = number.checked_rem(about.workloads.len())?;
            let workload = about.workloads.get(number)?;
            Some((number, workload, workload.target(number)))
        };
        Some(match self {
            Self::Wait { .. } => return None,
            Self::Apply(number) => {
                let (number, workload, _) = of(*number)?;
                json!({"apply": {"objects": yaml(&workload.manifests(number))}})
            }
            Self::Scale(number, replicas) => json!({"scale": {"target": of(*number)?.2, "replicas": replicas}}),
            Self::SetImage(number, version) => {
                let image = if *version == 0 { BROKEN_IMAGE.to_owned() } else { format!("app:v{version}") };
                json!({"setImage": {"target": of(*number)?.2, "image": image}})
            }
            Self::Restart(number) => json!({"rolloutRestart": {"target": of(*number)?.2}}),
            Self::Undo(number) => json!({"rolloutUndo": {"target": of(*number)?.2}}),
            Self::Pause(number) => json!({"rolloutPause": {"target": of(*number)?.2}}),
            Self::Resume(number) => json!({"rolloutResume": {"target": of(*number)?.2}}),
            Self::Bounds(number, surge, unavailable) => {
                let (_, workload, target) = of(*number)?;
                let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
                let patch = json!({"spec": {"strategy": {"rollingUpdate": rolling}}});
                let rolls = workload.kind == WorkloadKind::Deployment;
                rolls.then(|| json!({"patch": {"target": target, "patch": patch}}))?
            }
            Self::Delete(number, cascade) => json!({"delete": {"target": of(*number)?.2, "cascade": cascade}}),
            Self::DeletePod { nth, force: false } => json!({"delete": {"kind": "pod", "nth": nth}}),
            Self::DeletePod { nth, force: true } => json!({"delete": {"kind": "pod", "nth": nth, "gracePeriod": "0s"}}),
            Self::Evict(number) => json!({"evict": {"selector": format!("app={}", Workload::name(of(*number)?.0))}}),
            Self::Drain(node) => {
                json!({"drain": {"node": Machine::name(*node), "timeout": format!("{DRAIN_TIMEOUT_SECS}s")}})
            }
            Self::Cordon(node, on) => {
                let verb = if *on { "cordon" } else { "uncordon" };
                json!({verb: {"node": Machine::name(*node)}})
            }
            Self::SetBudget(number, bound) => {
                let (number, workload, _) = of(*number)?;
                let patch = json!({"spec": {"minAvailable": bound, "maxUnavailable": null}});
                let target = format!("pdb/{}", Workload::name(number));
                workload
                    .budget
                    .as_ref()
                    .map(|_| json!({"patch": {"target": target, "type": "merge", "patch": patch}}))?
            }
            Self::AddNode(node, zone) => {
                let labels = json!({ZONE_LABEL: Machine::zone_name(*zone)});
                json!({"addNode": {"name": Machine::name(*node), "labels": labels}})
            }
            Self::DeleteNode(node) => json!({"deleteNode": {"node": Machine::name(*node)}}),
            Self::Taint(node, effect) => {
                let mut taints = about.machines.get(*node).map(Machine::taints).unwrap_or_default();
                taints.extend(effect.map(|effect| json!({"key": "busy", "effect": effect})));
                json!({"taint": {"node": Machine::name(*node), "taints": taints}})
            }
            Self::Fault(fault) => fault.verb(),
            Self::Verb(verb) => verb.clone(),
        })
    }

    /// What ends it, so that the cluster can come to rest.
    pub(super) fn remedy(&self, about: About<'_>) -> Option<Value> {
        match self {
            Self::Drain(node) | Self::Cordon(node, true) => Self::Cordon(*node, false).verb(about),
            Self::Taint(node, Some(_)) => Self::Taint(*node, None).verb(about),
            Self::Pause(number) => Self::Resume(*number).verb(about),
            Self::Fault(fault) => fault.remedy(),
            _ => None,
        }
    }
}

/// Several documents in one text.
pub(super) fn yaml(documents: &[Value]) -> String {
    documents.iter().map(to_yaml).collect::<Vec<_>>().join("---\n")
}
