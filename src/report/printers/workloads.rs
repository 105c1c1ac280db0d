//! Rows of workloads and what belongs to them.

use crate::objects::{
    Conditions, ControllerRevision, CronJob, DaemonSet, Deployment, Job, JobSpec, PodTemplate, Replicated, Selector,
    StatefulSet, Timestamp, WallTime,
};

use super::{Cells, age};

pub(super) fn deployment_cells(deployment: &Deployment, age: String) -> Cells {
    let status = &deployment.status;
    let mut cells = vec![
        deployment.meta.name.to_string(),
        format!("{}/{}", status.ready_replicas, deployment.spec.replicas),
        status.updated_replicas.to_string(),
        status.available_replicas.to_string(),
        age,
    ];
    cells.extend(template_cells(&deployment.spec.template, &deployment.spec.selector.compiled));
    cells
}

pub(super) fn replicated_cells(set: &impl Replicated, age: String) -> Cells {
    let (spec, status) = (set.spec(), set.status());
    let counts = [spec.replicas, status.replicas, status.ready_replicas];
    let mut cells = vec![set.meta().name.to_string()];
    cells.extend(counts.map(|count| count.to_string()));
    cells.push(age);
    cells.extend(template_cells(&spec.template, &spec.selector.compiled));
    cells
}

pub(super) fn stateful_set_cells(set: &StatefulSet, age: String) -> Cells {
    let ready = format!("{}/{}", set.status.ready_replicas, set.spec.replicas);
    let mut cells = vec![set.meta.name.to_string(), ready, age];
    cells.extend(template_cells(&set.spec.template, &set.spec.selector.compiled));
    cells
}

pub(super) fn revision_cells(revision: &ControllerRevision, age: String) -> Cells {
    let controller = revision.meta.controller().map(|owner| {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        format!("{}{dot}{group}/{}", owner.kind.to_lowercase(), owner.name)
    });
    let controller = controller.unwrap_or_else(|| "<none>".to_owned());
    vec![revision.meta.name.to_string(), controller, revision.revision.to_string(), age]
}

/// Upstream `printers/internalversion.printJob`.
pub(super) fn job_cells(job: &Job, ago: String, now: WallTime) -> Cells {
    let (spec, status) = (&job.spec, &job.status);
    let completions = match spec.completions {
        Some(completions) => format!("{}/{completions}", status.succeeded),
        None if spec.parallelism > 1 => format!("{}/1 of {}", status.succeeded, spec.parallelism),
        None => format!("{}/1", status.succeeded),
    };
    let until = status.completion_time.map_or(now, Timestamp::wall);
    let duration = status.start_time.map(|start| age(Some(start), until)).unwrap_or_default();
    let ended = job.finished().map(|condition| condition.kind.to_string());
    let holding = |kind: &&&str| status.conditions.is_true(kind);
    let on_the_way = [Job::SUSPENDED, Job::FAILURE_TARGET, Job::SUCCESS_CRITERIA_MET];
    let state = match ended {
        Some(ended) => ended,
        None if job.meta.is_deleting() => "Terminating".to_owned(),
        None => on_the_way.iter().find(holding).map_or("Running", |kind| *kind).to_owned(),
    };
    let mut cells = vec![job.meta.name.to_string(), state, completions, duration, ago];
    cells.extend(job_template_cells(spec));
    cells
}

pub(super) fn cron_job_cells(cron_job: &CronJob, ago: String, now: WallTime) -> Cells {
    let (spec, status) = (&cron_job.spec, &cron_job.status);
    let none = || "<none>".to_owned();
    let last = status.last_schedule_time.map(|last| age(Some(last), now));
    let mut cells = vec![
        cron_job.meta.name.to_string(),
        spec.schedule.to_string(),
        spec.time_zone.as_ref().map_or_else(none, ToString::to_string),
        if spec.suspend { "True" } else { "False" }.to_owned(),
        status.active.len().to_string(),
        last.unwrap_or_else(none),
        ago,
    ];
    cells.extend(job_template_cells(&spec.job_template.spec));
    cells
}

pub(super) fn daemon_set_cells(set: &DaemonSet, age: String) -> Cells {
    let status = &set.status;
    let counts = [
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
    ];
    let mut cells = vec![set.meta.name.to_string()];
    cells.extend(counts.map(|count| count.to_string()));
    let template = &set.spec.template;
    let labels: Vec<String> = template.spec.node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    cells.push(if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") });
    cells.push(age);
    cells.extend(template_cells(template, &set.spec.selector.compiled));
    cells
}

/// Containers, images and selector of a Job, or of what Jobs are made from.
fn job_template_cells(spec: &JobSpec) -> [String; 3] {
    let mut cells = template_cells(&spec.template, &spec.selector.compiled);
    if spec.selector.wire.is_empty() {
        cells[2] = "<none>".to_owned();
    }
    cells
}

fn template_cells(template: &PodTemplate, selector: &Selector) -> [String; 3] {
    let join = |items: Vec<&str>| items.join(",");
    let containers = &template.spec.containers;
    [
        join(containers.iter().map(|container| &*container.name).collect()),
        join(containers.iter().map(|container| &*container.image).collect()),
        selector.to_string(),
    ]
}
