//! Random graphs of owners under random deletions.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{Cluster, delete, key, owned_by, owners, thing};
use crate::api::Propagation;
use crate::objects::{Kind, Object};

#[derive(Clone, Debug)]
enum Act {
    /// Creates an object that belongs to some of those that exist.
    Create(Vec<(prop::sample::Index, Option<bool>)>),
    Delete(prop::sample::Index, Propagation),
    /// Lets the collector work.
    Settle,
    /// Keeps changes from the collector, or shows them.
    Freeze(bool),
}

fn policy() -> impl Strategy<Value = Propagation> {
    prop_oneof![Just(Propagation::Background), Just(Propagation::Foreground), Just(Propagation::Orphan)]
}

fn create() -> impl Strategy<Value = Act> {
    let owner = (any::<prop::sample::Index>(), prop::option::of(any::<bool>()));
    prop::collection::vec(owner, 0..4).prop_map(Act::Create)
}

/// What should be there: names of owners by name.
#[derive(Default)]
struct Model {
    owners: BTreeMap<String, BTreeSet<String>>,
}

impl Model {
    fn delete(&mut self, name: &str, policy: Propagation) {
        self.owners.remove(name);
        let dependents: Vec<String> =
            self.owners.iter().filter(|(_, owners)| owners.contains(name)).map(|(name, _)| name.clone()).collect();
        for dependent in dependents {
            let Some(owners) = self.owners.get_mut(&dependent) else { continue };
            owners.remove(name);
            if owners.is_empty() && policy != Propagation::Orphan {
                self.delete(&dependent, Propagation::Background);
            }
        }
    }
}

fn create_in(cluster: &mut Cluster, name: &str, owners: &[(prop::sample::Index, Option<bool>)]) -> BTreeSet<String> {
    let existing: Vec<Object> = cluster.store.list(Kind::Opaque);
    let mut chosen = BTreeMap::new();
    if !existing.is_empty() {
        for (at, blocks) in owners {
            let owner = &existing[at.index(existing.len())];
            chosen.insert(owner.meta().name.to_string(), owned_by(owner, *blocks));
        }
    }
    let names = chosen.keys().cloned().collect();
    cluster.apply(thing(name, &chosen.into_values().collect::<Vec<_>>()));
    names
}

fn actual(cluster: &Cluster) -> BTreeMap<String, BTreeSet<String>> {
    let objects = cluster.store.list(Kind::Opaque);
    objects.iter().map(|object| (object.meta().name.to_string(), owners(object).into_iter().collect())).collect()
}

proptest! {
    #[test]
    fn one_deletion_after_the_other_leaves_what_the_rules_say(
        acts in prop::collection::vec(prop_oneof![3 => create(), 1 => (any::<prop::sample::Index>(), policy()).prop_map(|(at, policy)| Act::Delete(at, policy))], 1..60)
    ) {
        let mut cluster = Cluster::default();
        let mut model = Model::default();
        for (serial, act) in acts.into_iter().enumerate() {
            match act {
                Act::Create(owners) => {
                    let name = format!("o{serial}");
                    let names = create_in(&mut cluster, &name, &owners);
                    model.owners.insert(name, names);
                }
                Act::Delete(at, policy) => {
                    let objects = cluster.store.list(Kind::Opaque);
                    if objects.is_empty() {
                        continue;
                    }
                    let object = &objects[at.index(objects.len())];
                    delete(&mut cluster, object, policy);
                    model.delete(&object.meta().name, policy);
                }
                Act::Settle | Act::Freeze(_) => {}
            }
            cluster.run();
            prop_assert_eq!(&actual(&cluster), &model.owners);
        }
        prop_assert!(cluster.failures.is_empty(), "{:?}", cluster.failures);
    }

    #[test]
    fn whatever_the_order_nothing_dangles_hangs_or_is_lost(
        acts in prop::collection::vec(prop_oneof![
            6 => create(),
            3 => (any::<prop::sample::Index>(), policy()).prop_map(|(at, policy)| Act::Delete(at, policy)),
            1 => Just(Act::Settle),
            1 => any::<bool>().prop_map(Act::Freeze),
        ], 1..80)
    ) {
        let mut cluster = Cluster::default();
        let mut created: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut deleted: BTreeSet<String> = BTreeSet::new();
        for (serial, act) in acts.into_iter().enumerate() {
            match act {
                Act::Create(owners) => {
                    let name = format!("o{serial}");
                    let names = create_in(&mut cluster, &name, &owners);
                    created.insert(name, names);
                }
                Act::Delete(at, policy) => {
                    let objects = cluster.store.list(Kind::Opaque);
                    if objects.is_empty() {
                        continue;
                    }
                    let object = &objects[at.index(objects.len())];
                    delete(&mut cluster, object, policy);
                    deleted.insert(object.meta().name.to_string());
                }
                Act::Settle => drop(cluster.run()),
                Act::Freeze(frozen) => {
                    cluster.frozen = frozen;
                    if !frozen {
                        cluster.catch_up();
                    }
                }
            }
        }
        cluster.frozen = false;
        cluster.catch_up();
        cluster.run_for(60);
        let left = actual(&cluster);
        for (name, owners) in &left {
            let object = cluster.store.object(Kind::Opaque, &key(name)).expect("listed");
            prop_assert!(!object.meta().is_deleting(), "{} hangs: {:?}", name, object);
            prop_assert!(owners.iter().all(|owner| left.contains_key(owner)), "{} dangles: {:?}", name, owners);
        }
        for (name, owners) in &created {
            let is_held = owners.is_empty() || owners.iter().any(|owner| left.contains_key(owner));
            prop_assert!(!is_held || deleted.contains(name) || left.contains_key(name), "{} is lost", name);
        }
    }
}
