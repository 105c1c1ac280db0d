//! Pages with blocks that are made by running something: written anew on request, compared otherwise.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// A path of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a page.
pub(crate) fn page(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Compares the blocks of a page with what they should be, or writes them (`UPDATE_PAGES=1`). A block stands behind a mark, a comment in
/// a line of its own; `block` gives its language and text, or nothing if the comment is no mark.
pub(crate) fn check(path: &str, block: impl Fn(&str) -> Option<(&'static str, String)>) {
    let is = page(path);
    let should_be = filled(&is, block);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(project(path), should_be).expect("a page");
    } else {
        assert_eq!(is, should_be, "{path} is out of date: UPDATE_PAGES=1 cargo test --test it pages writes it anew");
    }
}

fn filled(page: &str, block: impl Fn(&str) -> Option<(&'static str, String)>) -> String {
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text += &format!("{line}\n");
        let mark = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        let Some((language, block)) = mark.and_then(&block) else { continue };
        text += &format!("```{language}\n{}\n```\n\n", block.trim_end());
        // What was there before, fences included.
        if lines.next().is_some_and(|line| line.starts_with("```")) {
            assert!(lines.any(|line| line == "```"), "a block without an end");
            lines.next();
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// The blocks of a page in a language.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if fence == language {
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

/// Sections of a story by their titles, one after the other: `What happened; Promises /regex/` keeps only lines of the promises that match.
pub(crate) fn sections(story: &str, wanted: &str) -> String {
    wanted.split("; ").map(|part| section(story, part)).collect::<Vec<_>>().join("\n")
}

fn section(story: &str, part: &str) -> String {
    let (title, lines) = match part.split_once(" /") {
        Some((title, regex)) => (title, Regex::new(regex.trim_end_matches('/')).expect("a regex")),
        None => (part, Regex::new("").expect("a regex")),
    };
    let is_title = |line: &str| line == title;
    assert!(story.lines().any(is_title), "there is no section {title:?} in\n{story}");
    let section = story.lines().skip_while(|line| !is_title(line)).skip(1);
    // A section goes on until the next line that is not indented.
    let body = section.take_while(|line| line.is_empty() || line.starts_with(' ')).collect::<Vec<_>>().join("\n");
    let mut text = format!("{title}\n");
    for line in body.trim_end().lines().filter(|line| lines.is_match(line)) {
        text += &format!("{}\n", line.trim_end());
    }
    assert!(text.lines().count() > 1, "nothing of {title:?} is left");
    text
}

#[test]
fn blocks_are_made_anew_and_everything_else_stays() {
    let block = |mark: &str| mark.strip_prefix("say ").map(|what| ("text", format!("{what}\n\n{what}\n")));
    let made = "a\n<!-- say b -->\n```text\nb\n\nb\n```\n\n<!-- c -->\nd\n";
    for old in ["a\n<!-- say b -->\n\n<!-- c -->\nd\n", "a\n<!-- say b -->\n```text\nx\n\n```\n\n<!-- c -->\nd\n", made]
    {
        assert_eq!(filled(old, block), made);
    }
    assert_eq!(blocks(made, "text"), ["b\n\nb\n"]);
}
