//! A service on some nodes, for tests.

use serde_json::{Value, json};

use crate::api::{Change, ChangeType};
use crate::kernel::{Rate, Sampler, SimDuration, SimTime, Streams};
use crate::network::{
    Arrivals, ClientReport, ClientSpec, ContainerUp, Load, Network, NetworkConfig, Origin, PodUp, PortRef,
    ProcessChange, Retries, ServeModel,
};
use crate::objects::{Key, Labels, Object, Uid};

pub(super) const fn secs(secs: u64) -> SimDuration {
    SimDuration::from_secs(secs)
}

pub(super) fn constant(rate: &str) -> Load {
    Load::Open(Arrivals::constant(rate.parse::<Rate>().expect("a rate")))
}

/// Requests from the first node.
pub(super) fn open(name: &str, load: Load) -> ClientSpec {
    ClientSpec {
        name: name.into(),
        to: Key::new("default", "web"),
        port: PortRef::Only,
        from: Origin::Node("node-0".into()),
        load,
        start: secs(0),
        stop: None,
        timeout: secs(10),
        retries: Retries::default(),
        keep_alive: None,
        addresses: 1,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Bed {
    pub(super) network: Network,
    pub(super) now: SimTime,
    service: Value,
    /// Whether the endpoint of each pod is ready.
    ready: Vec<bool>,
    nodes: usize,
}

impl Bed {
    /// Pods in turn on the nodes, all serving, each of a version of its own, without any delay.
    pub(super) fn new(clients: Vec<ClientSpec>, nodes: usize, pods: usize) -> Self {
        let model = ServeModel { time: Sampler::constant(SimDuration::ZERO), ..ServeModel::default() };
        Self::with(clients, nodes, pods, model, NetworkConfig::ideal(), 7)
    }

    /// One pod that takes so long.
    pub(super) fn slow(clients: Vec<ClientSpec>, time: &str) -> Self {
        let time: SimDuration = time.parse().expect("a time");
        let model = ServeModel { time: Sampler::constant(time), ..ServeModel::default() };
        Self::with(clients, 1, 1, model, NetworkConfig::ideal(), 7)
    }

    pub(super) fn with(
        clients: Vec<ClientSpec>,
        nodes: usize,
        pods: usize,
        model: ServeModel,
        config: NetworkConfig,
        seed: u64,
    ) -> Self {
        let network = Network::new(config, clients, vec![model], SimDuration::ZERO, Streams::new(seed));
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]},
        });
        let mut bed = Self { network, now: SimTime::ZERO, service, ready: vec![true; pods], nodes };
        for node in 0..nodes {
            let name = format!("node-{node}");
            bed.tell(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}), ChangeType::Added);
            bed.network.set_node_up(&name.as_str().into(), true, SimTime::ZERO);
        }
        (0..pods).for_each(|pod| bed.pod_up(pod));
        bed.tell(bed.service.clone(), ChangeType::Added);
        bed.publish();
        bed
    }

    fn tell(&mut self, wire: Value, change_type: ChangeType) {
        let object = Object::from_wire(wire).expect("an object");
        self.network.follow(&Change { change_type, object, old: None, resource_version: 1 }, self.now);
    }

    pub(super) fn pod_up(&mut self, pod: usize) {
        let container =
            ContainerUp { place: 0, ports: vec![8080], version: format!("v{pod}").into(), model: 0, cpu_limit: 0 };
        let up = PodUp {
            uid: uid(pod),
            key: Key::new("default", format!("web-{pod}")),
            labels: Labels::new().with("app", "web"),
            node: format!("node-{}", pod % self.nodes).as_str().into(),
            address: address(pod).parse().expect("an address"),
            host_network: false,
            containers: vec![container],
        };
        self.network.add_pod(&up, self.now);
        self.process(pod, ProcessChange::Started);
        self.process(pod, ProcessChange::Listening);
    }

    /// Writes the EndpointSlice.
    fn publish(&mut self) {
        let nodes = self.nodes;
        let endpoint = |(pod, ready): (usize, &bool)| {
            json!({"addresses": [address(pod)], "conditions": {"ready": ready, "serving": ready, "terminating": false},
                "nodeName": format!("node-{}", pod % nodes)})
        };
        let endpoints: Vec<Value> = self.ready.iter().enumerate().map(endpoint).collect();
        self.tell(slice(endpoints), ChangeType::Modified);
    }

    pub(super) fn set_ready(&mut self, pod: usize, ready: bool) {
        self.ready[pod] = ready;
        self.publish();
    }

    pub(super) fn delete_endpoints(&mut self) {
        self.tell(slice(Vec::new()), ChangeType::Deleted);
    }

    pub(super) fn delete_service(&mut self) {
        self.tell(self.service.clone(), ChangeType::Deleted);
    }

    pub(super) fn affinity(&mut self, seconds: u64) {
        self.service["spec"]["sessionAffinity"] = json!("ClientIP");
        self.service["spec"]["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": seconds}});
        self.tell(self.service.clone(), ChangeType::Modified);
    }

    pub(super) fn process(&mut self, pod: usize, change: ProcessChange) {
        self.network.process(&uid(pod), 0, change, self.now);
    }

    pub(super) fn stop(&mut self, pod: usize, sigterm: u64, stops: u64) {
        let (sigterm, stops) = (SimDuration::from_millis(sigterm), SimDuration::from_millis(stops));
        self.process(pod, ProcessChange::Stopping { sigterm: Some(sigterm), stops });
    }

    pub(super) fn kill(&mut self, pod: usize) {
        self.process(pod, ProcessChange::Ended);
    }

    pub(super) fn node_down(&mut self, node: usize) {
        self.network.set_node_up(&format!("node-{node}").as_str().into(), false, self.now);
    }

    /// Nothing is sent any more from inside.
    pub(super) fn silence_clients(&mut self) {
        self.node_down(0);
    }

    pub(super) fn run(&mut self, until: u64) {
        self.run_until(SimTime::from_secs(until));
    }

    pub(super) fn run_until(&mut self, until: SimTime) {
        self.now = self.now.max(until);
        self.network.run_until(self.now);
    }

    pub(super) fn report(&self, client: &str) -> ClientReport {
        self.network.client_report(client).expect("the client")
    }
}

fn slice(endpoints: Vec<Value>) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "", "protocol": "TCP", "port": 8080}], "endpoints": endpoints,
    })
}

pub(super) fn uid(pod: usize) -> Uid {
    Uid::Uuid { high: 1, low: pod as u64 + 1 }
}

fn address(pod: usize) -> String {
    format!("10.1.{}.{}", pod / 250, pod % 250 + 1)
}
