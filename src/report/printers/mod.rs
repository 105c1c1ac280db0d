//! Rows of `get`, as the API server's table printers make them (upstream `pkg/printers/internalversion`): a file per family
//! of kinds.

mod autoscaling;
mod gateway;
mod kept;
mod network;
mod nodes;
mod pods;
mod policy;
mod routing;
mod volumes;
mod workloads;

use std::collections::BTreeSet;

use crate::objects::{Kind, Object, WallTime};

use super::table::age;

pub(super) use nodes::roles as node_roles;

/// Cells of one object, those of `-o wide` included, without namespace.
type Cells = Vec<String>;

/// A column of `get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name, in lower case.
    pub name: &'static str,
    /// Whether only `-o wide` shows it.
    pub is_wide: bool,
}

macro_rules! column_list {
    ($($name:literal),*; $($wide:literal),*) => {
        [
            $($crate::report::printers::Column { name: $name, is_wide: false },)*
            $($crate::report::printers::Column { name: $wide, is_wide: true },)*
        ]
    };
}
use column_list;

/// Events have columns of `-o wide` among the others.
const EVENT_COLUMNS: [Column; 10] = {
    let mut columns = column_list!("last seen", "type", "reason", "object", "subobject", "source", "message", "first seen", "count", "name";);
    let wide = [4, 5, 7, 8, 9];
    let mut at = 0;
    while at < wide.len() {
        columns[wide[at]].is_wide = true;
        at += 1;
    }
    columns
};

/// The columns of a kind.
#[must_use]
pub const fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Pod => {
            &column_list!("name", "ready", "status", "restarts", "age"; "ip", "node", "nominated node", "readiness gates")
        }
        Kind::Deployment => {
            &column_list!("name", "ready", "up-to-date", "available", "age"; "containers", "images", "selector")
        }
        Kind::ReplicaSet | Kind::ReplicationController => {
            &column_list!("name", "desired", "current", "ready", "age"; "containers", "images", "selector")
        }
        Kind::StatefulSet => &column_list!("name", "ready", "age"; "containers", "images"),
        Kind::ControllerRevision => &column_list!("name", "controller", "revision", "age"; ),
        Kind::Job => {
            &column_list!("name", "status", "completions", "duration", "age"; "containers", "images", "selector")
        }
        Kind::CronJob => {
            &column_list!("name", "schedule", "timezone", "suspend", "active", "last schedule", "age"; "containers", "images", "selector")
        }
        Kind::DaemonSet => {
            &column_list!("name", "desired", "current", "ready", "up-to-date", "available", "node selector", "age"; "containers", "images", "selector")
        }
        Kind::PodDisruptionBudget => {
            &column_list!("name", "min available", "max unavailable", "allowed disruptions", "age"; )
        }
        Kind::HorizontalPodAutoscaler => {
            &column_list!("name", "reference", "targets", "minpods", "maxpods", "replicas", "age"; )
        }
        Kind::Service => &column_list!("name", "type", "cluster-ip", "external-ip", "port(s)", "age"; "selector"),
        Kind::Node => {
            &column_list!("name", "status", "roles", "age", "version"; "internal-ip", "external-ip", "os-image", "kernel-version", "container-runtime")
        }
        Kind::Namespace => &column_list!("name", "status", "age"; ),
        Kind::EndpointSlice => &column_list!("name", "addresstype", "ports", "endpoints", "age"; ),
        Kind::Endpoints => &column_list!("name", "endpoints", "age"; ),
        Kind::Ingress => &column_list!("name", "class", "hosts", "address", "ports", "age"; ),
        Kind::IngressClass => &column_list!("name", "controller", "parameters", "age"; ),
        Kind::NetworkPolicy => &column_list!("name", "pod-selector", "age"; ),
        Kind::Event => &EVENT_COLUMNS,
        Kind::Lease => &column_list!("name", "holder", "age"; ),
        Kind::PersistentVolume => &volumes::VOLUME_COLUMNS,
        Kind::PersistentVolumeClaim => &volumes::CLAIM_COLUMNS,
        Kind::RuntimeClass => &column_list!("name", "handler", "age"; ),
        Kind::StorageClass => &volumes::CLASS_COLUMNS,
        Kind::VolumeAttachment => &volumes::ATTACHMENT_COLUMNS,
        Kind::ResourceQuota => &column_list!("name", "request", "limit", "age"; ),
        Kind::LimitRange => &column_list!("name", "created at"; ),
        Kind::GatewayClass => &column_list!("name", "controller", "accepted", "age"; "description"),
        Kind::Gateway => &column_list!("name", "class", "address", "programmed", "age"; ),
        Kind::HTTPRoute => &column_list!("name", "hostnames", "age"; ),
        Kind::ReferenceGrant | Kind::Opaque => &column_list!("name", "age"; ),
    }
}

/// The cells of an object, one for each of its kind's [`columns`], as `-o wide` shows them.
#[must_use]
pub fn cells(object: &Object, now: WallTime) -> Vec<String> {
    cells_for(object, now, true)
}

/// The cells of an object; without `-o wide` addresses of load balancers are cut short.
pub(super) fn cells_for(object: &Object, now: WallTime, wide: bool) -> Vec<String> {
    let meta = object.meta();
    let age = age(meta.creation_timestamp, now);
    let name = meta.name.to_string();
    match object {
        Object::Pod(pod) => pods::pod_cells(pod, age, now),
        Object::Deployment(deployment) => workloads::deployment_cells(deployment, age),
        Object::ReplicaSet(set) => workloads::replicated_cells(&**set, age),
        Object::ReplicationController(set) => workloads::replicated_cells(&**set, age),
        Object::StatefulSet(set) => workloads::stateful_set_cells(set, age),
        Object::ControllerRevision(revision) => workloads::revision_cells(revision, age),
        Object::Job(job) => workloads::job_cells(job, age, now),
        Object::CronJob(cron_job) => workloads::cron_job_cells(cron_job, age, now),
        Object::DaemonSet(set) => workloads::daemon_set_cells(set, age),
        Object::PodDisruptionBudget(budget) => policy::budget_cells(budget, age),
        Object::HorizontalPodAutoscaler(autoscaler) => autoscaling::autoscaler_cells(autoscaler, age),
        Object::Service(service) => network::service_cells(service, age, wide),
        Object::Node(node) => nodes::node_cells(node, age),
        Object::Namespace(namespace) => nodes::namespace_cells(namespace, age),
        Object::EndpointSlice(slice) => network::slice_cells(slice, age),
        Object::Endpoints(endpoints) => network::endpoints_cells(endpoints, age),
        Object::Ingress(ingress) => routing::ingress_cells(ingress, age, wide),
        Object::IngressClass(class) => routing::class_cells(class, age),
        Object::NetworkPolicy(policy) => routing::policy_cells(policy, age),
        Object::Event(event) => nodes::event_cells(event, now),
        Object::Lease(lease) => vec![name, lease.holder_identity.to_string(), age],
        Object::PersistentVolume(volume) => volumes::volume_cells(volume, age),
        Object::PersistentVolumeClaim(claim) => volumes::claim_cells(claim, age),
        Object::RuntimeClass(class) => vec![name, class.handler.to_string(), age],
        Object::StorageClass(class) => volumes::class_cells(class, age),
        Object::VolumeAttachment(attachment) => volumes::attachment_cells(attachment, age),
        Object::ResourceQuota(quota) => policy::quota_cells(quota, age),
        Object::LimitRange(range) => {
            vec![name, range.meta.creation_timestamp.map(|at| at.to_string()).unwrap_or_default()]
        }
        Object::GatewayClass(class) => gateway::class_cells(class, age),
        Object::Gateway(gateway) => gateway::gateway_cells(gateway, age),
        Object::HTTPRoute(route) => gateway::route_cells(route, age),
        Object::ReferenceGrant(_) => vec![name, age],
        Object::Opaque(kept) => kept::cells(kept, age),
    }
}

/// The columns of an object; kinds that are kept as data have some of their own.
pub(crate) fn columns_of(object: &Object) -> &'static [Column] {
    match object {
        Object::Opaque(kept) => kept::columns(kept),
        simulated => columns(simulated.kind()),
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// Bytes of a list of load balancers' addresses that are shown without `-o wide`.
const ADDRESSES_LEN_MAX: usize = 16;

/// Upstream `loadBalancerStatusStringer`: the IP address of each point, or else its host name, in order.
pub(in crate::report) fn address_list<'a>(points: impl Iterator<Item = (&'a str, &'a str)>, wide: bool) -> String {
    let shown = points.map(|(ip, hostname)| if ip.is_empty() { hostname } else { ip });
    let sorted: BTreeSet<&str> = shown.filter(|address| !address.is_empty()).collect();
    let list = sorted.into_iter().collect::<Vec<_>>().join(",");
    if wide || list.len() <= ADDRESSES_LEN_MAX {
        return list;
    }
    let end = (0..=ADDRESSES_LEN_MAX - 3).rev().find(|at| list.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &list[..end])
}
