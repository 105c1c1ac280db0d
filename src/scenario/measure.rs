//! What a scenario measures: numbers and times of a run, to be compared between seeds and values of parameters.

use serde::Deserialize;

use crate::kernel::{SimDuration, SimTime};
use crate::sim::Simulation;

use super::expression::{Expression, Memory, NumberExpression};

/// Something that is measured.
#[derive(Clone, Debug)]
pub struct Measure {
    /// What it is called in results.
    pub name: String,
    /// From when on.
    pub after: SimDuration,
    /// What.
    pub gauge: Gauge,
}

/// What is measured, and how.
#[derive(Clone, Debug)]
pub enum Gauge {
    /// The lowest value.
    Min(NumberExpression),
    /// The highest value.
    Max(NumberExpression),
    /// The value at the end.
    Final(NumberExpression),
    /// The time from [`Measure::after`] to the first instant at which it holds.
    First(Expression),
    /// For how long it holds.
    Duration(Expression),
}

/// A measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// A number of something.
    Number(i64),
    /// A time.
    Time(SimDuration),
}

/// An entry of `spec.measure` as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMeasure {
    pub(super) name: String,
    #[serde(default)]
    pub(super) after: SimDuration,
    pub(super) min: Option<String>,
    pub(super) max: Option<String>,
    pub(super) r#final: Option<String>,
    pub(super) first: Option<String>,
    pub(super) duration: Option<String>,
}

/// Takes one measure through a run.
#[derive(Clone, Debug)]
pub(super) struct Meter<'a> {
    measure: &'a Measure,
    value: Option<Measured>,
    /// For durations: since when it holds.
    since: Option<SimTime>,
    /// Of the objects that the expression asks for.
    memory: Memory,
}

impl<'a> Meter<'a> {
    pub(super) fn new(measure: &'a Measure) -> Self {
        Self { measure, value: None, since: None, memory: Memory::default() }
    }

    /// When it begins to look.
    pub(super) fn begins(&self) -> SimTime {
        SimTime::ZERO + self.measure.after
    }

    /// Looks at the cluster after a change.
    pub(super) fn observe(&mut self, sim: &Simulation) {
        let now = sim.now();
        if now < self.begins() {
            return;
        }
        match &self.measure.gauge {
            Gauge::Min(number) => {
                let value = number.value_now(sim, &mut self.memory);
                self.take(value, std::cmp::min);
            }
            Gauge::Max(number) => {
                let value = number.value_now(sim, &mut self.memory);
                self.take(value, std::cmp::max);
            }
            Gauge::Final(_) => {}
            Gauge::First(expression) => {
                if self.value.is_none() && expression.holds_now(sim, &mut self.memory) {
                    self.value = Some(Measured::Time(now - self.begins()));
                }
            }
            Gauge::Duration(expression) => {
                let held = self.since.take().map_or(SimDuration::ZERO, |since| now - since);
                let so_far = match self.value {
                    Some(Measured::Time(time)) => time,
                    _ => SimDuration::ZERO,
                };
                self.value = Some(Measured::Time(so_far + held));
                self.since = expression.holds_now(sim, &mut self.memory).then_some(now);
            }
        }
    }

    fn take(&mut self, value: Measured, choose: fn(Measured, Measured) -> Measured) {
        self.value = Some(self.value.map_or(value, |known| choose(known, value)));
    }

    /// The value at the end of a run; nothing of what never came, or was to begin later.
    pub(super) fn finish(mut self, sim: &Simulation) -> (String, Option<Measured>) {
        self.observe(sim);
        let value = match &self.measure.gauge {
            Gauge::Final(number) => Some(number.value(sim)),
            _ => self.value,
        };
        (self.measure.name.clone(), value)
    }
}
