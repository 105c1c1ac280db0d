//! `--sort-by` (upstream `sorter.go`).

use std::cmp::Ordering;

use serde_json::Value;

use crate::objects::{Object, Quantity};
use crate::report::jsonpath::{JsonPath, compare};
use crate::report::query::Selected;

use super::GetError;

/// Sorts the objects of each group by a field; those without it come first.
pub(super) fn sort(selected: &mut Selected, field: &str) -> Result<(), GetError> {
    let path = JsonPath::relaxed(field)?;
    for (_, objects) in &mut selected.groups {
        let value = |object: &Object| Ok(path.find(&object.to_wire())?.into_iter().flatten().next());
        let keys: Result<Vec<Option<Value>>, GetError> = objects.iter().map(value).collect();
        let keys = keys?;
        if keys.iter().all(Option::is_none) {
            return Err(GetError::SortField(field.to_owned()));
        }
        let mut keyed: Vec<(Option<Value>, Object)> = keys.into_iter().zip(objects.drain(..)).collect();
        keyed.sort_by(|(left, _), (right, _)| order(left.as_ref(), right.as_ref()));
        objects.extend(keyed.into_iter().map(|(_, object)| object));
    }
    Ok(())
}

/// Texts that are quantities are compared as such; other values by their text.
fn order(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    let (Some(left), Some(right)) = (left, right) else { return left.is_some().cmp(&right.is_some()) };
    if let (Value::String(left), Value::String(right)) = (left, right)
        && let (Ok(left), Ok(right)) = (left.parse::<Quantity>(), right.parse::<Quantity>())
    {
        return left.cmp(&right);
    }
    compare(left, right).unwrap_or_else(|| left.to_string().cmp(&right.to_string()))
}
