//! Reads the generated table once.

use std::sync::OnceLock;

use super::{Field, FieldType, KnownKind, ListType, PatchStrategy, TypeRef};

const TEXT: &str = include_str!("fields.txt");

pub(super) struct TypeInfo {
    pub(super) path: &'static str,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Table {
    pub(super) kinds: Vec<KnownKind>,
    pub(super) types: Vec<TypeInfo>,
}

pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    // The text is part of the program and every test of this room reads all of it, so a fault in it is a bug here.
    TABLE.get_or_init(|| parse(TEXT).unwrap_or_else(|line| panic!("fields.txt: cannot read {line:?}")))
}

/// # Errors
/// The line that does not follow the format in the file's header.
fn parse(text: &'static str) -> Result<Table, &'static str> {
    let paths: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("type ")).collect();
    let mut kinds = Vec::new();
    let mut types: Vec<TypeInfo> = Vec::with_capacity(paths.len());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(path) = line.strip_prefix("type ") {
            types.push(TypeInfo { path, fields: Vec::new() });
        } else if let Some(field) = line.strip_prefix(' ') {
            let field = parse_field(field, &paths).ok_or(line)?;
            types.last_mut().ok_or(line)?.fields.push(field);
        } else {
            kinds.push(parse_kind(line, &paths).ok_or(line)?);
        }
    }
    Ok(Table { kinds, types })
}

fn parse_kind(line: &'static str, paths: &[&str]) -> Option<KnownKind> {
    let mut words = line.strip_prefix("kind ")?.split(' ');
    Some(KnownKind { api_version: words.next()?, kind: words.next()?, ty: type_ref(words.next()?, paths)? })
}

fn parse_field(line: &'static str, paths: &[&str]) -> Option<Field> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let mut field = Field {
        name: name.trim_end_matches('!'),
        ty: parse_type(words.next()?, paths)?,
        required: name.ends_with('!'),
        patch: PatchStrategy::default(),
        merge_key: None,
        list_type: None,
        list_map_keys: Vec::new(),
    };
    for option in words {
        match option.split_once('=')? {
            ("patch", strategies) => field.patch = parse_strategies(strategies)?,
            ("key", key) => field.merge_key = Some(key),
            ("list", "atomic") => field.list_type = Some(ListType::Atomic),
            ("list", "set") => field.list_type = Some(ListType::Set),
            ("list", "map") => field.list_type = Some(ListType::Map),
            ("keys", keys) => field.list_map_keys = keys.split(',').collect(),
            _ => return None,
        }
    }
    Some(field)
}

fn parse_strategies(text: &str) -> Option<PatchStrategy> {
    let mut strategy = PatchStrategy::default();
    for word in text.split(',') {
        match word {
            "merge" => strategy.merge = true,
            "replace" => strategy.replace = true,
            "retainKeys" => strategy.retain_keys = true,
            _ => return None,
        }
    }
    Some(strategy)
}

fn parse_type(text: &str, paths: &[&str]) -> Option<FieldType> {
    if let Some(element) = text.strip_prefix("[]") {
        return Some(FieldType::List(Box::new(parse_type(element, paths)?)));
    }
    if let Some(element) = text.strip_prefix("{}") {
        return Some(FieldType::Map(Box::new(parse_type(element, paths)?)));
    }
    Some(match text {
        "string" => FieldType::String,
        "int32" => FieldType::Int32,
        "int64" => FieldType::Int64,
        "bool" => FieldType::Bool,
        "number" => FieldType::Number,
        "quantity" => FieldType::Quantity,
        "intOrString" => FieldType::IntOrString,
        "time" => FieldType::Time,
        "microTime" => FieldType::MicroTime,
        "bytes" => FieldType::Bytes,
        "any" => FieldType::Any,
        path => FieldType::Object(type_ref(path, paths)?),
    })
}

fn type_ref(path: &str, paths: &[&str]) -> Option<TypeRef> {
    let index = paths.binary_search(&path).ok()?;
    u16::try_from(index).ok().map(TypeRef)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_out_of_format_is_named() {
        for (text, line) in [
            ("type a/v1.A\n b c/v1.Missing", " b c/v1.Missing"),
            ("type a/v1.A\n b string patch=mrge", " b string patch=mrge"),
            ("type a/v1.A\n b string list", " b string list"),
            (" b string", " b string"),
            ("kind v1 A a/v1.A", "kind v1 A a/v1.A"),
        ] {
            assert_eq!(parse(text).err(), Some(line));
        }
    }
}
