//! Checks a document against the field table, as the API server's strict decoding does.

use super::error::{ReadError, ReadErrorKind, Sink};
use super::scalar::decode_base64;
use super::span::Span;
use super::suggest;
use super::tree::{Content, KeyTable, Nodes, children, entries, path_of, pointed_span};
use crate::objects::Quantity;
use crate::objects::schema::{Field, FieldType, TypeRef};

/// Where a value stands: what is needed to describe it when it is wrong.
#[derive(Clone, Copy)]
struct Slot<'c> {
    at: usize,
    key: Option<usize>,
    /// The node that Go names: the value, or the map around a value with a free key.
    field: usize,
    ty: &'c FieldType,
    /// The innermost object around it.
    owner: TypeRef,
}

/// The objects around a value, innermost first.
#[derive(Clone, Copy)]
struct Scope<'c> {
    ty: TypeRef,
    at: usize,
    outer: Option<&'c Scope<'c>>,
}

/// Checks one object of a document.
pub(super) struct Checker<'c, 't> {
    nodes: Nodes<'c, 't>,
    keys: &'c KeyTable,
    sink: &'c mut Sink<'t>,
    /// The object's root; upstream's paths start here.
    root: usize,
}

impl<'c, 't> Checker<'c, 't> {
    pub(super) fn new(nodes: Nodes<'c, 't>, keys: &'c KeyTable, sink: &'c mut Sink<'t>, root: usize) -> Self {
        Checker { nodes, keys, sink, root }
    }

    /// Checks the object of type `ty` at node `at`. Recursion is bounded by the depth limit.
    pub(super) fn object(&mut self, at: usize, ty: TypeRef) {
        self.fields(Scope { ty, at, outer: None });
    }

    /// Checks one field of an object of type `owner`.
    pub(super) fn field(&mut self, key: usize, at: usize, ty: &FieldType, owner: TypeRef) {
        self.value(Slot { at, key: Some(key), field: at, ty, owner }, None);
    }

    fn fields(&mut self, scope: Scope<'_>) {
        let nodes = self.nodes;
        for (key, value, id) in entries(nodes, scope.at) {
            if self.sink.is_full() {
                return;
            }
            match scope.ty.field(self.keys.text(id)) {
                Some(Field { ty, .. }) => {
                    self.value(Slot { at: value, key: Some(key), field: value, ty, owner: scope.ty }, Some(&scope));
                }
                None => self.unknown_field(key, self.keys.text(id), scope),
            }
        }
    }

    /// One value of a known type. null fits every type: it means that the field is not set.
    fn value(&mut self, slot: Slot<'_>, scope: Option<&Scope<'_>>) {
        match (slot.ty, &self.nodes[slot.at].content) {
            (FieldType::Any, _)
            | (_, Content::Null)
            | (FieldType::String | FieldType::IntOrString, Content::Str(_))
            | (FieldType::Bool, Content::Bool(_))
            | (FieldType::Int64, Content::Int(_))
            | (FieldType::Number | FieldType::Quantity, Content::Int(_) | Content::UInt(_) | Content::Float(_)) => {}
            (FieldType::Int32 | FieldType::IntOrString, Content::Int(value)) => self.int32(slot, *value),
            (FieldType::Quantity, Content::Str(text)) => self.quantity(slot, text),
            (FieldType::Time, Content::Str(text)) => self.time(slot, text, false),
            (FieldType::MicroTime, Content::Str(text)) => self.time(slot, text, true),
            (FieldType::Bytes, Content::Str(text)) => self.bytes(slot, text),
            (FieldType::Object(ty), Content::Map) => self.fields(Scope { ty: *ty, at: slot.at, outer: scope }),
            (FieldType::List(ty), Content::List) => {
                for at in children(self.nodes, slot.at) {
                    self.value(Slot { at, key: None, field: at, ty, owner: slot.owner }, scope);
                }
            }
            (FieldType::Map(ty), Content::Map) => {
                for (key, at, _) in entries(self.nodes, slot.at) {
                    self.value(Slot { at, key: Some(key), field: slot.at, ty, owner: slot.owner }, scope);
                }
            }
            _ => self.wrong_type(slot),
        }
    }

    fn span(&self, slot: Slot<'_>) -> Span {
        let node = &self.nodes[slot.at];
        let is_collection = matches!(node.content, Content::List | Content::Map);
        pointed_span(node.span, is_collection, slot.key.map(|key| self.nodes[key].span))
    }

    fn report(&mut self, at: usize, error: Box<ReadError>) {
        let path = path_of(self.nodes, self.keys, 0, at);
        self.sink.push(*error.with_path(path));
    }

    fn int32(&mut self, slot: Slot<'_>, value: i64) {
        if i32::try_from(value).is_err() {
            let message = format!("{value} does not fit 32 bits");
            let error = self.sink.error(self.span(slot), ReadErrorKind::InvalidValue, message);
            let upstream = self.cannot_unmarshal(slot, &format!("number {value}"));
            self.report(slot.at, error.with_upstream(upstream));
        }
    }

    fn invalid(&mut self, slot: Slot<'_>, message: String, upstream: Option<String>) {
        let error = self.sink.error(self.span(slot), ReadErrorKind::InvalidValue, message);
        self.report(slot.at, error.with_upstream(upstream));
    }

    fn time(&mut self, slot: Slot<'_>, text: &str, micro: bool) {
        if !is_rfc3339(text) {
            let example = if micro { "2026-01-31T12:00:00.000000Z" } else { "2026-01-31T12:00:00Z" };
            self.invalid(slot, format!("expected a time such as {example}, got {}", quoted(text)), None);
        }
    }

    fn bytes(&mut self, slot: Slot<'_>, text: &str) {
        if let Err(offset) = decode_base64(text) {
            let message = format!("not base64: byte {offset} of {}", quoted(text));
            self.invalid(slot, message, Some(format!("illegal base64 data at input byte {offset}")));
        }
    }

    fn quantity(&mut self, slot: Slot<'_>, text: &str) {
        if let Err(error) = Quantity::parse(text) {
            let message = format!("expected a quantity such as 250m or 128Mi, got {}", quoted(text));
            self.invalid(slot, message, Some(error.to_string()));
        }
    }

    fn wrong_type(&mut self, slot: Slot<'_>) {
        let node = &self.nodes[slot.at];
        let message = format!("expected {}, got {}", describe_type(slot.ty), self.describe_value(slot.at));
        let found = match &node.content {
            Content::Bool(_) => "bool".to_owned(),
            Content::Str(_) | Content::Key(_) => "string".to_owned(),
            Content::List => "array".to_owned(),
            Content::Map => "object".to_owned(),
            Content::Float(value) if is_integer(slot.ty) => format!("number {value}"),
            _ => "number".to_owned(),
        };
        let error = self.sink.error(self.span(slot), ReadErrorKind::WrongType, message);
        let upstream = self.cannot_unmarshal(slot, &found);
        let help = self.help_for_type(slot);
        self.report(slot.at, error.with_help(help).with_upstream(upstream));
    }

    /// The text of Go's `json.UnmarshalTypeError`, where the type decodes itself by reflection.
    fn cannot_unmarshal(&self, slot: Slot<'_>, found: &str) -> Option<String> {
        // Custom resources are not decoded into Go types.
        if slot.owner.is_custom() {
            return None;
        }
        let go_type = match slot.ty {
            // `IntOrString` hands everything but strings to the decoder of an int32.
            FieldType::IntOrString => "int32".to_owned(),
            other => go_type(other)?,
        };
        let path = without_indices(&path_of(self.nodes, self.keys, self.root, slot.field));
        let owner = slot.owner.name();
        Some(format!("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {go_type}"))
    }

    fn describe_value(&self, at: usize) -> String {
        match &self.nodes[at].content {
            Content::Null | Content::MergeKey => "null".to_owned(),
            Content::Bool(value) => format!("the boolean {value}"),
            Content::Int(value) => format!("the number {value}"),
            Content::UInt(value) => format!("the number {value}"),
            Content::Float(value) => format!("the number {value}"),
            Content::Str(text) => format!("the string {}", quoted(text)),
            Content::Key(id) => format!("the string {}", quoted(self.keys.text(*id))),
            Content::List => "a list".to_owned(),
            Content::Map => "a mapping".to_owned(),
        }
    }

    fn help_for_type(&self, slot: Slot<'_>) -> Option<String> {
        let node = &self.nodes[slot.at];
        match (slot.ty, &node.content) {
            (FieldType::String | FieldType::Time | FieldType::MicroTime | FieldType::Bytes, content) => {
                let is_scalar =
                    matches!(content, Content::Bool(_) | Content::Int(_) | Content::UInt(_) | Content::Float(_));
                let text = node.span.slice_line(self.sink.text).filter(|_| is_scalar)?;
                Some(suggest::in_quotes(text))
            }
            (FieldType::Int32 | FieldType::Int64 | FieldType::Number, Content::Str(text)) => {
                text.parse::<f64>().is_ok().then(|| format!("remove the quotes: {text}"))
            }
            (FieldType::Bool, Content::Str(text)) => {
                matches!(&**text, "true" | "false").then(|| format!("remove the quotes: {text}"))
            }
            (FieldType::List(_), Content::Map) => Some("start each item with `- `".to_owned()),
            (FieldType::List(_), _) => Some("a list has an item per line, each after `- `".to_owned()),
            (FieldType::Object(_) | FieldType::Map(_), Content::List) => Some("remove the `- `".to_owned()),
            (FieldType::Object(ty), _) => Some(suggest::known_fields(*ty)?),
            _ => None,
        }
    }

    fn unknown_field(&mut self, key: usize, name: &str, scope: Scope<'_>) {
        let path = path_of(self.nodes, self.keys, 0, key);
        let upstream = path_of(self.nodes, self.keys, self.root, key);
        let message = format!("unknown field \"{name}\"");
        let help = suggest::similar(name, scope.ty.fields().iter().map(|field| field.name))
            .map(|similar| format!("did you mean \"{similar}\"?"))
            .or_else(|| self.belongs_elsewhere(name, scope))
            .or_else(|| suggest::known_fields(scope.ty));
        let error = self.sink.error(self.nodes[key].span, ReadErrorKind::UnknownField, message).with_help(help);
        self.sink.push(*error.with_upstream(format!("unknown field \"{upstream}\"")).with_path(path));
    }

    /// An object close by that has the field: the usual cause is wrong indentation.
    fn belongs_elsewhere(&self, name: &str, scope: Scope<'_>) -> Option<String> {
        if let Some(inner) = suggest::inner_owner(scope.ty, name) {
            return Some(format!("\"{name}\" is a field of {inner}: indent it below that"));
        }
        let mut outer = scope.outer;
        while let Some(scope) = outer {
            let path = path_of(self.nodes, self.keys, self.root, scope.at);
            if scope.ty.field(name).is_some() {
                let place = if path.is_empty() { "the document".to_owned() } else { format!("\"{path}\"") };
                return Some(format!("\"{name}\" is a field of {place}: indent it less"));
            }
            if suggest::metadata_has(scope.ty, name) {
                let dot = if path.is_empty() { "" } else { "." };
                return Some(format!("\"{name}\" is a field of \"{path}{dot}metadata\""));
            }
            outer = scope.outer;
        }
        None
    }
}

fn is_integer(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Int32 | FieldType::Int64 | FieldType::IntOrString)
}

fn describe_type(ty: &FieldType) -> String {
    match ty {
        FieldType::String => "a string",
        FieldType::Int32 | FieldType::Int64 => "an integer",
        FieldType::Bool => "true or false",
        FieldType::Number => "a number",
        FieldType::Quantity => "a quantity",
        FieldType::IntOrString => "an integer or a string",
        FieldType::Time | FieldType::MicroTime => "a time",
        FieldType::Bytes => "base64 text",
        FieldType::Object(ty) => return format!("a mapping ({})", ty.name()),
        FieldType::List(_) => "a list",
        FieldType::Map(_) => "a mapping",
        FieldType::Any => "any value",
    }
    .to_owned()
}

/// The name of a type in Go; `None` for types that decode themselves.
fn go_type(ty: &FieldType) -> Option<String> {
    Some(match ty {
        FieldType::String => "string".to_owned(),
        FieldType::Int32 => "int32".to_owned(),
        FieldType::Int64 => "int64".to_owned(),
        FieldType::Bool => "bool".to_owned(),
        FieldType::Number => "float64".to_owned(),
        FieldType::Bytes => "[]uint8".to_owned(),
        FieldType::Object(ty) => {
            let package = ty.path().rsplit('/').next()?.split('.').next()?;
            format!("{package}.{}", ty.name())
        }
        FieldType::List(element) => format!("[]{}", go_type(element)?),
        FieldType::Map(element) => format!("map[string]{}", go_type(element)?),
        _ => return None,
    })
}

/// `spec.containers[0].ports` as `spec.containers.ports`.
fn without_indices(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut inside = false;
    for character in path.chars() {
        match character {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => plain.push(character),
            _ => {}
        }
    }
    plain
}

/// A text in quotes, cut when it is long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// `2006-01-02T15:04:05Z07:00`, a fraction of the second allowed, as Go's `time.Parse` takes it.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    if bytes.len() < shape.len() || !bytes.iter().zip(shape).all(|(&byte, &form)| matches_form(byte, form)) {
        return false;
    }
    let number = |from: usize| u32::from(bytes[from] - b'0') * 10 + u32::from(bytes[from + 1] - b'0');
    let (year, month, day) = (number(0) * 100 + number(2), number(5), number(8));
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return false;
    }
    if number(11) > 23 || number(14) > 59 || number(17) > 59 {
        return false;
    }
    let mut rest = &bytes[shape.len()..];
    if let [b'.' | b',', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    match rest {
        [b'Z'] => true,
        [b'+' | b'-', zone @ ..] if zone.len() == 5 && zone.iter().zip(b"dd:dd").all(|(&b, &f)| matches_form(b, f)) => {
            let number = |from: usize| u32::from(zone[from] - b'0') * 10 + u32::from(zone[from + 1] - b'0');
            number(0) <= 24 && number(3) < 60
        }
        _ => false,
    }
}

fn matches_form(byte: u8, form: u8) -> bool {
    if form == b'd' { byte.is_ascii_digit() } else { byte == form }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}
