//! A service on some nodes, for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::fronts::FRONT;
use super::shadow::Shadow;
use crate::api::{Change, ChangeType};
use crate::kernel::{Rate, Sampler, SimDuration, SimTime, Streams};
use crate::network::{
    Arrivals, ClientReport, ClientSpec, ContainerUp, HostName, Load, Network, NetworkConfig, Origin, PodUp, PortRef,
    ProcessChange, RequestTarget, Retries, ServeModel, Silence,
};
use crate::objects::{Key, Kind, Labels, Object, Pod, Selector, Uid};

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
        to: RequestTarget::Service(Key::new("default", "web"), PortRef::Only),
        from: Origin::Node("node-0".into()),
        load,
        start: secs(0),
        stop: None,
        timeout: secs(10),
        retries: Retries::default(),
        keep_alive: None,
        addresses: 1,
        network: None,
    }
}

/// The pod that asks DNS.
const CLIENT: usize = 999;

/// Requests to port 8080 of a host, from the client.
pub(super) fn to_host(name: &str, host: HostName, load: Load) -> ClientSpec {
    let port = if &*host.name == "web" { 80 } else { 8080 };
    let selector = Selector::from_labels(&Labels::new().with("app", "client"));
    ClientSpec {
        to: RequestTarget::Host(host, PortRef::Number(port)),
        from: Origin::Pods("default".into(), selector),
        ..open(name, load)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Bed {
    pub(super) network: Network,
    pub(super) now: SimTime,
    service: Value,
    /// Takes policies in place of the network, if somebody else judges by them.
    pub(super) shadow: Option<Shadow>,
    /// Whether the endpoint of each pod is ready.
    ready: Vec<bool>,
    /// Whether the endpoint of each pod of the ingress controller is ready.
    pub(super) fronts: Vec<bool>,
    pub(super) nodes: usize,
    /// Also behind the names `pods` and, if they are published, `web-0.pods` and so on.
    headless: bool,
    /// Endpoints that are being removed and still serve.
    terminating: Vec<bool>,
    /// Nodes of pods that are elsewhere than in turn.
    moved: BTreeMap<usize, usize>,
    protocol: &'static str,
    /// The port of pods that the Service leads to; they listen to 8080.
    port: u16,
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
        let idle = ServeModel { time: Sampler::default(), ..ServeModel::default() };
        let network = Network::new(config, clients, vec![model, idle], SimDuration::ZERO, Streams::new(seed));
        let network = network.expect("clients that can be");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "NodePort", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]},
        });
        let mut bed = Self {
            network,
            now: SimTime::ZERO,
            service,
            shadow: None,
            fronts: Vec::new(),
            ready: vec![true; pods],
            nodes,
            terminating: vec![false; pods],
            moved: BTreeMap::new(),
            headless: false,
            protocol: "TCP",
            port: 8080,
        };
        for node in 0..nodes {
            let name = format!("node-{node}");
            let addresses = json!([{"type": "InternalIP", "address": format!("192.0.2.{node}")}]);
            let status = json!({"addresses": addresses});
            let wire = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status});
            bed.tell(wire, ChangeType::Added);
            bed.network.set_node_up(&name.as_str().into(), true, SimTime::ZERO);
        }
        (0..pods).for_each(|pod| bed.pod_up(pod));
        bed.tell(bed.service.clone(), ChangeType::Added);
        bed.publish();
        bed
    }

    /// The same pods are also behind a headless Service, `pods`; `client` asks DNS from the first node.
    pub(super) fn headless(mut self) -> Self {
        self.tell(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}), ChangeType::Added);
        let spec = json!({"clusterIP": "None", "ports": [{"port": 8080, "protocol": "TCP"}]});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pods", "namespace": "default"}, "spec": spec});
        self.tell(service, ChangeType::Added);
        self.tell(self.service.clone(), ChangeType::Modified);
        self.headless = true;
        self.publish();
        self.pod_on(CLIENT, "node-0", "client");
        self
    }

    pub(super) fn tell(&mut self, wire: Value, change_type: ChangeType) {
        let object = Object::from_wire(wire).expect("an object");
        let change = Change { change_type, object, old: None, resource_version: 1 };
        match &mut self.shadow {
            Some(shadow) if change.kind() == Kind::NetworkPolicy => shadow.follow(change, self.now),
            _ => self.network.follow(&change, self.now),
        }
    }

    /// Makes a NetworkPolicy in `default`, or deletes it.
    pub(super) fn policy(&mut self, name: &str, spec: Option<Value>) {
        let change_type = if spec.is_some() { ChangeType::Added } else { ChangeType::Deleted };
        let metadata = json!({"name": name, "namespace": "default"});
        let spec = spec.unwrap_or_else(|| json!({"podSelector": {}}));
        let (version, kind) = ("networking.k8s.io/v1", "NetworkPolicy");
        self.tell(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}), change_type);
    }

    /// Cuts a node off from the control plane.
    pub(super) fn cut(&mut self, node: usize) {
        self.network.fall_silent(Some(&node_name(node)), Silence::Partition, self.now);
        if let Some(shadow) = &mut self.shadow {
            shadow.cut(node, self.now);
        }
    }

    /// Connects it again; its agents try again after a while.
    pub(super) fn mend(&mut self, node: usize, wait: SimDuration) {
        self.network.hear_again(Some(&node_name(node)), Silence::Partition, self.now, wait);
        if let Some(shadow) = &mut self.shadow {
            shadow.mend(node, self.now + wait);
        }
    }

    pub(super) fn pod_up(&mut self, pod: usize) {
        self.pod_on(pod, &node_name(self.node_of(pod)), "web");
    }

    /// A pod that serves.
    pub(super) fn pod(&self, pod: usize) -> PodUp {
        self.up(pod, &node_name(self.node_of(pod)), "web")
    }

    fn up(&self, pod: usize, node: &str, app: &str) -> PodUp {
        let container =
            ContainerUp { place: 0, ports: vec![8080, 53], version: format!("v{pod}").into(), model: 0, cpu_limit: 0 };
        let mut sender = Pod::default();
        sender.meta.namespace = "default".into();
        PodUp {
            uid: uid(pod),
            key: Key::new("default", format!("web-{pod}")),
            labels: Labels::new().with("app", app).with("pod", &pod.to_string()),
            node: node.into(),
            address: address(pod).parse().expect("an address"),
            host_network: false,
            containers: vec![container],
            resolv_conf: self.network.resolv_conf(&sender),
            reverse_proxy: None,
            host_ports: Vec::new(),
        }
    }

    fn pod_on(&mut self, pod: usize, node: &str, app: &str) {
        let up = self.up(pod, node, app);
        self.tell(pod_object(pod, self.nodes), ChangeType::Added);
        self.network.add_pod(&up, self.now);
        self.process(pod, ProcessChange::Started);
        self.process(pod, ProcessChange::Listening);
    }

    /// Writes the EndpointSlice.
    fn publish(&mut self) {
        let endpoint = |(pod, serves): (usize, &bool)| {
            let leaves = self.terminating[pod];
            json!({"addresses": [address(pod)], "nodeName": node_name(self.node_of(pod)),
                "conditions": {"ready": *serves && !leaves, "serving": serves, "terminating": leaves}})
        };
        let endpoints: Vec<Value> = self.ready.iter().enumerate().map(endpoint).collect();
        if self.headless {
            let mut named = slice(endpoints.clone(), self.protocol);
            named["metadata"] =
                json!({"name": "pods-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "pods"}});
            for (pod, endpoint) in named["endpoints"].as_array_mut().into_iter().flatten().enumerate() {
                endpoint["hostname"] = json!(format!("web-{pod}"));
            }
            self.tell(named, ChangeType::Modified);
        }
        let mut own = slice(endpoints, self.protocol);
        own["ports"][0]["port"] = json!(self.port);
        self.tell(own, ChangeType::Modified);
    }

    fn node_of(&self, pod: usize) -> usize {
        self.moved.get(&pod).copied().unwrap_or(pod % self.nodes)
    }

    /// Brings a pod up on another node.
    pub(super) fn set_node(&mut self, pod: usize, node: usize) {
        self.gone(pod);
        self.moved.insert(pod, node);
        self.pod_up(pod);
        self.publish();
    }

    /// Nothing is left of a pod.
    pub(super) fn gone(&mut self, pod: usize) {
        self.tell(pod_object(pod, self.nodes), ChangeType::Deleted);
        self.network.remove_pod(&uid(pod), self.now);
    }

    /// The pod is deleted and still serves.
    pub(super) fn set_terminating(&mut self, pod: usize) {
        self.terminating[pod] = true;
        self.publish();
    }

    /// Changes the Service.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.service);
        self.tell(self.service.clone(), ChangeType::Modified);
    }

    /// Writes the EndpointSlice for another protocol.
    pub(super) fn publish_as(&mut self, protocol: &'static str) {
        self.protocol = protocol;
        self.publish();
    }

    /// Leads the Service also to an address that is none of a pod.
    pub(super) fn add_endpoint(&mut self, address: &str) {
        let conditions = json!({"ready": true, "serving": true, "terminating": false});
        let mut by_hand = slice(vec![json!({"addresses": [address], "conditions": conditions})], self.protocol);
        by_hand["metadata"]["name"] = json!("by-hand");
        self.tell(by_hand, ChangeType::Added);
    }

    /// Leads the Service to another port of the pods.
    pub(super) fn retarget(&mut self, port: u16) {
        self.port = port;
        self.publish();
    }

    /// The pod is not there any more, nor is its endpoint.
    pub(super) fn pod_gone(&mut self, pod: usize) {
        self.kill(pod);
        self.network.remove_pod(&uid(pod), self.now);
        self.set_ready(pod, false);
    }

    /// Cluster DNS is pods, of which these are ready.
    pub(super) fn dns_pods(&mut self, ready: &[usize]) {
        let spec = json!({"clusterIP": "10.96.0.10", "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]});
        let meta = json!({"name": "kube-dns", "namespace": "kube-system"});
        self.tell(json!({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}), ChangeType::Modified);
        let endpoints = ready.iter().map(|pod| json!({"addresses": [address(*pod)], "conditions": {"ready": true}}));
        let mut named = slice(endpoints.collect(), self.protocol);
        let labels = json!({"kubernetes.io/service-name": "kube-dns"});
        named["metadata"] = json!({"name": "kube-dns-1", "namespace": "kube-system", "labels": labels});
        named["ports"] = json!([{"name": "dns", "protocol": "UDP", "port": 53}]);
        self.tell(named, ChangeType::Modified);
    }

    pub(super) fn set_ready(&mut self, pod: usize, ready: bool) {
        self.ready[pod] = ready;
        self.publish();
    }

    pub(super) fn delete_endpoints(&mut self) {
        self.tell(slice(Vec::new(), self.protocol), ChangeType::Deleted);
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
        self.process_of((pod, 0), change);
    }

    /// Something happens to the process of a container in that place of a pod.
    pub(super) fn process_of(&mut self, (pod, place): (usize, u16), change: ProcessChange) {
        self.network.process(&uid(pod), place, change, self.now);
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

    /// The machine runs again, with pods that have just been started.
    pub(super) fn node_up(&mut self, node: usize) {
        self.network.set_node_up(&node_name(node), true, self.now);
        let (pods, fronts) = (self.ready.len(), self.fronts.len());
        (node..pods).step_by(self.nodes).for_each(|pod| self.pod_up(pod));
        (node..fronts).step_by(self.nodes).for_each(|front| self.front_up(front));
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

pub(super) fn node_name(node: usize) -> Arc<str> {
    format!("node-{node}").as_str().into()
}

/// The app and the node of a pod.
fn place_of(pod: usize, nodes: usize) -> (&'static str, usize) {
    match pod {
        CLIENT => ("client", 0),
        FRONT.. => ("ingress", (pod - FRONT) % nodes),
        _ => ("web", pod % nodes),
    }
}

/// The node of a pod that is where pods are in turn.
pub(super) fn home_of(pod: usize, nodes: usize) -> usize {
    place_of(pod, nodes).1
}

pub(super) fn pod_object(pod: usize, nodes: usize) -> Value {
    let (app, node) = place_of(pod, nodes);
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{pod}"), "namespace": "default", "uid": uid(pod).to_string(),
            "labels": {"app": app, "pod": format!("{pod}")}},
        "spec": {"nodeName": node_name(node), "containers": [{"name": "c", "image": "i"}]},
        "status": {"podIP": address(pod)}})
}

fn slice(endpoints: Vec<Value>, protocol: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "", "protocol": protocol, "port": 8080}], "endpoints": endpoints,
    })
}

pub(super) fn uid(pod: usize) -> Uid {
    Uid::Uuid { high: 1, low: pod as u64 + 1 }
}

/// The pod of a uid.
pub(super) fn pod_of(uid: &Uid) -> usize {
    match uid {
        Uid::Uuid { low, .. } => *low as usize - 1,
        other => panic!("{other} is no pod of a bed"),
    }
}

pub(super) fn address(pod: usize) -> String {
    format!("10.1.{}.{}", pod / 250, pod % 250 + 1)
}
