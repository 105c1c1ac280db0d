//! One condition on one label.

use std::fmt;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::SelectorError;
use crate::objects::Labels;
use crate::objects::names::{self, Complaints, quoted};

/// How a requirement's values relate to a label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key=value`
    Equals,
    /// `key==value`, the same but written differently.
    DoubleEquals,
    /// `key!=value`; also true of objects without the label.
    NotEquals,
    /// `key in (a,b)`
    In,
    /// `key notin (a,b)`; also true of objects without the label.
    NotIn,
    /// `key`
    Exists,
    /// `!key`
    DoesNotExist,
    /// `key>5`: both are integers.
    GreaterThan,
    /// `key<5`: both are integers.
    LessThan,
}

/// The values of a requirement; nearly always one.
pub(super) type Values = SmallVec<[Arc<str>; 1]>;

/// A condition on the label `key`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: Arc<str>,
    operator: Operator,
    values: Values,
    /// The integer that `GreaterThan` and `LessThan` compare with.
    bound: i64,
}

impl Requirement {
    /// A requirement whose parts are valid.
    ///
    /// # Errors
    /// All that is wrong with key, number of values and values, in one text as upstream joins it.
    pub fn new(
        key: impl Into<Arc<str>>,
        operator: Operator,
        values: impl IntoIterator<Item = impl Into<Arc<str>>>,
    ) -> Result<Self, SelectorError> {
        let key = key.into();
        let values: Values = values.into_iter().map(Into::into).collect();
        let mut errors = Vec::new();
        invalid("key", &key, &names::label_key(&key), &mut errors);
        if let Some(complaint) = wrong_count(operator, values.len()) {
            errors.push(format!("values: Invalid value: {}: {complaint}", json_list(&values)));
        }
        let mut bound = 0;
        if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
            for (at, value) in values.iter().enumerate() {
                match value.parse() {
                    Ok(integer) => bound = integer,
                    Err(_) => {
                        let complaint = "for 'Gt', 'Lt' operators, the value must be an integer";
                        errors.push(format!("values[{at}]: Invalid value: {}: {complaint}", quoted(value)));
                    }
                }
            }
        }
        for (at, value) in values.iter().enumerate() {
            invalid(&format!("values[{at}][{key}]"), value, &names::label_value(value), &mut errors);
        }
        aggregate(errors)?;
        Ok(Self { key, operator, values, bound })
    }

    /// `key=value`, not validated.
    #[must_use]
    pub fn equality(key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), operator: Operator::Equals, values: smallvec![value.into()], bound: 0 }
    }

    /// The label's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The relation.
    #[must_use]
    pub const fn operator(&self) -> Operator {
        self.operator
    }

    /// The values, in the order they were given.
    #[must_use]
    pub fn values(&self) -> &[Arc<str>] {
        &self.values
    }

    /// Whether a set of labels fulfils it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => value.is_some_and(|value| self.has(value)),
            Operator::NotEquals | Operator::NotIn => value.is_none_or(|value| !self.has(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => integer(value).is_some_and(|value| value > self.bound),
            Operator::LessThan => integer(value).is_some_and(|value| value < self.bound),
        }
    }

    pub(super) fn is_equality(&self) -> bool {
        self.operator == Operator::Equals && self.values.len() == 1
    }

    /// As [`Self::matches`], for a requirement that [`Self::is_equality`].
    pub(super) fn matches_equality(&self, labels: &Labels) -> bool {
        labels.get(&self.key) == Some(&*self.values[0])
    }

    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|candidate| **candidate == *value)
    }
}

fn integer(value: Option<&str>) -> Option<i64> {
    value?.parse().ok()
}

fn wrong_count(operator: Operator, values: usize) -> Option<&'static str> {
    match operator {
        Operator::In | Operator::NotIn if values == 0 => Some("for 'in', 'notin' operators, values set can't be empty"),
        Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values != 1 => {
            Some("exact-match compatibility requires one single value")
        }
        Operator::Exists | Operator::DoesNotExist if values != 0 => {
            Some("values set must be empty for exists and does not exist")
        }
        Operator::GreaterThan | Operator::LessThan if values != 1 => {
            Some("for 'Gt', 'Lt' operators, exactly one value is required")
        }
        _ => None,
    }
}

fn invalid(path: &str, value: &str, complaints: &Complaints, errors: &mut Vec<String>) {
    if !complaints.is_empty() {
        errors.push(format!("{path}: Invalid value: {}: {}", quoted(value), complaints.join("; ")));
    }
}

/// A list as Go encodes it in JSON; an empty one comes from a nil slice.
fn json_list(values: &[Arc<str>]) -> String {
    if values.is_empty() {
        return "null".into();
    }
    let text = serde_json::to_string(values).unwrap_or_default();
    // Go escapes what could end a script element.
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Joins errors as upstream's aggregates do: equal ones once, several in brackets.
fn aggregate(mut errors: Vec<String>) -> Result<(), SelectorError> {
    let mut seen = Vec::with_capacity(errors.len());
    errors.retain(|error| {
        let new = !seen.contains(error);
        if new {
            seen.push(error.clone());
        }
        new
    });
    match &*errors {
        [] => Ok(()),
        [one] => Err(SelectorError(one.clone())),
        several => Err(SelectorError(format!("[{}]", several.join(", ")))),
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = match self.operator {
            Operator::Exists => return f.write_str(&self.key),
            Operator::DoesNotExist => return write!(f, "!{}", self.key),
            Operator::Equals => ("=", ""),
            Operator::DoubleEquals => ("==", ""),
            Operator::NotEquals => ("!=", ""),
            Operator::In => (" in (", ")"),
            Operator::NotIn => (" notin (", ")"),
            Operator::GreaterThan => (">", ""),
            Operator::LessThan => ("<", ""),
        };
        write!(f, "{}{before}", self.key)?;
        if let [value] = &*self.values {
            f.write_str(value)?;
        } else {
            let mut sorted: Vec<&str> = self.values.iter().map(|value| &**value).collect();
            sorted.sort_unstable();
            f.write_str(&sorted.join(","))?;
        }
        f.write_str(after)
    }
}
