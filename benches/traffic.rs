//! Requests end to end, and beside them the loop that could not do less: draw a number, index an array.
//!
//! | benchmark | the way of a request |
//! |---|---|
//! | `traffic/request/service` | client on a node → Service → pod, which takes all that come |
//! | `traffic/request/queue` | the same, to pods that work on 16 requests at a time |
//! | `traffic/request/ingress` | client outside → URL → load balancer → node → pod of the ingress controller → endpoint with a queue |
//! | `traffic/request/ingress, own queue` | the same, and the controller works 100 us on a request, 64 at a time: two queues |
//! | `traffic/unused` | `queue` with and without policies, names and Ingresses that do not concern the client |
//! | `traffic/churn` | a second of 5,000 nodes × 1,000 services × 20,000 endpoints of which one changes every 10 ms |
//!
//! All with 100 and 10,000 endpoints, a million requests a second, until the latencies are in the client's histogram.
//! `cargo bench --bench traffic`; `cargo bench --bench traffic -- request/ingress` for one of them.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::api::{Change, ChangeType};
use seatrial::kernel::{Purpose, Sampler, SimDuration, SimTime, Streams};
use seatrial::network::ingress::Controller;
use seatrial::network::{
    AddressPick, Arrivals, ClientSpec, ContainerUp, HostName, HttpRequest, Load, Network, NetworkConfig, Origin, PodUp,
    PortRef, ProcessChange, RequestTarget, Retries, ReverseProxy, ServeModel,
};
use seatrial::objects::{Key, Labels, Object, Selector, Uid};
use serde_json::{Value, json};

const REQUESTS: u64 = 1_000_000;
/// Pods of the ingress controller.
const FRONTS: usize = 4;
/// Other pods have numbers from here on: those of the ingress controller, then the one that sends.
const APART: usize = 1_000_000;
const SENDER: usize = APART + FRONTS;

/// What is there.
#[derive(Clone, Debug)]
struct Setup {
    nodes: usize,
    services: usize,
    endpoints: usize,
    /// How endpoints serve.
    pods: ServeModel,
    /// How pods of an ingress controller in front of the only Service serve; nothing = clients go to Services.
    fronts: Option<ServeModel>,
    /// The client is a pod.
    from_pod: bool,
    /// Policies, hosts and Ingresses that do not concern the client.
    is_furnished: bool,
}

impl Setup {
    /// One Service on ten nodes, one client on the first of them.
    fn new(endpoints: usize) -> Self {
        Self {
            nodes: 10,
            services: 1,
            endpoints,
            pods: model(1000, None),
            fronts: None,
            from_pod: false,
            is_furnished: false,
        }
    }

    /// Pods work on so many requests at a time that half of them have something to do with 100 pods.
    fn queued(self) -> Self {
        Self { pods: model(1000, Some(16)), ..self }
    }

    fn behind(self, fronts: ServeModel) -> Self {
        Self { fronts: Some(fronts), ..self }
    }

    fn clients(&self) -> Vec<ClientSpec> {
        let rate = REQUESTS / self.services as u64;
        let own = (0..self.services).map(|service| {
            let to = match self.fronts {
                Some(_) => url("http://shop.example/cart"),
                None => RequestTarget::Service(Key::new("default", format!("s{service}")), PortRef::Only),
            };
            let from = match (&self.fronts, self.from_pod) {
                (Some(_), _) => Origin::External,
                (None, true) => {
                    Origin::Pods("default".into(), Selector::from_labels(&Labels::new().with("app", "sender")))
                }
                (None, false) => Origin::Node(format!("node-{}", service % self.nodes).into()),
            };
            client(format!("c{service}"), to, from, rate)
        });
        let mut all: Vec<ClientSpec> = own.collect();
        if self.is_furnished {
            let host = HostName { pick: AddressPick::First, ..HostName::new("s0") };
            let pods = Origin::Pods("other".into(), Selector::default());
            all.push(client("asks".into(), RequestTarget::Host(host, PortRef::Number(80)), pods, 1));
            all.push(client("browses".into(), url("http://other.example/"), Origin::External, 1));
        }
        all
    }
}

fn url(url: &str) -> RequestTarget {
    RequestTarget::Url(HttpRequest::get(url).expect("a URL").into())
}

/// That many microseconds for each request, and so many at a time.
fn model(micros: u64, concurrency: Option<u32>) -> ServeModel {
    ServeModel { time: Sampler::constant(SimDuration::from_micros(micros)), concurrency, ..ServeModel::default() }
}

/// Services of which each has as many endpoints, spread over the nodes.
struct Cluster {
    network: Network,
    nodes: usize,
    per_service: usize,
    now: SimTime,
}

impl Cluster {
    fn new(setup: &Setup) -> Self {
        let Setup { nodes, services, endpoints, .. } = *setup;
        let fronts = setup.fronts.clone().unwrap_or_default();
        let models = vec![setup.pods.clone(), fronts];
        let network =
            Network::new(NetworkConfig::default(), setup.clients(), models, SimDuration::ZERO, Streams::new(1));
        let network = network.expect("clients that can be");
        let mut cluster = Self { network, nodes, per_service: endpoints / services, now: SimTime::ZERO };
        for node in 0..nodes {
            let name = format!("node-{node}");
            cluster.tell(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
            cluster.network.set_node_up(&name.as_str().into(), true, SimTime::ZERO);
        }
        if setup.from_pod {
            (0..endpoints).for_each(|pod| cluster.tell_pod(pod, "web"));
            cluster.tell_pod(SENDER, "sender");
            cluster.pod(SENDER, "sender", None);
        }
        if setup.is_furnished {
            cluster.furnish();
        }
        for pod in 0..endpoints {
            cluster.pod(pod, "web", None);
        }
        for service in 0..services {
            let spec =
                json!({"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP"}]});
            cluster.service(&format!("s{service}"), &spec, &json!({}));
            cluster.publish(service, usize::MAX);
        }
        if setup.fronts.is_some() {
            cluster.ingress("shop.example", "s0");
        }
        // Until every node has programmed everything.
        cluster.advance(SimDuration::from_secs(5));
        cluster
    }

    fn tell(&mut self, wire: Value) {
        let object = Object::from_wire(wire).expect("an object");
        let change = Change { change_type: ChangeType::Modified, object, old: None, resource_version: 1 };
        self.network.follow(&change, self.now);
    }

    fn service(&mut self, name: &str, spec: &Value, status: &Value) {
        let metadata = json!({"name": name, "namespace": "default"});
        self.tell(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": status}));
    }

    /// The Pod, for those who look at its labels.
    fn tell_pod(&mut self, pod: usize, app: &str) {
        self.tell(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("p{pod}"), "namespace": "default", "uid": uid(pod).to_string(), "labels": {"app": app}},
            "spec": {"nodeName": format!("node-{}", pod % self.nodes), "containers": [{"name": "c", "image": "web"}]},
            "status": {"podIP": address(pod)},
        }));
    }

    fn pod(&mut self, pod: usize, app: &str, reverse_proxy: Option<(u16, ReverseProxy)>) {
        let uid = uid(pod);
        let model = u32::from(reverse_proxy.is_some());
        let container = ContainerUp { place: 0, ports: vec![80], version: "v1".into(), model, cpu_limit: 0 };
        let up = PodUp {
            uid: uid.clone(),
            key: Key::new("default", format!("p{pod}")),
            labels: Labels::new().with("app", app),
            node: format!("node-{}", pod % self.nodes).as_str().into(),
            address: address(pod).parse().expect("an address"),
            host_network: false,
            containers: vec![container],
            resolv_conf: None,
            reverse_proxy,
            host_ports: Vec::new(),
        };
        self.network.add_pod(&up, self.now);
        self.network.process(&uid, 0, ProcessChange::Started, self.now);
        self.network.process(&uid, 0, ProcessChange::Listening, self.now);
    }

    /// Writes the slices of a service; its `missing`-th endpoint is not ready.
    fn publish(&mut self, service: usize, missing: usize) {
        let first = service * self.per_service;
        for (number, pods) in (first..first + self.per_service).collect::<Vec<_>>().chunks(1000).enumerate() {
            let missing = first.saturating_add(missing);
            self.slice(&format!("s{service}"), number, pods, missing);
        }
    }

    fn slice(&mut self, service: &str, number: usize, pods: &[usize], missing: usize) {
        let endpoints = pods.iter().map(|pod| {
            let ready = *pod != missing;
            json!({"addresses": [address(*pod)], "nodeName": format!("node-{}", pod % self.nodes),
                "conditions": {"ready": ready, "serving": ready, "terminating": false}})
        });
        let endpoints: Vec<Value> = endpoints.collect();
        self.tell(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{service}-{number}"), "namespace": "default",
                "labels": {"kubernetes.io/service-name": service}},
            "ports": [{"name": "", "protocol": "TCP", "port": 80}], "endpoints": endpoints,
        }));
    }

    /// Pods of an ingress controller behind a load balancer, and its rule for a host.
    fn ingress(&mut self, host: &str, service: &str) {
        self.tell(json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"},
            "spec": {"controller": "k8s.io/ingress-nginx"}}));
        let backend = json!({"service": {"name": service, "port": {"number": 80}}});
        let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
        self.tell(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop", "namespace": "default"},
            "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": paths}}]},
        }));
        let ports = json!([{"port": 80, "protocol": "TCP", "nodePort": 30080}]);
        let spec =
            json!({"type": "LoadBalancer", "clusterIP": "10.96.0.2", "selector": {"app": "ingress"}, "ports": ports});
        self.service("ingress", &spec, &json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}));
        let fronts: Vec<usize> = (APART..APART + FRONTS).collect();
        for front in &fronts {
            let controller = Controller { namespace: "default".to_owned(), ..Controller::default() };
            self.pod(*front, "ingress", Some((0, ReverseProxy::Ingress(Box::new(controller)))));
        }
        self.slice("ingress", 0, &fronts, usize::MAX);
    }

    /// What others use.
    fn furnish(&mut self) {
        self.ingress("other.example", "s0");
        let denied = json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress", "Egress"]});
        for number in 0..10 {
            let metadata = json!({"name": format!("deny-{number}"), "namespace": "default"});
            self.tell(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": denied}));
        }
    }

    fn advance(&mut self, time: SimDuration) {
        self.now += time;
        self.network.run_until(self.now);
    }

    /// So many requests a second were answered.
    fn check(&self, client: &str) {
        let report = self.network.client_report(client).expect("a client");
        let part = report.total.succeeded as f64 / report.total.requests as f64;
        assert!(part > 0.5, "requests get through: {report:?}");
    }
}

fn client(name: String, to: RequestTarget, from: Origin, rate: u64) -> ClientSpec {
    ClientSpec {
        name: name.into(),
        to,
        from,
        load: Load::Open(Arrivals::constant(format!("{rate}/s").parse().expect("a rate"))),
        start: SimDuration::ZERO,
        stop: None,
        timeout: SimDuration::from_secs(1),
        retries: Retries::default(),
        keep_alive: None,
        addresses: 1,
        network: None,
    }
}

fn uid(pod: usize) -> Uid {
    Uid::Uuid { high: 1, low: pod as u64 + 1 }
}

fn address(pod: usize) -> String {
    format!("10.{}.{}.{}", pod / 62_500, pod / 250 % 250, pod % 250 + 1)
}

/// Nanoseconds a request.
fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("traffic/request");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(10);
    for endpoints in [100, 10_000] {
        let setups = [
            ("service", Setup::new(endpoints)),
            ("queue", Setup::new(endpoints).queued()),
            ("ingress", Setup::new(endpoints).queued().behind(model(0, None))),
            ("ingress, own queue", Setup::new(endpoints).queued().behind(model(100, Some(64)))),
        ];
        for (name, setup) in setups {
            let mut cluster = None;
            group.bench_function(BenchmarkId::new(name, endpoints), |b| {
                let cluster = cluster.get_or_insert_with(|| Cluster::new(&setup));
                b.iter(|| cluster.advance(SimDuration::from_secs(1)));
                cluster.check("c0");
            });
        }
        let (table, mut luck) = (vec![1u64; endpoints], Streams::new(1).stream(Purpose::new(1), 0u32));
        group.bench_function(BenchmarkId::new("bare draw and index", endpoints), |b| {
            b.iter(|| (0..REQUESTS).map(|_| black_box(table[luck.below(endpoints as u64) as usize])).sum::<u64>());
        });
    }
    group.finish();
}

/// What is there and not used must cost nothing.
fn unused(c: &mut Criterion) {
    let mut group = c.benchmark_group("traffic/unused");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(10);
    for endpoints in [100, 10_000] {
        for (name, is_furnished) in [("absent", false), ("present", true)] {
            let setup = Setup { from_pod: true, is_furnished, ..Setup::new(endpoints).queued() };
            let mut cluster = None;
            group.bench_function(BenchmarkId::new(name, endpoints), |b| {
                let cluster = cluster.get_or_insert_with(|| Cluster::new(&setup));
                b.iter(|| cluster.advance(SimDuration::from_secs(1)));
                cluster.check("c0");
            });
        }
    }
    group.finish();
}

/// A second of a large cluster: 5,000 nodes, 1,000 services, 20,000 endpoints of which one changes every 10 ms, a million requests.
/// Less than a second is faster than real time.
fn churn(c: &mut Criterion) {
    let mut group = c.benchmark_group("traffic/churn");
    group.sample_size(10);
    let setup = Setup { nodes: 5_000, services: 1_000, ..Setup::new(20_000) };
    let (mut cluster, mut turn) = (None, 0);
    group.bench_function("a second", |b| {
        let cluster = cluster.get_or_insert_with(|| Cluster::new(&setup));
        b.iter_batched(
            || (),
            |()| {
                for _ in 0..100 {
                    cluster.publish(turn * 7 % 1_000, turn % 21);
                    turn += 1;
                    cluster.advance(SimDuration::from_millis(10));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, requests, unused, churn);
criterion_main!(benches);
