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
    assert_eq!(describe(&sim(), &target("node/none"), DescribeOptions::KUBECTL), None);
}

/// One of each kind that has a layout of its own, in a state that fills most sections.
const ALL: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: team, labels: {tier: gold}}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: bound, namespace: team}, spec: {hard: {pods: "10", requests.cpu: "2", requests.memory: 1Gi}, scopes: [NotTerminating]}}
---
{apiVersion: v1, kind: LimitRange, metadata: {name: sizes, namespace: team}, spec: {limits: [{type: Container, default: {cpu: 100m}, defaultRequest: {cpu: 50m}, max: {cpu: "1", memory: 1Gi}}]}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}, provisioner: disks.example.com, parameters: {kind: ssd}, allowVolumeExpansion: true}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: local-1}, spec: {capacity: {storage: 5Gi}, accessModes: [ReadWriteOnce], storageClassName: local, local: {path: /disk}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-0, node-1]}, {key: disk, operator: Exists}]}]}}}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: gold}, value: 100, description: First of all}
---
{apiVersion: v1, kind: Secret, metadata: {name: login}, stringData: {user: admin}, data: {word: c2VjcmV0}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot}, imagePullSecrets: [{name: hub}, {name: mirror}]}
---
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: sandbox}, handler: gvisor, overhead: {podFixed: {cpu: 10m}}}
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: public}, spec: {controller: k8s.io/ingress-nginx}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {team: shop}}
    spec:
      priorityClassName: gold
      initContainers: [{name: wait, image: "init:1"}]
      containers:
      - {name: c, image: "web:1", ports: [{containerPort: 80}], resources: {requests: {cpu: 100m, memory: 64Mi}}, volumeMounts: [{name: tmp, mountPath: /tmp}]}
      volumes: [{name: tmp, emptyDir: {}}]
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}]
      tolerations: [{key: spot, operator: Exists}]
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: "db:1", volumeMounts: [{name: data, mountPath: /data}]}]}}
  volumeClaimTemplates: [{metadata: {name: data, labels: {app: db}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template: {metadata: {labels: {app: agent}}, spec: {nodeSelector: {kubernetes.io/os: linux}, containers: [{name: c, image: "agent:1"}]}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec: {replicas: 1, selector: {app: old}, template: {metadata: {labels: {app: old}}, spec: {containers: [{name: c, image: "old:1"}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: shards}
spec: {completions: 3, parallelism: 2, completionMode: Indexed, backoffLimit: 4, activeDeadlineSeconds: 600, template: {spec: {restartPolicy: Never, containers: [{name: c, image: "task:1"}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {schedule: "* * * * *", concurrencyPolicy: Forbid, startingDeadlineSeconds: 30, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "report:1"}]}}}}}
"#;

/// A line of each description: its number of spaces in front, and its title.
#[test]
fn every_kind_is_described_as_kubectl_does() {
    let mut builder = Simulation::builder().delays(Delays::ideal()).events(true).nodes(2);
    for (image, after) in [("task:*", "20s"), ("report:*", "90s")] {
        let spec = serde_json::json!({"image": image, "exit": {"code": 0, "after": after}});
        builder = builder.behaviour(serde_json::from_value(spec).expect("a behaviour"));
    }
    let mut sim = builder.build().expect("a cluster");
    sim.apply(PODS).expect("applied");
    sim.apply(ALL).expect("applied");
    sim.run_for(SimDuration::from_secs(30));
    sim.set_image(&"deployment/web".parse().expect("a target"), "c", "web:2").expect("set");
    sim.taint("node-1", &serde_json::json!([{"key": "spot", "value": "yes", "effect": "PreferNoSchedule"}]))
        .expect("tainted");
    sim.run_for(SimDuration::from_secs(60));
    for target in [
        "deployment/web",
        "replicationcontroller/old",
        "statefulset/db",
        "daemonset/agent",
        "job/shards",
        "cronjob/nightly",
        "node/node-1",
        "namespace/team",
        "namespace/default",
        "team/resourcequota/bound",
        "team/limitrange/sizes",
        "persistentvolume/local-1",
        "persistentvolumeclaim/data-db-0",
        "storageclass/fast",
        "poddisruptionbudget/web",
        "runtimeclass/sandbox",
        "ingressclass/public",
        "kube-node-lease/lease/node-0",
    ] {
        let text = describe(&sim, &target.parse().expect("a target"), DescribeOptions::KUBECTL);
        insta::assert_snapshot!(target.replace('/', "_"), text.unwrap_or_else(|| panic!("no {target}")));
    }
    let described = |object: &Object| describe_object(&sim, object, DescribeOptions::KUBECTL);
    let sets = sim.view().list(crate::objects::Kind::ReplicaSet);
    insta::assert_snapshot!("replicaset", described(&sets[0]));
    let revisions = sim.view().list(crate::objects::Kind::ControllerRevision);
    insta::assert_snapshot!("controllerrevision", described(&revisions[0]));
    for kept in sim.view().list(crate::objects::Kind::Opaque) {
        insta::assert_snapshot!(format!("kept_{}", kept.kind_name().to_lowercase()), described(&kept));
    }
}
