//! Services, their endpoints, Ingresses and NetworkPolicies as kubectl describes them.

use super::*;
use crate::kernel::SimDuration;
use crate::sim::{Delays, NodeTemplate};

const OBJECTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1", ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}, annotations: {note: hello}}
spec:
  type: LoadBalancer
  selector: {app: web}
  externalTrafficPolicy: Local
  loadBalancerSourceRanges: [10.0.0.0/8, 192.168.0.0/16]
  externalIPs: [203.0.113.9]
  trafficDistribution: PreferSameZone
  sessionAffinity: ClientIP
  ports:
  - {name: http, port: 80, targetPort: http, nodePort: 30080, appProtocol: kubernetes.io/h2c}
  - {name: metrics, port: 9090, nodePort: 30090}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: ExternalName, externalName: db.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{port: 80, protocol: UDP}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, annotations: {nginx.ingress.kubernetes.io/rewrite-target: /}}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: nobody, port: {number: 80}}}
  tls: [{hosts: [shop.example.com], secretName: shop-tls}, {hosts: [a.example.com, b.example.com]}]
  rules:
  - host: shop.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /metrics, pathType: Exact, backend: {service: {name: web, port: {number: 9090}}}}
      - {path: /gone, pathType: Exact, backend: {service: {name: gone, port: {number: 1}}}}
  - http: {paths: [{path: /icons, pathType: ImplementationSpecific, backend: {resource: {apiGroup: k8s.example.com, kind: StorageBucket, name: icons}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: plain}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: both}
spec:
  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: In, values: [front, back]}]}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - {podSelector: {matchLabels: {role: client}}}
    - {namespaceSelector: {matchLabels: {team: a}}, podSelector: {}}
    - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}}
    ports: [{port: 80}, {protocol: UDP, port: 5000, endPort: 6000}, {port: http}]
  - {}
  egress:
  - to: [{namespaceSelector: {}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}}
"#;

fn sim() -> Simulation {
    let zoned = |name: &str| NodeTemplate::new(name).label("topology.kubernetes.io/zone", "west");
    let builder = Simulation::builder().delays(Delays::ideal()).events(true).endpoints_controller(true);
    let mut sim = builder.node(zoned("n1")).node(zoned("n2")).build().expect("a cluster");
    sim.apply(OBJECTS).expect("applied");
    sim.run_for(SimDuration::from_secs(60));
    sim
}

fn described(sim: &Simulation, target: &str) -> String {
    let text = describe(sim, &target.parse().expect("a target"), DescribeOptions::KUBECTL).expect("it is there");
    // Trailing spaces are kubectl's; editors do not keep them.
    let lines: Vec<String> = text.lines().map(|line| format!("{line}|")).collect();
    lines.join("\n")
}

#[test]
fn services_are_described_as_kubectl_does() {
    let sim = sim();
    insta::assert_snapshot!("service", described(&sim, "service/web"));
    insta::assert_snapshot!("service_headless", described(&sim, "service/db"));
    insta::assert_snapshot!("service_external", described(&sim, "service/outside"));
}

#[test]
fn endpoints_are_described_as_kubectl_does() {
    let mut sim = sim();
    let pod = sim.view().pods.iter().next().expect("a pod").meta.name.clone();
    sim.delete(&format!("pod/{pod}").parse().expect("a target"), crate::api::DeleteOptions::default())
        .expect("deleted");
    sim.run_for(SimDuration::ZERO);
    let slice = |service: &str| {
        let slice = sim.view().endpoint_slices.iter().find(|slice| slice.service() == Some(service));
        format!("endpointslice/{}", slice.expect("a slice").meta.name)
    };
    insta::assert_snapshot!("endpoint_slice", described(&sim, &slice("web")));
    insta::assert_snapshot!("endpoint_slice_empty", described(&sim, &slice("nobody")));
    insta::assert_snapshot!("endpoints", described(&sim, "endpoints/web"));
}

#[test]
fn ingresses_and_policies_are_described_as_kubectl_does() {
    let sim = sim();
    insta::assert_snapshot!("ingress", described(&sim, "ingress/shop"));
    insta::assert_snapshot!("ingress_without_rules", described(&sim, "ingress/plain"));
    insta::assert_snapshot!("network_policy", described(&sim, "networkpolicy/both"));
    insta::assert_snapshot!("network_policy_deny", described(&sim, "networkpolicy/deny"));
}
