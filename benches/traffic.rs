//! Requests end to end, and beside them the loop that could not do less: draw a number, index an array.
//! `cargo bench --bench traffic`.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::api::{Change, ChangeType};
use seatrial::kernel::{Purpose, Sampler, SimDuration, SimTime, Streams};
use seatrial::network::{
    Arrivals, ClientSpec, ContainerUp, Load, Network, NetworkConfig, Origin, PodUp, PortRef, ProcessChange,
    RequestTarget, Retries, ServeModel,
};
use seatrial::objects::{Key, Labels, Object, Uid};
use serde_json::{Value, json};

const REQUESTS: u64 = 1_000_000;

/// Services of which each has as many endpoints, spread over the nodes.
struct Cluster {
    network: Network,
    nodes: usize,
    per_service: usize,
    now: SimTime,
}

impl Cluster {
    fn new(nodes: usize, services: usize, endpoints: usize, rate: u64) -> Self {
        let clients = (0..services).map(|service| client(service, nodes, rate / services as u64)).collect();
        let model = ServeModel { time: Sampler::constant(SimDuration::from_millis(1)), ..ServeModel::default() };
        let network = Network::new(NetworkConfig::default(), clients, vec![model], SimDuration::ZERO, Streams::new(1));
        let network = network.expect("clients that can be");
        let mut cluster = Self { network, nodes, per_service: endpoints / services, now: SimTime::ZERO };
        for node in 0..nodes {
            let name = format!("node-{node}");
            cluster.tell(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
            cluster.network.set_node_up(&name.as_str().into(), true, SimTime::ZERO);
        }
        for pod in 0..endpoints {
            cluster.pod(pod);
        }
        for service in 0..services {
            cluster.tell(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("s{service}"), "namespace": "default"},
                "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP"}]},
            }));
            cluster.publish(service, usize::MAX);
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

    fn pod(&mut self, pod: usize) {
        let uid = Uid::Uuid { high: 1, low: pod as u64 + 1 };
        let container = ContainerUp { place: 0, ports: vec![80], version: "v1".into(), model: 0, cpu_limit: 0 };
        let up = PodUp {
            uid: uid.clone(),
            key: Key::new("default", format!("p{pod}")),
            labels: Labels::new(),
            node: format!("node-{}", pod % self.nodes).as_str().into(),
            address: address(pod).parse().expect("an address"),
            host_network: false,
            containers: vec![container],
            resolv_conf: None,
            reverse_proxy: None,
            has_host_ports: false,
        };
        self.network.add_pod(&up, self.now);
        self.network.process(&uid, 0, ProcessChange::Started, self.now);
        self.network.process(&uid, 0, ProcessChange::Listening, self.now);
    }

    /// Writes the slices of a service; its `missing`-th endpoint is not ready.
    fn publish(&mut self, service: usize, missing: usize) {
        let first = service * self.per_service;
        for (number, pods) in (first..first + self.per_service).collect::<Vec<_>>().chunks(1000).enumerate() {
            let endpoints = pods.iter().map(|pod| {
                let ready = pod - first != missing;
                json!({"addresses": [address(*pod)], "nodeName": format!("node-{}", pod % self.nodes),
                    "conditions": {"ready": ready, "serving": ready, "terminating": false}})
            });
            self.tell(json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": format!("s{service}-{number}"), "namespace": "default",
                    "labels": {"kubernetes.io/service-name": format!("s{service}")}},
                "ports": [{"name": "", "protocol": "TCP", "port": 80}], "endpoints": endpoints.collect::<Vec<_>>(),
            }));
        }
    }

    fn advance(&mut self, time: SimDuration) {
        self.now += time;
        self.network.run_until(self.now);
    }
}

fn client(service: usize, nodes: usize, rate: u64) -> ClientSpec {
    ClientSpec {
        name: format!("c{service}").into(),
        to: RequestTarget::Service(Key::new("default", format!("s{service}")), PortRef::Only),
        from: Origin::Node(format!("node-{}", service % nodes).into()),
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

fn address(pod: usize) -> String {
    format!("10.{}.{}.{}", pod / 62_500, pod / 250 % 250, pod % 250 + 1)
}

/// Nanoseconds a request: one client, one service.
fn requests(c: &mut Criterion) {
    let mut group = c.benchmark_group("traffic/request");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(10);
    for endpoints in [100, 10_000] {
        let mut cluster = Cluster::new(10, 1, endpoints, REQUESTS);
        group.bench_function(BenchmarkId::new("end to end", endpoints), |b| {
            b.iter(|| cluster.advance(SimDuration::from_secs(1)));
        });
        let (table, mut luck) = (vec![1u64; endpoints], Streams::new(1).stream(Purpose::new(1), 0u32));
        group.bench_function(BenchmarkId::new("bare draw and index", endpoints), |b| {
            b.iter(|| (0..REQUESTS).map(|_| black_box(table[luck.below(endpoints as u64) as usize])).sum::<u64>());
        });
    }
    group.finish();
}

/// A second of a large cluster: 5,000 nodes, 1,000 services, 20,000 endpoints of which one changes every 10 ms, a million requests.
/// Less than a second is faster than real time.
fn churn(c: &mut Criterion) {
    let mut group = c.benchmark_group("traffic/churn");
    group.sample_size(10);
    let mut cluster = Cluster::new(5_000, 1_000, 20_000, 1_000_000);
    let mut turn = 0;
    group.bench_function("a second", |b| {
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

criterion_group!(benches, requests, churn);
criterion_main!(benches);
