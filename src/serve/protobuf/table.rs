//! The messages: numbers, names and types of their fields.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The type of a field, or of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Bytes,
    Bool,
    Int,
    Double,
    /// Messages that are values in JSON.
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    /// JSON in a field of its own.
    Raw,
    Message(&'static str),
}

/// How often a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Many {
    One,
    /// The fields of the message stand among those around it.
    Inline,
    List,
    /// Keys are text.
    Map,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) many: Many,
    pub(super) ty: Type,
}

pub(super) type Message = BTreeMap<u32, Field>;

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Messages by group, version and kind.
    kinds: BTreeMap<(&'static str, &'static str), &'static str>,
    messages: BTreeMap<&'static str, Message>,
}

impl Table {
    pub(super) fn get() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("messages.txt")));
        &TABLE
    }

    fn read(text: &'static str) -> Self {
        let mut table = Self::default();
        let mut current = "";
        for line in text.lines() {
            let words: Vec<&'static str> = line.split_whitespace().collect();
            match words[..] {
                ["kind", version, kind, message] => drop(table.kinds.insert((version, kind), message)),
                ["message", name] => {
                    current = name;
                    table.messages.insert(name, Message::new());
                }
                [number, name, ty] if line.starts_with(' ') => {
                    let field = Field::read(name, ty);
                    if let (Some(message), Ok(number)) = (table.messages.get_mut(current), number.parse()) {
                        message.insert(number, field);
                    }
                }
                _ => {}
            }
        }
        table
    }

    pub(super) fn message_of(&self, api_version: &str, kind: &str) -> Option<&Message> {
        let found = self.kinds.iter().find(|((version, name), _)| (*version, *name) == (api_version, kind));
        self.message(found?.1)
    }

    pub(super) fn message(&self, name: &str) -> Option<&Message> {
        self.messages.get(name)
    }

    /// All messages, by name.
    #[cfg(test)]
    pub(super) fn messages(&self) -> impl Iterator<Item = (&'static str, &Message)> {
        self.messages.iter().map(|(name, message)| (*name, message))
    }
}

impl Field {
    fn read(name: &'static str, ty: &'static str) -> Self {
        let (many, ty) = if let Some(of) = ty.strip_prefix('*') {
            (Many::List, of)
        } else if let Some(of) = ty.strip_prefix('=') {
            (Many::Inline, of)
        } else if let Some(of) = ty.strip_prefix('{') {
            (Many::Map, of.trim_end_matches('}'))
        } else {
            (Many::One, ty)
        };
        let ty = match ty {
            "string" => Type::Text,
            "bytes" => Type::Bytes,
            "bool" => Type::Bool,
            "int32" | "int64" => Type::Int,
            "double" => Type::Double,
            "meta/v1.Time" => Type::Time,
            "meta/v1.MicroTime" => Type::MicroTime,
            "resource.Quantity" => Type::Quantity,
            "intstr.IntOrString" => Type::IntOrString,
            "runtime.RawExtension" | "meta/v1.FieldsV1" => Type::Raw,
            message => Type::Message(message),
        };
        Self { name, many, ty }
    }
}
