//! Who gets access tokens, and the keys that sign them.

pub(super) mod clients;
pub(super) mod keys;
pub(super) mod review;
