use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn error(text: &str) -> String {
    text.parse::<Selector>().unwrap_err().to_string()
}

#[test]
fn negation_of_a_value_is_cut_off_at_the_operator() {
    assert_eq!(error("!app=web"), "found '=', expected: ',' or 'end of string'");
    assert_eq!(error("app !"), "unable to parse requirement: found '!', expected: in, notin, =, ==, !=, gt, lt");
}

#[test]
fn unfinished_lists() {
    let prefixed = |rest: &str| format!("unable to parse requirement: {rest}");
    assert_eq!(error("a in"), prefixed("found '' expected: '('"));
    assert_eq!(error("a in ("), prefixed("found '', expected: ',', ')' or identifier"));
    assert_eq!(error("a in (b"), prefixed("found '', expected: ',' or ')'"));
    assert_eq!(error("a in (b,"), prefixed("found '', expected: ',', or identifier"));
    assert_eq!(error("a,"), "found '', expected: identifier after ','");
}

#[test]
fn empty_places_in_lists_are_empty_values() {
    for (text, canonical) in [
        ("a in (,)", "a in ()"),
        ("a in (b,,c)", "a in (,b,c)"),
        ("a in (,b)", "a in (,b)"),
        ("a in (in,notin)", "a in (in,notin)"),
        ("a=b \0garbage", "a=b"),
        ("", ""),
    ] {
        assert_eq!(text.parse::<Selector>().unwrap().to_string(), canonical);
    }
}

#[test]
fn several_errors_stand_in_brackets() {
    let message = error("n>+");
    assert!(message.starts_with("unable to parse requirement: [values[0]: Invalid value: \"+\": for 'Gt', 'Lt'"));
    assert!(message.contains(", values[0][n]: Invalid value: \"+\": a valid label"), "{message}");
    let selector: LabelSelector =
        serde_json::from_str(r#"{"matchExpressions": [{"key": "", "operator": "In"}]}"#).unwrap();
    let message = selector.compile().unwrap_err().to_string();
    assert!(
        message.ends_with(", values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty]")
    );
}

#[test]
fn absent_selects_nothing_and_empty_everything() {
    assert!(!Selector::nothing().matches(&Labels::new()) && !Selector::nothing().is_empty());
    assert!(Selector::nothing().matches_nothing());
    let empty = LabelSelector::default().compile().unwrap();
    assert!(empty.matches(&labels(&[("a", "b")])) && empty.is_empty() && !empty.matches_nothing());
    assert_ne!(Selector::nothing(), Selector::everything());
}

#[test]
fn a_value_is_required_by_equality_or_a_list_of_one() {
    let selector: Selector = "a=1,b in (2),c in (3,4),d".parse().unwrap();
    assert_eq!(selector.required_value("a"), Some("1"));
    assert_eq!(selector.required_value("b"), Some("2"));
    assert_eq!((selector.required_value("c"), selector.required_value("d")), (None, None));
}

#[test]
fn the_wire_form_round_trips() {
    for json in [
        "{}",
        r#"{"matchLabels":{"app":"web"}}"#,
        r#"{"matchExpressions":[{"key":"a","operator":"Exists"},{"key":"b","operator":"In","values":["2","1"]}]}"#,
    ] {
        let selector: LabelSelector = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&selector).unwrap(), json);
    }
}

#[test]
fn fields_keep_their_blanks_and_sort_by_text() {
    let selector: FieldSelector = "b==2,,a!=1\\,1, c=".parse().unwrap();
    assert_eq!(selector.to_string(), " c=,a!=1\\,1,b=2");
    assert_eq!("=".parse::<FieldSelector>().unwrap(), FieldSelector::everything());
    assert!("a=\\".parse::<FieldSelector>().unwrap_err().to_string().ends_with("invalid escape sequence: \\"));
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", Just("in".to_owned()), "x\\.y/[a-c]"]
}

/// Valid selectors.
fn selectors() -> impl Strategy<Value = String> {
    let list = prop::collection::vec("[a-c]?", 0..4).prop_map(|values| values.join(", "));
    let requirement =
        (key(), 0..8, "[a-c]?", list, -20..20_i32).prop_map(|(key, kind, value, list, bound)| match kind {
            0 => key,
            1 => format!("! {key}"),
            2 => format!("{key} = {value}"),
            3 => format!("{key}=={value}"),
            4 => format!("{key} != {value}"),
            5 => format!("{key} in ({list})"),
            6 => format!("{key} notin ({list})"),
            _ => format!("{key}>{}", bound.abs()),
        });
    prop::collection::vec(requirement, 0..5).prop_map(|requirements| requirements.join(" ,"))
}

proptest! {
    #[test]
    fn canonical_texts_read_back_as_the_same_selector(text in selectors()) {
        let selector: Selector = text.parse().unwrap();
        let canonical = selector.to_string();
        let again: Selector = canonical.parse().unwrap();
        prop_assert_eq!(again.to_string(), canonical);
        prop_assert_eq!(again, selector);
    }

    #[test]
    fn a_selector_matches_where_each_requirement_does(
        text in selectors(),
        pairs in prop::collection::vec((key(), "[a-c]?|[0-9]"), 0..4),
    ) {
        let selector: Selector = text.parse().unwrap();
        let labels: Labels = pairs.into_iter().collect();
        let each = selector.requirements().iter().all(|requirement| requirement.matches(&labels));
        prop_assert_eq!(selector.matches(&labels), each);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), near in "[ab,=!<>() in\\\\\\x00]{0,20}") {
        for text in [text, near] {
            let _ = text.parse::<Selector>();
            if let Ok(selector) = text.parse::<FieldSelector>() {
                let again: FieldSelector = selector.to_string().parse().unwrap();
                prop_assert_eq!(again.terms().len(), selector.terms().len());
            }
        }
    }
}
