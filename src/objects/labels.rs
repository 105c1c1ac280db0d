//! Label and annotation maps: sorted, immutable, shared.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::{Array, SmallVec};

/// An immutable list that is cheap to clone and costs nothing when empty.
pub struct SharedList<T>(Option<Arc<[T]>>);

impl<T> SharedList<T> {
    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether both share one allocation (or are both empty): a fast "certainly equal".
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl<T> Clone for SharedList<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
impl<T> Default for SharedList<T> {
    fn default() -> Self {
        Self::new()
    }
}
impl<T> Deref for SharedList<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or(&[])
    }
}
impl<T> From<Vec<T>> for SharedList<T> {
    fn from(items: Vec<T>) -> Self {
        if items.is_empty() { Self(None) } else { Self(Some(items.into())) }
    }
}
impl<A: Array> From<SmallVec<A>> for SharedList<A::Item> {
    fn from(items: SmallVec<A>) -> Self {
        Self::from(items.into_vec())
    }
}
impl<T> FromIterator<T> for SharedList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        Self::from(iter.into_iter().collect::<Vec<_>>())
    }
}
impl<'a, T> IntoIterator for &'a SharedList<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
impl<T: PartialEq> PartialEq for SharedList<T> {
    fn eq(&self, other: &Self) -> bool {
        self.ptr_eq(other) || **self == **other
    }
}
impl<T: Eq> Eq for SharedList<T> {}
impl<T: Hash> Hash for SharedList<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
impl<T: fmt::Debug> fmt::Debug for SharedList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
impl<T: Serialize> Serialize for SharedList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
impl<'de, T: Deserialize<'de>> Deserialize<'de> for SharedList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default().into())
    }
}

/// A string map of an object's metadata (labels, annotations, node selectors): sorted by key, shared between
/// all objects made from one template.
///
/// ```
/// use seatrial::objects::Labels;
/// let labels: Labels = [("app", "web"), ("tier", "front")].into_iter().collect();
/// assert_eq!(labels.get("app"), Some("web"));
/// assert_eq!(labels.with("app", "db").get("app"), Some("db"));
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(SharedList<(Arc<str>, Arc<str>)>);

/// Annotations are stored as labels are.
pub type Annotations = Labels;

impl Labels {
    /// The empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(SharedList::new())
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.position(key).ok().map(|at| &*self.0[at].1)
    }

    /// The value under `key`, as a shared string.
    #[must_use]
    pub fn get_shared(&self, key: &str) -> Option<&Arc<str>> {
        self.position(key).ok().map(|at| &self.0[at].1)
    }

    /// Whether `key` is present.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_ok()
    }

    /// Pairs in key order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Pairs in key order, as shared strings.
    pub fn shared(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// How many pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The map with `key` set to `value`; shares this map if that changes nothing.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        match self.position(key) {
            Ok(at) if &*self.0[at].1 == value => self.clone(),
            Ok(at) => {
                let mut pairs = self.0.to_vec();
                pairs[at].1 = value.into();
                Self(pairs.into())
            }
            Err(at) => {
                let mut pairs = self.0.to_vec();
                pairs.insert(at, (key.into(), value.into()));
                Self(pairs.into())
            }
        }
    }

    /// The map without `key`; shares this map if it is absent.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        match self.position(key) {
            Ok(at) => {
                let mut pairs = self.0.to_vec();
                pairs.remove(at);
                Self(pairs.into())
            }
            Err(_) => self.clone(),
        }
    }

    /// Whether every pair of `other` is in this map.
    #[must_use]
    pub fn contains_all(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || other.iter().all(|(key, value)| self.get(key) == Some(value))
    }

    /// Whether both share one allocation.
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| (**k).cmp(key))
    }
}

impl<K: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(K, V)> for Labels {
    /// A later pair wins over an earlier one of the same key.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = iter.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|next, first| next.0 == first.0);
        Self(pairs.into())
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }
            fn visit_unit<E>(self) -> Result<Labels, E> {
                Ok(Labels::new())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Option<String>>()? {
                    pairs.push((key, value.unwrap_or_default()));
                }
                Ok(pairs.into_iter().collect())
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_wins_and_pairs_are_sorted() {
        let labels: Labels = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    }

    #[test]
    fn setting_the_same_value_shares_the_allocation() {
        let labels: Labels = [("a", "1")].into_iter().collect();
        assert!(labels.with("a", "1").ptr_eq(&labels));
        assert!(labels.without("x").ptr_eq(&labels));
        assert!(labels.without("a").is_empty());
    }
}
