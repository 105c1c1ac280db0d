//! The dialect by examples; most of them are those of kubectl's manual.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn list() -> Value {
    json!({
        "kind": "List",
        "items": [
            {"kind": "None", "metadata": {"name": "127.0.0.1", "labels": {"kubernetes.io/hostname": "127.0.0.1"}},
             "status": {"capacity": {"cpu": "4"}, "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.1"}]}},
            {"kind": "None", "metadata": {"name": "127.0.0.2"},
             "status": {"capacity": {"cpu": "8"},
                        "addresses": [{"type": "LegacyHostIP", "address": "127.0.0.2"},
                                      {"type": "another", "address": "127.0.0.3"}]}},
        ],
        "users": [{"name": "myself", "user": {}}, {"name": "e2e", "age": 7, "user": {"username": "admin", "password": "secret"}}],
    })
}

fn print(template: &str) -> String {
    let path = JsonPath::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
    path.print(&list()).unwrap_or_else(|error| panic!("{template}: {error}"))
}

#[test]
fn expressions_find_what_they_find_in_kubectl() {
    for (template, found) in [
        ("kind is {.kind}", "kind is List"),
        ("{['kind']}", "List"),
        ("{.items[0]['metadata'].name}", "127.0.0.1"),
        ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
        ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
        ("{.users[0].name}", "myself"),
        ("{.users[-1].name}", "e2e"),
        ("{.users[-1:].name}", "e2e"),
        ("{.users[0:2:2].name}", "myself"),
        ("{.items[*]['metadata.name','status.capacity']}", ""),
        ("{.items[*].metadata['name', 'labels']}", r#"127.0.0.1 127.0.0.2 {"kubernetes.io/hostname":"127.0.0.1"}"#),
        ("{.users[?(@.name==\"e2e\")].user.password}", "secret"),
        ("{.users[?(@.age>=7)].name}", "e2e"),
        ("{.users[?(@.age)].name}", "e2e"),
        ("{.users[?(@.name!='e2e')].name}", "myself"),
        (
            "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}",
            "[127.0.0.1, {\"cpu\":\"4\"}] [127.0.0.2, {\"cpu\":\"8\"}] ",
        ),
        (
            "{range .items[*]}{.metadata.name}:{range .status.addresses[*]} {.address}{end}{'\\n'}{end}done",
            "127.0.0.1: 127.0.0.1\n127.0.0.2: 127.0.0.2 127.0.0.3\ndone",
        ),
        ("{.items[0].metadata.labels.kubernetes\\.io/hostname}", "127.0.0.1"),
        ("{.items[0].metadata.labels['kubernetes\\.io/hostname']}", "127.0.0.1"),
        ("{.users[*].nothing}", ""),
        ("{range .nothing[*]}x{end}.", "."),
        ("{.users[0].user}", "{}"),
        ("{$.kind}{\"\\t\"}{@.kind}", "List\tList"),
        ("plain", "plain"),
    ] {
        assert_eq!(print(template), found, "{template}");
    }
}

#[test]
fn relaxed_expressions_need_neither_dot_nor_braces() {
    for text in ["kind", ".kind", "{kind}", "{.kind}"] {
        assert_eq!(JsonPath::relaxed(text).expect(text).print(&list()).expect(text), "List");
    }
    for text in ["", "{", "{.a", "a}b", "{.a}{.b}"] {
        let error = JsonPath::relaxed(text).expect_err(text).to_string();
        assert!(error.starts_with("unexpected path string") || error.contains("action"), "{text}: {error}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |template: &str| {
        let found = JsonPath::parse(template).and_then(|path| path.print(&list()));
        found.expect_err(template).to_string()
    };
    assert_eq!(wrong("{.kind"), "unclosed action");
    assert_eq!(wrong("{.users[9].name}"), "array index out of bounds: index 9, length 2");
    assert_eq!(wrong("{.users[?(@.name=='e2e']}"), "unterminated filter");
    assert_eq!(wrong("{.users[a]}"), "invalid array index a");
    assert_eq!(wrong("{.kind[0]}"), "a text is not array or slice");
    assert_eq!(wrong("{.kind[?(@.a)]}"), "a text is not array or slice and cannot be filtered");
    assert_eq!(wrong("{end}"), "not in range, nothing to end");
    assert_eq!(wrong("{range .users[*]}"), "a {range} has no {end}");
    assert_eq!(wrong("{'a}"), "unterminated quoted string");
    assert_eq!(wrong("{foo}"), "unrecognized identifier foo");
    assert_eq!(wrong("{.users[0:1:0]}"), "step must be > 0");
    assert_eq!(wrong("{%}"), "unrecognized character in action: U+0025 '%'");
    assert_eq!(wrong("{.users[?(@.name=~'x')]}"), "unrecognized filter operator =");
}

#[test]
fn lists_of_results_are_json_of_their_own() {
    let path = JsonPath::parse("{.users[*].name}").expect("a template");
    assert_eq!(path.print_json(&list()).expect("found"), "[\n    \"myself\",\n    \"e2e\"\n]\n");
}

proptest! {
    /// Whatever is written, it is an answer or an error.
    #[test]
    fn no_template_panics(template in r#"[{}\[\]().@$*?:,'"\\ a-c0-9<=>!-]{0,40}"#) {
        if let Ok(path) = JsonPath::parse(&template) {
            let _ = path.print(&json!({"a": [{"b": 1, "c": "x"}, {"b": 2}], "b": null, "c": {"a": [[1, 2]]}}));
        }
    }

    #[test]
    fn no_expression_in_a_filter_panics(inside in r#"[@.a-c0-9'"<=>!\[\]()? ]{0,20}"#) {
        if let Ok(path) = JsonPath::parse(&format!("{{.a[?({inside})].b}}")) {
            let _ = path.print(&json!({"a": [{"b": 1, "c": "x"}, {"b": 2}]}));
        }
    }
}
