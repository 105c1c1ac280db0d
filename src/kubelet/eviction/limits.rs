//! Limits of local storage: a pod over one of them is evicted whatever its node has left (upstream `localStorageEviction`).

use std::sync::Arc;

use crate::kubelet::behaviour::Behaviours;
use crate::kubelet::worker::{Role, Worker};
use crate::objects::pod_resources::{ResourceOptions, pod_limits};
use crate::objects::wire::Wire;
use crate::objects::{Quantity, WallTime};

const EPHEMERAL_STORAGE: &str = "ephemeral-storage";

/// The limits of a pod.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct StorageLimits {
    /// Of `emptyDir` volumes, by name.
    volumes: Vec<(Arc<str>, Quantity)>,
    /// Of the pod as a whole.
    pod: Option<Quantity>,
    /// Of regular containers, by place.
    containers: Vec<(usize, Quantity)>,
}

impl StorageLimits {
    /// The limits of a pod of which something is said; `None` if it has none.
    pub(in super::super) fn of(worker: &Worker) -> Option<Self> {
        let limited = |volume: &crate::objects::Volume| {
            let limit: Quantity = volume.empty_dir.as_ref()?.get("sizeLimit")?.as_str()?.parse().ok()?;
            (limit.sign() > 0).then(|| (volume.name.clone(), limit))
        };
        let volumes: Vec<_> = worker.spec.volumes.iter().filter_map(limited).collect();
        let has_limits = |at: &usize| worker.container_spec(*at).resources.limits.ephemeral_storage > 0;
        let any = (0..worker.containers.len()).any(|at| has_limits(&at));
        if volumes.is_empty() && !any {
            return None;
        }
        let spec = worker.spec.wire();
        let pod = pod_limits(spec, ResourceOptions::default()).get(EPHEMERAL_STORAGE).copied();
        let text = |at: usize| {
            let container = spec.list("containers").get(at - worker.init_count())?;
            container.at("resources").at("limits").text(EPHEMERAL_STORAGE).parse().ok()
        };
        let containers = worker.places(Role::Main).filter(has_limits);
        let containers = containers.filter_map(|at| Some((at, text(at)?))).collect();
        Some(Self { volumes, pod, containers })
    }

    /// What is said of a pod that uses more than it may; `None` if it does not.
    pub(in super::super) fn violation(
        &self,
        worker: &Worker,
        behaviours: &Behaviours,
        now: WallTime,
    ) -> Option<String> {
        for (name, limit) in &self.volumes {
            if worker.volume_use(name, behaviours, now) > limit.value() {
                return Some(format!("Usage of EmptyDir volume {:?} exceeds the limit \"{limit}\". ", &**name));
            }
        }
        if let Some(limit) = self.pod.filter(|limit| worker.pod_use(behaviours, now).disk > limit.value()) {
            return Some(format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "));
        }
        let over = |(at, limit): &&(usize, Quantity)| worker.container_use(*at, behaviours, now).disk() > limit.value();
        let (at, limit) = self.containers.iter().find(over)?;
        let name = &worker.container_spec(*at).name;
        Some(format!("Container {name} exceeded its local ephemeral storage limit \"{limit}\". "))
    }
}
