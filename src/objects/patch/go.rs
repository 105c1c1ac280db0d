//! Values as Go prints and orders them: error messages and the order of lists depend on both.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use super::PatchError;

/// The dynamic type of a decoded JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    String,
    List,
    Object,
}

impl Kind {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_f64() => Self::Float,
            Value::Number(_) => Self::Int,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    /// The Go type's name as `%s` prints it.
    pub(super) fn go_type(self) -> &'static str {
        match self {
            Self::Null => "%!s(<nil>)",
            Self::Bool => "bool",
            Self::Int => "int64",
            Self::Float => "float64",
            Self::String => "string",
            Self::List => "[]interface {}",
            Self::Object => "map[string]interface {}",
        }
    }

    /// The JSON type's name in messages of Go's decoder.
    pub(super) fn json_type(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int | Self::Float => "number",
            Self::String => "string",
            Self::List => "array",
            Self::Object => "object",
        }
    }
}

pub(super) fn is_composite(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// Go panics when two values of such a type are compared.
pub(super) fn uncomparable(value: &Value) -> PatchError {
    PatchError::Runtime(format!("comparing uncomparable type {}", Kind::of(value).go_type()))
}

/// Go panics when a value of such a type is looked up in a map.
pub(super) fn unhashable(go_type: &str) -> PatchError {
    PatchError::Runtime(format!("hash of unhashable type {go_type}"))
}

/// The common type of all elements.
///
/// # Errors
/// When the types differ, when there are no elements, and for lists of lists or a leading null.
pub(super) fn element_kind(lists: &[&[Value]]) -> Result<Kind, PatchError> {
    let mut common = None;
    for value in lists.iter().copied().flatten() {
        let kind = Kind::of(value);
        match common {
            None if kind == Kind::List => return Err(PatchError::ListOfLists),
            None if kind == Kind::Null => {
                return Err(PatchError::Runtime("invalid memory address or nil pointer dereference".to_owned()));
            }
            None => common = Some(kind),
            Some(common) if common != kind => return Err(mixed_elements(lists)),
            Some(_) => {}
        }
    }
    common.ok_or(PatchError::NoElements)
}

fn mixed_elements(lists: &[&[Value]]) -> PatchError {
    let printed: Vec<String> = lists.iter().map(|list| print_list(list)).collect();
    PatchError::MixedElements { lists: format!("[{}]", printed.join(" ")) }
}

/// A value as `%v` prints it.
pub(super) fn print(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, Verb::Value);
    out
}

/// A list as `%v` prints it.
pub(super) fn print_list(list: &[Value]) -> String {
    let mut out = String::new();
    write_list(&mut out, list, Verb::Value);
    out
}

/// A value as `%s` prints it, complaints about non-strings included.
pub(super) fn print_as_string(value: &Value) -> String {
    if value.is_null() {
        return "%!s(<nil>)".to_owned();
    }
    let mut out = String::new();
    write_value(&mut out, value, Verb::String);
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Value,
    String,
}

fn write_value(out: &mut String, value: &Value, verb: Verb) {
    let scalar = match value {
        Value::Null => return out.push_str("<nil>"),
        Value::String(text) => return out.push_str(text),
        Value::Array(list) => return write_list(out, list, verb),
        Value::Object(map) => {
            out.push_str("map[");
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { " " } else { "" });
                out.push_str(key);
                out.push(':');
                write_value(out, value, verb);
            }
            return out.push(']');
        }
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => print_number(number),
    };
    // Writing to a String cannot fail.
    let _ = match verb {
        Verb::Value => write!(out, "{scalar}"),
        Verb::String => write!(out, "%!s({}={scalar})", Kind::of(value).go_type()),
    };
}

fn write_list(out: &mut String, list: &[Value], verb: Verb) {
    out.push('[');
    for (index, value) in list.iter().enumerate() {
        out.push_str(if index > 0 { " " } else { "" });
        write_value(out, value, verb);
    }
    out.push(']');
}

fn print_number(number: &Number) -> String {
    let float = match number.as_f64() {
        Some(float) if number.is_f64() => float,
        _ => return number.to_string(),
    };
    let scientific = format!("{float:e}");
    match scientific.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?))) {
        Some((digits, exponent)) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => float.to_string(),
    }
}

/// A string in double quotes with Go's escapes.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Sorts by the printed form as upstream's comparator does under Go's `sort.Sort`: it calls equal elements "less", which
/// turns them around. Exact up to twelve elements, where Go uses insertion sort; beyond, only elements with the same
/// key may be ordered differently.
pub(super) fn sort_by_print<'a>(list: &[&'a Value], key: impl Fn(&'a Value) -> String) -> Vec<(String, &'a Value)> {
    let mut keyed: Vec<(String, &Value)> = list.iter().rev().map(|value| (key(value), *value)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_in_go() {
        let value = json!({"b": [1, "x y", null, true], "a": {"f": 1.5, "g": 1.0, "h": 1e21, "i": 1.25e-7}});
        assert_eq!(print(&value), "map[a:map[f:1.5 g:1 h:1e+21 i:1.25e-07] b:[1 x y <nil> true]]");
        assert_eq!(print_as_string(&json!([1, "x", null])), "[%!s(int64=1) x <nil>]");
        assert_eq!(print_as_string(&json!(null)), "%!s(<nil>)");
        assert_eq!(quote("a\"b\n"), r#""a\"b\n""#);
    }

    #[test]
    fn equal_keys_are_turned_around() {
        let list = json!([{"p": 53, "x": 1}, {"p": 5}, {"p": 53, "x": 2}]);
        let list: Vec<&Value> = list.as_array().unwrap().iter().collect();
        let sorted = sort_by_print(&list, |value| print(&value["p"]));
        let sorted: Vec<&Value> = sorted.into_iter().map(|(_, value)| value).collect();
        assert_eq!(sorted, [&json!({"p": 5}), &json!({"p": 53, "x": 2}), &json!({"p": 53, "x": 1})]);
    }

    #[test]
    fn lists_have_one_element_type() {
        let mixed = [json!("a"), json!(1)];
        assert_eq!(
            element_kind(&[&mixed[..1], &mixed[1..]]).unwrap_err().to_string(),
            "list element types are not identical: [[a] [1]]"
        );
        assert_eq!(element_kind(&[&[], &[]]), Err(PatchError::NoElements));
        assert_eq!(element_kind(&[&[json!([])]]), Err(PatchError::ListOfLists));
        assert!(matches!(element_kind(&[&[json!(null)]]), Err(PatchError::Runtime(_))));
    }
}
