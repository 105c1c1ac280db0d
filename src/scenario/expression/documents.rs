//! What expressions ask of objects: `object(deployment/web).spec.replicas`, `objects(pod, app=web).all(p, p.status.phase == "Running")`.
//!
//! Whatever is asked of one object is kept until the object changes, since an expectation is looked at after every change.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::objects::{Kind, Object, Selector};
use crate::sim::{Simulation, Target};

use super::Comparison;
use super::scalar::Scalar;

/// Most conditions and items that are looked at in one object: lists inside of lists are quickly long.
const MOST_ITEMS: usize = 1_000_000;
/// Most names of objects in a message.
const MOST_NAMES: usize = 3;

/// What is asked of one object, or of all of a kind.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// As the file has it.
    pub(super) written: String,
    /// Where its results are kept.
    pub(super) slot: usize,
    pub(super) of: Of,
}

#[derive(Clone, Debug)]
pub(super) enum Of {
    Object(Target, Operand),
    Objects(Choice, Listing),
}

/// Which objects.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) kind: Kind,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) selector: Option<Selector>,
}

/// A way through a document, from a variable on.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) variable: usize,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Field(String),
    Index(usize),
    /// The first item with that value of a field: `conditions[type=Ready]`.
    Item(String, String),
}

/// What is asked of the items of a list.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) filters: Vec<Check>,
    pub(super) end: End,
}

#[derive(Clone, Debug)]
pub(super) enum End {
    All(Box<Check>),
    Any(Box<Check>),
    Count(Option<Box<Check>>),
}

/// A condition on a document.
#[derive(Clone, Debug)]
pub(super) enum Check {
    Or(Vec<Check>),
    And(Vec<Check>),
    Not(Box<Check>),
    Compare(Operand, Comparison, Operand),
    Is(Operand),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Literal(Scalar),
    Path(Route),
    Text(Route, TextCheck, String),
    List(Route, Listing),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum TextCheck {
    StartsWith,
    EndsWith,
    Contains,
}

/// Results of what an expression asked of objects, until these change.
#[derive(Clone, Debug, Default)]
pub(in crate::scenario) struct Memory(Vec<Slot>);

#[derive(Clone, Debug, Default)]
struct Slot {
    /// Of one object: its revision, and the result.
    single: Option<(u64, Scalar)>,
    /// Of a kind: how often its objects were written, and the result.
    whole: Option<(u64, Scalar)>,
    /// Of each object of a kind, by dense id: its revision, and whether it counts and fulfils what is asked.
    each: Vec<(u64, Judged)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Judged {
    /// Another object, or one that is filtered out.
    #[default]
    Out,
    Fails,
    Holds,
}

impl Memory {
    fn slot(&mut self, slot: usize) -> &mut Slot {
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, Slot::default);
        }
        &mut self.0[slot]
    }
}

impl Asked {
    /// Whether it is true or false, and nothing else.
    pub(super) const fn is_condition(&self) -> bool {
        match &self.of {
            Of::Object(_, operand) => operand.is_condition(),
            Of::Objects(_, listing) => listing.end.is_condition(),
        }
    }

    /// Whether it is a number, and nothing else.
    pub(super) const fn is_count(&self) -> bool {
        match &self.of {
            Of::Object(_, Operand::List(_, listing)) | Of::Objects(_, listing) => !listing.end.is_condition(),
            Of::Object(..) => false,
        }
    }

    /// Whether it may be true: a condition, or a field that may hold one.
    pub(super) const fn may_be_true(&self) -> bool {
        !self.is_count()
    }

    pub(super) fn value(&self, sim: &Simulation, memory: &mut Memory) -> Scalar {
        let slot = memory.slot(self.slot);
        match &self.of {
            Of::Object(target, operand) => {
                let Some(object) = sim.view().object(target.kind, &target.key) else {
                    return operand.value(&mut Walk::over(&Value::Null));
                };
                let revision = object.meta().resource_version;
                match &slot.single {
                    Some((known, value)) if *known == revision => value.clone(),
                    _ => {
                        let value = operand.value(&mut Walk::over(&object.to_wire()));
                        slot.single = Some((revision, value.clone()));
                        value
                    }
                }
            }
            Of::Objects(choice, listing) => {
                let writes = sim.view().writes(choice.kind);
                match &slot.whole {
                    Some((known, value)) if *known == writes => value.clone(),
                    _ => {
                        let value = listing.over_objects(sim, choice, &mut slot.each);
                        slot.whole = Some((writes, value.clone()));
                        value
                    }
                }
            }
        }
    }

    /// The names of the objects because of which it is false, if it is about all or any of them.
    pub(super) fn culprits(&self, sim: &Simulation) -> Option<String> {
        let Of::Objects(choice, listing) = &self.of else { return None };
        let End::All(_) = &listing.end else { return None };
        let mut names = Vec::new();
        sim.view().for_each(choice.kind, &mut |_, object| {
            if listing.judge(choice, object) == Judged::Fails {
                names.push(object.meta().name.to_string());
            }
        });
        let more = names.len().saturating_sub(MOST_NAMES);
        names.truncate(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!names.is_empty()).then(|| format!("not {}{more}", names.join(", ")))
    }
}

impl Listing {
    fn over_objects(&self, sim: &Simulation, choice: &Choice, known: &mut Vec<(u64, Judged)>) -> Scalar {
        let (mut held, mut failed) = (0usize, 0usize);
        sim.view().for_each(choice.kind, &mut |id, object| {
            let (id, revision) = (id as usize, object.meta().resource_version);
            if known.len() <= id {
                known.resize(id + 1, (0, Judged::Out));
            }
            if known[id].0 != revision {
                known[id] = (revision, self.judge(choice, object));
            }
            match known[id].1 {
                Judged::Out => {}
                Judged::Fails => failed += 1,
                Judged::Holds => held += 1,
            }
        });
        self.end.conclude(held, failed)
    }

    fn judge(&self, choice: &Choice, object: &Object) -> Judged {
        let meta = object.meta();
        let is_elsewhere = choice.namespace.as_ref().is_some_and(|namespace| meta.namespace != *namespace);
        if is_elsewhere || choice.selector.as_ref().is_some_and(|selector| !selector.matches(&meta.labels)) {
            return Judged::Out;
        }
        // How many there are is known without a look at their fields.
        if self.filters.is_empty() && matches!(self.end, End::Count(None)) {
            return Judged::Holds;
        }
        let wire = object.to_wire();
        self.item(&mut Walk::over(&wire))
    }

    /// Judges the item that is the last variable.
    fn item(&self, walk: &mut Walk<'_>) -> Judged {
        if !self.filters.iter().all(|filter| filter.holds(walk)) {
            return Judged::Out;
        }
        let holds = match &self.end {
            End::All(check) | End::Any(check) | End::Count(Some(check)) => check.holds(walk),
            End::Count(None) => true,
        };
        if holds { Judged::Holds } else { Judged::Fails }
    }

    fn over_items(&self, items: &[Value], walk: &mut Walk<'_>) -> Scalar {
        let (mut held, mut failed) = (0, 0);
        for item in items {
            if !walk.may_look(1) {
                return Scalar::Null;
            }
            let mut inner = Walk { variables: walk.variables.clone(), left: walk.left };
            inner.variables.push(item);
            match self.item(&mut inner) {
                Judged::Out => {}
                Judged::Fails => failed += 1,
                Judged::Holds => held += 1,
            }
            walk.left = inner.left;
        }
        self.end.conclude(held, failed)
    }
}

impl End {
    const fn is_condition(&self) -> bool {
        matches!(self, Self::All(_) | Self::Any(_))
    }

    fn conclude(&self, held: usize, failed: usize) -> Scalar {
        match self {
            Self::All(_) => Scalar::Truth(failed == 0),
            Self::Any(_) => Scalar::Truth(held > 0),
            Self::Count(_) => Scalar::Number(held as i128 * super::ONE),
        }
    }
}

/// The variables of an evaluation, outermost first, and how many more items it may look at.
struct Walk<'a> {
    variables: Vec<&'a Value>,
    left: usize,
}

impl<'a> Walk<'a> {
    fn over(document: &'a Value) -> Self {
        Self { variables: vec![document], left: MOST_ITEMS }
    }

    /// Whether it may look at that many more; then they are counted.
    fn may_look(&mut self, items: usize) -> bool {
        let left = self.left.checked_sub(items);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

impl Check {
    fn holds(&self, walk: &mut Walk<'_>) -> bool {
        if !walk.may_look(1) {
            return false;
        }
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.holds(walk)),
            Self::And(parts) => parts.iter().all(|part| part.holds(walk)),
            Self::Not(inner) => !inner.holds(walk),
            Self::Compare(a, comparison, b) => a.value(walk).compare(*comparison, &b.value(walk)),
            Self::Is(operand) => operand.value(walk) == Scalar::Truth(true),
        }
    }
}

impl Operand {
    /// Whether it is a condition, and no field or number.
    const fn is_condition(&self) -> bool {
        match self {
            Self::Text(..) => true,
            Self::List(_, listing) => listing.end.is_condition(),
            Self::Literal(_) | Self::Path(_) => false,
        }
    }

    fn value(&self, walk: &mut Walk<'_>) -> Scalar {
        match self {
            Self::Literal(literal) => literal.clone(),
            Self::Path(route) => route.find(walk).map_or(Scalar::Null, Scalar::of),
            Self::Text(route, check, part) => {
                let text = route.find(walk).and_then(Value::as_str).unwrap_or_default();
                Scalar::Truth(match check {
                    TextCheck::StartsWith => text.starts_with(part),
                    TextCheck::EndsWith => text.ends_with(part),
                    TextCheck::Contains => text.contains(part),
                })
            }
            Self::List(route, listing) => match route.find(walk) {
                Some(Value::Array(items)) => listing.over_items(items, walk),
                _ => listing.over_items(&[], walk),
            },
        }
    }
}

impl Route {
    fn find<'a>(&self, walk: &mut Walk<'a>) -> Option<&'a Value> {
        let start = *walk.variables.get(self.variable)?;
        self.steps.iter().try_fold(start, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Index(at) => value.get(at),
            Step::Item(field, wanted) => {
                let items = value.as_array()?;
                let mut items = walk.may_look(items.len()).then_some(items)?.iter();
                items.find(|item| item.get(field).is_some_and(|value| is_written(value, wanted)))
            }
        })
    }
}

/// Whether a value is written so.
fn is_written(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        other => text.parse::<Value>().is_ok_and(|wanted| wanted == *other),
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
