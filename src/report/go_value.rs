//! Values of documents as Go prints them with `%v`.

use serde_json::Value;

/// A value as `fmt.Sprint` writes what was decoded from JSON: `map[a:1 b:2]`, `[x y]`, `<nil>`.
pub(super) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let members = members.into_iter().map(|(name, value)| format!("{name}:{}", go_value(value)));
            format!("map[{}]", members.collect::<Vec<_>>().join(" "))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::go_value;

    #[test]
    fn maps_and_lists_read_as_in_go() {
        let value = json!({"b": [1, "x", null], "a": true});
        assert_eq!(go_value(&value), "map[a:true b:[1 x <nil>]]");
    }
}
