//! Reads manifests as `kubectl apply -f` with strict field validation takes them, and says where they are wrong.
//!
//! YAML follows go-yaml v2 (YAML 1.1 scalars, merge keys, aliases), the converter `sigs.k8s.io/yaml` and kubectl's
//! document splitter; only the line breaks U+0085, U+2028 and U+2029 are plain text here. JSON documents and streams
//! are read too. [`read_manifests`] checks every object against the [field table](super::schema): duplicate keys,
//! unknown fields, wrong types. What it does not know it keeps. [`parse_spanned`] and [`from_spanned`] give the same
//! places to other file formats.

mod build;
mod check;
mod de;
mod document;
mod error;
mod json;
mod limits;
mod locate;
mod scalar;
mod span;
mod suggest;
mod tree;
mod yaml;

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use build::Builder;
use document::{Draft, Extractor};
use error::Sink;

pub use de::from_spanned;
pub use document::{Document, Notice};
pub use error::{ReadError, ReadErrorKind};
pub use limits::{Limit, ReaderLimits};
pub(super) use scalar::is_plain_string;
pub use span::{Place, Span};
pub(crate) use suggest::in_quotes;
pub use tree::{Node, SpannedFile, Value};

/// Reads the manifests of a text: YAML documents, or JSON documents in a row. Empty documents are skipped, lists
/// (`kind: List`, `PodList`, …) are taken apart.
///
/// ```
/// use seatrial::objects::reader::{ReaderLimits, read_manifests};
///
/// let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: c\n    imagee: nginx\n";
/// let errors = read_manifests("web.yaml", text, &ReaderLimits::default()).unwrap_err();
/// assert_eq!(errors[0].to_string(), "web.yaml:8:5: spec.containers[0].imagee: unknown field \"imagee\"");
/// assert_eq!(errors[0].help.as_deref(), Some("did you mean \"image\"?"));
/// ```
///
/// # Errors
/// All errors of the text in the order of their places, up to [`ReaderLimits::max_errors`].
pub fn read_manifests(source_name: &str, text: &str, limits: &ReaderLimits) -> Result<Vec<Document>, Vec<ReadError>> {
    let mut drafts: Vec<Draft> = Vec::new();
    let builder = read_file(source_name, text, limits, |builder, is_first| {
        if is_first {
            drafts.clear();
        }
        let Builder { nodes, keys, sink, .. } = builder;
        Extractor { nodes, keys, sink, drafts: &mut drafts }.extract();
    })?;
    let keys = Arc::new(builder.keys);
    Ok(drafts.into_iter().map(|draft| draft.finish(&keys)).collect())
}

/// Reads a text as trees that know the place of every value.
///
/// # Errors
/// Syntax errors, duplicate keys, budgets; in the order of their places, up to [`ReaderLimits::max_errors`].
pub fn parse_spanned<'t>(
    source_name: &str,
    text: &'t str,
    limits: &ReaderLimits,
) -> Result<SpannedFile<'t>, Vec<ReadError>> {
    let mut documents = Vec::new();
    let builder = read_file(source_name, text, limits, |builder, is_first| {
        if is_first {
            documents.clear();
        }
        documents.push(mem::take(&mut builder.nodes));
    })?;
    Ok(SpannedFile { source: builder.sink.source, text, keys: builder.keys, documents })
}

/// A reader of one syntax: builds each document and shows the builder to the callback.
type Syntax<'t> = fn(&mut Builder<'t>, &mut dyn FnMut(&mut Builder<'t>));

/// Reads a text as JSON if it looks like it, else or failing that as YAML. `on_document` is told when it sees the first
/// document of an attempt.
fn read_file<'t>(
    source_name: &str,
    text: &'t str,
    limits: &ReaderLimits,
    mut on_document: impl FnMut(&mut Builder<'t>, bool),
) -> Result<Builder<'t>, Vec<ReadError>> {
    let mut sink = Sink::new(source_name, text, limits);
    if text.len() > limits.max_input_bytes {
        sink.push(*sink.over(Limit::InputBytes, Span::at(Place::START)));
        return Err(sink.into_sorted());
    }
    let mut attempt = |read: Syntax<'t>, sink| {
        let mut builder = Builder::new(sink);
        let mut is_first = true;
        read(&mut builder, &mut |builder| on_document(builder, mem::take(&mut is_first)));
        builder
    };
    if !json::looks_like_json(text) {
        return finish(attempt(yaml::read, sink));
    }
    let as_json = attempt(json::read, sink);
    if !as_json.sink.has_syntax_error() {
        return finish(as_json);
    }
    let as_yaml = attempt(yaml::read, Sink::new(source_name, text, limits));
    // What is neither is described as what it resembles more: the reading that got further.
    if as_yaml.sink.has_syntax_error() && as_yaml.sink.last_place() <= as_json.sink.last_place() {
        return finish(as_json);
    }
    finish(as_yaml)
}

fn finish(builder: Builder<'_>) -> Result<Builder<'_>, Vec<ReadError>> {
    if builder.sink.is_empty() { Ok(builder) } else { Err(builder.sink.into_sorted()) }
}
