//! How a text is written: plain, in quotes, or line by line.

use super::Emitter;
use crate::objects::reader::is_plain_string;

/// Columns after which a line is broken at the next blank.
const WIDTH: usize = 80;
/// What YAML gives a meaning at the beginning of a scalar.
const INDICATORS: [char; 15] = ['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@'];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Emitter {
    pub(super) fn key(&mut self, text: &str) {
        match style(text) {
            Style::Plain => self.put(text),
            Style::Single => self.single(text, None),
            Style::Double | Style::Literal => self.double(text, None),
        }
    }

    /// `indent`: of the lines after the first.
    pub(super) fn string(&mut self, text: &str, indent: usize) {
        match style(text) {
            Style::Plain => self.folded(text, Some(indent)),
            Style::Single => self.single(text, Some(indent)),
            Style::Double => self.double(text, Some(indent)),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn single(&mut self, text: &str, indent: Option<usize>) {
        self.put("'");
        self.folded(&text.replace('\'', "''"), indent);
        self.put("'");
    }

    /// Breaks lines at single blanks.
    fn folded(&mut self, text: &str, indent: Option<usize>) {
        let (mut after_blank, mut characters) = (false, text.chars().peekable());
        while let Some(character) = characters.next() {
            let is_blank = character == ' ';
            let is_single = is_blank && !after_blank && characters.peek().is_some_and(|next| *next != ' ');
            match indent {
                Some(indent) if is_single && self.column > WIDTH => self.line(indent),
                _ => self.put(character.encode_utf8(&mut [0; 4])),
            }
            after_blank = is_blank;
        }
    }

    fn double(&mut self, text: &str, indent: Option<usize>) {
        self.put("\"");
        let (mut after_blank, mut characters) = (true, text.chars().peekable());
        while let Some(character) = characters.next() {
            match (character, indent, characters.peek()) {
                (' ', Some(indent), Some(next)) if !after_blank && self.column > WIDTH => {
                    let escapes_next = *next == ' ';
                    self.line(indent);
                    if escapes_next {
                        self.put("\\");
                    }
                }
                _ => self.put(&escaped(character)),
            }
            after_blank = character == ' ';
        }
        self.put("\"");
    }

    /// The lines as they are, below a header that says how they end.
    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        let body = text.strip_suffix('\n');
        match body {
            None => self.put("-"),
            Some(body) if body.is_empty() || body.ends_with('\n') => self.put("+"),
            Some(_) => {}
        }
        for line in body.unwrap_or(text).split('\n') {
            self.line(if line.is_empty() { 0 } else { indent });
            self.put(line);
        }
    }
}

/// Upstream `stringv`, `yaml_emitter_analyze_scalar` and `yaml_emitter_select_scalar_style`.
fn style(text: &str) -> Style {
    let has_lines = text.contains('\n');
    let is_ambiguous = !has_lines && !is_plain_string(text);
    if is_ambiguous || !text.chars().all(is_printable) || text.contains(" \n") {
        return Style::Double;
    }
    if has_lines {
        return if text.ends_with(' ') { Style::Double } else { Style::Literal };
    }
    if text.starts_with(' ') || text.ends_with(' ') || has_indicators(text) { Style::Single } else { Style::Plain }
}

fn has_indicators(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") || text.starts_with(INDICATORS) || text.starts_with('`') {
        return true;
    }
    if matches!(text, "?" | ":" | "-") || ["? ", ": ", "- "].iter().any(|start| text.starts_with(start)) {
        return true;
    }
    text.contains(": ") || text.ends_with(':') || text.contains(" #")
}

/// What may stand in a text as it is.
const fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        && !matches!(character, '\u{FEFF}' | '\u{2028}' | '\u{2029}')
}

fn escaped(character: char) -> String {
    match character {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{B}' => "\\v".to_owned(),
        '\u{C}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1B}' => "\\e".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        other if is_printable(other) => other.to_string(),
        other => match u32::from(other) {
            code @ ..=0xFF => format!("\\x{code:02X}"),
            code @ ..=0xFFFF => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}
