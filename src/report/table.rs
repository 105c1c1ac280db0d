//! Columns as kubectl prints them: upper-case names, padded, three spaces apart.

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

#[cfg(test)]
mod tests {
    use super::*;

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
