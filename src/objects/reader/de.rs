//! Deserializes Rust types from spanned trees, with errors that know their place.

use std::fmt::{self, Display};

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::error::{ReadError, ReadErrorKind};
use super::span::Span;
use super::suggest;
use super::tree::{Content, Node, children, entries, path_of, pointed_span};

/// Reads a value of type `T` from a node of a [`SpannedFile`](super::SpannedFile).
///
/// ```
/// use seatrial::objects::reader::{ReaderLimits, from_spanned, parse_spanned};
///
/// #[derive(Debug, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Step { replicas: u32 }
///
/// let file = parse_spanned("s.yaml", "replica: 3\n", &ReaderLimits::default()).unwrap();
/// let error = from_spanned::<Step>(file.roots().next().unwrap()).unwrap_err();
/// assert_eq!(error.to_string(), "s.yaml:1:1: replica: unknown field \"replica\"");
/// assert_eq!(error.help.as_deref(), Some("did you mean \"replicas\"?"));
/// ```
///
/// # Errors
/// The first value that does not fit, with its place, its path and, for an unknown field, a suggestion.
pub fn from_spanned<T: DeserializeOwned>(node: Node<'_>) -> Result<T, Box<ReadError>> {
    T::deserialize(Spanned { node, key: None }).map_err(|error| error.into_read_error(node))
}

/// An error on its way up to the node that it belongs to.
#[derive(Debug)]
struct Error {
    kind: ReadErrorKind,
    message: String,
    help: Option<String>,
    /// The field that is missing or unknown, to add to the path.
    place: Option<ErrorPlace>,
}

#[derive(Debug)]
struct ErrorPlace {
    at: usize,
    span: Span,
}

impl Error {
    fn at(mut self, node: Spanned<'_>) -> Self {
        self.place.get_or_insert_with(|| ErrorPlace { at: node.node.at, span: node.span() });
        self
    }

    fn into_read_error(self, root: Node<'_>) -> Box<ReadError> {
        let place = self.place.unwrap_or(ErrorPlace { at: root.at, span: root.span() });
        let path = path_of(root.nodes, &root.file.keys, 0, place.at);
        ReadError::new(&root.file.source, place.span, self.kind, self.message).with_path(path).with_help(self.help)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Error { kind: ReadErrorKind::Schema, message: message.to_string(), help: None, place: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error { kind: ReadErrorKind::WrongType, ..Error::custom(mismatch(found, expected)) }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error { kind: ReadErrorKind::InvalidValue, ..Error::custom(mismatch(found, expected)) }
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let help = one_of("did you mean", "one of", variant, known);
        let message = format!("unknown value {}", super::check::quoted(variant));
        Error { kind: ReadErrorKind::InvalidValue, message, help, place: None }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let help = one_of("did you mean", "the fields here are", field, known);
        Error { kind: ReadErrorKind::UnknownField, message: format!("unknown field \"{field}\""), help, place: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Error { kind: ReadErrorKind::MissingField, ..Error::custom(format_args!("{field} is missing")) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Error {
            kind: ReadErrorKind::DuplicateField,
            ..Error::custom(format_args!("the field \"{field}\" is set twice"))
        }
    }
}

fn one_of(similar: &str, all: &str, name: &str, known: &[&'static str]) -> Option<String> {
    const FEW: usize = 40;
    match suggest::similar(name, known.iter().copied()) {
        Some(candidate) => Some(format!("{similar} \"{candidate}\"?")),
        None => (1..=FEW).contains(&known.len()).then(|| format!("{all}: {}", known.join(", "))),
    }
}

fn mismatch(found: Unexpected<'_>, expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    let words = match expected.as_str() {
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "usize" => "an integer from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        other => other,
    };
    format!("expected {words}, got {}", describe(found))
}

fn describe(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("the boolean {value}"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the string {}", super::check::quoted(text)),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// A node as a deserializer.
#[derive(Clone, Copy)]
struct Spanned<'a> {
    node: Node<'a>,
    key: Option<usize>,
}

impl<'a> Spanned<'a> {
    fn content(self) -> &'a Content<'a> {
        &self.node.nodes[self.node.at].content
    }

    /// The range to underline when the value is wrong.
    fn span(self) -> Span {
        let is_collection = matches!(self.content(), Content::List | Content::Map);
        pointed_span(self.node.span(), is_collection, self.key.map(|key| self.node.nodes[key].span))
    }

    fn child(self, at: usize, key: Option<usize>) -> Self {
        Spanned { node: Node { at, ..self.node }, key }
    }

    fn mismatch(self, expected: &str) -> Error {
        let found = match self.content() {
            Content::Null | Content::MergeKey => Unexpected::Unit,
            Content::Bool(value) => Unexpected::Bool(*value),
            Content::Int(value) => Unexpected::Signed(*value),
            Content::UInt(value) => Unexpected::Unsigned(*value),
            Content::Float(value) => Unexpected::Float(*value),
            Content::Str(text) => Unexpected::Str(text),
            Content::Key(id) => Unexpected::Str(self.node.file.keys.text(*id)),
            Content::List => Unexpected::Seq,
            Content::Map => Unexpected::Map,
        };
        Error::invalid_type(found, &expected)
    }

    fn key_text(self, key: usize) -> &'a str {
        match &self.node.nodes[key].content {
            Content::Key(id) => self.node.file.keys.text(*id),
            _ => "",
        }
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Content::Null | Content::MergeKey => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Int(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(*value),
            },
            Content::UInt(value) => visitor.visit_u64(*value),
            Content::Float(value) => visitor.visit_f64(*value),
            Content::Str(text) => visitor.visit_str(text),
            Content::Key(id) => visitor.visit_str(self.node.file.keys.text(*id)),
            Content::List => visitor.visit_seq(Items { of: self, items: children(self.node.nodes, self.node.at) }),
            Content::Map => {
                let entries = entries(self.node.nodes, self.node.at);
                visitor.visit_map(Entries {
                    of: self,
                    entries: entries.map(|(key, value, _)| (key, value)),
                    current: None,
                })
            }
        }
    }
}

impl<'de> de::Deserializer<'de> for Spanned<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit(visitor).map_err(|error| error.at(self))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self))
    }

    /// Nothing is an empty list, as in the API.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Content::List => self.visit(visitor),
            Content::Null => visitor.visit_seq(Items { of: self, items: std::iter::empty() }),
            _ => Err(self.mismatch("a list")),
        }
        .map_err(|error| error.at(self))
    }

    /// Nothing is an empty mapping, as in the API.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content() {
            Content::Map => self.visit(visitor),
            Content::Null => visitor.visit_map(Entries { of: self, entries: std::iter::empty(), current: None }),
            _ => Err(self.mismatch("a mapping")),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.content() {
            Content::Map => self.visit(visitor),
            _ => Err(self.mismatch("a mapping")),
        }
        .map_err(|error| error.at(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let variant = match self.content() {
            Content::Str(text) => Variant { name: text, name_at: self, value: None },
            Content::Map => {
                let mut all = entries(self.node.nodes, self.node.at);
                let (Some((key, value, _)), None) = (all.next(), all.next()) else {
                    let error = Error::custom("expected a mapping with one key, the name of the variant");
                    return Err(error.at(self));
                };
                let name = self.key_text(key);
                Variant { name, name_at: self.child(key, None), value: Some(self.child(value, Some(key))) }
            }
            _ => return Err(self.mismatch("a string or a mapping with one key").at(self)),
        };
        visitor.visit_enum(variant).map_err(|error| error.at(self))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier
    }
}

struct Items<'a, I> {
    of: Spanned<'a>,
    items: I,
}

impl<'de, I: Iterator<Item = usize>> SeqAccess<'de> for Items<'_, I> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.items.next().map(|at| seed.deserialize(self.of.child(at, None))).transpose()
    }
}

struct Entries<'a, I> {
    of: Spanned<'a>,
    entries: I,
    current: Option<(usize, usize)>,
}

impl<'de, I: Iterator<Item = (usize, usize)>> MapAccess<'de> for Entries<'_, I> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.entries.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        let at = self.of.child(key, None);
        let key = seed.deserialize(KeyText(self.of.key_text(key))).map_err(|error| error.at(at))?;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) = self.current.ok_or_else(|| Error::custom("a value was asked for before its key"))?;
        let value = self.of.child(value, Some(key));
        seed.deserialize(value).map_err(|error| error.at(value))
    }
}

/// A key: text, or a number or boolean when that is what the map's key type asks for.
struct KeyText<'a>(&'a str);

macro_rules! parsed_keys {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_str(self.0),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for KeyText<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    parsed_keys! {
        deserialize_bool visit_bool
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32 deserialize_i64 visit_i64
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32 deserialize_u64 visit_u64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

struct Variant<'a> {
    name: &'a str,
    name_at: Spanned<'a>,
    value: Option<Spanned<'a>>,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(KeyText(self.name)).map_err(|error| error.at(self.name_at))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            Some(value) if !matches!(value.content(), Content::Null) => {
                Err(Error::custom(format_args!("{} takes no value", self.name)).at(value))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let value = self.required()?;
        seed.deserialize(value).map_err(|error| error.at(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.required()?, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.required()?, visitor)
    }
}

impl<'a> Variant<'a> {
    fn required(&self) -> Result<Spanned<'a>, Error> {
        self.value
            .ok_or_else(|| Error::custom(format_args!("{} needs a value: write `{0}: …`", self.name)).at(self.name_at))
    }
}
