use proptest::prelude::*;
use serde_json::{Value, json};

use super::decode;
use super::table::{Table, Type};

/// A field of bytes.
fn part(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short part");
    assert!(length < 128);
    [&[number << 3 | 2, length], bytes].concat()
}

fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn body(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let meta = [part(1, api_version.as_bytes()), part(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), part(1, &meta), part(2, object), part(3, b""), part(4, b"")].concat()
}

#[test]
fn what_nobody_set_is_left_out_and_time_is_text() {
    // metadata: name (1), generateName (2) empty, creationTimestamp (8) empty, deletionTimestamp (9) at a second.
    let meta = [part(1, b"web"), part(2, b""), part(8, b""), part(9, &number(1, 5))].concat();
    let entry = [part(1, b"a"), part(2, b"")].concat();
    let object = [part(1, &meta), part(2, &entry)].concat();
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": ""},
        "metadata": {"name": "web", "deletionTimestamp": "1970-01-01T00:00:05Z"},
    });
    assert_eq!(decode(&body("v1", "ConfigMap", &object)), Ok(expected));
}

#[test]
fn what_json_inlines_is_inlined_and_ports_are_numbers_or_names() {
    // ContainerPorts and probes: Container.livenessProbe (10) has its handler (1) inline, with httpGet (2) of path (1) and port (2).
    let port = [number(1, 1), number(2, 0), part(3, b"http")].concat();
    let handler = part(2, &[part(1, b"/"), part(2, &port)].concat());
    let probe = [part(1, &handler), number(2, 0), number(4, 7)].concat();
    let container = [part(1, b"c"), part(10, &probe)].concat();
    let pod = part(2, &part(2, &container));
    let decoded = decode(&body("v1", "Pod", &pod)).expect("a pod");
    let expected = json!({"httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 0, "periodSeconds": 7});
    assert_eq!(decoded["spec"]["containers"][0]["livenessProbe"], expected);
}

#[test]
fn other_kinds_and_what_is_cut_off_are_refused() {
    assert!(decode(&body("sea.example/v1", "Boat", b"")).is_err_and(|why| why.contains("send JSON")));
    let whole = body("v1", "ConfigMap", &part(1, &part(1, b"web")));
    assert!(decode(b"").is_err() && decode(b"{}").is_err());
    assert!(decode(&whole[..whole.len() - 9]).is_err());
}

#[test]
fn every_message_that_a_field_has_is_in_the_table() {
    let table = Table::get();
    let mut messages = 0;
    for (name, message) in table.messages() {
        messages += 1;
        for field in message.values() {
            if let Type::Message(of) = field.ty {
                assert!(table.message(of).is_some() || of == "meta/v1.Duration", "{name}.{}: {of}", field.name);
            }
        }
    }
    assert!(messages > 200, "{messages}");
    for kind in crate::objects::Kind::ALL
        .iter()
        .filter(|kind| !kind.group().ends_with("networking.k8s.io") || kind.group() == "networking.k8s.io")
    {
        assert!(table.message_of(kind.api_version(), kind.as_str()).is_some(), "{kind}");
    }
}

proptest! {
    #[test]
    fn no_body_panics(object in prop::collection::vec(any::<u8>(), 0..100), kind in 0usize..3) {
        let kind = ["Pod", "Deployment", "Service"][kind];
        let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        let decoded = decode(&body(version, kind, &object));
        prop_assert!(decoded.is_err() || decoded.is_ok_and(|value| matches!(value, Value::Object(_))));
        let _ = decode(&object);
    }
}
