//! Judging files, several at a time.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::args::Args;
use crate::case::{Case, Miss, Outcome};
use crate::known;
use crate::registry::{Checker, checker};
use crate::source::{File, Kind, id_of};

/// What became of one file.
#[derive(Default)]
pub(crate) struct FileReport {
    pub(crate) name: String,
    pub(crate) passed: usize,
    /// One line per case that differs.
    pub(crate) failed: Vec<String>,
    /// One line per known difference.
    pub(crate) known: Vec<String>,
    /// One line per thing left out, and how many cases that is.
    pub(crate) skipped: Vec<(String, usize)>,
    /// Known differences that agree after all.
    pub(crate) outdated: Vec<String>,
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the text of a panic for the report instead of printing it.
pub(crate) fn silence_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
        PANIC.set(Some(format!("panicked: {text}{place}")));
    }));
}

/// Judges all files; the reports are in the order of the files, whichever thread was first.
pub(crate) fn all(files: &[File], args: &Args) -> Vec<FileReport> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::with_capacity(files.len()));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(at) else { break };
            let report = judge(file, args);
            reports.lock().unwrap_or_else(PoisonError::into_inner).push((at, report));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(at, _)| *at);
    reports.into_iter().map(|(_, report)| report).collect()
}

fn judge(file: &File, args: &Args) -> FileReport {
    let mut report = FileReport { name: file.name.clone(), ..FileReport::default() };
    if file.kind == Kind::Recording && !args.selects(&file.name) {
        return report;
    }
    let content = match file.read() {
        Ok(content) => content,
        Err(error) => {
            report.failed.push(format!("{}: {error}", file.name));
            return report;
        }
    };
    match (file.kind, checker(file)) {
        (Kind::Dataset, checker) => judge_dataset(&content, checker, args, &mut report),
        (Kind::Recording, Some(Checker::Recording(check))) => {
            let outcome = guarded(|| check(&content));
            report.note(&file.name, known::reason(file.kind, &file.name, &content), outcome);
        }
        (Kind::Recording, _) => report.skipped.push((format!("{}: no checker for this recording", file.name), 1)),
    }
    report
}

fn judge_dataset(content: &Value, checker: Option<Checker>, args: &Args, report: &mut FileReport) {
    let Some(cases) = content["cases"].as_array() else {
        report.failed.push(format!("{}: has no list of cases", report.name));
        return;
    };
    let name_of = |case: &Value| format!("{}#{}", report.name, id_of(case));
    let selected: Vec<(String, &Value)> =
        cases.iter().map(|case| (name_of(case), case)).filter(|(name, _)| args.selects(name)).collect();
    let Some(Checker::Dataset(check)) = checker else {
        if !selected.is_empty() {
            report.skipped.push((format!("{}: no checker for this dataset", report.name), selected.len()));
        }
        return;
    };
    for (name, value) in selected {
        let case = Case { input: &value["in"], output: &value["out"], siblings: cases };
        let outcome = guarded(|| check(&case));
        let known = known::reason(Kind::Dataset, &report.name, value);
        report.note(&name, known, outcome);
    }
}

/// Runs a check; a panic is a difference.
fn guarded(check: impl FnOnce() -> Outcome) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|_| {
        let text = PANIC.take().unwrap_or_else(|| "panicked".to_owned());
        Err(Miss::Differs(text.replace('\n', " ")))
    })
}

impl FileReport {
    fn note(&mut self, name: &str, known: Option<&'static str>, outcome: Outcome) {
        match (outcome, known) {
            (Ok(()), None) => self.passed += 1,
            (Ok(()), Some(_)) => {
                self.passed += 1;
                self.outdated.push(name.to_owned());
            }
            (Err(Miss::Differs(_)), Some(reason)) => self.known.push(format!("{name}: {reason}")),
            (Err(Miss::Differs(difference)), None) => self.failed.push(format!("{name}: {difference}")),
            (Err(Miss::Skipped(reason)), _) => self.skipped.push((format!("{name}: {reason}"), 1)),
        }
    }
}
