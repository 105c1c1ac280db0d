//! Traffic in the simulation: what the network is told, and when it goes on.

use std::sync::Arc;

use crate::kernel::{Sampler, SimDuration, SimTime};
use crate::kubelet::{Behaviours, Load, OnSigterm, ProcessEvent, ProcessNotice, Serve};
use crate::network::ingress::Controller;
use crate::network::{
    ClientReport, ContainerUp, ErrorRate, Network, PodUp, ProcessChange, ReverseProxy, ServeModel, TrafficReport,
    WarmUp,
};
use crate::objects::gateway::GATEWAY_NAME_LABEL;
use crate::objects::{Container, Key, Pod, Uid};

use super::recorder::{Record, TrafficRecord};
use super::simulation::Simulation;

/// Label of the revision of pods that StatefulSets and DaemonSets made.
const REVISION_LABEL: &str = "controller-revision-hash";

impl Load for Network {
    fn wait(&self, pod: &Uid, container: u16) -> Option<SimDuration> {
        self.wait_at(pod, container)
    }
}

impl Simulation {
    /// What came of all traffic so far; `None` if no client was configured.
    #[must_use]
    pub fn traffic(&self) -> Option<TrafficReport> {
        let network = self.network.as_ref().filter(|network| network.client_names().next().is_some());
        network.map(|network| network.report())
    }

    /// What came of a client's requests so far, without windows; `None` if there is no such client.
    #[must_use]
    pub fn client(&self, name: &str) -> Option<ClientReport> {
        self.network.as_ref()?.client_report(name)
    }

    /// Requests of all clients so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.network.as_ref().map_or(0, |network| network.requests())
    }

    /// Lets at most that many attempts begin since the start; then time stands still. Default: no limit.
    pub fn set_request_limit(&mut self, requests: u64) {
        if let Some(network) = &mut self.network {
            network.set_request_limit(requests);
        }
    }

    /// Why the traffic does not go on, if it does not.
    #[must_use]
    pub fn traffic_exhausted(&self) -> Option<String> {
        self.network.as_ref()?.exhausted()
    }

    /// Lets the traffic go on until just before `at`.
    pub(super) fn run_traffic(&mut self, at: SimTime) {
        let Some(network) = &mut self.network else { return };
        network.run_until(at);
        if self.recording.is_off() {
            return;
        }
        for (client, window) in network.take_windows() {
            self.recording.push(Record::Traffic(at, Box::new(TrafficRecord { client, window })));
        }
    }

    /// Tells the network what happens to processes.
    pub(super) fn tell_network(&mut self, notices: &[ProcessNotice]) {
        let now = self.now();
        for notice in notices {
            let pod_up = || self.pod_up(notice);
            let change = match notice.what {
                ProcessEvent::Started => {
                    let is_new = self.network.as_ref().is_some_and(|network| !network.knows_pod(&notice.pod));
                    let pod = if is_new { pod_up() } else { None };
                    if let (Some(network), Some(pod)) = (&mut self.network, pod) {
                        network.add_pod(&pod, now);
                    }
                    ProcessChange::Started
                }
                ProcessEvent::Listening => ProcessChange::Listening,
                ProcessEvent::Hung => ProcessChange::Hung,
                ProcessEvent::Stopping { sigterm, stops } => ProcessChange::Stopping { sigterm, stops },
                ProcessEvent::Ended => ProcessChange::Ended,
                ProcessEvent::PodGone => {
                    if let Some(network) = &mut self.network {
                        network.remove_pod(&notice.pod, now);
                    }
                    continue;
                }
            };
            if let Some(network) = &mut self.network {
                network.process(&notice.pod, notice.container, change, now);
            }
        }
    }

    fn pod_up(&self, notice: &ProcessNotice) -> Option<PodUp> {
        let view = self.kubelets.informer.view(self.server.view());
        let pod = view.pods.get(&notice.key).filter(|pod| pod.meta.uid == notice.pod)?;
        Some(PodUp {
            uid: notice.pod.clone(),
            key: notice.key.clone(),
            labels: pod.meta.labels.clone(),
            node: pod.node_name.clone(),
            address: notice.address?,
            host_network: pod.spec.host_network,
            containers: self.containers_up(pod),
            resolv_conf: self.network.as_ref().and_then(|network| network.resolv_conf(pod)),
            reverse_proxy: reverse_proxy(pod),
            host_ports: host_ports(pod),
        })
    }

    /// The containers of a pod that may serve: regular ones, then sidecars.
    fn containers_up(&self, pod: &Pod) -> Vec<ContainerUp> {
        let spec = &pod.spec;
        let inits = spec.init_containers.len();
        let regular = spec.containers.iter().enumerate().map(|(at, container)| (inits + at, container));
        let sidecars = spec.init_containers.iter().enumerate().filter(|(_, container)| container.is_sidecar());
        let up = regular.chain(sidecars).map(|(at, container)| ContainerUp {
            place: u16::try_from(at).unwrap_or(u16::MAX),
            ports: container.ports.iter().filter_map(|port| u16::try_from(port.container_port).ok()).collect(),
            version: version(pod, container),
            model: self.model_of(at, pod, container),
            cpu_limit: u32::try_from(container.resources.limits.cpu_milli).unwrap_or(0),
        });
        up.collect()
    }

    /// How a container serves. A reverse proxy of which nothing is said takes no time of its own.
    fn model_of(&self, place: usize, pod: &Pod, container: &Container) -> u32 {
        let behaviours = &self.kubelets.behaviours;
        let index = behaviours.index(&container.image);
        let says_nothing = behaviours.all().get(index as usize).is_none_or(|behaviour| behaviour.serve.is_none());
        let is_proxy = says_nothing && reverse_proxy(pod).is_some_and(|(own, _)| usize::from(own) == place);
        if is_proxy { behaviours.all().len() as u32 } else { index }
    }

    /// A machine runs, or not any more.
    pub(super) fn set_network_of(&mut self, node: u32, up: bool) {
        let now = self.now();
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        if let Some(network) = &mut self.network {
            network.set_node_up(&name, up, now);
        }
    }
}

/// Ports of a pod's machine that lead to it, each with the port behind it.
fn host_ports(pod: &Pod) -> Vec<(u16, u16)> {
    let ports = pod.spec.containers.iter().flat_map(|container| &container.ports);
    let number = |port: i32| u16::try_from(port).ok().filter(|port| *port > 0);
    ports.filter_map(|port| Some((number(port.host_port)?, number(port.container_port)?))).collect()
}

/// What reports call a container: its image, and the revision of the template that its pod was made from.
fn version(pod: &Pod, container: &Container) -> Arc<str> {
    let labels = &pod.meta.labels;
    match labels.get(crate::objects::POD_TEMPLATE_HASH).or_else(|| labels.get(REVISION_LABEL)) {
        Some(revision) => format!("{} ({revision})", container.image).into(),
        None => container.image.clone(),
    }
}

/// What a pod is if it is a reverse proxy, and the place of its container: an ingress controller by what it runs, the data plane of
/// a Gateway by the label that upstream's GEP 1762 gives it.
fn reverse_proxy(pod: &Pod) -> Option<(u16, ReverseProxy)> {
    let inits = pod.spec.init_containers.len();
    let place = |own: usize| u16::try_from(inits + own).unwrap_or(u16::MAX);
    if let Some(name) = pod.meta.labels.get(GATEWAY_NAME_LABEL) {
        return Some((place(0), ReverseProxy::Gateway(Key::new(pod.meta.namespace.clone(), name))));
    }
    let (own, controller) = Controller::in_pod(pod)?;
    Some((place(own), ReverseProxy::Ingress(Box::new(controller))))
}

/// How each behaviour serves, in the order of [`Behaviours::all`]; then a reverse proxy that takes no time of its own.
pub(super) fn models(behaviours: &Behaviours) -> Vec<ServeModel> {
    behaviours
        .all()
        .iter()
        .map(|behaviour| behaviour.serve.as_deref().map_or_else(ServeModel::default, model))
        .chain([ServeModel { time: Sampler::default(), ..ServeModel::default() }])
        .collect()
}

fn model(serve: &Serve) -> ServeModel {
    let default = ServeModel::default();
    let thousandths = |millionths: u32| millionths / 1000;
    let no_time = Sampler::constant(SimDuration::ZERO);
    let time = match (&serve.time, &serve.cpu) {
        (Some(time), _) => time.clone(),
        (None, Some(_)) => no_time.clone(),
        (None, None) => default.time.clone(),
    };
    let failing = serve.error_rate.map_or(0, |share| share.millionths().min(1_000_000));
    ServeModel {
        time,
        cpu: serve.cpu.clone().unwrap_or(no_time),
        concurrency: serve.concurrency.map(|most| most.get().min(Serve::MOST)),
        queue: serve.queue.unwrap_or(default.queue).min(Serve::MOST),
        error_rate: ErrorRate { of: 1_000_000, failing },
        warm_up: serve
            .warm_up
            .map(|slow| WarmUp { takes: slow.takes, factor: 1000 + thousandths(slow.slower.millionths()) }),
        slow_with_load: serve.slow_with_load.map_or(0, |share| thousandths(share.millionths())),
        serves_on_sigterm: serve.on_sigterm == OnSigterm::Serve,
    }
}
