use proptest::prelude::*;
use serde_json::{Value, json};

use super::to_yaml;
use crate::objects::reader::{ReaderLimits, parse_spanned};

fn read(text: &str) -> Value {
    let file = parse_spanned("out.yaml", text, &ReaderLimits::default()).expect("readable");
    file.roots().next().map_or(Value::Null, |root| root.to_json())
}

#[test]
fn texts_are_quoted_as_kubectl_does() {
    let long = format!("{} {}", "x".repeat(90), "y z");
    let cases = [
        ("web", "web"),
        ("", "\"\""),
        ("y", "\"y\""),
        ("1.10", "\"1.10\""),
        ("2026-01-01T00:00:00Z", "\"2026-01-01T00:00:00Z\""),
        ("12:30:45", "\"12:30:45\""),
        ("<<", "\"<<\""),
        ("25%", "25%"),
        ("* * * * *", "'* * * * *'"),
        ("a: b", "'a: b'"),
        ("it's: so", "'it''s: so'"),
        ("a:b", "a:b"),
        (" a", "' a'"),
        ("-", "'-'"),
        ("-c", "-c"),
        ("tab\there", "\"tab\\there\""),
        ("a\nb\n", "|\n  a\n  b"),
        ("a\nb", "|-\n  a\n  b"),
        ("a\n\n", "|+\n  a\n"),
        ("\na", "|2-\n\n  a"),
        ("a \nb", "\"a \\nb\""),
        ("\u{1F600}", "\"\\U0001F600\""),
        (&long, &format!("{}\n  y z", "x".repeat(90))),
    ];
    for (text, expected) in cases {
        assert_eq!(to_yaml(&json!({"a": text})), format!("a: {expected}\n"), "{text:?}");
    }
}

#[test]
fn collections_are_laid_out_as_kubectl_does() {
    let value = json!({"items": [{"a": {}, "b": [1, [2, "x\ny"]]}, [], "z", true, null, 1.5], "kind": "List"});
    let expected = "items:\n- a: {}\n  b:\n  - 1\n  - - 2\n    - |-\n      x\n      y\n- []\n- z\n- true\n- null\n- 1.5\nkind: List\n";
    assert_eq!(to_yaml(&value), expected);
}

#[test]
fn numbers_in_keys_count_as_numbers() {
    let value = json!({"a10": 1, "a2": 1, "a": 1, "B": 1, "1": 1, "a-b": 1, "a_b": 1});
    let text = to_yaml(&value);
    let keys: Vec<&str> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["\"1\"", "B", "a", "a-b", "a_b", "a2", "a10"]);
}

fn any_text() -> impl Strategy<Value = String> {
    let odd = "[yn0-9:.,#&*!|>'\"%@`{}\\[\\]<=~?+_\\- \n\t\r\u{85}\u{a0}\u{2028}\u{feff}é\u{1F600}a-c]{0,12}";
    let words = "([a-z:'# ]{1,9} ){0,30}x";
    prop_oneof![odd, words]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(key in any_text(), text in any_text(), item in any_text()) {
        let value = json!({"a": {key: [text.clone(), {"b": text}, [item]]}});
        let yaml = to_yaml(&value);
        prop_assert_eq!(read(&yaml), value, "{}", yaml);
    }
}
