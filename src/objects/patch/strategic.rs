//! Strategic merge patch: a patch merged into a document, or into another patch.

use rustc_hash::FxHashSet;
use serde_json::{Map, Value};

use super::go::{self, Kind};
use super::meta::{PatchMeta, Schema};
use super::order::{self, ElementKey, KeyIndex};
use super::{DELETE, DELETE_FROM_LIST, DIRECTIVE, MERGE, PatchError, REPLACE, RETAIN_KEYS, SET_ORDER};

pub(super) type Object = Map<String, Value>;

/// What the patch is merged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A document: directives are carried out, nulls delete.
    Apply,
    /// Another patch: directives and nulls are kept.
    Combine,
}

/// Merges `patch` into `original`.
pub(super) fn merge_object(
    mut original: Object,
    mut patch: Object,
    schema: Schema,
    mode: Mode,
) -> Result<Object, PatchError> {
    if patch.contains_key(DIRECTIVE) {
        return directed_object(patch);
    }
    retain_keys(&mut original, &mut patch, mode)?;
    let ordered: Vec<String> = patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for directive in &ordered {
        merge_ordered_list(directive, &mut original, &mut patch, schema, mode)?;
    }
    for (key, value) in patch {
        merge_field(&mut original, key, value, schema, mode)?;
    }
    Ok(original)
}

fn directed_object(mut patch: Object) -> Result<Object, PatchError> {
    match patch.get(DIRECTIVE) {
        Some(directive) if directive == REPLACE => {
            patch.remove(DIRECTIVE);
            Ok(patch)
        }
        Some(directive) if directive == DELETE => Ok(Object::new()),
        directive => {
            let directive = go::print_as_string(directive.unwrap_or(&Value::Null));
            Err(PatchError::BadDirective { directive, map: go::print(&Value::Object(patch)) })
        }
    }
}

/// Carries out `$retainKeys`: everything that is not listed goes.
fn retain_keys(original: &mut Object, patch: &mut Object, mode: Mode) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    if mode == Mode::Combine {
        match original.get(RETAIN_KEYS) {
            Some(ours) if *ours != keys => {
                return Err(PatchError::RetainKeysDiffer { ours: go::print(ours), theirs: go::print(&keys) });
            }
            Some(_) => {}
            None => {
                original.insert(RETAIN_KEYS.to_owned(), keys);
            }
        }
        return Ok(());
    }
    let Value::Array(keys) = keys else { return Err(PatchError::BadRetainKeys) };
    if let Some(key) = keys.iter().find(|key| go::is_composite(key)) {
        return Err(go::unhashable(Kind::of(key).go_type()));
    }
    let kept: FxHashSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    for (key, value) in patch.iter() {
        let exempt = value.is_null() || key.starts_with(DELETE_FROM_LIST) || key.starts_with(SET_ORDER);
        if !exempt && !kept.contains(key.as_str()) {
            return Err(PatchError::BadRetainKeys);
        }
    }
    original.retain(|key, _| kept.contains(key.as_str()));
    Ok(())
}

/// Carries out a `$setElementOrder` directive together with the patch of the list it is about.
fn merge_ordered_list(
    directive: &str,
    original: &mut Object,
    patch: &mut Object,
    schema: Schema,
    mode: Mode,
) -> Result<(), PatchError> {
    let Some(order) = patch.remove(directive) else { return Ok(()) };
    if mode == Mode::Combine {
        match original.get(directive) {
            Some(ours) if *ours != order => return Err(PatchError::BadElementOrder),
            Some(_) => {}
            None => {
                original.insert(directive.to_owned(), order.clone());
            }
        }
    }
    let order = list(order)?;
    let field = listed_field(directive, SET_ORDER).ok_or(PatchError::BadElementOrder)?;
    let live = original.remove(field).map(list).transpose()?;
    let patched = patch.remove(field).map(list).transpose()?;
    let (element, meta) = schema.list(field)?;
    check_order(patched.as_deref().unwrap_or_default(), &order, meta.merge_key)?;
    let kind = go::element_kind(&[live.as_deref().unwrap_or_default(), patched.as_deref().unwrap_or_default()]);
    let by = ElementKey::new(kind.clone().unwrap_or(Kind::Null), meta.merge_key);
    let merged = match (live, patched) {
        (None, None) => return Ok(()),
        (Some(live), None) => Merged { order: KeyIndex::new(&live, by), items: live },
        (None, Some(patched)) => Merged { items: without_directives(patched), order: KeyIndex::default() },
        (Some(live), Some(patched)) => merge_list(live, patched, element, meta, false, mode)?,
    };
    let partition_by = if meta.merge_key.is_empty() { ElementKey::Whole } else { ElementKey::Field(meta.merge_key) };
    let present = KeyIndex::new(&order, partition_by);
    let (known, server_only) = order::partition(merged.items, &present, meta.merge_key)?;
    kind?;
    let wanted = KeyIndex::new(&order, by);
    let ordered = order::normalize(known, server_only, &wanted, &merged.order, by)?;
    original.insert(field.to_owned(), Value::Array(ordered));
    Ok(())
}

/// The field that `$directive/field` is about.
fn listed_field<'a>(directive: &'a str, prefix: &str) -> Option<&'a str> {
    directive.strip_prefix(prefix)?.strip_prefix('/')
}

fn list(value: Value) -> Result<Vec<Value>, PatchError> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(PatchError::BadType { expected: Kind::List.go_type(), actual: Kind::of(&other).go_type() }),
    }
}

/// The elements of the patch, deletions aside, must come in the order list, in its order.
fn check_order(patch: &[Value], order: &[Value], merge_key: &str) -> Result<(), PatchError> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    if let Some(element) = patch.iter().find(|element| !merge_key.is_empty() && !element.is_object()) {
        return Err(order::not_a_map(element));
    }
    let is_deletion = |element: &Value| !merge_key.is_empty() && element[DIRECTIVE] == DELETE;
    let mut pending = patch.iter().filter(|element| !is_deletion(element)).peekable();
    let mut wanted = order.iter().peekable();
    while let (Some(element), Some(candidate)) = (pending.peek(), wanted.peek()) {
        if element.get(DIRECTIVE).is_some() {
            pending.next();
            continue;
        }
        if same_key(element, candidate, merge_key)? {
            pending.next();
        }
        wanted.next();
    }
    if pending.peek().is_none() {
        return Ok(());
    }
    Err(PatchError::OrderMismatch { patch: go::print_list(patch), order: go::print_list(order) })
}

/// Whether two elements are the same one.
pub(super) fn same_key(left: &Value, right: &Value, merge_key: &str) -> Result<bool, PatchError> {
    let (left, right) = if merge_key.is_empty() {
        (left, right)
    } else {
        if let Some(element) = [left, right].into_iter().find(|element| !element.is_object()) {
            return Err(order::not_a_map(element));
        }
        (order::merge_key_value(left, merge_key)?, order::merge_key_value(right, merge_key)?)
    };
    if go::is_composite(left) && Kind::of(left) == Kind::of(right) {
        return Err(go::uncomparable(left));
    }
    Ok(left == right)
}

fn merge_field(
    original: &mut Object,
    mut key: String,
    patch: Value,
    schema: Schema,
    mode: Mode,
) -> Result<(), PatchError> {
    let is_delete_list = key.starts_with(DELETE_FROM_LIST);
    if is_delete_list {
        if mode == Mode::Combine {
            original.insert(key, patch);
            return Ok(());
        }
        let field = listed_field(&key, DELETE_FROM_LIST).ok_or(PatchError::BadPrimitiveList)?;
        if !field.is_empty() {
            key = field.to_owned();
        }
    }
    if patch.is_null() {
        original.remove(&key);
        if mode == Mode::Apply {
            return Ok(());
        }
    }
    let live = match original.get_mut(&key) {
        Some(live) if Kind::of(live) == Kind::of(&patch) => live,
        _ if is_delete_list => return Ok(()),
        _ => {
            take_from_patch(original, key, patch, mode);
            return Ok(());
        }
    };
    match (live.take(), patch) {
        (Value::Object(ours), Value::Object(patch)) => {
            let (field, meta) = schema.object(&key)?;
            let replace = meta.strategy.replace;
            *live = Value::Object(if replace { patch } else { merge_object(ours, patch, field, mode)? });
        }
        (Value::Array(ours), Value::Array(patch)) => {
            let (element, meta) = schema.list(&key)?;
            *live = Value::Array(merge_list(ours, patch, element, meta, is_delete_list, mode)?.items);
        }
        (_, scalar) => *live = scalar,
    }
    Ok(())
}

/// Puts a value of the patch where the document has nothing comparable.
fn take_from_patch(original: &mut Object, key: String, mut patch: Value, mode: Mode) {
    if mode == Mode::Apply {
        discard_nulls(&mut patch);
    }
    match without_directive(patch) {
        Some(value) => original.insert(key, value),
        None => original.remove(&key),
    };
}

/// Drops the null fields of all objects in the value.
fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// The value without the objects that carry a `$patch` directive; `None` when it carries one itself.
fn without_directive(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key, without_directive(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(list) => Some(Value::Array(without_directives(list))),
        scalar => Some(scalar),
    }
}

fn without_directives(list: Vec<Value>) -> Vec<Value> {
    list.into_iter().filter_map(without_directive).collect()
}

/// A merged list and the order of the live one, as far as later ordering can see it.
struct Merged {
    items: Vec<Value>,
    order: KeyIndex,
}

fn merge_list(
    live: Vec<Value>,
    patch: Vec<Value>,
    schema: Schema,
    meta: PatchMeta,
    is_delete_list: bool,
    mode: Mode,
) -> Result<Merged, PatchError> {
    if !meta.strategy.merge && !is_delete_list {
        let by = ElementKey::new(live.first().map_or(Kind::Null, Kind::of), meta.merge_key);
        return Ok(Merged { items: patch, order: KeyIndex::new(&live, by) });
    }
    if live.is_empty() && patch.is_empty() {
        return Ok(Merged { items: live, order: KeyIndex::default() });
    }
    match go::element_kind(&[&live, &patch])? {
        Kind::Object if meta.merge_key.is_empty() => Err(PatchError::NoDeclaredMergeKey { kind: schema.kind() }),
        Kind::Object => merge_objects(live, patch, schema, meta.merge_key, mode),
        _ if is_delete_list => {
            let order = KeyIndex::new(&live, ElementKey::Whole);
            let gone = KeyIndex::new(&patch, ElementKey::Whole);
            let (_, items) = order::partition(live, &gone, "")?;
            Ok(Merged { items, order })
        }
        _ => merge_scalars(live, patch, meta.merge_key),
    }
}

fn merge_scalars(live: Vec<Value>, patch: Vec<Value>, merge_key: &str) -> Result<Merged, PatchError> {
    let order = KeyIndex::new(&live, ElementKey::Whole);
    let present = KeyIndex::new(&patch, ElementKey::Whole);
    let mut seen = FxHashSet::default();
    let mut merged = live;
    merged.extend(patch);
    merged.retain(|value| seen.insert(value.clone()));
    let (known, server_only) = order::partition(merged, &present, merge_key)?;
    let items = order::normalize(known, server_only, &present, &order, ElementKey::Whole)?;
    Ok(Merged { items, order })
}

/// Merges objects by their merge key. Both lists hold only objects.
fn merge_objects(
    live: Vec<Value>,
    patch: Vec<Value>,
    schema: Schema,
    merge_key: &str,
    mode: Mode,
) -> Result<Merged, PatchError> {
    let by = ElementKey::Field(merge_key);
    let live_len = live.len();
    let Directed { live: mut merged, patch, replace } = special_elements(live, patch, merge_key)?;
    let survivors = KeyIndex::new(&merged, by);
    if replace {
        // The patch's own elements are the result, in their order.
        let (known, server_only) = order::partition(patch, &KeyIndex::default(), merge_key)?;
        let own = KeyIndex::new(&server_only, by);
        let items = order::normalize(known, server_only, &KeyIndex::default(), &own, by)?;
        return Ok(Merged { items, order: survivors });
    }
    let mut index = KeyIndex::new(&merged, by);
    let present = KeyIndex::new(&patch, by);
    for element in patch {
        let key = order::merge_key_value(&element, merge_key)?;
        match (index.rank(key)?, element) {
            (Some(at), Value::Object(element)) => {
                let ours = match merged[at].take() {
                    Value::Object(ours) => ours,
                    other => return Err(order::not_a_map(&other)),
                };
                merged[at] = Value::Object(merge_object(ours, element, schema, mode)?);
            }
            (_, element) => {
                index.push(order::merge_key_value(&element, merge_key));
                merged.push(element);
            }
        }
    }
    // An element added in the place of a deleted one takes its slot of the live list's order.
    let visible = merged.len().min(live_len);
    let order = KeyIndex::new(&merged[..visible], by);
    let (known, server_only) = order::partition(merged, &present, merge_key)?;
    let items = order::normalize(known, server_only, &present, &survivors, by)?;
    Ok(Merged { items, order })
}

struct Directed {
    live: Vec<Value>,
    patch: Vec<Value>,
    replace: bool,
}

/// Carries out the `$patch` directives among a patch's elements and drops them.
fn special_elements(mut live: Vec<Value>, patch: Vec<Value>, merge_key: &str) -> Result<Directed, PatchError> {
    let mut plain = Vec::with_capacity(patch.len());
    let mut deleted = FxHashSet::default();
    let mut replace = false;
    for element in patch {
        match element.get(DIRECTIVE) {
            None => plain.push(element),
            Some(directive) if directive == DELETE => {
                let key = order::merge_key_value(&element, merge_key)?;
                if go::is_composite(key) {
                    return Err(go::uncomparable(key));
                }
                deleted.insert(key.clone());
            }
            Some(directive) if directive == REPLACE => replace = true,
            Some(directive) if directive == MERGE => return Err(PatchError::MergeDirectiveInList),
            Some(directive) => {
                let directive = go::print_as_string(directive);
                return Err(PatchError::BadDirective { directive, map: go::print(&element) });
            }
        }
    }
    live.retain(|element| element.get(merge_key).is_none_or(|key| !deleted.contains(key)));
    Ok(Directed { live, patch: plain, replace })
}
