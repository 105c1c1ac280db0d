//! Scalars and structure as kubectl's YAML reader sees them.

use serde_json::{Value, json};

use super::{json, syntax_errors};

fn value(scalar: &str) -> Value {
    json(&format!("v: {scalar}\n"))["v"].clone()
}

#[test]
fn plain_scalars_follow_go_yaml_v2() {
    let cases: &[(&str, Value)] = &[
        ("", Value::Null),
        ("~", Value::Null),
        ("null", Value::Null),
        ("Null", Value::Null),
        ("NULL", Value::Null),
        ("nULL", json!("nULL")),
        ("y", json!(true)),
        ("Y", json!(true)),
        ("yes", json!(true)),
        ("Yes", json!(true)),
        ("YES", json!(true)),
        ("yEs", json!("yEs")),
        ("on", json!(true)),
        ("On", json!(true)),
        ("ON", json!(true)),
        ("true", json!(true)),
        ("True", json!(true)),
        ("TRUE", json!(true)),
        ("tRue", json!("tRue")),
        ("n", json!(false)),
        ("N", json!(false)),
        ("no", json!(false)),
        ("NO", json!(false)),
        ("off", json!(false)),
        ("Off", json!(false)),
        ("OFF", json!(false)),
        ("false", json!(false)),
        ("FALSE", json!(false)),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("+7", json!(7)),
        ("-12", json!(-12)),
        ("007", json!(7)),
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("-0644", json!(-420)),
        ("08", json!(8)),
        ("09.5", json!(9.5)),
        ("0x1F", json!(31)),
        ("0X1f", json!(31)),
        ("-0x10", json!(-16)),
        ("+0x10", json!(16)),
        ("0x", json!("0x")),
        ("0xfg", json!("0xfg")),
        ("0b101", json!(5)),
        ("-0b11", json!(-3)),
        ("0B1", json!(1)),
        ("0b2", json!("0b2")),
        ("1_000", json!(1000)),
        ("1__0_", json!(10)),
        ("_1", json!("_1")),
        ("0x_f", json!(15)),
        ("9223372036854775807", json!(i64::MAX)),
        ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ("0xffffffffffffffffff", json!("0xffffffffffffffffff")),
        ("1.5", json!(1.5)),
        ("1.", json!(1)),
        (".5", json!(0.5)),
        ("-.5", json!(-0.5)),
        ("1e3", json!(1000)),
        ("1E-2", json!(0.01)),
        ("80.0", json!(80)),
        ("1e", json!("1e")),
        (".", json!(".")),
        ("..5", json!("..5")),
        ("1e999", json!("1e999")),
        ("1.2.3", json!("1.2.3")),
        ("+", json!("+")),
        ("1m", json!("1m")),
        ("100m", json!("100m")),
        ("inf", json!("inf")),
        ("nan", json!("nan")),
        (".infinity", json!(".infinity")),
        ("2001-12-14", json!("2001-12-14")),
        ("2001-12-14T21:59:43Z", json!("2001-12-14T21:59:43Z")),
        ("12:30:45", json!("12:30:45")),
        ("1.27.3-alpine", json!("1.27.3-alpine")),
        ("a b", json!("a b")),
        ("\"on\"", json!("on")),
        ("'1'", json!("1")),
        ("\"\"", json!("")),
        ("|\n  12\n", json!("12\n")),
        (">-\n  a\n  b\n", json!("a b")),
        ("<<", json!("<<")),
        ("=", json!("=")),
    ];
    for (scalar, expected) in cases {
        assert_eq!(value(scalar), *expected, "{scalar:?}");
    }
}

#[test]
fn tags_decide_the_type() {
    let cases: &[(&str, Value)] = &[
        ("!!str 12", json!("12")),
        ("!!str", json!("")),
        ("!!int \"5\"", json!(5)),
        ("!!float 5", json!(5)),
        ("!!bool yes", json!(true)),
        ("!!null ~", Value::Null),
        ("! 5", json!("5")),
        ("!custom on", json!("on")),
        ("!!timestamp 2001-12-14", json!("2001-12-14")),
        ("!!binary aGk=", json!("hi")),
        ("!<tag:yaml.org,2002:str> 5", json!("5")),
    ];
    for (scalar, expected) in cases {
        assert_eq!(value(scalar), *expected, "{scalar:?}");
    }
    assert_eq!(syntax_errors("v: !!int abc\n"), "t.yaml:1:10: v: cannot decode !!str `abc` as a !!int");
}

#[test]
fn keys_become_strings() {
    let text =
        "1: a\n0x10: b\n1.5: c\n1e6: d\n123456.0: e\n0.00001: f\non: g\nno: h\n2001-01-01: i\n\"7\": j\n.inf: k\n";
    let expected = json!({
        "1": "a", "16": "b", "1.5": "c", "1e+06": "d", "123456": "e", "1e-05": "f", "true": "g", "false": "h",
        "2001-01-01": "i", "7": "j", ".inf": "k",
    });
    assert_eq!(json(text), expected);
}

#[test]
fn numbers_without_a_json_form_are_refused() {
    for scalar in [".inf", "-.Inf", ".nan"] {
        let errors = syntax_errors(&format!("a:\n- v: {scalar}\n"));
        assert_eq!(errors.lines().next(), Some(&*format!("t.yaml:2:6: a[0].v: the number {scalar} has no JSON form")));
    }
}

#[test]
fn aliases_repeat_their_anchors() {
    let text = "a: &x {k: [1, &y 2]}\nb: *x\nc: *y\nd: &z text\n*z : 5\n";
    assert_eq!(json(text), json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": 2, "d": "text", "text": 5}));
    assert_eq!(json("&k key: 1\nother: *k\n"), json!({"key": 1, "other": "key"}));
    assert_eq!(json("a: &x 1\nb: &x 2\nc: *x\n"), json!({"a": 1, "b": 2, "c": 2}));
}

#[test]
fn merge_keys_take_over_entries() {
    let base = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\n";
    let merged = |entries: &str| json(&format!("{base}v: {entries}\n"))["v"].clone();
    assert_eq!(merged("{<<: *base, b: 5}"), json!({"a": 1, "b": 5}));
    assert_eq!(merged("{<<: [*base, *more]}"), json!({"a": 1, "b": 2, "c": 4}));
    assert_eq!(merged("{<<: {<<: *base, z: 1}, a: 9}"), json!({"a": 9, "b": 2, "z": 1}));
    // As in go-yaml v2, and unlike the specification, the last one to set a key wins.
    assert_eq!(merged("{b: 5, <<: *base}"), json!({"a": 1, "b": 2}));
    assert_eq!(merged("{\"<<\": 1}"), json!({"<<": 1}));
    assert_eq!(merged("[{<<: *base}, *base]"), json!([{"a": 1, "b": 2}, {"a": 1, "b": 2}]));
}

#[test]
fn line_ends_tabs_and_byte_order_marks_are_taken_as_go_yaml_takes_them() {
    assert_eq!(json("\u{feff}a:\r\n  b: 1\r\n  c: |\r\n    x\r\n    y\r\n"), json!({"a": {"b": 1, "c": "x\ny\n"}}));
    assert_eq!(json("a:\t1\nb: x\t# comment\n"), json!({"a": 1, "b": "x"}));
    assert_eq!(json("{\n\t\"a\":\t[1,\n\t\t2]\n}"), json!({"a": [1, 2]}));
}

#[test]
fn json_is_read_as_json() {
    let text = r#"{"s":"a\"\\\/\b\f\n\r\tä😀\ud800x","n":[0,-1,1.5,1e2,18446744073709551615],"on":"y","e":{},"l":[]}"#;
    let expected = json!({
        "s": "a\"\\/\u{8}\u{c}\n\r\tä😀\u{fffd}x", "n": [0, -1, 1.5, 100, u64::MAX], "on": "y", "e": {}, "l": [],
    });
    assert_eq!(json(text), expected);
    assert_eq!(json("  {a: on}"), json!({"a": true}), "what is not JSON is tried as YAML");
}
