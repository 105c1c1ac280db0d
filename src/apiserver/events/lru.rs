//! A bounded map that forgets what was not used for longest.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Values by text, at most `capacity` of them.
#[derive(Clone, Debug)]
pub(super) struct Lru<V> {
    capacity: usize,
    uses: u64,
    entries: FxHashMap<Arc<str>, (u64, V)>,
    by_use: BTreeMap<u64, Arc<str>>,
}

impl<V> Lru<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), uses: 0, entries: FxHashMap::default(), by_use: BTreeMap::new() }
    }

    /// The value under `key`, made if there is none; it now is the one used last.
    pub(super) fn use_or_insert(&mut self, key: &str, make: impl FnOnce() -> V) -> &mut V {
        self.uses += 1;
        let shared = match self.entries.get_key_value(key) {
            Some((shared, (last_use, _))) => {
                self.by_use.remove(last_use);
                shared.clone()
            }
            None => {
                self.make_room();
                key.into()
            }
        };
        self.by_use.insert(self.uses, shared.clone());
        let entry = self.entries.entry(shared).or_insert_with(|| (0, make()));
        entry.0 = self.uses;
        &mut entry.1
    }

    fn make_room(&mut self) {
        if self.entries.len() >= self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut lru = Lru::new(2);
        *lru.use_or_insert("a", || 1) += 10;
        lru.use_or_insert("b", || 2);
        assert_eq!(*lru.use_or_insert("a", || 0), 11);
        lru.use_or_insert("c", || 3);
        assert_eq!((lru.entries.len(), lru.by_use.len()), (2, 2));
        assert_eq!(*lru.use_or_insert("a", || 0), 11);
        assert_eq!(*lru.use_or_insert("b", || 4), 4);
    }
}
