//! Telling what came out.

use std::process::ExitCode;

use crate::args::Args;
use crate::run::FileReport;
use crate::source::{File, Kind, id_of};

/// Prints the differences, a score per file and the closing line; the process's exit code.
pub(crate) fn print(reports: &[FileReport]) -> ExitCode {
    for line in reports.iter().flat_map(|report| &report.failed) {
        println!("{line}");
    }
    for (line, _) in reports.iter().flat_map(|report| &report.skipped) {
        println!("skipped {line}");
    }
    for line in reports.iter().flat_map(|report| &report.known) {
        println!("known difference {line}");
    }
    for name in reports.iter().flat_map(|report| &report.outdated) {
        println!("no known difference any more {name}: take it off the list");
    }
    for report in reports {
        let judged = report.passed + report.failed.len();
        if judged > 0 {
            println!("{} {}/{judged}", report.name, report.passed);
        }
    }
    let sum = |count: fn(&FileReport) -> usize| reports.iter().map(count).sum::<usize>();
    let known = sum(|report| report.known.len());
    if known > 0 {
        println!("{known} known differences");
    }
    let failed = sum(|report| report.failed.len());
    let skipped = sum(|report| report.skipped.iter().map(|(_, cases)| cases).sum());
    let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("{} passed, {failed} failed{tail}", sum(|report| report.passed));
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the names of the cases, as libtest's `--list` does.
pub(crate) fn list(files: &[File], args: &Args) {
    for file in files {
        let names = match (file.kind, file.read()) {
            (Kind::Dataset, Ok(content)) => {
                let cases = content["cases"].as_array().map(Vec::as_slice).unwrap_or_default();
                cases.iter().map(|case| format!("{}#{}", file.name, id_of(case))).collect()
            }
            _ => vec![file.name.clone()],
        };
        for name in names.iter().filter(|name| args.selects(name)) {
            println!("{name}: test");
        }
    }
}
