//! A run once more, from its recording: the cluster at any instant, and what changed after it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::api::{Change, ChangeType, View};
use crate::kernel::SimTime;
use crate::objects::{Kind, WallTime};
use crate::sim::{Record, Simulation};

/// Goes through a run that was recorded in full ([`RecordMode::Full`](crate::sim::RecordMode::Full)).
///
/// ```
/// use seatrial::kernel::{SimDuration, SimTime};
/// use seatrial::report::Replay;
/// use seatrial::sim::{Delays, RecordMode, Simulation};
///
/// let builder = Simulation::builder().delays(Delays::ideal()).record(RecordMode::Full);
/// let mut sim = builder.nodes(1).build()?;
/// sim.run_for(SimDuration::from_secs(5));
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
/// sim.run_for(SimDuration::from_secs(5));
///
/// let mut replay = Replay::of(&sim);
/// replay.advance_to(SimTime::from_secs(4));
/// assert!(replay.view().pods.is_empty());
/// replay.advance_to(sim.now());
/// assert_eq!(replay.view().pods.len(), 1);
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replay<'a> {
    records: &'a [Record],
    view: View,
    now: SimTime,
    start: WallTime,
}

impl<'a> Replay<'a> {
    /// A replay at the start of a run.
    #[must_use]
    pub fn of(sim: &'a Simulation) -> Self {
        let passed = i64::try_from(sim.now().as_nanos()).unwrap_or(i64::MAX);
        let start = sim.wall().plus_nanos(passed.saturating_neg());
        let (records, mut view) = (sim.recording().records(), View::default());
        founding(sim, records).for_each(|object| view.apply(&object));
        Self { records, view, now: SimTime::ZERO, start }
    }

    /// The cluster as the API server had it at this instant.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// The instant.
    #[must_use]
    pub const fn now(&self) -> SimTime {
        self.now
    }

    /// The same instant as API objects have it.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        self.start.plus_nanos(i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Goes on to an instant; what happens at it has happened.
    pub fn advance_to(&mut self, at: SimTime) {
        let _: ControlFlow<()> = self.follow(at, |_, _| ControlFlow::Continue(()));
    }

    /// Goes on to an instant, and shows every change on the way, when it has happened. Returns what `observe` broke off with,
    /// if it did; then the replay stands at that change.
    pub fn follow<B>(
        &mut self,
        until: SimTime,
        mut observe: impl FnMut(&Self, &'a Change) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        while let Some((record, rest)) = self.records.split_first().filter(|(record, _)| record.time() <= until) {
            self.records = rest;
            self.now = record.time();
            if let Record::Change(_, change) = record {
                self.view.apply(change);
                observe(self, change)?;
            }
        }
        self.now = self.now.max(until);
        ControlFlow::Continue(())
    }
}

/// What there was when the recording began, as it was: nodes and namespaces that nobody made in the run.
fn founding<'a>(sim: &'a Simulation, records: &'a [Record]) -> impl Iterator<Item = Change> + 'a {
    let mut known = BTreeSet::new();
    let changes = records.iter().filter_map(|record| match record {
        Record::Change(_, change) => Some(change),
        Record::Step(..) | Record::Traffic(..) => None,
    });
    // Of what was changed, what it was before; of what was made later, nothing.
    let changed = changes.map(|change| (change.kind(), change.object.key(), change.old.clone()));
    let kinds = Kind::ALL.iter().copied().chain([Kind::Opaque]);
    let at_the_end = kinds.flat_map(|kind| sim.view().list(kind));
    let unchanged = at_the_end.map(|object| (object.kind(), object.key(), Some(object)));
    let first = changed.chain(unchanged).filter(move |(kind, key, _)| known.insert((*kind, key.clone())));
    first.filter_map(|(_, _, object)| {
        let object = object?;
        let resource_version = object.meta().resource_version;
        Some(Change { change_type: ChangeType::Added, object, old: None, resource_version })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SimDuration;
    use crate::sim::{Delays, RecordMode};

    #[test]
    fn the_end_of_a_replay_is_the_end_of_the_run() {
        let builder = Simulation::builder().delays(Delays::realistic()).record(RecordMode::Full).events(true);
        let mut sim = builder.nodes(3).build().expect("a cluster");
        sim.apply(include_str!("../../scenarios/manifests/web.yaml")).expect("applied");
        sim.run_for(SimDuration::from_secs(20));
        let label = vec![("a".into(), Some("b".into()))];
        sim.label(&"namespace/default".parse().expect("a target"), label).expect("labelled");
        sim.set_image(&"deployment/web".parse().expect("a target"), "web", "web:2").expect("set");
        sim.run_for(SimDuration::from_mins(2));
        let mut replay = Replay::of(&sim);
        replay.advance_to(sim.now());
        assert_eq!((replay.now(), replay.wall()), (sim.now(), sim.wall()));
        for kind in Kind::ALL {
            let all = |view: &View| view.list(*kind).iter().map(|object| object.to_wire()).collect::<Vec<_>>();
            assert_eq!(all(replay.view()), all(sim.view()), "{kind}");
        }
    }
}
