//! Finds what a template names.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::JsonPathError;
use super::parse::{Comparison, Filter, Node, Slice};

/// How many values a template may find, so that no template eats the memory.
const MAX_FOUND: usize = 1_000_000;

type Found<'a> = Vec<Cow<'a, Value>>;

/// What each text and expression finds; blocks of `range` are repeated.
pub(super) fn evaluate(parts: &[Node], document: &Value) -> Result<Vec<Vec<Value>>, JsonPathError> {
    let mut out = Output { results: Vec::new(), count: 0 };
    out.block(parts, document)?;
    Ok(out.results)
}

struct Output {
    results: Vec<Vec<Value>>,
    count: usize,
}

impl Output {
    fn block(&mut self, parts: &[Node], document: &Value) -> Result<(), JsonPathError> {
        let mut at = 0;
        while let Some(part) = parts.get(at) {
            at += 1;
            let Node::Path(steps) = part else {
                self.add(walk(std::slice::from_ref(part), document)?)?;
                continue;
            };
            match steps.split_first() {
                Some((Node::Range, path)) => {
                    let length = block_length(&parts[at..]);
                    for value in walk(path, document)? {
                        self.block(&parts[at..at + length], &value)?;
                    }
                    // Behind the `end`.
                    at += length + 1;
                }
                Some((Node::End, _)) => {}
                _ => self.add(walk(steps, document)?)?,
            }
        }
        Ok(())
    }

    fn add(&mut self, found: Found<'_>) -> Result<(), JsonPathError> {
        self.count += found.len() + 1;
        if self.count > MAX_FOUND {
            return Err(too_many());
        }
        self.results.push(found.into_iter().map(Cow::into_owned).collect());
        Ok(())
    }
}

fn too_many() -> JsonPathError {
    JsonPathError::new(format!("the template finds more than {MAX_FOUND} values"))
}

/// How many parts stand before the `end` of a block.
fn block_length(parts: &[Node]) -> usize {
    let mut depth = 0usize;
    let end = parts.iter().position(|part| {
        let Node::Path(steps) = part else { return false };
        match steps.first() {
            Some(Node::Range) => depth += 1,
            Some(Node::End) if depth == 0 => return true,
            Some(Node::End) => depth -= 1,
            _ => {}
        }
        false
    });
    end.unwrap_or(parts.len())
}

fn walk<'a>(steps: &[Node], from: &'a Value) -> Result<Found<'a>, JsonPathError> {
    let mut found: Found<'a> = vec![Cow::Borrowed(from)];
    for step in steps {
        found = one_step(step, &found)?;
        if found.len() > MAX_FOUND {
            return Err(too_many());
        }
    }
    Ok(found)
}

fn one_step<'a>(step: &Node, found: &Found<'a>) -> Result<Found<'a>, JsonPathError> {
    let constant = |value: Value| Ok(found.iter().map(|_| Cow::Owned(value.clone())).collect());
    match step {
        Node::Text(text) => Ok(vec![Cow::Owned(Value::String(text.clone()))]),
        Node::Number(number) => constant(Value::Number(number.clone())),
        Node::Bool(flag) => constant(Value::Bool(*flag)),
        Node::Field(name) => Ok(found.iter().filter_map(|value| member(value, name)).collect()),
        Node::Wildcard => Ok(found.iter().flat_map(members).take(MAX_FOUND + 1).collect()),
        Node::Recursive => {
            let mut all = Vec::new();
            found.iter().for_each(|value| descend(value.clone(), &mut all));
            Ok(all)
        }
        Node::Slice(slice) => {
            let mut all = Vec::new();
            for value in found.iter().filter(|value| !value.is_null()) {
                sliced(value.clone(), *slice, &mut all)?;
            }
            Ok(all)
        }
        Node::Union(each) => {
            let mut all = Vec::new();
            for steps in each {
                let mut part = found.clone();
                for step in steps {
                    part = one_step(step, &part)?;
                }
                all.extend(part);
            }
            Ok(all)
        }
        Node::Filter(filter) => filtered(filter, found),
        Node::Path(_) | Node::Range | Node::End => {
            Err(JsonPathError::new("range and end stand at the beginning of an expression"))
        }
    }
}

/// A member of what was found, borrowed where that is possible.
fn part<'a>(of: &Cow<'a, Value>, get: impl Fn(&Value) -> Option<&Value>) -> Option<Cow<'a, Value>> {
    match of {
        Cow::Borrowed(value) => get(value).map(Cow::Borrowed),
        Cow::Owned(value) => get(value).cloned().map(Cow::Owned),
    }
}

fn member<'a>(of: &Cow<'a, Value>, name: &str) -> Option<Cow<'a, Value>> {
    part(of, |value| value.as_object()?.get(name))
}

fn element<'a>(of: &Cow<'a, Value>, at: usize) -> Option<Cow<'a, Value>> {
    part(of, |value| value.as_array()?.get(at))
}

/// Elements, or members in the order of their names (upstream: in any).
fn members<'a>(of: &Cow<'a, Value>) -> Found<'a> {
    match &**of {
        Value::Array(items) => (0..items.len()).filter_map(|at| element(of, at)).collect(),
        Value::Object(fields) => {
            let mut names: Vec<String> = fields.keys().cloned().collect();
            names.sort_unstable();
            names.iter().filter_map(|name| member(of, name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The value and all below it that have members themselves. Documents are read with bounded depth.
fn descend<'a>(value: Cow<'a, Value>, all: &mut Found<'a>) {
    let below = members(&value);
    if !below.is_empty() && all.len() <= MAX_FOUND {
        all.push(value);
        below.into_iter().for_each(|member| descend(member, all));
    }
}

fn sliced<'a>(value: Cow<'a, Value>, slice: Slice, all: &mut Found<'a>) -> Result<(), JsonPathError> {
    let Some(items) = value.as_array() else {
        return Err(JsonPathError::new(format!("{} is not array or slice", kind_of(&value))));
    };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let from = slice.from.map_or(0, |from| if from < 0 { from.saturating_add(length) } else { from });
    let to = slice.to.unwrap_or(length);
    let to = if to < 0 || to == 0 && slice.derived { to.saturating_add(length) } else { to };
    if from == to {
        return Ok(());
    }
    let out_of_bounds =
        |index: i64| JsonPathError::new(format!("array index out of bounds: index {index}, length {length}"));
    if !(0..length).contains(&from) {
        return Err(out_of_bounds(from));
    }
    if !(0..=length).contains(&to) {
        return Err(out_of_bounds(to - 1));
    }
    if from > to {
        return Err(JsonPathError::new(format!("starting index {from} is greater than ending index {to}")));
    }
    let step = slice.step.unwrap_or(1);
    let step = usize::try_from(step).ok().filter(|step| *step > 0);
    let step = step.ok_or_else(|| JsonPathError::new("step must be > 0"))?;
    let bound = |index: i64| usize::try_from(index).unwrap_or(usize::MAX);
    all.extend((bound(from)..bound(to)).step_by(step).filter_map(|at| element(&value, at)));
    Ok(())
}

fn filtered<'a>(filter: &Filter, found: &Found<'a>) -> Result<Found<'a>, JsonPathError> {
    let mut all = Vec::new();
    for value in found {
        if !value.is_array() {
            let kind = kind_of(value);
            return Err(JsonPathError::new(format!("{kind} is not array or slice and cannot be filtered")));
        }
        for item in members(value) {
            if holds(filter, &item)? {
                all.push(item);
            }
        }
    }
    Ok(all)
}

fn holds(filter: &Filter, item: &Value) -> Result<bool, JsonPathError> {
    let left = walk(&filter.left, item)?;
    let Some((comparison, right)) = &filter.comparison else { return Ok(!left.is_empty()) };
    let right = walk(right, item)?;
    let (left, right) = match (&left[..], &right[..]) {
        ([], _) | (_, []) => return Ok(false),
        ([left], [right]) => (left, right),
        _ => return Err(JsonPathError::new("can only compare one element at a time")),
    };
    let order = compare(left, right);
    let equal = order.map_or_else(|| left == right, Ordering::is_eq);
    match comparison {
        Comparison::Equal => return Ok(equal),
        Comparison::NotEqual => return Ok(!equal),
        _ => {}
    }
    let order = order.ok_or_else(|| {
        JsonPathError::new(format!("incompatible types for comparison: {} and {}", kind_of(left), kind_of(right)))
    })?;
    Ok(match comparison {
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// The order of two numbers or two texts.
pub(in crate::report) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
