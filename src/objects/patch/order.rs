//! The order of merged lists: elements of the patch in the patch's order, the others where the live list has them.

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::go::{self, Kind};
use super::{DELETE, DIRECTIVE, PatchError};

/// What identifies an element of a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum ElementKey<'a> {
    /// A scalar is its own key.
    Whole,
    /// An object is known by one of its fields.
    Field(&'a str),
}

impl<'a> ElementKey<'a> {
    pub(super) fn new(kind: Kind, merge_key: &'a str) -> Self {
        if kind == Kind::Object { Self::Field(merge_key) } else { Self::Whole }
    }

    /// # Errors
    /// When the element is not an object or lacks the merge key.
    pub(super) fn of(self, element: &Value) -> Result<&Value, PatchError> {
        match self {
            Self::Whole => Ok(element),
            Self::Field(name) => merge_key_value(element, name),
        }
    }
}

/// # Errors
/// When the element is not an object or lacks the merge key.
pub(super) fn merge_key_value<'a>(element: &'a Value, merge_key: &str) -> Result<&'a Value, PatchError> {
    let Value::Object(map) = element else { return Err(not_a_map(element)) };
    map.get(merge_key).ok_or_else(|| PatchError::NoMergeKey { map: go::print(element), key: merge_key.to_owned() })
}

pub(super) fn not_a_map(value: &Value) -> PatchError {
    PatchError::BadType { expected: Kind::Object.go_type(), actual: Kind::of(value).go_type() }
}

/// Where in a list the first element with a key is.
#[derive(Debug, Default)]
pub(super) struct KeyIndex {
    ranks: FxHashMap<Value, usize>,
    /// How many elements the list has.
    len: usize,
    /// The first element that has no key, and why.
    fault: Option<(usize, PatchError)>,
    /// The Go type of an element that Go cannot compare.
    composite: Option<&'static str>,
}

impl KeyIndex {
    pub(super) fn new(list: &[Value], by: ElementKey<'_>) -> Self {
        let mut index = Self::default();
        for element in list {
            index.push(by.of(element));
        }
        index
    }

    pub(super) fn push(&mut self, key: Result<&Value, PatchError>) {
        match key {
            Ok(key) => {
                if go::is_composite(key) {
                    self.composite = Some(Kind::of(key).go_type());
                }
                if !self.ranks.contains_key(key) {
                    self.ranks.insert(key.clone(), self.len);
                }
            }
            Err(fault) => {
                self.fault.get_or_insert((self.len, fault));
            }
        }
        self.len += 1;
    }

    /// The first position of the key.
    ///
    /// # Errors
    /// When Go could not compare it.
    pub(super) fn rank(&self, key: &Value) -> Result<Option<usize>, PatchError> {
        if go::is_composite(key) && self.composite.is_some() {
            return Err(go::uncomparable(key));
        }
        Ok(self.ranks.get(key).copied())
    }

    /// As [`KeyIndex::rank`] for a search that stops at an element that is not an object.
    fn search(&self, key: &Value) -> Result<Option<usize>, PatchError> {
        let rank = self.rank(key)?;
        match &self.fault {
            Some((index, PatchError::BadType { .. })) if rank.is_none_or(|rank| rank > *index) => {
                Err(PatchError::ElementNotAMap { index: *index })
            }
            _ => Ok(rank),
        }
    }
}

/// Splits a merged list into the elements that `present` knows and the others.
///
/// # Errors
/// When an element has no usable key.
pub(super) fn partition(
    merged: Vec<Value>,
    present: &KeyIndex,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let by_value = merge_key.is_empty();
    if let (true, Some(ty)) = (by_value, present.composite) {
        return Err(go::unhashable(ty));
    }
    let (mut known, mut others) = (Vec::with_capacity(merged.len()), Vec::new());
    for element in merged {
        let found = if by_value {
            if go::is_composite(&element) {
                return Err(go::unhashable(Kind::of(&element).go_type()));
            }
            present.rank(&element)?
        } else {
            present.search(merge_key_value(&element, merge_key)?)?
        };
        if found.is_some() { known.push(element) } else { others.push(element) }
    }
    Ok((known, others))
}

/// Orders the patch's elements by `patch_order` and the others by `server_order`, then interleaves them: an element
/// known only to the server goes before the first element of the patch that follows it on the server.
///
/// # Errors
/// When an element of any list has no usable key.
pub(super) fn normalize(
    patch: Vec<Value>,
    server_only: Vec<Value>,
    patch_order: &KeyIndex,
    server_order: &KeyIndex,
    by: ElementKey<'_>,
) -> Result<Vec<Value>, PatchError> {
    let patch = sort_by_order(patch, patch_order, by)?;
    let server_only = sort_by_order(server_only, server_order, by)?;
    let rank = |element: &Value| by.of(element).and_then(|key| server_order.rank(key));
    let mut out = Vec::with_capacity(patch.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    for element in patch {
        let right = rank(&element)?;
        while let Some(other) = left.peek() {
            match (rank(other)?, right) {
                (Some(other), Some(right)) if other < right => out.extend(left.next()),
                _ => break,
            }
        }
        out.push(element);
    }
    out.extend(left);
    Ok(out)
}

/// Sorts by the position in `order`, deletions last.
///
/// # Errors
/// When an element of either list has no usable key.
pub(super) fn sort_by_order(list: Vec<Value>, order: &KeyIndex, by: ElementKey<'_>) -> Result<Vec<Value>, PatchError> {
    let mut ranked = Vec::with_capacity(list.len());
    let mut deletions = Vec::new();
    for element in list {
        let rank = order.rank(by.of(&element)?)?;
        if matches!(by, ElementKey::Field(_)) && element[DIRECTIVE] == DELETE {
            deletions.push(element);
        } else {
            ranked.push((rank, element));
        }
    }
    if let (ElementKey::Field(_), Some((_, fault))) = (by, &order.fault) {
        return Err(fault.clone());
    }
    sort_ranked(&mut ranked);
    Ok(ranked.into_iter().map(|(_, element)| element).chain(deletions).collect())
}

/// Upstream's comparator calls an element without a rank less than any other, whichever side it is on. The outcome then
/// depends on the algorithm; lists of up to twenty elements see insertion sort. Longer lists keep such elements last.
fn sort_ranked(list: &mut [(Option<usize>, Value)]) {
    let all_ranked = list.iter().all(|(rank, _)| rank.is_some());
    if all_ranked || list.len() > 20 {
        list.sort_by_key(|(rank, _)| rank.unwrap_or(usize::MAX));
        return;
    }
    let less = |a: Option<usize>, b: Option<usize>| a.zip(b).is_none_or(|(a, b)| a < b);
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && less(list[at].0, list[at - 1].0) {
            list.swap(at, at - 1);
            at -= 1;
        }
    }
}
