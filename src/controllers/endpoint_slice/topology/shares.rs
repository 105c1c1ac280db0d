//! How many endpoints each zone should have, and who gives to whom (upstream `topologycache/utils.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ByZone, OVERLOAD_THRESHOLD};

/// Endpoints of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allocation {
    minimum: usize,
    pub(super) maximum: usize,
    desired: f64,
}

pub(super) type Allocations = BTreeMap<Arc<str>, Allocation>;

/// The least that a zone must have of so many endpoints.
fn minimum(desired: f64) -> usize {
    libm::ceil(desired * (1.0 / (1.0 + OVERLOAD_THRESHOLD))) as usize
}

/// What each zone should have of all endpoints, or why that cannot be.
pub(super) fn allocate(endpoints: usize, ratios: Option<&BTreeMap<Arc<str>, f64>>) -> Result<Allocations, String> {
    let Some(ratios) = ratios else {
        return Err(
            "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes".to_owned()
        );
    };
    let counted = |why: &str| format!("{why} ({endpoints} endpoints, {} zones)", ratios.len());
    if ratios.len() > endpoints {
        return Err(counted("Insufficient number of endpoints"));
    }
    let mut allocations = Allocations::new();
    let mut least = 0;
    for (zone, ratio) in ratios {
        let desired = ratio * endpoints as f64;
        let minimum = minimum(desired);
        least += minimum;
        if least > endpoints {
            return Err(counted(
                "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold",
            ));
        }
        let desired = if minimum as f64 > desired { minimum as f64 } else { desired };
        allocations.insert(zone.clone(), Allocation { minimum, maximum: 0, desired });
    }
    for allocation in allocations.values_mut() {
        allocation.maximum = allocation.minimum + endpoints - least;
    }
    Ok(allocations)
}

/// How many endpoints each zone gives to others, and how many it receives.
pub(super) fn givers_and_receivers(allocations: &Allocations, allocated: &ByZone) -> (ByZone, ByZone) {
    let (mut giving, mut receiving) = (BTreeMap::new(), BTreeMap::new());
    for (zone, allocation) in allocations {
        let has = allocated.get(zone).copied().unwrap_or(0) as f64;
        if has > allocation.desired {
            giving.insert(zone.clone(), has - allocation.desired);
        } else if has < allocation.desired {
            receiving.insert(zone.clone(), allocation.desired - has);
        }
    }
    let (mut gives, mut receives) = (ByZone::new(), ByZone::new());
    while let (Some((from, give)), Some((to, receive))) = (most(&giving), most(&receiving)) {
        if (give < 1.0 && receive < 1.0) || give < 0.5 || receive < 0.5 {
            break;
        }
        for (zone, exact, whole) in [(from, &mut giving, &mut gives), (to, &mut receiving, &mut receives)] {
            *exact.entry(zone.clone()).or_default() -= 1.0;
            *whole.entry(zone).or_default() += 1;
        }
    }
    (gives, receives)
}

/// The zone with the most, the first of equal ones.
fn most(zones: &BTreeMap<Arc<str>, f64>) -> Option<(Arc<str>, f64)> {
    let mut most: Option<(&Arc<str>, f64)> = None;
    for (zone, number) in zones {
        if *number > most.map_or(0.0, |(_, most)| most) {
            most = Some((zone, *number));
        }
    }
    most.map(|(zone, number)| (zone.clone(), number))
}

/// Whether some zone has too few endpoints for its CPU.
pub(super) fn is_overloaded(by_zone: &ByZone, ratios: Option<&BTreeMap<Arc<str>, f64>>) -> bool {
    if by_zone.is_empty() {
        return false;
    }
    let Some(ratios) = ratios else { return true };
    let total = by_zone.values().sum::<usize>() as f64;
    ratios.iter().any(|(zone, ratio)| by_zone.get(zone).is_none_or(|has| *has < minimum(total * ratio)))
}
