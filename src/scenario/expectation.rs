//! What a scenario expects, and whether it came true.

use std::fmt;
use std::sync::Arc;

use crate::invariants::Invariant;
use crate::kernel::{SimDuration, SimTime};
use crate::objects::reader::Place;
use crate::sim::Simulation;

use super::expression::{Expression, Memory, Part, Subject};

/// An expectation of a scenario.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Over which time.
    pub kind: ExpectationKind,
    /// From when on; `eventually … within` counts from there. Nothing for `final`.
    pub after: SimDuration,
    /// What.
    pub expression: Expression,
    /// Where the expression stands.
    pub written: Option<Written>,
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub source: Arc<str>,
    /// The place.
    pub place: Place,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.place.line, self.place.column)
    }
}

impl Expectation {
    /// It is not what it should be now.
    fn failed(&self, sim: &Simulation) -> Outcome {
        let wanted = self.kind != ExpectationKind::Never;
        let expression = &self.expression;
        Outcome::Failed { at: sim.now(), why: expression.explain(sim, wanted), parts: expression.parts(sim, wanted) }
    }
}

/// Over which time something is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectationKind {
    /// At every instant.
    Always,
    /// At no instant.
    Never,
    /// At some instant.
    Eventually {
        /// Counted from [`Expectation::after`]; absent = before the end.
        within: Option<SimDuration>,
    },
    /// At the end.
    Final,
}

impl ExpectationKind {
    /// As the file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Eventually { .. } => "eventually",
            Self::Final => "final",
        }
    }
}

/// What became of an expectation.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// As the file has it, such as `always: maxSurge(deployment/web)`.
    pub expectation: String,
    /// Where its expression stands.
    pub written: Option<Written>,
    /// What it is about.
    pub about: Vec<Subject>,
    /// Whether it held.
    pub outcome: Outcome,
}

/// Whether an expectation held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Held {
        /// The instant, for `eventually`.
        at: Option<SimTime>,
    },
    /// It did not.
    Failed {
        /// When that was certain.
        at: SimTime,
        /// In one line, the values that are not as they should be, or what happened instead.
        why: String,
        /// Every part of the expression with its value at that instant; nothing of a promise over time.
        parts: Vec<Part>,
    },
}

impl Verdict {
    /// Whether it held.
    #[must_use]
    pub const fn held(&self) -> bool {
        matches!(self.outcome, Outcome::Held { .. })
    }
}

/// Watches one expectation through a run.
#[derive(Debug)]
pub(super) struct Watch {
    expectation: Expectation,
    /// For promises over time.
    invariant: Option<Box<dyn Invariant>>,
    outcome: Option<Outcome>,
    /// Of the objects that the expression asks for.
    memory: Memory,
}

impl Watch {
    /// `slack`: how long a control plane with delays may still act on what was true before.
    pub(super) fn new(expectation: Expectation, slack: SimDuration) -> Self {
        let promise = expectation.expression.as_promise();
        let invariant = promise.and_then(|promise| promise.watch(slack));
        Self { expectation, invariant, outcome: None, memory: Memory::default() }
    }

    /// Whether nothing that may still happen matters.
    pub(super) const fn is_decided(&self) -> bool {
        self.outcome.is_some()
    }

    /// Whether it is broken already.
    pub(super) const fn has_failed(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failed { .. }))
    }

    /// When it begins to look.
    pub(super) fn begins(&self) -> SimTime {
        SimTime::ZERO + self.expectation.after
    }

    /// When something that is awaited is too late, unless it is decided.
    pub(super) fn deadline(&self) -> Option<SimTime> {
        match self.expectation.kind {
            ExpectationKind::Eventually { within: Some(within) } if self.outcome.is_none() => {
                Some(self.begins() + within)
            }
            _ => None,
        }
    }

    /// Looks at the end of an instant, whether it is too late.
    pub(super) fn expire(&mut self, sim: &Simulation) {
        if self.deadline().is_some_and(|deadline| sim.now() >= deadline) {
            self.observe(sim);
            self.outcome.get_or_insert_with(|| self.expectation.failed(sim));
        }
    }

    /// Looks at the cluster between two steps of an instant, if it is for a promise over time. What else is expected does not hold between
    /// them, but after them.
    pub(super) fn observe_promise(&mut self, sim: &Simulation) {
        if self.invariant.is_some() {
            self.observe(sim);
        }
    }

    /// Looks at the cluster after a change.
    pub(super) fn observe(&mut self, sim: &Simulation) {
        let (at, from) = (sim.now(), self.begins());
        if self.outcome.is_some() || at < from {
            return;
        }
        if let Some(invariant) = &mut self.invariant {
            if let Err(violation) = invariant.check(sim) {
                self.outcome = Some(Outcome::Failed { at, why: violation.story, parts: Vec::new() });
            }
            return;
        }
        let expectation = &self.expectation;
        if let ExpectationKind::Eventually { within: Some(limit) } = expectation.kind
            && at > from + limit
        {
            self.outcome = Some(expectation.failed(sim));
            return;
        }
        if expectation.kind == ExpectationKind::Final {
            return;
        }
        let holds = expectation.expression.holds_now(sim, &mut self.memory);
        self.outcome = match (expectation.kind, holds) {
            (ExpectationKind::Always, false) | (ExpectationKind::Never, true) => Some(expectation.failed(sim)),
            (ExpectationKind::Eventually { .. }, true) => Some(Outcome::Held { at: Some(at) }),
            _ => None,
        };
    }

    /// The verdict at the end of a run.
    pub(super) fn finish(mut self, sim: &Simulation) -> Verdict {
        if !matches!(self.expectation.kind, ExpectationKind::Always | ExpectationKind::Never) {
            self.observe(sim);
        }
        let Expectation { kind, expression, .. } = &self.expectation;
        let outcome = self.outcome.unwrap_or_else(|| match kind {
            ExpectationKind::Always | ExpectationKind::Never => Outcome::Held { at: None },
            ExpectationKind::Final if expression.holds(sim) => Outcome::Held { at: None },
            ExpectationKind::Final | ExpectationKind::Eventually { .. } => self.expectation.failed(sim),
        });
        let within = match kind {
            ExpectationKind::Eventually { within: Some(within) } => format!(" within {within}"),
            _ => String::new(),
        };
        let after = match self.expectation.after {
            SimDuration::ZERO => String::new(),
            after => format!(" after {after}"),
        };
        let told = format!("{}: {expression}{after}{within}", kind.name());
        let about = expression.subjects();
        Verdict { expectation: told, written: self.expectation.written, about, outcome }
    }
}
