//! Load balancers of a cloud for Services (upstream `k8s.io/cloud-provider/controllers/service`), and the cloud itself, of which
//! only addresses and the time remain that it takes.
//!
//! As upstream does by default, one worker looks after Services, one load balancer at a time: the second of two that are
//! applied together waits for the first. Another worker tells load balancers of changed sets of nodes.

mod cloud;
mod nodes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::api::{
    Change, ChangeType, Context, Enqueue, EventKind, EventSpec, MetaPatch, Part, RateLimit, Reconciler, Request,
    Response, Step, View,
};
use crate::kernel::SimDuration;
use crate::objects::{Key, Kind, LoadBalancerIngress, LoadBalancerStatus, Node, Object, Resource, Service, WallTime};

use cloud::Cloud;
use nodes::NodeUpdates;

pub use nodes::is_balanced;

/// Keeps a Service until its load balancer is gone.
pub const LOAD_BALANCER_FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

/// Keys of the two workers.
const SERVICES: &str = "services";
const NODES: &str = "nodes";

/// The service controller of a cloud provider.
///
/// ```
/// use seatrial::api::Reconciler;
/// use seatrial::controllers::ServiceLbController;
/// use seatrial::kernel::SimDuration;
/// let half_a_minute = SimDuration::from_secs(30);
/// let controller = ServiceLbController::new(half_a_minute, SimDuration::from_secs(5), half_a_minute);
/// assert_eq!(controller.name(), "service-controller");
/// ```
#[derive(Clone, Debug)]
pub struct ServiceLbController {
    provisioning_takes: SimDuration,
    updating_takes: SimDuration,
    deleting_takes: SimDuration,
    cloud: Cloud,
    /// Services to look at, in this order.
    waiting: VecDeque<Key>,
    queued: BTreeSet<Key>,
    job: Option<Job>,
    nodes: NodeUpdates,
}

/// What the cloud is doing.
#[derive(Clone, Debug)]
struct Job {
    service: Key,
    work: Work,
    end: WallTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Ensure,
    Delete,
}

impl ServiceLbController {
    /// A controller whose cloud takes that long for a new load balancer, for a change of one, and for its end.
    #[must_use]
    pub fn new(provisioning_takes: SimDuration, updating_takes: SimDuration, deleting_takes: SimDuration) -> Self {
        Self {
            provisioning_takes,
            updating_takes,
            deleting_takes,
            cloud: Cloud::default(),
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
            job: None,
            nodes: NodeUpdates::default(),
        }
    }

    fn service_changed(&mut self, change: &Change, queue: &mut Enqueue) {
        let Some((old, service)) = change.of::<Service>() else { return };
        let due = match change.change_type {
            ChangeType::Added => wants_balancer(service) || needs_cleanup(service),
            ChangeType::Modified => needs_cleanup(service) || old.is_some_and(|old| needs_update(old, service)),
            ChangeType::Deleted => {
                self.cloud.forget(&service.key());
                false
            }
        };
        if due && self.queued.insert(service.key()) {
            self.waiting.push_back(service.key());
            queue.add(Key::new("", SERVICES));
        }
    }

    /// Ends what is done, and begins the next thing.
    fn work(&mut self, cx: Context<'_>) -> Step<()> {
        let mut requests = Vec::new();
        loop {
            if let Some(job) = self.job.take() {
                if let Some(left) = time_left(job.end, cx.now) {
                    self.job = Some(job);
                    return Step::last(requests).requeue_after(left);
                }
                self.finish(cx.view, &job, &mut requests);
            }
            let Some(key) = self.waiting.pop_front() else { return Step::last(requests) };
            self.queued.remove(&key);
            if let Some(service) = cx.view.services.get(&key) {
                self.begin(cx, service, &mut requests);
            }
        }
    }

    fn begin(&mut self, cx: Context<'_>, service: &Arc<Service>, requests: &mut Vec<Request>) {
        let key = service.key();
        let exists = self.cloud.has(&key);
        let (work, takes) = if wants_balancer(service) && !needs_cleanup(service) {
            requests.push(tell(service, EventKind::Normal, "EnsuringLoadBalancer", "Ensuring load balancer"));
            if !service.meta.has_finalizer(LOAD_BALANCER_FINALIZER) {
                let add_finalizers = vec![LOAD_BALANCER_FINALIZER.into()];
                requests.push(patch(service, MetaPatch { add_finalizers, ..MetaPatch::default() }));
            }
            let hosts = nodes::balanced(cx.view);
            if hosts.is_empty() {
                requests.push(nobody(service));
            }
            self.nodes.set(key.clone(), hosts);
            (Work::Ensure, if exists { self.updating_takes } else { self.provisioning_takes })
        } else {
            if exists {
                requests.push(tell(service, EventKind::Normal, "DeletingLoadBalancer", "Deleting load balancer"));
            }
            (Work::Delete, if exists { self.deleting_takes } else { SimDuration::ZERO })
        };
        self.job = Some(Job { service: key, work, end: after(cx.now, takes) });
    }

    fn finish(&mut self, view: &View, job: &Job, requests: &mut Vec<Request>) {
        let service = view.services.get(&job.service);
        if job.work == Work::Delete {
            self.cloud.forget(&job.service);
            self.nodes.forget(&job.service);
        }
        let Some(service) = service else { return };
        let mut status = LoadBalancerStatus::default();
        match job.work {
            Work::Ensure => {
                let ip = self.cloud.address(&job.service, &service.spec.load_balancer_ip).to_string();
                let point = LoadBalancerIngress { ip: ip.into(), ip_mode: Some("VIP".into()), ..Default::default() };
                status.ingress = [point].into_iter().collect();
                requests.push(tell(service, EventKind::Normal, "EnsuredLoadBalancer", "Ensured load balancer"));
            }
            Work::Delete => {
                if service.meta.has_finalizer(LOAD_BALANCER_FINALIZER) {
                    let remove_finalizers = vec![LOAD_BALANCER_FINALIZER.into()];
                    requests.push(patch(service, MetaPatch { remove_finalizers, ..MetaPatch::default() }));
                }
                requests.push(tell(service, EventKind::Normal, "DeletedLoadBalancer", "Deleted load balancer"));
            }
        }
        // The status of a Service that is on its way out, or of another type by now, tells nobody anything.
        let tells = match job.work {
            Work::Ensure => wants_balancer(service),
            Work::Delete => !service.meta.is_deleting(),
        };
        if tells && service.status.load_balancer != status {
            let mut service = Service::clone(service);
            service.meta.resource_version = 0;
            service.status.load_balancer = status;
            requests.push(Request::Update(service.into(), Part::Status));
        }
    }
}

impl Reconciler for ServiceLbController {
    type State = ();

    fn name(&self) -> &'static str {
        "service-controller"
    }

    fn rate_limit(&self) -> RateLimit {
        RateLimit { base: SimDuration::from_secs(5), max: SimDuration::from_secs(300), ..RateLimit::DEFAULT }
    }

    fn sync_decides_timers(&self) -> bool {
        true
    }

    fn on_change(&mut self, _view: &View, change: &Change, _now: WallTime, queue: &mut Enqueue) {
        match &change.object {
            Object::Service(_) => self.service_changed(change, queue),
            Object::Node(_) if !self.nodes.is_empty() && is_news_of_nodes(change) => queue.add(Key::new("", NODES)),
            _ => {}
        }
    }

    fn reconcile(&mut self, cx: Context<'_>, key: &Key) -> Step<()> {
        if *key.name == *NODES { self.nodes.work(cx, self.updating_takes) } else { self.work(cx) }
    }

    fn resume(&mut self, _cx: Context<'_>, _key: &Key, (): (), _responses: Vec<Response>) -> Step<()> {
        Step::done()
    }
}

fn is_news_of_nodes(change: &Change) -> bool {
    change.of::<Node>().is_some_and(|(old, node)| nodes::matters(change.change_type, old, node))
}

/// Whether the cloud provider is to make a load balancer: one of a class is another's business.
fn wants_balancer(service: &Service) -> bool {
    service.spec.kind == *"LoadBalancer" && service.spec.load_balancer_class.is_none()
}

/// Whether there is, or may be, a load balancer that has to go.
fn needs_cleanup(service: &Service) -> bool {
    service.meta.has_finalizer(LOAD_BALANCER_FINALIZER)
        && (service.meta.is_deleting() || service.spec.kind != *"LoadBalancer")
}

/// Whether a change is one that the load balancer has to follow (`needsUpdate`).
fn needs_update(old: &Service, new: &Service) -> bool {
    if !wants_balancer(old) && !wants_balancer(new) {
        return false;
    }
    let (before, now) = (&old.spec, &new.spec);
    wants_balancer(old) != wants_balancer(new)
        || before.load_balancer_source_ranges != now.load_balancer_source_ranges
        || before.ports != now.ports
        || before.session_affinity != now.session_affinity
        || before.session_affinity_seconds != now.session_affinity_seconds
        || before.load_balancer_ip != now.load_balancer_ip
        || before.external_ips != now.external_ips
        || before.external_traffic_policy != now.external_traffic_policy
        || before.health_check_node_port != now.health_check_node_port
        || before.ip_families.len() != now.ip_families.len()
        || old.meta.annotations != new.meta.annotations
        || old.meta.uid != new.meta.uid
}

fn tell(service: &Arc<Service>, kind: EventKind, reason: &'static str, message: &'static str) -> Request {
    Request::Event(EventSpec::about(&Object::from(service.clone()), kind, reason, message))
}

fn nobody(service: &Arc<Service>) -> Request {
    let message = "There are no available nodes for LoadBalancer";
    tell(service, EventKind::Warning, "UnAvailableLoadBalancer", message)
}

fn patch(service: &Service, patch: MetaPatch) -> Request {
    Request::PatchMeta { kind: Kind::Service, key: service.key(), uid: service.meta.uid.clone(), patch }
}

fn after(now: WallTime, takes: SimDuration) -> WallTime {
    now.plus_nanos(i64::try_from(takes.as_nanos()).unwrap_or(i64::MAX))
}

/// How long it is until then, if it is not yet.
fn time_left(end: WallTime, now: WallTime) -> Option<SimDuration> {
    u64::try_from(end.nanos_since(now)).ok().filter(|left| *left > 0).map(SimDuration::from_nanos)
}
