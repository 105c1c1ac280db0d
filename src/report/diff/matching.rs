//! Which object of one side is which of the other.

use std::collections::BTreeMap;

use crate::objects::{Object, Uid};

/// Annotation that numbers the ReplicaSets of a Deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// An object and its like on the other side.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) first: Option<Object>,
    pub(super) second: Option<Object>,
    /// Why they belong together, if not by their names.
    pub(super) matched_by: Option<String>,
}

/// Group and kind, namespace, name. (Keys of kinds that are only kept name their kind.)
type Identity = (String, String, String);

fn identity(object: &Object) -> Identity {
    let kind = format!("{}/{}", object.api_version(), object.kind_name());
    (kind, object.meta().namespace.to_string(), object.meta().name.to_string())
}

/// Pairs all objects, by kind, namespace and name. Of two runs also those with different names.
pub(super) fn pairs(first: Vec<Object>, second: Vec<Object>, two_runs: bool) -> Vec<Pair> {
    let mut matcher =
        Matcher { pairs: Vec::new(), first: indexed(first), second: indexed(second), uids: BTreeMap::new() };
    matcher.by_name();
    while two_runs && matcher.by_owner() {}
    matcher.finish()
}

fn indexed(objects: Vec<Object>) -> BTreeMap<Identity, Object> {
    objects.into_iter().map(|object| (identity(&object), object)).collect()
}

struct Matcher {
    pairs: Vec<Pair>,
    /// What has no like yet.
    first: BTreeMap<Identity, Object>,
    second: BTreeMap<Identity, Object>,
    /// Uids of the first side, and of their likes.
    uids: BTreeMap<Uid, Uid>,
}

impl Matcher {
    fn pair(&mut self, first: &Identity, second: &Identity, matched_by: Option<String>) {
        if let (Some(first), Some(second)) = (self.first.remove(first), self.second.remove(second)) {
            self.uids.insert(first.meta().uid.clone(), second.meta().uid.clone());
            self.pairs.push(Pair { first: Some(first), second: Some(second), matched_by });
        }
    }

    /// Equal names are no chance, also where the API server made them: two runs with one seed draw the same.
    fn by_name(&mut self) {
        let both: Vec<Identity> = self.first.keys().filter(|key| self.second.contains_key(*key)).cloned().collect();
        both.iter().for_each(|key| self.pair(key, key, None));
    }

    /// Pairs what objects own that are paired already. Returns whether there was anything.
    fn by_owner(&mut self) -> bool {
        let firsts = families(&self.first, |uid| self.uids.get(uid).cloned());
        let seconds = families(&self.second, |uid| Some(uid.clone()));
        let mut found = Vec::new();
        for (family, members) in &firsts {
            let Some(others) = seconds.get(family) else { continue };
            let mut others: Vec<_> = others.iter().collect();
            for (place, key) in members {
                let like = others.iter().position(|(other, _)| other == place);
                if let Some((_, other)) = like.map(|at| others.remove(at)) {
                    let why = place.clone().unwrap_or_else(|| "same owner, in the order of creation".to_owned());
                    found.push((key.clone(), other.clone(), Some(why)));
                }
            }
        }
        let any = !found.is_empty();
        for (first, second, matched_by) in found {
            self.pair(&first, &second, matched_by);
        }
        any
    }

    fn finish(mut self) -> Vec<Pair> {
        let alone = |first, second| Pair { first, second, matched_by: None };
        self.pairs.extend(std::mem::take(&mut self.first).into_values().map(|object| alone(Some(object), None)));
        self.pairs.extend(std::mem::take(&mut self.second).into_values().map(|object| alone(None, Some(object))));
        self.pairs.sort_by_cached_key(|pair| pair.first.as_ref().or(pair.second.as_ref()).map(identity));
        self.pairs
    }
}

/// Kind, and uid of the owner as the second side has it; of volumes the claim.
type Family = (String, String, String);
/// What tells the members of a family apart, if anything does, and their identities.
type Members = Vec<(Option<String>, Identity)>;

/// What an object belongs to, and its place there, if it has one.
fn family_of(object: &Object, like: impl Fn(&Uid) -> Option<Uid>) -> Option<(String, Option<String>)> {
    let meta = object.meta();
    if let Object::PersistentVolume(volume) = object {
        let claim = volume.spec.claim_ref.as_ref()?;
        return Some((format!("{}/{}", claim.namespace, claim.name), Some("the volume of its claim".to_owned())));
    }
    let owner = meta.controller().or(meta.owner_references.first())?;
    let uid = like(&owner.uid)?;
    let place = match object {
        Object::Pod(pod) if *owner.kind == *"DaemonSet" => Some(format!("same owner, on {}", pod.node_name)),
        _ => meta.annotations.get(REVISION).map(|revision| format!("same owner, revision {revision}")),
    };
    // The pods of an indexed Job have their index between its name and the rest of theirs.
    let index = meta.generate_name.strip_prefix(&*owner.name).unwrap_or_default();
    Some((format!("{uid}{index}"), place))
}

/// An object of a family, its place there, and its identity.
type Member<'a> = (&'a Object, Option<String>, Identity);

/// Objects that belong to others, in the order of creation. `like` translates the uid of an owner.
fn families(objects: &BTreeMap<Identity, Object>, like: impl Fn(&Uid) -> Option<Uid>) -> BTreeMap<Family, Members> {
    let mut families: BTreeMap<Family, Vec<Member<'_>>> = BTreeMap::new();
    for (key, object) in objects {
        let Some((family, place)) = family_of(object, &like) else { continue };
        let family = (key.0.clone(), key.1.clone(), family);
        families.entry(family).or_default().push((object, place, key.clone()));
    }
    let in_order = |mut members: Vec<Member<'_>>| {
        // Resource versions rise with creation, but also with every change: times first.
        members.sort_by_key(|(object, _, key)| (object.meta().creation_timestamp, key.clone()));
        members.into_iter().map(|(_, place, key)| (place, key)).collect()
    };
    families.into_iter().map(|(family, members)| (family, in_order(members))).collect()
}
