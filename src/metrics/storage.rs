//! The last two measurements of everything, and the rates between them (upstream metrics-server `pkg/storage`).

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::MetricsConfig;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Key, Labels, WallTime};

/// A container that has just started is measured from its start if that was at least so long ago; its use is too uncertain
/// before.
const FRESH_MIN: SimDuration = SimDuration::from_secs(10);

/// What was counted of a container since its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPoint {
    /// Name in the pod.
    pub name: Arc<str>,
    /// When it started.
    pub started: WallTime,
    /// CPU time, ns.
    pub cpu_nanos: u64,
    /// The most CPU that it can get, in thousandths of a core; 0 = all there is.
    pub cpu_limit: u32,
    /// Bytes in use now.
    pub memory: i64,
    /// Requests that came to it.
    pub requests: u64,
}

/// What was counted of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodPoint {
    /// Namespace and name.
    pub key: Key,
    /// Its labels.
    pub labels: Labels,
    /// Its node.
    pub node: Arc<str>,
    /// Its containers that run.
    pub containers: SmallVec<[ContainerPoint; 1]>,
}

/// What was counted of a node beside its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePoint {
    /// Name.
    pub name: Arc<str>,
    /// Bytes in use outside of pods.
    pub memory: i64,
}

/// What a container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Name in the pod.
    pub name: Arc<str>,
    /// Billionths of a core.
    pub cpu_nanos: u64,
    /// Bytes.
    pub memory: i64,
    /// Requests that came in the window.
    requests: u64,
}

/// What a pod uses, on average over a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// Namespace and name.
    pub key: Key,
    /// Its labels.
    pub labels: Labels,
    /// When the window ended.
    pub at: WallTime,
    /// Its length.
    pub window: SimDuration,
    /// The containers.
    pub containers: Vec<ContainerUsage>,
}

impl PodUsage {
    /// Requests that it got, in thousandths per second.
    #[must_use]
    pub fn milli_requests_per_second(&self) -> i64 {
        let requests: u64 = self.containers.iter().map(|container| container.requests).sum();
        let window = u128::from(self.window.as_nanos().max(1));
        i64::try_from(u128::from(requests) * 1_000_000_000_000 / window).unwrap_or(i64::MAX)
    }
}

/// What a node uses: its pods together, and what is outside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUsage {
    /// Name.
    pub name: Arc<str>,
    /// When the window ended.
    pub at: WallTime,
    /// Its length.
    pub window: SimDuration,
    /// Billionths of a core.
    pub cpu_nanos: u64,
    /// Bytes.
    pub memory: i64,
}

/// All points of one measurement.
#[derive(Clone, Debug, Default)]
struct Batch {
    at: WallTime,
    pods: Vec<PodPoint>,
    nodes: Vec<NodePoint>,
    /// Requests of clients since the start.
    clients: Vec<(Arc<str>, u64)>,
}

/// Keeps what was measured last, as metrics-server and an adapter for custom metrics do.
#[derive(Clone, Debug)]
pub struct MetricsServer {
    pub(super) config: Arc<MetricsConfig>,
    /// Measured, and not known yet.
    measured: Option<Batch>,
    last: Batch,
    /// The containers of the measurement before, by pod.
    before: FxHashMap<Key, SmallVec<[(ContainerPoint, WallTime); 1]>>,
    clients_before: (WallTime, Vec<(Arc<str>, u64)>),
    pub(super) usage: Vec<PodUsage>,
}

impl MetricsServer {
    /// A server that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<MetricsConfig>) -> Self {
        Self {
            config,
            measured: None,
            last: Batch::default(),
            before: FxHashMap::default(),
            clients_before: (WallTime::default(), Vec::new()),
            usage: Vec::new(),
        }
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &MetricsConfig {
        &self.config
    }

    /// When the next measurement is due, that is taken on the grid of the resolution.
    #[must_use]
    pub fn next_measurement(&self, now: SimTime) -> SimTime {
        let resolution = self.config.resolution.as_nanos().max(1);
        SimTime::from_nanos((now.as_nanos() / resolution + 1).saturating_mul(resolution))
    }

    /// Everything was measured. It is known only when [`publish`](Self::publish) is called.
    pub fn measure(&mut self, at: WallTime, pods: Vec<PodPoint>, nodes: Vec<NodePoint>, clients: Vec<(Arc<str>, u64)>) {
        // What was measured before and not told yet is told with this: nothing gets lost.
        self.publish_pending();
        self.measured = Some(Batch { at, pods, nodes, clients });
    }

    /// What was measured at an instant becomes known, unless something newer is known.
    pub fn publish(&mut self, measured: WallTime) {
        if self.measured.as_ref().is_some_and(|batch| batch.at == measured) {
            self.publish_pending();
        }
    }

    fn publish_pending(&mut self) {
        let Some(batch) = self.measured.take() else { return };
        let last = std::mem::replace(&mut self.last, batch);
        let containers = last.pods.into_iter().map(|pod| {
            let points = pod.containers.into_iter().map(|container| (container, last.at));
            (pod.key, points.collect())
        });
        self.before = containers.collect();
        self.clients_before = (last.at, last.clients);
        self.usage = self.last.pods.iter().filter_map(|pod| self.usage_of(pod)).collect();
        self.usage.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    }

    /// What the pods use that are known, by namespace and name.
    #[must_use]
    pub fn pods(&self) -> &[PodUsage] {
        &self.usage
    }

    /// What the nodes use that are known, by name. CPU counts of pods of which the use is known.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeUsage> {
        let usage = |point: &NodePoint| {
            let pods = self.last.pods.iter().filter(|pod| *pod.node == *point.name);
            let (mut cpu_nanos, mut memory, mut window) = (0, point.memory, self.config.resolution);
            for pod in pods {
                memory = pod.containers.iter().fold(memory, |sum, container| sum.saturating_add(container.memory));
                if let Ok(at) = self.usage.binary_search_by(|usage| usage.key.cmp(&pod.key)) {
                    let usage = &self.usage[at];
                    cpu_nanos += usage.containers.iter().map(|container| container.cpu_nanos).sum::<u64>();
                    window = window.min(usage.window);
                }
            }
            NodeUsage { name: point.name.clone(), at: self.last.at, window, cpu_nanos, memory }
        };
        let mut nodes: Vec<NodeUsage> = self.last.nodes.iter().map(usage).collect();
        nodes.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        nodes
    }

    /// Requests that a client sends, in thousandths per second; `None` if that is not known (yet).
    #[must_use]
    pub fn milli_requests_of(&self, client: &str) -> Option<i64> {
        let find = |clients: &[(Arc<str>, u64)]| clients.iter().find(|(name, _)| **name == *client).map(|(_, n)| *n);
        let (at, before) = &self.clients_before;
        let requests = find(&self.last.clients)?.checked_sub(find(before)?)?;
        let nanos = u128::try_from(self.last.at.nanos_since(*at)).ok().filter(|nanos| *nanos > 0)?;
        i64::try_from(u128::from(requests) * 1_000_000_000_000 / nanos).ok()
    }

    /// The use of a pod, if that of every container is known.
    fn usage_of(&self, pod: &PodPoint) -> Option<PodUsage> {
        let before = self.before.get(&pod.key);
        let mut usage = PodUsage {
            key: pod.key.clone(),
            labels: pod.labels.clone(),
            at: self.last.at,
            window: self.config.resolution,
            containers: Vec::with_capacity(pod.containers.len()),
        };
        for container in &pod.containers {
            let known = before.and_then(|before| before.iter().find(|(known, _)| known.name == container.name));
            let (used, window) = self.used(container, known)?;
            usage.window = window;
            usage.containers.push(used);
        }
        (!usage.containers.is_empty()).then_some(usage)
    }

    /// What a container used since it was measured before, or since its start if that was just now.
    fn used(
        &self,
        container: &ContainerPoint,
        before: Option<&(ContainerPoint, WallTime)>,
    ) -> Option<(ContainerUsage, SimDuration)> {
        let age = nanos_between(container.started, self.last.at);
        let is_fresh = age >= FRESH_MIN.as_nanos() && age < self.config.resolution.as_nanos();
        let (cpu, requests, nanos) = match before.filter(|(known, _)| !is_fresh && known.started == container.started) {
            Some((known, at)) => {
                let cpu = container.cpu_nanos.saturating_sub(known.cpu_nanos);
                (cpu, container.requests.saturating_sub(known.requests), nanos_between(*at, self.last.at))
            }
            None if is_fresh => (container.cpu_nanos, container.requests, age),
            None => return None,
        };
        let nanos = nanos.max(1);
        let rate = u64::try_from(u128::from(cpu) * 1_000_000_000 / u128::from(nanos)).unwrap_or(u64::MAX);
        let most = if container.cpu_limit == 0 { u64::MAX } else { u64::from(container.cpu_limit) * 1_000_000 };
        let (name, memory) = (container.name.clone(), container.memory);
        let usage = ContainerUsage { name, cpu_nanos: rate.min(most), memory, requests };
        Some((usage, SimDuration::from_nanos(nanos)))
    }
}

fn nanos_between(from: WallTime, to: WallTime) -> u64 {
    u64::try_from(to.nanos_since(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn wall(secs: i64) -> WallTime {
        WallTime::from_unix_nanos(secs * 1_000_000_000)
    }

    fn point(started: i64, cpu_millis: u64) -> ContainerPoint {
        let cpu_nanos = cpu_millis * 1_000_000;
        let name = "c".into();
        ContainerPoint { name, started: wall(started), cpu_nanos, cpu_limit: 0, memory: 7, requests: cpu_millis }
    }

    fn server(points: &[(i64, ContainerPoint)]) -> MetricsServer {
        let mut server = MetricsServer::new(Arc::default());
        for (at, point) in points {
            let key = Key::new("ns", "p");
            let pod = PodPoint { key, labels: Labels::new(), node: "n".into(), containers: smallvec![point.clone()] };
            let node = NodePoint { name: "n".into(), memory: 100 };
            server.measure(wall(*at), vec![pod], vec![node], Vec::new());
        }
        server
    }

    #[test]
    fn the_rate_between_the_last_two_measurements_is_known_after_the_lag() {
        let mut server = server(&[(100, point(0, 1_000)), (115, point(0, 4_000))]);
        assert!(server.pods().is_empty(), "one measurement tells no rate");
        server.publish(wall(115));
        let usage = &server.pods()[0];
        assert_eq!((usage.window, usage.containers[0].cpu_nanos), (SimDuration::from_secs(15), 200_000_000));
        assert_eq!((usage.containers[0].memory, usage.milli_requests_per_second()), (7, 200_000));
        let node = &server.nodes()[0];
        assert_eq!((node.cpu_nanos, node.memory), (200_000_000, 107));
    }

    #[test]
    fn a_container_that_started_again_is_known_from_its_start_or_not_at_all() {
        for (started, known) in [(104, Some(11)), (105, Some(10)), (106, None), (95, None)] {
            let mut server = server(&[(100, point(0, 9_000)), (115, point(started, 1_100))]);
            server.publish(wall(115));
            let window = server.pods().first().map(|usage| usage.window.as_secs());
            assert_eq!(window, known, "started at {started}");
        }
    }

    #[test]
    fn a_limit_bounds_what_is_told() {
        let limited = |cpu| ContainerPoint { cpu_limit: 500, ..point(0, cpu) };
        let mut server = server(&[(100, limited(0)), (115, limited(15_000))]);
        server.publish(wall(115));
        assert_eq!(server.pods()[0].containers[0].cpu_nanos, 500_000_000);
    }
}
