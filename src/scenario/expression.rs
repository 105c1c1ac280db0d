//! Expressions over a cluster: `available(deployment/web) >= 3 && !rolloutComplete(deployment/api)`.
//!
//! ```text
//! or         = and { "||" and }
//! and        = not { "&&" not }
//! not        = "!" not | "(" or ")" | comparison
//! comparison = term [ ("==" | "!=" | ">=" | "<=" | ">" | "<") term ]
//! term       = integer | name "(" [ argument ] ")"
//! argument   = target (kind/name) | selector (app=web,tier!=db), bare or in quotes
//! ```

use std::fmt;
use std::str::FromStr;

use crate::objects::Selector;
use crate::sim::{Simulation, Target};

use super::facts;

/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 64;

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
}

/// Argument of a function.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Target(Target),
    Selector(Selector),
}

/// A function that promises something over time; the run evaluates it by a checker of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) target: Option<Target>,
}

/// Invariants by name, with whether they take a Deployment.
const PROMISES: &[(&str, bool)] = &[
    ("maxSurge", true),
    ("maxUnavailable", true),
    ("replicaConservation", false),
    ("noOrphan", false),
    ("noStuckFinalizer", false),
    ("observedGeneration", false),
    ("quiescence", false),
    ("settled", false),
];

#[derive(Clone, Debug)]
enum Node {
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(Number, Comparison, Number),
    Truth(&'static str, Option<Argument>),
    Promise(Promise),
}

#[derive(Clone, Debug)]
enum Number {
    Literal(i64),
    Fact(&'static str, Option<Argument>),
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

    /// The values that it is made of now, for messages: `available(deployment/web) = 2`.
    #[must_use]
    pub fn explain(&self, sim: &Simulation) -> String {
        let mut facts = Vec::new();
        self.root.explain(sim, &mut facts);
        facts.join(", ")
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
            Self::Or(a, b) => a.holds(sim) || b.holds(sim),
            Self::And(a, b) => a.holds(sim) && b.holds(sim),
            Self::Not(a) => !a.holds(sim),
            Self::Compare(a, comparison, b) => comparison.of(a.value(sim), b.value(sim)),
            Self::Truth(name, argument) => facts::truth(sim, name, argument.as_ref()).unwrap_or(false),
            Self::Promise(promise) => promise.violations(sim).is_empty(),
        }
    }

    fn explain(&self, sim: &Simulation, facts: &mut Vec<String>) {
        match self {
            Self::Or(a, b) | Self::And(a, b) => {
                a.explain(sim, facts);
                b.explain(sim, facts);
            }
            Self::Not(a) => a.explain(sim, facts),
            Self::Compare(a, _, b) => facts.extend([a, b].into_iter().filter_map(|number| number.explain(sim))),
            Self::Truth(name, argument) => {
                let value = facts::truth(sim, name, argument.as_ref()).unwrap_or(false);
                facts.push(format!("{} = {value}", call(name, argument.as_ref())));
            }
            Self::Promise(promise) => {
                facts.extend(promise.violations(sim).iter().map(|violation| violation.story.clone()));
            }
        }
    }
}

impl Promise {
    /// What is broken now, of the promises about a settled cluster. Those over time look at single instants here and
    /// cannot be broken by one.
    pub(super) fn violations(&self, sim: &Simulation) -> Vec<crate::invariants::Violation> {
        use crate::invariants as check;
        match self.name {
            "replicaConservation" => check::replica_conservation(sim),
            "noOrphan" => check::no_orphan(sim),
            "noStuckFinalizer" => check::no_stuck_finalizer(sim),
            "observedGeneration" => check::observed_generation(sim),
            "quiescence" => check::quiescence(sim),
            "settled" => check::settled(sim).err().map(|violations| violations.0).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl Number {
    fn value(&self, sim: &Simulation) -> i64 {
        match self {
            Self::Literal(value) => *value,
            Self::Fact(name, argument) => facts::number(sim, name, argument.as_ref()).unwrap_or(0),
        }
    }

    fn explain(&self, sim: &Simulation) -> Option<String> {
        match self {
            Self::Literal(_) => None,
            Self::Fact(name, argument) => Some(format!("{} = {}", call(name, argument.as_ref()), self.value(sim))),
        }
    }
}

fn call(name: &str, argument: Option<&Argument>) -> String {
    match argument {
        None => format!("{name}()"),
        Some(Argument::Target(target)) => format!("{name}({target})"),
        Some(Argument::Selector(selector)) => format!("{name}({selector})"),
    }
}

impl Comparison {
    const fn of(self, a: i64, b: i64) -> bool {
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

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let root = parser.or()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("expected the end, or one of && ||"));
        }
        Ok(Self { text: text.trim().to_owned(), root })
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.and()?;
        while self.eat("||") {
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Node, ExpressionError> {
        let mut left = self.not()?;
        while self.eat("&&") {
            left = Node::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("the expression is nested too deeply"));
        }
        let node = if self.peek() == Some('!') && !self.rest().starts_with("!=") {
            self.eat("!");
            Node::Not(Box::new(self.not()?))
        } else if self.eat("(") {
            let inner = self.or()?;
            self.expect(")")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, ExpressionError> {
        let start = self.at;
        if !self.peek().is_some_and(|c| c.is_ascii_digit() || c == '-')
            && let Some(node) = self.statement()?
        {
            return Ok(node);
        }
        self.at = start;
        let left = self.number()?;
        let operators = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::More),
            ("<", Comparison::Less),
        ];
        let Some((_, comparison)) = operators.into_iter().find(|(sign, _)| self.eat(sign)) else {
            return Err(self.error("expected a comparison: == != >= <= > <"));
        };
        Ok(Node::Compare(left, comparison, self.number()?))
    }

    /// A function that is true or false, or `None` if the name is that of a number.
    fn statement(&mut self) -> Result<Option<Node>, ExpressionError> {
        let start = self.at;
        let name = self.name()?;
        if let Some((known, takes)) = facts::TRUTHS.iter().find(|(known, _)| *known == name) {
            return Ok(Some(Node::Truth(known, self.arguments(takes)?)));
        }
        if let Some((known, takes_target)) = PROMISES.iter().find(|(known, _)| *known == name) {
            let argument = self.arguments(if *takes_target { "target" } else { "" })?;
            let target = match argument {
                Some(Argument::Target(target)) => Some(target),
                _ => None,
            };
            return Ok(Some(Node::Promise(Promise { name: known, target })));
        }
        if facts::NUMBERS.iter().any(|(known, _)| *known == name) {
            return Ok(None);
        }
        let known = facts::TRUTHS.iter().map(|(n, _)| *n);
        let known = known.chain(facts::NUMBERS.iter().map(|(n, _)| *n)).chain(PROMISES.iter().map(|(n, _)| *n));
        let nearest = known.max_by(|a, b| strsim::jaro(a, &name).total_cmp(&strsim::jaro(b, &name)));
        self.at = start;
        Err(self.error(&format!("there is no function {name:?}; did you mean {:?}?", nearest.unwrap_or_default())))
    }

    fn number(&mut self) -> Result<Number, ExpressionError> {
        self.skip_space();
        let digits: String = self
            .rest()
            .chars()
            .enumerate()
            .take_while(|(n, c)| c.is_ascii_digit() || *n == 0 && *c == '-')
            .map(|(_, c)| c)
            .collect();
        if !digits.is_empty() {
            let value = digits.parse().map_err(|_| self.error("expected an integer of 64 bits"))?;
            self.at += digits.len();
            return Ok(Number::Literal(value));
        }
        let start = self.at;
        let name = self.name()?;
        match facts::NUMBERS.iter().find(|(known, _)| *known == name) {
            Some((known, takes)) => Ok(Number::Fact(known, self.arguments(takes)?)),
            None => {
                self.at = start;
                Err(self.error(&format!("{name:?} is not a number")))
            }
        }
    }

    fn arguments(&mut self, takes: &str) -> Result<Option<Argument>, ExpressionError> {
        self.expect("(")?;
        self.skip_space();
        let Some(length) = self.rest().find(')') else { return Err(self.error("expected )")) };
        let written = &self.rest()[..length];
        let inner = written.trim().trim_matches(|c| c == '\'' || c == '"').trim();
        let argument = match takes {
            "" if inner.is_empty() => None,
            "" => return Err(self.error("this function takes no argument")),
            "target" => {
                Some(Argument::Target(inner.parse().map_err(|e: crate::sim::SimError| self.error(&e.to_string()))?))
            }
            _ => Some(Argument::Selector(
                inner.parse().map_err(|e: crate::objects::SelectorError| self.error(&e.to_string()))?,
            )),
        };
        self.at += length + 1;
        Ok(argument)
    }

    fn name(&mut self) -> Result<String, ExpressionError> {
        self.skip_space();
        let name: String = self.rest().chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() {
            return Err(self.error("expected a function, such as available(deployment/web), or a number"));
        }
        self.at += name.len();
        Ok(name)
    }

    fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.eat(sign) { Ok(()) } else { Err(self.error(&format!("expected {sign}"))) }
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn error(&self, message: &str) -> ExpressionError {
        let column = self.text[..self.at].chars().count() + 1;
        ExpressionError { column, message: message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        text.parse::<Expression>().map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn expressions_are_read_in_the_usual_precedence() {
        let text = "available('deployment/web') >= 3 && !quiescent() || (pods(app=web) == 0)";
        let expression: Expression = text.parse().unwrap();
        assert!(matches!(expression.root, Node::Or(..)));
        assert_eq!(expression.to_string(), text);
    }

    #[test]
    fn errors_name_the_column_and_what_was_meant() {
        assert_eq!(
            error("availabel(deployment/web) >= 3"),
            "there is no function \"availabel\"; did you mean \"available\"? at column 1 of the expression"
        );
        assert_eq!(
            error("available(deployment/web)"),
            "expected a comparison: == != >= <= > < at column 26 of the expression"
        );
        assert_eq!(
            error("available(web) > 1"),
            "\"web\" is not of the form kind/name, such as deployment/web at column 11 of the expression"
        );
        assert_eq!(error("quiescent() 7"), "expected the end, or one of && || at column 13 of the expression");
        assert_eq!(error(&"!".repeat(100)), "the expression is nested too deeply at column 65 of the expression");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Expression>();
        }
    }
}
