//! Reads what expressions ask of objects.
//!
//! ```text
//! asked     = "object" "(" target ")" path [ method ] | "objects" "(" kind [ "," selector ] ")" method
//! path      = { "." field | "[" index | "text" | field "=" value "]" }
//! method    = { ".filter" "(" name "," check ")" } ( ".all" | ".any" | ".count" ) "(" [ name "," check ] ")"
//!           | ( ".startsWith" | ".endsWith" | ".contains" ) "(" text ")"
//! check     = as an expression, of name path [ method ], numbers, texts, true, false and null
//! ```

use std::sync::Arc;

use crate::objects::{Kind, Selector};
use crate::scenario::traffic::parse::literal;
use crate::sim::{SimError, Target};

use super::documents::{Asked, Check, Choice, End, Listing, Of, Operand, Route, Step, TextCheck};
use super::parse::Parser;
use super::scalar::Scalar;
use super::{ExpressionError, closing};

/// One object.
pub(super) const OBJECT: &str = "object";
/// All objects of a kind.
pub(super) const OBJECTS: &str = "objects";

type Parsed<T> = Result<T, ExpressionError>;

impl Parser<'_> {
    /// What stands behind `object` or `objects`, which begins at `start`.
    pub(super) fn asked(&mut self, name: &str, start: usize) -> Parsed<Asked> {
        self.expect("(")?;
        let Some(length) = closing(self.rest()) else { return Err(self.error("the ) of this argument is missing")) };
        let inner = self.rest()[..length].trim().trim_matches(|c| c == '\'' || c == '"').trim().to_owned();
        let of = if name == OBJECT {
            let target: Target = inner.parse().map_err(|error: SimError| self.error(&error.to_string()))?;
            self.at += length + 1;
            let operand = self.operand_behind(Route { variable: 0, steps: Vec::new() }, &mut vec![String::new()])?;
            if matches!(&operand, Operand::Path(route) if route.steps.is_empty()) {
                return Err(self.error("expected a field").help("such as object(deployment/web).spec.replicas"));
            }
            Of::Object(target, operand)
        } else {
            let choice = self.choice(&inner)?;
            self.at += length + 1;
            let Some(listing) = self.listing(&mut Vec::new())? else {
                let help = "such as objects(pod, app=web).all(p, p.status.phase == \"Running\")";
                return Err(self.error("expected .all(…), .any(…), .count() or .filter(…)").help(help));
            };
            Of::Objects(choice, listing)
        };
        self.slots += 1;
        Ok(Asked { written: self.written(start), slot: self.slots - 1, of })
    }

    /// `pod`, `pod, app=web` or `shop/pod, app=web`.
    fn choice(&self, text: &str) -> Parsed<Choice> {
        let (kind, selector) = text.split_once(',').map_or((text, None), |(kind, rest)| (kind, Some(rest)));
        let (namespace, kind) = match kind.trim().split_once('/') {
            Some((namespace, kind)) => (Some(Arc::from(namespace.trim())), kind.trim()),
            None => (None, kind.trim()),
        };
        let unknown = || {
            let error = self.error(&SimError::UnknownKind(kind.to_owned()).to_string());
            error.help("such as objects(pod), objects(pod, app=web) or objects(shop/pod)")
        };
        let kind = Kind::parse(kind).ok_or_else(unknown)?;
        let selector = selector.map(|text| text.trim().parse::<Selector>().map_err(|e| self.error(&e.to_string())));
        Ok(Choice { kind, namespace, selector: selector.transpose()? })
    }

    /// A path, and perhaps a method behind it.
    fn operand_behind(&mut self, mut route: Route, names: &mut Vec<String>) -> Parsed<Operand> {
        loop {
            if self.rest().starts_with('[') {
                route.steps.push(self.bracket()?);
                continue;
            }
            if !self.rest().starts_with('.') {
                return Ok(Operand::Path(route));
            }
            let start = self.at;
            self.at += 1;
            let field = self.field()?;
            if !self.rest().starts_with('(') {
                route.steps.push(Step::Field(field));
                continue;
            }
            let check = match field.as_str() {
                "startsWith" => Some(TextCheck::StartsWith),
                "endsWith" => Some(TextCheck::EndsWith),
                "contains" => Some(TextCheck::Contains),
                _ => None,
            };
            if let Some(check) = check {
                self.expect("(")?;
                let Some(text) = self.text()? else { return Err(self.error("expected a text in quotes")) };
                self.expect(")")?;
                return Ok(Operand::Text(route, check, text));
            }
            self.at = start;
            return match self.listing(names)? {
                Some(listing) => Ok(Operand::List(route, listing)),
                None => {
                    let error = self.error(&format!("there is no method {field:?}"));
                    Err(error.help("the methods are all, any, count, filter, startsWith, endsWith, contains"))
                }
            };
        }
    }

    /// `.filter(…)`, any number of them, and one of `.all(…)`, `.any(…)`, `.count(…)`; `None` if none of them is there.
    fn listing(&mut self, names: &mut Vec<String>) -> Parsed<Option<Listing>> {
        let mut filters = Vec::new();
        loop {
            let found = ["filter", "all", "any", "count"].into_iter().find(|name| {
                self.rest()
                    .strip_prefix('.')
                    .and_then(|rest| rest.strip_prefix(name))
                    .is_some_and(|rest| rest.starts_with('('))
            });
            let Some(name) = found else {
                if filters.is_empty() {
                    return Ok(None);
                }
                return Err(self.error("expected .all(…), .any(…) or .count() behind .filter(…)"));
            };
            self.at += name.len() + 2;
            let check = if name == "count" && self.eat(")") { None } else { Some(self.lambda(names)?) };
            let end = match (name, check) {
                ("filter", Some(check)) => {
                    filters.push(check);
                    continue;
                }
                ("all", Some(check)) => End::All(Box::new(check)),
                ("any", Some(check)) => End::Any(Box::new(check)),
                (_, check) => End::Count(check.map(Box::new)),
            };
            return Ok(Some(Listing { filters, end }));
        }
    }

    /// `p, CHECK)`.
    fn lambda(&mut self, names: &mut Vec<String>) -> Parsed<Check> {
        let help = "such as .all(p, p.status.phase == \"Running\")";
        let name = self.name().map_err(|_| self.error("expected a name for the items").help(help))?;
        self.expect(",").map_err(|error| error.help(help))?;
        names.push(name);
        let check = self.check(names)?;
        names.pop();
        self.expect(")")?;
        Ok(check)
    }

    fn check(&mut self, names: &mut Vec<String>) -> Parsed<Check> {
        let mut parts = vec![self.check_and(names)?];
        while self.eat("||") {
            parts.push(self.check_and(names)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Check::Or(parts) })
    }

    fn check_and(&mut self, names: &mut Vec<String>) -> Parsed<Check> {
        let mut parts = vec![self.check_not(names)?];
        while self.eat("&&") {
            parts.push(self.check_not(names)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Check::And(parts) })
    }

    fn check_not(&mut self, names: &mut Vec<String>) -> Parsed<Check> {
        self.deeper()?;
        let check = if !self.rest().trim_start().starts_with("!=") && self.eat("!") {
            Check::Not(Box::new(self.check_not(names)?))
        } else if self.eat("(") {
            let inner = self.check(names)?;
            self.expect(")")?;
            inner
        } else {
            let left = self.operand(names)?;
            match self.comparison_sign() {
                Some(comparison) => Check::Compare(left, comparison, self.operand(names)?),
                None => Check::Is(left),
            }
        };
        self.shallower();
        Ok(check)
    }

    fn operand(&mut self, names: &mut Vec<String>) -> Parsed<Operand> {
        if let Some(literal) = self.scalar()? {
            return Ok(Operand::Literal(literal));
        }
        let start = self.at;
        let name = self.name().map_err(|_| self.error("expected a field, a number or a text in quotes"))?;
        let Some(variable) = names.iter().rposition(|known| *known == name) else {
            self.at = start;
            self.skip_space();
            let known: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
            let error = self.error(&format!("{name:?} is not the name of an item"));
            return Err(error.help(format!("here are {}; texts stand in quotes", known.join(", "))));
        };
        self.operand_behind(Route { variable, steps: Vec::new() }, names)
    }

    /// A number, a text, true, false or null, if there is one.
    pub(super) fn scalar(&mut self) -> Parsed<Option<Scalar>> {
        self.skip_space();
        if let Some((value, length)) = literal(self.rest()).map_err(|message| self.error(message))? {
            self.at += length;
            return Ok(Some(Scalar::Number(value)));
        }
        if let Some(text) = self.text()? {
            return Ok(Some(Scalar::Text(text.into())));
        }
        for (word, value) in [("true", Scalar::Truth(true)), ("false", Scalar::Truth(false)), ("null", Scalar::Null)] {
            let behind = self.rest().strip_prefix(word);
            if behind.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "(.[".contains(c))) {
                self.at += word.len();
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// A text in quotes, if there is one.
    fn text(&mut self) -> Parsed<Option<String>> {
        self.skip_space();
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let Some(end) = self.rest()[1..].find(quote) else { return Err(self.error("the text has no end")) };
        let text = self.rest()[1..=end].to_owned();
        self.at += end + 2;
        Ok(Some(text))
    }

    /// The name of a field, directly behind its point.
    fn field(&mut self) -> Parsed<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        if length == 0 {
            let help = "names with other signs stand in brackets: .metadata.labels[\"app.kubernetes.io/name\"]";
            return Err(self.error("expected the name of a field").help(help));
        }
        let field = self.rest()[..length].to_owned();
        self.at += length;
        Ok(field)
    }

    /// `[0]`, `["app"]` or `[type=Ready]`.
    fn bracket(&mut self) -> Parsed<Step> {
        self.expect("[")?;
        if let Some(text) = self.text()? {
            self.expect("]")?;
            return Ok(Step::Field(text));
        }
        let Some(length) = self.rest().find(']') else { return Err(self.error("the ] is missing")) };
        let inner = self.rest()[..length].trim();
        let step = match inner.split_once('=') {
            Some((field, value)) => {
                let value = value.trim().trim_matches(|c| c == '\'' || c == '"');
                Some(Step::Item(field.trim().to_owned(), value.to_owned()))
            }
            None => inner.parse().ok().map(Step::Index),
        };
        let Some(step) = step else {
            let help = "[0] is the first item, [type=Ready] the one with that field, [\"app\"] a field";
            return Err(self.error(&format!("{inner:?} names no item")).help(help));
        };
        self.at += length + 1;
        Ok(step)
    }
}
