//! Durations as Go writes them (`time.ParseDuration`), for `@every`.

use super::super::names::quoted;

/// Nanoseconds of each unit.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Most nanoseconds that a duration can have.
const MAX: u128 = i64::MAX as u128;

/// Nanoseconds of a text such as `1h30m`, or what is wrong with it.
pub(super) fn nanoseconds(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Ok(0);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let (mut total, mut rest) = (0_u128, unsigned);
    while !rest.is_empty() {
        let (number, unit, after) = split_term(rest);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return Err(invalid());
        }
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let Some((_, nanos)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text)));
        };
        total = term(whole, fraction, *nanos).map(|term| total + term).filter(|sum| *sum <= MAX).ok_or_else(invalid)?;
        rest = after;
    }
    let nanos = i64::try_from(total).map_err(|_| invalid())?;
    Ok(if negative { -nanos } else { nanos })
}

/// Number and unit at the beginning of a text, and what comes after them.
fn split_term(text: &str) -> (&str, &str, &str) {
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    let (number, rest) = text.split_at(text.find(|c| !numeric(c)).unwrap_or(text.len()));
    let (unit, rest) = rest.split_at(rest.find(numeric).unwrap_or(rest.len()));
    (number, unit, rest)
}

/// Nanoseconds of one number with its unit; `None` if there are too many.
fn term(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.into() };
    // More digits than 18 of a fraction are less than a nanosecond, whatever the unit.
    let kept = &fraction[..fraction.len().min(18)];
    let numerator: u128 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    let scale = 10_u128.pow(kept.len() as u32);
    Some(whole * unit + numerator * unit / scale)
}
