//! Columns as kubectl prints them: upper-case names, padded, three spaces apart.

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Timestamp, WallTime};

/// Narrowest column, with the space behind it (`tabwriterMinWidth`).
const MIN_WIDTH: usize = 6;
/// Space behind a column.
const PADDING: usize = 3;

/// A table of text. What is written in parts keeps the widths of its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    /// A table with these column names, in capitals.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self::of(header.iter().map(|name| name.to_uppercase()).collect(), false)
    }

    /// A table with these column names as they are, or without any.
    #[must_use]
    pub fn of(header: Vec<String>, no_headers: bool) -> Self {
        Self { header: (!no_headers).then_some(header), ..Self::default() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows since the last time, and the column names before the first of them. Columns get no narrower.
    pub fn flush(&mut self) -> String {
        self.widths = self.widths();
        let text = self.text(&self.widths);
        self.header = None;
        self.rows.clear();
        text
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        self.header.iter().chain(&self.rows)
    }

    /// Widths of the columns, with the space behind them. What is behind the last column is no column.
    fn widths(&self) -> Vec<usize> {
        let columns = self.lines().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count() + PADDING);
            cells.max().unwrap_or(0).max(MIN_WIDTH).max(self.widths.get(column).copied().unwrap_or(0))
        };
        (0..columns).map(width).collect()
    }

    fn text(&self, widths: &[usize]) -> String {
        let mut out = String::new();
        for line in self.lines() {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(&self.widths()))
    }
}

/// How long ago something was, as kubectl writes ages (apimachinery `duration.HumanDuration`).
#[must_use]
pub fn age(since: Option<Timestamp>, now: WallTime) -> String {
    let Some(since) = since else { return "<unknown>".to_owned() };
    let secs = now.nanos_since(since.wall()).div_euclid(1_000_000_000);
    let (minutes, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    let with = |big: i64, unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{small_unit}") }
    };
    match secs {
        ..-1 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{secs}s"),
        120..600 => with(minutes, "m", secs % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

/// To milliseconds, for what must be exact.
pub(super) fn rounded(at: SimTime) -> String {
    SimDuration::from_millis(at.as_nanos() / 1_000_000).to_string()
}

/// As people read instants: milliseconds in the first second, tenths in the first minute, then seconds.
pub(super) fn moment(at: SimTime) -> String {
    let millis = at.as_nanos() / 1_000_000;
    let exact = match millis {
        0..1_000 => millis,
        1_000..60_000 => millis / 100 * 100,
        _ => millis / 1_000 * 1_000,
    };
    let text = SimDuration::from_millis(exact).to_string();
    let Some(text) = text.strip_suffix("m0s") else { return text };
    text.strip_suffix("h0").map_or_else(|| format!("{text}m"), |hours| format!("{hours}h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_as_exact_as_people_read_them() {
        let at = |nanos: u64| moment(SimTime::from_nanos(nanos));
        assert_eq!([at(0), at(7_400_000), at(1_058_000_000), at(30_011_000_000)], ["0s", "7ms", "1s", "30s"]);
        assert_eq!([at(60_000_000_000), at(161_040_632_606), at(3_600_000_000_000)], ["1m", "2m41s", "1h"]);
        assert_eq!([at(4_200_000_000_000), at(3_605_000_000_000)], ["1h10m", "1h0m5s"]);
    }

    #[test]
    fn columns_are_padded_and_three_spaces_apart() {
        let mut table = Table::new(&["name", "ready"]);
        table.row(vec!["web-1".into(), "1/1".into()]);
        table.row(vec!["a".into(), "0/1".into()]);
        assert_eq!(table.to_string(), "NAME    READY\nweb-1   1/1\na       0/1\n");
    }

    #[test]
    fn what_is_written_in_parts_keeps_its_widths() {
        let mut table = Table::new(&["a", "b", "c"]);
        table.row(vec!["long name".into(), "1".into(), "x".into()]);
        assert_eq!(table.flush(), "A           B     C\nlong name   1     x\n");
        table.row(vec!["n".into(), "2".into(), "y".into()]);
        assert_eq!(table.flush(), "n           2     y\n");
        assert_eq!(table.flush(), "");
    }

    #[test]
    fn ages_are_those_of_kubectl() {
        let at = |secs: i64| age(Some(Timestamp::from_unix_secs(1000)), Timestamp::from_unix_secs(1000 + secs).wall());
        let ages: Vec<String> = [0, 119, 120, 121, 599, 600, 10_799, 10_800, 172_800, 700_000].map(at).into();
        assert_eq!(ages, ["0s", "119s", "2m", "2m1s", "9m59s", "10m", "179m", "3h", "2d", "8d"]);
        assert_eq!(age(None, WallTime::default()), "<unknown>");
    }
}
