//! Hints in slices (upstream `TopologyCache.AddHints`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::objects::{Endpoint, EndpointSlice, Key};

use super::super::blueprint::AddressType;
use super::super::hints::HINTS;
use super::super::packing::Plan;
use super::shares::{Allocations, allocate, givers_and_receivers};
use super::{ByZone, Told, TopologyCache};

/// The slices of one address type of a Service.
#[derive(Debug)]
pub(in super::super) struct SliceInfo<'a> {
    pub(in super::super) service: &'a Key,
    pub(in super::super) address_type: AddressType,
    /// What is written anyway.
    pub(in super::super) plan: &'a mut Plan,
    /// What is not, unless for its hints.
    pub(in super::super) unchanged: Vec<&'a Arc<EndpointSlice>>,
}

impl TopologyCache {
    /// Gives the endpoints of a Service their hints, or takes them away if that cannot be. Says what there is to tell.
    pub(in super::super) fn add_hints(&mut self, slices: &mut SliceInfo<'_>) -> Option<Told> {
        let (service, address_type) = (slices.service, slices.address_type);
        let refuse = |cache: &mut Self, slices: &mut SliceInfo<'_>, why: &str| {
            cache.remove(service, address_type);
            slices.remove_hints();
            Some(Told::disabled(why, address_type))
        };
        let allocations = match allocate(slices.ready(), self.ratios().as_ref()) {
            Ok(allocations) => allocations,
            Err(why) => return refuse(self, slices, &why),
        };
        let mut by_zone = slices.allocated(&allocations);
        if !slices.stay_in_zone(&mut by_zone) {
            return refuse(self, slices, "One or more endpoints do not have a zone specified");
        }
        let (gives, receives) = givers_and_receivers(&allocations, &by_zone);
        slices.redistribute(gives, receives, &mut by_zone);
        if by_zone.is_empty() {
            return refuse(self, slices, "No hints allocated for zones");
        }
        let is_new = !self.populated.contains(service);
        self.give(service, address_type, by_zone);
        is_new.then(|| Told::enabled(address_type))
    }
}

impl SliceInfo<'_> {
    fn written(&mut self) -> impl Iterator<Item = &mut EndpointSlice> {
        self.plan.create.iter_mut().chain(&mut self.plan.update)
    }

    /// How many endpoints are ready.
    fn ready(&self) -> usize {
        let written = self.plan.create.iter().chain(&self.plan.update);
        let all = written.chain(self.unchanged.iter().map(|slice| &***slice));
        all.map(|slice| slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)).count()).sum()
    }

    /// The hints of slices that can stay as they are; the others are to be written.
    fn allocated(&mut self, allocations: &Allocations) -> ByZone {
        let mut allocated = ByZone::new();
        let update = &mut self.plan.update;
        self.unchanged.retain(|slice| {
            let Some(hints) = hints_by_zone(slice, &allocated, allocations) else {
                update.push(EndpointSlice::clone(slice));
                return false;
            };
            for (zone, number) in hints {
                *allocated.entry(zone).or_default() += number;
            }
            true
        });
        allocated
    }

    /// Lets every endpoint that is written serve its own zone. Returns whether all have one.
    fn stay_in_zone(&mut self, by_zone: &mut ByZone) -> bool {
        for slice in self.written() {
            let mut endpoints = slice.endpoints.to_vec();
            for endpoint in endpoints.iter_mut().filter(|endpoint| is_ready(endpoint)) {
                let Some(zone) = zone(endpoint).cloned() else { return false };
                put(endpoint, &zone);
                *by_zone.entry(zone).or_default() += 1;
            }
            slice.endpoints = endpoints.into();
        }
        true
    }

    /// Lets endpoints of zones that have too many serve zones that have too few.
    fn redistribute(&mut self, mut gives: ByZone, mut receives: ByZone, by_zone: &mut ByZone) {
        for slice in self.written() {
            if gives.is_empty() || receives.is_empty() {
                return;
            }
            let mut endpoints = slice.endpoints.to_vec();
            for endpoint in endpoints.iter_mut().filter(|endpoint| is_ready(endpoint)) {
                let Some(from) = zone(endpoint).filter(|zone| gives.contains_key(*zone)).cloned() else { continue };
                let Some(to) = receives.keys().next().cloned() else { break };
                put(endpoint, &to);
                for (zone, left) in [(&from, &mut gives), (&to, &mut receives)] {
                    if let Some(number) = left.get_mut(zone) {
                        *number -= 1;
                        if *number == 0 {
                            left.remove(zone);
                        }
                    }
                }
                *by_zone.entry(to).or_default() += 1;
                if let Some(number) = by_zone.get_mut(&from) {
                    *number -= 1;
                }
            }
            slice.endpoints = endpoints.into();
        }
    }

    /// Takes all hints away.
    pub(in super::super) fn remove_hints(&mut self) {
        let has_hints =
            |slice: &EndpointSlice| slice.endpoints.iter().any(|endpoint| endpoint.rest.contains_key(HINTS));
        let update = &mut self.plan.update;
        self.unchanged.retain(|slice| {
            if has_hints(slice) {
                update.push(EndpointSlice::clone(slice));
            }
            !has_hints(slice)
        });
        for slice in self.written().filter(|slice| has_hints(slice)) {
            let mut endpoints = slice.endpoints.to_vec();
            endpoints.iter_mut().for_each(|endpoint| drop(endpoint.rest.remove(HINTS)));
            slice.endpoints = endpoints.into();
        }
    }
}

/// How many hints a slice has for each zone; nothing, if they are not right: an endpoint has none, one is for a zone that needs none,
/// or there are so many for a zone that others would get too few.
fn hints_by_zone(slice: &EndpointSlice, allocated: &ByZone, allocations: &Allocations) -> Option<ByZone> {
    let mut by_zone = ByZone::new();
    for endpoint in slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)) {
        let hints = endpoint.rest.get(HINTS)?.get("forZones")?.as_array()?;
        let mut zones = hints.iter().filter_map(|hint| hint.get("name")?.as_str()).peekable();
        zones.peek()?;
        for zone in zones {
            let (zone, _) = allocations.get_key_value(zone)?;
            *by_zone.entry(zone.clone()).or_default() += 1;
        }
    }
    let fits = |(zone, number): (&Arc<str>, &usize)| {
        let already = allocated.get(zone).copied().unwrap_or(0);
        allocations.get(zone).is_some_and(|allocation| number + already <= allocation.maximum)
    };
    by_zone.iter().all(fits).then_some(by_zone)
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.ready == Some(true)
}

fn zone(endpoint: &Endpoint) -> Option<&Arc<str>> {
    endpoint.zone.as_ref().filter(|zone| !zone.is_empty())
}

fn put(endpoint: &mut Endpoint, zone: &str) {
    let hints: Value = json!({ "forZones": [{ "name": zone }] });
    endpoint.rest.insert(HINTS.into(), hints);
}
