//! What an exploration found, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::explore::{Case, Distribution, Summary};
use crate::scenario::Measured;

use super::table::{Table, moment};

/// Most rows of values that are shown.
const MOST_ROWS: usize = 60;

/// The summary as text: how many cases held, what failed and when first, and what was measured.
#[must_use]
pub fn exploration(summary: &Summary) -> String {
    let Summary { cases, held, stopped, .. } = *summary;
    let mut text = format!("{cases} cases, {held} held ({})\n", percent(held, cases));
    if stopped > 0 {
        let _ = writeln!(text, "{stopped} did not come to their end");
    }
    if !summary.failures.is_empty() {
        text.push_str("\nWhat failed first\n");
        for (expectation, failures) in &summary.failures {
            let (count, share) = (failures.count, percent(failures.count, cases));
            let _ = writeln!(text, "  {expectation}");
            let _ = writeln!(
                text,
                "    in {count} cases ({share}), first with {} at {}",
                values(&failures.first),
                failures.at
            );
            for line in failures.why.lines() {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    let measured = distributions(&summary.measured);
    if !measured.is_empty() {
        let _ = write!(text, "\nMeasured\n{}", indented(&measured));
    }
    if !summary.rows.is_empty() {
        let _ = write!(text, "\nBy parameters\n{}", indented(&rows(summary)));
        if summary.rows.len() > MOST_ROWS {
            let _ = writeln!(text, "  … and {} more", summary.rows.len() - MOST_ROWS);
        }
    }
    text
}

/// The seed of a case and the values of its parameters.
fn values(case: &Case) -> String {
    let parameters: String = case.parameters.iter().map(|(name, value)| format!(", {name}={value}")).collect();
    format!("seed {}{parameters}", case.seed)
}

/// In tenths, rounded down, so that 100 % is all of them.
fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn distributions(measured: &BTreeMap<String, Distribution>) -> Table {
    let mut table = Table::new(&["what", "lowest", "median", "p90", "p99", "highest", "never"]);
    for (name, of) in measured {
        let parts = [0, 500, 900, 990, 1000].map(|part| shown(of.per_mille(part)));
        let never = if of.never == 0 { String::new() } else { of.never.to_string() };
        table.row([name.clone()].into_iter().chain(parts).chain([never]).collect());
    }
    table
}

fn rows(summary: &Summary) -> Table {
    let names = summary.rows.first().map(|row| row.parameters.iter().map(|(name, _)| &**name).collect::<Vec<_>>());
    let measures: Vec<String> =
        summary.measured.keys().flat_map(|name| [format!("{name} median"), format!("{name} p99")]).collect();
    let mut header = names.unwrap_or_default();
    header.extend(["cases", "held"]);
    header.extend(measures.iter().map(String::as_str));
    let mut table = Table::new(&header);
    for row in summary.rows.iter().take(MOST_ROWS) {
        let mut cells: Vec<String> = row.parameters.iter().map(|(_, value)| value.clone()).collect();
        cells.extend([row.cases.to_string(), percent(row.held, row.cases)]);
        for name in summary.measured.keys() {
            let of = row.measured.get(name);
            cells.extend([500, 990].map(|part| shown(of.and_then(|of| of.per_mille(part)))));
        }
        table.row(cells);
    }
    table
}

fn shown(value: Option<Measured>) -> String {
    match value {
        Some(Measured::Number(number)) => number.to_string(),
        Some(Measured::Time(time)) => moment(crate::kernel::SimTime::ZERO + time),
        None => "-".to_owned(),
    }
}

fn indented(table: &Table) -> String {
    table.to_string().lines().map(|line| format!("  {line}\n")).collect()
}
