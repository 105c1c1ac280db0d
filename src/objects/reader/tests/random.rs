//! Properties over arbitrary input.

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::scalar::{Scalar, resolve_plain};
use super::*;

fn any_text() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[ -~]{0,12}", "\\PC{0,8}", "(yes|no|on|null|~|0x1f|1e3|07|1_0|<<|2001-01-01|\\.inf|a\n b\n)"]
}

/// Leaves out what the writer writes plain and YAML 1.1 takes for something else (the writer quotes for 1.2), and the
/// line breaks that only YAML 1.1 knows: the writer breaks lines with them, the parser below the reader (1.2) does not.
fn text_for_yaml_1_2() -> impl Strategy<Value = String> + Clone {
    any_text().prop_filter("plain in YAML 1.2 only", |text| {
        !text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
            && text != "<<"
            && matches!(resolve_plain(text.into()), Scalar::Str(_))
    })
}

fn any_json(text: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-1e15..1e15_f64).prop_filter_map("a fraction", |number| (number.fract() != 0.0).then(|| Json::from(number))),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec((text.clone(), inner), 0..5)
                .prop_map(|entries| Json::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Fragments that meet the parser's corners more often than arbitrary characters do.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        "[ -~\n\t]{0,6}",
        "\\PC{0,3}",
        "(---|\\.\\.\\.|- |\\? |: |&a |\\*a|<<: |\\{|\\}|\\[|\\]|, |!!int |!t |\\|\n|>-\n|\"|'|#|%TAG|\r\n|\u{feff})",
        "(apiVersion: v1\n|kind: Pod\n|kind: List\n|items:\n|metadata:\n|  name: x\n|spec: |  containers:\n|data: |\\{\"apiVersion\":\"v1\",)",
        "(apiVersion: gateway\\.networking\\.k8s\\.io/v1\n|kind: (Gateway|HTTPRoute|ReferenceGrant|GatewayClass)\n|  listeners:\n|  - port: |  rules:\n|  - matches:\n|    filters: )",
    ];
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
}

/// The errors' places lie inside the text and are sorted.
fn assert_sane(text: &str) {
    match read(text) {
        Ok(documents) => {
            for document in &documents {
                assert!(document.locate("spec.containers[0].name").is_some());
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.is_sorted_by_key(|error| (error.line, error.column)));
            let lines = u32::try_from(text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count()).unwrap();
            assert!(
                errors.iter().all(|error| error.line >= 1 && error.column >= 1 && error.line <= lines + 1),
                "{errors:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn yaml_that_was_written_from_json_reads_back_equal(value in any_json(text_for_yaml_1_2())) {
        let text = serde_yaml::to_string(&value).unwrap();
        let indented = text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        prop_assert_eq!(json(&format!("v:\n{indented}"))["v"].clone(), value);
    }

    #[test]
    fn json_reads_back_equal(value in any_json(any_text())) {
        let value = serde_json::json!({ "v": value });
        prop_assert_eq!(json(&value.to_string()), value.clone());
        prop_assert_eq!(json(&serde_json::to_string_pretty(&value).unwrap()), value);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        assert_sane(&text);
    }

    #[test]
    fn fragments_of_manifests_never_panic(text in fragments()) {
        assert_sane(&text);
    }
}
