//! The story of a run while it runs: a line for each step, each warning, and each row of a workload or node that changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::api::{Change, ChangeType};
use crate::objects::{Kind, Object, WallTime};
use crate::sim::{Record, Recording};

use super::printers::{cells_for, columns};
use super::steps::step_line;
use super::table::moment;

/// Width of the column of instants.
const WIDTH: usize = 9;

/// Tells of a recording what is new since the last time.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::LiveStory;
/// use seatrial::sim::{Delays, RecordMode, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::realistic()).record(RecordMode::Full).nodes(2).build()?;
/// let mut story = LiveStory::default();
/// story.news(sim.recording());
/// sim.apply(include_str!("../../scenarios/manifests/web.yaml"))?;
/// sim.run_for(SimDuration::from_mins(1));
/// let news = story.news(sim.recording());
/// assert!(news.ends_with("deployment/web: ready 10/10, up-to-date 10, available 10\n"), "{news}");
/// assert_eq!(story.news(sim.recording()), "");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LiveStory {
    seen: usize,
    /// What was last said of each object.
    said: BTreeMap<String, String>,
}

impl LiveStory {
    /// Lines about what was recorded since the last call.
    pub fn news(&mut self, recording: &Recording) -> String {
        let mut text = String::new();
        let records = recording.records();
        for (at, record) in records.iter().enumerate().skip(self.seen) {
            let line = match record {
                Record::Step(_, step) => Some(step_line(step, at.checked_sub(1).map(|before| &records[before]))),
                Record::Change(_, change) => self.change(change),
                Record::Traffic(..) => None,
            };
            if let Some(line) = line {
                let _ = writeln!(text, "{:>WIDTH$}  {line}", moment(record.time()));
            }
        }
        self.seen = records.len();
        text
    }

    fn change(&mut self, change: &Change) -> Option<String> {
        if let Object::Event(event) = &change.object {
            let about = &event.involved_object;
            let is_new = change.change_type != ChangeType::Deleted && *event.kind == *"Warning";
            let (kind, name) = (about.kind.to_lowercase(), &about.name);
            return is_new.then(|| format!("{kind}/{name}: {}: {}", event.reason, event.message.trim()));
        }
        let kind = change.kind();
        let is_told = matches!(
            kind,
            Kind::Deployment
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::Job
                | Kind::Node
                | Kind::PersistentVolumeClaim
        );
        if !is_told {
            return None;
        }
        let name = super::object_name(&change.object);
        let state = match change.change_type {
            ChangeType::Deleted => "deleted".to_owned(),
            ChangeType::Added | ChangeType::Modified => row(&change.object),
        };
        if self.said.get(&name) == Some(&state) {
            return None;
        }
        let line = format!("{name}: {state}");
        self.said.insert(name, state);
        Some(line)
    }
}

/// Columns that say how an object is: none of time, nothing that never changes.
fn row(object: &Object) -> String {
    const TOLD: [&str; 10] = [
        "ready",
        "up-to-date",
        "available",
        "desired",
        "current",
        "status",
        "completions",
        "volume",
        "capacity",
        "access modes",
    ];
    let cells = cells_for(object, WallTime::default(), false);
    let told = columns(object.kind()).iter().zip(cells);
    let told = told.filter(|(column, cell)| TOLD.contains(&column.name) && !cell.is_empty());
    told.map(|(column, cell)| format!("{} {cell}", column.name)).collect::<Vec<_>>().join(", ")
}
