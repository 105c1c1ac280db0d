use crate::api::PatchType;
use crate::objects::{ConditionStatus, PodPhase, QosClass, defaults};

use super::*;

#[test]
fn a_new_pod_is_pending_and_has_its_class() {
    let mut server = server();
    let mut new = Pod::clone(&typed::<Pod>(Ok(pod("web"))));
    new.status.phase = PodPhase::Running;
    let stored: Arc<Pod> = typed(Ok(server.make(new.into())));
    assert_eq!((stored.status.phase, stored.status.qos_class), (PodPhase::Pending, Some(QosClass::BestEffort)));
    assert!(stored.status.conditions.is_empty());
}

#[test]
fn admission_adds_tolerations_priority_and_service_account() {
    let mut server = server();
    server.make(pod("web"));
    let stored: Arc<Pod> = stored(&server, "web");
    let spec = stored.spec.wire();
    let toleration = |taint: &str| json!({"key": format!("node.kubernetes.io/{taint}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    assert_eq!(spec["tolerations"], json!([toleration("not-ready"), toleration("unreachable")]));
    assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(0), &json!("PreemptLowerPriority")));
    assert_eq!((&spec["serviceAccountName"], &spec["serviceAccount"]), (&json!("default"), &json!("default")));
    assert_eq!(stored.spec.priority, Some(0));
}

#[test]
fn what_a_component_makes_of_a_template_is_completed_as_a_pod_and_can_be_labelled() {
    let mut server = server();
    let amounts = json!({"cpu": "1", "memory": "1Gi"});
    let mut set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"template": {"spec": {
        "hostNetwork": true, "terminationGracePeriodSeconds": -1,
        "initContainers": [{"name": "i", "image": "init:1", "resources": {"limits": amounts}}],
        "containers": [{"name": "c", "image": "web:1", "ports": [{"containerPort": 80}], "resources": {"limits": amounts}}],
    }}}});
    defaults::apply("ReplicaSet", "apps/v1", &mut set);
    let spec = &set["spec"]["template"]["spec"];
    assert!(spec["containers"][0]["resources"].get("requests").is_none(), "templates stay as they are");
    let metadata = json!({"name": "web", "namespace": "default"});
    server.make(object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})));
    let pod: Arc<Pod> = stored(&server, "web");
    let spec = pod.spec.wire();
    for list in ["initContainers", "containers"] {
        assert_eq!(spec[list][0]["resources"]["requests"], amounts, "{list}");
    }
    assert_eq!(pod.spec.qos_class, QosClass::Guaranteed);
    assert_eq!(spec["containers"][0]["ports"][0]["hostPort"], 80, "two of them have no room on one node");
    assert_eq!((&spec["enableServiceLinks"], &spec["terminationGracePeriodSeconds"]), (&json!(true), &json!(1)));
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    let labelled = server.patch(at(1), Kind::Pod, &key("web"), PatchType::Merge, &label, Part::Main);
    assert!(labelled.is_ok(), "{labelled:?}");
}

#[test]
fn a_toleration_of_the_pods_own_is_left_alone() {
    let mut server = server();
    let own = json!([{"operator": "Exists"}]);
    let wire = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [], "tolerations": own},
    });
    server.make(object(wire));
    assert_eq!(stored::<Pod>(&server, "web").spec.wire()["tolerations"], own);
}

#[test]
fn pods_of_one_template_share_their_admitted_spec() {
    let mut server = server();
    let template = generated("web-");
    let first: Arc<Pod> = typed(Ok(server.make(template.clone())));
    let second: Arc<Pod> = typed(Ok(server.make(template)));
    assert!(Arc::ptr_eq(&first.spec, &second.spec));
    let again: Arc<Pod> = typed(Ok(server.make(Pod { meta: Default::default(), ..Pod::clone(&first) }.named("copy"))));
    assert!(Arc::ptr_eq(&first.spec, &again.spec));
}

impl Pod {
    fn named(mut self, name: &str) -> Object {
        self.meta.name = name.into();
        self.meta.namespace = "default".into();
        self.into()
    }
}

#[test]
fn the_priority_class_is_resolved_and_a_new_default_counts_for_later_pods() {
    let mut server = server();
    let with_class = |class: &str, name: &str| {
        object(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
            "spec": {"containers": [], "priorityClassName": class},
        }))
    };
    assert_eq!(
        message(server.execute(at(0), &Request::Create(with_class("gold", "a")))),
        "pods \"a\" is forbidden: no PriorityClass with name gold was found"
    );
    server.make(with_class("system-node-critical", "b"));
    assert_eq!(stored::<Pod>(&server, "b").spec.priority, Some(2_000_001_000));
    let template = pod("c");
    server.make(template.clone());
    assert_eq!(stored::<Pod>(&server, "c").spec.priority, Some(0));
    server.make(object(json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gold"},
        "value": 7, "globalDefault": true, "preemptionPolicy": "Never",
    })));
    server.make(template.with_meta(|meta| meta.name = "d".into()));
    let spec = stored::<Pod>(&server, "d").spec.clone();
    assert_eq!((spec.priority, &*spec.priority_class_name), (Some(7), "gold"));
    assert_eq!(spec.wire()["preemptionPolicy"], "Never");
}

#[test]
fn a_pod_with_gates_says_that_they_hold_it_back() {
    let mut server = server();
    let wire = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [], "schedulingGates": [{"name": "wait"}]},
    });
    server.make(object(wire));
    let condition = stored::<Pod>(&server, "web").status.conditions[0].clone();
    assert_eq!((condition.status, condition.reason.as_str()), (ConditionStatus::False, "SchedulingGated"));
    let request = Request::Bind { pod: key("web"), uid: Uid::None, node: "n1".into() };
    assert!(message(server.execute(at(0), &request)).ends_with("pod web has non-empty .spec.schedulingGates"));
}

#[test]
fn a_host_name_beside_the_spec_survives_a_patch_that_is_about_something_else() {
    let mut server = server();
    let document = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "model"},
        "spec": {"containers": [{"name": "c", "image": "task"}]}});
    let mut indexed = Pod::clone(&typed::<Pod>(server.create_document(at(0), document)));
    indexed.meta.name = "j-0".into();
    indexed.own_hostname = "j-0".into();
    server.make(indexed.into());
    let labels = json!({"metadata": {"labels": {"seen": "yes"}}});
    let key = Key::new("default", "j-0");
    server.patch(at(0), Kind::Pod, &key, PatchType::Merge, &labels, Part::Main).expect("accepted");
    let pod = stored::<Pod>(&server, "j-0");
    assert_eq!((&**pod.hostname(), &*pod.own_hostname, pod.meta.generation), ("j-0", "j-0", 1));
    let other = json!({"metadata": {"labels": {"seen": "again"}}});
    server.patch(at(1), Kind::Pod, &key, PatchType::Strategic, &other, Part::Main).expect("accepted");
    assert_eq!(stored::<Pod>(&server, "j-0").to_wire()["spec"]["hostname"], "j-0");
}
