//! Field selectors: `kubectl --field-selector`, `fields.ParseSelector`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is no field selector, in upstream's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldSelectorError {
    /// A term without an operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    NoOperator {
        /// The whole text.
        selector: String,
        /// The term in question.
        term: String,
    },
    /// A backslash before a character that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A comma or equals sign in a value without a backslash.
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
}

/// A compiled field selector: equalities and inequalities that must all hold. Cheap to clone.
///
/// ```
/// use seatrial::objects::FieldSelector;
/// let selector: FieldSelector = "status.phase!=Running,metadata.name=a\\,b".parse()?;
/// assert_eq!(selector.to_string(), "metadata.name=a\\,b,status.phase!=Running");
/// assert!(selector.matches(|field| if field == "metadata.name" { "a,b" } else { "Pending" }));
/// # Ok::<(), seatrial::objects::FieldSelectorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldSelector(Arc<[Term]>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Term {
    field: Box<str>,
    equal: bool,
    value: Box<str>,
}

impl FieldSelector {
    /// Selects every object.
    #[must_use]
    pub fn everything() -> Self {
        Self(Arc::new([]))
    }

    /// Whether an object is selected; `field` gives its fields' values, empty for absent ones.
    pub fn matches<V: AsRef<str>>(&self, field: impl Fn(&str) -> V) -> bool {
        self.0.iter().all(|term| (field(&term.field).as_ref() == &*term.value) == term.equal)
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each term's field, whether it must be equal (or unequal), and the value.
    pub fn terms(&self) -> impl ExactSizeIterator<Item = (&str, bool, &str)> {
        self.0.iter().map(|term| (&*term.field, term.equal, &*term.value))
    }

    /// The value that `field` must have, if a term says so.
    #[must_use]
    pub fn required_value(&self, field: &str) -> Option<&str> {
        self.terms().find(|&(name, equal, _)| equal && name == field).map(|(_, _, value)| value)
    }
}

impl Default for FieldSelector {
    fn default() -> Self {
        Self::everything()
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;
    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::with_capacity(parts.len());
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let (field, equal, value) = split_term(part)
                .ok_or_else(|| FieldSelectorError::NoOperator { selector: text.to_owned(), term: part.to_owned() })?;
            let value = unescape(value)?;
            if !(field.is_empty() && value.is_empty()) {
                terms.push(Term { field: field.into(), equal, value: value.into() });
            }
        }
        Ok(Self(terms.into()))
    }
}

/// Cuts at the commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    })
    .collect()
}

fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    let at = term.match_indices('=').next()?.0;
    if let Some(field) = term[..at].strip_suffix('!') {
        return Some((field, false, &term[at + 1..]));
    }
    let value = &term[at + 1..];
    Some((&term[..at], true, value.strip_prefix('=').unwrap_or(value)))
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return Err(FieldSelectorError::Escape(format!("\\{c}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => out.push(c),
        }
    }
    Ok(out)
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.0.iter().enumerate() {
            let separator = if at > 0 { "," } else { "" };
            write!(f, "{separator}{}{}", term.field, if term.equal { "=" } else { "!=" })?;
            for c in term.value.chars() {
                if matches!(c, '\\' | ',' | '=') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
