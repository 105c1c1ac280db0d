//! How the pods of each Deployment came and went.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::api::ChangeType;
use crate::kernel::SimTime;
use crate::objects::{Key, Object, Resource, Uid};
use crate::sim::{Record, Recording};

/// Ready pods of a Deployment at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Of the newest ReplicaSet.
    pub new: u32,
    /// Of older ones.
    pub old: u32,
}

/// Ready pods of one Deployment over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The Deployment.
    pub deployment: Key,
    /// Desired replicas at the end.
    pub replicas: u32,
    /// Each change, in order.
    pub samples: Vec<(SimTime, Sample)>,
}

impl Timeline {
    /// The state at an instant.
    #[must_use]
    pub fn at(&self, time: SimTime) -> Sample {
        let after = self.samples.partition_point(|(at, _)| *at <= time);
        after.checked_sub(1).map(|last| self.samples[last].1).unwrap_or_default()
    }

    /// Fewest ready pods in `[from, to)`.
    #[must_use]
    pub fn fewest(&self, from: SimTime, to: SimTime) -> Sample {
        let inside = self.samples.iter().filter(|(at, _)| *at > from && *at < to).map(|(_, sample)| *sample);
        inside.chain([self.at(from)]).min_by_key(|sample| sample.new + sample.old).unwrap_or_default()
    }
}

#[derive(Default)]
struct Fold {
    /// ReplicaSets with the uid of their Deployment.
    sets: FxHashMap<Uid, Uid>,
    /// Ready pods: the uid of their ReplicaSet.
    ready: BTreeMap<Uid, Uid>,
    deployments: Vec<(Uid, Timeline)>,
    /// The ReplicaSet with the highest revision of each Deployment.
    newest: FxHashMap<Uid, (usize, Uid)>,
}

/// The timelines of all Deployments of a recording, in the order of creation.
#[must_use]
pub fn timelines(recording: &Recording) -> Vec<Timeline> {
    let mut fold = Fold::default();
    for record in recording.records() {
        if let Record::Change(at, change) = record {
            fold.object(*at, change.change_type, &change.object);
        }
    }
    fold.deployments.into_iter().map(|(_, timeline)| timeline).collect()
}

impl Fold {
    fn object(&mut self, at: SimTime, change: ChangeType, object: &Object) {
        match object {
            Object::Deployment(deployment) => {
                let uid = &deployment.meta.uid;
                if !self.deployments.iter().any(|(known, _)| known == uid) {
                    let timeline = Timeline { deployment: deployment.key(), replicas: 0, samples: Vec::new() };
                    self.deployments.push((uid.clone(), timeline));
                }
                let replicas = u32::try_from(deployment.spec.replicas).unwrap_or(0);
                self.with(uid, |timeline| timeline.replicas = replicas);
            }
            Object::ReplicaSet(set) if change == ChangeType::Added => {
                if let Some(owner) = set.meta.controller() {
                    self.sets.insert(set.meta.uid.clone(), owner.uid.clone());
                    self.note_revision(set);
                }
            }
            // An undo gives an old ReplicaSet the highest revision.
            Object::ReplicaSet(set) => self.note_revision(set),
            Object::Pod(pod) => {
                let Some(owner) = pod.meta.controller() else { return };
                let ready = change != ChangeType::Deleted && pod.is_active() && pod.is_ready();
                let changed = if ready {
                    self.ready.insert(pod.meta.uid.clone(), owner.uid.clone()).is_none()
                } else {
                    self.ready.remove(&pod.meta.uid).is_some()
                };
                if changed {
                    self.sample(at, &owner.uid);
                }
            }
            _ => {}
        }
    }

    fn note_revision(&mut self, set: &crate::objects::ReplicaSet) {
        let revision = set.meta.annotations.get("deployment.kubernetes.io/revision");
        let Some(revision) = revision.and_then(|text| text.parse::<usize>().ok()) else { return };
        let Some(deployment) = self.sets.get(&set.meta.uid) else { return };
        let newest = self.newest.entry(deployment.clone()).or_insert((0, set.meta.uid.clone()));
        if revision > newest.0 {
            *newest = (revision, set.meta.uid.clone());
        }
    }

    fn sample(&mut self, at: SimTime, set: &Uid) {
        let Some(deployment) = self.sets.get(set).cloned() else { return };
        let newest = self.newest.get(&deployment).map(|(_, uid)| uid.clone()).unwrap_or_default();
        let mut sample = Sample::default();
        for owner in self.ready.values() {
            if *owner == newest {
                sample.new += 1;
            } else if self.sets.get(owner).is_some_and(|owner| *owner == deployment) {
                sample.old += 1;
            }
        }
        self.with(&deployment, |timeline| match timeline.samples.last_mut() {
            Some((last, value)) if *last == at => *value = sample,
            _ => timeline.samples.push((at, sample)),
        });
    }

    fn with(&mut self, deployment: &Uid, change: impl FnOnce(&mut Timeline)) {
        if let Some((_, timeline)) = self.deployments.iter_mut().find(|(uid, _)| uid == deployment) {
            change(timeline);
        }
    }
}
