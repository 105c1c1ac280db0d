//! What one node carries.

use std::sync::Arc;

pub use crate::objects::HostPort;
use crate::objects::{Node, Pod, PodSpec, Resources, Uid};

/// Dense id of a node in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(in crate::scheduler) u32);

impl NodeId {
    pub(in crate::scheduler) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// CPU in thousandths of a core and memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuMemory {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory: i64,
}

impl CpuMemory {
    /// What scoring counts for a container that does not name the resource: 0.1 cores and 200 MiB.
    const UNNAMED: Self = Self { cpu_milli: 100, memory: 200 << 20 };

    fn plus(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.saturating_add(other.cpu_milli),
            memory: self.memory.saturating_add(other.memory),
        }
    }

    fn max(self, other: Self) -> Self {
        Self { cpu_milli: self.cpu_milli.max(other.cpu_milli), memory: self.memory.max(other.memory) }
    }

    fn of_container(requests: &Resources, unnamed: Self) -> Self {
        Self {
            cpu_milli: if requests.named & CPU == 0 { unnamed.cpu_milli } else { requests.cpu_milli },
            memory: if requests.named & MEMORY == 0 { unnamed.memory } else { requests.memory },
        }
    }

    /// What a pod requests, containers that name no amount counted with the default (upstream `PodRequests` with
    /// `NonMissingContainerRequests`). Pod-level requests stand in for those of the containers; where there are any, the
    /// default only counts for a resource that nobody names.
    #[must_use]
    pub fn non_zero_of(spec: &PodSpec) -> Self {
        let pod_level = spec.resources.as_ref().map(|resources| &resources.requests);
        let overhead = Self { cpu_milli: spec.overhead.cpu_milli, memory: spec.overhead.memory };
        let Some(pod_level) = pod_level.filter(|requests| requests.named & (CPU | MEMORY) != 0) else {
            return Self::of_containers(spec, Self::UNNAMED).plus(overhead);
        };
        let unnamed = Self {
            cpu_milli: if spec.requests.named & CPU == 0 { Self::UNNAMED.cpu_milli } else { 0 },
            memory: if spec.requests.named & MEMORY == 0 { Self::UNNAMED.memory } else { 0 },
        };
        Self::of_container(pod_level, Self::of_containers(spec, unnamed)).plus(overhead)
    }

    /// The same for the pod that looks for a node, as `NodeResourcesFit` scores it: upstream's scorer is made without the
    /// feature of pod-level requests and so does not see them.
    #[must_use]
    pub fn scored_of(spec: &PodSpec) -> Self {
        let overhead = Self { cpu_milli: spec.overhead.cpu_milli, memory: spec.overhead.memory };
        Self::of_containers(spec, Self::UNNAMED).plus(overhead)
    }

    fn of_containers(spec: &PodSpec, unnamed: Self) -> Self {
        let mut running = Self::default();
        for container in &spec.containers {
            running = running.plus(Self::of_container(&container.resources.requests, unnamed));
        }
        let (mut sidecars, mut peak) = (Self::default(), Self::default());
        for init in &spec.init_containers {
            let requests = Self::of_container(&init.resources.requests, unnamed);
            peak = peak.max(sidecars.plus(requests));
            if init.is_sidecar() {
                sidecars = sidecars.plus(requests);
            }
        }
        running.plus(sidecars).max(peak)
    }
}

/// Bits of [`Resources::named`].
const CPU: u8 = 1;
const MEMORY: u8 = 2;

/// What one node has and carries. Assumed pods count.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    pub(super) id: NodeId,
    pub(super) name: Arc<str>,
    /// How many pods.
    pub(super) pod_count: i64,
    /// What pods may take: CPU and memory.
    pub(super) allocatable: CpuMemory,
    pub(super) allocatable_pods: i64,
    pub(super) non_zero: CpuMemory,
    pub(super) requested: Resources,
    pub(super) flags: u8,
    pub(super) ports: Vec<HostPort>,
    pub(super) pods: Vec<Uid>,
    pub(super) known: bool,
    pub(super) node: Arc<Node>,
}

const UNSCHEDULABLE: u8 = 1;
const TAINTED: u8 = 2;
const PREFERRED_AGAINST: u8 = 4;

impl NodeInfo {
    pub(super) fn new(id: NodeId, name: Arc<str>) -> Self {
        Self {
            id,
            name,
            pod_count: 0,
            allocatable: CpuMemory::default(),
            allocatable_pods: 0,
            non_zero: CpuMemory::default(),
            requested: Resources::default(),
            flags: 0,
            ports: Vec::new(),
            pods: Vec::new(),
            known: false,
            node: Arc::default(),
        }
    }

    /// Dense id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// The Node object.
    #[must_use]
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Name of the node.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many pods the node carries.
    #[must_use]
    pub const fn pod_count(&self) -> i64 {
        self.pod_count
    }

    /// How many pods it may carry.
    #[must_use]
    pub const fn allocatable_pods(&self) -> i64 {
        self.allocatable_pods
    }

    /// CPU and memory that its pods may take.
    #[must_use]
    pub const fn allocatable(&self) -> CpuMemory {
        self.allocatable
    }

    /// All resources that its pods may take.
    #[must_use]
    pub fn allocatable_resources(&self) -> &Resources {
        &self.node.status.allocatable
    }

    /// What its pods request.
    #[must_use]
    pub const fn requested(&self) -> &Resources {
        &self.requested
    }

    /// What its pods request, with a default for containers that do not say.
    #[must_use]
    pub const fn non_zero_requested(&self) -> CpuMemory {
        self.non_zero
    }

    /// Ports taken on the node.
    #[must_use]
    pub fn ports(&self) -> &[HostPort] {
        &self.ports
    }

    /// Uids of its pods, in no particular order.
    #[must_use]
    pub fn pods(&self) -> &[Uid] {
        &self.pods
    }

    /// Whether the node is cordoned.
    #[must_use]
    pub const fn is_unschedulable(&self) -> bool {
        self.flags & UNSCHEDULABLE != 0
    }

    /// Whether it has a taint `NoSchedule` or `NoExecute`.
    #[must_use]
    pub const fn is_tainted(&self) -> bool {
        self.flags & TAINTED != 0
    }

    /// Whether it has a taint `PreferNoSchedule`.
    #[must_use]
    pub const fn is_preferred_against(&self) -> bool {
        self.flags & PREFERRED_AGAINST != 0
    }

    /// Whether there is a Node object.
    pub(in crate::scheduler) const fn is_known(&self) -> bool {
        self.known
    }

    pub(super) fn set_node(&mut self, node: &Arc<Node>) {
        let resources = &node.status.allocatable;
        self.allocatable = CpuMemory { cpu_milli: resources.cpu_milli, memory: resources.memory };
        self.allocatable_pods = resources.pods;
        let has = |effects: &[&str]| node.spec.taints.iter().any(|taint| effects.contains(&&*taint.effect));
        let flags = [
            (node.spec.unschedulable, UNSCHEDULABLE),
            (has(&["NoSchedule", "NoExecute"]), TAINTED),
            (has(&["PreferNoSchedule"]), PREFERRED_AGAINST),
        ];
        self.flags = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum();
        self.known = true;
        self.node = node.clone();
    }

    /// The node object is gone, its pods are still there.
    pub(super) fn unset_node(&mut self) {
        let blank = Self::new(self.id, self.name.clone());
        let Self { pod_count, non_zero, requested, ports, pods, .. } = std::mem::replace(self, blank);
        *self = Self { pod_count, non_zero, requested, ports, pods, ..self.clone() };
    }

    pub(in crate::scheduler) fn add_pod(&mut self, pod: &Pod) {
        self.pods.push(pod.meta.uid.clone());
        self.pod_count += 1;
        self.requested.add(&pod.spec.requests);
        self.non_zero = self.non_zero.plus(CpuMemory::non_zero_of(&pod.spec));
        self.ports.extend(HostPort::of(&pod.spec));
    }

    pub(in crate::scheduler) fn remove_pod(&mut self, pod: &Pod) {
        let Some(at) = self.pods.iter().position(|uid| *uid == pod.meta.uid) else { return };
        self.pods.swap_remove(at);
        self.pod_count -= 1;
        self.requested.sub(&pod.spec.requests);
        let gone = CpuMemory::non_zero_of(&pod.spec);
        self.non_zero.cpu_milli = self.non_zero.cpu_milli.saturating_sub(gone.cpu_milli);
        self.non_zero.memory = self.non_zero.memory.saturating_sub(gone.memory);
        for port in HostPort::of(&pod.spec) {
            if let Some(at) = self.ports.iter().position(|taken| *taken == port) {
                self.ports.swap_remove(at);
            }
        }
    }
}
