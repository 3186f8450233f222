//! What happened in the platform, and questions over it.

pub(super) mod failures;
pub(super) mod list;
pub(super) mod reconciliation;
