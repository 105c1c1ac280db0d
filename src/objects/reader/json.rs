//! JSON text to trees: one document or a stream of them.

use std::borrow::Cow;

use super::build::Builder;
use super::error::{ReadError, ReadErrorKind};
use super::scalar::Scalar;
use super::span::{Place, Span};

/// Whether a text starts as a JSON object does.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// Reads every document up to the first error. `on_document` finds the finished tree in the builder.
pub(super) fn read<'t>(builder: &mut Builder<'t>, on_document: &mut dyn FnMut(&mut Builder<'t>)) {
    let mut reader = JsonReader::new(builder.sink.text);
    while reader.skip_space() {
        if let Err(error) = reader.document(builder) {
            builder.sink.push(*error);
            return;
        }
        if builder.finish() {
            on_document(builder);
        }
        builder.abandon();
        if builder.sink.is_full() {
            return;
        }
    }
}

struct JsonReader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// A byte offset and its place; places are counted from here.
    mark: usize,
    place: Place,
    /// The open brackets' kinds, innermost last: true for an object.
    open: Vec<bool>,
}

impl<'t> JsonReader<'t> {
    fn new(text: &'t str) -> Self {
        let at = text.len() - text.trim_start_matches('\u{feff}').len();
        JsonReader { text, bytes: text.as_bytes(), at, mark: at, place: Place::START, open: Vec::new() }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) -> bool {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.at < self.bytes.len()
    }

    /// The place of the current byte. Asked for in order of the text only.
    fn here(&mut self) -> Place {
        for &byte in &self.bytes[self.mark..self.at] {
            if byte == b'\n' {
                self.place = Place { line: self.place.line.saturating_add(1), column: 1 };
            } else if byte & 0xc0 != 0x80 {
                self.place.column = self.place.column.saturating_add(1);
            }
        }
        self.mark = self.at;
        self.place
    }

    fn error(&mut self, builder: &Builder<'_>, expected: &str) -> Box<ReadError> {
        let found = match self.text[self.at..].chars().next() {
            Some(character) if character.is_control() => format!("`{}`", character.escape_debug()),
            Some(character) => format!("`{character}`"),
            None => "the end of the text".to_owned(),
        };
        let span = Span::at(self.here());
        builder.sink.error(span, ReadErrorKind::Syntax, format!("expected {expected}, got {found}"))
    }

    fn document(&mut self, builder: &mut Builder<'t>) -> Result<(), Box<ReadError>> {
        self.open.clear();
        loop {
            self.value(builder)?;
            if self.after_value(builder)? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar, or the opening bracket of a collection.
    fn value(&mut self, builder: &mut Builder<'t>) -> Result<(), Box<ReadError>> {
        loop {
            self.skip_space();
            let start = self.here();
            let is_object = match self.peek() {
                Some(b'{') => true,
                Some(b'[') => false,
                _ => return self.scalar(builder, start),
            };
            self.at += 1;
            let span = Span { start, end: self.here() };
            builder.open(is_object, span, 0)?;
            self.open.push(is_object);
            self.skip_space();
            match self.peek() {
                Some(b'}') if is_object => return Ok(()),
                Some(b']') if !is_object => return Ok(()),
                _ if is_object => self.key(builder)?,
                _ => {}
            }
        }
    }

    /// Closes brackets and goes to the next value; true at the end of the document.
    fn after_value(&mut self, builder: &mut Builder<'t>) -> Result<bool, Box<ReadError>> {
        loop {
            let Some(&is_object) = self.open.last() else { return Ok(true) };
            self.skip_space();
            match (self.peek(), is_object) {
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    builder.close(Some(self.here()));
                    self.open.pop();
                }
                (Some(b','), _) => {
                    self.at += 1;
                    self.skip_space();
                    if is_object {
                        self.key(builder)?;
                    }
                    return Ok(false);
                }
                (_, true) => return Err(self.error(builder, "`,` or `}`")),
                (_, false) => return Err(self.error(builder, "`,` or `]`")),
            }
        }
    }

    fn key(&mut self, builder: &mut Builder<'t>) -> Result<(), Box<ReadError>> {
        if self.peek() != Some(b'"') {
            return Err(self.error(builder, "a key in double quotes"));
        }
        let start = self.here();
        let text = self.string(builder)?;
        builder.scalar(Scalar::Str(text), Span { start, end: self.here() }, 0)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.error(builder, "`:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self, builder: &mut Builder<'t>, start: Place) -> Result<(), Box<ReadError>> {
        let value = match self.peek() {
            Some(b'"') => Scalar::Str(self.string(builder)?),
            Some(b'-' | b'0'..=b'9') => self.number(builder)?,
            Some(b't') => self.word(builder, "true", Scalar::Bool(true))?,
            Some(b'f') => self.word(builder, "false", Scalar::Bool(false))?,
            Some(b'n') => self.word(builder, "null", Scalar::Null)?,
            _ => return Err(self.error(builder, "a value")),
        };
        let span = Span { start, end: self.here() };
        builder.scalar(value, span, 0)
    }

    fn word(&mut self, builder: &Builder<'t>, word: &str, value: Scalar<'t>) -> Result<Scalar<'t>, Box<ReadError>> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error(builder, "a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self, builder: &Builder<'t>) -> Result<(), Box<ReadError>> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error(builder, "a digit"));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self, builder: &Builder<'t>) -> Result<Scalar<'t>, Box<ReadError>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits(builder)?;
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits(builder)?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits(builder)?;
        }
        let text = &self.text[start..self.at];
        if is_integer {
            if let Ok(value) = text.parse() {
                return Ok(Scalar::Int(value));
            }
            if let Ok(value) = text.parse() {
                return Ok(Scalar::UInt(value));
            }
        }
        Ok(Scalar::Float(text.parse().unwrap_or(f64::INFINITY)))
    }

    fn string(&mut self, builder: &Builder<'t>) -> Result<Cow<'t, str>, Box<ReadError>> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut from = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let tail = &self.text[from..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        Some(head) => Cow::Owned(head + tail),
                        None => Cow::Borrowed(tail),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    let character = self.escape(builder)?;
                    text.push(character);
                    from = self.at;
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.error(builder, "the closing `\"`")),
            }
        }
    }

    /// The character of an escape; halves of surrogate pairs become U+FFFD, as in Go.
    fn escape(&mut self, builder: &Builder<'t>) -> Result<char, Box<ReadError>> {
        let simple = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(builder);
            }
            Some(byte @ (b'"' | b'\\' | b'/')) => byte.into(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.error(builder, "an escape that JSON knows")),
        };
        self.at += 1;
        Ok(simple)
    }

    fn unicode_escape(&mut self, builder: &Builder<'t>) -> Result<char, Box<ReadError>> {
        let Some(first) = self.hex4() else { return Err(self.error(builder, "four hexadecimal digits")) };
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.bytes[self.at..].starts_with(b"\\u") {
            self.at += 2;
            if let Some(second @ 0xdc00..0xe000) = self.hex4() {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let code = digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))?;
        self.at += 4;
        Some(code)
    }
}
