//! Expressions over a cluster: `available(deployment/web) >= 3 && !rolloutComplete(deployment/api)`.
//!
//! ```text
//! or         = and { "||" and }
//! and        = not { "&&" not }
//! not        = "!" not | "(" or ")" | comparison
//! comparison = term [ ("==" | "!=" | ">=" | "<=" | ">" | "<") term ]
//! term       = number | name "(" [ argument ] ")" [ "." name [ "(" text ")" ] ]
//! number     = 3 | 0.999 | 99.9% | 250ms (in seconds)
//! argument   = target (kind/name) | selector (app=web,tier!=db) | client "," destination, bare or in quotes
//! ```

mod parse;
mod parts;

use std::fmt;

use crate::invariants::{Holds, Invariant, Named, Violation};
use crate::kernel::SimDuration;
use crate::objects::Selector;
use crate::sim::{Simulation, Target};

use super::facts;
use super::measure::Measured;
use super::traffic::facts::{Question, Unit};
use super::ways::Way;

pub(super) use parse::{Parser, closing};
pub use parts::{Part, Subject};

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
    Compare(Number, Comparison, Number),
    Truth(&'static str, Option<Argument>),
    Promise(Promise),
}

#[derive(Clone, Debug)]
enum Number {
    /// In billionths.
    Literal(i128),
    Fact(&'static str, Option<Argument>),
    Traffic(Question),
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
        self.root.holds(sim)
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
    number: Number,
}

impl NumberExpression {
    /// Its value now, of a share in millionths; 0 of something that does not exist.
    #[must_use]
    pub fn value(&self, sim: &Simulation) -> Measured {
        let billionths = self.number.value(sim);
        let whole = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
        match &self.number {
            Number::Traffic(question) => match question.unit() {
                Unit::Count => Measured::Number(whole(billionths / ONE)),
                Unit::Share => Measured::Number(whole(billionths / 1000)),
                Unit::Time => Measured::Time(SimDuration::from_nanos(u64::try_from(billionths).unwrap_or(0))),
            },
            Number::Literal(_) | Number::Fact(..) => Measured::Number(whole(billionths / ONE)),
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
    fn holds(&self, sim: &Simulation) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(sim)),
            Self::And(parts) => parts.iter().all(|part| part.holds(sim)),
            Self::Not(a) => !a.holds(sim),
            Self::Compare(a, comparison, b) => comparison.of(a.value(sim), b.value(sim)),
            Self::Truth(name, argument) => facts::truth(sim, name, argument.as_ref()).unwrap_or(false),
            Self::Promise(promise) => promise.violations(sim).is_empty(),
        }
    }

    fn clients<'a>(&'a self, clients: &mut Vec<&'a str>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.clients(clients)),
            Self::Not(inner) => inner.clients(clients),
            Self::Compare(a, _, b) => clients.extend([a, b].into_iter().filter_map(|number| match number {
                Number::Traffic(question) => Some(question.client.as_str()),
                Number::Literal(_) | Number::Fact(..) => None,
            })),
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
            Self::Compare(..) | Self::Truth(..) => None,
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

impl Number {
    /// In billionths.
    fn value(&self, sim: &Simulation) -> i128 {
        match self {
            Self::Literal(value) => *value,
            Self::Fact(name, argument) => i128::from(facts::number(sim, name, argument.as_ref()).unwrap_or(0)) * ONE,
            Self::Traffic(question) => question.value(sim),
        }
    }
}

impl Comparison {
    const fn of(self, a: i128, b: i128) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::AtLeast => a >= b,
            Self::AtMost => a <= b,
            Self::More => a > b,
            Self::Less => a < b,
        }
    }
}
