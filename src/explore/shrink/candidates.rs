//! Smaller scenarios to try: each pass offers one after the other, by place.

use serde_json::{Value, json};

use super::draft::Draft;
use crate::kernel::{SimDuration, SimTime};

/// What a pass offers at a place.
pub(super) enum Next {
    /// This scenario.
    Try(Box<Draft>),
    /// Nothing here; there may be more behind.
    Skip,
    /// Nothing more.
    End,
}

/// Offers the scenario at a place. The instant is that a second after the failure.
pub(super) type Pass = fn(&Draft, usize, SimTime) -> Next;

/// All passes: those first that make runs short.
pub(super) const PASSES: &[Pass] = &[
    |draft, place, _| removed(draft, "expect", place),
    |draft, place, _| removed(draft, "faults", place),
    |draft, place, _| removed(draft, "steps", place),
    duration,
    |draft, place, _| removed(draft, "traffic", place),
    |draft, place, _| removed(draft, "nodeGroups", place),
    |draft, place, _| removed(draft, "containers", place),
    objects,
    |draft, place, _| removed(draft, "nodes", place),
    counts,
    replicas,
    times,
    scalars,
    behaviours,
    |draft, place, _| nodes(draft, place),
    |draft, place, _| fields(draft, place),
];

/// Which items to take out at a place: all of them, then each half, each quarter, down to one by one.
fn chunk(len: usize, place: usize) -> Option<std::ops::Range<usize>> {
    let (mut size, mut place) = (len, place);
    while size > 0 {
        let chunks = len.div_ceil(size);
        if place < chunks {
            return Some(place * size..len.min((place + 1) * size));
        }
        place -= chunks;
        size /= 2;
    }
    None
}

fn removed(draft: &Draft, field: &str, place: usize) -> Next {
    let Some(range) = chunk(draft.list(field).len(), place) else { return Next::End };
    changed(draft, |draft| {
        draft.list_mut(field)?.drain(range);
        Some(())
    })
}

fn objects(draft: &Draft, place: usize, _: SimTime) -> Next {
    let Some(range) = chunk(draft.objects.len(), place) else { return Next::End };
    changed(draft, |draft| {
        draft.objects.drain(range);
        Some(())
    })
}

/// The run ends a second after the failure.
fn duration(draft: &Draft, place: usize, end: SimTime) -> Next {
    if place > 0 {
        return Next::End;
    }
    changed(draft, |draft| {
        let end = (end - SimTime::ZERO).as_secs().saturating_add(1);
        shorter(draft.spec.get_mut("duration")?, &[SimDuration::from_secs(end)], 0)
    })
}

/// Fewer machines of a kind.
fn counts(draft: &Draft, place: usize, _: SimTime) -> Next {
    let (at, step) = (place / 3, place % 3);
    if at >= draft.list("nodes").len() {
        return Next::End;
    }
    changed(draft, |draft| fewer(draft.list_mut("nodes")?[at].get_mut("count")?, step))
}

/// Fewer pods of a workload, a budget, a set of steps that scale.
fn replicas(draft: &Draft, place: usize, _: SimTime) -> Next {
    const FIELDS: [&str; 3] = ["replicas", "completions", "parallelism"];
    let (at, field, step) = (place / 9, FIELDS[place / 3 % 3], place % 3);
    if at >= draft.objects.len() {
        return Next::End;
    }
    changed(draft, |draft| fewer(draft.objects[at].get_mut("spec")?.get_mut(field)?, step))
}

/// Earlier steps.
fn times(draft: &Draft, place: usize, _: SimTime) -> Next {
    let (at, attempt) = (place / 3, place % 3);
    if at >= draft.list("steps").len() {
        return Next::End;
    }
    changed(draft, |draft| {
        let time = draft.list_mut("steps")?[at].get_mut("at")?;
        let now: SimDuration = time.as_str()?.parse().ok()?;
        let half = SimDuration::from_secs(now.as_secs() / 2);
        shorter(time, &[SimDuration::ZERO, half, SimDuration::from_secs(now.as_secs())], attempt)
    })
}

/// The plainest seed and profile.
fn scalars(draft: &Draft, place: usize, _: SimTime) -> Next {
    let (name, value) = match place {
        0 => ("seed", json!(0)),
        1 => ("profile", json!("ideal")),
        _ => return Next::End,
    };
    changed(draft, |draft| (draft.spec.insert(name.to_owned(), value.clone()) != Some(value)).then_some(()))
}

/// Behaviours without one of their fields.
fn behaviours(draft: &Draft, place: usize, _: SimTime) -> Next {
    const FIELDS: usize = 24;
    let (at, field) = (place / FIELDS, place % FIELDS);
    if at >= draft.list("containers").len() {
        return Next::End;
    }
    changed(draft, |draft| {
        let entry = draft.list_mut("containers")?[at].as_object_mut()?;
        let name = entry.keys().filter(|name| *name != "image").nth(field)?.clone();
        entry.remove(&name).map(drop)
    })
}

/// Machines without one of their fields.
fn nodes(draft: &Draft, place: usize) -> Next {
    const FIELDS: [&str; 4] = ["taints", "labels", "capacity", "kubelet"];
    let (at, field) = (place / FIELDS.len(), FIELDS[place % FIELDS.len()]);
    if at >= draft.list("nodes").len() {
        return Next::End;
    }
    changed(draft, |draft| draft.list_mut("nodes")?[at].as_object_mut()?.remove(field).map(drop))
}

/// Objects without one of their fields; what an object cannot do without is refused when it is read.
fn fields(draft: &Draft, place: usize) -> Next {
    let mut left = place;
    for (at, object) in draft.objects.iter().enumerate() {
        let mut paths = Vec::new();
        for part in ["metadata", "spec"] {
            paths_below(&object[part], &format!("/{part}"), &mut paths);
        }
        if let Some(path) = paths.get(left) {
            return changed(draft, |draft| {
                let (parent, key) = path.rsplit_once('/')?;
                draft.objects[at].pointer_mut(parent)?.as_object_mut()?.remove(&key.replace("~1", "/")).map(drop)
            });
        }
        left -= paths.len();
    }
    Next::End
}

/// Pointers to all fields of a value, those outside before those inside.
fn paths_below(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let inside = map.iter().map(|(key, value)| (format!("{path}/{}", key.replace('/', "~1")), value));
            let inside: Vec<_> = inside.collect();
            paths.extend(inside.iter().map(|(path, _)| path.clone()));
            inside.iter().for_each(|(path, value)| paths_below(value, path, paths));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| paths_below(item, &format!("{path}/{at}"), paths));
        }
        _ => {}
    }
}

/// A number made 1, half, or one less.
fn fewer(number: &mut Value, step: usize) -> Option<()> {
    let now = number.as_u64().filter(|now| *now > 1)?;
    let less = [1, now / 2, now - 1][step];
    *number = json!(less);
    Some(())
}

/// The time of that number, if it is shorter than what is written.
fn shorter(written: &mut Value, times: &[SimDuration], number: usize) -> Option<()> {
    let now: SimDuration = written.as_str()?.parse().ok()?;
    let time = times.get(number).filter(|time| **time < now)?;
    *written = json!(time.to_string());
    Some(())
}

fn changed(draft: &Draft, change: impl FnOnce(&mut Draft) -> Option<()>) -> Next {
    let mut changed = draft.clone();
    match change(&mut changed) {
        Some(()) => Next::Try(Box::new(changed)),
        None => Next::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_halved_down_to_single_items() {
        let chunks: Vec<_> = (0..).map_while(|place| chunk(5, place)).collect();
        assert_eq!(chunks, [0..5, 0..2, 2..4, 4..5, 0..1, 1..2, 2..3, 3..4, 4..5]);
        assert_eq!(chunk(0, 0), None);
    }
}
