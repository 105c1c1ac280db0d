//! Scheduling alone: 10,000 pods to 100 to 10,000 nodes, as one process with everything at once; what the API server and the
//! watch cost is left out. `cargo bench --bench scheduling -- '1000 nodes'` runs one size.
//!
//! Microseconds a pod, read on one core (release profile, November 2026):
//!
//! | nodes | plain | required anti-affinity | preferred affinity | spread constraints |
//! |---|---|---|---|---|
//! | 100 | 2.6 | 5.6 | 12.6 | 12.5 |
//! | 500 | 3.7 | 7.7 | 7.9 | 15.2 |
//! | 1,000 | 5.5 | 11.0 | 11.3 | 25.1 |
//! | 5,000 | 6.4 | 12.5 | 22.9 | 59.9 |
//! | 10,000 | 7.1 | 13.2 | 24.2 | 87.1 |

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::api::{Change, ChangeType, Request, View};
use seatrial::objects::{Kind, Node, Object, Pod, Resource, Uid, WallTime, defaults};
use seatrial::scheduler::Scheduler;
use serde_json::{Value, json};

const NODES: [usize; 5] = [100, 500, 1_000, 5_000, 10_000];
const PODS: usize = 10_000;
const WORKLOADS: usize = 100;

/// A scheduler with its view of a cluster without pods.
#[derive(Clone, Default)]
struct Cluster {
    scheduler: Scheduler,
    view: View,
    version: u64,
}

impl Cluster {
    fn change(&mut self, change_type: ChangeType, object: impl Into<Object>) {
        let object = object.into();
        self.version += 1;
        let old = self.view.object(object.kind(), &object.key());
        let change = Change { change_type, object, old, resource_version: self.version };
        self.view.apply(&change);
        self.scheduler.on_change(&self.view, &change, WallTime::default());
    }

    fn of_nodes(count: usize) -> Self {
        let mut cluster = Self::default();
        for number in 0..count {
            let name = format!("node-{number}");
            let labels =
                json!({"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": format!("z{}", number % 3)});
            let amounts = json!({"cpu": "16", "memory": "64Gi", "pods": "110"});
            let wire =
                json!({"metadata": {"name": name, "uid": name, "labels": labels}, "status": {"allocatable": amounts}});
            cluster.change(ChangeType::Added, Arc::new(Node::from_wire(wire).expect("a node")));
        }
        cluster
    }

    /// Makes pods until there are so many, and lets the scheduler bind all of them.
    fn run(&mut self, templates: &[Arc<Pod>], pods: usize) -> usize {
        let mut bound = 0;
        for number in 0..pods {
            let mut pod = Pod::clone(&templates[number % templates.len()]);
            pod.meta.name = format!("pod-{number}").into();
            pod.meta.uid = Uid::uuid(number as u128 + 1);
            self.change(ChangeType::Added, Arc::new(pod));
            while let Some(attempt) = self.scheduler.attempt(&self.view, WallTime::default()) {
                for request in &attempt.requests {
                    if let Request::Bind { pod, node, .. } = request {
                        let pod = self.view.pods.get(pod).expect("the pod");
                        let pod = Arc::new(Pod { node_name: node.clone(), ..Pod::clone(pod) });
                        self.change(ChangeType::Modified, pod);
                        bound += 1;
                    }
                }
                let answer = self.scheduler.on_result(&self.view, WallTime::default(), attempt.id, None);
                assert!(answer.is_empty());
            }
        }
        bound
    }
}

fn pod(app: &str, spec: Value) -> Arc<Pod> {
    let mut wire = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "labels": {"tier": "web", "app": app}},
        "spec": {"containers": [{"name": "c", "image": "web", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]},
    });
    for (field, value) in spec.as_object().into_iter().flatten() {
        wire["spec"][field] = value.clone();
    }
    defaults::apply(Kind::Pod.as_str(), Kind::Pod.api_version(), &mut wire);
    Arc::new(Pod::from_wire(wire).expect("a pod"))
}

fn term(key: &str) -> Value {
    json!({"topologyKey": key, "labelSelector": {"matchLabels": {"tier": "web"}}, "namespaceSelector": {}})
}

/// What the pods of a workload ask for, in words and as a spec.
fn cases(app: &str) -> Vec<(&'static str, Value)> {
    let own = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}});
    let spread = |key: &str, when: &str| json!({"topologyKey": key, "maxSkew": 20, "whenUnsatisfiable": when, "labelSelector": {"matchLabels": {"tier": "web"}}});
    let preferred = json!([{"weight": 10, "podAffinityTerm": term("topology.kubernetes.io/zone")}]);
    vec![
        ("plain pods", json!({})),
        (
            "required anti-affinity",
            json!({"affinity": {"podAntiAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": [own]}}}),
        ),
        (
            "preferred affinity",
            json!({"affinity": {"podAffinity":
            {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}),
        ),
        (
            "spread constraints",
            json!({"topologySpreadConstraints": [
            spread("kubernetes.io/hostname", "DoNotSchedule"), spread("topology.kubernetes.io/zone", "ScheduleAnyway")]}),
        ),
    ]
}

fn scheduling(c: &mut Criterion) {
    let mut group = c.benchmark_group("scheduling");
    group.sample_size(10);
    group.throughput(Throughput::Elements(PODS as u64));
    for nodes in NODES {
        let cluster = Cluster::of_nodes(nodes);
        for (at, (name, _)) in cases("").into_iter().enumerate() {
            let apps = (0..WORKLOADS).map(|number| format!("app-{number}"));
            let templates: Vec<Arc<Pod>> = apps.map(|app| pod(&app, cases(&app).swap_remove(at).1)).collect();
            group.bench_function(BenchmarkId::new(name, format!("{PODS} pods, {nodes} nodes")), |b| {
                b.iter_batched(
                    || cluster.clone(),
                    |mut cluster| {
                        let bound = cluster.run(&templates, PODS);
                        assert_eq!(black_box(bound), PODS, "every pod finds a node");
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, scheduling);
criterion_main!(benches);
