//! What came of each client's requests over time: outcomes and latencies as rows of cells.

use std::fmt::Write as _;

use crate::kernel::{SimDuration, SimTime};
use crate::report::table::moment;
use crate::report::traffic::{percent, short};
use crate::sim::{ClientReport, LATENCY_CLASSES, Outcome, Served, TrafficReport, Window};

use super::axis::Axis;
use super::escaped;
use super::marks::Marks;

/// Most cells of a row.
const COLUMNS: usize = 240;
/// Most clients.
const MOST: usize = 24;
/// Most versions of a client: the newest ones.
const MOST_VERSIONS: usize = 8;

/// What happened in the time of a cell.
#[derive(Clone, Debug, Default)]
struct Cell {
    outcomes: [u64; Outcome::ALL.len()],
    /// The worst window's p50, p99 and maximum.
    latencies: [SimDuration; 3],
    /// Requests by class of latency.
    classes: [u64; LATENCY_CLASSES.len() + 1],
    /// Attempts answered and failed by version, in the order of the report.
    versions: Vec<[u64; 2]>,
}

impl Cell {
    fn add(&mut self, window: &Window, versions: &[Served]) {
        for (count, outcome) in self.outcomes.iter_mut().zip(Outcome::ALL) {
            *count += window.tally.outcome(outcome);
        }
        for (worst, time) in self.latencies.iter_mut().zip([window.p50, window.p99, window.max]) {
            *worst = time.max(*worst);
        }
        for (count, more) in self.classes.iter_mut().zip(&window.detail.latencies) {
            *count += more;
        }
        self.versions.resize(versions.len(), [0; 2]);
        for served in &window.detail.versions {
            if let Some(at) = versions.iter().position(|version| version.name == served.name) {
                self.versions[at][0] += served.answered;
                self.versions[at][1] += served.failed;
            }
        }
    }

    fn attempts(&self) -> u64 {
        self.outcomes.iter().sum()
    }
}

/// Rows for each client.
pub(super) fn section(page: &mut String, report: &TrafficReport, axis: &Axis, marks: &Marks) {
    if report.clients.is_empty() {
        return;
    }
    page.push_str("<h2>Traffic</h2>\n");
    for client in report.clients.iter().take(MOST) {
        rows(page, client, axis, marks);
    }
    if report.clients.len() > MOST {
        let _ = writeln!(page, "<p class=\"faint\">… and {} more clients</p>", report.clients.len() - MOST);
    }
    page.push_str("<div class=\"legend\"><span>failures, latency classes: share of a time's requests:");
    for (level, text) in ["to 0.1 %", "to 1 %", "to 10 %", "to half", "more"].iter().enumerate() {
        let _ = write!(page, " <i class=\"bad l{}\"></i>{text}", level + 1);
    }
    page.push_str("</span><span>p50, p99, longest:");
    for (level, text) in ["to 10 ms", "to 50 ms", "to 200 ms", "to 1 s", "more"].iter().enumerate() {
        let _ = write!(page, " <i class=\"slow l{}\"></i>{text}", level + 1);
    }
    page.push_str("</span></div>\n");
}

fn rows(page: &mut String, client: &ClientReport, axis: &Axis, marks: &Marks) {
    let total = &client.total;
    let _ = writeln!(
        page,
        "<h3>{} → {}</h3>\n<p class=\"faint\">{} requests, {} succeeded, {} lost, {} retries; half within {}, 99 of 100 within {}</p>",
        escaped(&client.name),
        escaped(&client.to),
        total.requests,
        percent(total.success_billionths()),
        total.lost,
        total.retries,
        short(client.latency.quantile(500)),
        short(client.latency.quantile(990))
    );
    for route in &client.routes {
        let to = route.service.as_deref().unwrap_or("nobody");
        let canary = if route.is_canary { ", a canary" } else { "" };
        let statuses: Vec<String> =
            route.statuses.iter().map(|(status, count)| format!(", answered {status}: {count}")).collect();
        let by = match (&route.rule, route.through) {
            (Some(rule), _) => escaped(rule),
            (None, through) => through.map_or("no rule".to_owned(), |by| format!("no rule of the {}", by.as_str())),
        };
        let _ = writeln!(
            page,
            "<p class=\"faint\">{}{} by {} to {}{canary}: {} requests, {} tried again{}</p>",
            escaped(&route.host),
            escaped(&route.path),
            by,
            escaped(to),
            route.requests,
            route.retried,
            statuses.concat()
        );
    }
    let mut cells = vec![Cell::default(); columns(client, axis)];
    let count = cells.len();
    client.windows.iter().for_each(|window| cells[axis.column(window.start, count)].add(window, &client.versions));
    page.push_str("<div class=\"gantt\">\n");
    let most = cells.iter().map(Cell::attempts).max().unwrap_or(0).max(1);
    for (at, outcome) in Outcome::ALL.into_iter().enumerate().filter(|(_, outcome)| client.outcome(*outcome) > 0) {
        let good = outcome == Outcome::Answered;
        let class = if good { "good" } else { "bad" };
        row(page, axis, marks, outcome.as_str(), &cells, |cell| {
            let (count, attempts) = (cell.outcomes[at], cell.attempts());
            let level = if good { load(count, most) } else { share(count, attempts) };
            (count > 0).then(|| (format!("{class} l{level}"), format!("{count} of {attempts}")))
        });
    }
    by_version(page, client, axis, marks, &cells);
    latencies(page, axis, marks, &cells);
    page.push_str("<div class=\"row\"><span></span>");
    axis.labels(page);
    page.push_str("</div>\n</div>\n");
}

/// Who answered, the newest version first, in the colours of its pods.
fn by_version(page: &mut String, client: &ClientReport, axis: &Axis, marks: &Marks, cells: &[Cell]) {
    let newest_first = client.versions.iter().enumerate().rev().take(MOST_VERSIONS);
    for (age, (at, version)) in newest_first.enumerate() {
        let counts = |cell: &Cell| cell.versions.get(at).copied().unwrap_or_default();
        row(page, axis, marks, &escaped(&version.name), cells, |cell| {
            let ([answered, failed], all) = (counts(cell), cell.versions.iter().flatten().sum::<u64>());
            let level = usize::try_from(((answered + failed) * 5).div_ceil(all.max(1))).unwrap_or(5).max(1);
            let text = format!("{answered} answered, {failed} failed, of {all} that reached any version");
            (answered + failed > 0).then(|| (format!("v{} l{level}", age.min(3)), text))
        });
    }
}

/// Requests by how long they took, the slowest on top, and quantiles.
fn latencies(page: &mut String, axis: &Axis, marks: &Marks, cells: &[Cell]) {
    for class in (0..=LATENCY_CLASSES.len()).rev() {
        if cells.iter().all(|cell| cell.classes[class] == 0) {
            continue;
        }
        let name = match LATENCY_CLASSES.get(class) {
            Some(longest) => format!("≤ {}", short(*longest)),
            None => format!("&gt; {}", short(LATENCY_CLASSES[class - 1])),
        };
        row(page, axis, marks, &name, cells, |cell| {
            let (count, all) = (cell.classes[class], cell.classes.iter().sum::<u64>());
            (count > 0).then(|| (format!("slow l{}", share(count, all)), format!("{count} of {all} requests")))
        });
    }
    for (at, name) in ["p50", "p99", "longest"].into_iter().enumerate() {
        row(page, axis, marks, name, cells, |cell| {
            let time = cell.latencies[at];
            (!time.is_zero()).then(|| (format!("slow l{}", slowness(time)), short(time)))
        });
    }
}

/// As many cells as there are windows in the whole run, unless those are too many: thinner cells would leave gaps.
fn columns(client: &ClientReport, axis: &Axis) -> usize {
    let starts = client.windows.iter().map(|window| window.start);
    let width = starts.clone().zip(starts.skip(1)).map(|(a, b)| (b - a).as_nanos()).min().unwrap_or(0);
    let windows = axis.end.as_nanos().checked_div(width).unwrap_or(1);
    usize::try_from(windows).unwrap_or(COLUMNS).clamp(1, COLUMNS)
}

fn row(
    page: &mut String,
    axis: &Axis,
    marks: &Marks,
    name: &str,
    cells: &[Cell],
    shown: impl Fn(&Cell) -> Option<(String, String)>,
) {
    let _ = write!(page, "<div class=\"row\"><span class=\"name\"><bdi>{name}</bdi></span><div class=\"bar\">");
    let begin = |column: usize| {
        let nanos = u128::from(axis.end.as_nanos()) * column as u128 / cells.len() as u128;
        SimTime::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    for (column, cell) in cells.iter().enumerate() {
        let Some((class, text)) = shown(cell) else { continue };
        let (from, to) = (begin(column), begin(column + 1));
        let _ = write!(
            page,
            "<b class=\"{class}\" style=\"left:{}%;width:{}%\" title=\"{}: {name}: {text}\"></b>",
            axis.percent(from),
            axis.width(from, to),
            moment(from)
        );
    }
    marks.inside(page, axis);
    page.push_str("</div></div>\n");
}

/// Fifths of the busiest time.
fn load(count: u64, most: u64) -> usize {
    usize::try_from((count * 5).div_ceil(most)).unwrap_or(5).clamp(1, 5)
}

/// How large a share is, from 1 to 5.
fn share(count: u64, of: u64) -> usize {
    let per_mille = (u128::from(count) * 1000).div_ceil(u128::from(of.max(1)));
    1 + [1, 10, 100, 500].into_iter().filter(|limit| per_mille > *limit).count()
}

/// How long a time is, from 1 to 5.
fn slowness(time: SimDuration) -> usize {
    1 + [10, 50, 200, 1000].into_iter().filter(|limit| time > SimDuration::from_millis(*limit)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_with_shares_and_times() {
        assert_eq!([share(1, 1000), share(10, 1000), share(11, 1000), share(501, 1000), share(1, 1)], [1, 2, 3, 5, 5]);
        assert_eq!([10, 11, 200, 999, 1001].map(|ms| slowness(SimDuration::from_millis(ms))), [1, 2, 3, 4, 5]);
        assert_eq!([load(1, 100), load(100, 100), load(41, 100)], [1, 5, 3]);
    }
}
