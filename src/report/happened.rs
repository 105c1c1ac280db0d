//! The events of a run, folded to the lines that people want to read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::{Change, ChangeType};
use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Conditions, Deployment, Event, Job, Key, Kind, Node, Object, Pod, ReplicaSet, Resource};
use crate::sim::{Record, Recording, StepRecord};

use super::steps::{answers, step_line, with_previous};
use super::table::moment;

/// Most lines of a story, and how many of them are kept from its beginning.
const MOST_LINES: usize = 48;
const FIRST_LINES: usize = 32;
/// Most characters of a message.
const MOST_CHARS: usize = 88;
/// How many of them come from its end, where errors have their cause.
const LAST_CHARS: usize = 36;
/// Most names of pods in a line, and of Jobs, whose names say little.
const MOST_NAMES: usize = 10;
const MOST_JOBS: usize = 2;

/// Steps, scalings, warnings and the fate of nodes, in order. The same thing said again before the next step is counted, not
/// repeated.
pub(super) fn happened(recording: &Recording) -> String {
    let mut chapters = Chapters::default();
    for (before, record) in with_previous(recording.records()) {
        chapters.take(before, record);
    }
    chapters.tell_deleted(SimTime::MAX);
    chapters.print()
}

/// The last `lines` lines of what happened until an instant: what was done, and what the cluster made of it. The recording must be
/// full.
#[must_use]
pub fn story_before(recording: &Recording, until: SimTime, lines: usize) -> String {
    let mut chapters = Chapters::default();
    for (before, record) in with_previous(recording.records()).take_while(|(_, record)| record.time() <= until) {
        chapters.take(before, record);
    }
    chapters.tell_deleted(SimTime::MAX);
    chapters.print_last(lines)
}

/// A longer pause makes a line of its own of the same thing.
const PAUSE: SimDuration = SimDuration::from_secs(60);

/// What makes two entries the same thing.
type Topic = (String, String);

struct Line {
    at: SimTime,
    last: SimTime,
    told: Told,
}

enum Told {
    /// As it is.
    Plain(String),
    /// `deployment/web scales web-745f9dbd77 up from 0 to 10`.
    Scaling { who: String, set: String, from: i32, to: i32, writes: u32 },
    /// `statefulset/db: new pods db-0, db-1`.
    Members { who: String, what: &'static str, names: Vec<String> },
    /// A step that was refused, and those like it that followed: whoever drains a node asks again every five seconds.
    Refused { text: String, times: u64 },
    /// What an Event says of one object or of several.
    Said { who: String, about: BTreeSet<Arc<str>>, first: Arc<str>, times: u64, text: String },
}

#[derive(Default)]
struct Chapters {
    lines: Vec<Line>,
    /// Lines of this chapter that may be said again.
    open: FxHashMap<Topic, usize>,
    /// Steps that were refused, by what they say.
    refused: FxHashMap<String, usize>,
    /// Owners of pods.
    owners: FxHashMap<Key, Arc<str>>,
    /// Pods that were deleted at this instant. What a user deletes is said by the step, which comes afterwards.
    deleted: Vec<(SimTime, Arc<Pod>)>,
}

impl Chapters {
    fn take(&mut self, before: Option<&Record>, record: &Record) {
        self.tell_deleted(record.time());
        match record {
            Record::Step(at, step) => self.step(*at, step, before),
            Record::Change(at, change) => self.change(*at, change),
            Record::Traffic(..) => {}
        }
    }

    fn step(&mut self, at: SimTime, step: &StepRecord, before: Option<&Record>) {
        let text = format!("» {}", step_line(step, before));
        let is_refused = !answers(&step.result).0.is_empty();
        if is_refused && self.is_refused_again(at, &text) {
            return;
        }
        self.open.clear();
        self.deleted.clear();
        if is_refused {
            self.refused.insert(text.clone(), self.lines.len());
            self.lines.push(Line { at, last: at, told: Told::Refused { text, times: 1 } });
        } else {
            self.plain(at, text);
        }
    }

    /// Counts a refusal that is told already, if that was not long ago.
    fn is_refused_again(&mut self, now: SimTime, text: &str) -> bool {
        let line = self.refused.get(text).and_then(|at| self.lines.get_mut(*at));
        let Some(Line { last, told: Told::Refused { times, .. }, .. }) = line else { return false };
        let soon = now.since(*last) <= PAUSE;
        if soon {
            *last = now;
            *times += 1;
        }
        soon
    }

    fn change(&mut self, at: SimTime, change: &Change) {
        let old = change.old.as_ref();
        match (&change.object, old) {
            (Object::Event(event), old) => {
                let before = match old {
                    Some(Object::Event(old)) => old.count,
                    _ => 0,
                };
                if change.change_type != ChangeType::Deleted {
                    self.event(at, event, i64::from(event.count) - i64::from(before));
                }
            }
            (Object::Pod(pod), None) => {
                self.pod(pod);
                self.member(at, pod, "new pods");
            }
            (Object::Pod(pod), Some(Object::Pod(old))) if pod.meta.is_deleting() && !old.meta.is_deleting() => {
                self.deleted.push((at, Arc::clone(pod)));
            }
            (Object::ReplicaSet(set), old) if change.change_type != ChangeType::Deleted => match old {
                Some(Object::ReplicaSet(old)) => self.scaled(at, set, old.spec.replicas),
                _ => self.scaled(at, set, 0),
            },
            (Object::Node(node), old) => self.node(at, node, old, change.change_type),
            (Object::Deployment(deployment), Some(Object::Deployment(old)))
                if !is_level(old) && is_level(deployment) && !deployment.meta.is_deleting() =>
            {
                self.plain(at, format!("deployment/{}: rollout complete", deployment.meta.name));
            }
            (Object::Job(job), old) => self.job(at, job, old, change.change_type),
            (Object::StatefulSet(set), Some(Object::StatefulSet(old)))
                if set.status.current_revision != old.status.current_revision
                    && !old.status.current_revision.is_empty() =>
            {
                self.plain(at, format!("statefulset/{}: rollout complete", set.meta.name));
            }
            _ => {}
        }
    }

    /// How a Job ends; why it fails is told by its Event.
    fn job(&mut self, at: SimTime, job: &Job, old: Option<&Object>, change: ChangeType) {
        let name = &job.meta.name;
        let was_complete = matches!(old, Some(Object::Job(old)) if old.is_complete());
        match change {
            ChangeType::Deleted => self.job_did(at, job, "deleted jobs", format!("job/{name}: deleted")),
            ChangeType::Modified if job.is_complete() && !was_complete => {
                self.job_did(at, job, "completed jobs", format!("job/{name}: complete"));
            }
            ChangeType::Added | ChangeType::Modified => {}
        }
    }

    /// The Jobs of a CronJob may be many: a line for those that end or go soon after each other.
    fn job_did(&mut self, at: SimTime, job: &Job, what: &'static str, alone: String) {
        match job.meta.controller().filter(|owner| *owner.kind == *Kind::CronJob.as_str()) {
            Some(owner) => self.one_more(at, format!("cronjob/{}", owner.name), what, job.meta.name.to_string()),
            None => self.plain(at, alone),
        }
    }

    fn pod(&mut self, pod: &Arc<Pod>) {
        if let Some(owner) = pod.meta.controller() {
            self.owners.insert(pod.key(), owner.name.to_string().into());
        }
    }

    /// Tells of the pods that were deleted before `now`.
    fn tell_deleted(&mut self, now: SimTime) {
        if self.deleted.iter().all(|(at, _)| *at < now) {
            for (at, pod) in std::mem::take(&mut self.deleted) {
                self.member(at, &pod, "deleted pods");
            }
        }
    }

    /// The pods of a StatefulSet have names that mean something: a line for those that come or go together.
    fn member(&mut self, at: SimTime, pod: &Pod, what: &'static str) {
        let owner = pod.meta.controller().filter(|owner| *owner.kind == *Kind::StatefulSet.as_str());
        let Some(owner) = owner else { return };
        self.one_more(at, format!("statefulset/{}", owner.name), what, pod.meta.name.to_string());
    }

    /// Something of somebody, by its name.
    fn one_more(&mut self, at: SimTime, who: String, what: &'static str, name: String) {
        let topic = (who.clone(), what.to_owned());
        if let Some(Line { last, told: Told::Members { names, .. }, .. }) = self.again(at, &topic) {
            *last = at;
            names.push(name);
            return;
        }
        self.open.insert(topic, self.lines.len());
        self.lines.push(Line { at, last: at, told: Told::Members { who, what, names: vec![name] } });
    }

    fn node(&mut self, at: SimTime, node: &Node, old: Option<&Object>, change: ChangeType) {
        let name = &node.meta.name;
        let was_ready = match old {
            Some(Object::Node(old)) => Some(old.status.conditions.is_true("Ready")),
            _ => None,
        };
        let is_ready = node.status.conditions.is_true("Ready");
        match (change, was_ready) {
            (ChangeType::Deleted, _) => self.plain(at, format!("node/{name}: deleted")),
            (ChangeType::Modified, Some(was_ready)) if was_ready != is_ready => {
                self.plain(at, format!("node/{name}: {}", if is_ready { "Ready" } else { "NotReady" }));
            }
            _ => {}
        }
    }

    /// A Deployment's controller scales its ReplicaSets one by one: a line for each direction.
    fn scaled(&mut self, at: SimTime, set: &ReplicaSet, from: i32) {
        let to = set.spec.replicas;
        let Some(owner) = set.meta.controller().filter(|_| from != to) else { return };
        let direction = if to > from { "up" } else { "down" };
        let topic = (set.meta.name.to_string(), format!("scale {direction}"));
        if let Some(Line { last, told: Told::Scaling { to: end, writes, .. }, .. }) = self.again(at, &topic) {
            (*last, *end) = (at, to);
            *writes += 1;
            return;
        }
        let who = format!("{}/{}", owner.kind.to_lowercase(), owner.name);
        let told = Told::Scaling { who, set: set.meta.name.to_string(), from, to, writes: 1 };
        self.open.insert(topic, self.lines.len());
        self.lines.push(Line { at, last: at, told });
    }

    fn event(&mut self, at: SimTime, event: &Event, times: i64) {
        let object = &event.involved_object;
        if *event.reason == *"SuccessfulRescale" {
            // Each decision of an autoscaler is one of its own, however alike they read.
            let (kind, message) = (object.kind.to_lowercase(), event.message.trim_end());
            return self.plain(at, format!("{kind}/{}: {message}", object.name));
        }
        let of_node = matches!(&*event.reason, "NodeReady" | "NodeNotReady") && *object.kind == *"Node";
        let worth = event.kind == *"Warning" || matches!(&*event.reason, "TaintManagerEviction" | "Killing");
        let planned = *event.reason == *"Killing" && event.message.starts_with("Stopping container");
        if of_node || planned || !worth {
            return;
        }
        let name: Arc<str> = object.name.to_string().into();
        let owner = self.owners.get(&Key::new(&*object.namespace, &*object.name)).cloned();
        let who = owner.clone().unwrap_or_else(|| name.clone());
        let topic = (format!("{}/{who}", object.kind), gist(event));
        let times = u64::try_from(times).unwrap_or(0);
        if let Some(Line { last, told: Told::Said { about, times: all, .. }, .. }) = self.again(at, &topic) {
            *last = at;
            *all += times;
            about.insert(name);
            return;
        }
        let told = Told::Said {
            who: match owner {
                Some(owner) => format!("pods of {owner}"),
                None => object.kind.to_lowercase(),
            },
            about: BTreeSet::from([name.clone()]),
            first: name,
            times,
            text: format!("{}: {}", event.reason, shortened(&event.message)),
        };
        self.open.insert(topic, self.lines.len());
        self.lines.push(Line { at, last: at, told });
    }

    /// The line that says the same already, if that was not long ago. Backoffs grow, so that what has gone on for long
    /// may pause for long.
    fn again(&mut self, now: SimTime, topic: &Topic) -> Option<&mut Line> {
        let at = *self.open.get(topic)?;
        let line = self.lines.get_mut(at)?;
        let pause = now.since(line.last);
        let so_far = line.last.since(line.at);
        (pause <= PAUSE || pause <= so_far * 3).then_some(line)
    }

    fn plain(&mut self, at: SimTime, text: String) {
        self.lines.push(Line { at, last: at, told: Told::Plain(text) });
    }

    fn print(&self) -> String {
        let mut text = String::new();
        let left_out = self.lines.len().saturating_sub(MOST_LINES);
        for (number, line) in self.lines.iter().enumerate() {
            if left_out > 0 && number == FIRST_LINES {
                let _ = writeln!(text, "          … {left_out} lines left out; --events FILE has them all");
            }
            if left_out == 0 || number < FIRST_LINES || number >= FIRST_LINES + left_out {
                let _ = writeln!(text, "  {:>8}  {line}", moment(line.at));
            }
        }
        text
    }

    /// The last lines only.
    fn print_last(&self, lines: usize) -> String {
        let first = self.lines.len().saturating_sub(lines);
        let mut text = if first > 0 { format!("          … {first} lines before\n") } else { String::new() };
        for line in &self.lines[first..] {
            let _ = writeln!(text, "  {:>8}  {line}", moment(line.at));
        }
        text
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let until = match moment(self.last) {
            last if last == moment(self.at) => String::new(),
            last => format!(", until {last}"),
        };
        match &self.told {
            Told::Plain(text) | Told::Refused { text, times: 1 } => f.write_str(text),
            Told::Refused { text, times } => write!(f, "{text} ({times} times{until})"),
            Told::Scaling { who, set, from, to, writes } => {
                let direction = if to > from { "up" } else { "down" };
                write!(f, "{who}: scales {set} {direction} from {from} to {to}")?;
                if *writes > 1 { write!(f, " ({writes} times{until})") } else { Ok(()) }
            }
            Told::Members { who, what, names } => {
                let most = if who.starts_with("cronjob/") { MOST_JOBS } else { MOST_NAMES };
                let more = names.len().saturating_sub(most);
                let told: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
                write!(f, "{who}: {what} {}", told.join(", "))?;
                if more > 0 { write!(f, " and {more} more{until}") } else { f.write_str(&until) }
            }
            Told::Said { who, about, first, times, text } => match (about.len(), times) {
                (1, 0 | 1) => write!(f, "{}/{first}: {text}", kind_of(who)),
                (1, times) => write!(f, "{}/{first}: {text} ({times} times{until})", kind_of(who)),
                (objects, times) => {
                    let times = if *times > objects as u64 { format!("{times} times{until}, ") } else { String::new() };
                    let own = first.rsplit('-').next().unwrap_or(first);
                    write!(f, "{objects} {who}: {text} ({times}first …-{own})")
                }
            },
        }
    }
}

fn kind_of(who: &str) -> &str {
    if who.starts_with("pods of ") { "pod" } else { who }
}

/// Whether all replicas of a Deployment are new and available, with no old ones left.
fn is_level(deployment: &Deployment) -> bool {
    let (status, wanted) = (&deployment.status, deployment.spec.replicas);
    [status.updated_replicas, status.replicas, status.available_replicas] == [wanted; 3]
}

/// What an Event says, without what differs from object to object: names, numbers, quotations.
fn gist(event: &Event) -> String {
    let mut message = event.message.to_string();
    let object = &event.involved_object;
    for own in [object.name.to_string(), object.uid.to_string()] {
        if !own.is_empty() {
            message = message.replace(&own, "");
        }
    }
    let unquoted: String = message.split('"').step_by(2).collect();
    let text: String = unquoted.chars().filter(|c| !c.is_ascii_digit()).take(MOST_CHARS).collect();
    format!("{} {text}", event.reason)
}

pub(super) fn shortened(message: &str) -> String {
    let line: Vec<char> = message.lines().next().unwrap_or("").chars().collect();
    if line.len() <= MOST_CHARS {
        return line.into_iter().collect();
    }
    let (start, end) = (&line[..MOST_CHARS - LAST_CHARS], &line[line.len() - LAST_CHARS..]);
    // Whole words, where there are any.
    let start = start.iter().rposition(|c| *c == ' ').map_or(start, |space| &start[..=space]);
    let end = end.iter().position(|c| *c == ' ').map_or(end, |space| &end[space..]);
    start.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(200)), format!("{}…{}", "ä".repeat(52), "ä".repeat(36)));
        let long = format!("Get \"{}\": connection refused", "ä".repeat(200));
        assert_eq!(shortened(&long), "Get … connection refused");
        assert_eq!(shortened("one\ntwo"), "one");
    }
}
