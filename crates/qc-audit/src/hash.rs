use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What a hash of a leaf begins with (RFC 6962, section 2.1): no leaf can be taken for a node.
const LEAF: u8 = 0;
/// What a hash of a node begins with.
const NODE: u8 = 1;

/// A hash of the tree: SHA-256. As text it is standard base64 with padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of a leaf: `SHA-256(0x00 || leaf)`.
    pub fn leaf(leaf: &[u8]) -> Self {
        Self::of(&[&[LEAF], leaf])
    }

    /// Of a node over two others: `SHA-256(0x01 || left || right)`.
    pub fn node(left: &Self, right: &Self) -> Self {
        Self::of(&[&[NODE], &left.0, &right.0])
    }

    /// Of a tree without leaves: SHA-256 of nothing.
    pub fn empty() -> Self {
        Self::of(&[])
    }

    /// Reads the text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        Self(context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
