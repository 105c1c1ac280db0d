//! The number inside a quantity: an integer times a power of ten.

use std::cmp::Ordering;

/// `unscaled` × 10^`scale`.
///
/// Upstream has two representations, an `int64` and an arbitrary-precision decimal, and which one holds a number
/// shows in how conversions overflow. `wide` remembers which it would be. A wide amount here is exact to 38
/// significant digits; what lies beyond is rounded away from zero, and so from 10^29 on an overflowing conversion to
/// `i64` may give another nonsense than upstream's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) unscaled: i128,
    pub(super) scale: i32,
    pub(super) wide: bool,
}

impl Amount {
    pub(super) const fn narrow(value: i64, scale: i32) -> Self {
        Self { unscaled: value as i128, scale, wide: false }
    }

    pub(super) const fn wide(unscaled: i128, scale: i32) -> Self {
        Self { unscaled, scale, wide: true }
    }

    pub(super) const fn is_zero(self) -> bool {
        self.unscaled == 0
    }

    pub(super) fn negated(self) -> Self {
        Self { unscaled: self.unscaled.saturating_neg(), wide: self.wide || self.unscaled == i64::MIN.into(), ..self }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        if self.wide || other.wide {
            return self.plus_wide(other);
        }
        self.plus_narrow(other).unwrap_or_else(|| self.plus_wide(other))
    }

    fn plus_narrow(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return Some(self);
        }
        if self.is_zero() {
            return Some(other);
        }
        let scale = self.scale.min(other.scale);
        let at_scale = |amount: Self| times_power_of_ten_i64(i64::try_from(amount.unscaled).ok()?, amount.scale, scale);
        Some(Self::narrow(at_scale(self)?.checked_add(at_scale(other)?)?, scale))
    }

    fn plus_wide(self, other: Self) -> Self {
        let (mut a, mut b, mut scale) = aligned(self, other);
        loop {
            if let Some(sum) = a.checked_add(b) {
                return Self::wide(sum, scale);
            }
            (a, b, scale) = (divided_away(a, 1), divided_away(b, 1), scale.saturating_add(1));
        }
    }

    /// The value divided by 10^`target` as an integer, rounded up, with upstream's results where it overflows:
    /// zero from an `int64`, the low 64 bits from a decimal.
    pub(super) fn scaled(self, target: i32) -> i64 {
        if !self.wide {
            let value = self.unscaled as i64;
            if self.scale < target {
                return divided_away(self.unscaled, gap(target, self.scale)) as i64;
            }
            return times_power_of_ten_i64(value, self.scale, target).unwrap_or(0);
        }
        let low = self.unscaled as i64;
        if self.scale >= target {
            return low.wrapping_mul(wrapping_power_of_ten(gap(self.scale, target)));
        }
        let digits = gap(target, self.scale);
        if self.unscaled < i64::MAX.into() && digits < 19 {
            let divisor = 10_i64.pow(digits as u32);
            return low / divisor + i64::from(low % divisor != 0);
        }
        match power_of_ten(digits) {
            Some(divisor) => {
                let rounded = i64::from(self.unscaled.rem_euclid(divisor) != 0);
                (self.unscaled.div_euclid(divisor) as i64).wrapping_add(rounded)
            }
            None => i64::from(self.unscaled > 0),
        }
    }

    /// The amount without digits below 10^`target`, rounded away from zero, and whether that lost nothing.
    pub(super) fn rounded_up(self, target: i32) -> (Self, bool) {
        if self.scale >= target {
            return (self, true);
        }
        let unscaled = divided_away(self.unscaled, gap(target, self.scale));
        let rounded = Self { unscaled, scale: target, wide: self.wide };
        (rounded, rounded.cmp(&self) == Ordering::Equal)
    }

    /// The value as an integer, if it is one and fits.
    pub(super) fn as_integer(self) -> Option<i128> {
        if self.scale >= 0 {
            return self.unscaled.checked_mul(power_of_ten(gap(self.scale, 0))?);
        }
        match power_of_ten(gap(0, self.scale)) {
            Some(divisor) if self.unscaled % divisor == 0 => Some(self.unscaled / divisor),
            Some(_) => None,
            None => (self.unscaled == 0).then_some(0),
        }
    }

    /// The mantissa without trailing zeros, and its exponent; equal for equal values.
    pub(super) fn stripped(self) -> (i128, i64) {
        if self.unscaled == 0 {
            return (0, 0);
        }
        let (mut mantissa, mut exponent) = (self.unscaled, i64::from(self.scale));
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        (mantissa, exponent)
    }

    /// Compares values, whatever the representation.
    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.unscaled.signum();
        if self.scale == other.scale || sign != other.unscaled.signum() || sign == 0 {
            let same_scale = self.scale == other.scale;
            return if same_scale { self.unscaled.cmp(&other.unscaled) } else { sign.cmp(&other.unscaled.signum()) };
        }
        let magnitudes = self.magnitude_cmp(*other);
        if sign < 0 { magnitudes.reverse() } else { magnitudes }
    }

    fn magnitude_cmp(self, other: Self) -> Ordering {
        let leading = |amount: Self| i64::from(amount.unscaled.unsigned_abs().ilog10()) + i64::from(amount.scale);
        leading(self).cmp(&leading(other)).then_with(|| {
            // The same leading digit's place: the scales differ by fewer than 39 digits, and an overflow of the
            // aligned number means that it is the larger one.
            let (a, b) = (self.unscaled.unsigned_abs(), other.unscaled.unsigned_abs());
            let power = 10_u128.pow(self.scale.abs_diff(other.scale));
            if self.scale > other.scale {
                a.checked_mul(power).map_or(Ordering::Greater, |a| a.cmp(&b))
            } else {
                b.checked_mul(power).map_or(Ordering::Less, |b| a.cmp(&b))
            }
        })
    }
}

/// Both numbers at a common scale: the finer of the two as far as 38 digits allow.
fn aligned(a: Amount, b: Amount) -> (i128, i128, i32) {
    if a.scale < b.scale {
        let (coarse, fine, scale) = aligned(b, a);
        return (fine, coarse, scale);
    }
    if a.is_zero() {
        return (0, b.unscaled, b.scale);
    }
    let digits = gap(a.scale, b.scale);
    let room = 37 - u64::from(a.unscaled.unsigned_abs().ilog10()).min(37);
    let raised = digits.min(room);
    let coarse = power_of_ten(raised).and_then(|power| a.unscaled.checked_mul(power)).unwrap_or(a.unscaled);
    let fine = divided_away(b.unscaled, digits - raised);
    (coarse, fine, (i64::from(a.scale) - raised as i64) as i32)
}

fn gap(high: i32, low: i32) -> u64 {
    (i64::from(high) - i64::from(low)).unsigned_abs()
}

/// 10^`digits`, if it fits.
pub(super) fn power_of_ten(digits: u64) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(digits).ok()?)
}

fn wrapping_power_of_ten(digits: u64) -> i64 {
    // 10^64 and above are multiples of 2^64.
    if digits >= 64 { 0 } else { 10_i64.wrapping_pow(digits as u32) }
}

fn times_power_of_ten_i64(value: i64, scale: i32, target: i32) -> Option<i64> {
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_i64.checked_pow(u32::try_from(gap(scale, target)).ok()?)?)
}

/// `value` / 10^`digits`, rounded away from zero.
pub(super) fn divided_away(value: i128, digits: u64) -> i128 {
    match power_of_ten(digits) {
        Some(divisor) if value % divisor == 0 => value / divisor,
        Some(divisor) => value / divisor + value.signum(),
        None => value.signum(),
    }
}
