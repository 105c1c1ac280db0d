//! Deleting a namespace deletes what is in it, of whatever kind it is.

use seatrial::api::DeleteOptions;
use seatrial::kernel::SimTime;
use seatrial::kubelet::BehaviourSpec;
use seatrial::objects::Kind;
use seatrial::sim::{Delays, Simulation, Target};

/// Kinds that the cluster makes by itself.
const MADE: [&str; 5] = ["EndpointSlice", "ReplicaSet", "ControllerRevision", "Event", "Lease"];

fn objects(namespace: &str) -> String {
    let template = "template: {metadata: {labels: {app: x}}, spec: {terminationGracePeriodSeconds: 10, \
                    containers: [{name: c, image: 'app:v1'}]}}";
    let task = "template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'task:v1'}]}}";
    let workload = |version: &str, kind: &str, more: &str| {
        format!(
            "---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: x-{}, namespace: {namespace}}}\nspec: {{{more}}}\n",
            kind.to_lowercase()
        )
    };
    let apps = |kind: &str, more: &str| {
        workload("apps/v1", kind, &format!("selector: {{matchLabels: {{app: x}}}}, {template}{more}"))
    };
    [
        format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n"),
        apps("Deployment", ", replicas: 2"),
        apps("StatefulSet", ", replicas: 2, serviceName: x"),
        apps("DaemonSet", ""),
        workload("v1", "ReplicationController", template),
        workload("batch/v1", "Job", task),
        workload("batch/v1", "CronJob", &format!("schedule: '* * * * *', jobTemplate: {{spec: {{{task}}}}}")),
        workload("v1", "Pod", "containers: [{name: c, image: 'app:v1'}]"),
        workload("v1", "Service", "selector: {app: x}, ports: [{port: 80}]"),
        workload("policy/v1", "PodDisruptionBudget", "minAvailable: 1, selector: {matchLabels: {app: x}}"),
        workload(
            "v1",
            "PersistentVolumeClaim",
            "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: ''",
        ),
        workload("v1", "LimitRange", "limits: [{type: PersistentVolumeClaim, max: {storage: 10Gi}}]"),
        workload("v1", "ResourceQuota", "hard: {pods: 100}"),
        workload(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x-deployment}, maxReplicas: 2",
        ),
        workload("networking.k8s.io/v1", "Ingress", "defaultBackend: {service: {name: x-service, port: {number: 80}}}"),
        workload("networking.k8s.io/v1", "NetworkPolicy", "podSelector: {}"),
        workload(
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "gatewayClassName: x, listeners: [{name: http, port: 80, protocol: HTTP}]",
        ),
        workload("gateway.networking.k8s.io/v1", "HTTPRoute", "parentRefs: [{name: x-gateway}]"),
        workload(
            "gateway.networking.k8s.io/v1",
            "ReferenceGrant",
            "from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service}]",
        ),
        format!("---\napiVersion: v1\nkind: Endpoints\nmetadata: {{name: x, namespace: {namespace}}}\n"),
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, namespace: {namespace}}}\n"),
    ]
    .concat()
}

fn count(sim: &Simulation, kind: Kind, namespace: &str) -> usize {
    sim.view().list_in(kind, namespace).len()
}

#[test]
fn a_deleted_namespace_takes_along_what_is_in_it_and_nothing_else() {
    let task = serde_json::json!({"image": "task:*", "exit": {"code": 0, "after": "30m"}});
    let task: BehaviourSpec = serde_json::from_value(task).expect("a behaviour");
    for delays in [Delays::ideal(), Delays::realistic()] {
        let builder = Simulation::builder().delays(delays).nodes(3).events(true).behaviour(task.clone());
        let mut sim = builder.build().expect("a cluster");
        for namespace in ["gone", "kept"] {
            sim.apply(&objects(namespace)).expect("accepted");
        }
        sim.run_until(SimTime::from_secs(90));
        let kinds = || Kind::ALL.iter().copied().filter(|kind| kind.is_namespaced()).chain([Kind::Opaque]);
        let missing: Vec<Kind> = kinds().filter(|kind| count(&sim, *kind, "gone") == 0).collect();
        let is_made = |kind: &Kind| MADE.contains(&kind.as_str());
        assert!(missing.iter().all(is_made), "the test has no object of {missing:?}");

        let target: Target = "namespace/gone".parse().expect("a target");
        sim.delete(&target, DeleteOptions::default()).expect("it exists");
        sim.run_until(SimTime::from_secs(180));
        for kind in kinds() {
            assert_eq!(count(&sim, kind, "gone"), 0, "{kind}: {:?}", sim.view().list_in(kind, "gone"));
        }
        assert!(sim.get(&target).is_err());
        let kept: Vec<Kind> = kinds().filter(|kind| count(&sim, *kind, "kept") == 0).collect();
        assert_eq!(kept, missing);
    }
}
