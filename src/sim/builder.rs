//! Putting a simulated cluster together.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::Reconciler;
use crate::autoscaler::AutoscalerOptions;
use crate::controllers::horizontal_pod_autoscaler::HorizontalPodAutoscalerConfig;
use crate::controllers::{GatewayController, HorizontalPodAutoscalerController, PodGcConfig};
use crate::kernel::{Sampler, Streams};
use crate::kubelet::{self, Behaviour, BehaviourSpec, Behaviours, KubeletConfig, node_labels};
use crate::metrics::MetricsConfig;
use crate::network::{ClientSpec, Network, NetworkConfig};
use crate::objects::validation::FeatureGates;
use crate::objects::{Labels, Pod, Quantity, Taint, Timestamp, WallTime};
use crate::scheduler::{Plugin, Registry, RegistryError, Scheduler};

use super::autoscaler::NodeGroup;
use super::controller::{ControllerHost, Host};
use super::delays::{Delays, LoadBalancerDelays, VolumeDelays};
use super::disturbances::ControlPlane;
use super::error::SimError;
use super::faults::FaultPlan;
use super::recorder::{RecordMode, Recording};
use super::simulation::{Parts, Simulation};
use super::traffic::models;

/// 2026-01-01T00:00:00Z, the instant at which virtual time starts unless told otherwise.
pub const DEFAULT_EPOCH: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

/// A machine to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeTemplate {
    /// Name; a suffix `-0`, `-1`, … is added where more than one is made.
    pub name: String,
    /// What the machine has, such as `cpu: "4"`; all of it may be given to pods.
    pub capacity: Map<String, Value>,
    /// Labels.
    pub labels: Labels,
    /// Taints.
    pub taints: Vec<Taint>,
    /// How much later than other writes the reports of its kubelet arrive, if not as [`Delays::status`] says.
    pub status_delay: Option<Sampler>,
    /// Process numbers that the machine has.
    pub processes: i64,
    /// Settings of its kubelet.
    pub kubelet: Arc<KubeletConfig>,
    /// Manifests of pods that its kubelet runs on its own account.
    pub static_pods: Vec<Value>,
}

/// Process numbers of a machine of which nobody says how many it has (Linux' `kernel.pid_max` on small machines).
const DEFAULT_PROCESSES: i64 = 32_768;

impl NodeTemplate {
    /// A machine with 4 cores, 8 GiB, 100 GiB of disk and room for 110 pods.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let capacity = json!({"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"});
        let Value::Object(capacity) = capacity else { unreachable!("a JSON object was just written") };
        Self {
            name: name.into(),
            capacity,
            labels: Labels::new(),
            taints: Vec::new(),
            status_delay: None,
            processes: DEFAULT_PROCESSES,
            kubelet: Arc::default(),
            static_pods: Vec::new(),
        }
    }

    /// With that much of a resource.
    ///
    /// # Errors
    /// If the amount is not a quantity.
    pub fn capacity(mut self, resource: &str, amount: &str) -> Result<Self, SimError> {
        let quantity: Quantity =
            amount.parse().map_err(|e| SimError::Cluster(format!("node {}: {resource}: {e}", self.name)))?;
        self.capacity.insert(resource.to_owned(), Value::String(quantity.to_string()));
        Ok(self)
    }

    /// All labels that its Node will have: its own, and those that the kubelet adds.
    #[must_use]
    pub fn all_labels(&self) -> Labels {
        node_labels(&self.name, &self.labels)
    }

    /// What its kubelet makes of the manifests of static pods.
    pub(super) fn static_pods(&self, seen: Timestamp) -> Result<Vec<Arc<Pod>>, SimError> {
        let read = |manifest| kubelet::static_pod(manifest, &self.name, seen);
        let wrong = |error| SimError::Cluster(format!("node {}: {error}", self.name));
        self.static_pods.iter().map(|manifest| read(manifest).map_err(wrong)).collect()
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels = self.labels.with(key, value);
        self
    }
}

/// Builds a [`Simulation`].
///
/// ```
/// use seatrial::sim::{Delays, Simulation};
///
/// let sim = Simulation::builder().seed(7).delays(Delays::ideal()).nodes(3).build()?;
/// assert_eq!(sim.view().nodes.len(), 3);
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
pub struct SimulationBuilder {
    seed: u64,
    epoch: Timestamp,
    delays: Delays,
    behaviours: Vec<BehaviourSpec>,
    record: RecordMode,
    events: Option<bool>,
    pod_presets: bool,
    load_balancers: bool,
    endpoints: bool,
    kubernetes_service: bool,
    nodes: Vec<NodeTemplate>,
    node_groups: Vec<NodeGroup>,
    autoscaler: AutoscalerOptions,
    faults: Vec<FaultPlan>,
    in_cloud: bool,
    pod_gc: PodGcConfig,
    own_controllers: Vec<Box<dyn ControllerHost>>,
    profile: Result<Registry, RegistryError>,
    shuffles_nodes: bool,
    control_plane: ControlPlane,
    network: Option<NetworkConfig>,
    keeps_rules: bool,
    clients: Vec<ClientSpec>,
    metrics: MetricsConfig,
    horizontal_pod_autoscaler: HorizontalPodAutoscalerConfig,
}

impl std::fmt::Debug for SimulationBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulationBuilder").field("seed", &self.seed).field("nodes", &self.nodes.len()).finish()
    }
}

impl Simulation {
    /// Starts to describe a cluster.
    #[must_use]
    pub fn builder() -> SimulationBuilder {
        SimulationBuilder {
            seed: 0,
            epoch: DEFAULT_EPOCH,
            delays: Delays::realistic(),
            behaviours: Vec::new(),
            record: RecordMode::Off,
            events: None,
            pod_presets: false,
            load_balancers: true,
            endpoints: false,
            kubernetes_service: false,
            nodes: Vec::new(),
            node_groups: Vec::new(),
            autoscaler: AutoscalerOptions::default(),
            faults: Vec::new(),
            in_cloud: true,
            pod_gc: PodGcConfig::default(),
            own_controllers: Vec::new(),
            profile: Ok(Registry::default()),
            shuffles_nodes: false,
            control_plane: ControlPlane::default(),
            network: None,
            keeps_rules: false,
            clients: Vec::new(),
            metrics: MetricsConfig::default(),
            horizontal_pod_autoscaler: HorizontalPodAutoscalerConfig::default(),
        }
    }
}

impl SimulationBuilder {
    /// The seed of all randomness. Default 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Wall-clock time at the start of virtual time. Default 2026-01-01T00:00:00Z.
    #[must_use]
    pub const fn epoch(mut self, epoch: Timestamp) -> Self {
        self.epoch = epoch;
        self
    }

    /// Delays of the control plane. Default [`Delays::realistic`].
    #[must_use]
    pub fn delays(mut self, delays: Delays) -> Self {
        self.delays = delays;
        self
    }

    /// How the containers of an image behave. The most specific image pattern wins.
    #[must_use]
    pub fn behaviour(mut self, behaviour: BehaviourSpec) -> Self {
        self.behaviours.push(behaviour);
        self
    }

    /// How much of the run is kept. Default [`RecordMode::Off`].
    #[must_use]
    pub const fn record(mut self, mode: RecordMode) -> Self {
        self.record = mode;
        self
    }

    /// Whether components record Events. Default: if anything is recorded.
    #[must_use]
    pub const fn events(mut self, enabled: bool) -> Self {
        self.events = Some(enabled);
        self
    }

    /// Whether objects of the removed kind `PodPreset` (`settings.k8s.io/v1alpha1`) are injected into new pods. Default: no.
    ///
    /// ```
    /// use seatrial::sim::{Delays, Simulation, Target};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).pod_presets(true).build()?;
    /// sim.apply("
    /// apiVersion: settings.k8s.io/v1alpha1
    /// kind: PodPreset
    /// metadata: {name: database}
    /// spec:
    ///   selector: {matchLabels: {role: frontend}}
    ///   env: [{name: DB_PORT, value: '6379'}]
    /// ---
    /// apiVersion: v1
    /// kind: Pod
    /// metadata: {name: web, labels: {role: frontend}}
    /// spec: {containers: [{name: web, image: nginx}]}
    /// ")?;
    /// let pod = sim.get(&"pod/web".parse()?)?.to_wire();
    /// assert_eq!(pod["spec"]["containers"][0]["env"][0]["name"], "DB_PORT");
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub const fn pod_presets(mut self, enabled: bool) -> Self {
        self.pod_presets = enabled;
        self
    }

    /// Whether something makes load balancers for Services; without it they stay pending. Whose the machines are is said by
    /// [`SimulationBuilder::in_cloud`]. Default: yes.
    #[must_use]
    pub const fn load_balancers(mut self, enabled: bool) -> Self {
        self.load_balancers = enabled;
        self
    }

    /// Whether the Endpoints controller runs, which says once more what EndpointSlices say, in the older form. Default: no, since
    /// nothing in the simulation reads it.
    #[must_use]
    pub const fn endpoints_controller(mut self, enabled: bool) -> Self {
        self.endpoints = enabled;
        self
    }

    /// Whether there is the Service `default/kubernetes` of the API server, with its endpoints, as in every real cluster: `kubectl get
    /// services` shows it, and containers find `KUBERNETES_SERVICE_HOST` and the like in their environment. Nothing answers behind its
    /// address. Default: no, so that a cluster begins with nothing that nobody asked for.
    #[must_use]
    pub const fn kubernetes_service(mut self, enabled: bool) -> Self {
        self.kubernetes_service = enabled;
        self
    }

    /// That many machines of 4 cores and 8 GiB, named `node-0`, `node-1`, ….
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        self.nodes.extend((0..count).map(|n| NodeTemplate::new(format!("node-{n}"))));
        self
    }

    /// One machine.
    #[must_use]
    pub fn node(mut self, node: NodeTemplate) -> Self {
        self.nodes.push(node);
        self
    }

    /// Machines of which the cluster autoscaler makes more and fewer. With at least one group the autoscaler runs.
    ///
    /// ```
    /// use seatrial::kernel::SimTime;
    /// use seatrial::sim::{NodeGroup, NodeTemplate, Simulation};
    ///
    /// let pool = NodeGroup::new(NodeTemplate::new("pool"), 1, 5);
    /// let mut sim = Simulation::builder().node_group(pool).build()?;
    /// sim.apply("
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web}
    /// spec:
    ///   replicas: 6
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: c, image: web, resources: {requests: {cpu: '2'}}}]}
    /// ")?;
    /// sim.run_until(SimTime::from_mins(5));
    /// assert_eq!(sim.view().nodes.len(), 3, "two pods fit on each");
    /// assert!(sim.view().pods.iter().all(|pod| pod.is_ready()));
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn node_group(mut self, group: NodeGroup) -> Self {
        self.node_groups.push(group);
        self
    }

    /// Flags of the cluster autoscaler. Default: upstream's.
    #[must_use]
    pub const fn autoscaler(mut self, options: AutoscalerOptions) -> Self {
        self.autoscaler = options;
        self
    }

    /// Something that goes wrong at random times; nodes that join later are exposed to it too.
    ///
    /// ```
    /// use seatrial::kernel::{Sampler, SimDuration};
    /// use seatrial::objects::Labels;
    /// use seatrial::sim::{NodeCrash, Simulation};
    ///
    /// let crashes = NodeCrash {
    ///     mtbf: Sampler::exponential(SimDuration::from_hours(2))?,
    ///     mttr: Sampler::constant(SimDuration::from_secs(300)),
    ///     select: Labels::new(),
    ///     correlated_by: None,
    /// };
    /// let mut sim = Simulation::builder().nodes(3).fault(crashes).build()?;
    /// sim.run_for(SimDuration::from_hours(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn fault(mut self, plan: impl Into<FaultPlan>) -> Self {
        self.faults.push(plan.into());
        self
    }

    /// Whether what every node's proxy has programmed is kept although there are no clients: [`Simulation::explain`] goes by it.
    /// Default: no, it goes by what the API says.
    #[must_use]
    pub const fn keep_rules(mut self, keep: bool) -> Self {
        self.keeps_rules = keep;
        self
    }

    /// How the network works: proxies, ways, load balancers. Default: [`NetworkConfig::default`], or without any delay
    /// ([`NetworkConfig::ideal`]) where watches have none. Nothing of it is simulated unless a [`client`](Self::client) sends requests.
    #[must_use]
    pub fn network(mut self, config: NetworkConfig) -> Self {
        self.network = Some(config);
        self
    }

    /// Something that sends requests to a service.
    ///
    /// ```
    /// use seatrial::kernel::{SimDuration, SimTime};
    /// use seatrial::objects::Key;
    /// use seatrial::sim::{Arrivals, ClientSpec, Load, Origin, Simulation};
    ///
    /// let load = Load::Open(Arrivals::constant("100/s".parse()?));
    /// let users = ClientSpec {
    ///     from: Origin::Node("node-0".into()),
    ///     start: SimDuration::from_secs(20),
    ///     ..ClientSpec::new("users", Key::new("default", "web"), load)
    /// };
    /// let mut sim = Simulation::builder().nodes(3).client(users).build()?;
    /// sim.apply(r#"
    /// {apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {containers: [{name: c, image: "web:v1"}]}}
    /// ---
    /// {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
    /// "#)?;
    /// sim.run_until(SimTime::from_secs(30));
    /// let report = sim.client("users").expect("the client");
    /// assert_eq!((report.total.requests, report.total.lost), (1000, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn client(mut self, client: ClientSpec) -> Self {
        self.clients.push(client);
        self
    }

    /// How pods and nodes are measured, and what else there is to measure. Nothing is measured before there is a
    /// HorizontalPodAutoscaler, unless [`MetricsConfig::everything`] is.
    ///
    /// ```
    /// use seatrial::kernel::SimTime;
    /// use seatrial::kubelet::{BehaviourSpec, CpuUse};
    /// use seatrial::sim::Simulation;
    ///
    /// let busy = BehaviourSpec { image: "web".into(), cpu: Some(CpuUse::constant(300)), ..BehaviourSpec::default() };
    /// let mut sim = Simulation::builder().nodes(2).behaviour(busy).build()?;
    /// sim.apply("
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web}
    /// spec:
    ///   replicas: 2
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: c, image: web, resources: {requests: {cpu: 100m}}}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web}
    /// spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 5}
    /// ")?;
    /// sim.run_until(SimTime::from_mins(5));
    /// assert_eq!(sim.view().pods.len(), 5, "each pod uses three times what it requests, and 80 per cent are wanted");
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn metrics(mut self, config: MetricsConfig) -> Self {
        self.metrics = config;
        self
    }

    /// Flags of the HorizontalPodAutoscaler controller. Default: upstream's.
    #[must_use]
    pub const fn horizontal_pod_autoscaler(mut self, config: HorizontalPodAutoscalerConfig) -> Self {
        self.horizontal_pod_autoscaler = config;
        self
    }

    /// Whether the machines belong to a cloud, whose controller manager deletes the nodes of machines that are gone and taints
    /// those of machines that are shut down. Load balancers are another matter ([`SimulationBuilder::load_balancers`]). Default: yes.
    #[must_use]
    pub const fn in_cloud(mut self, in_cloud: bool) -> Self {
        self.in_cloud = in_cloud;
        self
    }

    /// When pods that ended, or whose node is gone, are removed. Default: as Kubernetes does.
    #[must_use]
    pub const fn pod_gc(mut self, config: PodGcConfig) -> Self {
        self.pod_gc = config;
        self
    }

    /// A controller of your own, run by a controller manager of its own beside the built-in one.
    #[must_use]
    pub fn controller(mut self, controller: impl Reconciler) -> Self {
        self.own_controllers.push(Box::new(Host::new(controller, 1)));
        self
    }

    /// A plugin of your own for the scheduler, behind the built-in ones; its points count `weight` times (0: it only filters).
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::objects::Text;
    /// use seatrial::scheduler::{Code, Cycle, NodeInfo, Plugin};
    /// use seatrial::sim::{Delays, NodeTemplate, Simulation};
    ///
    /// /// Keeps pods off nodes that are booked for somebody else.
    /// #[derive(Debug)]
    /// struct Booked;
    ///
    /// impl Plugin for Booked {
    ///     type State = ();
    ///     fn name(&self) -> &'static str {
    ///         "Booked"
    ///     }
    ///     fn filter(&self, cycle: &Cycle<'_>, _: &(), node: &NodeInfo) -> Code {
    ///         let booked_for = node.node().meta.labels.get("booked-for");
    ///         let fits = booked_for.is_none_or(|who| who == &*cycle.pod.meta.namespace);
    ///         if fits { Code::Success } else { Code::UnschedulableAndUnresolvable }
    ///     }
    ///     fn reasons(&self, _: &Cycle<'_>, _: &(), _: &NodeInfo, say: &mut dyn FnMut(Text)) {
    ///         say("node(s) were booked".into());
    ///     }
    /// }
    ///
    /// let node = |name: &str| NodeTemplate::new(name);
    /// let mut sim = Simulation::builder()
    ///     .delays(Delays::ideal())
    ///     .scheduler_plugin(Booked, 0)
    ///     .node(node("a").label("booked-for", "shop"))
    ///     .node(node("b"))
    ///     .build()?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
    /// sim.run_for(SimDuration::from_secs(1));
    /// assert_eq!(&*sim.view().pods.iter().next().expect("the pod").node_name, "b");
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn scheduler_plugin(mut self, plugin: impl Plugin, weight: u32) -> Self {
        self.profile = self.profile.and_then(|profile| profile.with(plugin, weight));
        self
    }

    /// The plugins of the scheduler, instead of upstream's default profile, and which pods it takes care of.
    #[must_use]
    pub fn scheduler_profile(mut self, profile: Registry) -> Self {
        self.profile = Ok(profile);
        self
    }

    /// Lets the seed decide in which order the scheduler finds the nodes that will do, as upstream's workers race each
    /// other; it decides between nodes with equal points. Default: the order of upstream's node tree.
    #[must_use]
    pub const fn shuffle_nodes(mut self, enabled: bool) -> Self {
        self.shuffles_nodes = enabled;
        self
    }

    /// How many of each process the control plane has, and how they find out who leads. Default: one of each, with the leader
    /// election of Kubernetes.
    #[must_use]
    pub const fn control_plane(mut self, control_plane: ControlPlane) -> Self {
        self.control_plane = control_plane;
        self
    }

    /// Starts the control plane and registers the machines.
    ///
    /// # Errors
    /// If the control plane or a machine is described wrongly or two have the same name, or if two plugins have; if a time of a fault is always 0.
    pub fn build(self) -> Result<Simulation, SimError> {
        self.control_plane.validate().map_err(|error| SimError::Cluster(format!("control plane: {error}")))?;
        let defaults = if self.delays.watch.is_zero() { Behaviour::ideal() } else { Behaviour::realistic() };
        let mut built_in = built_in(self.pod_gc);
        let autoscaler = HorizontalPodAutoscalerController::new(self.horizontal_pod_autoscaler);
        built_in.push(Box::new(Host::new(autoscaler, 5)));
        built_in.extend(storage(&self.delays.volumes));
        // Not of kube-controller-manager either: whoever implements the Gateway API runs it.
        built_in.push(Box::new(Host::new(GatewayController, 1)));
        if self.endpoints {
            built_in.push(Box::new(Host::new(crate::controllers::EndpointsController::default(), 5)));
        }
        if self.load_balancers {
            built_in.push(cloud(self.delays.load_balancers));
        }
        let mut managers = vec![built_in];
        if !self.own_controllers.is_empty() {
            managers.push(self.own_controllers);
        }
        let profile = self.profile.map_err(|error| SimError::Cluster(error.to_string()))?;
        let scheduler = Scheduler::with_registry(profile);
        let scheduler = if self.shuffles_nodes { scheduler.with_shuffling(self.seed) } else { scheduler };
        let behaviours = Behaviours::new(defaults, self.behaviours);
        let watch = self.delays.watch;
        let network = if self.clients.is_empty() && !self.keeps_rules {
            None
        } else {
            let ideal = || if watch.is_zero() { NetworkConfig::ideal() } else { NetworkConfig::default() };
            let config = self.network.unwrap_or_else(ideal);
            let shortest = NetworkConfig::SHORTEST_WINDOW;
            if config.window < shortest {
                return Err(SimError::Cluster(format!("windows of traffic last {shortest} or more")));
            }
            let streams = Streams::new(self.seed);
            let network = Network::new(config, self.clients, models(&behaviours), watch, streams);
            Some(Box::new(network.map_err(|error| SimError::Cluster(error.to_string()))?))
        };
        let mut sim = Simulation::assemble(Parts {
            seed: self.seed,
            epoch: WallTime::from_unix_nanos(self.epoch.wall().as_unix_nanos()),
            delays: self.delays,
            behaviours,
            // The recording begins when the cluster stands.
            recording: Recording::new(RecordMode::Off),
            record_events: self.events.unwrap_or(self.record != RecordMode::Off),
            managers,
            scheduler,
            control_plane: self.control_plane,
            network,
            in_cloud: self.in_cloud,
            metrics: self.metrics,
        });
        sim.server.set_pod_presets(self.pod_presets);
        let hpa_scale_to_zero = self.horizontal_pod_autoscaler.scale_to_zero;
        sim.server.set_feature_gates(FeatureGates { hpa_scale_to_zero });
        if self.kubernetes_service {
            sim.create_kubernetes_service()?;
        }
        sim.plan_faults(self.faults)?;
        let grouped = if self.node_groups.is_empty() {
            Vec::new()
        } else {
            sim.start_autoscaler(self.autoscaler, self.node_groups)?
        };
        for node in self.nodes.iter().chain(&grouped) {
            sim.add_node(node)?;
            // They have been Ready for long: without the taint of a node that has just joined.
            sim.taint(&node.name, &serde_json::json!(node.taints))?;
        }
        if sim.metrics.measures_everything() {
            sim.start_metrics();
        }
        sim.recording = Recording::new(self.record);
        Ok(sim)
    }
}

/// The controllers of kube-controller-manager, with its numbers of concurrent syncs.
fn built_in(pod_gc: PodGcConfig) -> Vec<Box<dyn ControllerHost>> {
    use crate::controllers as all;
    vec![
        Box::new(Host::new(all::DeploymentController::default(), 5)),
        Box::new(Host::new(all::ReplicaSetController::default(), 5)),
        Box::new(Host::new(all::ReplicationManager::default(), 5)),
        Box::new(Host::new(all::StatefulSetController::default(), 5)),
        Box::new(Host::new(all::DaemonSetController::default(), 2)),
        Box::new(Host::new(all::JobController::default(), 5)),
        Box::new(Host::new(all::JobOrphanPods::default(), 5)),
        Box::new(Host::new(all::TtlAfterFinishedController::default(), 5)),
        Box::new(Host::new(all::EndpointSliceController::default(), 5)),
        Box::new(Host::new(all::EndpointSliceMirroringController::default(), 5)),
        Box::new(Host::new(all::GarbageCollector::default(), 20)),
        Box::new(Host::new(all::NamespaceController::default(), 10)),
        Box::new(Host::new(all::NodeLifecycleController::default(), 8)),
        Box::new(Host::new(all::TaintEvictionController::default(), 8)),
        Box::new(Host::new(all::PodGcController::new(pod_gc), 1)),
        Box::new(Host::new(all::DisruptionController::default(), 1)),
        Box::new(Host::new(all::StaleDisruptionController, 1)),
        Box::new(Host::new(all::ResourceQuotaController::default(), 5)),
        Box::new(Host::new(all::CronJobController::default(), 5)),
    ]
}

/// The controllers of volumes, and what storage drivers run beside the cluster: that is not a part of
/// kube-controller-manager, but it sees what that sees.
fn storage(delays: &VolumeDelays) -> Vec<Box<dyn ControllerHost>> {
    use crate::controllers::volume::{
        AttachDetachController, CsiAttacher, CsiProvisioner, PersistentVolumeController, PvProtectionController,
        PvcProtectionController,
    };
    vec![
        Box::new(Host::new(PersistentVolumeController::new(delays.recycle), 1)),
        Box::new(Host::new(AttachDetachController::default(), 1)),
        Box::new(Host::new(PvProtectionController, 1)),
        Box::new(Host::new(PvcProtectionController, 1)),
        Box::new(Host::new(CsiProvisioner::new(delays.provision, delays.delete), 100)),
        Box::new(Host::new(CsiAttacher::new(delays.attach, delays.detach), 10)),
    ]
}

/// The service controller of the cloud provider: it too sees what kube-controller-manager sees. Its two workers are the one for Services and
/// the one for nodes.
fn cloud(delays: LoadBalancerDelays) -> Box<dyn ControllerHost> {
    let LoadBalancerDelays { provision, update, delete } = delays;
    Box::new(Host::new(crate::controllers::ServiceLbController::new(provision, update, delete), 2))
}
