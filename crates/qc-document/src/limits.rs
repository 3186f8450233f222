//! How much text, nesting and expansion a document may have.

/// The bounds of one parse. Whatever exceeds one of them is a finding, never a crash or a slow death.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseLimits {
    /// Longest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of sequences and mappings; a scalar document has depth 0. Values above
    /// [`ParseLimits::DEEPEST`] are treated as that.
    pub depth: usize,
    /// Most nodes (scalars, sequences and mappings) in the tree, expanded aliases included.
    pub nodes: usize,
    /// Most nodes that YAML aliases may add by being expanded ("billion laughs").
    pub alias_nodes: usize,
}

impl ParseLimits {
    /// No limit can allow deeper nesting than this: the parsers recurse, and a thread's stack is finite.
    pub const DEEPEST: usize = 256;

    /// For bodies that strangers send: 1 MiB, depth 64, 200,000 nodes, no aliases.
    pub const fn ingress() -> Self {
        Self { bytes: 1 << 20, depth: 64, nodes: 200_000, alias_nodes: 0 }
    }
}

impl Default for ParseLimits {
    /// For the files of a project: 32 MiB, depth 128, 5 million nodes, 100,000 nodes from aliases.
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 128, nodes: 5_000_000, alias_nodes: 100_000 }
    }
}
