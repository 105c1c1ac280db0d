//! YAML text to trees.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::build::Builder;
use super::error::{ReadError, ReadErrorKind, Sink};
use super::limits::Limit;
use super::scalar::{Scalar, resolve_plain, resolve_tagged};
use super::span::{Place, Span};

/// Reads every document, the ones after a broken one too. `on_document` finds the finished tree in the builder.
pub(super) fn read<'t>(builder: &mut Builder<'t>, on_document: &mut dyn FnMut(&mut Builder<'t>)) {
    let text = builder.sink.text;
    if let Some(error) = unprintable(text, &builder.sink) {
        builder.sink.push(*error);
        return;
    }
    let depth = builder.sink.limits.depth() + 1;
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut reader = YamlReader { separator: None };
    while let Some(event) = parser.next() {
        let result = match event {
            Ok((Event::DocumentEnd, _)) => {
                if builder.finish() {
                    on_document(builder);
                }
                builder.abandon();
                if builder.sink.is_full() {
                    return;
                }
                Ok(())
            }
            Ok((event, span)) => reader.event(builder, event, &span),
            Err(error) => Err(syntax_error(&error, &builder.sink)),
        };
        let Err(error) = result else { continue };
        let ends_input = matches!(error.kind, ReadErrorKind::Limit(limit) if limit != Limit::Depth);
        builder.sink.push(*error);
        builder.abandon();
        if ends_input || builder.sink.is_full() || !matches!(parser.proceed_next_document(), Ok(true)) {
            return;
        }
    }
}

struct YamlReader {
    /// The line of the `---` before a document that has no node yet.
    separator: Option<u32>,
}

impl YamlReader {
    fn event<'t>(
        &mut self,
        builder: &mut Builder<'t>,
        event: Event<'t>,
        span: &granit_parser::Span,
    ) -> Result<(), Box<ReadError>> {
        let span = convert(span);
        if event.is_node() {
            self.check_separator(builder, span)?;
        }
        match event {
            Event::DocumentStart(explicit, _) => {
                self.separator = explicit.then_some(span.start.line);
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => scalar(builder, text, style, anchor, tag.as_deref(), span),
            Event::SequenceStart(_, anchor, _) => builder.open(false, span, anchor),
            Event::MappingStart(_, anchor, _) => builder.open(true, span, anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                builder.close((!span.is_empty()).then_some(span.end));
                Ok(())
            }
            Event::Alias(anchor) => builder.alias(anchor, span),
            Event::UnresolvedAlias(name) => {
                let message = format!("there is no anchor \"&{name}\" before this alias");
                Err(builder.sink.error(span, ReadErrorKind::Alias, message))
            }
            _ => Ok(()),
        }
    }

    /// kubectl splits the text at lines that start with `---` and takes nothing but a comment behind it.
    fn check_separator(&mut self, builder: &Builder<'_>, span: Span) -> Result<(), Box<ReadError>> {
        let same_line = self.separator.take() == Some(span.start.line) && span != Span::at(span.start);
        let text = || span.slice_line(builder.sink.text).unwrap_or_default();
        if same_line && !text().is_empty() {
            let error = builder.sink.error(span, ReadErrorKind::Syntax, "nothing may follow `---` on its line");
            return Err(error.with_help("start the document on the next line".to_owned()));
        }
        Ok(())
    }
}

fn scalar<'t>(
    builder: &mut Builder<'t>,
    text: Cow<'t, str>,
    style: ScalarStyle,
    anchor: usize,
    tag: Option<&Tag>,
    span: Span,
) -> Result<(), Box<ReadError>> {
    let is_plain = style == ScalarStyle::Plain;
    // The parser writes a missing value as `~`.
    let text = if is_plain && span.is_empty() { Cow::Borrowed("") } else { text };
    let Some(tag) = tag else {
        if !is_plain {
            return builder.scalar(Scalar::Str(text), span, anchor);
        }
        if text == "<<" && builder.expects_key() {
            return builder.merge_key(span);
        }
        return builder.scalar(resolve_plain(text), span, anchor);
    };
    let value = match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(suffix) if suffix == "merge" && text == "<<" && builder.expects_key() => return builder.merge_key(span),
        Some(suffix) => resolve_tagged(&suffix, text).unwrap_or_else(|message| {
            let error = builder.sink.error(span, ReadErrorKind::InvalidValue, message);
            builder.report_next(error);
            Scalar::Null
        }),
        None => Scalar::Str(text),
    };
    builder.scalar(value, span, anchor)
}

fn convert(span: &granit_parser::Span) -> Span {
    Span { start: place(&span.start), end: place(&span.end) }
}

fn place(mark: &Marker) -> Place {
    Place::new(mark.line(), mark.col() + 1)
}

/// The first character that YAML does not allow in a text.
fn unprintable(text: &str, sink: &Sink<'_>) -> Option<Box<ReadError>> {
    let is_suspect =
        |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || matches!(byte, 0x7f | 0xc2 | 0xef);
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|&byte| is_suspect(byte)) {
        let at = from + offset;
        let character = text[at..].chars().next()?;
        if !matches!(character, '\u{85}' | '\u{a0}'..='\u{fffd}') {
            let before = &text[..at];
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
            let span = Span::at(Place::new(line, before[line_start..].chars().count() + 1));
            let message = format!("control characters are not allowed: U+{:04X}", u32::from(character));
            return Some(sink.error(span, ReadErrorKind::Syntax, message));
        }
        from = at + character.len_utf8();
    }
    None
}

fn syntax_error(error: &ScanError, sink: &Sink<'_>) -> Box<ReadError> {
    let span = Span::at(place(error.marker()));
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return sink.over(Limit::Depth, span);
    }
    let (message, help) = explain(error.kind());
    let message = match (error.kind(), message) {
        (_, Some(message)) => message.to_owned(),
        (ErrorKind::UnexpectedCharacter { character }, None) => format!("a value cannot start with `{character}`"),
        (kind, None) => kind.to_string(),
    };
    sink.error(span, ReadErrorKind::Syntax, message).with_help(help.map(str::to_owned))
}

/// Plainer words for the errors that people meet, and what to do about them.
fn explain(kind: &ErrorKind) -> (Option<&'static str>, Option<&'static str>) {
    const INDENT: &str = "the keys of a mapping start in the same column";
    const QUOTE: &str =
        "a value that contains `: ` needs quotes; a key on the next line needs the indentation of its mapping";
    match kind {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
            (Some("a tab where YAML wants spaces"), Some("indent with spaces"))
        }
        ErrorKind::MappingValueNotAllowed => (Some("a `:` that starts no value here"), Some(QUOTE)),
        ErrorKind::InvalidColonPlacement => {
            (Some("a `:` that starts no value here"), Some("is a bracket above not closed?"))
        }
        ErrorKind::ExpectedBlockMappingKey => (Some("expected a key of the mapping"), Some(INDENT)),
        ErrorKind::ExpectedBlockSequenceEntry => {
            (Some("expected the next `- ` of the list"), Some("the items of a list start in the same column"))
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            (Some("expected `:` after the key"), Some("write `key: value`, with a space after the colon"))
        }
        ErrorKind::UnclosedQuotedScalar => (Some("the quoted text does not end"), Some("add the closing quote")),
        ErrorKind::InvalidQuotedScalarIndent => {
            (Some("a quoted text goes on with too little indentation"), Some("is the closing quote missing?"))
        }
        ErrorKind::InvalidIndentation => (Some("wrong indentation"), Some(INDENT)),
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => {
            (Some("expected `,` or `]`"), None)
        }
        ErrorKind::UnexpectedEofFlowMapping | ErrorKind::ExpectedFlowMappingSeparator => {
            (Some("expected `,` or `}`"), None)
        }
        ErrorKind::UnexpectedCharacter { .. } => (None, Some("put the value in quotes")),
        _ => (None, None),
    }
}
