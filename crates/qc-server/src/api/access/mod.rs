//! Who gets access tokens, the keys that sign them, and people with their sessions.

pub(super) mod clients;
pub(super) mod keys;
pub(super) mod people;
pub(super) mod review;
