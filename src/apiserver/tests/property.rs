//! Whatever is asked of the server, its indexes are those of its objects and revisions rise.

use proptest::prelude::*;

use crate::api::{EventKind, EventSpec, PatchType, Preconditions, Propagation, View};
use crate::apiserver::EventRecorder;
use crate::objects::{OwnerReference, PodPhase, Selector};

use super::*;

const NAMESPACES: [&str; 3] = ["default", "shop", "nowhere"];
const NAMES: [&str; 3] = ["a", "b", ""];
const NODES: [&str; 3] = ["n1", "n2", ""];

/// One thing to ask: a verb, what it is about, and a number that each verb reads its own way.
type Ask = (u8, usize, usize, u32);

/// Mostly pods, which most verbs are about.
fn some_kind(seed: u32) -> Kind {
    match seed % 12 {
        0 => Kind::ReplicaSet,
        1 => Kind::Deployment,
        2 => Kind::Service,
        3 => Kind::EndpointSlice,
        4 => Kind::Namespace,
        _ => Kind::Pod,
    }
}

fn wire(kind: Kind, namespace: &str, name: &str, seed: u32) -> Value {
    let labels = json!({"app": format!("app-{}", seed % 3), "kubernetes.io/service-name": name});
    let mut metadata = json!({"name": name, "generateName": "g-", "labels": labels});
    if kind != Kind::Namespace {
        metadata["namespace"] = namespace.into();
    }
    if seed.is_multiple_of(4) {
        metadata["finalizers"] = json!(["x/y"]);
    }
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = match kind {
        Kind::Pod => json!({"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": seed % 9}),
        Kind::ReplicaSet | Kind::Deployment => {
            json!({"replicas": seed % 5, "selector": {"matchLabels": labels}, "template": template})
        }
        Kind::Service => {
            json!({"type": (["ClusterIP", "NodePort"][seed as usize % 2]), "ports": [{"port": 80}], "selector": labels})
        }
        _ => json!({}),
    };
    let mut wire = json!({"apiVersion": kind.api_version(), "kind": kind.as_str(), "metadata": metadata, "spec": spec});
    if kind == Kind::EndpointSlice {
        wire["addressType"] = "IPv4".into();
        wire["endpoints"] = json!([]);
        wire["ports"] = json!([]);
    }
    wire
}

fn options(seed: u32) -> DeleteOptions {
    let policies = [None, Some(Propagation::Background), Some(Propagation::Foreground), Some(Propagation::Orphan)];
    DeleteOptions {
        grace_period_seconds: [None, Some(0), Some(3), Some(-1)][seed as usize % 4],
        propagation: policies[seed as usize / 4 % 4],
        preconditions: Preconditions { uid: Uid::None, resource_version: u64::from(seed % 16 == 15) },
    }
}

fn meta_patch(seed: u32) -> MetaPatch {
    let owner = || OwnerReference {
        kind: "ReplicaSet".into(),
        uid: Uid::uuid(u128::from(seed % 3)),
        controller: Some(seed.is_multiple_of(2)),
        ..OwnerReference::default()
    };
    MetaPatch {
        add_owner: (seed.is_multiple_of(3)).then(owner),
        remove_owners: if seed.is_multiple_of(5) { vec![Uid::uuid(0)] } else { Vec::new() },
        add_finalizers: if seed.is_multiple_of(7) { vec!["p/q".into()] } else { Vec::new() },
        remove_finalizers: vec!["x/y".into(), "orphan".into(), "foregroundDeletion".into()],
        labels: vec![("app".into(), Some(format!("app-{}", seed % 4).into()))],
        ..MetaPatch::default()
    }
}

fn ask(
    server: &mut ApiServer,
    recorder: &mut EventRecorder,
    now: WallTime,
    (verb, namespace, name, seed): Ask,
) -> Response {
    let (kind, namespace, name) = (some_kind(seed), NAMESPACES[namespace], NAMES[name]);
    let key = if kind == Kind::Namespace { Key::new("", name) } else { Key::new(namespace, name) };
    // The kind took the lower part.
    let seed = seed / 12;
    match verb {
        0 => server.execute(now, &Request::Create(object(wire(kind, namespace, name, seed)))),
        1 => server.create_document(now, wire(kind, namespace, name, seed)),
        2 => server.apply_document(now, wire(kind, namespace, name, seed)).map(|(object, _)| object),
        3 => server.put(
            object(wire(kind, namespace, name, seed)),
            [Part::Main, Part::Status, Part::Finalize][seed as usize % 3],
        ),
        4 => server.execute(now, &Request::PatchMeta { kind, key, uid: Uid::None, patch: meta_patch(seed) }),
        5 => server.delete_with(now, kind, key, options(seed)),
        6 => server.execute(now, &Request::Bind { pod: key, uid: Uid::None, node: NODES[seed as usize % 3].into() }),
        7 => server.scale(now, kind, &key, (seed % 7) as i32 - 1),
        8 => {
            let document =
                json!({"metadata": {"labels": {"app": format!("app-{}", seed % 5)}}, "spec": {"replicas": seed % 4}});
            server.patch(now, kind, &key, PatchType::Merge, &document, Part::Main)
        }
        9 => {
            let mut pod = server.view().pods.get(&key).map(|pod| Pod::clone(pod)).unwrap_or_default();
            pod.status.phase = [PodPhase::Running, PodPhase::Failed, PodPhase::Succeeded][seed as usize % 3];
            server.put(pod, Part::Status)
        }
        _ => {
            let spec = EventSpec::about(&pod(name), EventKind::Normal, "Said", format!("{}", seed % 20));
            recorder.record(server, now, "tester", "", &spec);
            server.get(Kind::Namespace, &Key::new("", "default"))
        }
    }
}

/// Every index against a look at all objects.
fn check_indexes(view: &View) {
    let all: Vec<&Arc<Pod>> = view.pods.iter().collect();
    let names = |pods: Vec<&Arc<Pod>>| pods.iter().map(|pod| pod.key()).collect::<Vec<_>>();
    let of = |wanted: &dyn Fn(&Pod) -> bool| names(all.iter().copied().filter(|pod| wanted(pod)).collect());
    for owner in (0..3).map(Uid::uuid) {
        let is_owned =
            |meta: &crate::objects::ObjectMeta| meta.controller().is_some_and(|controller| controller.uid == owner);
        assert_eq!(names(view.pods.controlled_by(&owner).collect()), of(&|pod| is_owned(&pod.meta)));
        let sets: Vec<Key> = view.replica_sets.controlled_by(&owner).map(|set| set.key()).collect();
        assert_eq!(
            sets,
            view.replica_sets.iter().filter(|set| is_owned(&set.meta)).map(|set| set.key()).collect::<Vec<_>>()
        );
    }
    for node in &NODES[..2] {
        assert_eq!(names(view.pods_on(node).collect()), of(&|pod| *pod.node_name == **node));
    }
    for namespace in NAMESPACES {
        let here = |pod: &Pod| *pod.meta.namespace == *namespace;
        assert_eq!(
            names(view.pods.orphans(namespace).collect()),
            of(&|pod| here(pod) && pod.meta.controller().is_none())
        );
        let selector: Selector = "app in (app-0, app-1)".parse().expect("a selector");
        let mut found = names(view.pods_matching(namespace, &selector).collect());
        let mut wanted = of(&|pod| here(pod) && selector.matches(&pod.meta.labels));
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        let sets = view.replica_sets.in_namespace(namespace).count();
        assert_eq!(sets, view.replica_sets.iter().filter(|set| *set.meta.namespace == *namespace).count());
        for service in NAMES {
            let slices = view.slices_of(&Key::new(namespace, service)).count();
            let is_of = |slice: &&Arc<crate::objects::EndpointSlice>| {
                *slice.meta.namespace == *namespace && slice.service() == Some(service)
            };
            assert_eq!(slices, view.endpoint_slices.iter().filter(is_of).count());
        }
    }
}

fn listed(view: &View) -> Vec<String> {
    let kinds = Kind::ALL.iter().flat_map(|kind| view.list(*kind));
    kinds.map(|object| object.to_wire().to_string()).collect()
}

/// Seldom where nothing can be.
fn somewhere() -> impl Strategy<Value = usize> {
    prop_oneof![8 => Just(0usize), 3 => Just(1), 1 => Just(2)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_requests_leave_the_store_in_order(
        asks in prop::collection::vec((0u8..11, somewhere(), 0usize..3, any::<u32>()), 1..150),
        seed: u64,
    ) {
        let mut server = ApiServer::new(&Streams::new(seed));
        server.make(object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})));
        let mut recorder = EventRecorder::new();
        let mut informer = View::default();
        let mut revision = 0;
        for (step, question) in asks.into_iter().enumerate() {
            let now = at(step as i64 * 700);
            let before = server.view().resource_version;
            let response = ask(&mut server, &mut recorder, now, question);
            if response.is_err() && question.0 < 10 {
                prop_assert_eq!(server.view().resource_version, before, "a refused request wrote");
            }
            for change in server.drain_changes() {
                prop_assert_eq!(change.resource_version, revision + 1);
                prop_assert_eq!(change.object.meta().resource_version, change.resource_version);
                prop_assert_eq!(change.old.is_none(), change.change_type == ChangeType::Added);
                revision = change.resource_version;
                informer.apply(&change);
            }
            prop_assert_eq!(server.view().resource_version, revision);
            check_indexes(server.view());
        }
        prop_assert_eq!(listed(&informer), listed(server.view()));
        let addresses: Vec<_> = server.view().services.iter().map(|service| service.spec.cluster_ip.clone()).collect();
        let distinct: std::collections::BTreeSet<&str> = addresses.iter().map(|address| address.as_str()).collect();
        prop_assert_eq!(distinct.len(), addresses.len());
    }
}
