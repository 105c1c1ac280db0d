//! `get --watch`: objects as they change through virtual time.

use std::ops::ControlFlow;

use serde_json::json;

use crate::api::ChangeType;
use crate::kernel::SimTime;
use crate::objects::{Object, WallTime, to_yaml};
use crate::report::query::{QueryError, ResourceType, Selected};
use crate::report::replay::Replay;
use crate::sim::Simulation;

use super::custom_columns::ColumnWriter;
use super::rows::Rows;
use super::{GetError, GetOptions, Got, OutputFormat, print};

/// From when to when a run is watched, and what is shown of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// The objects at this instant come first.
    pub from: SimTime,
    /// Last instant that is watched.
    pub until: SimTime,
    /// Whether the objects that there are at the beginning are left out.
    pub only_changes: bool,
    /// Whether a column says what happened.
    pub output_events: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { from: SimTime::ZERO, until: SimTime::MAX, only_changes: false, output_events: false }
    }
}

/// Prints objects as `kubectl get --watch` does, from the recording of a run: first those that there are, then each as
/// it changes.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{GetOptions, Query, WatchOptions, get_watch};
/// use seatrial::sim::{Delays, RecordMode, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).record(RecordMode::Full).nodes(1).build()?;
/// sim.run_for(SimDuration::from_secs(1));
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
/// sim.run_for(SimDuration::from_secs(5));
/// let options = GetOptions::from(Query::parse(sim.view(), &["pods"]).expect("a kind"));
/// let got = get_watch(&sim, &options, WatchOptions::default()).expect("a watch");
/// assert!(got.text.starts_with("NAME   READY   STATUS    RESTARTS   AGE\nweb    0/1     Pending   0          0s\n"), "{}", got.text);
/// assert!(got.text.lines().last().is_some_and(|row| row.starts_with("web    1/1     Running ")), "{}", got.text);
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
///
/// # Errors
/// If the query does not fit the kinds or asks for several, or an expression does not fit the objects.
pub fn get_watch(sim: &Simulation, options: &GetOptions, watch: WatchOptions) -> Result<Got, GetError> {
    options.query.check()?;
    if options.query.wanted.iter().any(|wanted| wanted.resource != options.query.wanted[0].resource) {
        let message = "you may only specify a single resource type".to_owned();
        return Err(QueryError::Arguments(message).into());
    }
    let mut replay = Replay::of(sim);
    let mut writer = Writer::new(options, watch);
    // What is applied at the start is there before anybody can look.
    replay.advance_to(watch.from);
    let mut found = options.query.select(replay.view())?;
    if let Some(field) = &options.sort_by {
        super::sort::sort(&mut found, field)?;
    }
    if !watch.only_changes {
        for (kind, objects) in &found.groups {
            objects.iter().try_for_each(|object| writer.add(kind, object, replay.wall(), ChangeType::Added))?;
        }
        writer.flush();
    }
    let followed = replay.follow(watch.until, |replay, change| {
        let Some((wanted, event)) = options.query.told(change) else { return ControlFlow::Continue(()) };
        match writer.add(&wanted.resource, &change.object, replay.wall(), event) {
            Ok(()) => {
                writer.flush();
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    });
    match followed {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => {
            let not_found = if writer.out.is_empty() { found.not_found } else { Vec::new() };
            Ok(Got { text: writer.out, not_found })
        }
    }
}

struct Writer<'a> {
    options: &'a GetOptions,
    output_events: bool,
    rows: Rows<'a>,
    columns: Option<ColumnWriter<'a>>,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(options: &'a GetOptions, watch: WatchOptions) -> Self {
        let columns = match &options.format {
            OutputFormat::CustomColumns(columns) => Some(columns.writer(options.no_headers)),
            _ => None,
        };
        let rows = Rows::new(options, false);
        Self { options, output_events: watch.output_events, rows, columns, out: String::new() }
    }

    fn add(&mut self, kind: &ResourceType, object: &Object, now: WallTime, event: ChangeType) -> Result<(), GetError> {
        match &self.options.format {
            OutputFormat::Table | OutputFormat::Wide => {
                self.rows.add(kind, object, now, self.output_events.then_some(event));
            }
            OutputFormat::CustomColumns(_) => {
                self.columns.as_mut().map_or(Ok(()), |columns| columns.row(&object.to_wire()))?;
            }
            format @ (OutputFormat::Json | OutputFormat::Yaml) => {
                let mut document = object.to_wire();
                if self.output_events {
                    document = json!({"type": event.as_str(), "object": document});
                }
                self.out.push_str(&match format {
                    OutputFormat::Yaml => format!("---\n{}", to_yaml(&document)),
                    _ => super::super::jsonpath::indented(&document) + "\n",
                });
            }
            OutputFormat::JsonPath(path) => self.out.push_str(&path.print(&object.to_wire())?),
            OutputFormat::JsonPathAsJson(path) => self.out.push_str(&path.print_json(&object.to_wire())?),
            OutputFormat::Name => {
                let one = Selected { groups: vec![(kind.clone(), vec![object.clone()])], not_found: Vec::new() };
                self.out.push_str(&print(&one, self.options, now)?);
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        let rows = self.rows.flush();
        self.out.push_str(&rows);
        if let Some(columns) = &mut self.columns {
            self.out.push_str(&columns.flush());
        }
    }
}
