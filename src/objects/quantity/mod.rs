//! Resource quantities (`500m`, `1.5Gi`, `1e3`), as `k8s.io/apimachinery/pkg/api/resource` reads, computes and writes them.

mod amount;
mod parse;
mod spelling;
#[cfg(test)]
mod tests;
mod wire;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use amount::Amount;
use spelling::Spelling;

/// The family of suffixes a quantity is written with; it is taken from the text it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `Ki`, `Mi`, … `Ei`: powers of 1024.
    BinarySi,
    /// `n`, `u`, `m`, none, `k`, `M`, … `E`: powers of 1000.
    DecimalSi,
    /// `e3`, `e-6`: powers of 1000 in figures.
    DecimalExponent,
}

/// Why a text is no quantity. The wording is upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// Not a number followed by a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number has no digits.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// An unknown suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An exact decimal number with a preferred suffix.
///
/// Equality, order and hash go by value: `1Gi` equals `1024Mi`, and `1` equals `1000m`. Values finer than 10^-9 are
/// rounded away from zero when read; binary ones are capped at 2^63-1. Results of arithmetic are exact to 38
/// significant digits.
///
/// ```
/// use seatrial::objects::Quantity;
/// let request: Quantity = "1.5Gi".parse()?;
/// assert_eq!(request.to_string(), "1536Mi");
/// assert_eq!(request.value(), 1_610_612_736);
/// let cpu: Quantity = "250m".parse()?;
/// assert_eq!((cpu + cpu).to_string(), "500m");
/// # Ok::<(), seatrial::objects::QuantityError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Quantity {
    // The fields of an `Amount`, laid out flat: nested, its padding would make a quantity half as large again.
    unscaled: i128,
    scale: i32,
    wide: bool,
    format: Format,
    spelling: Spelling,
}

impl Quantity {
    /// Nothing, in decimal format.
    pub const ZERO: Self = Self::from_scaled(0, 0, Format::DecimalSi);

    const fn new(amount: Amount, format: Format, spelling: Spelling) -> Self {
        Self { unscaled: amount.unscaled, scale: amount.scale, wide: amount.wide, format, spelling }
    }

    const fn amount(&self) -> Amount {
        Amount { unscaled: self.unscaled, scale: self.scale, wide: self.wide }
    }

    /// `value` × 10^`scale`.
    #[must_use]
    pub const fn from_scaled(value: i64, scale: i32, format: Format) -> Self {
        Self::new(Amount::narrow(value, scale), format, Spelling::CANONICAL)
    }

    /// A whole number.
    #[must_use]
    pub const fn from_value(value: i64, format: Format) -> Self {
        Self::from_scaled(value, 0, format)
    }

    /// A number of thousandths.
    #[must_use]
    pub const fn from_milli(milli: i64, format: Format) -> Self {
        Self::from_scaled(milli, -3, format)
    }

    /// Reads a quantity; nothing is trimmed.
    ///
    /// # Errors
    /// If `text` is no quantity.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse::parse(text)
    }

    /// The value rounded up to an integer. Beyond `i64` this gives what upstream's silent overflow gives.
    #[must_use]
    pub fn value(self) -> i64 {
        self.scaled_value(0)
    }

    /// The value in thousandths, rounded up. Beyond `i64` this gives what upstream's silent overflow gives.
    #[must_use]
    pub fn milli_value(self) -> i64 {
        self.scaled_value(-3)
    }

    /// The value divided by 10^`scale`, rounded up. Beyond `i64` this gives what upstream's silent overflow gives.
    #[must_use]
    pub fn scaled_value(self, scale: i32) -> i64 {
        self.amount().scaled(scale)
    }

    /// The value as a float, with upstream's rounding (`AsApproximateFloat64`).
    #[must_use]
    pub fn as_approximate_f64(self) -> f64 {
        let base = self.unscaled as f64;
        if self.scale == 0 { base } else { base * power_of_ten_f64(self.scale) }
    }

    /// -1, 0 or 1.
    #[must_use]
    pub const fn sign(self) -> i32 {
        self.unscaled.signum() as i32
    }

    /// Whether the value is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.amount().is_zero()
    }

    /// The family of suffixes it is written with.
    #[must_use]
    pub const fn format(self) -> Format {
        self.format
    }

    /// The same value in another family of suffixes.
    #[must_use]
    pub const fn with_format(self, format: Format) -> Self {
        Self { format, spelling: Spelling::CANONICAL, ..self }
    }

    /// The same value, to be written in canonical form even where the text it was read from would be kept.
    #[must_use]
    pub const fn canonical(self) -> Self {
        self.with_format(self.format)
    }

    /// Drops digits below 10^`scale`, rounding away from zero; whether nothing was lost.
    pub fn round_up(&mut self, scale: i32) -> bool {
        if self.wide || self.scale < scale {
            self.spelling = Spelling::CANONICAL;
        }
        let (amount, exact) = self.amount().rounded_up(scale);
        *self = Self::new(amount, self.format, self.spelling);
        exact
    }

    fn write_canonical(self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return out.write_str("0");
        }
        if self.format == Format::BinarySi {
            // Small and fractional numbers are written in decimal, so as not to lose precision.
            if let Some(integer) = self.amount().as_integer().filter(|integer| integer.unsigned_abs() >= 1024) {
                let (mut mantissa, mut shift) = (integer, 0);
                while mantissa % 1024 == 0 {
                    mantissa /= 1024;
                    shift += 1;
                }
                return write!(out, "{mantissa}{}", binary_suffix(shift));
            }
        }
        let (mantissa, exponent) = self.amount().stripped();
        let zeros = exponent.rem_euclid(3);
        write!(out, "{mantissa}{}", ["", "0", "00"][zeros as usize])?;
        match (self.format, exponent - zeros) {
            (Format::DecimalExponent, 0) => Ok(()),
            (Format::DecimalExponent, exponent) => write!(out, "e{exponent}"),
            (_, exponent) => out.write_str(decimal_suffix(exponent)),
        }
    }
}

/// The suffix of 10^`exponent`. Upstream leaves it out where there is none, and so changes the value (1000E is
/// written `1`); a user can meet that, so it is the same here.
fn decimal_suffix(exponent: i64) -> &'static str {
    match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    }
}

fn binary_suffix(thousands: u32) -> &'static str {
    ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].get(thousands as usize).copied().unwrap_or("")
}

/// 10^`exponent` as Go's `math.Pow10` has it: the nearest float, or what its two tables multiply to.
fn power_of_ten_f64(exponent: i32) -> f64 {
    // Literals are parsed to the nearest float on every platform.
    const ONES: [f64; 32] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31,
    ];
    const UP: [f64; 10] = [1e0, 1e32, 1e64, 1e96, 1e128, 1e160, 1e192, 1e224, 1e256, 1e288];
    const DOWN: [f64; 11] = [1e0, 1e-32, 1e-64, 1e-96, 1e-128, 1e-160, 1e-192, 1e-224, 1e-256, 1e-288, 1e-320];
    let at = exponent.unsigned_abs() as usize;
    match exponent {
        0..=308 => UP[at / 32] * ONES[at % 32],
        -323..=-1 => DOWN[at / 32] / ONES[at % 32],
        309.. => f64::INFINITY,
        _ => 0.0,
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        Self::parse(text)
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.spelling.is_kept() {
            self.spelling.write(self.amount(), self.format, out)
        } else {
            self.write_canonical(out)
        }
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Quantity({self})")
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Quantity {}
impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.amount().cmp(&other.amount())
    }
}
impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.amount().stripped().hash(state);
    }
}

impl AddAssign for Quantity {
    /// Keeps this quantity's format, unless it is zero: then it takes the other's.
    fn add_assign(&mut self, other: Self) {
        if self.is_zero() {
            self.format = other.format;
        }
        *self = Self::new(self.amount().plus(other.amount()), self.format, Spelling::CANONICAL);
    }
}
impl SubAssign for Quantity {
    /// Keeps this quantity's format, unless it is zero: then it takes the other's.
    fn sub_assign(&mut self, other: Self) {
        *self += -other;
    }
}
impl Add for Quantity {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}
impl Sub for Quantity {
    type Output = Self;
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}
impl Neg for Quantity {
    type Output = Self;
    fn neg(self) -> Self {
        Self::new(self.amount().negated(), self.format, Spelling::CANONICAL)
    }
}
impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}
