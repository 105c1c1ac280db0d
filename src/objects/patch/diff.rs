//! Strategic merge patches computed from documents: two-way, and `kubectl apply`'s three-way.

use rustc_hash::FxHashSet;
use serde_json::{Map, Value};

use super::go::{self, Kind};
use super::meta::Schema;
use super::order::{self, ElementKey, KeyIndex};
use super::strategic::{self, Mode, Object};
use super::{DELETE, DELETE_FROM_LIST, DIRECTIVE, PatchError, RETAIN_KEYS, SET_ORDER};

/// Which differences go into the patch.
#[derive(Debug, Clone, Copy)]
struct Options {
    changes: bool,
    deletions: bool,
    retain_keys: bool,
}

const EVERYTHING: Options = Options { changes: true, deletions: true, retain_keys: false };

/// The patch that turns `original` into `modified`.
pub(super) fn two_way(original: &Object, modified: &Object, schema: Schema) -> Result<Object, PatchError> {
    diff_objects(original, modified, schema, EVERYTHING)
}

/// The changes from `current` to `modified`, and the deletions from `original` to `modified`.
pub(super) fn three_way(
    original: &Object,
    modified: &Object,
    current: &Object,
    schema: Schema,
) -> Result<Object, PatchError> {
    let delta = diff_objects(current, modified, schema, Options { deletions: false, ..EVERYTHING })?;
    let deletions = diff_objects(original, modified, schema, Options { changes: false, ..EVERYTHING })?;
    strategic::merge_object(deletions, delta, schema, Mode::Combine)
}

fn diff_objects(original: &Object, modified: &Object, schema: Schema, options: Options) -> Result<Object, PatchError> {
    let mut patch = Map::new();
    for (key, new) in modified {
        match original.get(key) {
            Some(Value::String(old)) if key == DIRECTIVE => match new {
                Value::String(new) if new == old => {}
                Value::String(_) => set(&mut patch, key, new),
                _ => return Err(PatchError::DirectiveNotAString),
            },
            Some(_) if key == DIRECTIVE => return Err(PatchError::DirectiveNotAString),
            Some(Value::Object(old)) if let Value::Object(new) = new => {
                diff_object_field(key, old, new, &mut patch, schema, options)?;
            }
            Some(Value::Array(old)) if let Value::Array(new) = new => {
                diff_list_field(key, old, new, &mut patch, schema, options)?;
            }
            Some(old) if old == new => {}
            _ if options.changes => set(&mut patch, key, new),
            _ => {}
        }
    }
    if options.deletions {
        for key in original.keys().filter(|key| !modified.contains_key(*key)) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    if options.retain_keys {
        add_retain_keys(original, modified, &mut patch);
    }
    Ok(patch)
}

fn set(patch: &mut Object, key: &str, value: &Value) {
    patch.insert(key.to_owned(), value.clone());
}

/// Lists the keys that stay, when anything changes or goes.
fn add_retain_keys(original: &Object, modified: &Object, patch: &mut Object) {
    let kept: Vec<Value> =
        modified.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| Value::from(key.as_str())).collect();
    let leaves_some = original.iter().any(|(key, value)| !value.is_null() && !modified.contains_key(key));
    if !kept.is_empty() && (!patch.is_empty() || leaves_some) {
        patch.insert(RETAIN_KEYS.to_owned(), Value::Array(kept));
    }
}

fn diff_object_field(
    key: &str,
    old: &Object,
    new: &Object,
    patch: &mut Object,
    schema: Schema,
    options: Options,
) -> Result<(), PatchError> {
    let (field, meta) = match schema.object(key) {
        Ok(found) => found,
        // A field without metadata is no fault while it does not change.
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if meta.strategy.replace {
        // Sent even when equal, as upstream does.
        if options.changes {
            patch.insert(key.to_owned(), Value::Object(new.clone()));
        }
        return Ok(());
    }
    let options = Options { retain_keys: meta.strategy.retain_keys, ..options };
    let inner = diff_objects(old, new, field, options)?;
    if !inner.is_empty() {
        patch.insert(key.to_owned(), Value::Object(inner));
    }
    Ok(())
}

fn diff_list_field(
    key: &str,
    old: &[Value],
    new: &[Value],
    patch: &mut Object,
    schema: Schema,
    options: Options,
) -> Result<(), PatchError> {
    let (element, meta) = match schema.list(key) {
        Ok(found) => found,
        Err(_) if old == new => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.strategy.merge {
        if options.changes && old != new {
            patch.insert(key.to_owned(), Value::Array(new.to_vec()));
        }
        return Ok(());
    }
    let options = Options { retain_keys: meta.strategy.retain_keys, ..options };
    let diff = diff_lists(old, new, element, meta.merge_key, options)?;
    for (prefix, list) in [("", diff.patch), (DELETE_FROM_LIST, diff.deletions), (SET_ORDER, diff.order)] {
        if !list.is_empty() {
            let name = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
            patch.insert(name, Value::Array(list));
        }
    }
    Ok(())
}

/// The parallel lists that patch a merging list.
#[derive(Default)]
struct ListDiff {
    patch: Vec<Value>,
    deletions: Vec<Value>,
    order: Vec<Value>,
}

fn diff_lists(
    old: &[Value],
    new: &[Value],
    schema: Schema,
    merge_key: &str,
    options: Options,
) -> Result<ListDiff, PatchError> {
    if old.is_empty() {
        let patch = if options.changes { new.to_vec() } else { Vec::new() };
        return Ok(ListDiff { patch, ..ListDiff::default() });
    }
    match go::element_kind(&[old, new])? {
        Kind::Object => diff_lists_of_objects(old, new, schema, merge_key, options),
        _ => diff_lists_of_scalars(old, new, options),
    }
}

fn diff_lists_of_scalars(old: &[Value], new: &[Value], options: Options) -> Result<ListDiff, PatchError> {
    let sorted_old = sorted(old, go::print);
    let sorted_new = sorted(new, go::print);
    let (mut added, mut gone) = (Vec::new(), Vec::new());
    for step in Walk::new(&sorted_old, &sorted_new) {
        match step {
            (Some(_), Some(_)) => {}
            (Some(old), None) => gone.push(old.clone()),
            (None, new) => added.extend(new.cloned()),
        }
    }
    if !options.deletions {
        gone.clear();
    }
    if !options.changes {
        added.clear();
    }
    deduplicate(&mut gone);
    let by = ElementKey::Whole;
    let patch = order::sort_by_order(added, &KeyIndex::new(new, by), by)?;
    // Upstream compares the list it has just sorted: a list whose sorted form equals the new one counts as unchanged.
    let changed = !sorted_old.iter().map(|(_, value)| *value).eq(new);
    let order =
        if (options.deletions && !gone.is_empty()) || (options.changes && changed) { new.to_vec() } else { Vec::new() };
    Ok(ListDiff { patch, deletions: gone, order })
}

/// Drops repeated values of a sorted list; as upstream does it, the last value moves into the gap.
fn deduplicate(list: &mut Vec<Value>) {
    let mut seen = FxHashSet::default();
    let mut at = 0;
    while at < list.len() {
        if seen.insert(list[at].clone()) {
            at += 1;
        } else {
            list.swap_remove(at);
        }
    }
}

fn diff_lists_of_objects(
    old: &[Value],
    new: &[Value],
    schema: Schema,
    merge_key: &str,
    options: Options,
) -> Result<ListDiff, PatchError> {
    let by = ElementKey::Field(merge_key);
    let print_key = |element: &Value| go::print(element.get(merge_key).unwrap_or(&Value::Null));
    let sorted_old = sorted(old, print_key);
    let sorted_new = sorted(new, print_key);
    let (mut patch, mut gone) = (Vec::new(), Vec::new());
    for step in Walk::new(&sorted_old, &sorted_new) {
        for element in [step.0, step.1].into_iter().flatten() {
            by.of(element)?;
        }
        match step {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let mut inner = diff_objects(old, new, schema, options)?;
                if !inner.is_empty() {
                    inner.extend(new.get(merge_key).map(|key| (merge_key.to_owned(), key.clone())));
                    patch.push(Value::Object(inner));
                }
            }
            (Some(old), None) if options.deletions => gone.push(deletion(old, merge_key)?),
            (None, Some(new)) if options.changes => patch.push(new.clone()),
            _ => {}
        }
    }
    let mut patch = order::sort_by_order(patch, &KeyIndex::new(new, by), by)?;
    let order_same = same_order(old, new, merge_key)?;
    patch.extend(gone);
    let changed = (options.changes && (!patch.is_empty() || !order_same)) || (options.deletions && !patch.is_empty());
    let order = if changed { only_keys(new, merge_key)? } else { Vec::new() };
    Ok(ListDiff { patch, deletions: Vec::new(), order })
}

fn deletion(element: &Value, merge_key: &str) -> Result<Value, PatchError> {
    let mut directive = only_key(element, merge_key)?;
    directive[DIRECTIVE] = Value::from(DELETE);
    Ok(directive)
}

fn only_keys(list: &[Value], merge_key: &str) -> Result<Vec<Value>, PatchError> {
    list.iter().map(|element| only_key(element, merge_key)).collect()
}

fn only_key(element: &Value, merge_key: &str) -> Result<Value, PatchError> {
    let key = order::merge_key_value(element, merge_key)?;
    Ok(Value::Object(Map::from_iter([(merge_key.to_owned(), key.clone())])))
}

fn same_order(old: &[Value], new: &[Value], merge_key: &str) -> Result<bool, PatchError> {
    if old.len() != new.len() {
        return Ok(false);
    }
    for (old, new) in old.iter().zip(new) {
        if !strategic::same_key(old, new, merge_key)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn sorted(list: &[Value], key: impl Fn(&Value) -> String) -> Vec<(String, &Value)> {
    let list: Vec<&Value> = list.iter().collect();
    go::sort_by_print(&list, key)
}

/// Pairs the elements of two sorted lists by their printed keys.
struct Walk<'a, 'v> {
    old: std::iter::Peekable<std::slice::Iter<'a, (String, &'v Value)>>,
    new: std::iter::Peekable<std::slice::Iter<'a, (String, &'v Value)>>,
}

impl<'a, 'v> Walk<'a, 'v> {
    fn new(old: &'a [(String, &'v Value)], new: &'a [(String, &'v Value)]) -> Self {
        Self { old: old.iter().peekable(), new: new.iter().peekable() }
    }
}

impl<'v> Iterator for Walk<'_, 'v> {
    type Item = (Option<&'v Value>, Option<&'v Value>);

    fn next(&mut self) -> Option<Self::Item> {
        let (take_old, take_new) = match (self.old.peek(), self.new.peek()) {
            (None, None) => return None,
            (Some((old, _)), Some((new, _))) => (old <= new, old >= new),
            (old, new) => (old.is_some(), new.is_some()),
        };
        let old = if take_old { self.old.next() } else { None };
        let new = if take_new { self.new.next() } else { None };
        Some((old.map(|(_, value)| *value), new.map(|(_, value)| *value)))
    }
}
