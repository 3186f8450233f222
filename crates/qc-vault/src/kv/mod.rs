//! Secrets that are kept in a KV engine, version 2, of HashiCorp Vault or OpenBao.
//!
//! Look-ups are synchronous and answered from memory ([`KvShelf`]); [`KvKeeper`] reads what was looked for, and reads it
//! again now and then. So an engine that is away stops nothing that has begun, up to a bound.

mod keeper;
mod place;
mod read;
mod shelf;
#[cfg(test)]
mod tests;

pub use keeper::{KvKeeper, KvParts};
pub use place::{KvPlace, KvPlaceError};
pub use read::KvError;
pub(crate) use read::ask;
pub(crate) use shelf::Kept;
pub use shelf::KvShelf;
