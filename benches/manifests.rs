//! Reading manifests: bytes a second from text to checked documents.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use seatrial::objects::reader::{ReaderLimits, parse_spanned, read_manifests};

const MEGABYTE: usize = 1 << 20;

fn deployment(text: &mut String, n: usize) {
    let _ = write!(
        text,
        "---
# Deployment {n}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
  namespace: shop
  labels: {{app: web-{n}, tier: \"front\"}}
  annotations:
    example.com/description: |
      The front of shop {n},
      in two lines.
spec:
  replicas: {replicas}
  strategy:
    rollingUpdate: {{maxSurge: 25%, maxUnavailable: 0}}
  selector:
    matchLabels:
      app: web-{n}
  template:
    metadata:
      labels:
        app: web-{n}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
      - name: web
        image: \"registry.example.com/shop/web:v1.{n}\"
        args: [--listen=:8080, '--verbose']
        env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: SHARDS
          value: \"{replicas}\"
        ports:
        - containerPort: 8080
          name: http
        resources:
          requests: {{cpu: 100m, memory: 128Mi}}
          limits:
            cpu: \"1\"
            memory: 256Mi
        readinessProbe:
          httpGet: {{path: /healthz, port: http}}
          periodSeconds: 5
",
        replicas = n % 9 + 1
    );
}

fn service(text: &mut String, n: usize) {
    let _ = write!(
        text,
        "---
apiVersion: v1
kind: Service
metadata: {{name: web-{n}, namespace: shop}}
spec:
  selector:
    app: web-{n}
  ports:
  - port: 80
    targetPort: http
    protocol: TCP
"
    );
}

fn config(text: &mut String, n: usize) {
    let _ =
        writeln!(text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{n}\ndata:\n  app.conf: |");
    for line in 0..20 {
        let _ = writeln!(text, "    option_{line} = \"value {n}\"  # as shipped");
    }
}

fn budget_and_custom(text: &mut String, n: usize) {
    let _ = write!(
        text,
        "---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web-{n}}}
spec:
  minAvailable: 50%
  selector: {{matchLabels: {{app: web-{n}}}}}
---
apiVersion: example.com/v1
kind: Widget
metadata: {{name: widget-{n}}}
spec: {{size: {n}, ratio: 0.25, on: yes, parts: [a, b, c], none: ~}}
"
    );
}

/// Mixed manifests of about `size` bytes.
fn manifests(size: usize) -> String {
    let mut text = String::with_capacity(size + 4096);
    for n in 0.. {
        deployment(&mut text, n);
        service(&mut text, n);
        config(&mut text, n);
        budget_and_custom(&mut text, n);
        if text.len() >= size {
            break;
        }
    }
    text
}

/// The same documents as a stream of JSON.
fn as_json(text: &str) -> String {
    let documents = read_manifests("bench.yaml", text, &ReaderLimits::default()).unwrap_or_default();
    documents.iter().fold(String::new(), |mut json, document| {
        let _ = writeln!(json, "{}", document.value);
        json
    })
}

fn reading(c: &mut Criterion) {
    let limits = ReaderLimits::default();
    let yaml = manifests(10 * MEGABYTE);
    let json = as_json(&yaml);
    assert!(!json.is_empty(), "the manifests are valid");
    let mut group = c.benchmark_group("manifests");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(6));
    group.throughput(Throughput::Bytes(yaml.len() as u64));
    group.bench_function("read_yaml_10mb", |b| {
        b.iter(|| read_manifests("bench.yaml", black_box(&yaml), &limits).map(|all| all.len()))
    });
    group.bench_function("parse_yaml_10mb", |b| {
        b.iter(|| parse_spanned("bench.yaml", black_box(&yaml), &limits).map(|all| all.roots().count()))
    });
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("read_json", |b| {
        b.iter(|| read_manifests("bench.json", black_box(&json), &limits).map(|all| all.len()))
    });
    group.finish();
}

criterion_group!(benches, reading);
criterion_main!(benches);
