//! Columns as kubectl prints them: upper-case names, padded, three spaces apart.

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Timestamp, WallTime};

/// A table of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names.
    #[must_use]
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|name| name.to_uppercase()).collect(), rows: Vec::new() }
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
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| lines().filter_map(|line| line.get(column)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..self.header.len()).map(|column| width(column).unwrap_or(0)).collect();
        for line in lines() {
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 3));
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
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
    fn ages_are_those_of_kubectl() {
        let at = |secs: i64| age(Some(Timestamp::from_unix_secs(1000)), Timestamp::from_unix_secs(1000 + secs).wall());
        let ages: Vec<String> = [0, 119, 120, 121, 599, 600, 10_799, 10_800, 172_800, 700_000].map(at).into();
        assert_eq!(ages, ["0s", "119s", "2m", "2m1s", "9m59s", "10m", "179m", "3h", "2d", "8d"]);
        assert_eq!(age(None, WallTime::default()), "<unknown>");
    }
}
