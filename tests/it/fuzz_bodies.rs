//! What the fuzz targets do, on random and mutated inputs, where there is no fuzzer.

use proptest::prelude::*;

#[path = "../../fuzz/bodies/expression.rs"]
mod expression;

const SEEDS: &[&str] = &[
    include_str!("../../fuzz/corpus/expression/0"),
    include_str!("../../fuzz/corpus/expression/1"),
    include_str!("../../fuzz/corpus/expression/2"),
    include_str!("../../fuzz/corpus/expression/3"),
    include_str!("../../fuzz/corpus/expression/4"),
    include_str!("../../fuzz/corpus/expression/5"),
    include_str!("../../fuzz/corpus/expression/6"),
];

/// A change of a text: characters of `from..to`, in thousandths of its length, are replaced.
type Edit = (u16, u16, String);

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (from, to, put) in edits {
        let place = |part: u16| usize::from(part) * characters.len() / 1_000;
        let (from, to) = (place(*from.min(to)), place(*from.max(to)));
        characters.splice(from..to, put.chars());
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_an_expression_or_none(text in "\\PC{0,60}") {
        expression::expression(&text);
    }

    #[test]
    fn mutated_expressions_are_expressions_or_none(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((0..=1_000_u16, 0..=1_000_u16, "([ -~]{0,4}|\\PC{0,2}|\\(|\\)|&&|\\.all\\(p, )"), 0..4),
        other in 0..SEEDS.len(),
    ) {
        expression::expression(&edited(SEEDS[seed], &edits));
        expression::expression(&edited(&format!("{} || {}", SEEDS[seed], SEEDS[other]), &edits));
    }
}

#[test]
fn seeds_of_the_corpus_are_expressions() {
    for seed in SEEDS {
        assert!(seed.parse::<seatrial::scenario::Expression>().is_ok(), "{seed}");
        expression::expression(seed);
    }
}
