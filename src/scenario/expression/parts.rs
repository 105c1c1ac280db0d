//! Why an expression is not what it should be: its parts, with their values at an instant.

use std::fmt;

use crate::network::Source;
use crate::objects::{Kind, Selector};
use crate::scenario::facts;
use crate::sim::{Simulation, Target};

use super::documents::{Asked, Of};
use super::scalar::Scalar;
use super::{Argument, Comparison, Expression, Memory, Node, Sign, Term};

/// Most parts that are told of one expression.
const MOST_PARTS: usize = 40;

/// A part of an expression, with its value at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many groups it stands in.
    pub depth: usize,
    /// As the file has it, such as `ready(deployment/web)`; of a group `all of` or `any of`.
    pub text: String,
    /// Whether it is a group: the parts after it that stand deeper belong to it.
    pub is_group: bool,
    /// Its value, unless it is a group or what breaks a promise.
    pub value: Option<String>,
    /// What the value should be, such as `>= 9`; nothing of groups and promises.
    pub wanted: Option<String>,
    /// Whether it is as it should be.
    pub holds: bool,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        match &self.wanted {
            Some(wanted) if !self.holds => write!(f, ", want {wanted}"),
            _ => Ok(()),
        }
    }
}

/// What an expression is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Subject {
    /// An object, and what belongs to it.
    Object(Target),
    /// Objects of a kind, with such labels if any are given.
    Objects(Kind, Option<Selector>),
    /// A client of `spec.traffic`.
    Client(String),
}

impl Expression {
    /// Its parts with their values now, outermost first; `wanted` is what it should be.
    #[must_use]
    pub fn parts(&self, sim: &Simulation, wanted: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        self.root.parts(sim, wanted, 0, &mut parts);
        // Of one group, the members say it all.
        if parts.first().is_some_and(|first| first.is_group && first.text == ALL_OF) && parts.len() > 1 {
            parts.remove(0);
            parts.iter_mut().for_each(|part| part.depth -= 1);
        }
        parts.truncate(MOST_PARTS);
        parts
    }

    /// The values because of which it is not what it should be, in one line: `available(deployment/web) = 2, want >= 3`.
    #[must_use]
    pub fn explain(&self, sim: &Simulation, wanted: bool) -> String {
        // Members of a group that is as it should be are not to blame, whatever they are.
        let mut fine: Option<usize> = None;
        let mut wrong = Vec::new();
        for part in self.parts(sim, wanted) {
            if fine.is_some_and(|depth| part.depth > depth) {
                continue;
            }
            fine = (part.is_group && part.holds).then_some(part.depth);
            if !part.holds && !part.is_group {
                wrong.push(part.to_string());
            }
        }
        wrong.join("; ")
    }

    /// What it is about.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let mut subjects = Vec::new();
        self.root.subjects(&mut subjects);
        subjects
    }
}

const ALL_OF: &str = "all of";
const ANY_OF: &str = "any of";

impl Node {
    fn parts(&self, sim: &Simulation, wanted: bool, depth: usize, parts: &mut Vec<Part>) {
        if parts.len() >= MOST_PARTS {
            return;
        }
        let part = |text: String, value: Option<String>, wanted: Option<String>, holds| Part {
            depth,
            text,
            is_group: false,
            value,
            wanted,
            holds,
        };
        match self {
            Self::Or(inner) | Self::And(inner) => {
                let text = if matches!(self, Self::And(_)) == wanted { ALL_OF } else { ANY_OF };
                let group = part(text.to_owned(), None, None, self.holds(sim, &mut Memory::default()) == wanted);
                parts.push(Part { is_group: true, ..group });
                inner.iter().for_each(|inner| inner.parts(sim, wanted, depth + 1, parts));
            }
            Self::Not(inner) => inner.parts(sim, !wanted, depth, parts),
            Self::Compare(a, comparison, b) => {
                let comparison = if wanted { *comparison } else { comparison.opposite() };
                let (left, comparison, right) = match (a, b) {
                    (a, b) if a.is_constant() && !b.is_constant() => (b, comparison.turned(), a),
                    _ => (a, comparison, b),
                };
                let limit = match right {
                    constant if constant.is_constant() => left.show(&constant.value(sim, &mut Memory::default())),
                    other => format!("{} = {}", other.text(), other.shown(sim)),
                };
                let wish = format!("{} {limit}", comparison.sign());
                let holds = self.holds(sim, &mut Memory::default()) == wanted;
                parts.push(part(left.text(), Some(left.shown(sim)), Some(wish), holds));
            }
            Self::Is(term) => {
                let holds = self.holds(sim, &mut Memory::default());
                let culprits = if holds { None } else { term.culprits(sim) };
                let value = culprits.map_or_else(|| term.shown(sim), |names| format!("false ({names})"));
                parts.push(part(term.text(), Some(value), Some(wanted.to_string()), holds == wanted));
            }
            Self::Truth(name, argument) => {
                let value = facts::truth(sim, name, argument.as_ref()).unwrap_or(false);
                let text = call(name, argument.as_ref());
                // Whether it is there may be the question.
                let absence = if *name == "exists" { String::new() } else { absence(sim, argument.as_ref()) };
                parts.push(part(text, Some(format!("{value}{absence}")), Some(wanted.to_string()), value == wanted));
            }
            Self::Promise(promise) => {
                let violations = promise.violations(sim);
                if violations.is_empty() {
                    let value = Some("kept".to_owned());
                    parts.push(part(promise.to_string(), value, Some("broken".to_owned()), wanted));
                }
                parts.extend(violations.into_iter().map(|broken| part(broken.story, None, None, !wanted)));
            }
        }
    }

    fn subjects(&self, subjects: &mut Vec<Subject>) {
        match self {
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.subjects(subjects)),
            Self::Not(inner) => inner.subjects(subjects),
            Self::Compare(a, _, b) => [a, b].into_iter().for_each(|term| term.subjects(subjects)),
            Self::Is(term) => term.subjects(subjects),
            Self::Truth(_, argument) => argument.iter().for_each(|argument| argument.subjects(subjects)),
            Self::Promise(promise) => subjects.extend(promise.target.clone().map(Subject::Object)),
        }
    }
}

impl Argument {
    fn subjects(&self, subjects: &mut Vec<Subject>) {
        match self {
            Self::Target(target) => subjects.push(Subject::Object(target.clone())),
            Self::Selector(selector) => subjects.push(Subject::Objects(Kind::Pod, Some(selector.clone()))),
            Self::Way(way) => {
                if let Source::Pod(key) = way.source() {
                    subjects.push(Subject::Object(Target { kind: Kind::Pod, key: key.clone() }));
                }
                subjects.extend(way.target().map(Subject::Object));
            }
        }
    }
}

/// ` (there is no deployment/wbe)`, if something is asked about an object that there is not; a misspelt name is not wrong otherwise.
fn absence(sim: &Simulation, argument: Option<&Argument>) -> String {
    match argument {
        Some(Argument::Target(target)) if sim.view().object(target.kind, &target.key).is_none() => {
            format!(" (there is no {target})")
        }
        _ => String::new(),
    }
}

impl Term {
    fn text(&self) -> String {
        match self {
            Self::Literal(value) => value.to_string(),
            Self::Fact(name, argument) => call(name, argument.as_ref()),
            Self::Traffic(question) => question.to_string(),
            Self::Asked(asked) => asked.written.clone(),
            Self::Sum(terms) => {
                let mut text = String::new();
                for (sign, term) in terms {
                    let sign = match sign {
                        Sign::Plus if text.is_empty() => "",
                        Sign::Plus => " + ",
                        Sign::Minus => " - ",
                    };
                    text.push_str(sign);
                    text.push_str(&term.text());
                }
                text
            }
        }
    }

    /// A value as this term is written: a time, or a decimal.
    fn show(&self, value: &Scalar) -> String {
        match (self, value) {
            (Self::Traffic(question), Scalar::Number(number)) => question.show(*number),
            (_, value) => value.to_string(),
        }
    }

    /// Whether it asks nothing of the cluster.
    fn is_constant(&self) -> bool {
        match self {
            Self::Literal(_) => true,
            Self::Sum(terms) => terms.iter().all(|(_, term)| term.is_constant()),
            Self::Fact(..) | Self::Traffic(_) | Self::Asked(_) => false,
        }
    }

    /// Its value now; of a sum, that of its parts too.
    fn shown(&self, sim: &Simulation) -> String {
        let value = self.show(&self.value(sim, &mut Memory::default()));
        if let Self::Fact(_, argument) = self {
            return value + &absence(sim, argument.as_ref());
        }
        let Self::Sum(terms) = self else { return value };
        if self.is_constant() {
            return value;
        }
        let parts = terms.iter().filter(|(_, term)| !matches!(term, Self::Literal(_)));
        let parts: Vec<String> = parts.map(|(_, term)| format!("{} = {}", term.text(), term.shown(sim))).collect();
        format!("{value} ({})", parts.join(", "))
    }

    fn culprits(&self, sim: &Simulation) -> Option<String> {
        match self {
            Self::Asked(asked) => asked.culprits(sim),
            _ => None,
        }
    }

    fn subjects(&self, subjects: &mut Vec<Subject>) {
        match self {
            Self::Literal(_) => {}
            Self::Fact(_, argument) => argument.iter().for_each(|argument| argument.subjects(subjects)),
            Self::Traffic(question) => subjects.push(Subject::Client(question.client.clone())),
            Self::Asked(asked) => subjects.push(asked.subject()),
            Self::Sum(terms) => terms.iter().for_each(|(_, term)| term.subjects(subjects)),
        }
    }
}

impl Asked {
    fn subject(&self) -> Subject {
        match &self.of {
            Of::Object(target, _) => Subject::Object(target.clone()),
            Of::Objects(choice, _) => Subject::Objects(choice.kind, choice.selector.clone()),
        }
    }
}

pub(super) fn call(name: &str, argument: Option<&Argument>) -> String {
    match argument {
        None => format!("{name}()"),
        Some(Argument::Target(target)) => format!("{name}({target})"),
        Some(Argument::Selector(selector)) => format!("{name}({selector})"),
        Some(Argument::Way(way)) => format!("{name}({way})"),
    }
}

impl Comparison {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::Less => "<",
        }
    }

    /// What holds where this does not.
    const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::AtLeast => Self::Less,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::Less => Self::AtLeast,
        }
    }

    /// The same with its sides changed.
    const fn turned(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::AtLeast => Self::AtMost,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::Less => Self::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Delays;

    fn told(text: &str, wanted: bool) -> String {
        let sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build().unwrap();
        let expression: Expression = text.parse().unwrap();
        let line = |part: &Part| format!("{}{} {part}\n", "  ".repeat(part.depth), if part.holds { "+" } else { "-" });
        expression.parts(&sim, wanted).iter().map(line).collect()
    }

    #[test]
    fn every_part_has_its_value_and_what_was_wanted() {
        assert_eq!(told("podsOn(node/node-0) >= 1", true), "- podsOn(node/node-0) = 0, want >= 1\n");
        assert_eq!(told("1 <= podsOn(node/node-0)", true), "- podsOn(node/node-0) = 0, want >= 1\n");
        assert_eq!(
            told("podsOn(node/node-0) > pods(app=web)", true),
            "- podsOn(node/node-0) = 0, want > pods(app=web) = 0\n"
        );
        assert_eq!(
            told("noOrphan() && exists(pod/x)", true),
            "+ noOrphan() = kept\n- exists(pod/x) = false, want true\n"
        );
    }

    #[test]
    fn groups_and_negations_are_told_as_what_should_hold() {
        assert_eq!(
            told("exists(node/node-1) && (pods(a=b) == 1 || !exists(node/node-0))", true),
            "+ exists(node/node-1) = true\n- any of\n  - pods(a=b) = 0, want == 1\n  - exists(node/node-0) = true, want false\n"
        );
        assert_eq!(
            told("exists(node/node-1) || podsOn(node/node-0) < 3", false),
            "- exists(node/node-1) = true, want false\n- podsOn(node/node-0) = 0, want >= 3\n"
        );
    }

    #[test]
    fn one_line_names_only_what_is_wrong() {
        let sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build().unwrap();
        let expression: Expression = "exists(node/node-0) && pods(a=b) == 1".parse().unwrap();
        assert_eq!(expression.explain(&sim, true), "pods(a=b) = 0, want == 1");
        let expression: Expression = "(exists(pod/x) || exists(node/node-0)) && pods(a=b) == 1".parse().unwrap();
        assert_eq!(expression.explain(&sim, true), "pods(a=b) = 0, want == 1");
    }

    #[test]
    fn what_an_expression_is_about_is_known() {
        let expression: Expression =
            "available(deployment/web) >= 1 && pods(app=web) > 0 && reachable(pod/client, service/web:80) && traffic(users).lost == 0"
                .parse()
                .unwrap();
        let told: Vec<String> = expression.subjects().iter().map(|subject| format!("{subject:?}")).collect();
        assert_eq!(told.len(), 5, "{told:?}");
    }
}
