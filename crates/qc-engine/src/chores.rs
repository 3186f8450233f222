//! Chores of the whole platform, which one node does for all.

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::RunId;

use crate::Engine;

impl Engine {
    /// Whether this node is the one that does a chore: the one that may run the runs of its bucket. While the bucket
    /// changes hands two may, or none for a moment: a chore must bear both.
    pub fn does(&self, chore: &str) -> bool {
        let hash = digest(&SHA256, chore.as_bytes());
        let number = hash.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        // A run's bucket is the rest of its number.
        self.shared.leases.owns(RunId::from_bits(number)) && !self.shared.is_draining()
    }
}
