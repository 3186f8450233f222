//! The vault's keys.

pub(super) mod drill;
pub(super) mod due;
pub(super) mod rewrap;
pub(super) mod rotate;
pub(super) mod show;
