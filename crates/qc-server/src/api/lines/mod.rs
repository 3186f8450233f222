//! Lines: runs of a key that go one after the other.

pub(super) mod list;
pub(super) mod resume;
