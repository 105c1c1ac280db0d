//! An ingress controller in front of the service, for tests.

use serde_json::{Value, json};

use super::super::super::clients::{HttpRequest, Load, RequestTarget};
use super::super::super::relay::ReverseProxy;
use super::super::super::servers::ProcessChange;
use super::bed::{Bed, address, open, pod_object, uid};
use crate::api::ChangeType;
use crate::kernel::SimDuration;
use crate::network::ingress::Controller;
use crate::network::{ClientSpec, ContainerUp, PodUp};
use crate::objects::{Key, Labels};

/// The first pod of the ingress controller.
pub(super) const FRONT: usize = 500;

/// Requests to a URL, from the first node.
pub(super) fn to_url(name: &str, url: &str, load: Load) -> ClientSpec {
    let request = HttpRequest::get(url).expect("a URL");
    ClientSpec { to: RequestTarget::Url(request.into()), ..open(name, load) }
}

pub(super) fn ingress(name: &str, annotations: &Value, service: &str) -> Value {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": paths}}]},
    })
}

/// Annotations of ingress-nginx.
pub(super) fn nginx(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(name, value)| (format!("nginx.ingress.kubernetes.io/{name}"), json!(value))).collect()
}

fn front_service(policy: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress", "namespace": "default"},
        "spec": {"type": "NodePort", "clusterIP": "10.96.0.2", "selector": {"app": "ingress"}, "externalTrafficPolicy": policy,
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30081}]},
    })
}

impl Bed {
    /// Pods of an ingress controller with a rule that leads to the service, by their Service `ingress`.
    pub(super) fn behind_ingress(mut self, fronts: usize, annotations: &Value) -> Self {
        let class = json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"},
            "spec": {"controller": "k8s.io/ingress-nginx"}});
        self.tell(class, ChangeType::Added);
        self.tell(ingress("shop", annotations, "web"), ChangeType::Added);
        self.tell(front_service("Cluster"), ChangeType::Added);
        (0..fronts).for_each(|front| self.front_up(front));
        self.fronts = vec![true; fronts];
        self.publish_fronts();
        self
    }

    /// From now on the controller sees the addresses of clients outside.
    pub(super) fn keep_addresses(&mut self) {
        self.tell(front_service("Local"), ChangeType::Modified);
    }

    /// A load balancer leads to the controller, whose address everybody asks for.
    pub(super) fn balance(&mut self) {
        let mut service = front_service("Cluster");
        service["spec"]["type"] = json!("LoadBalancer");
        service["status"] = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.9", "ipMode": "VIP"}]}});
        self.tell(service, ChangeType::Modified);
    }

    /// A pod of the ingress controller.
    pub(super) fn front(&self, front: usize) -> PodUp {
        let version = format!("front{front}").into();
        let container = ContainerUp { place: 0, ports: vec![80], version, model: 1, cpu_limit: 0 };
        let controller = Controller { namespace: "default".to_owned(), ..Controller::default() };
        PodUp {
            uid: uid(FRONT + front),
            key: Key::new("default", format!("ingress-{front}")),
            labels: Labels::new().with("app", "ingress"),
            node: format!("node-{}", front % self.nodes).as_str().into(),
            address: address(FRONT + front).parse().expect("an address"),
            host_network: false,
            containers: vec![container],
            resolv_conf: self.pod(0).resolv_conf,
            reverse_proxy: Some((0, ReverseProxy::Ingress(Box::new(controller)))),
            host_ports: Vec::new(),
        }
    }

    pub(super) fn front_up(&mut self, front: usize) {
        self.tell(pod_object(FRONT + front, self.nodes), ChangeType::Added);
        self.front_comes_up(front, &self.front(front));
    }

    /// No Service leads to the ingress controller: its pods are such ones, perhaps with ports of their machines.
    pub(super) fn by_machines(mut self, mut pod: impl FnMut(PodUp) -> PodUp) -> Self {
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ingress", "namespace": "default"}});
        self.tell(service, ChangeType::Deleted);
        for front in 0..self.fronts.len() {
            self.kill(FRONT + front);
            let up = pod(self.front(front));
            self.front_comes_up(front, &up);
        }
        self
    }

    fn front_comes_up(&mut self, front: usize, up: &PodUp) {
        self.network.add_pod(up, self.now);
        self.process(FRONT + front, ProcessChange::Started);
        self.process(FRONT + front, ProcessChange::Listening);
    }

    pub(super) fn set_front_ready(&mut self, front: usize, ready: bool) {
        self.fronts[front] = ready;
        self.publish_fronts();
    }

    fn publish_fronts(&mut self) {
        let nodes = self.nodes;
        let endpoint = |(front, ready): (usize, &bool)| {
            json!({"addresses": [address(FRONT + front)], "conditions": {"ready": ready, "serving": ready},
                "nodeName": format!("node-{}", front % nodes)})
        };
        let endpoints: Vec<Value> = self.fronts.iter().enumerate().map(endpoint).collect();
        self.slice_of("ingress", 80, endpoints);
    }

    /// Writes the EndpointSlice of a service.
    pub(super) fn slice_of(&mut self, service: &str, port: u16, endpoints: Vec<Value>) {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{service}-1"), "namespace": "default", "labels": {"kubernetes.io/service-name": service}},
            "ports": [{"name": "", "protocol": "TCP", "port": port}], "endpoints": endpoints,
        });
        self.tell(slice, ChangeType::Modified);
    }

    /// A service whose endpoints are these pods, and an Ingress as its canary.
    pub(super) fn canary(&mut self, pods: &[usize], annotations: &[(&str, &str)]) {
        let spec = json!({"type": "ClusterIP", "clusterIP": "10.96.0.3", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}]});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "canary", "namespace": "default"}, "spec": spec});
        self.tell(service, ChangeType::Added);
        let endpoint = |pod: &usize| json!({"addresses": [address(*pod)], "conditions": {"ready": true}});
        self.slice_of("canary", 8080, pods.iter().map(endpoint).collect());
        let mut all = vec![("canary", "true")];
        all.extend_from_slice(annotations);
        self.tell(ingress("canary", &nginx(&all), "canary"), ChangeType::Added);
    }

    /// The rule of the service is another one from now on.
    pub(super) fn annotate(&mut self, annotations: &Value) {
        self.tell(ingress("shop", annotations, "web"), ChangeType::Modified);
    }
}

/// Milliseconds.
pub(super) const fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}
