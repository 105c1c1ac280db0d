//! Probes of a container whose load delays them.
//!
//! A healthy container usually costs no probes, since their result is known. One that answers them in its queue
//! (`serve: {probes: queue}`) may fail any of them, and is really asked, as long as there is traffic that could keep it busy.

use std::fmt;

use crate::kernel::SimDuration;
use crate::objects::Uid;

use super::driver::PodSync;
use super::serve::ProbesAnswered;
use super::worker::ProbeKind;

/// How busy processes are, as whoever carries their requests knows.
pub trait Load: fmt::Debug {
    /// How long a request that comes now would wait for its turn at the container in that place of a pod; `None` if too many wait
    /// already.
    fn wait(&self, pod: &Uid, container: u16) -> Option<SimDuration>;
}

/// What load does to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delayed {
    /// It waits that long.
    By(SimDuration),
    /// It is answered with an error.
    TurnedAway,
}

impl PodSync<'_, '_> {
    /// What load does to a probe that is made now.
    pub(super) fn delayed(&self, at: usize, kind: ProbeKind) -> Delayed {
        let load = self.cx.load.filter(|_| self.waits_in_line(at, kind));
        let Some(load) = load else { return Delayed::By(SimDuration::ZERO) };
        let place = u16::try_from(at).unwrap_or(u16::MAX);
        load.wait(self.uid, place).map_or(Delayed::TurnedAway, Delayed::By)
    }

    /// Whether a probe has to be made again and again although the container is well.
    pub(super) fn is_asked_again(&self, at: usize, kind: ProbeKind) -> bool {
        self.cx.load.is_some() && self.waits_in_line(at, kind)
    }

    fn waits_in_line(&self, at: usize, kind: ProbeKind) -> bool {
        let serve = self.behaviour(at).serve.as_ref();
        let is_request = |probe: &serde_json::Value| probe.get("httpGet").is_some() || probe.get("grpc").is_some();
        serve.is_some_and(|serve| serve.probes == ProbesAnswered::Queue)
            && self.container_wire(at).and_then(|wire| wire.get(kind.field())).is_some_and(is_request)
    }
}
