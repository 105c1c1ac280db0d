//! A bounded map that forgets what was not used for longest.

use rustc_hash::FxHashMap;

/// No slot.
const NONE: u32 = u32::MAX;

/// Values by key, at most `capacity` of them, in a list from the one used last to the one not used for longest.
#[derive(Clone, Debug)]
pub(super) struct Lru<V> {
    capacity: usize,
    by_key: FxHashMap<u64, u32>,
    slots: Vec<Slot<V>>,
    newest: u32,
    oldest: u32,
}

#[derive(Clone, Debug)]
struct Slot<V> {
    key: u64,
    value: V,
    newer: u32,
    older: u32,
}

impl<V: Default> Lru<V> {
    pub(super) fn new(capacity: u32) -> Self {
        let capacity = capacity.clamp(1, NONE) as usize;
        Self { capacity, by_key: FxHashMap::default(), slots: Vec::new(), newest: NONE, oldest: NONE }
    }

    /// The value under `key`, the default if there is none; it now is the one used last.
    pub(super) fn value(&mut self, key: u64) -> &mut V {
        let at = match self.by_key.get(&key) {
            Some(&at) => {
                self.unlink(at);
                at
            }
            None => self.take_slot(key),
        };
        self.link_as_newest(at);
        &mut self.slots[at as usize].value
    }

    /// A slot for a new key that is in no list: another one, or that of the oldest.
    fn take_slot(&mut self, key: u64) -> u32 {
        let slot = Slot { key, value: V::default(), newer: NONE, older: NONE };
        let at = if self.slots.len() < self.capacity {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        } else {
            let at = self.oldest;
            self.unlink(at);
            let forgotten = std::mem::replace(&mut self.slots[at as usize], slot);
            self.by_key.remove(&forgotten.key);
            at
        };
        self.by_key.insert(key, at);
        at
    }

    fn unlink(&mut self, at: u32) {
        let (newer, older) = (self.slots[at as usize].newer, self.slots[at as usize].older);
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_as_newest(&mut self, at: u32) {
        let older = std::mem::replace(&mut self.newest, at);
        let slot = &mut self.slots[at as usize];
        (slot.newer, slot.older) = (NONE, older);
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = at,
            None => self.oldest = at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut lru: Lru<i32> = Lru::new(2);
        *lru.value(1) += 10;
        *lru.value(2) += 20;
        assert_eq!(*lru.value(1), 10);
        *lru.value(3) += 30;
        assert_eq!((*lru.value(1), *lru.value(3), *lru.value(2)), (10, 30, 0));
        assert_eq!((lru.by_key.len(), lru.slots.len()), (2, 2));
    }

    proptest! {
        #[test]
        fn it_keeps_the_last_distinct_keys(keys in prop::collection::vec(0u64..12, 0..200), capacity in 1u32..8) {
            let mut lru: Lru<u64> = Lru::new(capacity);
            let mut model: Vec<(u64, u64)> = Vec::new();
            for key in keys {
                let known = model.iter().position(|(known, _)| *known == key).map(|at| model.remove(at).1);
                model.push((key, known.unwrap_or(0) + 1));
                let excess = model.len().saturating_sub(capacity as usize);
                model.drain(..excess);
                let value = lru.value(key);
                *value += 1;
                prop_assert_eq!(*value, known.unwrap_or(0) + 1);
                prop_assert_eq!(lru.by_key.len(), model.len());
            }
        }
    }
}
