use crate::Hash;

/// A tree of which only its right edge is kept: enough to add leaves and to give its root, in as many hashes as its
/// size has bits set (at most 64). The hashes are the roots of the perfect subtrees of which the tree is made, the
/// largest first ("compact range" of Certificate Transparency's tiled logs).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// From its parts; None when there are not as many hashes as a tree of this size has.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its perfect subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut right = leaf;
        // As many perfect subtrees become one with it as the size has ones at its end.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                right = Hash::node(&left, &right);
            }
        }
        self.peaks.push(right);
        self.size += 1;
    }

    /// The root: the Merkle Tree Hash of RFC 6962, section 2.1.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::empty() };
        peaks.fold(*last, |right, left| Hash::node(left, &right))
    }
}
