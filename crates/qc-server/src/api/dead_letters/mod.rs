//! Dead letters: runs that ended in failure and wait for a person.

pub(super) mod discard;
pub(super) mod list;
pub(super) mod retry;
