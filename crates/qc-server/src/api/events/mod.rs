//! The event buses: which types there are, and what is on them.

pub(super) mod list;
pub(super) mod types;
