//! What can be wrong with the values a user hands to the kernel.

/// The longest part of a user's text that an error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 64;

/// A value the kernel refuses. Nothing was changed; correct the value and try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A duration is not written as Go writes durations, or does not fit.
    #[error("invalid duration {input:?}: {fault}")]
    Duration {
        /// The refused text, shortened if very long.
        input: String,
        /// What is wrong with it.
        fault: DurationFault,
    },
    /// A rate is not written as `count/period`, or does not fit.
    #[error("invalid rate {input:?}: {fault}")]
    Rate {
        /// The refused text, shortened if very long.
        input: String,
        /// What is wrong with it.
        fault: RateFault,
    },
    /// The name of a distribution is not known.
    #[error("unknown distribution {name:?}: expected {expected}")]
    UnknownDistribution {
        /// The refused name, shortened if very long.
        name: String,
        /// The known names.
        expected: &'static str,
    },
    /// A parameter that the distribution needs is absent.
    #[error("the {distribution} distribution needs `{parameter}`")]
    MissingParameter {
        /// The distribution's name.
        distribution: &'static str,
        /// The absent parameter.
        parameter: &'static str,
    },
    /// A parameter belongs to another distribution.
    #[error("the {distribution} distribution has no `{parameter}`")]
    ForeignParameter {
        /// The distribution's name.
        distribution: &'static str,
        /// The parameter that is out of place.
        parameter: &'static str,
    },
    /// A parameter is out of its range.
    #[error("`{parameter}` of the {distribution} distribution {rule}")]
    ParameterRange {
        /// The distribution's name.
        distribution: &'static str,
        /// The parameter out of range.
        parameter: &'static str,
        /// The rule it breaks, as in "must be positive".
        rule: &'static str,
    },
}

/// Why a duration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationFault {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// Virtual time does not run backwards.
    #[error("it must not be negative")]
    Negative,
    /// A digit was expected.
    #[error("expected a number such as 1 or 1.5, then a unit")]
    MissingNumber,
    /// A number stands without a unit; only `0` may.
    #[error("a number lacks its unit (ns, us, µs, ms, s, m or h)")]
    MissingUnit,
    /// The unit is none of Go's.
    #[error("unknown unit {0:?} (expected ns, us, µs, ms, s, m or h)")]
    UnknownUnit(String),
    /// Longer than 2^64 - 1 nanoseconds, about 584 years.
    #[error("it is too long (the limit is {})", super::SimDuration::MAX)]
    Overflow,
}

/// Why a rate was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateFault {
    /// There is no `/` between the count and the period.
    #[error("expected count/period, such as 200/s or 3/10m")]
    MissingPeriod,
    /// The count is not a decimal number.
    #[error("the count must be a number such as 200 or 0.5, not negative")]
    Count,
    /// The period is not a duration or a unit.
    #[error("in the period, {0}")]
    Period(DurationFault),
    /// The period is zero.
    #[error("the period must be longer than zero")]
    ZeroPeriod,
    /// More than one event per nanosecond, the resolution of virtual time.
    #[error("it exceeds one event per nanosecond")]
    TooFast,
    /// The count or the period does not fit 64 bits.
    #[error("its numbers are too large")]
    Overflow,
}

/// `text`, cut where an error message would become unreadable.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
