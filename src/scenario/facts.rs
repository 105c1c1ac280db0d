//! What expressions can ask of a cluster.

use crate::controllers::{daemon_set, deployment, stateful_set};
use crate::objects::{
    Conditions, ContainerState, DaemonSetStatus, Job, Kind, Object, Pod, PodPhase, Replicated, Selector,
};
use crate::sim::{Simulation, Target};

use super::expression::Argument;

/// A number that can be asked for by name.
pub(super) fn number(sim: &Simulation, name: &str, argument: Option<&Argument>) -> Option<i64> {
    if name == "unchangedFor" {
        return i64::try_from(sim.now().since(sim.last_news()).as_secs()).ok();
    }
    match (name, argument?) {
        ("pods", Argument::Selector(selector)) => Some(pods(sim, selector)),
        ("podsReady", Argument::Selector(selector)) => {
            Some(count(sim, selector, |pod| pod.is_active() && pod.is_ready()))
        }
        ("podsPending", Argument::Selector(selector)) => Some(in_phase(sim, selector, PodPhase::Pending)),
        ("podsRunning", Argument::Selector(selector)) => Some(in_phase(sim, selector, PodPhase::Running)),
        ("podsSucceeded", Argument::Selector(selector)) => Some(in_phase(sim, selector, PodPhase::Succeeded)),
        ("podsFailed", Argument::Selector(selector)) => Some(in_phase(sim, selector, PodPhase::Failed)),
        ("waiting", Argument::Selector(selector)) => Some(waiting(sim, selector)),
        ("restarts", Argument::Selector(selector)) => Some(restarts(sim, selector)),
        ("podsEvicted", Argument::Selector(selector)) => {
            Some(count(sim, selector, |pod| pod.status.reason == *"Evicted"))
        }
        ("podsRejected", Argument::Selector(selector)) => {
            Some(count(sim, selector, |pod| pod.status.message.starts_with("Pod was rejected: ")))
        }
        ("oomKilled", Argument::Selector(selector)) => Some(oom_killed(sim, selector)),
        ("attachments", Argument::Target(target)) => Some(sim.view().attachments_of(&target.key.name).count() as i64),
        ("runningCopies", Argument::Target(target)) => {
            Some(sim.running_pods().filter(|(_, pod, _)| **pod == target.key).count() as i64)
        }
        ("podsOn", Argument::Target(target)) => {
            Some(sim.view().pods_on(&target.key.name).filter(|pod| pod.is_active()).count() as i64)
        }
        ("disruptionsAllowed", Argument::Target(target)) => {
            let budget = sim.view().pod_disruption_budgets.get(&target.key)?;
            Some(i64::from(budget.status.disruptions_allowed))
        }
        ("jobs", Argument::Target(target)) => Some(jobs(sim, target, |_| true)),
        ("activeJobs", Argument::Target(target)) => Some(jobs(sim, target, |job| !job.is_finished())),
        ("endpoints", Argument::Target(target)) => Some(ready_endpoints(sim, target)),
        ("httpStatus", Argument::Way(way)) => Some(way.status(sim)),
        ("addresses", Argument::Way(way)) => Some(way.addresses(sim)),
        (name, Argument::Target(target)) if target.kind == Kind::Job => job_number(sim, name, target),
        (name, Argument::Target(target)) => replicas(sim, name, target),
        _ => None,
    }
}

/// What a function takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// An object of one of these kinds; empty = of any.
    Target(&'static [Kind]),
    /// A label selector of pods.
    Selector,
    /// A client and where it wants to go.
    Way,
}

const SCALED: Takes =
    Takes::Target(&[Kind::Deployment, Kind::ReplicaSet, Kind::ReplicationController, Kind::StatefulSet]);
const JOB: Takes = Takes::Target(&[Kind::Job]);
const CRON_JOB: Takes = Takes::Target(&[Kind::CronJob]);
const COUNTED: Takes = Takes::Target(&[
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::ReplicationController,
    Kind::StatefulSet,
    Kind::DaemonSet,
]);
const ROLLED: Takes = Takes::Target(&[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet]);
const DAEMON_SET: Takes = Takes::Target(&[Kind::DaemonSet]);
const NODE: Takes = Takes::Target(&[Kind::Node]);

/// Names of [`number`], each with the kind of argument it takes.
pub(super) const NUMBERS: &[(&str, Takes)] = &[
    ("replicas", SCALED),
    ("ready", COUNTED),
    ("available", COUNTED),
    ("updated", COUNTED),
    ("unavailable", COUNTED),
    ("desired", DAEMON_SET),
    ("current", DAEMON_SET),
    ("misscheduled", DAEMON_SET),
    ("succeeded", JOB),
    ("active", JOB),
    ("failures", JOB),
    ("terminating", JOB),
    ("endpoints", Takes::Target(&[Kind::Service])),
    ("podsOn", NODE),
    ("runningCopies", Takes::Target(&[Kind::Pod])),
    ("disruptionsAllowed", Takes::Target(&[Kind::PodDisruptionBudget])),
    ("jobs", CRON_JOB),
    ("activeJobs", CRON_JOB),
    ("attachments", Takes::Target(&[Kind::PersistentVolume])),
    ("pods", Takes::Selector),
    ("podsReady", Takes::Selector),
    ("podsPending", Takes::Selector),
    ("podsRunning", Takes::Selector),
    ("podsSucceeded", Takes::Selector),
    ("podsFailed", Takes::Selector),
    ("waiting", Takes::Selector),
    ("restarts", Takes::Selector),
    ("httpStatus", Takes::Way),
    ("addresses", Takes::Way),
    ("podsEvicted", Takes::Selector),
    ("podsRejected", Takes::Selector),
    ("oomKilled", Takes::Selector),
    ("unchangedFor", Takes::Nothing),
];

/// Names of [`truth`], each with the kind of argument it takes.
pub(super) const TRUTHS: &[(&str, Takes)] = &[
    ("rolloutComplete", ROLLED),
    ("exists", Takes::Target(&[])),
    ("nodeReady", NODE),
    ("draining", NODE),
    ("memoryPressure", NODE),
    ("diskPressure", NODE),
    ("pidPressure", NODE),
    ("deadlineExceeded", Takes::Target(&[Kind::Deployment, Kind::Job])),
    ("complete", JOB),
    ("failed", JOB),
    ("suspended", JOB),
    ("quiescent", Takes::Nothing),
    ("podReady", Takes::Target(&[Kind::Pod])),
    ("loadBalancerReady", Takes::Target(&[Kind::Service])),
    ("claimBound", Takes::Target(&[Kind::PersistentVolumeClaim])),
    ("hasData", Takes::Target(&[Kind::PersistentVolume, Kind::PersistentVolumeClaim])),
    ("foundData", Takes::Target(&[Kind::Pod])),
    ("reachable", Takes::Way),
];

/// What a DaemonSet's status counts: nodes.
fn nodes(status: &DaemonSetStatus, name: &str) -> Option<i64> {
    Some(i64::from(match name {
        "desired" => status.desired_number_scheduled,
        "current" => status.current_number_scheduled,
        "misscheduled" => status.number_misscheduled,
        "ready" => status.number_ready,
        "available" => status.number_available,
        "updated" => status.updated_number_scheduled,
        "unavailable" => status.number_unavailable,
        _ => return None,
    }))
}

fn replicas(sim: &Simulation, name: &str, target: &Target) -> Option<i64> {
    let view = sim.view();
    if target.kind == Kind::DaemonSet {
        return nodes(&view.daemon_sets.get(&target.key)?.status, name);
    }
    let status = match target.kind {
        Kind::Deployment => {
            let status = &view.deployments.get(&target.key)?.status;
            let counts = [status.replicas, status.ready_replicas, status.available_replicas];
            (counts, status.updated_replicas, status.unavailable_replicas)
        }
        Kind::ReplicaSet => of_set(&**view.replica_sets.get(&target.key)?),
        Kind::ReplicationController => of_set(&**view.replication_controllers.get(&target.key)?),
        Kind::StatefulSet => {
            let set = view.stateful_sets.get(&target.key)?;
            let counts = [set.status.replicas, set.status.ready_replicas, set.status.available_replicas];
            let unavailable = set.spec.replicas.saturating_sub(set.status.available_replicas).max(0);
            (counts, set.status.updated_replicas, unavailable)
        }
        _ => return None,
    };
    let ([all, ready, available], updated, unavailable) = status;
    Some(i64::from(match name {
        "replicas" => all,
        "ready" => ready,
        "available" => available,
        "updated" => updated,
        "unavailable" => unavailable,
        _ => return None,
    }))
}

/// Replicas, ready and available ones; updated ones; unavailable ones.
fn of_set(set: &impl Replicated) -> ([i32; 3], i32, i32) {
    let status = set.status();
    let counts = [status.replicas, status.ready_replicas, status.available_replicas];
    (counts, status.replicas, (set.spec().replicas - status.available_replicas).max(0))
}

/// A count of a Job's status.
fn job_number(sim: &Simulation, name: &str, target: &Target) -> Option<i64> {
    let status = &sim.view().jobs.get(&target.key)?.status;
    Some(i64::from(match name {
        "succeeded" => status.succeeded,
        "active" => status.active,
        "failures" => status.failed,
        "terminating" => status.terminating.unwrap_or(0),
        _ => return None,
    }))
}

/// Whether a condition of a Job holds, and, if one is asked for, for that reason.
fn job_states(sim: &Simulation, target: &Target, kind: &str, reason: Option<&str>) -> bool {
    let condition = sim.view().jobs.get(&target.key).and_then(|job| job.status.conditions.holding(kind));
    condition.is_some_and(|condition| reason.is_none_or(|reason| condition.reason == *reason))
}

fn pods(sim: &Simulation, selector: &Selector) -> i64 {
    count(sim, selector, Pod::is_active)
}

/// Pods that have no node yet.
fn waiting(sim: &Simulation, selector: &Selector) -> i64 {
    count(sim, selector, |pod| pod.is_active() && !pod.is_bound())
}

fn in_phase(sim: &Simulation, selector: &Selector, phase: PodPhase) -> i64 {
    count(sim, selector, |pod| pod.status.phase == phase)
}

fn count(sim: &Simulation, selector: &Selector, chosen: impl Fn(&Pod) -> bool) -> i64 {
    sim.view().pods.iter().filter(|pod| selector.matches(&pod.meta.labels) && chosen(pod)).count() as i64
}

/// Jobs of a CronJob, however they were made.
fn jobs(sim: &Simulation, cron_job: &Target, counts: fn(&Job) -> bool) -> i64 {
    sim.view().jobs_controlled_by(&cron_job.key).filter(|job| counts(job)).count() as i64
}

fn restarts(sim: &Simulation, selector: &Selector) -> i64 {
    let chosen = sim.view().pods.iter().filter(|pod| selector.matches(&pod.meta.labels));
    chosen.flat_map(|pod| pod.status.container_statuses.iter()).map(|status| i64::from(status.restart_count)).sum()
}

/// Containers whose latest end was that the kernel killed them for their memory.
fn oom_killed(sim: &Simulation, selector: &Selector) -> i64 {
    let is_killed = |state: &ContainerState| match state {
        ContainerState::Terminated(end) => end.reason == *"OOMKilled",
        ContainerState::Running { .. } | ContainerState::Waiting { .. } | ContainerState::None => false,
    };
    let chosen = sim.view().pods.iter().filter(|pod| selector.matches(&pod.meta.labels));
    let statuses = chosen.flat_map(|pod| pod.status.container_statuses.iter());
    statuses.filter(|status| is_killed(&status.state) || is_killed(&status.last_state)).count() as i64
}

fn node_condition(sim: &Simulation, target: &Target, condition: &str) -> bool {
    sim.view().nodes.get(&target.key).is_some_and(|node| node.status.conditions.is_true(condition))
}

fn ready_endpoints(sim: &Simulation, target: &Target) -> i64 {
    let slices = sim.view().slices_of(&target.key);
    slices.flat_map(|slice| slice.endpoints.iter()).filter(|e| e.conditions.ready != Some(false)).count() as i64
}

/// A statement that can be asked for by name.
pub(super) fn truth(sim: &Simulation, name: &str, argument: Option<&Argument>) -> Option<bool> {
    match (name, argument) {
        ("quiescent", None) => Some(sim.is_quiescent()),
        ("exists", Some(Argument::Target(target))) => Some(sim.view().object(target.kind, &target.key).is_some()),
        ("rolloutComplete", Some(Argument::Target(target))) => Some(rollout_complete(sim, target)),
        ("complete", Some(Argument::Target(target))) => Some(job_states(sim, target, Job::COMPLETE, None)),
        ("failed", Some(Argument::Target(target))) => Some(job_states(sim, target, Job::FAILED, None)),
        ("suspended", Some(Argument::Target(target))) => Some(job_states(sim, target, Job::SUSPENDED, None)),
        ("deadlineExceeded", Some(Argument::Target(target))) if target.kind == Kind::Job => {
            Some(job_states(sim, target, Job::FAILED, Some("DeadlineExceeded")))
        }
        ("deadlineExceeded", Some(Argument::Target(target))) => {
            let deployment = sim.view().deployments.get(&target.key)?;
            let progressing = deployment.status.conditions.find("Progressing");
            Some(progressing.is_some_and(|condition| condition.reason == *"ProgressDeadlineExceeded"))
        }
        ("nodeReady", Some(Argument::Target(target))) => Some(node_condition(sim, target, "Ready")),
        ("memoryPressure", Some(Argument::Target(target))) => Some(node_condition(sim, target, "MemoryPressure")),
        ("diskPressure", Some(Argument::Target(target))) => Some(node_condition(sim, target, "DiskPressure")),
        ("pidPressure", Some(Argument::Target(target))) => Some(node_condition(sim, target, "PIDPressure")),
        ("draining", Some(Argument::Target(target))) => Some(sim.is_draining(&target.key.name)),
        ("reachable", Some(Argument::Way(way))) => Some(way.is_reachable(sim)),
        (name, Some(Argument::Target(target))) => of_storage(sim, name, target),
        _ => None,
    }
}

fn of_storage(sim: &Simulation, name: &str, target: &Target) -> Option<bool> {
    let (view, key) = (sim.view(), &target.key);
    match (name, target.kind) {
        ("podReady", _) => Some(view.pods.get(key)?.is_ready()),
        ("loadBalancerReady", _) => Some(!view.services.get(key)?.status.load_balancer.ingress.is_empty()),
        ("claimBound", _) => Some(view.persistent_volume_claims.get(key)?.is_bound()),
        ("hasData", Kind::PersistentVolume) => Some(sim.disks().content(view.persistent_volumes.get(key)?).is_some()),
        ("hasData", _) => Some(sim.disks().content_of_claim(view, key).is_some()),
        ("foundData", _) => Some(sim.disks().was_found_by(&view.pods.get(key)?.meta.uid)),
        _ => None,
    }
}

fn rollout_complete(sim: &Simulation, target: &Target) -> bool {
    match sim.view().object(target.kind, &target.key) {
        Some(Object::Deployment(deployment)) => deployment::is_complete(&deployment, &deployment.status),
        Some(Object::StatefulSet(set)) => stateful_set::kubectl::status(&set).is_ok_and(|(_, done)| done),
        Some(Object::DaemonSet(set)) => daemon_set::kubectl::status(&set).is_ok_and(|(_, done)| done),
        _ => false,
    }
}
