//! `get`: objects as kubectl lists them.

use serde_json::{Value, json};

use crate::objects::{
    Conditions, ControllerRevision, CronJob, DaemonSet, Deployment, EndpointSlice, Event, IntOrPercent, Job,
    JobCondition, JobSpec, Kind, Namespace, Node, Object, PodDisruptionBudget, Replicated, ResourceQuota, Selector,
    Service, StatefulSet, Timestamp, WallTime,
};
use crate::sim::Simulation;

use super::pod_row::pod_cells;
use super::table::{Table, age};
use super::volumes;

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A table.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// `kind/name` lines.
    Name,
    /// YAML documents.
    Yaml,
    /// JSON.
    Json,
}

/// Which objects are printed, and how.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// Kind.
    pub kind: Kind,
    /// Only the object of that name.
    pub name: Option<String>,
    /// Namespace; `None` = all.
    pub namespace: Option<String>,
    /// Only objects with such labels.
    pub selector: Option<Selector>,
    /// Format.
    pub format: OutputFormat,
}

/// Prints objects as `kubectl get` does; `None` if there are none.
#[must_use]
pub fn get(sim: &Simulation, options: &GetOptions) -> Option<String> {
    let mut objects = sim.view().list(options.kind);
    objects.retain(|object| {
        let meta = object.meta();
        let here = !options.kind.is_namespaced()
            || options.namespace.as_ref().is_none_or(|namespace| *meta.namespace == **namespace);
        here && options.name.as_ref().is_none_or(|name| *meta.name == **name)
            && options.selector.as_ref().is_none_or(|selector| selector.matches(&meta.labels))
    });
    if objects.is_empty() {
        return None;
    }
    Some(match options.format {
        OutputFormat::Table => table(&objects, options, false, sim.wall()),
        OutputFormat::Wide => table(&objects, options, true, sim.wall()),
        OutputFormat::Name => objects.iter().map(|object| format!("{}\n", qualified_name(object))).collect(),
        OutputFormat::Yaml => yaml(&objects, options),
        OutputFormat::Json => format!("{:#}\n", document(&objects, options)),
    })
}

/// The row of an object: names of its columns, those of `-o wide` included, and its cells.
#[must_use]
pub fn row(object: &Object, now: WallTime) -> (Vec<&'static str>, Vec<String>) {
    let (columns, more) = columns(object.kind());
    (columns.iter().chain(more).copied().collect(), cells(object, now))
}

fn qualified_name(object: &Object) -> String {
    let kind = object.kind();
    let group = kind.group();
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group}/{}", object.kind_name().to_lowercase(), object.meta().name)
}

fn document(objects: &[Object], options: &GetOptions) -> Value {
    match (objects, &options.name) {
        ([object], Some(_)) => object.to_wire(),
        _ => {
            let items: Vec<Value> = objects.iter().map(Object::to_wire).collect();
            json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}})
        }
    }
}

fn yaml(objects: &[Object], options: &GetOptions) -> String {
    serde_yaml::to_string(&document(objects, options)).unwrap_or_default()
}

/// Cells of one object, without namespace.
type Cells = Vec<String>;

fn table(objects: &[Object], options: &GetOptions, wide: bool, now: WallTime) -> String {
    let (columns, more) = columns(options.kind);
    let with_namespace = options.namespace.is_none() && options.kind.is_namespaced();
    let mut header: Vec<&str> = if with_namespace { vec!["namespace"] } else { Vec::new() };
    header.extend(columns.iter().chain(if wide { more } else { &[] }));
    let mut table = Table::new(&header);
    for object in objects {
        let mut row = if with_namespace { vec![object.meta().namespace.to_string()] } else { Vec::new() };
        let cells = cells(object, now);
        row.extend(cells.into_iter().take(header.len() - usize::from(with_namespace)));
        table.row(row);
    }
    table.to_string()
}

/// Columns of a kind, and those that `-o wide` adds.
const fn columns(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        Kind::Pod => {
            (&["name", "ready", "status", "restarts", "age"], &["ip", "node", "nominated node", "readiness gates"])
        }
        Kind::Deployment => {
            (&["name", "ready", "up-to-date", "available", "age"], &["containers", "images", "selector"])
        }
        Kind::ReplicaSet | Kind::ReplicationController => {
            (&["name", "desired", "current", "ready", "age"], &["containers", "images", "selector"])
        }
        Kind::StatefulSet => (&["name", "ready", "age"], &["containers", "images"]),
        Kind::ControllerRevision => (&["name", "controller", "revision", "age"], &[]),
        Kind::Job => (&["name", "status", "completions", "duration", "age"], &["containers", "images", "selector"]),
        Kind::CronJob => (
            &["name", "schedule", "timezone", "suspend", "active", "last schedule", "age"],
            &["containers", "images", "selector"],
        ),
        Kind::DaemonSet => (
            &["name", "desired", "current", "ready", "up-to-date", "available", "node selector", "age"],
            &["containers", "images", "selector"],
        ),
        Kind::PodDisruptionBudget => (&["name", "min available", "max unavailable", "allowed disruptions", "age"], &[]),
        Kind::Service => (&["name", "type", "cluster-ip", "external-ip", "port(s)", "age"], &["selector"]),
        Kind::Node => (&["name", "status", "roles", "age", "version"], &["internal-ip"]),
        Kind::Namespace => (&["name", "status", "age"], &[]),
        Kind::EndpointSlice => (&["name", "addresstype", "ports", "endpoints", "age"], &[]),
        Kind::Event => (&["last seen", "type", "reason", "object", "message"], &[]),
        Kind::Lease => (&["name", "holder", "age"], &[]),
        Kind::PersistentVolume => volumes::VOLUME_COLUMNS,
        Kind::PersistentVolumeClaim => volumes::CLAIM_COLUMNS,
        Kind::RuntimeClass => (&["name", "handler", "age"], &[]),
        Kind::StorageClass => volumes::CLASS_COLUMNS,
        Kind::VolumeAttachment => volumes::ATTACHMENT_COLUMNS,
        Kind::ResourceQuota => (&["name", "request", "limit", "age"], &[]),
        Kind::LimitRange => (&["name", "created at"], &[]),
        Kind::Opaque => (&["name", "age"], &[]),
    }
}

fn cells(object: &Object, now: WallTime) -> Cells {
    let meta = object.meta();
    let age = age(meta.creation_timestamp, now);
    let name = meta.name.to_string();
    match object {
        Object::Pod(pod) => pod_cells(pod, age, now),
        Object::Deployment(deployment) => deployment_cells(deployment, age),
        Object::ReplicaSet(set) => replicated_cells(&**set, age),
        Object::ReplicationController(set) => replicated_cells(&**set, age),
        Object::StatefulSet(set) => stateful_set_cells(set, age),
        Object::ControllerRevision(revision) => revision_cells(revision, age),
        Object::Job(job) => job_cells(job, age, now),
        Object::CronJob(cron_job) => cron_job_cells(cron_job, age, now),
        Object::DaemonSet(set) => daemon_set_cells(set, age),
        Object::PodDisruptionBudget(budget) => budget_cells(budget, age),
        Object::Service(service) => service_cells(service, age),
        Object::Node(node) => node_cells(node, age),
        Object::Namespace(namespace) => namespace_cells(namespace, age),
        Object::EndpointSlice(slice) => slice_cells(slice, age),
        Object::Event(event) => event_cells(event, now),
        Object::Lease(lease) => vec![name, lease.holder_identity.to_string(), age],
        Object::PersistentVolume(volume) => volumes::volume_cells(volume, age),
        Object::PersistentVolumeClaim(claim) => volumes::claim_cells(claim, age),
        Object::RuntimeClass(class) => vec![name, class.handler.to_string(), age],
        Object::StorageClass(class) => volumes::class_cells(class, age),
        Object::VolumeAttachment(attachment) => volumes::attachment_cells(attachment, age),
        Object::ResourceQuota(quota) => quota_cells(quota, age),
        Object::LimitRange(range) => {
            vec![name, range.meta.creation_timestamp.map(|at| at.to_string()).unwrap_or_default()]
        }
        Object::Opaque(_) => vec![name, age],
    }
}

fn deployment_cells(deployment: &Deployment, age: String) -> Cells {
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

fn replicated_cells(set: &impl Replicated, age: String) -> Cells {
    let (spec, status) = (set.spec(), set.status());
    let counts = [spec.replicas, status.replicas, status.ready_replicas];
    let mut cells = vec![set.meta().name.to_string()];
    cells.extend(counts.map(|count| count.to_string()));
    cells.push(age);
    cells.extend(template_cells(&spec.template, &spec.selector.compiled));
    cells
}

fn stateful_set_cells(set: &StatefulSet, age: String) -> Cells {
    let ready = format!("{}/{}", set.status.ready_replicas, set.spec.replicas);
    let mut cells = vec![set.meta.name.to_string(), ready, age];
    cells.extend(template_cells(&set.spec.template, &set.spec.selector.compiled));
    cells
}

fn revision_cells(revision: &ControllerRevision, age: String) -> Cells {
    let controller = revision.meta.controller().map(|owner| {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let dot = if group.is_empty() { "" } else { "." };
        format!("{}{dot}{group}/{}", owner.kind.to_lowercase(), owner.name)
    });
    let controller = controller.unwrap_or_else(|| "<none>".to_owned());
    vec![revision.meta.name.to_string(), controller, revision.revision.to_string(), age]
}

/// Upstream `printers/internalversion.printJob`.
fn job_cells(job: &Job, age: String, now: WallTime) -> Cells {
    let (spec, status) = (&job.spec, &job.status);
    let completions = match spec.completions {
        Some(completions) => format!("{}/{completions}", status.succeeded),
        None if spec.parallelism > 1 => format!("{}/1 of {}", status.succeeded, spec.parallelism),
        None => format!("{}/1", status.succeeded),
    };
    let until = status.completion_time.map_or(now, Timestamp::wall);
    let duration = status.start_time.map(|start| super::table::age(Some(start), until)).unwrap_or_default();
    let ended = job.finished().map(|condition| condition.kind.to_string());
    let holding = |kind: &&&str| status.holding(kind).is_some();
    let on_the_way = [JobCondition::SUSPENDED, JobCondition::FAILURE_TARGET, JobCondition::SUCCESS_CRITERIA_MET];
    let state = match ended {
        Some(ended) => ended,
        None if job.meta.is_deleting() => "Terminating".to_owned(),
        None => on_the_way.iter().find(holding).map_or("Running", |kind| *kind).to_owned(),
    };
    let mut cells = vec![job.meta.name.to_string(), state, completions, duration, age];
    cells.extend(job_template_cells(spec));
    cells
}

fn cron_job_cells(cron_job: &CronJob, age: String, now: WallTime) -> Cells {
    let (spec, status) = (&cron_job.spec, &cron_job.status);
    let none = || "<none>".to_owned();
    let last = status.last_schedule_time.map(|last| super::table::age(Some(last), now));
    let mut cells = vec![
        cron_job.meta.name.to_string(),
        spec.schedule.to_string(),
        spec.time_zone.as_ref().map_or_else(none, ToString::to_string),
        if spec.suspend { "True" } else { "False" }.to_owned(),
        status.active.len().to_string(),
        last.unwrap_or_else(none),
        age,
    ];
    cells.extend(job_template_cells(&spec.job_template.spec));
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

fn daemon_set_cells(set: &DaemonSet, age: String) -> Cells {
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

fn budget_cells(budget: &PodDisruptionBudget, age: String) -> Cells {
    let bound = |bound: &Option<IntOrPercent>| bound.as_ref().map_or_else(|| "N/A".to_owned(), ToString::to_string);
    vec![
        budget.meta.name.to_string(),
        bound(&budget.spec.min_available),
        bound(&budget.spec.max_unavailable),
        budget.status.disruptions_allowed.to_string(),
        age,
    ]
}

/// Upstream `printers/internalversion.printResourceQuota`.
fn quota_cells(quota: &ResourceQuota, age: String) -> Cells {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (name, hard) in &quota.status.hard {
        let used = quota.status.used.get(name).copied().unwrap_or_default();
        let column = if name.starts_with("limits.") { &mut limits } else { &mut requests };
        column.push(format!("{name}: {used}/{hard}"));
    }
    vec![quota.meta.name.to_string(), requests.join(", "), limits.join(", "), age]
}

fn template_cells(template: &crate::objects::PodTemplate, selector: &Selector) -> [String; 3] {
    let join = |items: Vec<&str>| items.join(",");
    let containers = &template.spec.containers;
    [
        join(containers.iter().map(|container| &*container.name).collect()),
        join(containers.iter().map(|container| &*container.image).collect()),
        selector.to_string(),
    ]
}

fn service_cells(service: &Service, age: String) -> Cells {
    let spec = &service.spec;
    let ports: Vec<String> = spec
        .ports
        .iter()
        .map(|port| match port.node_port {
            0 => format!("{}/{}", port.port, port.protocol),
            node_port => format!("{}:{node_port}/{}", port.port, port.protocol),
        })
        .collect();
    let external = if spec.kind == *"LoadBalancer" { "<pending>" } else { "<none>" };
    let or_none = |text: String| if text.is_empty() { "<none>".to_owned() } else { text };
    let selector = spec.selector.iter().flat_map(|labels| labels.iter()).map(|(k, v)| format!("{k}={v}"));
    vec![
        service.meta.name.to_string(),
        spec.kind.to_string(),
        or_none(spec.cluster_ip.to_string()),
        external.to_owned(),
        or_none(ports.join(",")),
        age,
        or_none(selector.collect::<Vec<_>>().join(",")),
    ]
}

fn node_cells(node: &Node, age: String) -> Cells {
    let ready = if node.status.conditions.is_true("Ready") { "Ready" } else { "NotReady" };
    let cordoned = if node.spec.unschedulable { ",SchedulingDisabled" } else { "" };
    let prefix = "node-role.kubernetes.io/";
    let roles: Vec<&str> = node.meta.labels.iter().filter_map(|(key, _)| key.strip_prefix(prefix)).collect();
    let roles = if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") };
    let addresses = node.status.rest.get("addresses").and_then(Value::as_array);
    let internal = addresses.into_iter().flatten().find(|a| a.get("type") == Some(&json!("InternalIP")));
    let ip = internal.and_then(|a| a.get("address")?.as_str()).unwrap_or("<none>");
    let version = node.status.rest.get("nodeInfo").and_then(|info| info.get("kubeletVersion")?.as_str());
    let version = version.unwrap_or("v1.36.0");
    vec![node.meta.name.to_string(), format!("{ready}{cordoned}"), roles, age, version.to_owned(), ip.to_owned()]
}

fn namespace_cells(namespace: &Namespace, age: String) -> Cells {
    vec![namespace.meta.name.to_string(), namespace.phase.to_string(), age]
}

fn slice_cells(slice: &EndpointSlice, age: String) -> Cells {
    let list = |items: Vec<String>| match items.len() {
        0 => "<unset>".to_owned(),
        1..=3 => items.join(","),
        more => format!("{} + {} more...", items[..3].join(","), more - 3),
    };
    let ports = slice.ports.iter().filter_map(|port| port.port).map(|port| port.to_string()).collect();
    let addresses = slice.endpoints.iter().filter_map(|e| e.addresses.first()).map(ToString::to_string).collect();
    vec![slice.meta.name.to_string(), slice.address_type.to_string(), list(ports), list(addresses), age]
}

fn event_cells(event: &Event, now: WallTime) -> Cells {
    let object = format!("{}/{}", event.involved_object.kind.to_lowercase(), event.involved_object.name);
    vec![
        age(event.last_timestamp, now),
        event.kind.to_string(),
        event.reason.to_string(),
        object,
        event.message.to_string(),
    ]
}
