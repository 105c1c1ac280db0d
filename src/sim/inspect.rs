//! What can be seen of pods from inside.

use std::sync::Arc;

use serde_json::Value;

use crate::kubelet::{KnownServices, ViewSurroundings};
use crate::network::Source;
use crate::network::explain::{Destination, Explanation, World, explain};
use crate::objects::environment::{ConfigError, EnvVar, Surroundings, VolumeFile, container_env, volume_files};
use crate::objects::pod_resources::ResourceAmounts;
use crate::objects::{ContainerState, Key, Pod, Timestamp, Uid};

use super::simulation::Simulation;

impl Simulation {
    /// The way from a client to where it wants to go, now, and its first broken link. What a node's proxy has programmed counts if that
    /// is kept: if there are clients, or by [`keep_rules`](super::SimulationBuilder::keep_rules); else what the API says.
    ///
    /// ```
    /// use seatrial::network::Source;
    /// use seatrial::sim::{Delays, Simulation};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
    /// sim.apply("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: wbe}, ports: [{port: 80}]}}")?;
    /// let to = "service/web:80".parse().expect("a destination");
    /// let why = sim.explain(&Source::Node("node-0".into()), &to);
    /// assert_eq!(why.broken().expect("a link").text, "no pod in namespace default matches its selector app=wbe");
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    #[must_use]
    pub fn explain(&self, from: &Source, to: &Destination) -> Explanation {
        let is_up = |node: &str| self.machine_is_up(node);
        let network = self.network.as_deref().map(|network| (network, self.now()));
        explain(&World { network, is_up: Some(&is_up), ..World::of(self.view()) }, from, to)
    }

    /// The environment of a container of a pod, all references resolved. Of services, those count that existed when the
    /// container was last started; ConfigMaps and Secrets are taken as they are now.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::sim::{Delays, Simulation};
    ///
    /// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
    /// let service = |name: &str| format!(
    ///     "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{ports: [{{port: 80}}]}}}}");
    /// sim.apply(&service("before"))?;
    /// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
    /// sim.run_for(SimDuration::from_secs(5));
    /// sim.apply(&service("after"))?;
    /// sim.run_for(SimDuration::from_secs(5));
    /// let pod = sim.view().pods.iter().next().expect("a pod").clone();
    /// let env = sim.container_env(&pod, "c").expect("nothing is missing");
    /// assert!(env.iter().any(|variable| variable.name == "BEFORE_SERVICE_HOST"));
    /// assert!(!env.iter().any(|variable| variable.name == "AFTER_SERVICE_HOST"));
    /// # Ok::<(), seatrial::sim::SimError>(())
    /// ```
    ///
    /// # Errors
    /// What is missing, in the kubelet's words, or that there is no such container.
    pub fn container_env(&self, pod: &Pod, container: &str) -> Result<Vec<EnvVar>, ConfigError> {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        let all = lists.iter().filter_map(|list| pod.spec.wire().get(*list)?.as_array()).flatten();
        let mut named = all.filter(|spec| spec.get("name").and_then(Value::as_str) == Some(container));
        let spec = named.next().ok_or_else(|| ConfigError(format!("container {container} not found")))?;
        let services = self.services_known_to(pod, container);
        container_env(pod, spec, &ViewSurroundings { view: self.view(), services })
    }

    /// The files of a volume of a pod (wire form) that is made of the API's own data, as they are now.
    ///
    /// # Errors
    /// What is missing, in the kubelet's words.
    pub fn volume_files(&self, pod: &Pod, volume: &Value) -> Result<Vec<VolumeFile>, ConfigError> {
        volume_files(pod, volume, &self.surroundings())
    }

    /// What really runs: node, name and uid of every pod of which at least one container runs on its machine. The API server may
    /// know nothing of such a pod any more, as after `kubectl delete --force` of one whose kubelet it cannot reach. The pods of one
    /// node come in no order that means anything.
    pub fn running_pods(&self) -> impl Iterator<Item = (&Arc<str>, &Key, &Uid)> {
        let kubelets = self.kubelets.nodes.iter().map(|process| &process.kubelet);
        kubelets.flat_map(|kubelet| kubelet.running_pods().map(|(pod, uid)| (kubelet.node_name(), pod, uid)))
    }

    /// What the node of a pod has for pods; nothing if the pod is not bound.
    pub(crate) fn allocatable_of(&self, pod: &Pod) -> ResourceAmounts {
        self.surroundings().allocatable(pod)
    }

    fn surroundings(&self) -> ViewSurroundings<'_> {
        ViewSurroundings { view: self.view(), services: KnownServices::Now }
    }

    fn services_known_to(&self, pod: &Pod, container: &str) -> KnownServices {
        let node = self.kubelets.by_name.get(&pod.node_name);
        let kubelet = node.and_then(|node| self.kubelets.nodes.get(*node as usize)).map(|process| &process.kubelet);
        if let Some(known) = kubelet.and_then(|kubelet| kubelet.services_known_to(&pod.meta.uid, container)) {
            return known;
        }
        // The kubelet has let go of the pod: what its status tells is whole seconds.
        started_at(pod, container).map_or(KnownServices::Now, KnownServices::Until)
    }
}

fn started_at(pod: &Pod, container: &str) -> Option<Timestamp> {
    let status = &pod.status;
    let lists = [&status.init_container_statuses, &status.container_statuses, &status.ephemeral_container_statuses];
    let found = lists.into_iter().flat_map(|list| list.iter()).find(|status| *status.name == *container)?;
    match (&found.state, &found.last_state) {
        (ContainerState::Running { started_at }, _) => Some(*started_at),
        (ContainerState::Terminated(end), _) | (_, ContainerState::Terminated(end)) => end.started_at,
        _ => None,
    }
}
