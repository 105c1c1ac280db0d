//! Reads the generated tables once.

use std::sync::OnceLock;

use super::{Demands, Field, FieldType, KnownKind, ListType, PatchStrategy, TypeRef};

/// Each with whether custom resource definitions define what is in it.
const TEXTS: [(&str, bool); 2] = [(include_str!("fields.txt"), false), (include_str!("custom.txt"), true)];

pub(super) struct TypeInfo {
    pub(super) path: &'static str,
    pub(super) is_custom: bool,
    pub(super) fields: Vec<Field>,
}

pub(super) struct Table {
    pub(super) kinds: Vec<KnownKind>,
    pub(super) types: Vec<TypeInfo>,
}

pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    // The texts are part of the program and every test of this room reads all of them, so a fault in them is a bug here.
    TABLE.get_or_init(|| parse(&TEXTS).unwrap_or_else(|line| panic!("table of fields: cannot read {line:?}")))
}

/// # Errors
/// The line that does not follow the format in the files' headers.
fn parse(texts: &[(&'static str, bool)]) -> Result<Table, &'static str> {
    let all = |(text, _): &(&'static str, bool)| text.lines().filter_map(|line| line.strip_prefix("type "));
    let mut paths: Vec<&str> = texts.iter().flat_map(all).collect();
    paths.sort_unstable();
    let mut kinds = Vec::new();
    let mut types: Vec<TypeInfo> = Vec::with_capacity(paths.len());
    for (text, is_custom) in texts {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(path) = line.strip_prefix("type ") {
                types.push(TypeInfo { path, is_custom: *is_custom, fields: Vec::new() });
            } else if let Some(field) = line.strip_prefix(' ') {
                let field = parse_field(field, &paths).ok_or(line)?;
                types.last_mut().ok_or(line)?.fields.push(field);
            } else {
                kinds.push(parse_kind(line, &paths).ok_or(line)?);
            }
        }
    }
    kinds.sort_unstable_by_key(|known: &KnownKind| (known.api_version, known.kind));
    types.sort_unstable_by_key(|info| info.path);
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
        demands: Demands::default(),
        each: Demands::default(),
        default: None,
    };
    for option in words {
        match option.split_once('=')? {
            ("patch", strategies) => field.patch = parse_strategies(strategies)?,
            ("key", key) => field.merge_key = Some(key),
            ("list", "atomic") => field.list_type = Some(ListType::Atomic),
            ("list", "set") => field.list_type = Some(ListType::Set),
            ("list", "map") => field.list_type = Some(ListType::Map),
            ("keys", keys) => field.list_map_keys = keys.split(',').collect(),
            ("default", json) => field.default = Some(json),
            (name, limit) => match name.strip_prefix("each.") {
                Some(name) => parse_limit(&mut field.each, name, limit)?,
                None => parse_limit(&mut field.demands, name, limit)?,
            },
        }
    }
    Some(field)
}

fn parse_limit(demands: &mut Demands, name: &str, limit: &'static str) -> Option<()> {
    match name {
        "min" => demands.min = Some(limit.parse().ok()?),
        "max" => demands.max = Some(limit.parse().ok()?),
        "minLength" => demands.min_length = Some(limit.parse().ok()?),
        "maxLength" => demands.max_length = Some(limit.parse().ok()?),
        "minItems" => demands.min_items = Some(limit.parse().ok()?),
        "maxItems" => demands.max_items = Some(limit.parse().ok()?),
        "maxProperties" => demands.max_properties = Some(limit.parse().ok()?),
        "pattern" => demands.pattern = Some(limit),
        "enum" => demands.allowed = limit.split('|').collect(),
        _ => return None,
    }
    Some(())
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
            ("type a/v1.A\n b string minn=1", " b string minn=1"),
            ("type a/v1.A\n b int32 each.min=x", " b int32 each.min=x"),
            (" b string", " b string"),
            ("kind v1 A a/v1.A", "kind v1 A a/v1.A"),
        ] {
            assert_eq!(parse(&[(text, false)]).err(), Some(line));
        }
    }
}
