//! Reading and completing objects in wire form without trusting their types.
//!
//! A field of the wrong type reads as absent: what is wrong with it is for the decoder to say.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// Reading fields of a JSON object.
pub trait Wire {
    /// The field's value, unless it is absent or null.
    fn get_some(&self, name: &str) -> Option<&Value>;
    /// The field's value, or null.
    fn at(&self, name: &str) -> &Value {
        self.get_some(name).unwrap_or(&NULL)
    }
    /// The text of the field, or nothing if it is empty, absent or not a string.
    fn text(&self, name: &str) -> &str {
        self.text_some(name).unwrap_or_default()
    }
    /// The text of the field if it is given, even when empty.
    fn text_some(&self, name: &str) -> Option<&str> {
        self.at(name).as_str()
    }
    /// The integer, or 0.
    fn int(&self, name: &str) -> i64 {
        self.int_some(name).unwrap_or(0)
    }
    /// The integer if it is given.
    fn int_some(&self, name: &str) -> Option<i64> {
        self.at(name).as_i64()
    }
    /// Whether the field is `true`.
    fn flag(&self, name: &str) -> bool {
        self.flag_some(name).unwrap_or(false)
    }
    /// The boolean if it is given.
    fn flag_some(&self, name: &str) -> Option<bool> {
        self.at(name).as_bool()
    }
    /// The elements of the list, or none.
    fn list(&self, name: &str) -> &[Value] {
        self.at(name).as_array().map_or(&[], Vec::as_slice)
    }
    /// The strings of the list of strings.
    fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(Value::as_str).collect()
    }
    /// The entries of the map in byte order of their keys.
    fn entries(&self, name: &str) -> Vec<(&str, &Value)> {
        let Some(members) = self.at(name).as_object() else { return Vec::new() };
        let mut entries: Vec<_> = members.iter().map(|(key, value)| (key.as_str(), value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }
    /// The entries of the map of strings in byte order of their keys.
    fn text_entries(&self, name: &str) -> Vec<(&str, &str)> {
        self.entries(name).into_iter().filter_map(|(key, value)| Some((key, value.as_str()?))).collect()
    }
    /// Whether the field is given and not null.
    fn has(&self, name: &str) -> bool {
        self.get_some(name).is_some()
    }
}

impl Wire for Value {
    fn get_some(&self, name: &str) -> Option<&Value> {
        self.as_object()?.get_some(name)
    }
}

impl Wire for Map<String, Value> {
    fn get_some(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }
}

/// Completing fields of a JSON object. Nothing happens to a value that is not an object.
pub trait WireMut {
    /// Sets the field if it is absent or null.
    fn default_to(&mut self, name: &str, value: impl Into<Value>);
    /// Sets the text if it is absent, null or empty.
    fn default_text(&mut self, name: &str, text: &str);
    /// Sets the integer if it is absent, null or zero.
    fn default_int(&mut self, name: &str, number: i64);
    /// Sets the field.
    fn set(&mut self, name: &str, value: impl Into<Value>);
    /// Removes the field and gives it back.
    fn take_field(&mut self, name: &str) -> Option<Value>;
    /// The object in the field, if there is one.
    fn object_mut(&mut self, name: &str) -> Option<&mut Value>;
    /// The object in the field, created if the field is absent or null.
    fn ensure_object(&mut self, name: &str) -> Option<&mut Value>;
    /// The elements of the list.
    fn list_mut(&mut self, name: &str) -> &mut [Value];
}

impl WireMut for Value {
    fn default_to(&mut self, name: &str, value: impl Into<Value>) {
        if !self.has(name) {
            self.set(name, value);
        }
    }

    fn default_text(&mut self, name: &str, text: &str) {
        if self.get_some(name).is_none_or(|value| value.as_str() == Some("")) {
            self.set(name, text);
        }
    }

    fn default_int(&mut self, name: &str, number: i64) {
        if self.get_some(name).is_none_or(|value| value.as_i64() == Some(0)) {
            self.set(name, number);
        }
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(members) = self {
            members.insert(name.to_owned(), value.into());
        }
    }

    fn take_field(&mut self, name: &str) -> Option<Value> {
        self.as_object_mut()?.remove(name)
    }

    fn object_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.as_object_mut()?.get_mut(name).filter(|value| value.is_object())
    }

    fn ensure_object(&mut self, name: &str) -> Option<&mut Value> {
        self.default_to(name, Map::new());
        self.object_mut(name)
    }

    fn list_mut(&mut self, name: &str) -> &mut [Value] {
        let list = self.as_object_mut().and_then(|members| members.get_mut(name)).and_then(Value::as_array_mut);
        list.map_or(&mut [], Vec::as_mut_slice)
    }
}
