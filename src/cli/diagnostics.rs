//! Errors with the line of the file that they are about.

use std::io::{self, Write as _};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::objects::reader::Span;
use crate::scenario::{Problem, ScenarioError};

/// Prints why a scenario cannot be run.
pub(super) fn scenario(error: &ScenarioError) -> io::Result<()> {
    let mut out = anstream::stderr().lock();
    match error {
        ScenarioError::Input(problems) => {
            for problem in problems {
                writeln!(out, "{}\n", render(problem))?;
            }
            let count = problems.len();
            writeln!(out, "error: {count} problem{} in the input", if count == 1 { "" } else { "s" })
        }
        other => writeln!(out, "error: {other}"),
    }
}

/// A problem as rustc would show it.
fn render(problem: &Problem) -> String {
    let title = problem.title();
    let help = problem.help.as_deref().map(|help| Level::HELP.message(help));
    let Some(span) = problem.span else {
        let group = Level::ERROR.primary_title(title.as_str()).element(Origin::path(&*problem.source)).elements(help);
        return Renderer::styled().render(&[group]);
    };
    let text = &*problem.text;
    let mut snippet = Snippet::source(text).path(&*problem.source);
    snippet = snippet.annotation(AnnotationKind::Primary.span(range(text, span)));
    if let Some((also, label)) = &problem.also {
        snippet = snippet.annotation(AnnotationKind::Context.span(range(text, *also)).label(label.as_str()));
    }
    let mut group = Level::ERROR.primary_title(title.as_str()).element(snippet);
    group = group.elements(help);
    Renderer::styled().render(&[group])
}

/// Byte range of a span of lines and columns, inside the text whatever the span says.
fn range(text: &str, span: Span) -> std::ops::Range<usize> {
    let offset = |line: u32, column: u32| {
        let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum();
        let rest = &text[start.min(text.len())..];
        let line = rest.lines().next().unwrap_or("");
        let inside = line.char_indices().nth(column.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at);
        start.min(text.len()) + inside
    };
    let start = offset(span.start.line, span.start.column);
    // Of a value over many lines, its beginning is enough.
    let end = if span.start.line == span.end.line { offset(span.end.line, span.end.column) } else { start };
    start..end.max(start)
}
