//! HorizontalPodAutoscalers as kubectl describes them.

use super::*;
use crate::scenario::{RunOptions, Scenario};

/// Four autoscalers: by the use of CPU under load, by every other kind of metric, of what is not measured, and of what was scaled to zero.
const SCENARIO: &str = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: described}
spec:
  duration: 5m
  nodes: [{name: worker, count: 2}]
  containers:
  - {image: "web:*", start: 1s, ready: 1s, serve: {cpu: 10ms}}
  metrics:
    external: [{name: queue_length, labels: {queue: mail}, values: [{at: 0s, value: 35}]}]
    objects: [{name: latency, of: Service/web, values: [{at: 0s, value: 120m}]}]
  traffic:
  - {name: users, to: service/web, from: node/worker-0, rate: 100/s, start: 30s}
  steps:
  - {at: 2m, scale: {target: deployment/idle, replicas: 0}}
  objects: |
    {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: c, image: "web:1", resources: {requests: {cpu: 200m}}}]}
    ---
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: mail}, spec: {replicas: 2, selector: {matchLabels: {app: mail}}, template: {metadata: {labels: {app: mail}}, spec: {containers: [{name: c, image: "mail:1"}]}}}}
    ---
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: plain}, spec: {selector: {matchLabels: {app: plain}}, template: {metadata: {labels: {app: plain}}, spec: {containers: [{name: c, image: "plain:1"}]}}}}
    ---
    {apiVersion: apps/v1, kind: Deployment, metadata: {name: idle}, spec: {selector: {matchLabels: {app: idle}}, template: {metadata: {labels: {app: idle}}, spec: {containers: [{name: c, image: "idle:1", resources: {requests: {cpu: 100m}}}]}}}}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: web, labels: {app: web}}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
      minReplicas: 2
      maxReplicas: 6
      metrics:
      - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: mail}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: mail}
      maxReplicas: 9
      metrics:
      - {type: External, external: {metric: {name: queue_length, selector: {matchLabels: {queue: mail}}}, target: {type: AverageValue, averageValue: "10"}}}
      - {type: Object, object: {metric: {name: latency}, describedObject: {apiVersion: v1, kind: Service, name: web}, target: {type: Value, value: 200m}}}
      - {type: Pods, pods: {metric: {name: http_requests_per_second}, target: {type: AverageValue, averageValue: "20"}}}
      behavior:
        scaleUp: {stabilizationWindowSeconds: 10, policies: [{type: Pods, value: 2, periodSeconds: 30}]}
        scaleDown: {selectPolicy: Disabled}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: plain}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: plain}
      maxReplicas: 3
      metrics:
      - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
      - {type: ContainerResource, containerResource: {name: memory, container: c, target: {type: AverageValue, averageValue: 64Mi}}}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: idle}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: idle}
      maxReplicas: 3
      metrics:
      - {type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 50m}}}
"#;

#[test]
fn an_autoscaler_under_load_is_described_as_kubectl_does() {
    let options = RunOptions { events: true, ..RunOptions::default() };
    let run = Scenario::read("described.yaml", SCENARIO).and_then(|scenario| scenario.run(&options));
    let sim = run.expect("a scenario").simulation;
    for name in ["web", "mail", "plain", "idle"] {
        let target: Target = format!("hpa/{name}").parse().expect("a target");
        let described = describe(&sim, &target, DescribeOptions::KUBECTL).expect("an autoscaler");
        insta::assert_snapshot!(format!("hpa_{name}"), described);
    }
}
