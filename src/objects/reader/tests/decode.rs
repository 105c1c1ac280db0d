//! The API server's answers to texts (recorded), against the reader's.

use serde_json::Value as Json;

use super::*;

/// Differences from posting the text as it stands: what the reader does as kubectl does it, or stricter.
fn is_ours(note: &str) -> bool {
    matches!(
        note,
        // kubectl needs a kind; posting to a collection does not.
        "no kind"
        // Kept with a notice instead of refused.
        | "unknown version" | "extensions/v1beta1 Deployment"
        // Not an object: nothing at all for kubectl.
        | "only a comment"
        // kubectl reads what is not JSON as YAML.
        | "json trailing comma"
    )
}

#[test]
fn decoding_errors_are_those_of_the_api_server() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/data/manifest-validation.json");
    let data: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = data["cases"].as_array().unwrap().iter().filter(|case| case["in"]["op"] == "decode");
    let mut seen = 0;
    for case in cases {
        let note = case["note"].as_str().unwrap();
        let result = read(case["in"]["text"].as_str().unwrap());
        seen += 1;
        if is_ours(note) {
            continue;
        }
        let upstream = case["out"]["decodeError"].as_str();
        assert_eq!(result.is_err(), upstream.is_some(), "{note}: {upstream:?}, {result:?}");
        let errors = result.err().unwrap_or_default();
        check(note, upstream.unwrap_or_default(), &case["out"]["strictErrors"], &errors);
    }
    assert!(seen >= 27, "{seen} cases");
}

fn check(note: &str, upstream: &str, strict: &Json, errors: &[ReadError]) {
    for text in strict.as_array().into_iter().flatten().filter_map(Json::as_str) {
        // go-yaml names a repeated key by its line only.
        let is_found = match text.strip_prefix("yaml: unmarshal errors:") {
            Some(_) => errors.iter().any(|error| {
                error.kind == ReadErrorKind::DuplicateField && text.contains(&format!("line {}:", error.line))
            }),
            None => errors.iter().any(|error| error.upstream.as_deref() == Some(text)),
        };
        assert!(is_found, "{note}: {text}\n{}", render(errors));
    }
    if upstream.contains("Go struct field") {
        let text = errors[0].upstream.as_deref().unwrap_or_default();
        assert!(upstream.ends_with(text) && text.starts_with("json: "), "{note}: {upstream}\n{text}");
    }
    if upstream.contains("parsing time") {
        assert_eq!(errors[0].kind, ReadErrorKind::InvalidValue, "{note}");
    }
    if upstream.contains("is unrecognized") {
        assert!(
            matches!(errors[0].kind, ReadErrorKind::Syntax | ReadErrorKind::NotAnObject),
            "{note}: {}",
            render(errors)
        );
    }
}

#[test]
fn what_kubectl_refuses_is_refused() {
    assert!(read("apiVersion: v1\nmetadata:\n  name: p\n").is_err(), "no kind");
    let trailing_comma = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p",},"spec":{}}"#;
    assert_eq!(documents(trailing_comma).len(), 1, "kubectl falls back to YAML");
}
