//! `events` (upstream `kubectl/pkg/cmd/events`): LAST SEEN, TYPE, REASON, OBJECT, MESSAGE.

use std::ops::ControlFlow;

use serde_json::Value;

use crate::api::ChangeType;
use crate::objects::wire::Wire;
use crate::objects::{Event, Timestamp, WallTime};
use crate::sim::Simulation;

use super::get::watch::WatchOptions;
use super::query::{QueryError, ResourceType};
use super::replay::Replay;
use super::table::{Table, age};

/// Which events are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsOptions {
    /// Namespace; `None` = all.
    pub namespace: Option<String>,
    /// Only those about this object: its kind and name.
    pub about: Option<(ResourceType, String)>,
    /// Only those of these types, `Normal` or `Warning`, in any case; empty = all.
    pub types: Vec<String>,
    /// Whether the names of the columns are left out.
    pub no_headers: bool,
}

impl EventsOptions {
    /// Whether the options make sense.
    ///
    /// # Errors
    /// If there is no such type of event.
    pub fn check(&self) -> Result<(), QueryError> {
        let is_type = |kind: &String| ["Normal", "Warning"].iter().any(|known| known.eq_ignore_ascii_case(kind));
        match self.types.iter().all(is_type) {
            true => Ok(()),
            false => Err(QueryError::Arguments("valid --types are Normal or Warning".to_owned())),
        }
    }

    fn tells(&self, event: &Event) -> bool {
        let about = &event.involved_object;
        let is_about = |(kind, name): &(ResourceType, String)| {
            // Some components leave the group and version out.
            *about.name == **name && kind.is_named(&about.kind, &about.api_version)
        };
        self.namespace.as_ref().is_none_or(|namespace| *event.meta.namespace == **namespace)
            && self.about.as_ref().is_none_or(is_about)
            && (self.types.is_empty() || self.types.iter().any(|kind| kind.eq_ignore_ascii_case(&event.kind)))
    }

    fn table(&self) -> Table {
        let columns = ["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"];
        let skipped = usize::from(self.namespace.is_some());
        Table::of(columns[skipped..].iter().map(|name| (*name).to_owned()).collect(), self.no_headers)
    }

    fn row(&self, event: &Event, now: WallTime) -> Vec<String> {
        let about = &event.involved_object;
        let mut row = vec![event.meta.namespace.to_string()];
        row.drain(..usize::from(self.namespace.is_some()));
        row.extend([
            interval(event, now),
            event.kind.to_string(),
            event.reason.to_string(),
            format!("{}/{}", about.kind, about.name),
            event.message.trim().replace('\u{1b}', "^[").replace('\r', "\\r"),
        ]);
        row
    }
}

/// Tells events as `kubectl events` does, those seen last at the end; `None` if there are none. Events must be recorded
/// ([`SimulationBuilder::events`](crate::sim::SimulationBuilder::events)).
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{EventsOptions, events};
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).events(true).nodes(1).build()?;
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
/// sim.run_for(SimDuration::from_secs(9));
/// let options = EventsOptions { namespace: Some("default".into()), ..EventsOptions::default() };
/// let text = events(&sim, &options).expect("events");
/// assert!(text.starts_with("LAST SEEN   TYPE     REASON"), "{text}");
/// assert!(text.contains("9s          Normal   Scheduled"), "{text}");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn events(sim: &Simulation, options: &EventsOptions) -> Option<String> {
    let mut told: Vec<&Event> = sim.view().events.iter().map(|event| &**event).collect();
    told.retain(|event| options.tells(event));
    if told.is_empty() {
        return None;
    }
    // As the API server lists them, then by time.
    told.sort_by(|a, b| (&a.meta.namespace, &a.meta.name).cmp(&(&b.meta.namespace, &b.meta.name)));
    told.sort_by_key(|event| last_time(event));
    let mut table = options.table();
    told.iter().for_each(|event| table.row(options.row(event, sim.wall())));
    Some(table.flush())
}

/// Tells events as they come (`kubectl events --watch`), from the recording of a run. Those that there are at the beginning
/// come first.
#[must_use]
pub fn events_watch(sim: &Simulation, options: &EventsOptions, watch: WatchOptions) -> String {
    let mut replay = Replay::of(sim);
    replay.advance_to(watch.from);
    let (mut table, mut out) = (options.table(), String::new());
    let mut before: Vec<&Event> = replay.view().events.iter().map(|event| &**event).collect();
    before.retain(|event| options.tells(event));
    before.sort_by_key(|event| last_time(event));
    before.iter().for_each(|event| table.row(options.row(event, replay.wall())));
    out.push_str(&if before.is_empty() { String::new() } else { table.flush() });
    let _: ControlFlow<()> = replay.follow(watch.until, |replay, change| {
        if let Some((_, event)) = change.of::<Event>()
            && change.change_type != ChangeType::Deleted
            && options.tells(event)
        {
            table.row(options.row(event, replay.wall()));
            out.push_str(&table.flush());
        }
        ControlFlow::Continue(())
    });
    out
}

fn micro(of: &Value, field: &str) -> Option<Timestamp> {
    of.text(field).parse().ok()
}

/// Upstream `eventTime`.
fn last_time(event: &Event) -> Option<Timestamp> {
    let newer = Value::Object(event.rest.clone());
    match newer.get_some("series") {
        Some(series) => micro(series, "lastObservedTime"),
        None => event.last_timestamp.or_else(|| micro(&newer, "eventTime")),
    }
}

/// When and how often, as `events` and `describe` tell it (upstream `getInterval`).
pub(super) fn interval(event: &Event, now: WallTime) -> String {
    let newer = Value::Object(event.rest.clone());
    let first = age(micro(&newer, "eventTime").or(event.first_timestamp), now);
    let (last, count) = match newer.get_some("series") {
        Some(series) => (micro(series, "lastObservedTime"), series.int("count")),
        None if event.count > 1 => (event.last_timestamp, i64::from(event.count)),
        None => return first,
    };
    format!("{} (x{count} over {first})", age(last, now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::Resource;

    #[test]
    fn repeated_events_tell_how_often_and_for_how_long() {
        let now = Timestamp::from_unix_secs(1_000).wall();
        let text = |wire: Value| interval(&Event::from_wire(wire).expect("an event"), now);
        let at = |secs: i64| Timestamp::from_unix_secs(secs).to_string();
        assert_eq!(text(json!({"count": 1, "firstTimestamp": at(940), "lastTimestamp": at(940)})), "60s");
        assert_eq!(text(json!({"count": 4, "firstTimestamp": at(400), "lastTimestamp": at(990)})), "10s (x4 over 10m)");
        let series = json!({"eventTime": at(880), "series": {"count": 2, "lastObservedTime": at(970)}});
        assert_eq!(text(series), "30s (x2 over 2m)");
        assert_eq!(text(json!({})), "<unknown>");
    }
}
