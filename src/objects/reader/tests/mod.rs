//! Tests of the reader as a whole.

mod broken;
mod decode;
mod limits;
mod random;
mod reading;
mod scalars;

use super::*;

fn read(text: &str) -> Result<Vec<Document>, Vec<ReadError>> {
    read_manifests("m.yaml", text, &ReaderLimits::default())
}

/// The documents of a text that must be fine.
fn documents(text: &str) -> Vec<Document> {
    read(text).unwrap_or_else(|errors| panic!("{}", render(&errors)))
}

/// Errors as lines: the error itself, then its second place and its help.
fn render(errors: &[ReadError]) -> String {
    let mut lines = Vec::new();
    for error in errors {
        lines.push(error.to_string());
        if let Some((span, label)) = &error.also {
            lines.push(format!("  {}: {label}", span.start));
        }
        lines.extend(error.help.iter().map(|help| format!("  help: {help}")));
    }
    lines.join("\n")
}

/// The first document of a text as JSON, without the rules for manifests.
fn json(text: &str) -> serde_json::Value {
    let file = parse_spanned("t.yaml", text, &ReaderLimits::default());
    let file = file.unwrap_or_else(|errors| panic!("{text:?}: {}", render(&errors)));
    file.roots().next().map_or(serde_json::Value::Null, Node::to_json)
}

fn syntax_errors(text: &str) -> String {
    render(&parse_spanned("t.yaml", text, &ReaderLimits::default()).map(|_| ()).unwrap_err())
}
