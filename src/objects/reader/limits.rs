//! What one input may cost.

/// Budgets of one input, against texts that are small to write and large to read. Going over one is an error
/// ([`ReadErrorKind::Limit`](super::ReadErrorKind::Limit)), never a truncated result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Bytes of the text. Default 64 MiB.
    pub max_input_bytes: usize,
    /// Documents of the text, items of lists included. Default 200 000.
    pub max_documents: usize,
    /// Keys, scalars and collections of the text, aliases expanded. Default 5 million (about 100 MB of manifests).
    pub max_nodes: usize,
    /// The share of `max_nodes` that aliases may add. Default 1 million.
    pub max_alias_nodes: usize,
    /// Bytes of text that aliases may add. Default 64 MiB.
    pub max_alias_bytes: usize,
    /// Nesting of collections, aliases expanded. Default 128; values above [`ReaderLimits::DEPTH_CEILING`] count as that.
    pub max_depth: usize,
    /// Bytes of one string or key. Default 4 MiB.
    pub max_scalar_bytes: usize,
    /// Errors that are collected before reading stops. Default 100; 0 counts as 1.
    pub max_errors: usize,
}

impl ReaderLimits {
    /// The deepest nesting that fits any thread's stack.
    pub const DEPTH_CEILING: usize = 250;

    pub(super) fn depth(&self) -> usize {
        self.max_depth.min(Self::DEPTH_CEILING)
    }
}

impl Default for ReaderLimits {
    fn default() -> Self {
        ReaderLimits {
            max_input_bytes: 64 << 20,
            max_documents: 200_000,
            max_nodes: 5_000_000,
            max_alias_nodes: 1_000_000,
            max_alias_bytes: 64 << 20,
            max_depth: 128,
            max_scalar_bytes: 4 << 20,
            max_errors: 100,
        }
    }
}

/// The budget that an input went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`ReaderLimits::max_input_bytes`].
    InputBytes,
    /// [`ReaderLimits::max_documents`].
    Documents,
    /// [`ReaderLimits::max_nodes`].
    Nodes,
    /// [`ReaderLimits::max_alias_nodes`] or [`ReaderLimits::max_alias_bytes`].
    Aliases,
    /// [`ReaderLimits::max_depth`].
    Depth,
    /// [`ReaderLimits::max_scalar_bytes`].
    ScalarBytes,
}

impl Limit {
    pub(super) fn message(self, limits: &ReaderLimits) -> String {
        match self {
            Limit::InputBytes => format!("the input is larger than {} bytes", limits.max_input_bytes),
            Limit::Documents => format!("more than {} documents", limits.max_documents),
            Limit::Nodes => format!("more than {} keys and values", limits.max_nodes),
            Limit::Aliases => format!(
                "aliases expand to more than {} keys and values or {} bytes",
                limits.max_alias_nodes, limits.max_alias_bytes
            ),
            Limit::Depth => format!("nested more than {} levels deep", limits.depth()),
            Limit::ScalarBytes => format!("a string of more than {} bytes", limits.max_scalar_bytes),
        }
    }
}
