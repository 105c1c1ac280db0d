//! Rates over time as a scenario writes them.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};

use crate::kernel::{Rate, SimDuration};
use crate::scenario::error::Fault;
use crate::sim::{Arrivals, Piece};

/// Most pieces of a rate.
const MOST_PIECES: usize = 10_000;
/// Highest rate, requests a second.
const HIGHEST: f64 = 10_000_000.0;
/// Into how many pieces a day's curve is cut.
const CURVE_PIECES: u64 = 96;

/// `rate: 200/s`, a list of rates and times, or a curve.
#[derive(Clone, Debug)]
pub(super) enum RawRate {
    Constant(Rate),
    Steps(Vec<RawStep>),
    Curve(RawCurve),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    at: SimDuration,
    rate: Rate,
}

/// A rate that goes up and down.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawCurve {
    curve: CurveKind,
    /// Of `diurnal`: the lowest rate; of `bursts`: the rate between bursts.
    low: Option<Rate>,
    /// Of `diurnal`: the highest rate; of `bursts`: the rate of a burst.
    high: Option<Rate>,
    /// Time from one high to the next.
    every: Option<SimDuration>,
    /// How long a burst lasts.
    r#for: Option<SimDuration>,
    /// Of `recorded`: length of a step.
    step: Option<SimDuration>,
    /// Of `recorded`: requests in each step, over and over again.
    counts: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CurveKind {
    Diurnal,
    Bursts,
    Recorded,
}

impl<'de> Deserialize<'de> for RawRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RateVisitor)
    }
}

struct RateVisitor;

impl<'de> Visitor<'de> for RateVisitor {
    type Value = RawRate;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a rate such as 200/s, a list of {at, rate}, or a curve")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RawRate, E> {
        Rate::deserialize(text.into_deserializer()).map(RawRate::Constant)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, steps: A) -> Result<RawRate, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(steps)).map(RawRate::Steps)
    }

    fn visit_map<A: MapAccess<'de>>(self, curve: A) -> Result<RawRate, A::Error> {
        RawCurve::deserialize(MapAccessDeserializer::new(curve)).map(RawRate::Curve)
    }
}

impl RawRate {
    pub(super) fn arrivals(&self, poisson: bool) -> Result<Arrivals, Fault> {
        let (pieces, repeats) = match self {
            Self::Constant(rate) => (vec![Piece { at: SimDuration::ZERO, rate: *rate }], None),
            Self::Steps(steps) => (stepped(steps)?, None),
            Self::Curve(curve) => curve.pieces()?,
        };
        if pieces.len() > MOST_PIECES {
            return Err(Fault::new("rate", format!("has more than {MOST_PIECES} pieces")));
        }
        if pieces.iter().any(|piece| piece.rate.per_second_f64() > HIGHEST) {
            return Err(Fault::new("rate", "is more than 10000000/s"));
        }
        Ok(Arrivals { pieces, repeats, poisson })
    }
}

fn stepped(steps: &[RawStep]) -> Result<Vec<Piece>, Fault> {
    let mut pieces: Vec<Piece> = steps.iter().map(|step| Piece { at: step.at, rate: step.rate }).collect();
    if pieces.is_empty() {
        return Err(Fault::new("rate", "the list is empty"));
    }
    if !pieces.is_sorted_by(|a, b| a.at < b.at) {
        return Err(Fault::new("rate", "the times must rise from each entry to the next"));
    }
    if !pieces[0].at.is_zero() {
        let silence = Rate::per_second(0).map_err(|error| Fault::new("rate", error.to_string()))?;
        pieces.insert(0, Piece { at: SimDuration::ZERO, rate: silence });
    }
    Ok(pieces)
}

/// Shortest time after which a rate repeats.
const SHORTEST: SimDuration = SimDuration::from_millis(100);

impl RawCurve {
    fn pieces(&self) -> Result<(Vec<Piece>, Option<SimDuration>), Fault> {
        self.has_no_others()?;
        match self.curve {
            CurveKind::Diurnal => self.diurnal(),
            CurveKind::Bursts => self.bursts(),
            CurveKind::Recorded => self.recorded(),
        }
    }

    /// Every curve has fields of its own.
    fn has_no_others(&self) -> Result<(), Fault> {
        use CurveKind::{Bursts, Diurnal, Recorded};
        let given = [
            ("low", self.low.is_some(), &[Diurnal, Bursts][..]),
            ("high", self.high.is_some(), &[Diurnal, Bursts]),
            ("every", self.every.is_some(), &[Diurnal, Bursts]),
            ("for", self.r#for.is_some(), &[Bursts]),
            ("step", self.step.is_some(), &[Recorded]),
            ("counts", self.counts.is_some(), &[Recorded]),
        ];
        let stray = given.iter().find(|(_, is_given, kinds)| *is_given && !kinds.contains(&self.curve));
        let Some((field, ..)) = stray else { return Ok(()) };
        Err(Fault::new(format!("rate.{field}"), "is a field of another curve").help(CURVES))
    }

    fn every(&self) -> Result<SimDuration, Fault> {
        let every = needed("every", self.every)?;
        if every < SHORTEST {
            return Err(Fault::new("rate.every", format!("must be at least {SHORTEST}")));
        }
        Ok(every)
    }

    /// From `low` to `high` and back as a cosine, lowest at the start, in pieces of a 96th.
    fn diurnal(&self) -> Result<(Vec<Piece>, Option<SimDuration>), Fault> {
        let (low, high, every) = (needed("low", self.low)?, needed("high", self.high)?, self.every()?);
        if high < low {
            return Err(Fault::new("rate.high", "must not be less than `low`"));
        }
        let piece = |number: u64| {
            let turn = (number as f64 + 0.5) / CURVE_PIECES as f64;
            let share = (1.0 - libm::cos(turn * 2.0 * std::f64::consts::PI)) / 2.0;
            let per_second = low.per_second_f64() + (high.per_second_f64() - low.per_second_f64()) * share;
            // To a thousandth of a request a second.
            let rate = Rate::new((per_second * 1000.0 + 0.5) as u64, SimDuration::from_secs(1000));
            let nanos = u128::from(every.as_nanos()) * u128::from(number) / u128::from(CURVE_PIECES);
            let at = SimDuration::from_nanos(nanos as u64);
            rate.map(|rate| Piece { at, rate }).map_err(|error| Fault::new("rate", error.to_string()))
        };
        Ok(((0..CURVE_PIECES).map(piece).collect::<Result<_, _>>()?, Some(every)))
    }

    /// `high` for a while at the end of every period, `low` before.
    fn bursts(&self) -> Result<(Vec<Piece>, Option<SimDuration>), Fault> {
        let (low, high, every) = (needed("low", self.low)?, needed("high", self.high)?, self.every()?);
        let lasts = needed("for", self.r#for)?;
        if lasts.is_zero() || lasts >= every {
            return Err(Fault::new("rate.for", "must be more than 0 and less than `every`"));
        }
        let pieces = vec![Piece { at: SimDuration::ZERO, rate: low }, Piece { at: every - lasts, rate: high }];
        Ok((pieces, Some(every)))
    }

    fn recorded(&self) -> Result<(Vec<Piece>, Option<SimDuration>), Fault> {
        let step = needed("step", self.step)?;
        let counts = needed("counts", self.counts.as_ref())?;
        if step < SimDuration::from_millis(1) {
            return Err(Fault::new("rate.step", "must be at least 1ms"));
        }
        if counts.is_empty() {
            return Err(Fault::new("rate.counts", "the list is empty"));
        }
        let piece = |(number, count): (usize, &u64)| {
            let rate = Rate::new(*count, step).map_err(|error| Fault::new("rate.counts", error.to_string()))?;
            Ok(Piece { at: step * number as u64, rate })
        };
        let pieces = counts.iter().enumerate().map(piece).collect::<Result<_, Fault>>()?;
        Ok((pieces, Some((step * counts.len() as u64).max(SHORTEST))))
    }
}

/// The curves and their fields.
const CURVES: &str =
    "{curve: diurnal, low, high, every}, {curve: bursts, low, high, every, for} or {curve: recorded, step, counts}";

fn needed<T>(field: &str, given: Option<T>) -> Result<T, Fault> {
    given.ok_or_else(|| Fault::new("rate", format!("`{field}` is missing")).help(CURVES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(text: &str) -> Result<Arrivals, String> {
        let rate: RawRate = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        rate.arrivals(false).map_err(|fault| fault.message)
    }

    #[test]
    fn rates_are_constant_stepped_or_curves() {
        assert_eq!(arrivals("200/s").map(|a| a.pieces.len()), Ok(1));
        let steps = arrivals("[{at: 10s, rate: 5/s}, {at: 20s, rate: 50/s}]").expect("steps");
        assert!(steps.pieces.len() == 3 && steps.pieces[0].rate.is_zero());
        let day = arrivals("{curve: diurnal, low: 10/s, high: 110/s, every: 24h}").expect("a curve");
        let mean = day.pieces.iter().map(|piece| piece.rate.per_second_f64()).sum::<f64>() / day.pieces.len() as f64;
        assert!((mean - 60.0).abs() < 0.01 && day.repeats == Some(SimDuration::from_hours(24)), "{mean}");
        assert_eq!(
            arrivals("{curve: recorded, step: 1m, counts: [60, 600]}").map(|a| a.pieces[1].rate.to_string()),
            Ok("600/m".into())
        );
        for (wrong, complaint) in [
            ("5", "expected a rate"),
            ("[]", "the list is empty"),
            ("[{at: 1s, rate: 1/s}, {at: 1s, rate: 2/s}]", "must rise"),
            ("20000000/s", "more than 10000000/s"),
            ("{curve: bursts, low: 1/s, high: 9/s, every: 1m, for: 2m}", "less than `every`"),
            ("{curve: bursts, low: 1/s, high: 9/s, every: 1m}", "`for` is missing"),
            ("{curve: sawtooth}", "unknown variant"),
            ("{curve: recorded, step: 1m, counts: [1], high: 9/s}", "of another curve"),
            ("{curve: diurnal, low: 1/s, high: 9/s, every: 1h, for: 1m}", "of another curve"),
        ] {
            let error = arrivals(wrong).expect_err(wrong);
            assert!(error.contains(complaint), "{error}");
        }
    }
}
