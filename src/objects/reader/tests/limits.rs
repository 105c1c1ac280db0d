//! Budgets: small texts that would be large to read.

use std::fmt::Write;

use super::*;

fn limit_of(text: &str, limits: &ReaderLimits) -> ReadError {
    let errors = read_manifests("b.yaml", text, limits).unwrap_err();
    let is_limit = |error: &&ReadError| matches!(error.kind, ReadErrorKind::Limit(_));
    errors.iter().find(is_limit).unwrap_or_else(|| panic!("{}", render(&errors))).clone()
}

fn message(text: &str) -> String {
    limit_of(text, &ReaderLimits::default()).to_string()
}

/// Nine levels of lists, each naming the one before ten times.
fn laughs(seed: &str) -> String {
    let mut text = format!("a0: &a0 {seed}\n");
    for level in 1..10 {
        let before = level - 1;
        let _ = writeln!(text, "a{level}: &a{level} [{}]", vec![format!("*a{before}"); 10].join(", "));
    }
    text
}

#[test]
fn alias_bombs_are_defused() {
    assert_eq!(
        message(&laughs("lol")),
        "b.yaml:7:45: aliases expand to more than 1000000 keys and values or 67108864 bytes"
    );
    let text = laughs(&"x".repeat(100_000));
    assert_eq!(message(&text), "b.yaml:4:35: aliases expand to more than 1000000 keys and values or 67108864 bytes");
    let merges = (1..200).fold("m0: &m0 {a: 1}\n".to_owned(), |text, level| {
        text + &format!("m{level}: &m{level} {{<<: [*m{0}, *m{0}]}}\n", level - 1)
    });
    assert!(message(&merges).contains("aliases expand"), "{}", message(&merges));
}

#[test]
fn deep_nesting_is_refused_in_every_syntax() {
    let depth = 100_000;
    let texts = [
        "[".repeat(depth),
        "{a: ".repeat(depth),
        "- ".repeat(depth),
        (0..1000).fold(String::new(), |text, level| text + &" ".repeat(level) + "a:\n"),
        format!("{{\"a\":{}", "[".repeat(depth)),
        "{\"a\":".repeat(depth),
    ];
    for text in texts {
        assert!(message(&text).ends_with("nested more than 128 levels deep"), "{}", message(&text));
    }
    let by_alias =
        format!("a: &a {}1{}\nb: {}*a{}\n", "[".repeat(100), "]".repeat(100), "[".repeat(100), "]".repeat(100));
    assert!(message(&by_alias).ends_with("nested more than 128 levels deep"), "{}", message(&by_alias));
}

#[test]
fn the_deepest_allowed_nesting_does_not_exhaust_the_stack() {
    let limits = ReaderLimits { max_depth: usize::MAX, ..ReaderLimits::default() };
    let levels = ReaderLimits::DEPTH_CEILING - 3;
    let text = format!(
        "apiVersion: x/v1\nkind: X\nmetadata: {{name: x}}\nspec: {}{}\n",
        "[".repeat(levels),
        "]".repeat(levels)
    );
    let documents = read_manifests("b.yaml", &text, &limits).unwrap();
    assert_eq!(documents[0].clone().value, documents[0].value);
}

#[test]
fn every_budget_has_its_error() {
    let limits = ReaderLimits {
        max_input_bytes: 2000,
        max_documents: 2,
        max_nodes: 50,
        max_scalar_bytes: 20,
        max_errors: 3,
        ..ReaderLimits::default()
    };
    let document = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let of = |text: &str| limit_of(text, &limits).to_string();
    assert_eq!(of(&"# ".repeat(2000)), "b.yaml:1:1: the input is larger than 2000 bytes");
    assert_eq!(of(&document.repeat(3)), "b.yaml:10:1: more than 2 documents");
    assert_eq!(of(&format!("a: [{}]", "1,".repeat(60))), "b.yaml:1:99: more than 50 keys and values");
    assert_eq!(of("a: xxxxxxxxxxxxxxxxxxxxxxxxx\n"), "b.yaml:1:4: a string of more than 20 bytes");
    let many = read_manifests("b.yaml", "a: b\n---\n".repeat(9).as_str(), &limits).unwrap_err();
    assert_eq!(many.len(), 3);
}

#[test]
fn a_broken_document_does_not_hide_the_next_one() {
    let errors =
        read("a: [1\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containrs: []}\n").unwrap_err();
    let kinds: Vec<_> = errors.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [ReadErrorKind::Syntax, ReadErrorKind::UnknownField]);
}
