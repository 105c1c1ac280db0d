//! Where a text of manifests stands: in a file of its own, or inside a scenario.

use std::sync::Arc;

use crate::objects::reader::{Place, ReadError, Span};

use super::error::Problem;

/// A text of manifests, and the file that it stands in.
#[derive(Clone, Debug)]
pub struct Excerpt {
    source: Arc<str>,
    text: Arc<str>,
    seat: Seat,
}

/// How places in an excerpt become places in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    /// The excerpt is the file.
    File,
    /// A block scalar: every line is one of the file, further down and indented.
    Block { lines: u32, columns: u32 },
    /// A string whose lines are not those of the file.
    Value(Span),
}

impl Excerpt {
    /// A file of its own.
    #[must_use]
    pub const fn file(source: Arc<str>, text: Arc<str>) -> Self {
        Self { source, text, seat: Seat::File }
    }

    /// `content` is the value of the string at `span` of a file.
    #[must_use]
    pub fn inside(source: Arc<str>, text: Arc<str>, span: Span, content: &str) -> Self {
        // The range of a block scalar starts at its header or at its first line that is not empty.
        let empty = content.lines().take_while(|line| line.is_empty()).count();
        let empty = u32::try_from(empty).unwrap_or(u32::MAX);
        let first = span.start.line.saturating_sub(1);
        let candidates = [first, span.start.line, first.saturating_sub(empty)];
        let seat = candidates.into_iter().find_map(|lines| block(&text, lines, content)).unwrap_or(Seat::Value(span));
        Self { source, text, seat }
    }

    /// Something that is wrong at a place of the excerpt, as the file has it.
    #[must_use]
    pub fn problem(&self, span: Option<Span>, path: String, message: String) -> Problem {
        let message = match (self.seat, span) {
            (Seat::Value(_), Some(inner)) => format!("{message} (line {} of the text)", inner.start.line),
            _ => message,
        };
        Problem {
            source: self.source.clone(),
            text: self.text.clone(),
            span: span.map(|span| self.place(span)),
            path,
            message,
            help: None,
            also: None,
        }
    }

    /// An error of the reader, as the file has it.
    #[must_use]
    pub fn read_problem(&self, error: ReadError) -> Problem {
        let ReadError { span, path, message, help, also, .. } = error;
        let also = also.filter(|_| !matches!(self.seat, Seat::Value(_)));
        let also = also.map(|(span, label)| (self.place(span), label));
        Problem { help, also, ..self.problem(Some(span), path, message) }
    }

    fn place(&self, inner: Span) -> Span {
        match self.seat {
            Seat::File => inner,
            Seat::Value(span) => span,
            Seat::Block { lines, columns } => {
                let shifted = |place: Place| Place {
                    line: place.line.saturating_add(lines),
                    column: place.column.saturating_add(columns),
                };
                Span { start: shifted(inner.start), end: shifted(inner.end) }
            }
        }
    }
}

/// The seat of a content whose first line follows `before` lines of the file, if its lines are there, equally indented.
fn block(text: &str, before: u32, content: &str) -> Option<Seat> {
    let mut columns: Option<usize> = None;
    let mut file = text.lines().skip(before as usize);
    for line in content.lines() {
        let there = file.next()?;
        if line.is_empty() && there.trim().is_empty() {
            continue;
        }
        let indent = there.strip_suffix(line)?;
        if indent.bytes().any(|byte| byte != b' ') || *columns.get_or_insert(indent.len()) != indent.len() {
            return None;
        }
    }
    let columns = u32::try_from(columns.filter(|columns| *columns > 0)?).ok()?;
    Some(Seat::Block { lines: before, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: u32, column: u32) -> Span {
        Span::at(Place { line, column })
    }

    fn place(text: &str, at: Span, content: &str, inner: Span) -> String {
        let problem = Excerpt::inside("s.yaml".into(), text.into(), at, content).problem(
            Some(inner),
            String::new(),
            "wrong".to_owned(),
        );
        problem.to_string()
    }

    #[test]
    fn lines_of_a_block_are_lines_of_the_file() {
        let text = "spec:\n  objects: |\n    kind: Pod\n\n    x: 1\n  seed: 1\n";
        for start in [span(2, 12), span(3, 5)] {
            assert_eq!(place(text, start, "kind: Pod\n\nx: 1\n", span(3, 4)), "s.yaml:5:8: wrong");
        }
    }

    #[test]
    fn other_strings_are_pointed_at_as_a_whole() {
        let text = "spec:\n  objects: \"kind: Pod\\nx: 1\\n\"\n";
        let whole = span(2, 12);
        assert_eq!(place(text, whole, "kind: Pod\nx: 1\n", span(2, 4)), "s.yaml:2:12: wrong (line 2 of the text)");
    }
}
