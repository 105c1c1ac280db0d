//! Finding and reading the files of a conformance directory.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Many cases computed by upstream code.
    Dataset,
    /// One recorded scenario, which is one case.
    Recording,
}

/// A file of the directory, not read yet.
pub(crate) struct File {
    pub(crate) kind: Kind,
    /// Without folder and extension.
    pub(crate) name: String,
    path: PathBuf,
}

/// The files of a directory, data first, each folder in order of names.
pub(crate) fn find(directory: &Path) -> Result<Vec<File>, String> {
    let mut files = in_folder(&directory.join("data"), Kind::Dataset)?;
    files.extend(in_folder(&directory.join("recordings"), Kind::Recording)?);
    if files.is_empty() {
        return Err(format!("{}: neither data/*.json nor recordings/*.json", directory.display()));
    }
    Ok(files)
}

fn in_folder(folder: &Path, kind: Kind) -> Result<Vec<File>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let describe = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(describe)? {
        let path = entry.map_err(describe)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.push(File { kind, name, path });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

impl File {
    /// Reads the file.
    pub(crate) fn read(&self) -> Result<Value, String> {
        let text = fs::read(&self.path).map_err(|error| format!("cannot be read: {error}"))?;
        serde_json::from_slice(&text).map_err(|error| format!("is no JSON: {error}"))
    }
}

/// A case's id as text.
pub(crate) fn id_of(case: &Value) -> String {
    match &case["id"] {
        Value::String(id) => id.clone(),
        id => id.to_string(),
    }
}
