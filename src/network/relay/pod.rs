//! One pod of a reverse proxy: what its workers go by.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kernel::SimTime;

use super::super::ids::ServerId;
use super::super::ingress::{IngressChange, SyncLag};
use super::peers::Peers;
use super::plan::Table;

/// What workers go by.
#[derive(Clone, Debug)]
pub(in crate::network) struct State {
    pub(in crate::network) table: Arc<Table>,
    /// By backend.
    pub(in crate::network) peers: Vec<Peers>,
    pub(super) configuration: u64,
}

/// A pod.
#[derive(Clone, Debug)]
pub(in crate::network) struct RelayPod {
    pub(super) program: u32,
    /// The container that it is.
    pub(in crate::network) server: ServerId,
    /// Where its rounds begin.
    offset: u32,
    pub(super) lag: SyncLag,
    /// Its process runs and has a configuration.
    pub(super) runs: bool,
    /// Counts processes.
    pub(super) life: u32,
    /// Counts reloads: each has new workers.
    pub(super) workers: u32,
    /// Whether new rules need new workers.
    reloads: bool,
    pub(super) is_sync_planned: bool,
    pub(in crate::network) state: Option<State>,
    /// What workers take over later, ns, in the order of the syncs.
    coming: VecDeque<(u64, State)>,
    /// What the last sync has found.
    synced: u64,
    /// By backend, whose turn it is.
    turns: Vec<u32>,
}

impl RelayPod {
    /// `server`: the container, and the number of its pod.
    pub(super) const fn new(program: u32, (server, number): (ServerId, u64), lag: SyncLag, reloads: bool) -> Self {
        Self {
            program,
            server,
            offset: number as u32,
            lag,
            runs: false,
            life: 0,
            workers: 0,
            reloads,
            is_sync_planned: false,
            state: None,
            coming: VecDeque::new(),
            synced: 0,
            turns: Vec::new(),
        }
    }

    pub(super) fn end(&mut self) {
        (self.runs, self.is_sync_planned, self.state) = (false, false, None);
        self.coming.clear();
        self.life += 1;
    }

    /// Its first configuration.
    pub(super) fn adopt_now(&mut self, state: State) {
        self.runs = true;
        self.coming.clear();
        self.synced = state.configuration;
        self.take_over(state);
    }

    /// A sync at `now`, ns, has found that; returns when workers take it over.
    pub(super) fn plan(&mut self, state: State, now: u64) -> u64 {
        self.is_sync_planned = false;
        let change =
            if state.configuration == self.synced { IngressChange::Endpoints } else { IngressChange::Configuration };
        self.synced = state.configuration;
        let last = self.coming.back().map_or(0, |(at, _)| *at);
        let at = self.lag.takes_effect(SimTime::from_nanos(now), change).as_nanos().max(last);
        if at <= now {
            self.take_over(state);
        } else {
            self.coming.push_back((at, state));
        }
        at
    }

    pub(super) fn adopt_until(&mut self, now: u64) {
        while self.coming.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, state)) = self.coming.pop_front() {
                self.take_over(state);
            }
        }
    }

    fn take_over(&mut self, state: State) {
        // Each pod begins its rounds elsewhere.
        let begin = |backend: usize| (self.offset.wrapping_add(backend as u32)).wrapping_mul(0x9e37_79b9) >> 8;
        for backend in self.turns.len()..state.peers.len() {
            self.turns.push(begin(backend));
        }
        let is_new = self.state.as_ref().is_some_and(|known| known.configuration != state.configuration);
        self.workers += u32::from(is_new && self.reloads);
        self.state = Some(state);
    }

    /// What its workers go by, and by backend whose turn it is; nothing = it has no configuration.
    #[inline(always)]
    pub(in crate::network) fn at_work(&mut self) -> Option<(&State, &mut [u32])> {
        Some((self.state.as_ref()?, &mut self.turns))
    }
}
