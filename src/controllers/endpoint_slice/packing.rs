//! Which slices are written: as few as possible (upstream `reconcileByPortMapping` and `finalize`).

use std::cmp::Reverse;
use std::sync::Arc;

use crate::objects::{Endpoint, EndpointSlice, Key, SharedList};

use super::MAX_ENDPOINTS_PER_SLICE;
use super::blueprint::{ADDRESS_TYPES, AddressType, Blueprint, Ports};
use super::candidates::Candidates;
use super::hints::Hints;
use super::placement::Scope;
use super::topology::{SliceInfo, Told, TopologyCache};

/// What is written of one address type.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) create: Vec<EndpointSlice>,
    pub(super) update: Vec<EndpointSlice>,
    pub(super) delete: Vec<Arc<EndpointSlice>>,
}

/// A slice that is written, with its endpoints so far.
#[derive(Debug)]
struct Draft {
    slice: EndpointSlice,
    endpoints: Vec<Endpoint>,
}

/// An endpoint of a slice that stays.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: usize,
    pod: u32,
    up_to_date: bool,
}

/// Plans the writes for all address types of a Service, and says what there is to tell about its hints.
pub(super) fn plan(
    service: &Key,
    blueprint: &Blueprint,
    slices: &[&Arc<EndpointSlice>],
    pods: &Candidates<'_>,
    scope: &Scope,
    topology: &mut TopologyCache,
) -> (Vec<Plan>, Vec<Told>) {
    let supported = |slice: &EndpointSlice| blueprint.address_types.iter().any(|kind| slice.address_type == *kind);
    let mut plans: Vec<Plan> = Vec::with_capacity(blueprint.address_types.len() + 1);
    let mut told = Vec::new();
    for kind in ADDRESS_TYPES.into_iter().filter(|kind| !blueprint.address_types.contains(kind)) {
        if slices.iter().any(|slice| slice.address_type == *kind) {
            topology.remove(service, kind);
        }
    }
    for kind in &blueprint.address_types {
        plans.push(Packing::new(blueprint, pods, scope, kind).plan(slices, service, topology, &mut told));
    }
    let unsupported: Vec<_> = slices.iter().filter(|slice| !supported(slice)).map(|slice| (*slice).clone()).collect();
    if !unsupported.is_empty() {
        plans.push(Plan { delete: unsupported, ..Plan::default() });
    }
    (plans, told)
}

/// Packs the endpoints of one address type.
struct Packing<'a, 'v> {
    blueprint: &'a Blueprint,
    pods: &'a Candidates<'v>,
    scope: &'a Scope,
    address_type: AddressType,
    placed: Vec<bool>,
    kept: Vec<Kept>,
    plan: Plan,
}

impl<'a, 'v> Packing<'a, 'v> {
    fn new(blueprint: &'a Blueprint, pods: &'a Candidates<'v>, scope: &'a Scope, address_type: AddressType) -> Self {
        let placed = vec![false; pods.len()];
        Self { blueprint, pods, scope, address_type, placed, kept: Vec::new(), plan: Plan::default() }
    }

    fn plan(
        mut self,
        slices: &[&'a Arc<EndpointSlice>],
        service: &Key,
        topology: &mut TopologyCache,
        told: &mut Vec<Told>,
    ) -> Plan {
        let mut by_group: Vec<Vec<&'a Arc<EndpointSlice>>> = vec![Vec::new(); self.pods.groups()];
        let mut unwanted: Vec<Arc<EndpointSlice>> = Vec::new();
        let mut foreign: Vec<Arc<EndpointSlice>> = Vec::new();
        let mut existing = 0;
        for slice in slices.iter().filter(|slice| slice.address_type == self.address_type) {
            existing += 1;
            match self.pods.group_of(slice) {
                _ if !self.blueprint.owns(slice) => foreign.push((*slice).clone()),
                Some(group) => by_group[group].push(slice),
                None if self.is_fine(slice) => {}
                None => unwanted.push((*slice).clone()),
            }
        }
        self.plan.delete = foreign;
        let mut unchanged = Vec::new();
        let members = self.members();
        for (group, slices) in by_group.into_iter().enumerate() {
            self.pack(group, slices, &members[group], &mut unchanged);
        }
        self.plan.delete.append(&mut unwanted);
        self.hold_place(existing);
        told.extend(self.hint(unchanged, service, topology));
        self.recycle();
        self.plan
    }

    /// Pods of this address type by their ports.
    fn members(&self) -> Vec<Vec<u32>> {
        let mut members = vec![Vec::new(); self.pods.groups()];
        for (at, pod) in self.pods.of(self.address_type) {
            members[pod.group].push(at);
        }
        members
    }

    /// Packs the pods with one set of ports.
    fn pack(
        &mut self,
        group: usize,
        slices: Vec<&'a Arc<EndpointSlice>>,
        members: &[u32],
        all_unchanged: &mut Vec<&'a Arc<EndpointSlice>>,
    ) {
        let (mut drafts, mut unchanged) = (Vec::new(), Vec::new());
        for slice in slices {
            if self.is_fine(slice) {
                unchanged.push(slice);
                continue;
            }
            match self.revise(slice, group) {
                Revision::Unchanged => unchanged.push(slice),
                Revision::Empty => self.plan.delete.push(slice.clone()),
                Revision::Draft(draft) => drafts.push(*draft),
            }
        }
        let placed = &self.placed;
        let mut rest = members.iter().copied().filter(|at| !placed[*at as usize]).collect::<Vec<_>>().into_iter();
        fill_fullest_first(&mut drafts, &mut rest, self.pods);
        while rest.len() > 0 {
            let chosen = slice_to_fill(&unchanged, rest.len());
            let mut draft = match chosen {
                Some(at) => Draft::of(unchanged.remove(at)),
                None => Draft { slice: self.new_slice(group), endpoints: Vec::new() },
            };
            draft.fill(&mut rest, self.pods);
            match chosen {
                Some(_) => drafts.push(draft),
                None => self.plan.create.push(draft.finish()),
            }
        }
        self.plan.update.extend(drafts.into_iter().map(Draft::finish));
        all_unchanged.append(&mut unchanged);
    }

    /// Whether a slice is known to be right as it is. An empty one is, at best, a placeholder.
    fn is_fine(&self, slice: &EndpointSlice) -> bool {
        match self.scope {
            Scope::All => false,
            Scope::Changed(_, touched) => !slice.endpoints.is_empty() && !touched.contains(&slice.meta.name),
        }
    }

    fn new_slice(&self, group: usize) -> EndpointSlice {
        self.blueprint.slice(self.address_type, self.pods.ports(group))
    }

    /// Drops endpoints that are no longer wanted from a slice and renews those that changed.
    fn revise(&mut self, slice: &Arc<EndpointSlice>, group: usize) -> Revision {
        self.kept.clear();
        let mut stale = false;
        for (at, endpoint) in slice.endpoints.iter().enumerate() {
            let Some(pod) = self.pods.behind(endpoint) else { continue };
            let candidate = self.pods.get(pod);
            if candidate.group != group || std::mem::replace(&mut self.placed[pod as usize], true) {
                continue;
            }
            let up_to_date = candidate.is_up_to_date(endpoint);
            stale |= !up_to_date;
            self.kept.push(Kept { at, pod, up_to_date });
        }
        let shrunk = self.kept.len() != slice.endpoints.len();
        if self.kept.is_empty() && shrunk {
            return Revision::Empty;
        }
        let relabelled = self.blueprint.relabels(slice);
        if !stale && !shrunk && !relabelled {
            return Revision::Unchanged;
        }
        let endpoint = |kept: &Kept| {
            // One that is written for its endpoints is written anew; hints come afterwards.
            let anew = !kept.up_to_date || ((stale || shrunk) && !slice.endpoints[kept.at].rest.is_empty());
            if anew { self.pods.get(kept.pod).endpoint() } else { slice.endpoints[kept.at].clone() }
        };
        let mut draft = Draft::without_endpoints(slice);
        draft.endpoints = self.kept.iter().map(endpoint).collect();
        draft.slice.meta.labels = self.blueprint.labels().clone();
        Revision::Draft(Box::new(draft))
    }

    /// Sees to it that one slice is there when there are no endpoints.
    fn hold_place(&mut self, existing: usize) {
        if existing != self.plan.delete.len() || !self.plan.create.is_empty() {
            return;
        }
        match &self.plan.delete[..] {
            [slice] if self.blueprint.is_placeholder(slice) => self.plan.delete.clear(),
            _ => self.plan.create.push(self.blueprint.slice(self.address_type, &Ports::new())),
        }
    }

    /// Sees to the hints, and says what there is to tell.
    fn hint(
        &mut self,
        unchanged: Vec<&Arc<EndpointSlice>>,
        service: &Key,
        topology: &mut TopologyCache,
    ) -> Option<Told> {
        let hints = self.blueprint.hints;
        if hints == Hints::Auto {
            let (address_type, plan) = (self.address_type, &mut self.plan);
            return topology.add_hints(&mut SliceInfo { service, address_type, plan, unchanged });
        }
        let had_some = topology.remove(service, self.address_type);
        let looked_at = unchanged.iter().filter(|slice| !self.is_fine(slice));
        let wrong = looked_at.filter(|slice| slice.endpoints.iter().any(|endpoint| hints.are_wrong(endpoint)));
        let wrong: Vec<EndpointSlice> = wrong.map(|slice| EndpointSlice::clone(slice)).collect();
        self.plan.update.extend(wrong);
        for slice in self.plan.create.iter_mut().chain(&mut self.plan.update) {
            if slice.endpoints.iter().any(|endpoint| hints.are_wrong(endpoint)) {
                let mut endpoints = slice.endpoints.to_vec();
                endpoints.iter_mut().for_each(|endpoint| hints.put(endpoint));
                slice.endpoints = endpoints.into();
            }
        }
        had_some.then(|| Told::disabled("Topology Aware Hints has been disabled", self.address_type))
    }

    /// Turns a creation and a deletion into an update.
    fn recycle(&mut self) {
        let Plan { create, update, delete } = &mut self.plan;
        delete.retain(|old| {
            if !self.blueprint.owns(old) {
                return true;
            }
            let Some(mut slice) = create.pop() else { return true };
            slice.meta.name = old.meta.name.clone();
            update.push(slice);
            false
        });
    }
}

/// What becomes of a slice.
enum Revision {
    Unchanged,
    Empty,
    Draft(Box<Draft>),
}

impl Draft {
    fn of(slice: &Arc<EndpointSlice>) -> Self {
        Self { endpoints: slice.endpoints.to_vec(), ..Self::without_endpoints(slice) }
    }

    fn without_endpoints(slice: &Arc<EndpointSlice>) -> Self {
        let mut slice = EndpointSlice::clone(slice);
        slice.endpoints = SharedList::new();
        Self { slice, endpoints: Vec::new() }
    }

    fn fill(&mut self, rest: &mut impl Iterator<Item = u32>, pods: &Candidates<'_>) {
        let room = MAX_ENDPOINTS_PER_SLICE.saturating_sub(self.endpoints.len());
        self.endpoints.extend(rest.take(room).map(|at| pods.get(at).endpoint()));
    }

    fn finish(mut self) -> EndpointSlice {
        self.slice.endpoints = self.endpoints.into();
        self.slice
    }
}

fn fill_fullest_first(drafts: &mut [Draft], rest: &mut std::vec::IntoIter<u32>, pods: &Candidates<'_>) {
    if rest.len() == 0 {
        return;
    }
    drafts.sort_by_key(|draft| Reverse(draft.endpoints.len()));
    for draft in drafts {
        draft.fill(rest, pods);
    }
}

/// The slice that comes closest to full with that many endpoints more, unless they fill a slice of their own.
fn slice_to_fill(slices: &[&Arc<EndpointSlice>], more: usize) -> Option<usize> {
    if more >= MAX_ENDPOINTS_PER_SLICE {
        return None;
    }
    let room = |slice: &EndpointSlice| MAX_ENDPOINTS_PER_SLICE.checked_sub(more + slice.endpoints.len());
    let fitting = slices.iter().enumerate().filter_map(|(at, slice)| Some((room(slice)?, at)));
    fitting.min().map(|(_, at)| at)
}
