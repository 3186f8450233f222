//! The server itself.

pub(super) mod happenings;
pub(super) mod metrics;
pub(super) mod openapi;
pub(super) mod show;
