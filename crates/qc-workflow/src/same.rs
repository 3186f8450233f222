//! Whether two compiled workflows are one and the same to a run that is under way.

use crate::{CallSite, Program};

impl Program {
    /// Whether a run that began with `other` goes on with this one as if nothing had changed: the same definition, and the
    /// same policies at the same calls, so that a journal of the one folds into the same state of the other. Where
    /// it stands in its file does not matter.
    pub fn continues(&self, other: &Self) -> bool {
        let same = |(a, b): (&CallSite, &CallSite)| {
            a.pointer == b.pointer && a.target == b.target && a.policy == b.policy
        };
        self.definition == other.definition
            && self.calls.len() == other.calls.len()
            && self.calls.iter().zip(&other.calls).all(same)
            && self.compensated().eq(other.compensated())
    }
}
