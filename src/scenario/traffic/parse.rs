//! How traffic and numbers are written in expressions.

use crate::kernel::SimDuration;
use crate::scenario::expression::{ExpressionError, ONE, Parser, closing};

use super::facts::{FIELDS, Question, WITH_ARGUMENT};

/// A number at the beginning of a text, in billionths, and how many bytes it has; `None` if there is none.
pub(crate) fn literal(text: &str) -> Result<Option<(i128, usize)>, &'static str> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return if negative { Err("expected a number behind the minus") } else { Ok(None) };
    }
    let length = digits.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(digits.len());
    let percent = digits[length..].starts_with('%');
    let written = &digits[..length];
    let consumed = length + usize::from(negative) + usize::from(percent);
    let value = match number(written) {
        Some(value) if percent => value / 100,
        Some(value) => value,
        None if !percent => match written.parse::<SimDuration>() {
            Ok(time) => i128::from(time.as_nanos()),
            Err(_) => {
                return Err(
                    "expected an integer of 64 bits, a decimal such as 0.999, a share such as 99.9%, or a time such as 250ms",
                );
            }
        },
        None => return Err("expected a share such as 99.9%"),
    };
    Ok(Some((if negative { -value } else { value }, consumed)))
}

/// A decimal number of at most nine decimals in billionths.
fn number(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(i128::from(whole) * ONE + fraction)
}

impl Parser<'_> {
    /// `(users).successRate`, behind `traffic`.
    pub(in crate::scenario) fn traffic(&mut self) -> Result<Question, ExpressionError> {
        self.expect("(")?;
        let client = self.text_argument()?;
        if client.is_empty() {
            return Err(self.error("traffic needs the name of a client").help("such as traffic(users).lost"));
        }
        self.expect(".").map_err(|error| error.help("traffic(users).lost, .successRate, .p99, …"))?;
        let start = self.at;
        let name = self.name()?;
        if let Some(field) = WITH_ARGUMENT.into_iter().find(|known| *known == name) {
            self.expect("(")?;
            let argument = self.text_argument()?;
            return Ok(Question { client, field, argument: Some(argument) });
        }
        let Some((field, ..)) = FIELDS.iter().find(|(known, ..)| *known == name) else {
            self.at = start;
            let known: Vec<&str> = FIELDS.iter().map(|(known, ..)| *known).chain(WITH_ARGUMENT).collect();
            let error = self.error(&format!("traffic has no {name:?}"));
            return Err(error.help(format!("it has {}", known.join(", "))));
        };
        Ok(Question { client, field, argument: None })
    }

    /// The text up to the closing parenthesis, bare or in quotes.
    fn text_argument(&mut self) -> Result<String, ExpressionError> {
        self.skip_space();
        let Some(length) = closing(self.rest()) else { return Err(self.error("the ) of this argument is missing")) };
        let text = self.rest()[..length].trim().trim_matches(|c| c == '\'' || c == '"').trim().to_owned();
        self.at += length + 1;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Expression;

    #[test]
    fn numbers_are_integers_decimals_shares_and_times() {
        for (text, value, length) in [
            ("3 ", 3 * ONE, 1),
            ("-7", -7 * ONE, 2),
            ("0.999)", 999_000_000, 5),
            ("99.9% &&", 999_000_000, 5),
            ("250ms", 250_000_000, 5),
            ("1m30s", 90 * ONE, 5),
        ] {
            assert_eq!(literal(text), Ok(Some((value, length))), "{text}");
        }
        assert_eq!(literal("ready()"), Ok(None));
        for text in ["1.", "0.1234567890", "99999999999999999999", "5parsecs", "5s%", "-x"] {
            assert!(literal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn questions_about_traffic_name_what_is_wrong() {
        for text in [
            "traffic('users').successRate >= 99.9%",
            "traffic(users).answeredBy(web:v2) > 10",
            "traffic(users).p99 <= 250ms",
            "traffic(users).sentTo(shop-canary) < 100",
            "traffic(users).badGateway == 0",
        ] {
            assert_eq!(text.parse::<Expression>().map(|e| e.clients().join(",")), Ok("users".to_owned()), "{text}");
        }
        let error = |text: &str| text.parse::<Expression>().map(drop).unwrap_err();
        assert_eq!(error("traffic(users).lots == 0").message, "traffic has no \"lots\"");
        assert!(error("traffic(users).lots == 0").help.is_some_and(|help| help.contains("lost, successRate")));
        assert_eq!(error("traffic(users) == 0").message, "expected .");
        assert_eq!(error("traffic() == 0").message, "traffic needs the name of a client");
    }
}
