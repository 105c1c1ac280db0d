//! Expressions over a cluster: `available(deployment/web) >= 3 && !rolloutComplete(deployment/api)`.
//!
//! ```text
//! or         = and { "||" and }
//! and        = not { "&&" not }
//! not        = "!" not | "(" or ")" | comparison
//! comparison = sum [ ("==" | "!=" | ">=" | "<=" | ">" | "<") sum ]
//! sum        = term { ("+" | "-") term }
//! term       = scalar | name "(" [ argument ] ")" [ "." name [ "(" text ")" ] ] | asked (of objects: see `ask`)
//! scalar     = 3 | 0.999 | 99.9% | 250ms (in seconds) | "text" | true | false | null
//! argument   = target (kind/name) | selector (app=web,tier!=db) | client "," destination, bare or in quotes
//! ```

mod ask;
mod documents;
mod parse;
mod parts;
mod scalar;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::invariants::{Holds, Invariant, Named, Violation};
use crate::kernel::SimDuration;
use crate::objects::Selector;
use crate::sim::{Simulation, Target};

use super::facts;
use super::measure::Measured;
use super::traffic::facts::{Question, Unit};
use super::ways::Way;

use documents::Asked;
pub(super) use documents::Memory;
pub(super) use parse::{Parser, closing};
pub use parts::{Part, Subject};
use scalar::Scalar;

/// The function of traffic.
pub(super) const TRAFFIC: &str = "traffic";
/// One, in billionths.
pub(super) const ONE: i128 = 1_000_000_000;

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    root: Node,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column} of the expression")]
pub struct ExpressionError {
    /// Place in the expression, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Argument of a function.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Target(Target),
    Selector(Selector),
    Way(Box<Way>),
}

/// An invariant; the run watches by a checker of its own what holds over time.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    invariant: &'static Named,
    target: Option<Target>,
}

#[derive(Clone, Debug)]
enum Node {
    /// Any number of them, so that long chains are not deep trees.
    Or(Vec<Node>),
    And(Vec<Node>),
    Not(Box<Node>),
    Compare(Term, Comparison, Term),
    /// A term that is true or false.
    Is(Term),
    Truth(&'static str, Option<Argument>),
    Promise(Promise),
}

#[derive(Clone, Debug)]
enum Term {
    Literal(Scalar),
    Fact(&'static str, Option<Argument>),
    Traffic(Question),
    Asked(Box<Asked>),
    /// Each is added, or taken away.
    Sum(Vec<(Sign, Term)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    More,
    Less,
}

impl Expression {
    /// Whether it holds now. A number of something that does not exist is 0.
    #[must_use]
    pub fn holds(&self, sim: &Simulation) -> bool {
        self.holds_now(sim, &mut Memory::default())
    }

    /// The same, with what is known of objects that have not changed since it was asked before.
    pub(super) fn holds_now(&self, sim: &Simulation, memory: &mut Memory) -> bool {
        self.root.holds(sim, memory)
    }

    /// The promise, if the expression is nothing but one.
    pub(super) const fn as_promise(&self) -> Option<&Promise> {
        match &self.root {
            Node::Promise(promise) => Some(promise),
            _ => None,
        }
    }

    /// The name of a promise over time in it: such a promise is kept or broken by a run, not by an instant.
    pub(super) fn promise_over_time(&self) -> Option<&'static str> {
        self.root.promise_over_time()
    }

    /// The clients whose traffic it asks for.
    pub(super) fn clients(&self) -> Vec<&str> {
        let mut clients = Vec::new();
        self.root.clients(&mut clients);
        clients
    }
}

/// A checked number, such as `available(deployment/web)`.
#[derive(Clone, Debug)]
pub struct NumberExpression {
    text: String,
    number: Term,
}

impl NumberExpression {
    /// Its value now, of a share in millionths; 0 of something that does not exist.
    #[must_use]
    pub fn value(&self, sim: &Simulation) -> Measured {
        self.value_now(sim, &mut Memory::default())
    }

    /// The same, with what is known of objects that have not changed since it was asked before.
    pub(super) fn value_now(&self, sim: &Simulation, memory: &mut Memory) -> Measured {
        let billionths = self.number.value(sim, memory).number().unwrap_or(0);
        let whole = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
        match &self.number {
            Term::Traffic(question) => match question.unit() {
                Unit::Count => Measured::Number(whole(billionths / ONE)),
                Unit::Share => Measured::Number(whole(billionths / 1000)),
                Unit::Time => Measured::Time(SimDuration::from_nanos(u64::try_from(billionths).unwrap_or(0))),
            },
            Term::Literal(_) | Term::Fact(..) | Term::Asked(_) | Term::Sum(_) => {
                Measured::Number(whole(billionths / ONE))
            }
        }
    }
}

impl fmt::Display for NumberExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ExpressionError {
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn holds(&self, sim: &Simulation, memory: &mut Memory) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(sim, memory)),
            Self::And(parts) => parts.iter().all(|part| part.holds(sim, memory)),
            Self::Not(a) => !a.holds(sim, memory),
            Self::Compare(a, comparison, b) => a.value(sim, memory).compare(*comparison, &b.value(sim, memory)),
            Self::Is(term) => term.value(sim, memory) == Scalar::Truth(true),
            Self::Truth(name, argument) => facts::truth(sim, name, argument.as_ref()).unwrap_or(false),
            Self::Promise(promise) => promise.violations(sim).is_empty(),
        }
    }

    fn clients<'a>(&'a self, clients: &mut Vec<&'a str>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.clients(clients)),
            Self::Not(inner) => inner.clients(clients),
            Self::Compare(a, _, b) => [a, b].into_iter().for_each(|term| term.clients(clients)),
            Self::Is(term) => term.clients(clients),
            Self::Truth(..) | Self::Promise(_) => {}
        }
    }

    fn promise_over_time(&self) -> Option<&'static str> {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().find_map(Self::promise_over_time),
            Self::Not(inner) => inner.promise_over_time(),
            Self::Promise(promise) => {
                (!matches!(promise.invariant.holds, Holds::AtRest(_))).then_some(promise.invariant.name)
            }
            Self::Compare(..) | Self::Is(_) | Self::Truth(..) => None,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "{}({target})", self.invariant.name),
            None => write!(f, "{}()", self.invariant.name),
        }
    }
}

impl Promise {
    /// What is broken now, of the promises about a settled cluster. No single instant breaks those over time.
    pub(super) fn violations(&self, sim: &Simulation) -> Vec<Violation> {
        match self.invariant.holds {
            Holds::AtRest(check) => check(sim),
            Holds::Always { .. } | Holds::Throughout(_) => Vec::new(),
        }
    }

    /// The checker of a promise over time.
    pub(super) fn watch(&self, slack: SimDuration) -> Option<Box<dyn Invariant>> {
        match self.invariant.holds {
            Holds::Always { watch, .. } => Some(watch(self.target.as_ref()?, slack)),
            Holds::Throughout(watch) => Some(watch(slack)),
            Holds::AtRest(_) => None,
        }
    }
}

impl Term {
    fn value(&self, sim: &Simulation, memory: &mut Memory) -> Scalar {
        match self {
            Self::Literal(value) => value.clone(),
            Self::Fact(name, argument) => {
                Scalar::Number(i128::from(facts::number(sim, name, argument.as_ref()).unwrap_or(0)) * ONE)
            }
            Self::Traffic(question) => Scalar::Number(question.value(sim)),
            Self::Asked(asked) => asked.value(sim, memory),
            Self::Sum(terms) => terms.iter().fold(Scalar::Number(0), |sum, (sign, term)| {
                match (sum, term.value(sim, memory).number(), sign) {
                    (Scalar::Number(sum), Some(more), Sign::Plus) => Scalar::Number(sum.saturating_add(more)),
                    (Scalar::Number(sum), Some(less), Sign::Minus) => Scalar::Number(sum.saturating_sub(less)),
                    // What is no number has no sum.
                    _ => Scalar::Null,
                }
            }),
        }
    }

    /// Whether it may be a number: what a field holds is known only when it is asked.
    fn may_be_number(&self) -> bool {
        match self {
            Self::Literal(literal) => matches!(literal, Scalar::Number(_)),
            Self::Asked(asked) => !asked.is_condition(),
            Self::Fact(..) | Self::Traffic(_) | Self::Sum(_) => true,
        }
    }

    /// Why two terms are never equal, if that is known before they are asked.
    fn mismatch(&self, other: &Self) -> Option<&'static str> {
        let is_number = |term: &Self| match term {
            Self::Literal(literal) => matches!(literal, Scalar::Number(_)),
            Self::Asked(asked) => asked.is_count(),
            Self::Fact(..) | Self::Traffic(_) | Self::Sum(_) => true,
        };
        let wrong = |a: &Self, b: &Self| is_number(a) && !b.may_be_number();
        (wrong(self, other) || wrong(other, self)).then_some("a number is compared with what is no number")
    }

    fn clients<'a>(&'a self, clients: &mut Vec<&'a str>) {
        match self {
            Self::Traffic(question) => clients.push(&question.client),
            Self::Sum(terms) => terms.iter().for_each(|(_, term)| term.clients(clients)),
            Self::Literal(_) | Self::Fact(..) | Self::Asked(_) => {}
        }
    }
}
