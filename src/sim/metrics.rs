//! The metrics-server in the simulation: when pods and nodes are measured, and who asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{Change, ChangeType, MetricsQuery, Response};
use crate::controllers::horizontal_pod_autoscaler::scale_of;
use crate::kernel::{SimDuration, SimTime};
use crate::metrics::{ContainerPoint, MetricsConfig, MetricsServer, NodePoint, NodeUsage, PodPoint, PodUsage};
use crate::objects::{Key, Kind, Pod, Selector, WallTime};

use super::event::{Event, rank};
use super::simulation::Simulation;

/// Something that goes on around the metrics-server.
#[derive(Clone, Copy, Debug)]
pub(super) enum Task {
    /// Pods and nodes are measured; `again`: and then at the resolution.
    Measure { again: bool },
    /// What was measured at an instant becomes known.
    Publish { measured: WallTime },
}

/// The metrics-server, which sleeps until somebody needs it.
#[derive(Clone)]
pub(super) struct MetricsProcess {
    server: Arc<MetricsServer>,
    runs: bool,
}

/// From the first measurement to the second, so that what is asked for soon has an answer. Later ones are taken on the grid.
const SECOND_AFTER: SimDuration = SimDuration::from_secs(10);

impl MetricsProcess {
    pub(super) fn new(config: MetricsConfig) -> Self {
        Self { server: Arc::new(MetricsServer::new(Arc::new(config))), runs: false }
    }

    pub(super) fn measures_everything(&self) -> bool {
        self.server.config().everything
    }

    /// Whether a change is the reason to begin to measure.
    pub(super) fn is_wanted_by(&self, change: &Change) -> bool {
        !self.runs && change.kind() == Kind::HorizontalPodAutoscaler && change.change_type == ChangeType::Added
    }
}

impl Simulation {
    /// What the pods use that are measured, by namespace and name: all if [`MetricsConfig::everything`] is, else those that an
    /// autoscaler asks about.
    #[must_use]
    pub fn pod_usage(&self) -> &[PodUsage] {
        self.metrics.server.pods()
    }

    /// What the nodes use, by name; only if [`MetricsConfig::everything`] is measured.
    #[must_use]
    pub fn node_usage(&self) -> Vec<NodeUsage> {
        self.metrics.server.nodes()
    }

    /// How metrics are measured.
    #[must_use]
    pub fn metrics_config(&self) -> &MetricsConfig {
        self.metrics.server.config()
    }

    pub(super) fn answer_metrics(&self, query: &MetricsQuery) -> Response {
        self.metrics.server.answer(query, self.now(), self.wall())
    }

    pub(super) fn start_metrics(&mut self) {
        if std::mem::replace(&mut self.metrics.runs, true) {
            return;
        }
        if let Some(network) = &mut self.network {
            network.start_metering();
        }
        let second = self.now() + SECOND_AFTER;
        self.push_metrics_task(self.now(), Task::Measure { again: false });
        self.push_metrics_task(second, Task::Measure { again: false });
        let grid = self.metrics.server.next_measurement(second);
        self.push_metrics_task(grid, Task::Measure { again: true });
    }

    /// Measurements alone do not keep a cluster busy.
    fn push_metrics_task(&mut self, at: SimTime, task: Task) {
        self.background += 1;
        self.queue.push(at, rank::BACKGROUND, Event::Metrics(task));
    }

    pub(super) fn measure(&mut self, task: Task) {
        self.background -= 1;
        let again = match task {
            Task::Publish { measured } => return Arc::make_mut(&mut self.metrics.server).publish(measured),
            Task::Measure { again } => again,
        };
        let (now, wall) = (self.now(), self.wall());
        let pods: Vec<PodPoint> = self.measured_pods().iter().filter_map(|pod| self.pod_point(pod)).collect();
        let nodes = if self.metrics.measures_everything() { self.node_points() } else { Vec::new() };
        let clients = self.network.iter().flat_map(|network| network.requests_by_client());
        let clients = clients.map(|(name, requests)| (name.clone(), requests)).collect();
        let server = Arc::make_mut(&mut self.metrics.server);
        server.measure(wall, pods, nodes, clients);
        let (grid, lag) = (server.next_measurement(now), server.config().lag);
        if lag.is_zero() {
            server.publish(wall);
        } else {
            self.push_metrics_task(now + lag, Task::Publish { measured: wall });
        }
        if again {
            self.push_metrics_task(grid, Task::Measure { again });
        }
    }

    /// The pods that are measured.
    fn measured_pods(&self) -> Vec<Arc<Pod>> {
        let view = self.view();
        if self.metrics.measures_everything() {
            return view.pods.iter().filter(|pod| pod.is_bound()).cloned().collect();
        }
        let mut pods: BTreeMap<Key, Arc<Pod>> = BTreeMap::new();
        for autoscaler in view.horizontal_pod_autoscalers.iter() {
            let Ok(scale) = scale_of(view, autoscaler) else { continue };
            let Ok(selector) = scale.selector.parse::<Selector>() else { continue };
            let of_target = view.pods_matching(&autoscaler.meta.namespace, &selector).filter(|pod| pod.is_bound());
            pods.extend(
                of_target.map(|pod| (Key::new(pod.meta.namespace.clone(), pod.meta.name.clone()), pod.clone())),
            );
        }
        pods.into_values().collect()
    }

    /// What is counted of a pod; nothing if its kubelet cannot be reached, or none of its containers runs.
    fn pod_point(&mut self, pod: &Pod) -> Option<PodPoint> {
        let node = *self.kubelets.by_name.get(&pod.node_name)?;
        let process = &self.kubelets.nodes[node as usize];
        if process.is_lost() {
            return None;
        }
        let counts = process.kubelet.counts_of(&pod.meta.uid, &self.kubelets.behaviours, self.wall());
        let network = &mut self.network;
        let points = counts.into_iter().map(|count| {
            let served = network.as_mut().map(|network| network.served_by(&pod.meta.uid, count.place));
            let served = served.unwrap_or_default();
            ContainerPoint {
                name: count.name,
                started: count.started,
                cpu_nanos: count.cpu_nanos.saturating_add(served.cpu_nanos),
                cpu_limit: count.cpu_limit,
                memory: count.memory,
                requests: served.requests,
            }
        });
        let containers: smallvec::SmallVec<_> = points.collect();
        if containers.is_empty() {
            return None;
        }
        let (namespace, name) = (pod.meta.namespace.clone(), pod.meta.name.clone());
        let (labels, node) = (pod.meta.labels.clone(), pod.node_name.clone());
        Some(PodPoint { key: Key::new(namespace, name), labels, node, containers })
    }

    fn node_points(&self) -> Vec<NodePoint> {
        let now = self.wall();
        let reachable = self.kubelets.nodes.iter().filter(|process| !process.is_lost());
        let point = |process: &super::kubelets::NodeProcess| NodePoint {
            name: process.kubelet.node_name().clone(),
            memory: process.kubelet.memory_outside(now),
        };
        reachable.map(point).collect()
    }
}
