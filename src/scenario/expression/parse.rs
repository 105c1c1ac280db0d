//! Reads expressions.

use std::str::FromStr;

use crate::invariants::{CATALOGUE, Holds};
use crate::scenario::facts::{self, Takes};
use crate::scenario::ways::Way;
use crate::sim::{SimError, Target};

use super::ask::{OBJECT, OBJECTS};
use super::{Argument, Comparison, Expression, ExpressionError, Node, NumberExpression, Promise, Sign, TRAFFIC, Term};

/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 64;

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, at: 0, depth: 0, slots: 0 };
        let root = parser.or()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("expected the end, or one of && ||"));
        }
        Ok(Self { text: text.trim().to_owned(), root })
    }
}

impl FromStr for NumberExpression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser { text, at: 0, depth: 0, slots: 0 };
        let number = parser.sum()?;
        if !number.may_be_number() {
            return Err(parser.error("this is true or false, or a text, and no number"));
        }
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("expected the end: one number, without a comparison"));
        }
        Ok(Self { text: text.trim().to_owned(), number })
    }
}

pub(in crate::scenario) struct Parser<'a> {
    text: &'a str,
    pub(in crate::scenario) at: usize,
    depth: usize,
    /// How many questions about objects there are so far.
    pub(super) slots: usize,
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
        self.deeper()?;
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
        self.shallower();
        Ok(node)
    }

    /// One level of parentheses, negations or items further in.
    pub(super) fn deeper(&mut self) -> Result<(), ExpressionError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error("the expression is nested too deeply")) } else { Ok(()) }
    }

    pub(super) const fn shallower(&mut self) {
        self.depth -= 1;
    }

    fn comparison(&mut self) -> Result<Node, ExpressionError> {
        let start = self.at;
        if self.scalar()?.is_none()
            && let Some(node) = self.statement()?
        {
            return Ok(node);
        }
        self.at = start;
        let left = self.sum()?;
        let Some(comparison) = self.comparison_sign() else {
            return match left {
                Term::Asked(asked) if asked.may_be_true() => Ok(Node::Is(Term::Asked(asked))),
                _ => Err(self.error("expected a comparison: == != >= <= > <")),
            };
        };
        self.skip_space();
        let at = self.at;
        let right = self.sum()?;
        if let Some(message) = left.mismatch(&right) {
            self.at = at;
            return Err(self.error(message));
        }
        Ok(Node::Compare(left, comparison, right))
    }

    pub(super) fn comparison_sign(&mut self) -> Option<Comparison> {
        let signs = [
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            (">=", Comparison::AtLeast),
            ("<=", Comparison::AtMost),
            (">", Comparison::More),
            ("<", Comparison::Less),
        ];
        signs.into_iter().find(|(sign, _)| self.eat(sign)).map(|(_, comparison)| comparison)
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
        if [TRAFFIC, OBJECT, OBJECTS].contains(&name.as_str()) || facts::NUMBERS.iter().any(|(known, _)| *known == name)
        {
            return Ok(None);
        }
        self.at = start;
        self.skip_space();
        let known = facts::TRUTHS.iter().map(|(n, _)| *n);
        let known: Vec<&str> = known
            .chain(facts::NUMBERS.iter().map(|(n, _)| *n))
            .chain([TRAFFIC, OBJECT, OBJECTS])
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

    fn sum(&mut self) -> Result<Term, ExpressionError> {
        let mut terms = vec![(Sign::Plus, self.term()?)];
        loop {
            let sign = if self.eat("+") {
                Sign::Plus
            } else if self.eat("-") {
                Sign::Minus
            } else {
                break;
            };
            terms.push((sign, self.term()?));
        }
        Ok(if terms.len() == 1 { terms.remove(0).1 } else { Term::Sum(terms) })
    }

    fn term(&mut self) -> Result<Term, ExpressionError> {
        self.skip_space();
        if let Some(scalar) = self.scalar()? {
            return Ok(Term::Literal(scalar));
        }
        let start = self.at;
        let name = self.name()?;
        if name == TRAFFIC {
            return self.traffic().map(Term::Traffic);
        }
        if name == OBJECT || name == OBJECTS {
            return self.asked(&name, start).map(|asked| Term::Asked(Box::new(asked)));
        }
        match facts::NUMBERS.iter().find(|(known, _)| *known == name) {
            Some((known, takes)) => Ok(Term::Fact(known, self.arguments(known, *takes)?)),
            None => {
                self.at = start;
                self.skip_space();
                Err(self.error(&format!("{name:?} is not a number")).help("texts stand in quotes"))
            }
        }
    }

    /// What was read since `start`.
    pub(super) fn written(&self, start: usize) -> String {
        self.text[start..self.at].trim().to_owned()
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

    pub(in crate::scenario) fn name(&mut self) -> Result<String, ExpressionError> {
        self.skip_space();
        let name: String = self.rest().chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() {
            return Err(self.error("expected a function, such as available(deployment/web), or a number"));
        }
        self.at += name.len();
        Ok(name)
    }

    pub(in crate::scenario) fn expect(&mut self, sign: &str) -> Result<(), ExpressionError> {
        if self.eat(sign) { Ok(()) } else { Err(self.error(&format!("expected {sign}"))) }
    }

    pub(in crate::scenario) fn eat(&mut self, sign: &str) -> bool {
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

    pub(in crate::scenario) fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(in crate::scenario) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(in crate::scenario) fn error(&self, message: &str) -> ExpressionError {
        let column = self.text[..self.at].chars().count() + 1;
        ExpressionError { column, message: message.to_owned(), help: None }
    }
}

/// Where the parenthesis closes that was opened before the text; selectors may have their own: `app in (a,b)`.
pub(in crate::scenario) fn closing(text: &str) -> Option<usize> {
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
