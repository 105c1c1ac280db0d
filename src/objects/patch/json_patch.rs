//! JSON patch (RFC 6902) as the API server's library does it, deviations included: `replace` adds a missing field,
//! negative indices count from the end, the first reference token before a `/` is ignored.

use std::io;
use std::num::IntErrorKind;

use serde_json::{Map, Value};

use super::go::{self, Kind};
use super::{MAX_DEPTH, PatchError, fits_depth};

/// The API server's bound on operations.
const MAX_OPERATIONS: usize = 10_000;
/// The API server's bound on the bytes that `copy` operations add.
const MAX_COPY_BYTES: usize = 3 * 1024 * 1024;

const MISSING: &str = "missing value";

type Outcome<T> = Result<T, String>;

/// Applies the list of operations `patch` to `document`.
pub(super) fn apply(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    if !matches!(document, Value::Object(_) | Value::Array(_)) {
        return Err(malformed(&document, "jsonpatch.partialDoc"));
    }
    let operations = match patch {
        Value::Array(operations) => operations.as_slice(),
        Value::Null => &[],
        other => return Err(malformed(other, "jsonpatch.Patch")),
    };
    if let Some(other) = operations.iter().find(|operation| !operation.is_object() && !operation.is_null()) {
        return Err(malformed(other, "jsonpatch.Operation"));
    }
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooManyOperations { limit: MAX_OPERATIONS, got: operations.len() });
    }
    let mut copied = 0;
    for (index, operation) in operations.iter().enumerate() {
        let operation = Operation { fields: operation.as_object() };
        operation.apply(&mut document, &mut copied).map_err(|reason| PatchError::Operation { index, reason })?;
        if copied > MAX_COPY_BYTES {
            return Err(PatchError::CopyTooLarge { size: copied, limit: MAX_COPY_BYTES });
        }
    }
    Ok(document)
}

fn malformed(found: &Value, expected: &'static str) -> PatchError {
    PatchError::Malformed { found: Kind::of(found).json_type(), expected }
}

struct Operation<'a> {
    fields: Option<&'a Map<String, Value>>,
}

impl<'a> Operation<'a> {
    fn apply(&self, document: &mut Value, copied: &mut usize) -> Outcome<()> {
        match self.get("op").and_then(Value::as_str).unwrap_or("unknown") {
            "add" => self.add(document),
            "remove" => self.remove(document),
            "replace" => self.replace(document),
            "move" => self.move_value(document),
            "test" => self.test(document),
            "copy" => self.copy(document, copied),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    /// A field that is there and not null.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    /// The operand; absent and null are both null.
    fn value(&self) -> Value {
        self.get("value").cloned().unwrap_or_default()
    }

    fn path(&self) -> Outcome<&'a str> {
        pointer(self.get("path"), "operation missing path field")
    }

    fn from(&self) -> Outcome<&'a str> {
        pointer(self.get("from"), "operation, missing from field")
    }

    fn add(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path().map_err(|_| format!("add operation failed to decode path: {MISSING}"))?;
        let (place, key) = find(document, path)
            .ok_or_else(|| format!("add operation does not apply: doc is missing path: \"{path}\": {MISSING}"))?;
        let value = checked_depth(path, self.value())?;
        place.add(&key, value).map_err(|error| format!("error in add for path: '{path}': {error}"))
    }

    fn remove(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path().map_err(|_| format!("remove operation failed to decode path: {MISSING}"))?;
        let (place, key) = find(document, path)
            .ok_or_else(|| format!("remove operation does not apply: doc is missing path: \"{path}\": {MISSING}"))?;
        place.remove(&key).map(drop).map_err(|error| format!("error in remove for path: '{path}': {error}"))
    }

    fn replace(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path().map_err(|error| format!("replace operation failed to decode path: {error}"))?;
        let value = self.value();
        if path.is_empty() {
            if !go::is_composite(&value) {
                return Err("replace operation value must be object or array: %!w(<nil>)".to_owned());
            }
            *document = value;
            return Ok(());
        }
        let (place, key) = find(document, path)
            .ok_or_else(|| format!("replace operation does not apply: doc is missing path: {path}: {MISSING}"))?;
        place
            .get(&key)
            .map_err(|_| format!("replace operation does not apply: doc is missing key: {path}: {MISSING}"))?;
        place
            .set(key, checked_depth(path, value)?)
            .map_err(|error| format!("error in remove for path: '{path}': {error}"))
    }

    fn move_value(&self, document: &mut Value) -> Outcome<()> {
        let from = self.from().map_err(|error| format!("move operation failed to decode from: {error}"))?;
        let (place, key) = find(document, from)
            .ok_or_else(|| format!("move operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
        let value = place.remove(&key).map_err(|error| format!("error in move for path: '{key}': {error}"))?;
        let path = self.path().map_err(|error| format!("move operation failed to decode path: {error}"))?;
        let (place, key) = find(document, path).ok_or_else(|| {
            format!("move operation does not apply: doc is missing destination path: {path}: {MISSING}")
        })?;
        let value = checked_depth(path, value)?;
        place.add(&key, value).map_err(|error| format!("error in move for path: '{path}': {error}"))
    }

    fn copy(&self, document: &mut Value, copied: &mut usize) -> Outcome<()> {
        let from = self.from().map_err(|error| format!("copy operation failed to decode from: {error}"))?;
        let (place, key) = find(document, from)
            .ok_or_else(|| format!("copy operation does not apply: doc is missing from path: {from}: {MISSING}"))?;
        let value = place.get(&key).map_err(|error| format!("error in copy for from: '{from}': {error}"))?;
        // A missing field is copied as null.
        let size = value.map_or(0, json_size);
        *copied = copied.saturating_add(size);
        if *copied > MAX_COPY_BYTES {
            return Ok(());
        }
        let value = value.cloned().unwrap_or_default();
        let path = self.path().map_err(|_| format!("copy operation failed to decode path: {MISSING}"))?;
        let (place, key) = find(document, path).ok_or_else(|| {
            format!("copy operation does not apply: doc is missing destination path: {path}: {MISSING}")
        })?;
        let value = checked_depth(path, value)?;
        place.add(&key, value).map_err(|error| format!("error while adding value during copy: {error}"))
    }

    fn test(&self, document: &mut Value) -> Outcome<()> {
        let path = self.path().map_err(|error| format!("test operation failed to decode path: {error}"))?;
        let expected = self.get("value").unwrap_or(&Value::Null);
        let equal = if path.is_empty() {
            document == expected
        } else {
            let (place, key) = find(document, path)
                .ok_or_else(|| format!("test operation does not apply: is missing path: {path}: {MISSING}"))?;
            let value = place.get(&key).map_err(|error| format!("error in test for path: '{path}': {error}"))?;
            // A missing field equals null.
            value.map_or(expected.is_null(), |value| *value == *expected)
        };
        if equal { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
    }
}

fn pointer<'a>(field: Option<&'a Value>, missing: &str) -> Outcome<&'a str> {
    match field {
        Some(Value::String(path)) => Ok(path),
        Some(other) => Err(malformed(other, "string").to_string()),
        None => Err(format!("{missing}: {MISSING}")),
    }
}

/// The value, unless the document would nest too deep with it at `path`.
fn checked_depth(path: &str, value: Value) -> Outcome<Value> {
    let levels = path.matches('/').count();
    let room = MAX_DEPTH.checked_sub(levels);
    if room.is_some_and(|room| fits_depth(&value, room)) { Ok(value) } else { Err(PatchError::TooDeep.to_string()) }
}

fn json_size(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value always serializes and counting cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// An object or list that an operation works on.
enum Place<'d> {
    Object(&'d mut Map<String, Value>),
    List(&'d mut Vec<Value>),
}

/// The parent that a path leads to, and the last token.
fn find<'d>(document: &'d mut Value, path: &str) -> Option<(Place<'d>, String)> {
    let (_, tokens) = path.split_once('/')?;
    let (parents, key) = match tokens.rsplit_once('/') {
        Some((parents, key)) => (Some(parents), key),
        None => (None, tokens),
    };
    let mut place = Place::of(document)?;
    for token in parents.into_iter().flat_map(|parents| parents.split('/')) {
        place = Place::of(place.into_value(&decode(token))?)?;
    }
    Some((place, decode(key)))
}

fn decode(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

impl<'d> Place<'d> {
    fn of(value: &'d mut Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self::Object(map)),
            Value::Array(list) => Some(Self::List(list)),
            _ => None,
        }
    }

    fn into_value(self, key: &str) -> Option<&'d mut Value> {
        match self {
            Self::Object(map) => map.get_mut(key),
            Self::List(list) => {
                let index = existing_index(key, list.len()).ok()?;
                list.get_mut(index)
            }
        }
    }

    /// The value; a field that is not there is `None`, an element that is not there an error.
    fn get(&self, key: &str) -> Outcome<Option<&Value>> {
        match self {
            Self::Object(map) => Ok(map.get(key)),
            Self::List(list) => existing_index(key, list.len()).map(|index| list.get(index)),
        }
    }

    fn set(self, key: String, value: Value) -> Outcome<()> {
        match self {
            Self::Object(map) => {
                map.insert(key, value);
            }
            Self::List(list) => {
                let index = existing_index(&key, list.len())?;
                list[index] = value;
            }
        }
        Ok(())
    }

    fn add(self, key: &str, value: Value) -> Outcome<()> {
        match self {
            Self::Object(map) => {
                map.insert(key.to_owned(), value);
            }
            Self::List(list) if key == "-" => list.push(value),
            Self::List(list) => {
                let number = parse_index(key)
                    .map_err(|error| format!("value was not a proper array index: '{key}': {error}"))?;
                let index = within(number, list.len() + 1)?;
                list.insert(index, value);
            }
        }
        Ok(())
    }

    fn remove(self, key: &str) -> Outcome<Value> {
        match self {
            Self::Object(map) => {
                map.remove(key).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: {MISSING}"))
            }
            Self::List(list) => Ok(list.remove(existing_index(key, list.len())?)),
        }
    }
}

fn existing_index(key: &str, len: usize) -> Outcome<usize> {
    within(parse_index(key)?, len)
}

/// The index, counted from the end when negative, if it is below `len`.
fn within(number: i64, len: usize) -> Outcome<usize> {
    let from_end = usize::try_from(number.unsigned_abs()).ok();
    let index = if number < 0 { from_end.and_then(|back| len.checked_sub(back)) } else { from_end };
    index
        .filter(|index| *index < len)
        .ok_or_else(|| format!("Unable to access invalid index: {number}: invalid index referenced"))
}

fn parse_index(key: &str) -> Outcome<i64> {
    key.parse::<i64>().map_err(|error| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.Atoi: parsing {}: {why}", go::quote(key))
    })
}
