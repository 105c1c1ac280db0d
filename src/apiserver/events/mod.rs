//! Recording of Events as client-go does it (`tools/record`), and their end after an hour.

mod correlator;
mod lru;

use std::sync::Arc;

use crate::api::{EventKind, EventSpec};
use crate::objects::{Event, Key, Text, Timestamp, WallTime};

use super::ApiServer;
use correlator::{Correlator, Source};

/// How long the API server keeps an Event after its last write (`--event-ttl`), in nanoseconds.
const EVENT_TTL_NANOS: i64 = 3_600_000_000_000;

/// How many names are tried for an Event. Real components never speak twice in one nanosecond; simulated ones do.
const NAME_ATTEMPTS: i64 = 1024;

/// What a component process says of objects, as Events: similar ones are combined, repeated ones counted, and floods
/// damped. One per process; its memory is bounded.
///
/// ```
/// use seatrial::api::{EventKind, EventSpec};
/// use seatrial::apiserver::{ApiServer, EventRecorder};
/// use seatrial::kernel::Streams;
/// use seatrial::objects::{Key, Kind, WallTime};
///
/// let mut server = ApiServer::new(&Streams::new(42));
/// let mut recorder = EventRecorder::new();
/// let about = server.get(Kind::Namespace, &Key::new("", "default"))?;
/// let spec = EventSpec::about(&about, EventKind::Normal, "Greeting", "hello");
/// for _ in 0..3 {
///     recorder.record(&mut server, WallTime::default(), "greeter", "", &spec);
/// }
/// let event = server.view().events.iter().next().expect("recorded");
/// assert_eq!((event.message.as_str(), event.count), ("hello", 3));
/// # Ok::<(), seatrial::api::ApiError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EventRecorder {
    /// `None` = nothing is recorded.
    correlator: Option<Box<Correlator>>,
    /// Components and hosts seen, so that their names are shared.
    names: Vec<Text>,
}

impl Default for EventRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl EventRecorder {
    /// A recorder that has said nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { correlator: Some(Box::default()), names: Vec::new() }
    }

    /// A recorder that records nothing.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { correlator: None, names: Vec::new() }
    }

    /// Records that `component` (on node `host`, for those of a node) says `spec` at `now`.
    ///
    /// Like upstream, it drops what the API server refuses.
    pub fn record(&mut self, server: &mut ApiServer, now: WallTime, component: &str, host: &str, spec: &EventSpec) {
        let Some(mut correlator) = self.correlator.take() else { return };
        let source = Source { component: self.shared(component), host: self.shared(host) };
        server.expire_events(now);
        let correlated = correlator.correlate(now, &source, spec);
        if let Some(observed) = correlated {
            let event = new_event(source, spec, observed.message, observed.first, now.timestamp(), observed.count);
            let nanos = observed.name_nanos;
            if let Some(written) = server.write_event(now, event, nanos) {
                correlator.learn(observed.key, written);
            }
        }
        self.correlator = Some(correlator);
    }

    fn shared(&mut self, name: &str) -> Text {
        if let Some(known) = self.names.iter().find(|known| ***known == *name) {
            return known.clone();
        }
        let name = Text::from(name.to_owned());
        if self.names.len() < 16 {
            self.names.push(name.clone());
        }
        name
    }
}

fn new_event(source: Source, spec: &EventSpec, message: Text, first: Timestamp, last: Timestamp, count: i32) -> Event {
    Event {
        involved_object: spec.about.clone(),
        reason: spec.reason.clone(),
        message,
        kind: match spec.kind {
            EventKind::Normal => Text::Static("Normal"),
            EventKind::Warning => Text::Static("Warning"),
        },
        component: source.component,
        host: source.host,
        count,
        first_timestamp: Some(first),
        last_timestamp: Some(last),
        ..Event::default()
    }
}

fn name_of(event: &Event, nanos: i64) -> Arc<str> {
    format!("{}.{nanos:x}", event.involved_object.name).into()
}

impl ApiServer {
    /// Updates the Event that was first said at `nanos`, or creates it. Gives the nanoseconds that its name has.
    fn write_event(&mut self, now: WallTime, mut event: Event, nanos: i64) -> Option<i64> {
        let namespace = match &event.involved_object.namespace {
            Text::Shared(namespace) if !namespace.is_empty() => namespace.clone(),
            Text::Static(namespace) if !namespace.is_empty() => (*namespace).into(),
            _ => "default".into(),
        };
        let mut key = Key { name: name_of(&event, nanos), namespace };
        if event.count > 1
            && let Some(old) = self.view().events.get(&key).cloned()
        {
            let mut new = Event::clone(&old);
            (new.count, new.message, new.last_timestamp) = (event.count, event.message, event.last_timestamp);
            let stored = self.settle(&key, old, new).ok()?;
            self.keep_event(now, key, stored.meta().resource_version);
            return Some(nanos);
        }
        let mut free = nanos;
        while self.view().events.get(&key).is_some() {
            free = free.checked_add(1).filter(|free| free - nanos < NAME_ATTEMPTS)?;
            key.name = name_of(&event, free);
        }
        (event.meta.namespace, event.meta.name) = (key.namespace.clone(), key.name.clone());
        let stored = self.create_owned(now, event).ok()?;
        self.keep_event(now, key, stored.meta().resource_version);
        Some(free)
    }

    fn keep_event(&mut self, now: WallTime, key: Key, resource_version: u64) {
        self.event_leases.push_back((now.plus_nanos(EVENT_TTL_NANOS), key, resource_version));
    }

    /// Removes Events that nobody repeated for an hour. The recorders call this when they record.
    pub fn expire_events(&mut self, now: WallTime) {
        while self.event_leases.front().is_some_and(|(end, ..)| *end <= now) {
            let Some((_, key, resource_version)) = self.event_leases.pop_front() else { return };
            let stored = self.view().events.get(&key).filter(|event| event.meta.resource_version == resource_version);
            if let Some(event) = stored.cloned() {
                self.remove(event);
            }
        }
    }
}
