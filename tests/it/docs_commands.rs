//! The page of commands shows what they really print, and names them all.

use std::fs;
use std::path::Path;

/// A command of a page and what it prints: the lines behind `$ seatrial …` up to the end of the block. Where they end with `…`, more
/// follows that is not shown.
struct Shown {
    /// Line of the command.
    at: usize,
    command: String,
    lines: Vec<String>,
}

fn shown(page: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut in_block = false;
    for (at, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if let Some(command) = line.strip_prefix("$ seatrial ").filter(|_| in_block) {
            all.push(Shown { at, command: command.to_owned(), lines: Vec::new() });
        } else if in_block && let Some(last) = all.last_mut() {
            last.lines.push(line.to_owned());
        }
    }
    all
}

/// The words of a command; single quotes keep spaces.
fn words(command: &str) -> Vec<String> {
    let quoted = command.split('\'').enumerate();
    quoted
        .flat_map(|(at, part)| {
            let words: Vec<String> =
                if at % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() };
            words
        })
        .collect()
}

/// What a command prints, as far as the page shows it.
fn printed(shown: &Shown) -> Vec<String> {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
    let output =
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CLICOLOR_FORCE").args(words(&shown.command));
    let output = output.output().expect("the command runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    let lines = text.lines().map(|line| line.trim_end().to_owned());
    match shown.lines.last() {
        Some(last) if last == "…" => lines.take(shown.lines.len() - 1).chain(["…".to_owned()]).collect(),
        _ => lines.collect(),
    }
}

/// With `UPDATE_DOCS=1` in the environment the page is written anew.
#[test]
fn the_page_of_commands_shows_what_they_print() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md");
    let page = fs::read_to_string(&path).expect("the page");
    let all = shown(&page);
    assert!(all.len() > 15, "the commands are found");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
        for shown in all.iter().rev() {
            lines.splice(shown.at + 1..=shown.at + shown.lines.len(), printed(shown));
        }
        return fs::write(path, lines.join("\n") + "\n").expect("written");
    }
    for shown in &all {
        assert_eq!(
            shown.lines,
            printed(shown),
            "seatrial {} (docs/commands.md:{}; UPDATE_DOCS=1 writes the page anew)",
            shown.command,
            shown.at + 1
        );
    }
}

#[test]
fn every_command_is_on_the_page_of_commands() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md")).expect("the page");
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
    let help = String::from_utf8(command.arg("--help").output().expect("help").stdout).expect("UTF-8");
    let (_, commands) = help.split_once("Commands:\n").expect("the commands");
    let names: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(page.contains(&format!("\n## `seatrial {name}`")), "{name} is not on the page");
    }
}
