//! The order of keys (upstream `keyList.Less`): numbers within them count as numbers, and come before letters.

use std::cmp::Ordering;

pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) else { return left.len().cmp(&right.len()) };
    match (left[at].is_alphabetic(), right[at].is_alphabetic()) {
        (true, true) => left[at].cmp(&right[at]),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            // A zero behind other digits is a digit of a longer number.
            let is_zero = left[at] == '0' || right[at] == '0';
            let before = left[..at].iter().rev().take_while(|c| c.is_ascii_digit());
            let start = u64::from(is_zero && before.into_iter().any(|c| *c != '0'));
            number(&left[at..], start).cmp(&number(&right[at..], start)).then(left[at].cmp(&right[at]))
        }
    }
}

/// The number that a text begins with, behind `start`, and how many digits it has.
fn number(text: &[char], start: u64) -> (u64, usize) {
    let digits = text.iter().map_while(|c| c.to_digit(10));
    digits.fold((start, 0), |(value, length), digit| {
        (value.saturating_mul(10).saturating_add(u64::from(digit)), length + 1)
    })
}
