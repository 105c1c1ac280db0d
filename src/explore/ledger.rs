//! The results of an exploration in a folder, so that it can be gone on with after a kill.
//!
//! ```text
//! plan.json       what is explored, to refuse results of something else
//! results.jsonl   one case a line, in order; what a kill left half-written is dropped
//! results.csv     the same as a table, written at the end
//! summary.json    written at the end
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::scenario::Measured;
use crate::sim::Digest;

use super::case::{CaseResult, seconds};
use super::error::ExploreError;
use super::plan::{Plan, Shard};
use super::summary::Summary;

pub(super) const PLAN: &str = "plan.json";
pub(super) const RESULTS: &str = "results.jsonl";

/// Lines after which they are handed to the system.
const FLUSH: u64 = 64;

/// A folder of results, open for more.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    file: BufWriter<File>,
    summary: Summary,
    lines: u64,
}

impl Ledger {
    /// Opens a folder for the results of a plan; makes it if it is not there. What was written for the same plan before
    /// is kept.
    ///
    /// # Errors
    /// If the folder cannot be read or written, or if it has the results of another plan.
    pub fn open(folder: &Path, plan: &Plan) -> Result<Self, ExploreError> {
        fs::create_dir_all(folder).map_err(ExploreError::file(folder))?;
        let (about, path) = (plan.describe()?, folder.join(PLAN));
        match fs::read_to_string(&path) {
            Ok(text) => {
                let known: Value = serde_json::from_str(&text).unwrap_or_default();
                if let Some(field) = differing(&known, &about) {
                    let message = format!("these are results of another {field}; take another folder, or remove it");
                    return Err(ExploreError::mismatch(&path, message));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::write(&path, format!("{about:#}\n")).map_err(ExploreError::file(&path))?;
            }
            Err(error) => return Err(ExploreError::File { path, error }),
        }
        let path = folder.join(RESULTS);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(ExploreError::file(&path))?;
        let mut summary = Summary::default();
        let kept = read(&path, &mut file, |nth, result| {
            let belongs = result.case == plan.case(nth);
            belongs.then(|| summary.add(&result)).is_some()
        })?;
        file.set_len(kept).and_then(|()| file.seek(std::io::SeekFrom::End(0))).map_err(ExploreError::file(&path))?;
        Ok(Self { folder: folder.to_owned(), file: BufWriter::new(file), summary, lines: 0 })
    }

    /// How many cases are in it.
    #[must_use]
    pub const fn done(&self) -> u64 {
        self.summary.cases
    }

    /// What they say together.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Adds the next case.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, result: &CaseResult) -> Result<(), ExploreError> {
        self.summary.add(result);
        self.lines += 1;
        let written = writeln!(self.file, "{}", result.to_json());
        let flushed = written.and_then(|()| if self.lines.is_multiple_of(FLUSH) { self.file.flush() } else { Ok(()) });
        flushed.map_err(ExploreError::file(&self.folder.join(RESULTS)))
    }

    /// Writes what is left, the table and the summary.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(mut self) -> Result<Summary, ExploreError> {
        self.file.flush().map_err(ExploreError::file(&self.folder.join(RESULTS)))?;
        write_outcome(&self.folder, &self.summary)?;
        Ok(self.summary)
    }
}

/// Writes the table and the summary beside the results of a folder.
pub(super) fn write_outcome(folder: &Path, summary: &Summary) -> Result<(), ExploreError> {
    let path = folder.join("summary.json");
    fs::write(&path, format!("{:#}\n", summary.to_json())).map_err(ExploreError::file(&path))?;
    let (results, table) = (folder.join(RESULTS), folder.join("results.csv"));
    let mut file = File::open(&results).map_err(ExploreError::file(&results))?;
    let mut out = BufWriter::new(File::create(&table).map_err(ExploreError::file(&table))?);
    let columns: Vec<&str> = summary.measured.keys().map(|name| &**name).collect();
    let parameters: Vec<&str> =
        summary.rows.first().iter().flat_map(|row| &row.parameters).map(|(name, _)| &**name).collect();
    let head = ["case", "seed", "held", "failed", "at"].into_iter().chain(parameters.iter().copied());
    let mut outcome = write_row(&mut out, head.chain(columns.iter().copied()).map(str::to_owned));
    read(&results, &mut file, |_, result| {
        if outcome.is_ok() {
            outcome = write_row(&mut out, cells(&result, &parameters, &columns).into_iter());
        }
        true
    })?;
    outcome.and_then(|()| out.flush()).map_err(ExploreError::file(&table))
}

fn cells(result: &CaseResult, parameters: &[&str], columns: &[&str]) -> Vec<String> {
    let line = result.to_json();
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let failed = &line["failed"];
    let mut cells = vec![text(&line["case"]), text(&line["seed"]), text(&line["held"])];
    cells.push(if line["stopped"].is_null() { text(&failed["expectation"]) } else { text(&line["stopped"]) });
    cells.push(text(&failed["at"]));
    cells.extend(parameters.iter().map(|name| text(&line["parameters"][name])));
    cells.extend(columns.iter().map(|column| {
        match result.measured.iter().find(|(name, _)| name == column).and_then(|(_, value)| *value) {
            Some(Measured::Number(number)) => number.to_string(),
            Some(Measured::Time(time)) => seconds(time.as_nanos()).to_string(),
            None => String::new(),
        }
    }));
    cells
}

/// A line of comma-separated values (RFC 4180).
fn write_row(out: &mut impl Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    for (at, cell) in cells.enumerate() {
        let comma = if at == 0 { "" } else { "," };
        if cell.contains([',', '"', '\n', '\r']) {
            write!(out, "{comma}\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            write!(out, "{comma}{cell}")?;
        }
    }
    writeln!(out)
}

/// Reads the results of a file, up to the first line that is not whole or that `take` refuses. Returns the bytes of those
/// lines.
pub(super) fn read(
    path: &Path,
    file: &mut File,
    mut take: impl FnMut(u64, CaseResult) -> bool,
) -> Result<u64, ExploreError> {
    let mut lines = BufReader::new(file);
    let (mut kept, mut nth, mut line) = (0, 0, String::new());
    loop {
        line.clear();
        let length = match lines.read_line(&mut line) {
            Ok(length) => length,
            // What a kill left need not be text.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Ok(kept),
            Err(error) => return Err(ExploreError::File { path: path.to_owned(), error }),
        };
        let result = serde_json::from_str(&line).ok().and_then(|line| CaseResult::from_json(&line));
        let Some(result) = result.filter(|_| line.ends_with('\n')) else { return Ok(kept) };
        if !take(nth, result) {
            return Ok(kept);
        }
        kept += length as u64;
        nth += 1;
    }
}

/// The first field in which two plans differ.
fn differing(known: &Value, wanted: &Value) -> Option<String> {
    let fields = wanted.as_object()?;
    fields.iter().find(|(field, value)| known[field.as_str()] != **value).map(|(field, _)| field.clone())
}

impl Plan {
    /// What makes its results: two plans with equal descriptions have equal results.
    ///
    /// # Errors
    /// If the scenario cannot be read.
    pub(super) fn describe(&self) -> Result<Value, ExploreError> {
        let Shard { index, count } = self.shard;
        let files =
            self.scenario(&self.case(0))?.manifests.into_iter().map(|manifest| manifest.document.value.to_string());
        let fixed: Value = self.fixed.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "scenario": digest([&self.text]),
            "manifests": digest(files),
            "parameters": fixed,
            "variations": self.variations,
            "seeds": {"from": self.seeds.start, "to": self.seeds.end},
            "shard": {"index": index, "count": count},
            "maxEvents": self.max_events,
        }))
    }
}

/// Of texts that may not be shifted against each other.
fn digest<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut digest = Digest::default();
    for text in texts {
        digest.update(&(text.as_ref().len() as u64).to_le_bytes());
        digest.update(text.as_ref());
    }
    digest.to_string()
}
