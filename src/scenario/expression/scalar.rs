//! Values of expressions.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::objects::Quantity;
use crate::scenario::traffic::facts::decimal;

use super::{Comparison, ONE};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scenario) enum Scalar {
    /// Of what is not there.
    Null,
    Truth(bool),
    /// In billionths.
    Number(i128),
    Text(Arc<str>),
    /// A list or a map, which equals nothing; how many items or fields it has.
    Many(usize),
}

impl Scalar {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Truth(*truth),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Number(i128::from(whole) * ONE),
                None => Self::Text(number.to_string().into()),
            },
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(items) => Self::Many(items.len()),
            Value::Object(fields) => Self::Many(fields.len()),
        }
    }

    /// As a number in billionths: of a text, the quantity that it is, such as `500m` or `8Gi`.
    pub(super) fn number(&self) -> Option<i128> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => {
                let quantity = Quantity::parse(text).ok()?;
                // Below a billion, thousandths count.
                if quantity.value().unsigned_abs() < 1_000_000_000 {
                    Some(i128::from(quantity.milli_value()) * (ONE / 1000))
                } else {
                    Some(i128::from(quantity.value()) * ONE)
                }
            }
            Self::Null | Self::Truth(_) | Self::Many(_) => None,
        }
    }

    /// Nothing is smaller or greater than what it cannot be compared with.
    pub(super) fn compare(&self, comparison: Comparison, other: &Self) -> bool {
        let order = match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Number(_), Self::Text(_)) | (Self::Text(_), Self::Number(_)) => {
                self.number().zip(other.number()).map(|(a, b)| a.cmp(&b))
            }
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Truth(a), Self::Truth(b)) if a == b => Some(Ordering::Equal),
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            _ => None,
        };
        match comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::NotEqual => order != Some(Ordering::Equal),
            Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
            Comparison::AtMost => order.is_some_and(Ordering::is_le),
            Comparison::More => order.is_some_and(Ordering::is_gt),
            Comparison::Less => order.is_some_and(Ordering::is_lt),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Truth(truth) => write!(f, "{truth}"),
            Self::Number(number) => f.write_str(&decimal(*number)),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Many(1) => f.write_str("(1 entry)"),
            Self::Many(count) => write!(f, "({count} entries)"),
        }
    }
}
