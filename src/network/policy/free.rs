//! Pods that no policy is about: where most requests go, so that policies cost those that they do not concern next to nothing.

use crate::objects::PolicyType;

/// Fewest places; a power of two.
const PLACES_MIN: usize = 1024;
/// Bits below the number of a pod, one for each direction.
const BITS: u32 = 2;

/// Pods of which it is known that no policy isolates them, by direction. It may forget: then it is worked out again.
#[derive(Clone, Debug, Default)]
pub(super) struct FreePods {
    /// At the lowest bits of a pod's number that number and its directions. Pods have numbers in a row.
    places: Vec<u64>,
}

const fn bit(direction: PolicyType) -> u64 {
    match direction {
        PolicyType::Ingress => 1,
        PolicyType::Egress => 2,
    }
}

impl FreePods {
    /// Knows of none; `pods`: how many there are.
    pub(super) fn clear(&mut self, pods: usize) {
        self.places.clear();
        self.places.resize((2 * pods).next_power_of_two().max(PLACES_MIN), 0);
    }

    /// Whether that pod is known to be free in a direction.
    #[inline]
    pub(super) fn has(&self, number: u64, direction: PolicyType) -> bool {
        let mask = self.places.len().wrapping_sub(1);
        let place = self.places.get(number as usize & mask).copied().unwrap_or(0);
        place >> BITS == number && place & bit(direction) != 0
    }

    /// It is.
    pub(super) fn note(&mut self, number: u64, direction: PolicyType) {
        let mask = self.places.len().wrapping_sub(1);
        if let Some(place) = self.places.get_mut(number as usize & mask) {
            let known = if *place >> BITS == number { *place } else { number << BITS };
            *place = known | bit(direction);
        }
    }

    /// The pod is another one now.
    pub(super) fn forget(&mut self, number: u64) {
        let mask = self.places.len().wrapping_sub(1);
        if let Some(place) = self.places.get_mut(number as usize & mask)
            && *place >> BITS == number
        {
            *place = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PolicyType::{Egress, Ingress};

    #[test]
    fn a_pod_is_free_in_the_directions_that_were_noted_until_it_is_forgotten() {
        let mut free = FreePods::default();
        free.note(7, Ingress);
        assert!(!free.has(7, Ingress), "nothing is kept before there is a policy");
        free.clear(3);
        free.note(7, Ingress);
        assert_eq!((free.has(7, Ingress), free.has(7, Egress)), (true, false));
        free.note(7, Egress);
        // It has the place of another one.
        free.forget(7 + PLACES_MIN as u64);
        assert_eq!((free.has(7, Ingress), free.has(7, Egress)), (true, true));
        free.note(7 + PLACES_MIN as u64, Egress);
        assert_eq!((free.has(7, Egress), free.has(7 + PLACES_MIN as u64, Ingress)), (false, false));
        free.forget(7 + PLACES_MIN as u64);
        assert!(!free.has(7 + PLACES_MIN as u64, Egress));
    }
}
