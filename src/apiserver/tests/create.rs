use crate::api::Reason;

use super::*;

#[test]
fn the_first_namespaces_exist_and_take_the_first_revisions() {
    let mut server = ApiServer::new(&Streams::new(1));
    let names: Vec<String> = server.view().list(Kind::Namespace).iter().map(|ns| ns.meta().name.to_string()).collect();
    assert_eq!(names, ["default", "kube-node-lease", "kube-public", "kube-system"]);
    assert!(server.has_changes());
    let added = |revision| (ChangeType::Added, revision);
    assert_eq!(server.told(), [added(1), added(2), added(3), added(4)]);
    assert!(!server.has_changes());
}

#[test]
fn the_server_gives_uid_version_time_and_generation() {
    let mut server = server();
    let client = pod("web").with_meta(|meta| {
        meta.uid = Uid::parse("mine");
        meta.creation_timestamp = Some(at(-5_000).timestamp());
        meta.deletion_timestamp = Some(at(0).timestamp());
        meta.generation = 9;
    });
    let stored = server.execute(at(2_999), &Request::Create(client)).expect("accepted");
    let meta = stored.meta();
    assert_eq!(meta.creation_timestamp, Some(at(2_000).timestamp()));
    assert_eq!((meta.resource_version, meta.generation, meta.deletion_timestamp), (5, 1, None));
    let uid = meta.uid.to_string();
    assert_eq!((uid.len(), &uid[14..15]), (36, "4"), "{uid}");
    assert!(matches!(&uid[19..20], "8" | "9" | "a" | "b"), "{uid}");
    assert_eq!(server.view().resource_version, 5);
}

#[test]
fn a_new_node_is_tainted_until_it_was_seen_ready() {
    let mut server = server();
    let taint = json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"});
    let gpu = json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"});
    for (name, given, expected) in [
        ("n1", json!([]), json!([taint])),
        ("n2", json!([gpu]), json!([gpu, taint])),
        ("n3", json!([taint, gpu]), json!([taint, gpu])),
    ] {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": given}});
        assert_eq!(server.make(object(node)).to_wire()["spec"]["taints"], expected, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_names_and_uids_and_another_seed_others() {
    let made = |seed| {
        let mut server = ApiServer::new(&Streams::new(seed));
        let pod = server.make(generated("web-"));
        (pod.meta().name.clone(), pod.meta().uid.clone())
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1).0, made(2).0);
    assert_ne!(made(1).1, made(2).1);
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut server = server();
    let mut fork = server.clone();
    let name = server.make(generated("web-")).meta().name.clone();
    assert_eq!(fork.view().pods.len(), 0);
    assert_eq!(fork.make(generated("web-")).meta().name, name);
}

#[test]
fn generated_names_are_cut_and_end_in_five_characters_without_vowels() {
    let mut server = server();
    let prefix = "x".repeat(80);
    let name = server.make(generated(&prefix)).meta().name.clone();
    assert_eq!(name.len(), 63);
    assert_eq!(&name[..58], &prefix[..58]);
    assert!(name[58..].chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c)), "{name}");
    let named = pod("mine").with_meta(|meta| meta.generate_name = "web-".into());
    assert_eq!(&*server.make(named).meta().name, "mine");
}

#[test]
fn a_taken_name_is_refused() {
    let mut server = server();
    server.make(pod("web"));
    let error = refusal(server.execute(at(0), &Request::Create(pod("web"))));
    assert_eq!((error.reason, &*error.message), (Reason::AlreadyExists, "pods \"web\" already exists"));
    server.make(pod("held").with_meta(|meta| meta.finalizers = vec!["a.b/c".into()].into()));
    server.delete_with(at(0), Kind::Pod, key("held"), DeleteOptions::default()).expect("marked");
    assert_eq!(
        message(server.execute(at(0), &Request::Create(pod("held")))),
        "object is being deleted: pods \"held\" already exists"
    );
}

#[test]
fn a_generated_name_is_tried_eight_times() {
    let taken: Vec<_> = {
        let mut probe = server();
        (0..9).map(|_| probe.make(generated("web-")).meta().name.clone()).collect()
    };
    let fresh = |count: usize| {
        let mut server = server();
        for name in &taken[..count] {
            server.make(pod(name));
        }
        server.execute(at(0), &Request::Create(generated("web-")))
    };
    assert_eq!(fresh(7).expect("the eighth is free").meta().name, taken[7]);
    let error = refusal(fresh(8));
    assert_eq!((error.code(), error.reason), (409, Reason::AlreadyExists));
    let name = &taken[7];
    let text = "already exists, the server was not able to generate a unique name for the object";
    assert_eq!(error.message, format!("pods \"{name}\" {text}"));
}

#[test]
fn an_object_needs_a_name() {
    let error = refusal(server().execute(at(0), &Request::Create(pod(""))));
    assert_eq!(error.code(), 422);
    assert_eq!(error.message, "Pod \"\" is invalid: metadata.name: Required value: name or generateName is required");
}

#[test]
fn the_namespace_must_exist_and_not_be_terminating() {
    let mut server = server();
    let elsewhere = || pod("web").with_meta(|meta| meta.namespace = "shop".into());
    assert_eq!(message(server.execute(at(0), &Request::Create(elsewhere()))), "namespaces \"shop\" not found");
    server.make(object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})));
    server.make(elsewhere());
    server.delete_with(at(0), Kind::Namespace, Key::new("", "shop"), DeleteOptions::default()).expect("marked");
    let error = refusal(server.execute(at(0), &Request::Create(elsewhere())));
    assert_eq!(error.code(), 403);
    assert!(error.is_namespace_terminating());
    assert_eq!(
        error.message,
        "pods \"web\" is forbidden: unable to create new content in namespace shop because it is being terminated"
    );
    let nowhere = pod("web").with_meta(|meta| meta.namespace = "".into());
    assert_eq!(refusal(server.execute(at(0), &Request::Create(nowhere))).code(), 400);
}

#[test]
fn kinds_that_are_not_simulated_are_kept_whole() {
    let mut server = server();
    let wire = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cfg", "namespace": "default"}, "data": {"a": "b"}});
    let stored = server.make(object(wire.clone()));
    assert_eq!(stored.to_wire()["data"], wire["data"]);
    assert_eq!(stored.meta().generation, 0);
    assert_eq!(message(server.execute(at(0), &Request::Create(object(wire)))), "configmaps \"cfg\" already exists");
}

#[test]
fn a_name_that_a_component_makes_may_be_too_long() {
    let mut server = server();
    let mut make = |length: usize| server.execute(at(0), &Request::Create(pod(&"a".repeat(length))));
    assert!(make(253).is_ok());
    let error = make(254).unwrap_err();
    assert!(error.message.ends_with(": must be no more than 253 characters"), "{error}");
}
