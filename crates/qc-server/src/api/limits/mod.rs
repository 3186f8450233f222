pub(super) mod list;
pub(super) mod near;
