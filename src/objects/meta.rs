//! Object metadata: identity, versions, labels, owners, finalizers.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Annotations, Labels, SharedList, Timestamp};

/// An object's uid. The simulated API server gives UUIDs, kept as integers; a manifest may carry any text.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub enum Uid {
    /// Not set yet.
    #[default]
    None,
    /// A UUID. In halves, since there are many and a `u128` is kept at multiples of 16 bytes.
    Uuid {
        /// The first eight bytes.
        high: u64,
        /// The last eight bytes.
        low: u64,
    },
    /// Any other text.
    Text(Arc<str>),
}

impl Uid {
    /// Whether no uid is set.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The uid of a UUID.
    #[must_use]
    pub const fn uuid(bits: u128) -> Self {
        Self::Uuid { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Reads a uid as text has it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::None;
        }
        let uuid = Self::parse_uuid(text);
        uuid.map_or_else(|| Self::Text(text.into()), Self::uuid)
    }

    fn parse_uuid(text: &str) -> Option<u128> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut value = 0u128;
        for (at, byte) in bytes.iter().enumerate() {
            match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                (_, b'0'..=b'9') => value = value << 4 | u128::from(byte - b'0'),
                (_, b'a'..=b'f') => value = value << 4 | u128::from(byte - b'a' + 10),
                _ => return None,
            }
        }
        Some(value)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Uuid { high, low } => write!(
                f,
                "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xffff,
                low >> 48,
                low & 0xffff_ffff_ffff
            ),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Uid {
    /// The order of the texts, which decides between pods of equal rank.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid { high: a, low: a_low }, Self::Uuid { high: b, low: b_low }) => (a, a_low).cmp(&(b, b_low)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&std::borrow::Cow::<'de, str>::deserialize(deserializer)?))
    }
}

/// A reference from a dependent to its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// Group and version of the owner, such as `apps/v1`.
    #[serde(default)]
    pub api_version: Arc<str>,
    /// Kind of the owner.
    #[serde(default)]
    pub kind: Arc<str>,
    /// Name of the owner, in the dependent's namespace or cluster-wide.
    #[serde(default)]
    pub name: Arc<str>,
    /// Uid of the owner.
    #[serde(default)]
    pub uid: Uid,
    /// Whether the owner manages the dependent; at most one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether foreground deletion of the owner waits for the dependent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// Metadata of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Name, unique in the namespace for the kind.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub name: Arc<str>,
    /// Namespace; empty for cluster-scoped kinds.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub namespace: Arc<str>,
    /// Prefix from which the API server makes a name where none is given.
    #[serde(skip_serializing_if = "super::skip::empty")]
    pub generate_name: Arc<str>,
    /// Uid given by the API server.
    #[serde(skip_serializing_if = "Uid::is_none")]
    pub uid: Uid,
    /// Store-wide revision of the last write; 0 = not stored yet.
    #[serde(with = "decimal", skip_serializing_if = "super::skip::zero")]
    pub resource_version: u64,
    /// Counts changes of the desired state.
    #[serde(skip_serializing_if = "super::skip::zero")]
    pub generation: i64,
    /// When the object was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
    /// When the object is to be gone; set = being deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Timestamp>,
    /// Seconds of grace that the deletion gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Labels.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Annotations.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub annotations: Annotations,
    /// Owners.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub owner_references: SharedList<OwnerReference>,
    /// Finalizers that hold the object's removal.
    #[serde(skip_serializing_if = "super::skip::none")]
    pub finalizers: SharedList<Arc<str>>,
}

mod decimal {
    use super::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(n: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(n)
    }

    /// A version that is not a number of ours can never match one: it is read as the highest.
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(if text.is_empty() { 0 } else { text.parse().unwrap_or(u64::MAX) })
    }
}

impl ObjectMeta {
    /// The reference to the managing controller, if any.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether the object is being deleted.
    #[must_use]
    pub const fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether `finalizer` is on the object.
    #[must_use]
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|f| &**f == finalizer)
    }
}
