//! Dense storage with reuse: payloads keep their place while small entries referring to them are sorted.

/// No further vacant slot.
const END: u32 = u32::MAX;

/// Values in dense slots. Each occupant carries a stamp, unique over the slab's life, so that a reference to a former occupant
/// of a reused slot is recognised.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    first_vacant: u32,
    len: usize,
}

#[derive(Clone, Debug)]
enum Slot<T> {
    Occupied { stamp: u64, value: T },
    Vacant { next: u32 },
}

impl<T> Slab<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { slots: Vec::with_capacity(capacity), first_vacant: END, len: 0 }
    }

    /// How many slots are occupied.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Stores `value` and returns its slot.
    #[inline]
    pub(super) fn insert(&mut self, stamp: u64, value: T) -> u32 {
        self.len += 1;
        let occupied = Slot::Occupied { stamp, value };
        let index = self.first_vacant;
        if let Some(slot) = self.slots.get_mut(index as usize)
            && let Slot::Vacant { next } = *slot
        {
            self.first_vacant = next;
            *slot = occupied;
            return index;
        }
        self.append(occupied)
    }

    #[cold]
    fn append(&mut self, occupied: Slot<T>) -> u32 {
        let index = self.slots.len();
        assert!(index < END as usize, "fewer than 2^32 - 1 events are pending");
        self.slots.push(occupied);
        index as u32
    }

    /// Takes the value out if `slot` still holds the occupant with `stamp`.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32, stamp: u64) -> Option<T> {
        if !self.contains(slot, stamp) {
            return None;
        }
        let vacated = std::mem::replace(&mut self.slots[slot as usize], Slot::Vacant { next: self.first_vacant });
        self.first_vacant = slot;
        self.len -= 1;
        match vacated {
            Slot::Occupied { value, .. } => Some(value),
            Slot::Vacant { .. } => None,
        }
    }

    /// Whether `slot` still holds the occupant with `stamp`.
    #[inline]
    pub(super) fn contains(&self, slot: u32, stamp: u64) -> bool {
        matches!(self.slots.get(slot as usize), Some(Slot::Occupied { stamp: found, .. }) if *found == stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_and_former_occupants_stay_gone() {
        let mut slab = Slab::with_capacity(0);
        let (a, b) = (slab.insert(1, 'a'), slab.insert(2, 'b'));
        assert_eq!((a, b, slab.len()), (0, 1, 2));
        assert_eq!(slab.remove(a, 1), Some('a'));
        assert_eq!(slab.remove(a, 1), None);
        assert_eq!(slab.insert(3, 'c'), a);
        assert_eq!(slab.remove(a, 1), None);
        assert!(slab.contains(a, 3) && slab.contains(b, 2) && !slab.contains(7, 3));
        assert_eq!(slab.insert(4, 'd'), 2);
        assert_eq!(slab.len(), 3);
    }
}
