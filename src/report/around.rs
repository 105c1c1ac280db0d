//! What happened around an instant to the objects that an expectation is about: a few lines before it and a few after.

mod clients;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType};
use crate::kernel::SimTime;
use crate::objects::{Event, Key, Kind, Labels, Object, SERVICE_NAME_LABEL, Selector};
use crate::scenario::{Scenario, Subject};
use crate::sim::{Record, Recording, Target};

use super::difference::differences;
use super::happened::shortened;
use super::object_name;
use super::steps::step_line;
use super::table::rounded;
use clients::Ways;

/// Lines before the instant or at it, and lines after it.
const BEFORE: usize = 6;
const AFTER: usize = 3;
/// Most changed fields of a line.
const MOST_FIELDS: usize = 3;
/// Most records that are looked at in each direction, so that a long run is told quickly.
const MOST_LOOKED_AT: usize = 20_000;

/// A line about something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearby {
    /// When.
    pub at: SimTime,
    /// What.
    pub text: String,
}

/// What happened around `at` to what `about` names, in order. What the user did last before is among it. Nothing if the run was not
/// recorded in full.
#[must_use]
pub fn around(recording: &Recording, scenario: &Scenario, at: SimTime, about: &[Subject]) -> Vec<Nearby> {
    let records = recording.records();
    let split = records.partition_point(|record| record.time() <= at);
    let concern = Concern::of(recording, scenario, about);
    let told = |at: usize| {
        let before = at.checked_sub(1).map(|before| &records[before]);
        concern.line(before, &records[at]).map(|text| Nearby { at: records[at].time(), text })
    };
    let mut before: Vec<Nearby> = Vec::new();
    let mut has_step = false;
    for place in (0..split).rev().take(MOST_LOOKED_AT) {
        let is_step = matches!(records[place], Record::Step(..));
        if before.len() >= BEFORE && (has_step || !is_step) {
            if has_step {
                break;
            }
            continue;
        }
        if let Some(line) = told(place).filter(|line| !before.contains(line)) {
            has_step |= is_step;
            before.push(line);
        }
    }
    before.reverse();
    before.extend((split..records.len()).take(MOST_LOOKED_AT).filter_map(told).take(AFTER));
    before
}

/// Whom an expectation is about.
#[derive(Default)]
struct Concern {
    targets: Vec<Target>,
    /// HTTPRoutes.
    routes: Vec<Key>,
    /// Labels of pods, in a namespace or in all.
    selected: Vec<Selected>,
    clients: Vec<String>,
    /// Who controls whom.
    controllers: FxHashMap<(Kind, Key), (Kind, Key)>,
}

enum Selected {
    By(Kind, Option<Selector>),
    OfService(Arc<str>, Labels),
}

impl Selected {
    fn takes(&self, object: &Object) -> bool {
        match self {
            Self::By(kind, selector) => {
                let labels = &object.meta().labels;
                object.kind() == *kind && selector.as_ref().is_none_or(|selector| selector.matches(labels))
            }
            Self::OfService(namespace, labels) => {
                let has = |(name, value): (&str, &str)| object.meta().labels.get(name) == Some(value);
                object.kind() == Kind::Pod && object.meta().namespace == *namespace && labels.iter().all(has)
            }
        }
    }
}

impl Concern {
    fn of(recording: &Recording, scenario: &Scenario, about: &[Subject]) -> Self {
        let mut concern = Self::default();
        for subject in about {
            match subject {
                Subject::Object(target) => concern.targets.push(target.clone()),
                Subject::Objects(kind, selector) => concern.selected.push(Selected::By(*kind, selector.clone())),
                Subject::Client(name) => {
                    concern.clients.push(name.clone());
                }
            }
        }
        let asked = scenario.clients.iter().filter(|client| concern.clients.iter().any(|name| **name == *client.name));
        let Ways { targets, routes } = Ways::of(recording, asked);
        concern.targets.extend(targets);
        concern.routes = routes;
        for record in recording.records() {
            if let Record::Change(_, Change { object, .. }) = record {
                concern.learn(object);
            }
        }
        concern
    }

    /// Whose an object is, and which pods a Service or a budget means.
    fn learn(&mut self, object: &Object) {
        let key = object.key();
        if let Some(owner) = object.meta().controller()
            && let Some(kind) = Kind::parse(&owner.kind)
        {
            let owner = Key::new(key.namespace.clone(), &*owner.name.to_string());
            self.controllers.insert((object.kind(), key.clone()), (kind, owner));
        }
        if !self.is_target(object.kind(), &key) {
            return;
        }
        match object {
            Object::Service(service) => {
                if let Some(labels) = service.spec.selector.clone().filter(|labels| !labels.is_empty()) {
                    self.selected.retain(|known| !matches!(known, Selected::OfService(namespace, known) if *namespace == key.namespace && *known == labels));
                    self.selected.push(Selected::OfService(key.namespace, labels));
                }
            }
            Object::PodDisruptionBudget(budget) => {
                if let Some(selector) = &budget.spec.selector
                    && !self
                        .selected
                        .iter()
                        .any(|known| matches!(known, Selected::By(_, Some(known)) if *known == selector.compiled))
                {
                    self.selected.push(Selected::By(Kind::Pod, Some(selector.compiled.clone())));
                }
            }
            _ => {}
        }
    }

    fn is_target(&self, kind: Kind, key: &Key) -> bool {
        self.targets.iter().any(|target| target.kind == kind && target.key == *key)
    }

    /// Whether an object is meant, or one that controls it.
    fn is_meant(&self, kind: Kind, key: &Key) -> bool {
        let mut at = (kind, key.clone());
        // Pod, ReplicaSet, Deployment; Pod, Job, CronJob.
        for _ in 0..4 {
            if self.is_target(at.0, &at.1) {
                return true;
            }
            match self.controllers.get(&at) {
                Some(owner) => at = owner.clone(),
                None => return false,
            }
        }
        false
    }

    fn concerns(&self, object: &Object) -> bool {
        let (kind, key) = (object.kind(), object.key());
        if self.is_meant(kind, &key) {
            return true;
        }
        match object {
            Object::Pod(pod) => {
                let node = Key::new("", pod.node_name.clone());
                self.selected.iter().any(|selected| selected.takes(object)) || self.is_target(Kind::Node, &node)
            }
            Object::EndpointSlice(slice) => slice
                .meta
                .labels
                .get(SERVICE_NAME_LABEL)
                .is_some_and(|service| self.is_target(Kind::Service, &Key::new(key.namespace, service))),
            _ => object.kind_name() == "HTTPRoute" && self.routes.contains(&key),
        }
    }

    fn line(&self, before: Option<&Record>, record: &Record) -> Option<String> {
        match record {
            Record::Step(_, step) => Some(format!("» {}", step_line(step, before))),
            Record::Traffic(_, traffic) => {
                let (lost, sent) = (traffic.window.tally.lost, traffic.window.tally.requests);
                let is_asked = self.clients.iter().any(|client| **client == *traffic.client);
                (is_asked && lost > 0).then(|| {
                    let start = rounded(traffic.window.start);
                    format!(
                        "client {}: {lost} requests lost, {sent} sent in the window from {start} on",
                        traffic.client
                    )
                })
            }
            Record::Change(_, Change { object: Object::Event(event), change_type, .. }) => {
                (*change_type != ChangeType::Deleted).then(|| self.event(event)).flatten()
            }
            Record::Change(_, change) if self.concerns(&change.object) => changed(change),
            Record::Change(..) => None,
        }
    }

    fn event(&self, event: &Event) -> Option<String> {
        let object = &event.involved_object;
        let kind = Kind::parse(&object.kind)?;
        let namespace = if kind.is_namespaced() { object.namespace.to_string() } else { String::new() };
        let key = Key::new(namespace, object.name.to_string());
        let said = format!("{}: {}: {}", named(kind, &key), event.reason, shortened(&event.message));
        self.is_meant(kind, &key).then_some(said)
    }
}

fn named(kind: Kind, key: &Key) -> String {
    format!("{}/{}", kind.as_str().to_lowercase(), key.name)
}

fn changed(change: &Change) -> Option<String> {
    let object = &change.object;
    let who = object_name(object);
    match (&change.old, change.change_type) {
        (_, ChangeType::Deleted) => Some(format!("{who}: deleted")),
        (None, _) => Some(format!("{who}: created")),
        (Some(old), _) => {
            let found = differences(old, object);
            let more = found.len().saturating_sub(MOST_FIELDS);
            let told = found.into_iter().take(MOST_FIELDS).collect::<Vec<_>>().join(", ");
            let more = if more > 0 { format!(", {more} more") } else { String::new() };
            (!told.is_empty()).then(|| format!("{who}: {told}{more}"))
        }
    }
}
