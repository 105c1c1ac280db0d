//! Scheduling alone: 10,000 pods to 1,000 nodes, as one process with everything at once; what the API server and the watch
//! cost is left out.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::api::{Change, ChangeType, Request, View};
use seatrial::objects::{Kind, Node, Object, Pod, Resource, Uid, WallTime, defaults};
use seatrial::scheduler::Scheduler;
use serde_json::{Value, json};

const NODES: usize = 1_000;
const PODS: usize = 10_000;

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
    fn run(&mut self, template: &Arc<Pod>, workloads: usize, pods: usize) -> usize {
        let mut bound = 0;
        for number in 0..pods {
            let mut pod = Pod::clone(template);
            pod.meta.name = format!("pod-{number}").into();
            pod.meta.uid = Uid::uuid(number as u128 + 1);
            pod.meta.labels = pod.meta.labels.with("app", &format!("app-{}", number % workloads));
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

fn pod(spec: Value) -> Arc<Pod> {
    let mut wire = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "labels": {"tier": "web"}},
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

/// What the pods ask for, in words and as a spec.
fn cases() -> Vec<(&'static str, Value)> {
    let own = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "app-0"}}});
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
    let cluster = Cluster::of_nodes(NODES);
    for (name, spec) in cases() {
        let template = pod(spec);
        group.bench_function(BenchmarkId::new(name, format!("{PODS} pods, {NODES} nodes")), |b| {
            b.iter_batched(
                || cluster.clone(),
                |mut cluster| black_box(cluster.run(&template, 100, PODS)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, scheduling);
criterion_main!(benches);
