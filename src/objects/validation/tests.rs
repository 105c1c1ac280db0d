use serde_json::{Value, json};

use super::*;
use crate::objects::defaults::{self, Creation};

const CREATION: Creation<'static> = Creation { now: "2026-01-01T00:00:00Z", uid: "u", has_labels: false };

fn stored(kind: &str, api_version: &str, rest: Value) -> Value {
    let mut object =
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "resourceVersion": "1"}});
    if is_namespaced(kind) {
        object["metadata"]["namespace"] = json!("default");
    }
    for (field, value) in rest.as_object().into_iter().flatten() {
        object[field] = value.clone();
    }
    defaults::apply(kind, api_version, &mut object);
    defaults::prepare_for_create(kind, &mut object, &CREATION);
    object
}

fn texts(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check_create(kind: &str, api_version: &str, rest: Value, expected: &[&str]) {
    let object = stored(kind, api_version, rest);
    assert_eq!(texts(&validate_create(kind, &object)), expected);
}

#[track_caller]
fn check_pod(spec: Value, expected: &[&str]) {
    let mut whole = json!({"containers": [{"name": "c", "image": "x"}]});
    for (field, value) in spec.as_object().into_iter().flatten() {
        whole[field] = value.clone();
    }
    check_create("Pod", "v1", json!({"spec": whole}), expected);
}

/// The errors of an update of a stored object that is changed like this.
fn update(old: &Value, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let kind = old.text("kind");
    let mut new = old.clone();
    change(&mut new);
    defaults::apply(kind, old.text("apiVersion"), &mut new);
    defaults::prepare_for_update(kind, &mut new, old, Subresource::None);
    texts(&validate_update(kind, &new, old, Subresource::None))
}

#[test]
fn pods_of_a_kind_each_are_refused_with_upstreams_words() {
    check_pod(
        json!({"restartPolicy": "Sometimes"}),
        &[r#"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#],
    );
    check_pod(
        json!({"hostAliases": [{"ip": "010.0.0.1", "hostnames": ["a_b"]}]}).take(),
        &[
            r#"spec.hostAliases[0].ip: Invalid value: "010.0.0.1": must not have leading 0s"#,
            r#"spec.hostAliases[0].hostnames[0]: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#,
        ],
    );
    check_pod(
        json!({"topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"},
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["a"]},
        ]}),
        &[
            r#"spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}""#,
            "spec.topologySpreadConstraints[1].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set",
        ],
    );
    check_pod(
        json!({"os": {"name": "windows"}, "hostPID": true, "securityContext": {"runAsUser": 1}}),
        &[
            "spec.hostPID: Forbidden: cannot be set for a windows pod",
            "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
        ],
    );
    check_pod(
        json!({"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}, "hostNetwork": true}),
        &[
            r#"spec.securityContext.sysctls[0].name: Invalid value: "net.core.somaxconn": may not be specified when 'hostNetwork' is true"#,
        ],
    );
    check_pod(
        json!({"resources": {"requests": {"cpu": "1"}}, "containers": [
        {"name": "c", "image": "x", "resources": {"requests": {"cpu": "2"}}}]}),
        &[
            r#"spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2"#,
        ],
    );
}

#[test]
fn containers_are_checked_in_all_their_parts() {
    let container = json!({
        "name": "c", "image": "x", "terminationMessagePolicy": "Both", "imagePullPolicy": "Never",
        "ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5, "name": "-x"}],
        "env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "10m"}}}],
        "volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional", "recursiveReadOnly": "Enabled"}],
        "livenessProbe": {"tcpSocket": {"port": 1}, "exec": {"command": ["x"]}, "successThreshold": 2},
        "resizePolicy": [{"resourceName": "gpu", "restartPolicy": "NotRequired"}],
        "securityContext": {"procMount": "Unmasked", "appArmorProfile": {"type": "Localhost"}},
    });
    check_pod(json!({"containers": [container], "volumes": [{"name": "v"}]}), &[
        r#"spec.containers[0].terminationMessagePolicy: Unsupported value: "Both": supported values: "File", "FallbackToLogsOnError""#,
        r#"spec.containers[0].ports[1].name: Invalid value: "-x": must not begin or end with a hyphen"#,
        r#"spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource"#,
        "spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers",
        "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true",
        "spec.containers[0].volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified",
        r#"spec.containers[0].resizePolicy: Unsupported value: "gpu": supported values: "cpu", "memory""#,
        r#"spec.containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`"#,
        "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost",
        "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        r#"spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//5""#,
    ].map(|text| text));
}

#[test]
fn services_are_checked_in_all_their_parts() {
    check_create(
        "Service",
        "v1",
        json!({"spec": {"type": "NodePort", "clusterIP": "None", "externalIPs": ["127.0.0.1"], "ipFamilies": ["IPv4", "IPv4"],
        "loadBalancerClass": "a/b", "ports": [{"name": "a", "port": 80, "nodePort": 30000}, {"name": "a", "port": 80, "nodePort": 30000}]}}),
        &[
            r#"spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services"#,
            r#"spec.ports[1].name: Duplicate value: "a""#,
            r#"spec.ipFamilies[1]: Duplicate value: "IPv4""#,
            r#"spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
            "spec.ports[1].nodePort: Duplicate value: 30000",
            r#"spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}"#,
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ],
    );
}

#[test]
fn the_cluster_ip_of_a_service_stays() {
    let service = stored(
        "Service",
        "v1",
        json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80}]}}),
    );
    assert_eq!(update(&service, |_| {}), Vec::<String>::new());
    let errors = update(&service, |new| {
        new["spec"]["clusterIP"] = json!("10.0.0.2");
        new["spec"]["clusterIPs"] = json!(["10.0.0.2"]);
    });
    assert_eq!(errors, [r#"spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set"#]);
}

#[test]
fn an_invalid_label_is_named_as_often_as_upstream_checks_it() {
    let pod = stored("Pod", "v1", json!({"spec": {"containers": [{"name": "c", "image": "x"}]}}));
    let errors = update(&pod, |new| new["metadata"]["labels"] = json!({"a": "-"}));
    assert_eq!(errors.len(), 4);
    assert!(errors.iter().all(|error| error.starts_with(r#"metadata.labels: Invalid value: "-""#)), "{errors:?}");
}

#[test]
fn a_gated_pod_may_be_narrowed_but_not_widened() {
    let spec = json!({"containers": [{"name": "c", "image": "x"}], "schedulingGates": [{"name": "x/g"}], "nodeSelector": {"a": "b"}});
    let pod = stored("Pod", "v1", json!({"spec": spec}));
    assert_eq!(update(&pod, |new| new["spec"]["nodeSelector"]["c"] = json!("d")), Vec::<String>::new());
    let errors = update(&pod, |new| new["spec"]["nodeSelector"] = json!({"a": "c"}));
    assert_eq!(
        errors,
        [
            r#"spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)"#
        ]
    );
}

#[test]
fn finalizers_cannot_be_added_to_what_is_being_deleted() {
    let mut node = stored("Node", "v1", json!({}));
    node["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let errors = update(&node, |new| new["metadata"]["finalizers"] = json!(["x/b", "x/a"]));
    let text = r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x/a", "x/b"}"#;
    assert_eq!(errors, [text, text]);
}

#[test]
fn a_scaling_direction_without_policies_is_no_default() {
    let spec = |policies: Value| {
        json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
                        "behavior": {"scaleDown": {"policies": policies}}}})
    };
    let empty = "spec.behavior.scaleDown.policies: Required value: must specify at least one Policy";
    check_create("HorizontalPodAutoscaler", "autoscaling/v2", spec(json!([])), &[empty]);
    check_create("HorizontalPodAutoscaler", "autoscaling/v2", spec(Value::Null), &[]);
}

#[test]
fn zero_replicas_need_a_feature_gate_and_a_metric_that_is_there_without_pods() {
    let autoscaler = |metric: Value| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"});
        let spec = json!({"minReplicas": 0, "maxReplicas": 3, "scaleTargetRef": target, "metrics": [metric]});
        stored("HorizontalPodAutoscaler", "autoscaling/v2", json!({"spec": spec}))
    };
    let target = json!({"type": "AverageValue", "averageValue": "10"});
    let external = autoscaler(json!({"type": "External", "external": {"metric": {"name": "q"}, "target": target}}));
    let cpu = autoscaler(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    let at_least = "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1";
    let outer = "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas";
    let with = FeatureGates { hpa_scale_to_zero: true };
    for (gates, autoscaler, expected) in [
        (FeatureGates::default(), &external, &[at_least][..]),
        (FeatureGates::default(), &cpu, &[at_least, outer]),
        (with, &external, &[]),
        (with, &cpu, &[outer]),
    ] {
        assert_eq!(texts(&validate_create_under(gates, "HorizontalPodAutoscaler", autoscaler)), expected);
    }
    assert_eq!(update(&external, |new| new["spec"]["maxReplicas"] = json!(4)), Vec::<String>::new(), "it was 0 before");
}

#[test]
fn cron_jobs_are_checked_in_all_their_parts() {
    let spec = json!({"schedule": "TZ=UTC 0 * * * *", "timeZone": "Nowhere/City", "startingDeadlineSeconds": -1, "jobTemplate": {"spec": {
        "manualSelector": true, "template": {"spec": {"restartPolicy": "Always", "containers": [{"name": "c", "image": "x"}]}}}}});
    check_create(
        "CronJob",
        "batch/v1",
        json!({"spec": spec}),
        &[
            r#"spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"#,
            "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
            r#"spec.timeZone: Invalid value: "Nowhere/City": unknown time zone Nowhere/City"#,
            r#"spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#,
            r#"spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false""#,
        ],
    );
}

#[test]
fn an_immutable_config_map_stays_immutable() {
    let map = stored("ConfigMap", "v1", json!({"immutable": true, "data": {"a": "b"}}));
    assert_eq!(update(&map, |new| new["metadata"]["labels"] = json!({"a": "b"})), Vec::<String>::new());
    let errors = update(&map, |new| {
        new["immutable"] = json!(false);
        new["data"]["a"] = json!("c");
    });
    assert_eq!(
        errors,
        [
            "immutable: Forbidden: field is immutable when `immutable` is set",
            "data: Forbidden: field is immutable when `immutable` is set",
        ]
    );
}

#[test]
fn limits_of_a_range_have_to_be_in_order() {
    let limit = json!({"type": "Container", "min": {"memory": "2Gi"}, "max": {"memory": "1Gi"}});
    let errors = validate_create("LimitRange", &stored("LimitRange", "v1", json!({"spec": {"limits": [limit]}})));
    assert_eq!(
        texts(&errors)[0],
        r#"spec.limits[0].min[memory]: Invalid value: "2Gi": min value 2Gi is greater than max value 1Gi"#
    );
}
