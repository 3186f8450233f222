//! The vault's keys.

pub(super) mod rewrap;
pub(super) mod rotate;
pub(super) mod show;
