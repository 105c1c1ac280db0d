//! Sets of kinds.

use crate::objects::Kind;

/// A set of kinds, such as those that a component watches.
///
/// ```
/// use seatrial::api::KindSet;
/// use seatrial::objects::Kind;
/// const WORKLOADS: KindSet = KindSet::of(&[Kind::Deployment, Kind::ReplicaSet]);
/// assert!(WORKLOADS.contains(Kind::Deployment) && !WORKLOADS.contains(Kind::Pod));
/// assert!(KindSet::ALL.contains(Kind::Opaque));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSet(u64);

impl Default for KindSet {
    /// Every kind.
    fn default() -> Self {
        Self::ALL
    }
}

// A bit for every kind; `Opaque` is the last one.
const _: () = assert!((Kind::Opaque as u32) < u64::BITS);

impl KindSet {
    /// Every kind.
    pub const ALL: Self = Self(u64::MAX);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// These kinds.
    #[must_use]
    pub const fn of(kinds: &[Kind]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < kinds.len() {
            bits |= 1 << kinds[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// All kinds but these.
    #[must_use]
    pub const fn all_but(kinds: &[Kind]) -> Self {
        Self(!Self::of(kinds).0)
    }

    /// Whether a kind is in it.
    #[must_use]
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// Whether they have a kind in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kinds of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
