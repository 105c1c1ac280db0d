//! Reads expressions.

use std::str::FromStr;

use crate::invariants::{CATALOGUE, Holds};
use crate::scenario::facts::{self, Takes};
use crate::scenario::traffic::parse::literal;
use crate::scenario::ways::Way;
use crate::sim::{SimError, Target};

use super::{Argument, Comparison, Expression, ExpressionError, Node, Number, NumberExpression, Promise, TRAFFIC};

/// Deepest nesting of parentheses and negations.
const MAX_DEPTH: usize = 64;

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

pub(in crate::scenario) struct Parser<'a> {
    text: &'a str,
    pub(in crate::scenario) at: usize,
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
