//! Whole descriptions.

use super::*;
use crate::kernel::SimDuration;
use crate::sim::Delays;

const PODS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {url: "http://db"}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web, tier: front}
  annotations: {note: hello}
spec:
  initContainers:
  - {name: wait, image: "init:1", command: [sh, -c, "sleep 1"]}
  - {name: mesh, image: "mesh:1", restartPolicy: Always}
  containers:
  - name: app
    image: app:1
    ports: [{name: http, containerPort: 8080}, {containerPort: 9090, protocol: UDP}]
    resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
    readinessProbe: {httpGet: {path: healthz, port: http}, periodSeconds: 5}
    envFrom: [{configMapRef: {name: settings, optional: true}, prefix: CFG_}]
    env:
    - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: URL, value: "$(CFG_url)/$(NAME)"}
    - {name: KEY, valueFrom: {configMapKeyRef: {name: settings, key: url}}}
    volumeMounts: [{name: cfg, mountPath: /etc/app, readOnly: true}, {name: tmp, mountPath: /tmp}]
  volumes:
  - {name: cfg, configMap: {name: settings}}
  - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
  - {name: me, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  nodeSelector: {kubernetes.io/os: linux}
"#;

fn sim() -> Simulation {
    let built = Simulation::builder().delays(Delays::ideal()).events(true).nodes(1).build();
    let mut sim = built.expect("a cluster");
    sim.apply(PODS).expect("applied");
    sim.run_for(SimDuration::from_secs(30));
    sim
}

#[test]
fn a_pod_is_described_as_kubectl_does() {
    let target: Target = "pod/web".parse().expect("a target");
    insta::assert_snapshot!(describe(&sim(), &target, DescribeOptions::ALL).expect("a pod"));
}

#[test]
fn what_is_not_there_is_not_described() {
    let target = |text: &str| text.parse::<Target>().expect("a target");
    assert_eq!(describe(&sim(), &target("pod/none"), DescribeOptions::KUBECTL), None);
    assert_eq!(describe(&sim(), &target("node/node-0"), DescribeOptions::KUBECTL), None);
}
