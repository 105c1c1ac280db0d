//! What is used of a quota, kept up with every change: a sync need not look at all objects of the namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{Change, ChangeType, View};
use crate::objects::quota::{grace_ends, tracked, usage};
use crate::objects::storage::ResourceList;
use crate::objects::{Key, Kind, Object, Pod, Quantity, ResourceQuota, WallTime};

/// The sum over all objects that a quota is about.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    quota: Arc<ResourceQuota>,
    /// By each name that the quota limits and this controller can measure.
    used: ResourceList,
    /// Counted pods that will count for less when their grace is over, by that time.
    leaving: BTreeMap<(WallTime, Key), Arc<Pod>>,
}

impl Tally {
    /// Counts every object.
    pub(super) fn take(view: &View, quota: &Arc<ResourceQuota>, now: WallTime) -> Self {
        let kinds = || Kind::ALL.iter().copied().filter(|kind| kind.is_namespaced());
        let limited = |kind| quota.spec.hard.keys().filter(move |name| tracked(kind, name));
        let used = kinds().flat_map(limited).map(|name| (name.clone(), Quantity::ZERO)).collect();
        let mut tally = Self { quota: Arc::clone(quota), used, leaving: BTreeMap::new() };
        for kind in kinds().filter(|kind| limited(*kind).next().is_some()) {
            for object in view.list_in(kind, &quota.meta.namespace) {
                tally.count(&object, now, Count::On);
            }
        }
        tally
    }

    /// Whether it counts what a quota is about.
    pub(super) fn is_of(&self, quota: &ResourceQuota) -> bool {
        self.quota.meta.uid == quota.meta.uid && self.quota.spec == quota.spec
    }

    /// What is used now.
    pub(super) fn used(&mut self, now: WallTime) -> &ResourceList {
        self.let_go(now);
        &self.used
    }

    /// Follows a change in the namespace of the quota.
    pub(super) fn follow(&mut self, change: &Change, now: WallTime) {
        if !changes_use(change) {
            return;
        }
        self.let_go(now);
        if let Some(old) = &change.old {
            self.count(old, now, Count::Off);
        }
        if change.change_type != ChangeType::Deleted {
            self.count(&change.object, now, Count::On);
        }
    }

    fn count(&mut self, object: &Object, now: WallTime, count: Count) {
        if !self.quota.scopes_match(object) {
            return;
        }
        self.charge(usage(object, now), count);
        if let Object::Pod(pod) = object
            && let Some(end) = grace_ends(pod).filter(|end| *end >= now)
        {
            let at = (end, object.key());
            match count {
                Count::On => drop(self.leaving.insert(at, Arc::clone(pod))),
                Count::Off => drop(self.leaving.remove(&at)),
            }
        }
    }

    fn charge(&mut self, amounts: ResourceList, count: Count) {
        for (name, amount) in amounts {
            if let Some(used) = self.used.get_mut(&name) {
                match count {
                    Count::On => *used += amount,
                    Count::Off => *used -= amount,
                }
            }
        }
    }

    /// Takes off what pods do not use any more whose grace is over.
    fn let_go(&mut self, now: WallTime) {
        while let Some(first) = self.leaving.first_entry().filter(|first| first.key().0 < now) {
            let ((end, _), pod) = first.remove_entry();
            let pod = Object::Pod(pod);
            self.charge(usage(&pod, end), Count::Off);
            self.charge(usage(&pod, now), Count::On);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Count {
    On,
    Off,
}

/// Whether an object may use something else after a change.
fn changes_use(change: &Change) -> bool {
    match (&change.old, &change.object) {
        _ if change.change_type != ChangeType::Modified => true,
        (Some(Object::Pod(old)), Object::Pod(new)) => {
            !Arc::ptr_eq(&old.spec, &new.spec)
                || old.is_terminal() != new.is_terminal()
                || grace_ends(old) != grace_ends(new)
        }
        (_, Object::Service(_) | Object::PersistentVolumeClaim(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NAMESPACE: &str = "team";

    /// What happens to the objects of the namespace. Numbers choose among what there is.
    #[derive(Clone, Debug)]
    enum Move {
        Pod { cpu: u8, memory: u8, has_deadline: bool },
        Resize { pod: u8, cpu: u8 },
        End { pod: u8 },
        Terminate { pod: u8, grace: u8 },
        Service { kind: u8, ports: u8 },
        Retype { service: u8, kind: u8 },
        Claim { size: u8 },
        Grow { claim: u8, size: u8 },
        Delete { kind: u8, at: u8 },
        Wait { seconds: u8 },
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            6 => (0..4_u8, 0..3_u8, any::<bool>())
                .prop_map(|(cpu, memory, has_deadline)| Move::Pod { cpu, memory, has_deadline }),
            2 => (any::<u8>(), 0..4_u8).prop_map(|(pod, cpu)| Move::Resize { pod, cpu }),
            2 => any::<u8>().prop_map(|pod| Move::End { pod }),
            4 => (any::<u8>(), 0..20_u8).prop_map(|(pod, grace)| Move::Terminate { pod, grace }),
            2 => (0..3_u8, 1..4_u8).prop_map(|(kind, ports)| Move::Service { kind, ports }),
            2 => (any::<u8>(), 0..3_u8).prop_map(|(service, kind)| Move::Retype { service, kind }),
            2 => (1..5_u8).prop_map(|size| Move::Claim { size }),
            2 => (any::<u8>(), 1..9_u8).prop_map(|(claim, size)| Move::Grow { claim, size }),
            4 => (0..3_u8, any::<u8>()).prop_map(|(kind, at)| Move::Delete { kind, at }),
            4 => (0..30_u8).prop_map(|seconds| Move::Wait { seconds }),
        ];
        prop::collection::vec(one, 1..60)
    }

    /// A namespace whose changes a tally follows.
    struct Bed {
        view: View,
        tally: Tally,
        now: WallTime,
        revision: u64,
    }

    impl Bed {
        fn new(quota: &Arc<ResourceQuota>) -> Self {
            let (view, now) = (View::default(), WallTime::from_unix_nanos(1_767_225_600_000_000_000));
            Self { tally: Tally::take(&view, quota, now), view, now, revision: 0 }
        }

        fn write(&mut self, change_type: ChangeType, object: Object) {
            self.revision += 1;
            let old = self.view.object(object.kind(), &object.key());
            let change = Change { change_type, object, old, resource_version: self.revision };
            self.view.apply(&change);
            self.tally.follow(&change, self.now);
        }

        fn create(&mut self, api: &str, kind: &str, spec: Value) {
            let metadata = json!({"name": format!("o{}", self.revision), "namespace": NAMESPACE});
            let wire = json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec});
            self.write(ChangeType::Added, Object::from_wire(wire).expect("a well-formed object"));
        }

        fn chosen(&self, kind: Kind, at: u8) -> Option<Object> {
            let all = self.view.list_in(kind, NAMESPACE);
            if all.is_empty() { None } else { all.get(usize::from(at) % all.len()).cloned() }
        }

        /// Changes one object of a kind in wire form.
        fn edit(&mut self, kind: Kind, at: u8, edit: impl FnOnce(&mut Value)) {
            let Some(object) = self.chosen(kind, at) else { return };
            let mut wire = object.to_wire();
            edit(&mut wire);
            self.write(ChangeType::Modified, Object::from_wire(wire).expect("a well-formed object"));
        }

        fn take(&mut self, step: &Move) {
            match *step {
                Move::Pod { cpu, memory, has_deadline } => {
                    let requests =
                        json!({"cpu": format!("{}m", u32::from(cpu) * 250), "memory": format!("{memory}Gi")});
                    let limits = json!({"memory": format!("{}M", u32::from(memory) * 1500)});
                    let resources = json!({"requests": requests, "limits": limits});
                    let mut spec = json!({"containers": [{"name": "c", "image": "i", "resources": resources}]});
                    if has_deadline {
                        spec["activeDeadlineSeconds"] = 60.into();
                    }
                    self.create("v1", "Pod", spec);
                }
                Move::Resize { pod, cpu } => self.edit(Kind::Pod, pod, |wire| {
                    wire["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu.to_string().into();
                }),
                Move::End { pod } => {
                    self.edit(Kind::Pod, pod, |wire| wire["status"] = json!({"phase": "Succeeded"}));
                }
                Move::Terminate { pod, grace } => {
                    let end = serde_json::to_value(self.now.timestamp().plus_secs(grace.into())).expect("a time");
                    self.edit(Kind::Pod, pod, |wire| {
                        wire["metadata"]["deletionTimestamp"] = end;
                        wire["metadata"]["deletionGracePeriodSeconds"] = grace.into();
                    });
                }
                Move::Service { kind, ports } => {
                    let ports: Vec<Value> =
                        (0..ports).map(|port| json!({"port": port + 1, "name": format!("p{port}")})).collect();
                    self.create("v1", "Service", json!({"type": service_type(kind), "ports": ports}));
                }
                Move::Retype { service, kind } => {
                    self.edit(Kind::Service, service, |wire| wire["spec"]["type"] = service_type(kind).into());
                }
                Move::Claim { size } => {
                    let resources = json!({"requests": {"storage": format!("{size}Gi")}});
                    self.create(
                        "v1",
                        "PersistentVolumeClaim",
                        json!({"storageClassName": "fast", "resources": resources}),
                    );
                }
                Move::Grow { claim, size } => self.edit(Kind::PersistentVolumeClaim, claim, |wire| {
                    wire["spec"]["resources"]["requests"]["storage"] = format!("{size}Gi").into();
                }),
                Move::Delete { kind, at } => {
                    let kind = [Kind::Pod, Kind::Service, Kind::PersistentVolumeClaim][usize::from(kind)];
                    if let Some(object) = self.chosen(kind, at) {
                        self.write(ChangeType::Deleted, object);
                    }
                }
                Move::Wait { seconds } => self.now = self.now.plus_nanos(i64::from(seconds) * 1_000_000_000),
            }
        }
    }

    fn service_type(kind: u8) -> &'static str {
        ["ClusterIP", "NodePort", "LoadBalancer"][usize::from(kind)]
    }

    fn quota(scopes: Value) -> Arc<ResourceQuota> {
        let hard = [
            "pods",
            "count/pods",
            "requests.cpu",
            "limits.memory",
            "services",
            "services.nodeports",
            "services.loadbalancers",
            "persistentvolumeclaims",
            "requests.storage",
            "fast.storageclass.storage.k8s.io/requests.storage",
        ];
        let hard: serde_json::Map<String, Value> = hard.iter().map(|name| ((*name).to_owned(), "10".into())).collect();
        let wire = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": NAMESPACE},
            "spec": {"hard": hard, "scopes": scopes}});
        match Object::from_wire(wire) {
            Ok(Object::ResourceQuota(quota)) => quota,
            other => panic!("no quota: {other:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_tally_that_follows_says_what_one_taken_anew_says(
            moves in moves(),
            scopes in prop_oneof![Just(json!([])), Just(json!(["Terminating"])), Just(json!(["NotBestEffort"]))],
        ) {
            let quota = quota(scopes);
            let mut bed = Bed::new(&quota);
            for step in &moves {
                bed.take(step);
                let now = bed.now;
                let plain = Tally::take(&bed.view, &quota, now).used(now).clone();
                prop_assert_eq!(bed.tally.used(now), &plain, "after {:?}", step);
            }
        }
    }
}
