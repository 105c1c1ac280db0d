//! `describe`: one object at length, in kubectl's layout (upstream `kubectl/pkg/describe/describe.go`): a file per kind,
//! [`parts`] that several share.

mod containers;
mod cron_job;
mod daemon_set;
mod deployment;
mod endpoint_slice;
mod endpoints;
mod generic;
mod horizontal_pod_autoscaler;
#[cfg(test)]
mod horizontal_pod_autoscaler_tests;
mod ingress;
mod ingress_class;
mod job;
mod kept;
mod limit_range;
mod namespace;
mod network_policy;
#[cfg(test)]
mod network_tests;
mod node;
mod parts;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod quota;
mod replicated;
mod service;
mod stateful_set;
mod storage_class;
pub(super) mod tabs;
pub(super) mod template;
#[cfg(test)]
mod tests;
mod volumes;

use tabs::TabWriter;

use crate::objects::{Event, Object, ObjectMeta, Uid};
use crate::sim::{Simulation, Target};

/// What a description tells beyond kubectl's, behind the Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeOptions {
    /// The memory settings that the feature `MemoryQoS` computes.
    pub memory_qos: bool,
    /// The environment of each container and the files of volumes, all references resolved.
    pub environment: bool,
}

impl DescribeOptions {
    /// As kubectl, and no more.
    pub const KUBECTL: Self = Self { memory_qos: false, environment: false };
    /// Everything there is to tell.
    pub const ALL: Self = Self { memory_qos: true, environment: true };
}

/// Describes the object of that name as `kubectl describe` does; nothing if there is none.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{DescribeOptions, describe};
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
/// sim.run_for(SimDuration::from_secs(5));
/// let text = describe(&sim, &"pod/web".parse()?, DescribeOptions::KUBECTL).unwrap_or_default();
/// assert!(text.contains("QoS Class:"));
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn describe(sim: &Simulation, target: &Target, options: DescribeOptions) -> Option<String> {
    sim.view().object(target.kind, &target.key).map(|object| describe_object(sim, &object, options))
}

/// Describes an object as `kubectl describe` does.
#[must_use]
pub fn describe_object(sim: &Simulation, object: &Object, options: DescribeOptions) -> String {
    let mut out = TabWriter::default();
    match object {
        Object::Pod(pod) => return pod::describe(sim, pod, options),
        Object::Deployment(deployment) => deployment::describe(&mut out, sim, deployment),
        Object::ReplicaSet(set) => replicated::describe(&mut out, sim, &**set),
        Object::ReplicationController(set) => replicated::describe(&mut out, sim, &**set),
        Object::StatefulSet(set) => stateful_set::describe(&mut out, sim, set),
        Object::DaemonSet(set) => daemon_set::describe(&mut out, sim, set),
        Object::Job(job) => job::describe(&mut out, sim, job),
        Object::CronJob(cron_job) => cron_job::describe(&mut out, sim, cron_job),
        Object::HorizontalPodAutoscaler(autoscaler) => {
            horizontal_pod_autoscaler::describe(&mut out, sim, autoscaler);
        }
        Object::Node(node) => node::describe(&mut out, sim, node),
        Object::Namespace(namespace) => namespace::describe(&mut out, sim, namespace),
        Object::PersistentVolume(volume) => persistent_volume::describe(&mut out, sim, volume),
        Object::PersistentVolumeClaim(claim) => persistent_volume_claim::describe(&mut out, sim, claim),
        Object::StorageClass(class) => storage_class::describe(&mut out, sim, class),
        Object::PodDisruptionBudget(budget) => pod_disruption_budget::describe(&mut out, sim, budget),
        Object::ResourceQuota(quota) => quota::describe(&mut out, quota),
        Object::LimitRange(range) => limit_range::describe(&mut out, range),
        Object::Service(service) => service::describe(&mut out, sim, service),
        Object::EndpointSlice(slice) => endpoint_slice::describe(&mut out, sim, slice),
        Object::Endpoints(endpoints) => endpoints::describe(&mut out, sim, endpoints),
        Object::Ingress(ingress) => ingress::describe(&mut out, sim, ingress),
        Object::NetworkPolicy(policy) => network_policy::describe(&mut out, policy),
        Object::IngressClass(class) => ingress_class::describe(&mut out, sim, class),
        Object::Opaque(kept) => match (&*kept.api_version, &*kept.kind) {
            ("v1", "ConfigMap") => kept::config_map(&mut out, sim, kept),
            ("v1", "Secret") => kept::secret(&mut out, kept),
            ("v1", "ServiceAccount") => kept::service_account(&mut out, sim, kept),
            ("scheduling.k8s.io/v1", "PriorityClass") => kept::priority_class(&mut out, sim, kept),
            _ => generic::describe(&mut out, sim, object),
        },
        // RuntimeClasses, Leases, ControllerRevisions and others have no describer of their own in kubectl either.
        _ => generic::describe(&mut out, sim, object),
    }
    out.finish()
}

/// The Events about an object, by its uid.
fn events_about<'a>(sim: &'a Simulation, meta: &'a ObjectMeta) -> impl Iterator<Item = &'a Event> {
    // Those about what is in no namespace are kept in the default one.
    let namespace = if meta.namespace.is_empty() { "default" } else { &*meta.namespace };
    let events = sim.view().events.in_namespace(namespace);
    // Kubelets name a static pod by what it was made of.
    let uid = meta.annotations.get("kubernetes.io/config.mirror").map_or_else(|| meta.uid.clone(), Uid::parse);
    events.map(|event| &**event).filter(move |event| {
        let about = &event.involved_object;
        // Kubelets know their Node by its name only.
        let by_name = meta.namespace.is_empty() && matches!(&about.uid, Uid::Text(name) if **name == *meta.name);
        (about.uid == uid || by_name) && *about.name == *meta.name
    })
}
