//! Steps and faults, marked in every chart.

use std::fmt::Write as _;

use crate::kernel::SimTime;
use crate::report::steps::{step_line, with_previous};
use crate::report::table::moment;
use crate::scenario::Run;
use crate::sim::Record;

use super::axis::Axis;
use super::escaped;

/// Most marks: more would hide the charts.
const MOST: usize = 60;

/// Most marks inside of the bars.
const MOST_INSIDE: usize = 16;
/// Numbers that fit side by side above a chart.
const COLUMNS: usize = 40;

/// What is marked, in order.
pub(super) struct Marks {
    marks: Vec<Mark>,
    more: usize,
}

struct Mark {
    at: SimTime,
    text: String,
    is_fault: bool,
}

impl Marks {
    pub(super) fn of(run: &Run) -> Self {
        let mut marks: Vec<Mark> = Vec::new();
        for (before, record) in with_previous(run.simulation.recording().records()) {
            if let Record::Step(at, step) = record {
                marks.push(Mark { at: *at, text: step_line(step, before), is_fault: step.name == "fault" });
            }
        }
        let more = marks.len().saturating_sub(MOST);
        marks.truncate(MOST);
        Self { marks, more }
    }

    /// The list, numbered as the marks are.
    pub(super) fn list(&self, page: &mut String) {
        if self.marks.is_empty() {
            return;
        }
        page.push_str("<h2>Steps and faults</h2>\n<ol class=\"marks\">\n");
        for Mark { at, text, is_fault } in &self.marks {
            let class = if *is_fault { " class=\"fault\"" } else { "" };
            let _ = writeln!(page, "<li{class}><b>{}</b> {}</li>", moment(*at), escaped(text));
        }
        page.push_str("</ol>\n");
        if self.more > 0 {
            let _ = writeln!(page, "<p class=\"faint\">… and {} more, which are not marked</p>", self.more);
        }
    }

    /// Lines over a chart, with their numbers above it. Those of one instant share a line and show the first number.
    pub(super) fn over(&self, page: &mut String, axis: &Axis) {
        let (mut last, mut free) = (None, 0);
        for (number, Mark { at, text, is_fault }) in self.marks.iter().enumerate() {
            let place = axis.percent(*at);
            if last.replace(place.clone()).is_some_and(|last| last == place) {
                continue;
            }
            let class = if *is_fault { " fault" } else { "" };
            let column = axis.column(*at, COLUMNS);
            let label = if column >= free { format!("<b>{}</b>", number + 1) } else { String::new() };
            if !label.is_empty() {
                free = column + 1;
            }
            let _ = write!(
                page,
                "<div class=\"mark{class}\" style=\"left:{place}%\" title=\"{}: {}\">{label}</div>",
                moment(*at),
                escaped(text)
            );
        }
    }

    /// Thin lines inside of a bar, unless they would hide it.
    pub(super) fn inside(&self, page: &mut String, axis: &Axis) {
        if self.marks.len() > MOST_INSIDE {
            return;
        }
        for Mark { at, is_fault, .. } in &self.marks {
            let class = if *is_fault { " class=\"fault\"" } else { "" };
            let _ = write!(page, "<u{class} style=\"left:{}%\"></u>", axis.percent(*at));
        }
    }
}
