//! Places and ranges in a source text.

use std::fmt;

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The first character of a text.
    pub const START: Place = Place { line: 1, column: 1 };

    /// A place from 1-based numbers; what does not fit saturates.
    pub(super) fn new(line: usize, column: usize) -> Self {
        let fit = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: fit(line), column: fit(column) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A half-open range of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first character.
    pub start: Place,
    /// One past the last character.
    pub end: Place,
}

impl Span {
    /// An empty range.
    pub fn at(place: Place) -> Self {
        Span { start: place, end: place }
    }

    /// Whether the range holds no character.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The text of a range that lies on one line.
    pub fn slice_line(self, text: &str) -> Option<&str> {
        if self.start.line != self.end.line {
            return None;
        }
        let line = text.lines().nth(self.start.line as usize - 1)?;
        let line = if self.start.line == 1 { line.trim_start_matches('\u{feff}') } else { line };
        let byte_of = |column: u32| match column as usize - 1 {
            0 => Some(0),
            n => line.char_indices().nth(n - 1).map(|(at, c)| at + c.len_utf8()),
        };
        line.get(byte_of(self.start.column)?..byte_of(self.end.column)?)
    }
}
