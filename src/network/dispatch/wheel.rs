//! A queue by time, and at one instant by the order of what is due then. Only what is due at one instant is ever sorted.
//!
//! A hierarchical timing wheel without a tick. An instant is a number of eleven digits of six bits. An entry lies at the level of the
//! highest digit in which it differs from the instant that was taken out last, in the slot of its own digit there. When its turn
//! comes, the first slot of the lowest level that has any is spread over the levels below, so that an entry moves a few times at most,
//! however many there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Bits of a digit.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 64usize.div_ceil(BITS as usize);
/// No entry.
const NONE: u32 = u32::MAX;

/// Entries of a slot, in a chain.
#[derive(Clone, Copy, Debug)]
struct Slot {
    first: u32,
    last: u32,
    /// When the earliest of them is due.
    earliest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    at: u64,
    /// The next one of the slot, or the next free one.
    next: u32,
    what: T,
}

/// What is due, by time and then by its own order.
#[derive(Clone, Debug)]
pub(super) struct Wheel<T> {
    /// The instant that was come to last.
    base: u64,
    /// When the next is due; `u64::MAX` if nothing is.
    next: u64,
    /// By level, slots that have entries.
    occupied: [u64; LEVELS],
    /// By level and slot; nothing as long as nothing was put in.
    slots: Vec<[Slot; SLOTS]>,
    entries: Vec<Entry<T>>,
    /// The first free entry.
    free: u32,
    /// What is due at `base`, or was due before it when it was put in.
    present: BinaryHeap<Reverse<(u64, T)>>,
}

impl<T: Ord> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            base: 0,
            next: u64::MAX,
            occupied: [0; LEVELS],
            slots: Vec::new(),
            entries: Vec::new(),
            free: NONE,
            present: BinaryHeap::new(),
        }
    }
}

impl<T: Copy + Ord> Wheel<T> {
    /// Puts in what is due at an instant.
    #[inline]
    pub(super) fn push(&mut self, at: u64, what: T) {
        self.next = self.next.min(at);
        if at <= self.base {
            return self.present.push(Reverse((at, what)));
        }
        let entry = Entry { at, next: NONE, what };
        let number = self.free;
        match self.entries.get_mut(number as usize) {
            Some(place) => {
                self.free = place.next;
                *place = entry;
                self.hang(number, at);
            }
            None => self.grow(entry),
        }
    }

    #[cold]
    fn grow(&mut self, entry: Entry<T>) {
        if self.slots.is_empty() {
            self.slots = vec![[Slot { first: NONE, last: NONE, earliest: 0 }; SLOTS]; LEVELS];
        }
        self.entries.push(entry);
        self.hang(self.entries.len() as u32 - 1, entry.at);
    }

    /// Hangs an entry to the end of the chain of its slot.
    #[inline]
    fn hang(&mut self, number: u32, at: u64) {
        let level = ((at ^ self.base) | 1).ilog2() / BITS;
        let digit = (at >> (level * BITS)) as usize % SLOTS;
        let slot = &mut self.slots[level as usize][digit];
        let occupied = &mut self.occupied[level as usize];
        if *occupied & (1 << digit) == 0 {
            *occupied |= 1 << digit;
            *slot = Slot { first: number, last: number, earliest: at };
        } else {
            self.entries[slot.last as usize].next = number;
            slot.last = number;
            slot.earliest = slot.earliest.min(at);
        }
    }

    /// When the next is due; `u64::MAX` if nothing is.
    #[inline]
    pub(super) const fn next_time(&self) -> u64 {
        self.next
    }

    /// The next.
    pub(super) fn first(&mut self) -> Option<&T> {
        if self.present.is_empty()
            && let Some(slot) = self.come_to_next()
        {
            self.gather(slot.first);
        }
        self.present.peek().map(|Reverse((_, what))| what)
    }

    /// Takes the next out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.present.is_empty() {
            let slot = self.come_to_next()?;
            if slot.first == slot.last {
                self.next = self.find_next();
                return Some(self.take(slot.first).what);
            }
            self.gather(slot.first);
        }
        let first = self.present.pop().map(|Reverse((_, what))| what);
        self.next = self.present.peek().map_or_else(|| self.find_next(), |Reverse((at, _))| *at);
        first
    }

    /// Comes to the instant at which the next is due, if nothing is left of those before; takes the slot of all that is due then.
    #[inline]
    fn come_to_next(&mut self) -> Option<Slot> {
        let level = self.lowest()?;
        self.base = self.next;
        if level > 0 {
            self.spread(level);
        }
        let digit = self.base as usize % SLOTS;
        self.occupied[0] &= !(1 << digit);
        Some(self.slots[0][digit])
    }

    /// Takes an entry out, whichever slot it was in.
    #[inline]
    fn take(&mut self, number: u32) -> Entry<T> {
        let entry = &mut self.entries[number as usize];
        let taken = *entry;
        (entry.next, self.free) = (self.free, number);
        taken
    }

    /// Sorts what is due at one instant.
    #[cold]
    fn gather(&mut self, first: u32) {
        let mut number = first;
        while number != NONE {
            let Entry { at, next, what } = self.take(number);
            self.present.push(Reverse((at, what)));
            number = next;
        }
    }

    /// Hangs the entries of the first slot of a level, the lowest that has any, where they belong now.
    fn spread(&mut self, level: usize) {
        let digit = self.occupied[level].trailing_zeros() as usize;
        let mut number = self.slots[level][digit].first;
        self.occupied[level] &= !(1 << digit);
        while number != NONE {
            let entry = &mut self.entries[number as usize];
            let (at, next) = (entry.at, entry.next);
            entry.next = NONE;
            self.hang(number, at);
            number = next;
        }
    }

    /// The lowest level that has entries.
    #[inline]
    fn lowest(&self) -> Option<usize> {
        self.occupied.iter().position(|occupied| *occupied != 0)
    }

    /// When the next is due of what is still to come.
    #[inline]
    fn find_next(&self) -> u64 {
        match self.lowest() {
            Some(level) => self.slots[level][self.occupied[level].trailing_zeros() as usize].earliest,
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set by time and order, from which the first is taken.
        #[test]
        fn the_earliest_comes_first_and_of_one_instant_the_least(
            steps in prop::collection::vec((0u32..60, 0u64..1000, 0u16..50, 0u8..8), 1..300),
        ) {
            let (mut wheel, mut plain, mut now) = (Wheel::default(), BTreeSet::new(), 5u64);
            for (number, (shift, spread, turn, kind)) in steps.into_iter().enumerate() {
                let what = (turn, number);
                if kind < 5 {
                    // Soon, much later, at an instant that is passed already.
                    let ahead = (spread << shift.saturating_sub(10)) >> (shift % 11);
                    let at = if kind == 0 { now.saturating_sub(spread) } else { now.saturating_add(ahead) };
                    wheel.push(at, what);
                    plain.insert((at, what));
                } else {
                    if kind == 5 {
                        prop_assert_eq!(wheel.first(), plain.first().map(|(_, what)| what));
                    }
                    let first = plain.pop_first();
                    prop_assert_eq!(wheel.pop(), first.map(|(_, what)| what));
                    now = first.map_or(now, |(at, _)| at);
                }
                let next = plain.first().map_or(u64::MAX, |(at, _)| *at);
                prop_assert_eq!(wheel.next_time(), next);
            }
            while let Some((_, what)) = plain.pop_first() {
                prop_assert_eq!(wheel.pop(), Some(what));
            }
            prop_assert_eq!((wheel.pop(), wheel.next_time()), (None, u64::MAX));
        }
    }

    #[test]
    fn what_is_never_due_waits_behind_everything() {
        let mut wheel = Wheel::default();
        wheel.push(u64::MAX, 'z');
        wheel.push(7, 'b');
        wheel.push(0, 'a');
        assert_eq!([wheel.pop(), wheel.pop(), wheel.pop(), wheel.pop()], [Some('a'), Some('b'), Some('z'), None]);
    }
}
