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

use std::fmt;
use std::str::FromStr;

use crate::invariants::{CATALOGUE, Holds, Invariant, Named, Violation};
use crate::kernel::SimDuration;
use crate::objects::Selector;
use crate::sim::{SimError, Simulation, Target};

use super::facts::{self, Takes};
use super::measure::Measured;
use super::traffic::facts::{Question, Unit, decimal};
use super::traffic::parse::literal;
use super::ways::Way;

/// The function of traffic.
pub(super) const TRAFFIC: &str = "traffic";
/// One, in billionths.
pub(super) const ONE: i128 = 1_000_000_000;

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

    /// The values that it is made of now, for messages: `available(deployment/web) = 2`.
    #[must_use]
    pub fn explain(&self, sim: &Simulation) -> String {
        let mut facts = Vec::new();
        self.root.explain(sim, &mut facts);
        facts.join(", ")
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

impl FromStr for NumberExpression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let number = parser.number()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("expected the end: one number, without a comparison"));
        }
        Ok(Self { text: text.trim().to_owned(), number })
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

    fn explain(&self, sim: &Simulation, facts: &mut Vec<String>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.explain(sim, facts)),
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

    fn explain(&self, sim: &Simulation) -> Option<String> {
        match self {
            Self::Literal(_) => None,
            Self::Fact(name, argument) => {
                Some(format!("{} = {}", call(name, argument.as_ref()), decimal(self.value(sim))))
            }
            Self::Traffic(question) => Some(format!("{question} = {}", question.show(self.value(sim)))),
        }
    }
}

fn call(name: &str, argument: Option<&Argument>) -> String {
    match argument {
        None => format!("{name}()"),
        Some(Argument::Target(target)) => format!("{name}({target})"),
        Some(Argument::Selector(selector)) => format!("{name}({selector})"),
        Some(Argument::Way(way)) => format!("{name}({way})"),
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

pub(super) struct Parser<'a> {
    text: &'a str,
    pub(super) at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Node, ExpressionError> {
        self.chain("||", Self::and, Node::Or)
    }

    fn and(&mut self) -> Result<Node, ExpressionError> {
        self.chain("&&", Self::not, Node::And)
    }

    fn chain(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Result<Node, ExpressionError>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Node, ExpressionError> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.eat(sign) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
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
            return Ok(Some(Node::Truth(known, self.arguments(known, *takes)?)));
        }
        if let Some(invariant) = CATALOGUE.iter().find(|invariant| invariant.name == name) {
            let takes = match invariant.holds {
                Holds::Always { kinds, .. } => Takes::Target(kinds),
                Holds::AtRest(_) | Holds::Throughout(_) => Takes::Nothing,
            };
            let target = match self.arguments(invariant.name, takes)? {
                Some(Argument::Target(target)) => Some(target),
                _ => None,
            };
            return Ok(Some(Node::Promise(Promise { invariant, target })));
        }
        if name == TRAFFIC || facts::NUMBERS.iter().any(|(known, _)| *known == name) {
            return Ok(None);
        }
        self.at = start;
        self.skip_space();
        let known = facts::TRUTHS.iter().map(|(n, _)| *n);
        let known: Vec<&str> = known
            .chain(facts::NUMBERS.iter().map(|(n, _)| *n))
            .chain([TRAFFIC])
            .chain(CATALOGUE.iter().map(|n| n.name))
            .collect();
        let likeness = |other: &str| strsim::jaro(&other.to_lowercase(), &name.to_lowercase());
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let help = match nearest {
            Some(nearest) if likeness(nearest) > 0.8 => format!("did you mean {nearest:?}?"),
            _ => format!("the functions are {}", known.join(", ")),
        };
        Err(self.error(&format!("there is no function {name:?}")).help(help))
    }

    fn number(&mut self) -> Result<Number, ExpressionError> {
        self.skip_space();
        if let Some((value, length)) = literal(self.rest()).map_err(|message| self.error(message))? {
            self.at += length;
            return Ok(Number::Literal(value));
        }
        let start = self.at;
        let name = self.name()?;
        if name == TRAFFIC {
            return self.traffic().map(Number::Traffic);
        }
        match facts::NUMBERS.iter().find(|(known, _)| *known == name) {
            Some((known, takes)) => Ok(Number::Fact(known, self.arguments(known, *takes)?)),
            None => {
                self.at = start;
                self.skip_space();
                Err(self.error(&format!("{name:?} is not a number")))
            }
        }
    }

    fn arguments(&mut self, name: &str, takes: Takes) -> Result<Option<Argument>, ExpressionError> {
        self.expect("(")?;
        self.skip_space();
        let Some(length) = closing(self.rest()) else { return Err(self.error("the ) of this argument is missing")) };
        let written = &self.rest()[..length];
        let inner = written.trim().trim_matches(|c| c == '\'' || c == '"').trim();
        let argument = match takes {
            Takes::Nothing if inner.is_empty() => None,
            Takes::Nothing => return Err(self.error(&format!("{name} takes no argument"))),
            Takes::Target(_) if inner.is_empty() => {
                return Err(self.error(&format!("{name} needs an argument")).help("such as deployment/web"));
            }
            Takes::Target(kinds) => {
                let target: Target = inner.parse().map_err(|error: SimError| self.error(&error.to_string()))?;
                if !kinds.is_empty() && !kinds.contains(&target.kind) {
                    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_lowercase()).collect();
                    let message = format!("{name} takes a {}, not a {}", kinds.join(" or a "), target.kind);
                    return Err(self.error(&message));
                }
                Some(Argument::Target(target))
            }
            Takes::Way => {
                let help = format!("such as {name}(pod/client, service/web:80)");
                let way = Way::parse(written.trim()).map_err(|message| self.error(&message).help(help))?;
                Some(Argument::Way(Box::new(way)))
            }
            Takes::Selector => Some(Argument::Selector(
                inner.parse().map_err(|e: crate::objects::SelectorError| self.error(&e.to_string()))?,
            )),
        };
        self.at += length + 1;
        Ok(argument)
    }

    pub(super) fn name(&mut self) -> Result<String, ExpressionError> {
        self.skip_space();
        let name: String = self.rest().chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() {
            return Err(self.error("expected a function, such as available(deployment/web), or a number"));
        }
        self.at += name.len();
        Ok(name)
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.eat(sign) { Ok(()) } else { Err(self.error(&format!("expected {sign}"))) }
    }

    pub(super) fn eat(&mut self, sign: &str) -> bool {
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

    pub(super) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn error(&self, message: &str) -> ExpressionError {
        let column = self.text[..self.at].chars().count() + 1;
        ExpressionError { column, message: message.to_owned(), help: None }
    }
}

/// Where the parenthesis closes that was opened before the text; selectors may have their own: `app in (a,b)`.
pub(super) fn closing(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 0 => return Some(at),
            ')' => open -= 1,
            _ => {}
        }
    }
    None
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
            "there is no function \"availabel\" at column 1 of the expression"
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

    fn help(text: &str) -> String {
        text.parse::<Expression>().unwrap_err().help.unwrap_or_default()
    }

    #[test]
    fn a_name_like_a_known_one_is_suggested() {
        assert_eq!(help("Availabel(deployment/web) >= 3"), "did you mean \"available\"?");
        assert!(help("xyz(deployment/web)").starts_with("the functions are rolloutComplete, "));
    }

    #[test]
    fn targets_are_of_the_kind_that_a_function_is_about() {
        assert_eq!(
            error("available(service/web) > 1"),
            "available takes a deployment or a replicaset or a replicationcontroller or a statefulset or a daemonset, not a Service at column 11 of the expression"
        );
    }

    #[test]
    fn selectors_may_hold_parentheses() {
        let expression: Expression = "pods(app in (a,b),tier!=db) == 2 && quiescent()".parse().unwrap();
        assert!(matches!(expression.root, Node::And(parts) if parts.len() == 2));
        assert_eq!(error("pods(app in (a,b) == 2"), "the ) of this argument is missing at column 6 of the expression");
    }

    #[test]
    fn long_chains_are_not_deep() {
        let text = vec!["1 == 1"; 100_000].join(" && ");
        let expression: Expression = text.parse().unwrap();
        assert!(matches!(&expression.root, Node::And(parts) if parts.len() == 100_000));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Expression>();
        }
    }
}
