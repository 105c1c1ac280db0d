//! The page of what is simulated is made of a table, and what the table names is there.
//!
//! `UPDATE_PAGES=1 cargo test --test it features` writes the page anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::pages::{page, project};

const TABLE: &str = "docs/features.yaml";
const PAGE: &str = "docs/features.md";

/// Rows of the list of promises, by group: A1 to A9 and so on.
const ROWS: &[(char, usize)] = &[('A', 9), ('B', 9), ('C', 6), ('D', 4), ('E', 7), ('F', 1), ('G', 8), ('H', 7)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    row: String,
    title: String,
    status: Status,
    #[serde(default)]
    what: String,
    #[serde(default)]
    approximated: String,
    #[serde(default)]
    left_out: String,
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    scenarios: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Status {
    Simulated,
    Approximated,
    Partly,
    None,
}

impl Status {
    const fn told(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Approximated => "approximated",
            Self::Partly => "in part",
            Self::None => "**not simulated**",
        }
    }
}

fn table() -> Vec<Group> {
    serde_yaml::from_str(&page(TABLE)).unwrap_or_else(|error| panic!("{TABLE}: {error}"))
}

fn rows() -> Vec<Row> {
    table().into_iter().flat_map(|group| group.rows).collect()
}

/// The file of a test, and its name unless all of the file is meant.
fn test(reference: &str) -> (&str, Option<&str>) {
    reference.split_once("::").map_or((reference, None), |(file, name)| (file, Some(name)))
}

fn rendered() -> String {
    let mut text = String::from(
        "# What is simulated\n\nRow by row, with what is approximated or left out, the tests that show it and scenarios to run. Made of \
         [features.yaml](features.yaml); a test checks that all of it is there.\n",
    );
    for Group { group, rows } in table() {
        let _ = write!(text, "\n## {group}\n");
        for row in rows {
            let number = if row.row == "-" { String::new() } else { format!("{} ", row.row) };
            let _ = write!(text, "\n### {number}{}: {}\n", row.title, row.status.told());
            for (head, body) in
                [("", &row.what), ("*Approximated.* ", &row.approximated), ("*Left out.* ", &row.left_out)]
            {
                if !body.is_empty() {
                    let _ = writeln!(text, "{head}{}\n", body.trim());
                }
            }
            let tests = row.tests.iter().map(|reference| match test(reference) {
                (file, Some(name)) => format!("[{}](../{file})", name.replace('_', " ")),
                (file, None) => format!("[{file}](../{file})"),
            });
            let scenarios = row.scenarios.iter().map(|file| {
                format!("[{}](../scenarios/{file})", file.trim_end_matches(".yaml").trim_end_matches("/trouble"))
            });
            for (head, links) in [("Tests", tests.collect::<Vec<_>>()), ("Scenarios", scenarios.collect())] {
                if !links.is_empty() {
                    let _ = writeln!(text, "- {head}: {}", links.join("; "));
                }
            }
        }
    }
    text
}

#[test]
fn the_page_is_that_of_the_table() {
    let should_be = rendered();
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(project(PAGE), should_be).expect("a page");
    } else {
        assert!(
            page(PAGE) == should_be,
            "{PAGE} is out of date: UPDATE_PAGES=1 cargo test --test it features writes it anew"
        );
    }
}

#[test]
fn every_test_and_scenario_of_the_table_is_there() {
    for row in rows() {
        for reference in &row.tests {
            let (file, name) = test(reference);
            let text = fs::read_to_string(project(file)).unwrap_or_else(|error| panic!("{}: {file}: {error}", row.row));
            if let Some(name) = name {
                assert!(text.contains(&format!("fn {name}(")), "{}: {file} has no {name}", row.row);
            }
        }
        for file in &row.scenarios {
            assert!(project("scenarios").join(file).is_file(), "{}: there is no scenarios/{file}", row.row);
        }
    }
}

#[test]
fn no_row_is_missing_and_each_shows_what_it_says() {
    let known: Vec<String> = rows().into_iter().map(|row| row.row).filter(|row| row != "-").collect();
    let wanted: Vec<String> =
        ROWS.iter().flat_map(|(group, last)| (1..=*last).map(move |row| format!("{group}{row}"))).collect();
    assert_eq!(known, wanted);
    for row in rows() {
        match row.status {
            Status::None => assert!(!row.left_out.is_empty() && row.tests.is_empty(), "{}", row.row),
            Status::Simulated => assert!(!row.tests.is_empty(), "{} has no test", row.row),
            Status::Approximated => assert!(!row.tests.is_empty() && !row.approximated.is_empty(), "{}", row.row),
            Status::Partly => assert!(!row.tests.is_empty() && !row.left_out.is_empty(), "{}", row.row),
        }
    }
}

/// Nothing that a user can run is forgotten: all but a few scenarios stand beside a row.
#[test]
fn most_scenarios_show_a_row() {
    let shown: BTreeSet<String> = rows().into_iter().flat_map(|row| row.scenarios).collect();
    let all = fs::read_dir(project("scenarios")).expect("a folder").flatten();
    let all: Vec<String> = all.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let missing: Vec<&String> = all.iter().filter(|name| name.ends_with(".yaml") && !shown.contains(*name)).collect();
    assert!(missing.len() < all.len() / 4, "{missing:?}");
}
