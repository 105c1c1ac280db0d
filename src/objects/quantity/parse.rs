//! From text to a quantity, as `resource.ParseQuantity` reads it.

use super::amount::{Amount, divided_away, power_of_ten};
use super::spelling::Spelling;
use super::{Format, Quantity, QuantityError};

/// The finest scale a quantity keeps: 10^-9.
const NANO: i32 = -9;
/// Numbers of up to so many digits are held as `int64` upstream.
const NARROW_DIGITS: usize = 18;
/// How many significant digits a wide amount keeps.
const WIDE_DIGITS: u32 = 38;

/// A quantity's text, cut into its parts.
struct Parts<'a> {
    sign: Option<u8>,
    leading_zeros: usize,
    /// Digits before the point without leading zeros; "0" if there is none.
    integer: &'a str,
    /// Digits after the point; none without a point.
    fraction: Option<&'a str>,
    suffix: &'a str,
    has_digits: bool,
}

struct Suffix {
    base: u8,
    exponent: i32,
    format: Format,
}

pub(super) fn parse(text: &str) -> Result<Quantity, QuantityError> {
    if text.is_empty() {
        return Err(QuantityError::Format);
    }
    let parts = split(text)?;
    let suffix = read_suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
    if let Some(quantity) = narrow(&parts, &suffix) {
        return Ok(quantity);
    }
    if !parts.has_digits {
        return Err(QuantityError::Numeric);
    }
    let fraction = parts.fraction.unwrap_or("");
    let (amount, format) = if suffix.base == 2 {
        binary(parts.integer, fraction, suffix.exponent)
    } else {
        (decimal(parts.integer, fraction, suffix.exponent), suffix.format)
    };
    let amount = if parts.sign == Some(b'-') { amount.negated() } else { amount };
    Ok(Quantity::new(amount, format, Spelling::CANONICAL))
}

fn run_of(bytes: &[u8], from: usize, accepts: impl Fn(u8) -> bool) -> usize {
    from + bytes[from..].iter().take_while(|&&byte| accepts(byte)).count()
}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let bytes = text.as_bytes();
    let digit = |byte: u8| byte.is_ascii_digit();
    let sign = bytes.first().copied().filter(|byte| matches!(byte, b'+' | b'-'));
    let start = usize::from(sign.is_some());
    let zeros_end = run_of(bytes, start, |byte| byte == b'0');
    let integer_end = run_of(bytes, zeros_end, digit);
    let integer = if integer_end == zeros_end { "0" } else { &text[zeros_end..integer_end] };
    let (fraction, number_end) = if bytes.get(integer_end) == Some(&b'.') {
        let end = run_of(bytes, integer_end + 1, digit);
        (Some(&text[integer_end + 1..end]), end)
    } else {
        (None, integer_end)
    };
    let letters_end = run_of(bytes, number_end, |byte| b"eEinumkKMGTP".contains(&byte));
    let signed_end = letters_end + usize::from(matches!(bytes.get(letters_end), Some(b'+' | b'-')));
    if run_of(bytes, signed_end, digit) != bytes.len() {
        return Err(QuantityError::Format);
    }
    Ok(Parts {
        sign,
        leading_zeros: zeros_end - start,
        integer,
        fraction,
        suffix: &text[number_end..],
        has_digits: integer_end > start || fraction.is_some_and(|digits| !digits.is_empty()),
    })
}

fn read_suffix(suffix: &str) -> Option<Suffix> {
    let decimal = |exponent| Some(Suffix { base: 10, exponent, format: Format::DecimalSi });
    let binary = |exponent| Some(Suffix { base: 2, exponent, format: Format::BinarySi });
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            // Upstream keeps the low 32 bits of the exponent.
            Some(Suffix { base: 10, exponent: exponent as i32, format: Format::DecimalExponent })
        }
    }
}

/// Upstream's fast path: few digits, kept as written if they are nearly canonical.
fn narrow(parts: &Parts<'_>, suffix: &Suffix) -> Option<Quantity> {
    let fraction = parts.fraction.unwrap_or("");
    let digits = parts.integer.len() + fraction.len();
    let (scale, multiplier) = if suffix.base == 10 {
        if digits > NARROW_DIGITS {
            return None;
        }
        (suffix.exponent.wrapping_sub(fraction.len() as i32), 1)
    } else {
        let room = 14 - suffix.exponent * 3 / 10;
        if !fraction.is_empty() || i64::try_from(digits).ok()? > i64::from(room) {
            return None;
        }
        (0, 1_i64 << suffix.exponent)
    };
    if scale < NANO {
        return None;
    }
    let written = parts.integer.bytes().chain(fraction.bytes());
    let number = written.fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let value = number.checked_mul(multiplier)?;
    let kept = if suffix.base == 2 {
        number & 7 != 0
    } else {
        let first = parts.integer.as_bytes().first();
        // A number of three digits and more that ends in "000", or one that begins with a zero, is not canonical.
        scale % 3 == 0 && first != Some(&b'0') && !(number % 1000 == 0 && digits >= 3)
    };
    let spelling = if kept { spelling(parts, suffix) } else { Spelling::CANONICAL };
    let value = if parts.sign == Some(b'-') { -value } else { value };
    Some(Quantity::new(Amount::narrow(value, scale), suffix.format, spelling))
}

fn spelling(parts: &Parts<'_>, suffix: &Suffix) -> Spelling {
    Spelling::of_number(parts.sign == Some(b'+'), parts.leading_zeros, parts.fraction.map(str::len))
        .and_then(|spelling| match suffix.format {
            Format::BinarySi => Some(spelling.with_binary_shift(suffix.exponent)),
            Format::DecimalSi => Some(spelling),
            Format::DecimalExponent => spelling.with_exponent(parts.suffix, suffix.exponent),
        })
        .unwrap_or(Spelling::CANONICAL)
}

/// The magnitude of a decimal number, rounded up to nano.
fn decimal(integer: &str, fraction: &str, exponent: i32) -> Amount {
    let mut digits = 0_u32;
    let (mut unscaled, mut dropped, mut inexact) = (0_i128, 0_i64, false);
    for digit in integer.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')) {
        if digits < WIDE_DIGITS {
            unscaled = unscaled * 10 + digit;
            digits += u32::from(unscaled != 0);
        } else {
            dropped += 1;
            inexact |= digit != 0;
        }
    }
    if unscaled == 0 {
        return Amount::wide(0, 0);
    }
    let scale = i64::from(exponent) - fraction.len() as i64 + dropped;
    at_nano(unscaled + i128::from(inexact), scale)
}

fn at_nano(unscaled: i128, scale: i64) -> Amount {
    let digits = (scale - i64::from(NANO)).unsigned_abs();
    if scale < i64::from(NANO) {
        return Amount::wide(divided_away(unscaled, digits), NANO);
    }
    match power_of_ten(digits).and_then(|power| unscaled.checked_mul(power)) {
        Some(unscaled) => Amount::wide(unscaled, NANO),
        None => Amount::wide(unscaled, i32::try_from(scale).unwrap_or(i32::MAX)),
    }
}

/// The magnitude of a number times 2^`shift`, rounded up to nano and capped at 2^63-1.
fn binary(integer: &str, fraction: &str, shift: i32) -> (Amount, Format) {
    const CAPPED: (Amount, Format) = (Amount::wide(i64::MAX as i128, 0), Format::BinarySi);
    const MAX_NANO: i128 = i64::MAX as i128 * 1_000_000_000;
    // 2^63 has nineteen digits.
    let Some(whole) = integer.parse::<i128>().ok().filter(|_| integer.len() <= 19) else { return CAPPED };
    let whole = whole << shift;
    if whole > i64::MAX.into() {
        return CAPPED;
    }
    let unit = 1_000_000_000_i128 << shift;
    let (mut nano, mut inexact) = (0_i128, false);
    for digit in fraction.bytes().rev().map(|byte| i128::from(byte - b'0')) {
        let sum = nano + digit * unit;
        inexact |= sum % 10 != 0;
        nano = sum / 10;
    }
    let nano = whole * 1_000_000_000 + nano + i128::from(inexact);
    match nano {
        n if n > MAX_NANO => CAPPED,
        n if 0 < n && n < 1_000_000_000 => (Amount::wide(n, NANO), Format::DecimalSi),
        n => (Amount::wide(n, NANO), Format::BinarySi),
    }
}
