//! From protobuf to JSON.

use serde_json::{Map, Value};

use crate::objects::defaults::encode_base64;
use crate::objects::{Timestamp, WallTime};

use super::table::{Field, Many, Message, Table, Type};
use super::wire::{Fields, Value as Wire};

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Messages within messages.
const DEPTH_MAX: usize = 64;

/// Decodes a body to the JSON of its object.
///
/// # Errors
/// If it is malformed, or of a kind that has no message.
pub(in crate::serve) fn decode(body: &[u8]) -> Result<Value, String> {
    let body = body.strip_prefix(MAGIC).ok_or("the body does not begin with the magic number of protobuf")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut fields = Fields(body);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        match (number, value.bytes()) {
            (1, Some(meta)) => (api_version, kind) = type_meta(meta)?,
            (2, Some(object)) => raw = object,
            _ => {}
        }
    }
    let table = Table::get();
    let message = table.message_of(&api_version, &kind);
    let message = message.ok_or_else(|| format!("{kind:?} of {api_version:?} is not taken in protobuf; send JSON"))?;
    let mut object = Map::new();
    fill(&mut object, message, raw, DEPTH_MAX)?;
    object.insert("apiVersion".to_owned(), api_version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

fn cut_off() -> String {
    "the body is cut off or malformed".to_owned()
}

/// `apiVersion` and `kind`.
fn type_meta(bytes: &[u8]) -> Result<(String, String), String> {
    let (mut api_version, mut kind) = (String::new(), String::new());
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        match number {
            1 => api_version = text(value)?,
            2 => kind = text(value)?,
            _ => {}
        }
    }
    Ok((api_version, kind))
}

/// Decodes the fields of a message into an object. Fields that the message does not have are passed over.
fn fill(object: &mut Map<String, Value>, message: &Message, bytes: &[u8], depth: usize) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or("the body is nested too deeply")?;
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        let Some(field) = message.get(&number) else { continue };
        match field.many {
            Many::Inline => {
                let Type::Message(name) = field.ty else { continue };
                if let Some(message) = Table::get().message(name) {
                    fill(object, message, value.bytes().ok_or_else(cut_off)?, depth)?;
                }
            }
            Many::List => {
                let item = json_of(field.ty, value, depth)?;
                let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut().into_iter().for_each(|list| list.push(item.clone()));
            }
            Many::Map => {
                let (key, item) = entry(field.ty, value, depth)?;
                let map = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
                map.as_object_mut().into_iter().for_each(|map| drop(map.insert(key.clone(), item.clone())));
            }
            Many::One => {
                let json = json_of(field.ty, value, depth)?;
                if !is_left_out(field, &json) {
                    object.insert(field.name.to_owned(), json);
                }
            }
        }
    }
    Ok(())
}

/// Whether a value is one of a Go struct that nobody set: protobuf writes those that are no pointers nevertheless, JSON does not. Zero and false
/// are the same as absent for those, and mean something for pointers.
fn is_left_out(field: &Field, json: &Value) -> bool {
    match json {
        Value::Null => true,
        // An empty class name asks for volumes without a class.
        Value::String(text) => text.is_empty() && field.name != "storageClassName",
        // The port of a Service that is not set is that of the Service.
        Value::Number(number) => field.name == "targetPort" && number.as_i64() == Some(0),
        _ => false,
    }
}

fn entry(ty: Type, value: Wire<'_>, depth: usize) -> Result<(String, Value), String> {
    let (mut key, mut item) = (String::new(), None);
    let mut fields = Fields(value.bytes().ok_or_else(cut_off)?);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        match number {
            1 => key = text(value)?,
            2 => item = Some(json_of(ty, value, depth)?),
            _ => {}
        }
    }
    Ok((key, item.unwrap_or_else(|| if ty == Type::Text { "".into() } else { Value::Null })))
}

fn json_of(ty: Type, value: Wire<'_>, depth: usize) -> Result<Value, String> {
    let bytes = || value.bytes().ok_or_else(cut_off);
    Ok(match ty {
        Type::Text => text(value)?.into(),
        Type::Bytes => encode_base64(bytes()?).into(),
        Type::Bool => (value.varint().ok_or_else(cut_off)? != 0).into(),
        Type::Int => int(value)?.into(),
        Type::Double => match value {
            Wire::Fixed64(bits) => f64::from_bits(bits).into(),
            _ => return Err(cut_off()),
        },
        Type::Time | Type::MicroTime => time(bytes()?, ty == Type::MicroTime)?,
        Type::Quantity => first_text(bytes()?)?.unwrap_or_default().into(),
        Type::Raw => match first_text(bytes()?)? {
            None => Value::Null,
            Some(json) => serde_json::from_str(&json).map_err(|error| error.to_string())?,
        },
        Type::IntOrString => int_or_string(bytes()?)?,
        Type::Message(name) => {
            let mut object = Map::new();
            if let Some(message) = Table::get().message(name) {
                fill(&mut object, message, bytes()?, depth)?;
            }
            Value::Object(object)
        }
    })
}

fn text(value: Wire<'_>) -> Result<String, String> {
    let bytes = value.bytes().ok_or_else(cut_off)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text in the body is not UTF-8".to_owned())
}

#[expect(clippy::cast_possible_wrap, reason = "negative numbers are written as their two's complement")]
fn int(value: Wire<'_>) -> Result<i64, String> {
    value.varint().map(|value| value as i64).ok_or_else(cut_off)
}

/// The first field, if it is there.
fn first_text(bytes: &[u8]) -> Result<Option<String>, String> {
    let mut found = None;
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        if number == 1 {
            found = Some(text(value)?);
        }
    }
    Ok(found)
}

/// Seconds and nanoseconds; nothing is no time.
fn time(bytes: &[u8], is_micro: bool) -> Result<Value, String> {
    let (mut seconds, mut nanos) = (None, 0);
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        match number {
            1 => seconds = Some(int(value)?),
            2 => nanos = int(value)?,
            _ => {}
        }
    }
    let Some(seconds) = seconds else { return Ok(Value::Null) };
    if !is_micro {
        return Ok(Timestamp::from_unix_secs(seconds).to_string().into());
    }
    let since = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Ok(WallTime::from_unix_nanos(since).to_micro_time().into())
}

fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut number_of, mut text_of) = (false, 0, String::new());
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next().ok_or_else(cut_off)? {
        match number {
            1 => is_text = int(value)? == 1,
            2 => number_of = int(value)?,
            3 => text_of = text(value)?,
            _ => {}
        }
    }
    Ok(if is_text { text_of.into() } else { number_of.into() })
}
