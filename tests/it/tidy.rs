//! Keeps the house in order: who may import whom, how long files and functions may be, no file left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The import table of ARCHITECTURE.md: a room, and the rooms it may use.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("objects", &["kernel"]),
    ("api", &["objects", "kernel"]),
    ("apiserver", &["api", "objects", "kernel"]),
    ("controllers", &["api", "objects", "kernel"]),
    ("scheduler", &["api", "objects", "kernel"]),
    ("kubelet", &["api", "objects", "kernel"]),
    ("network", &["api", "objects", "kernel"]),
    ("metrics", &["api", "objects", "kernel"]),
    ("autoscaler", &["scheduler", "controllers", "api", "objects", "kernel"]),
    (
        "sim",
        &[
            "autoscaler",
            "apiserver",
            "controllers",
            "scheduler",
            "kubelet",
            "network",
            "metrics",
            "api",
            "objects",
            "kernel",
        ],
    ),
    ("invariants", &["sim", "controllers", "api", "objects", "kernel"]),
    ("scenario", &["sim", "invariants", "kubelet", "network", "controllers", "api", "objects", "kernel"]),
    ("explore", &["scenario", "sim", "invariants", "api", "objects", "kernel"]),
    ("report", &["explore", "scenario", "sim", "invariants", "controllers", "api", "objects", "kernel"]),
    ("testing", &["report", "explore", "scenario", "sim", "invariants", "api", "objects", "kernel"]),
    ("serve", &["report", "scenario", "sim", "controllers", "api", "objects", "kernel"]),
    (
        "cli",
        &[
            "serve",
            "scenario",
            "explore",
            "report",
            "invariants",
            "sim",
            "controllers",
            "kubelet",
            "network",
            "api",
            "objects",
            "kernel",
        ],
    ),
];

const LINES_PER_FILE: usize = 1000;
const LINES_PER_FUNCTION: usize = 100;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    (!first.ends_with(".rs")).then(|| first.to_owned())
}

/// Every room named after `crate::` in a line, also inside a brace list (`crate::{api, objects}`).
fn imports(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or("");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let top: String = list
                    .chars()
                    .map(|c| {
                        depth += i32::from(c == '{') - i32::from(c == '}');
                        if depth > 0 { ' ' } else { c }
                    })
                    .collect();
                found.extend(top.split(',').map(|part| word(part.trim())));
            }
            None => found.push(word(rest)),
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for path in rust_files(&root().join("src")) {
        let Some(room) = room_of(&path) else { continue };
        let allowed = table.get(room.as_str()).unwrap_or_else(|| panic!("room {room} is not in the import table"));
        for (number, line) in fs::read_to_string(&path).expect("a source file").lines().enumerate() {
            for import in imports(line) {
                let foreign = table.contains_key(import.as_str()) && import != room;
                if foreign && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{}:{}: {room} must not use {import}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_table_has_no_circle() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while done.len() < table.len() {
        let ready: Vec<&str> = table
            .iter()
            .filter(|(room, needs)| !done.contains(*room) && needs.iter().all(|need| done.contains(need)))
            .map(|(room, _)| *room)
            .collect();
        assert!(
            !ready.is_empty(),
            "a circle among {:?}",
            table.keys().filter(|r| !done.contains(*r)).collect::<Vec<_>>()
        );
        done.extend(ready);
    }
}

#[test]
fn the_table_and_the_folders_agree() {
    let rooms: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src")
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let table: BTreeSet<String> = MAY_IMPORT.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, table);
}

#[test]
fn files_and_functions_stay_readable() {
    let mut long = Vec::new();
    for folder in ["src", "tests/it", "benches"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).expect("a source file");
            let lines: Vec<&str> = text.lines().collect();
            if lines.len() > LINES_PER_FILE {
                long.push(format!("{}: {} lines", path.display(), lines.len()));
            }
            for (start, length) in functions(&lines) {
                if length > LINES_PER_FUNCTION {
                    long.push(format!("{}:{}: a function of {length} lines", path.display(), start + 1));
                }
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// First line and length of every function, found by the indentation that rustfmt gives.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let head = line.trim_start();
        let is_fn = head.starts_with("fn ")
            || (head.starts_with("pub") || head.starts_with("const ")) && head.contains("fn ") && head.contains('(');
        if !is_fn || head.ends_with('}') || head.ends_with(';') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..].iter().position(|line| *line == close) {
            found.push((start, length + 1));
        }
    }
    found
}

#[test]
fn every_source_file_belongs_to_a_module() {
    let mut lost = Vec::new();
    for path in rust_files(&root().join("src")) {
        let stem = path.file_stem().and_then(|s| s.to_str()).expect("a file name");
        if ["lib", "main"].contains(&stem) {
            continue;
        }
        let folder = path.parent().expect("a folder");
        let (name, parent) = if stem == "mod" {
            (folder.file_name().and_then(|s| s.to_str()).expect("a folder name"), folder.parent().expect("a folder"))
        } else {
            (stem, folder)
        };
        let sibling = parent.with_extension("rs");
        let owners = [parent.join("mod.rs"), parent.join("lib.rs"), sibling];
        let declared = owners
            .iter()
            .filter_map(|owner| fs::read_to_string(owner).ok())
            .any(|text| text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};"))));
        if !declared {
            lost.push(path.display().to_string());
        }
    }
    assert!(lost.is_empty(), "not part of any module:\n{}", lost.join("\n"));
}

#[test]
fn the_tidy_checks_themselves_see_what_they_look_for() {
    assert_eq!(imports("use crate::sim::Simulation; // crate::cli"), ["sim"]);
    assert_eq!(imports("use crate::{api::{View, Change}, objects, kernel::SimTime};"), ["api", "objects", "kernel"]);
    assert_eq!(functions(&["fn a() {", "    b();", "}", "    fn c(", "    ) {", "    }"]), [(0, 3), (3, 3)]);
}
