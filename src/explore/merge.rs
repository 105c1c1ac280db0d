//! Puts the results of all shards together.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::case::CaseResult;
use super::error::ExploreError;
use super::ledger::{PLAN, RESULTS, write_outcome};
use super::summary::Summary;

/// Puts the folders of all shards of a plan together, in any order; the summary is that of one run of the whole. With `out`,
/// everything is written there as that run would have.
///
/// # Errors
/// If the folders are not the shards of one plan, if one is missing, given twice or not finished, or if a file cannot be read or
/// written.
pub fn merge(folders: &[PathBuf], out: Option<&Path>) -> Result<Summary, ExploreError> {
    merge_with(folders, out, |_| {})
}

/// The same, and shows every result, in the order of the cases.
///
/// # Errors
/// As [`merge`].
pub fn merge_with(
    folders: &[PathBuf],
    out: Option<&Path>,
    show: impl FnMut(CaseResult),
) -> Result<Summary, ExploreError> {
    let mut shards = Vec::new();
    for folder in folders {
        shards.push(ShardFolder::open(folder)?);
    }
    shards.sort_by_key(|shard| shard.index);
    let Some(first) = shards.first() else {
        return Err(ExploreError::Argument("there is no folder to merge".to_owned()));
    };
    let (whole, count) = (first.whole.clone(), first.count);
    for (at, shard) in shards.iter().enumerate() {
        let other = |message: String| Err(ExploreError::mismatch(&shard.folder, message));
        if shard.whole != whole || shard.count != count {
            return other("these are results of another exploration than the others'".to_owned());
        }
        if at > 0 && shards[at - 1].index == shard.index {
            return other(format!("shard {}/{count} is given twice", shard.index));
        }
        if shard.index != at as u64 {
            return other(format!("shard {at}/{count} is missing"));
        }
    }
    if shards.len() as u64 != count {
        let message = format!("shard {}/{count} is missing", shards.len());
        return Err(ExploreError::Argument(message));
    }
    let seeds = whole["seeds"]["to"].as_u64().zip(whole["seeds"]["from"].as_u64()).map_or(0, |(to, from)| to - from);
    let values = whole["variations"].as_array().into_iter().flatten();
    let combinations: u64 = values.map(|v| v["values"].as_array().map_or(1, Vec::len) as u64).product();
    write_merged(shards, seeds.saturating_mul(combinations), whole, out, show)
}

fn write_merged(
    mut shards: Vec<ShardFolder>,
    cases: u64,
    mut whole: Value,
    out: Option<&Path>,
    mut show: impl FnMut(CaseResult),
) -> Result<Summary, ExploreError> {
    let mut summary = Summary::default();
    let mut file = None;
    if let Some(folder) = out {
        fs::create_dir_all(folder).map_err(ExploreError::file(folder))?;
        whole["shard"] = json!({"index": 0, "count": 1});
        let (plan, results) = (folder.join(PLAN), folder.join(RESULTS));
        fs::write(&plan, format!("{whole:#}\n")).map_err(ExploreError::file(&plan))?;
        file = Some(BufWriter::new(File::create(&results).map_err(ExploreError::file(&results))?));
    }
    let count = shards.len() as u64;
    for number in 0..cases {
        let result = shards[(number % count) as usize].next(number)?;
        summary.add(&result);
        if let (Some(file), Some(folder)) = (&mut file, out) {
            writeln!(file, "{}", result.to_json()).map_err(ExploreError::file(&folder.join(RESULTS)))?;
        }
        show(result);
    }
    if let (Some(mut file), Some(folder)) = (file, out) {
        file.flush().map_err(ExploreError::file(&folder.join(RESULTS)))?;
        write_outcome(folder, &summary)?;
    }
    Ok(summary)
}

struct ShardFolder {
    folder: PathBuf,
    index: u64,
    count: u64,
    /// Its plan without the shard.
    whole: Value,
    lines: BufReader<File>,
}

impl ShardFolder {
    fn open(folder: &Path) -> Result<Self, ExploreError> {
        let (plan, results) = (folder.join(PLAN), folder.join(RESULTS));
        let text = fs::read_to_string(&plan).map_err(ExploreError::file(&plan))?;
        let wrong = || ExploreError::mismatch(&plan, "this is not a plan of an exploration");
        let mut whole: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
        let shard = whole.as_object_mut().and_then(|plan| plan.remove("shard")).ok_or_else(wrong)?;
        let (index, count) = (shard["index"].as_u64(), shard["count"].as_u64());
        let (index, count) = index.zip(count).filter(|(index, count)| index < count).ok_or_else(wrong)?;
        let lines = BufReader::new(File::open(&results).map_err(ExploreError::file(&results))?);
        Ok(Self { folder: folder.to_owned(), index, count, whole, lines })
    }

    /// The next case, which is to have this number.
    fn next(&mut self, number: u64) -> Result<CaseResult, ExploreError> {
        let path = self.folder.join(RESULTS);
        let mut line = String::new();
        self.lines.read_line(&mut line).map_err(ExploreError::file(&path))?;
        let result = serde_json::from_str(&line).ok().and_then(|line| CaseResult::from_json(&line));
        result.filter(|result| result.case.number == number && line.ends_with('\n')).ok_or_else(|| {
            let message = format!(
                "case {number} is not there; explore shard {}/{} again with this folder to go on with it",
                self.index, self.count
            );
            ExploreError::mismatch(&path, message)
        })
    }
}
