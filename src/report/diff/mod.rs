//! `diff`: two runs, or two instants of one, side by side: objects as field paths, and figures.

mod counterparts;
mod figures;
mod matching;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::api::View;
use crate::objects::{Kind, Object};
use crate::scenario::Run;

use super::fields::{FieldChange, compare};
use super::object_name;
use super::replay::Replay;
use super::table::Table;
use counterparts::{Counterparts, Renamed};

pub use figures::Figure;

/// What is compared, and how.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DiffOptions {
    /// Namespace; `None` = all, and what is in none.
    pub namespace: Option<String>,
    /// Whether uids, resource versions, times and addresses of pods are compared too.
    pub exact: bool,
    /// Whether Events and Leases are compared too.
    pub every_kind: bool,
}

/// What is on one side: a run and the instant at which it is looked at. It must have been recorded in full for instants before
/// its end.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// The cluster at the instant.
    pub replay: &'a Replay<'a>,
}

/// What became of an object from the first side to the second.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChange {
    /// Kind and name on the first side, `namespace/kind/name` outside of namespace `default`.
    pub first: Option<String>,
    /// The same on the second.
    pub second: Option<String>,
    /// Why two objects of different names are held for the same.
    pub matched_by: Option<String>,
    /// Fields that differ; none if it is on one side only.
    pub fields: Vec<FieldChange>,
}

/// How two sides differ.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Diff {
    /// Objects that differ or are on one side only, by kind, namespace and name.
    pub objects: Vec<ObjectChange>,
    /// Objects of different names that were held for the same.
    pub renamed: usize,
    /// Figures that differ.
    pub figures: Vec<Figure>,
    /// All figures.
    pub all_figures: Vec<Figure>,
}

/// Compares two instants of one run: an object is the same if its kind, namespace and name are.
///
/// ```
/// use seatrial::kernel::SimTime;
/// use seatrial::report::{DiffOptions, Replay, diff_instants};
/// use seatrial::scenario::{RunOptions, Scenario};
/// use seatrial::sim::RecordMode;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let scenario = Scenario::load(std::path::Path::new("scenarios/recreate-has-a-gap.yaml"))?;
/// let run = scenario.run(&RunOptions { record: RecordMode::Full, ..RunOptions::default() })?;
/// let (mut first, mut second) = (Replay::of(&run.simulation), Replay::of(&run.simulation));
/// first.advance_to(SimTime::from_secs(20));
/// second.advance_to(run.simulation.now());
/// let diff = diff_instants(&first, &second, &DiffOptions::default());
/// assert!(diff.to_string().contains("spec.template.spec.containers[c].image: proxy:v1 → proxy:v2"), "{diff}");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn diff_instants(first: &Replay<'_>, second: &Replay<'_>, options: &DiffOptions) -> Diff {
    objects(first.view(), second.view(), options, false)
}

/// Compares two runs. Objects of different names are held for the same if the same object owns them and they are of the same
/// place in its row: ReplicaSets by their revision, volumes by their claim, others in the order of creation.
#[must_use]
pub fn diff_runs(first: Side<'_>, second: Side<'_>, options: &DiffOptions) -> Diff {
    let mut diff = objects(first.replay.view(), second.replay.view(), options, true);
    diff.all_figures = figures::compare(first, second);
    diff.figures = diff.all_figures.iter().filter(|figure| figure.first != figure.second).cloned().collect();
    diff
}

fn objects(first: &View, second: &View, options: &DiffOptions, two_runs: bool) -> Diff {
    let mut diff = Diff::default();
    let [left, right] = [first, second].map(|view| listed(view, options));
    let pairs = matching::pairs(left, right, two_runs);
    let rules = Counterparts { renamed: &Renamed::of(&pairs), exact: options.exact };
    for pair in &pairs {
        let change = match (&pair.first, &pair.second) {
            (Some(first), Some(second)) => {
                diff.renamed += usize::from(pair.matched_by.is_some());
                compare(&first.to_wire(), &second.to_wire(), &rules)
            }
            _ => Vec::new(),
        };
        if !change.is_empty() || pair.first.is_none() || pair.second.is_none() {
            diff.objects.push(ObjectChange {
                first: pair.first.as_ref().map(object_name),
                second: pair.second.as_ref().map(object_name),
                matched_by: pair.matched_by.clone(),
                fields: change,
            });
        }
    }
    diff
}

fn listed(view: &View, options: &DiffOptions) -> Vec<Object> {
    let is_noise = |kind: &Kind| matches!(kind, Kind::Event | Kind::Lease) && !options.every_kind;
    let kinds = Kind::ALL.iter().chain([&Kind::Opaque]).filter(|kind| !is_noise(kind));
    let mut objects: Vec<Object> = kinds.flat_map(|kind| view.list(*kind)).collect();
    objects.retain(|object| {
        let namespace = &object.meta().namespace;
        options.namespace.as_ref().is_none_or(|wanted| **namespace == **wanted)
    });
    objects
}

impl Diff {
    /// Whether the sides are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.figures.is_empty()
    }

    /// The differences for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let object = |change: &ObjectChange| {
            let fields = change
                .fields
                .iter()
                .map(|field| json!({"path": field.path, "first": field.first, "second": field.second}));
            json!({
                "first": change.first,
                "second": change.second,
                "matchedBy": change.matched_by,
                "fields": fields.collect::<Vec<_>>(),
            })
        };
        let figure = |figure: &Figure| json!({"name": figure.name, "first": figure.first, "second": figure.second});
        json!({
            "equal": self.is_empty(),
            "objects": self.objects.iter().map(object).collect::<Vec<_>>(),
            "figures": self.all_figures.iter().map(figure).collect::<Vec<_>>(),
        })
    }
}

impl std::fmt::Display for Diff {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        if !self.all_figures.is_empty() {
            let mut table = Table::new(&["", "figure", "first", "second"]);
            for figure in &self.all_figures {
                let mark = if figure.first == figure.second { "" } else { "~" };
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                table.row(vec![mark.to_owned(), figure.name.clone(), text(&figure.first), text(&figure.second)]);
            }
            write!(out, "{table}")?;
            out.write_str(if self.objects.is_empty() { "" } else { "\n" })?;
        }
        for change in &self.objects {
            write!(out, "{change}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for ObjectChange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut head = String::new();
        let _ = match (&self.first, &self.second) {
            (Some(first), Some(second)) if first != second => write!(head, "~ {first} ↔ {second}"),
            (Some(both), Some(_)) => write!(head, "~ {both}"),
            (Some(first), None) => write!(head, "- {first}"),
            (None, Some(second)) => write!(head, "+ {second}"),
            (None, None) => Ok(()),
        };
        if let Some(why) = &self.matched_by {
            let _ = write!(head, "   ({why})");
        }
        writeln!(out, "{head}")?;
        self.fields.iter().try_for_each(|field| writeln!(out, "    {field}"))
    }
}
