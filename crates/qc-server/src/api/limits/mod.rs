pub(super) mod list;
pub(super) mod near;
pub(super) mod outbound;
pub(super) mod traffic;
