//! The pages that people read name all there is.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use regex::Regex;
use seatrial::scenario::{Expression, RunOptions, Scenario};

use crate::pages::{self, blocks};

const GUIDES: [&str; 4] = [
    "docs/guides/rust-developer.md",
    "docs/guides/platform-engineer.md",
    "docs/guides/learner.md",
    "docs/guides/contributor.md",
];

fn page() -> String {
    pages::page("scenarios/README.md")
}

/// What a message lists after these words.
fn listed(text: &str, after: &str) -> Vec<String> {
    let (_, list) = text.split_once(after).unwrap_or_else(|| panic!("{after:?} is not in {text:?}"));
    let list = list.lines().next().unwrap_or_default();
    list.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_scenario_is_explained() {
    let page = page();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let names = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.file_name());
    for name in names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".yaml")) {
        assert!(page.contains(&format!("({name})")), "{name} is not among the lessons");
    }
}

#[test]
fn every_function_is_explained() {
    let error = "zzzz(web)".parse::<Expression>().map(drop).expect_err("no such function");
    let functions = listed(&error.help.expect("a list"), "the functions are ");
    assert!(functions.len() > 30);
    let page = page();
    for name in functions {
        assert!(
            page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}()`")),
            "{name} is not explained"
        );
    }
}

#[test]
fn every_verb_is_explained() {
    let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: none}\nspec: {duration: 1m, steps: [{at: 1s}]}\n";
    let told = match Scenario::read("none.yaml", text).and_then(|scenario| scenario.run(&RunOptions::default())) {
        Ok(_) => panic!("a step without a verb"),
        Err(error) => format!("{error} {error:?}"),
    };
    let verbs = listed(&told.replace('"', "\n"), "one of apply, ");
    assert!(verbs.len() > 15, "{verbs:?}");
    let page = page();
    verbs.iter().for_each(|verb| assert!(page.contains(&format!("`{verb}`")), "{verb} is not explained"));
}

/// A folder with the scenarios in it, where commands may write what they want.
fn desk() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder").flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() {
                copy(&from, &to);
            } else {
                fs::copy(from, to).expect("a copy");
            }
        }
    }
    let desk = tempfile::tempdir().expect("a folder");
    copy(&pages::project("scenarios"), &desk.path().join("scenarios"));
    desk
}

/// Runs a line such as `seatrial run x.yaml   # a broken promise: exits 1`; returns its output.
fn command(line: &str, desk: &Path) -> String {
    let (words, comment) = line.split_once(" #").unwrap_or((line, ""));
    let code = comment.split_once("exits ").map_or(0, |(_, code)| code[..1].parse().expect("a code"));
    let arguments = words.split_whitespace().skip(1);
    let run = Command::new(assert_cmd::cargo::cargo_bin!("seatrial")).current_dir(desk).args(arguments).assert();
    let output = run.get_output();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{line}\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
    told
}

#[test]
fn the_commands_of_the_guides_run() {
    let desk = desk();
    let pages = GUIDES.iter().chain(&["README.md", "docs/exploring.md"]);
    let lines: Vec<String> = pages
        .flat_map(|path| blocks(&pages::page(path), "sh"))
        .flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        // A reader's own files are not here.
        .filter(|line| line.starts_with("seatrial ") && !line.contains('*'))
        .collect();
    assert!(lines.len() > 15, "{lines:?}");
    let seeds = Regex::new(r"--seeds \d+").expect("a regex");
    for line in lines {
        command(&seeds.replace(&line, "--seeds 3"), desk.path());
    }
}

#[test]
fn the_scenarios_of_the_guides_hold() {
    let desk = desk();
    let scenarios = GUIDES.iter().flat_map(|path| blocks(&pages::page(path), "yaml"));
    let scenarios: Vec<String> = scenarios.filter(|text| text.contains("kind: Scenario")).collect();
    assert!(scenarios.len() >= 2);
    for text in scenarios {
        fs::write(desk.path().join("scenarios/guide.yaml"), &text).expect("a file");
        command("seatrial run scenarios/guide.yaml", desk.path());
    }
}

#[test]
fn the_pages_of_the_guides_show_what_commands_print() {
    let desk = desk();
    for path in GUIDES.iter().chain(&["README.md"]) {
        pages::check(path, |mark| {
            let line = mark.starts_with("seatrial ").then_some(mark)?;
            let text = match line.split_once(" | ") {
                Some((line, wanted)) => pages::sections(&command(line, desk.path()), wanted),
                None => command(line, desk.path()),
            };
            Some(("text", text))
        });
    }
}

#[test]
fn every_link_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a regex");
    let code = Regex::new(r"(?s)```.*?```|`[^`\n]*`").expect("a regex");
    for path in markdown(&pages::project("")) {
        let text = fs::read_to_string(&path).expect("a page");
        let folder = path.parent().expect("a folder");
        for found in link.captures_iter(&code.replace_all(&text, "")) {
            let target = found[1].split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{}: {target} is not there", path.display());
            }
        }
    }
}

/// The pages that belong to the project.
fn markdown(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["docs", "scenarios", "fuzz"].iter().map(|folder| root.join(folder)).collect();
    let mut files: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md"].iter().map(|file| root.join(file)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 15);
    files
}
