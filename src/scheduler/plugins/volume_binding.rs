//! Sends pods where their volumes are or can be, and has the claims bound that wait for that (upstream
//! `plugins/volumebinding`).

use std::sync::Arc;

use crate::api::{Part, Request};
use crate::objects::storage::{BOUND_BY_CONTROLLER, NO_PROVISIONER, SELECTED_NODE, claim_phase};
use crate::objects::volume_matching::{Asker, find_match};
use crate::objects::{Key, Kind, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass, Text};
use crate::scheduler::cache::NodeInfo;
use crate::scheduler::cycle::Cycle;
use crate::scheduler::event::{Actions, ClusterEvent, Subject};
use crate::scheduler::framework::{Code, Hint, Plugin, PreFilter};
use crate::scheduler::volumes::is_fully_bound;

const NODE_CONFLICT: &str = "node(s) didn't match PersistentVolume's node affinity";
const BIND_CONFLICT: &str = "node(s) didn't find available persistent volumes to bind";
const NO_SUCH_VOLUME: &str = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
const UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";

#[derive(Debug)]
pub(super) struct VolumeBinding;

/// The claims of the pod.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Volumes of the bound ones; `None` where the volume is gone.
    bound: Vec<Option<Arc<PersistentVolume>>>,
    /// Those that wait for their consumer, smallest first, with their class and the volumes of it.
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    claim: Arc<PersistentVolumeClaim>,
    class: Arc<StorageClass>,
    volumes: Arc<[Arc<PersistentVolume>]>,
}

/// What is to be done for the claims on one node.
#[derive(Debug, Default)]
struct Plan<'a> {
    bindings: Vec<(&'a Arc<PersistentVolume>, &'a Arc<PersistentVolumeClaim>)>,
    provisions: Vec<&'a Arc<PersistentVolumeClaim>>,
}

impl Claims {
    /// What a node would take, or why it will not do (upstream `FindPodVolumes`).
    fn plan(&self, node: &NodeInfo) -> Result<Plan<'_>, Vec<&'static str>> {
        let (labels, name) = (&node.node().meta.labels, node.name());
        let mut why = Vec::new();
        // The first bound claim that does not suit decides.
        let unsuited = self.bound.iter().find(|volume| !volume.as_ref().is_some_and(|v| v.is_reachable_from(labels)));
        let gone = matches!(unsuited, Some(None));
        if matches!(unsuited, Some(Some(_))) {
            why.push(NODE_CONFLICT);
        }
        let mut plan = Plan::default();
        let mut taken: Vec<&Arc<PersistentVolume>> = Vec::new();
        let selected = |waiting: &Waiting| waiting.claim.meta.annotations.get(SELECTED_NODE).map(str::to_owned);
        let mut satisfied = self.waiting.iter().all(|waiting| selected(waiting).is_none_or(|node| *node == **name));
        for waiting in self.waiting.iter().filter(|_| satisfied) {
            let free = waiting.volumes.iter().filter(|volume| !taken.iter().any(|taken| Arc::ptr_eq(taken, volume)));
            let found = match selected(waiting) {
                None => find_match(&waiting.claim, free, Asker::Node(labels)),
                Some(_) => None,
            };
            match found {
                Some(volume) => {
                    taken.push(volume);
                    plan.bindings.push((volume, &waiting.claim));
                }
                None => plan.provisions.push(&waiting.claim),
            }
        }
        let class_of = |claim: &Arc<PersistentVolumeClaim>| {
            self.waiting.iter().find(|waiting| Arc::ptr_eq(&waiting.claim, claim)).map(|waiting| &waiting.class)
        };
        satisfied &= plan.provisions.iter().all(|claim| class_of(claim).is_some_and(|class| provides(class, labels)));
        if !satisfied {
            why.push(BIND_CONFLICT);
        }
        if gone {
            why.push(NO_SUCH_VOLUME);
        }
        if why.is_empty() { Ok(plan) } else { Err(why) }
    }
}

/// Whether volumes of a class can be made for a node with these labels.
fn provides(class: &StorageClass, labels: &crate::objects::Labels) -> bool {
    let provisioner = &*class.body.provisioner;
    !provisioner.is_empty() && provisioner != NO_PROVISIONER && class.allows(labels)
}

/// Why the pod's claims keep it from every node, if they do (upstream `podHasPVCs`).
fn obstacle(cycle: &Cycle<'_>) -> Option<String> {
    cycle.pod.spec.volumes.iter().find_map(|volume| {
        let key = cycle.pod.claim_of(volume)?;
        let name = &key.name;
        let Some(claim) = cycle.view.persistent_volume_claims.get(&key) else {
            return Some(match volume.persistent_volume_claim {
                Some(_) => format!("persistentvolumeclaim {name:?} not found"),
                None => {
                    format!("waiting for ephemeral volume controller to create the persistentvolumeclaim {name:?}")
                }
            });
        };
        if claim.phase() == claim_phase::LOST {
            let gone = &claim.spec.volume_name;
            return Some(format!("persistentvolumeclaim {name:?} bound to non-existent persistentvolume {gone:?}"));
        }
        claim.meta.is_deleting().then(|| format!("persistentvolumeclaim {name:?} is being deleted"))
    })
}

impl VolumeBinding {
    /// The class of a claim that waits for its consumer.
    fn waits(cycle: &Cycle<'_>, claim: &PersistentVolumeClaim) -> Option<Arc<StorageClass>> {
        let class = cycle.view.storage_classes.get(&Key::new("", claim.class()))?;
        (class.waits_for_consumer() && claim.spec.volume_name.is_empty()).then(|| class.clone())
    }

    /// Volumes of a class as the scheduler knows them.
    fn volumes(cycle: &Cycle<'_>, claim: &PersistentVolumeClaim) -> Arc<[Arc<PersistentVolume>]> {
        use crate::objects::Resource as _;
        let key = claim.key();
        let kept = cycle.view.volumes_for(&key).filter(|volume| volume.class() == claim.class());
        let seen = kept.chain(cycle.view.free_volumes(claim.class()));
        seen.filter_map(|volume| cycle.cache.volumes().volume(cycle.view, &volume.key())).cloned().collect()
    }
}

impl Plugin for VolumeBinding {
    type State = Claims;

    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn events(&self) -> Actions {
        Actions::NODE_ADD
            | Actions::NODE_LABEL
            | Actions::CLASS_ADD
            | Actions::CLASS_UPDATE
            | Actions::CLAIM_ADD
            | Actions::CLAIM_UPDATE
            | Actions::VOLUME_ADD
            | Actions::VOLUME_UPDATE
    }

    fn hint(&self, pod: &Pod, event: &ClusterEvent<'_>) -> Hint {
        let queue = match event.subject {
            Subject::Claim(_, claim) => {
                pod.claims().any(|key| key.name == claim.meta.name && key.namespace == claim.meta.namespace)
            }
            Subject::Class(Some(old), new) => old.body.allowed_topologies != new.body.allowed_topologies,
            _ => true,
        };
        if queue { Hint::Queue } else { Hint::Skip }
    }

    fn pre_filter(&self, cycle: &Cycle<'_>, state: &mut Claims) -> PreFilter {
        *state = Claims::default();
        if cycle.pod.spec.volumes.is_empty() || cycle.pod.claims().next().is_none() {
            return PreFilter::Skip;
        }
        if let Some(why) = obstacle(cycle) {
            return PreFilter::Reject(Code::UnschedulableAndUnresolvable, why.into());
        }
        for key in cycle.pod.claims() {
            let Some(claim) = cycle.cache.volumes().claim(cycle.view, &key) else { continue };
            if is_fully_bound(claim) {
                let volume = Key::new("", &*claim.spec.volume_name);
                state.bound.push(cycle.cache.volumes().volume(cycle.view, &volume).cloned());
            } else if let Some(class) = Self::waits(cycle, claim) {
                let volumes = Self::volumes(cycle, claim);
                state.waiting.push(Waiting { claim: claim.clone(), class, volumes });
            } else {
                return PreFilter::Reject(Code::UnschedulableAndUnresolvable, UNBOUND.into());
            }
        }
        state.waiting.sort_by_key(|waiting| waiting.claim.request());
        PreFilter::Filter
    }

    fn filter(&self, _: &Cycle<'_>, state: &Claims, node: &NodeInfo) -> Code {
        if state.plan(node).is_ok() { Code::Success } else { Code::UnschedulableAndUnresolvable }
    }

    fn reasons(&self, _: &Cycle<'_>, state: &Claims, node: &NodeInfo, say: &mut dyn FnMut(Text)) {
        state.plan(node).err().into_iter().flatten().for_each(|why| say(why.into()));
    }

    /// Gives the chosen volumes to their claims and the chosen node to the claims whose volumes are to be made; the binder
    /// and the provisioner do the rest.
    fn pre_bind(&self, _: &Cycle<'_>, state: &Claims, node: &NodeInfo) -> Vec<Request> {
        let Ok(plan) = state.plan(node) else { return Vec::new() };
        let bindings = plan.bindings.into_iter().map(|(volume, claim)| bound(volume, claim).into());
        let provisions = plan.provisions.into_iter().map(|claim| {
            let mut claim = PersistentVolumeClaim::clone(claim);
            claim.meta.annotations = claim.meta.annotations.with(SELECTED_NODE, node.name());
            claim.into()
        });
        bindings.chain(provisions).map(|object| Request::Update(object, Part::Main)).collect()
    }
}

/// A volume with its reference to a claim (upstream `GetBindVolumeToClaim`).
fn bound(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> PersistentVolume {
    let mut new = volume.clone();
    if !volume.is_for(claim) {
        new.meta.annotations = new.meta.annotations.with(BOUND_BY_CONTROLLER, "yes");
    }
    let reference = ObjectReference {
        resource_version: claim.meta.resource_version.to_string().into(),
        ..ObjectReference::to(Kind::PersistentVolumeClaim, &claim.meta)
    };
    Arc::make_mut(&mut new.spec).claim_ref = Some(reference);
    new
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::{ChangeType, Request, View};
    use crate::objects::{Object, Pod, Resource};
    use crate::scheduler::Scheduler;
    use crate::scheduler::testing::{
        Bench, bound_to, change, claim, in_zone, labelled, second, using, volume, waiting_class,
    };

    const ZONE: &str = "topology.kubernetes.io/zone";

    fn bench() -> Bench {
        let mut bench = Bench::default();
        bench.add(labelled("in-a", &[(ZONE, "a")]));
        bench.add(labelled("in-b", &[(ZONE, "b")]));
        bench
    }

    fn told(bench: &Bench, pod: &Pod) -> String {
        let message = bench.failure(pod);
        message.strip_prefix("0/2 nodes are available: ").unwrap_or(&message).to_owned()
    }

    #[test]
    fn a_pod_goes_where_its_volume_can_be_reached() {
        let mut bench = bench();
        bench.apply(volume("disk", in_zone("b")));
        bench.apply(claim("data", bound_to("disk")));
        assert_eq!(bench.placed(&using("p", &["data"])), "in-b");
        bench.apply(volume("far", in_zone("c")));
        bench.apply(claim("gone", bound_to("far")));
        let told = told(&bench, &using("p", &["gone"]));
        assert!(told.starts_with("2 node(s) didn't match PersistentVolume's node affinity."), "{told}");
    }

    #[test]
    fn claims_that_are_not_ready_keep_the_pod_from_every_node() {
        let mut bench = bench();
        bench.apply(claim("unbound", json!({})));
        bench.apply(claim("lost", json!({"spec": {"volumeName": "v"}, "status": {"phase": "Lost"}})));
        bench.apply(claim("going", json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})));
        bench.apply(claim("dangling", bound_to("nowhere")));
        for (name, why) in [
            ("unbound", "pod has unbound immediate PersistentVolumeClaims. not found"),
            ("missing", "persistentvolumeclaim \"missing\" not found. not found"),
            ("lost", "persistentvolumeclaim \"lost\" bound to non-existent persistentvolume \"v\". not found"),
            ("going", "persistentvolumeclaim \"going\" is being deleted. not found"),
        ] {
            assert_eq!(told(&bench, &using("p", &[name])), why);
        }
        let told = told(&bench, &using("p", &["dangling"]));
        assert!(
            told.starts_with("persistentvolume \"nowhere\" not found"),
            "VolumeZone is asked before any node: {told}"
        );
    }

    #[test]
    fn waiting_claims_are_matched_smallest_first_and_each_gets_its_own_volume() {
        let mut bench = bench();
        bench.apply(waiting_class("manual", "kubernetes.io/no-provisioner", json!({})));
        let sized = |size: &str, zone: &str| {
            let mut changes = in_zone(zone);
            changes["spec"]["capacity"] = json!({"storage": size});
            changes
        };
        bench.apply(volume("a-5", sized("5Gi", "a")));
        bench.apply(volume("b-5", sized("5Gi", "b")));
        bench.apply(volume("b-9", sized("9Gi", "b")));
        bench.apply(claim("large", json!({"spec": {"resources": {"requests": {"storage": "6Gi"}}}})));
        bench.apply(claim("small", json!({})));
        assert_eq!(bench.placed(&using("p", &["large", "small"])), "in-b");
        bench.apply(claim("third", json!({})));
        let told = told(&bench, &using("p", &["large", "small", "third"]));
        assert!(told.starts_with("2 node(s) didn't find available persistent volumes to bind."), "{told}");
    }

    #[test]
    fn volumes_that_can_be_made_are_made_where_the_class_allows() {
        let mut bench = bench();
        let topology = json!({"allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": ["b"]}]}]});
        bench.apply(waiting_class("manual", "disk.example.com", topology));
        bench.apply(claim("data", json!({})));
        assert_eq!(bench.placed(&using("p", &["data"])), "in-b");
        let chosen = json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "in-a"}}});
        bench.apply(claim("chosen", chosen));
        assert!(
            told(&bench, &using("p", &["chosen"])).starts_with("2 node(s) didn't find available persistent volumes")
        );
    }

    fn hear(scheduler: &mut Scheduler, view: &mut View, object: impl Into<Object>, now: f64) {
        let object = object.into();
        let kind =
            if view.object(object.kind(), &object.key()).is_some() { ChangeType::Modified } else { ChangeType::Added };
        let change = change(view, kind, object);
        view.apply(&change);
        scheduler.on_change(view, &change, second(now));
    }

    /// A pod with a claim whose volume is to be made, after its first attempt.
    fn provisioning() -> (Scheduler, View) {
        let (mut scheduler, mut view) = (Scheduler::default(), View::default());
        hear(&mut scheduler, &mut view, labelled("n", &[]), 0.0);
        hear(&mut scheduler, &mut view, waiting_class("manual", "disk.example.com", json!({})), 0.0);
        hear(&mut scheduler, &mut view, claim("data", json!({})), 0.0);
        hear(&mut scheduler, &mut view, using("p", &["data"]), 0.0);
        let attempt = scheduler.attempt(&view, second(0.0)).expect("a pod is ready");
        let [Request::Update(Object::PersistentVolumeClaim(selected), _)] = attempt.requests.as_slice() else {
            panic!("{:?}", attempt.requests)
        };
        assert_eq!(selected.meta.annotations.get("volume.kubernetes.io/selected-node"), Some("n"));
        hear(&mut scheduler, &mut view, selected.clone(), 0.1);
        scheduler.on_result(&view, second(0.1), attempt.id, None);
        (scheduler, view)
    }

    #[test]
    fn the_pod_is_bound_once_its_claims_are() {
        let (mut scheduler, mut view) = provisioning();
        assert!(!scheduler.has_ready(second(1.0)) && scheduler.has_ready(second(1.1)), "a look every second");
        assert!(scheduler.attempt(&view, second(1.1)).is_none());
        let mut bound = bound_to("v");
        bound["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = "n".into();
        hear(&mut scheduler, &mut view, claim("data", bound), 1.5);
        let attempt = scheduler.attempt(&view, second(2.1)).expect("the claim is bound");
        assert!(matches!(&attempt.requests[0], Request::Bind { node, .. } if **node == *"n"));
    }

    #[test]
    fn a_provisioner_that_gives_the_node_back_lets_the_pod_be_scheduled_anew() {
        let (mut scheduler, mut view) = provisioning();
        hear(&mut scheduler, &mut view, claim("data", json!({})), 0.5);
        let attempt = scheduler.attempt(&view, second(1.1)).expect("a look");
        let told = attempt.requests.iter().find_map(|request| match request {
            Request::Event(event) => Some(event.message.to_string()),
            _ => None,
        });
        let expected =
            "running PreBind plugin \"VolumeBinding\": binding volumes: provisioning failed for PVC \"data\"";
        assert_eq!(told.as_deref(), Some(expected));
        let again = (2..30).find_map(|at| scheduler.attempt(&view, second(f64::from(at)))).expect("another try");
        assert!(matches!(&again.requests[0], Request::Update(Object::PersistentVolumeClaim(_), _)));
    }

    #[test]
    fn ten_minutes_are_enough() {
        let (mut scheduler, view) = provisioning();
        let told =
            (1..700).find_map(|at| scheduler.attempt(&view, second(f64::from(at) + 0.2)).map(|attempt| (at, attempt)));
        let (at, attempt) = told.expect("it is given up");
        assert_eq!(at, 600);
        assert!(format!("{:?}", attempt.requests).contains("binding volumes: context deadline exceeded"));
    }

    #[test]
    fn two_pods_do_not_take_the_same_volume() {
        let (mut scheduler, mut view) = (Scheduler::default(), View::default());
        hear(&mut scheduler, &mut view, labelled("n", &[]), 0.0);
        hear(&mut scheduler, &mut view, waiting_class("manual", "kubernetes.io/no-provisioner", json!({})), 0.0);
        hear(&mut scheduler, &mut view, volume("only", json!({})), 0.0);
        for name in ["a", "b"] {
            hear(&mut scheduler, &mut view, claim(name, json!({})), 0.0);
            hear(&mut scheduler, &mut view, using(name, &[name]), 0.0);
        }
        let first = scheduler.attempt(&view, second(0.0)).expect("a pod is ready");
        let Some(Request::Update(Object::PersistentVolume(volume), _)) = first.requests.first() else {
            panic!("{:?}", first.requests)
        };
        assert_eq!(volume.claim().map(|claim| claim.name.to_string()).as_deref(), Some("a"));
        let other = scheduler.attempt(&view, second(0.0)).expect("a pod is ready");
        assert!(format!("{:?}", other.requests).contains("didn't find available persistent volumes to bind"));
        assert_eq!(volume.key().name.as_ref(), "only");
    }
}
