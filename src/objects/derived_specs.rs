//! Pod specs that are made from others, once for all pods that need the same.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::pod_spec::PodSpec;

/// How many are remembered.
const SPECS_MAX: usize = 1024;

/// What was made of specs, by the identity of the spec and of what else it depends on, so that the pods of one template share
/// one. What is forgotten is made again, and equal.
#[derive(Clone, Debug)]
pub(crate) struct DerivedSpecs<K, V>(FxHashMap<(usize, K), Derived<V>>);

#[derive(Clone, Debug)]
struct Derived<V> {
    /// Kept so that no other spec comes to the same address.
    from: Arc<PodSpec>,
    to: V,
}

impl<K, V> Default for DerivedSpecs<K, V> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<K: Eq + Hash, V: Clone> DerivedSpecs<K, V> {
    /// What the spec comes to. It must depend on nothing but the spec and the key, until [`forget`](Self::forget).
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn of<E>(&mut self, spec: &Arc<PodSpec>, key: K, make: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        let key = (Arc::as_ptr(spec).addr(), key);
        if let Some(known) = self.0.get(&key) {
            return Ok(known.to.clone());
        }
        let to = make(&key.1)?;
        if self.0.len() >= SPECS_MAX {
            self.0.retain(|_, known| Arc::strong_count(&known.from) > 1);
        }
        if self.0.len() >= SPECS_MAX {
            self.forget();
        }
        self.0.insert(key, Derived { from: Arc::clone(spec), to: to.clone() });
        Ok(to)
    }

    /// Forgets all of them.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_derived_once_for_a_key_and_not_taken_for_another_at_its_address() {
        let mut derived = DerivedSpecs::default();
        let mut made = 0;
        let mut of = |spec: &Arc<PodSpec>, key: u8| {
            let make = |_: &u8| {
                made += 1;
                Ok::<_, ()>(made)
            };
            derived.of(spec, key, make).expect("made")
        };
        let spec = Arc::new(PodSpec::default());
        assert_eq!([of(&spec, 1), of(&spec, 1), of(&spec, 2), of(&spec.clone(), 2)], [1, 1, 2, 2]);
        // Specs that nobody else holds make room, at addresses that are still taken while they are remembered.
        let each: Vec<i32> = (0..3 * SPECS_MAX).map(|_| of(&Arc::new(PodSpec::default()), 1)).collect();
        assert!(each.is_sorted_by(|a, b| a < b));
        assert_eq!(of(&spec, 1), 1);
    }
}
