//! How a quantity was written, where upstream gives that text back.
//!
//! `ParseQuantity` keeps the text of numbers it takes for canonical, by a test that lets a few others through
//! (`+1`, `010`, `1.`, `27.619M`, `1e+06`), and writes it out again until the number changes. Those texts differ
//! from the canonical one in few ways, so a handful of bytes describe them.

use std::fmt;

use super::amount::Amount;
use super::{Format, decimal_suffix};

/// What is needed, beside the number, to write a quantity as the user did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    flags: u8,
    leading_zeros: u8,
    /// Digits after the point, if [`POINT`] is set.
    fraction_digits: u8,
    binary_shift: u8,
    exponent_zeros: u8,
}

const KEPT: u8 = 1;
const PLUS: u8 = 2;
const POINT: u8 = 4;
const UPPER_E: u8 = 8;
const EXPONENT_PLUS: u8 = 16;
const EXPONENT_MINUS: u8 = 32;

impl Spelling {
    /// Nothing kept: the canonical text is written.
    pub(super) const CANONICAL: Self =
        Self { flags: 0, leading_zeros: 0, fraction_digits: 0, binary_shift: 0, exponent_zeros: 0 };

    pub(super) const fn is_kept(self) -> bool {
        self.flags & KEPT != 0
    }

    /// The spelling of the part before the suffix; none if it is longer than can be described.
    pub(super) fn of_number(plus: bool, leading_zeros: usize, fraction_digits: Option<usize>) -> Option<Self> {
        let flags = KEPT | if plus { PLUS } else { 0 } | if fraction_digits.is_some() { POINT } else { 0 };
        Some(Self {
            flags,
            leading_zeros: u8::try_from(leading_zeros).ok()?,
            fraction_digits: u8::try_from(fraction_digits.unwrap_or(0)).ok()?,
            ..Self::CANONICAL
        })
    }

    pub(super) fn with_binary_shift(self, shift: i32) -> Self {
        Self { binary_shift: shift as u8, ..self }
    }

    /// Adds the spelling of an exponent such as `E+06`, whose value is `exponent`; none if it cannot be described.
    pub(super) fn with_exponent(mut self, suffix: &str, exponent: i32) -> Option<Self> {
        if suffix.starts_with('E') {
            self.flags |= UPPER_E;
        }
        let number = &suffix[1..];
        match number.as_bytes().first() {
            Some(b'+') => self.flags |= EXPONENT_PLUS,
            Some(b'-') => self.flags |= EXPONENT_MINUS,
            _ => {}
        }
        let digits = number.trim_start_matches(['+', '-']);
        let shortest = exponent.unsigned_abs().to_string();
        if !digits.ends_with(&shortest) {
            return None;
        }
        let zeros = &digits[..digits.len() - shortest.len()];
        if zeros.bytes().any(|byte| byte != b'0') {
            return None;
        }
        self.exponent_zeros = u8::try_from(zeros.len()).ok()?;
        Some(self)
    }

    /// Writes `amount` in this spelling.
    pub(super) fn write(self, amount: Amount, format: Format, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if amount.unscaled < 0 {
            out.write_str("-")?;
        } else if self.flags & PLUS != 0 {
            out.write_str("+")?;
        }
        write_zeros(out, self.leading_zeros)?;
        let digits = (amount.unscaled.unsigned_abs() >> self.binary_shift).to_string();
        let point = digits.len().saturating_sub(self.fraction_digits.into());
        out.write_str(&digits[..point])?;
        if self.flags & POINT != 0 {
            write!(out, ".{}", &digits[point..])?;
        }
        let exponent = amount.scale.wrapping_add(self.fraction_digits.into());
        match format {
            Format::BinarySi => out.write_str(super::binary_suffix(u32::from(self.binary_shift) / 10)),
            Format::DecimalSi => out.write_str(decimal_suffix(exponent.into())),
            Format::DecimalExponent => self.write_exponent(exponent, out),
        }
    }

    fn write_exponent(self, exponent: i32, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.flags & UPPER_E != 0 { "E" } else { "e" })?;
        if self.flags & EXPONENT_MINUS != 0 {
            out.write_str("-")?;
        } else if self.flags & EXPONENT_PLUS != 0 {
            out.write_str("+")?;
        }
        write_zeros(out, self.exponent_zeros)?;
        write!(out, "{}", exponent.unsigned_abs())
    }
}

fn write_zeros(out: &mut fmt::Formatter<'_>, count: u8) -> fmt::Result {
    (0..count).try_for_each(|_| out.write_str("0"))
}
