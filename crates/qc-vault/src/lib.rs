//! Secrets: how files refer to them, where their values are found, and a type that cannot print them.
//!
//! Here: [`SecretRef`] (`secret://<name>`), [`Secret`] (never printed, wiped from memory), and [`Secrets`], which looks
//! a reference up for an environment in mounted files, in a snapshot of the process environment, or in memory.
//! A changed file is noticed at the next look-up, so that a rotation needs no restart, and `<name>.previous` stays
//! valid beside `<name>` while senders change over.
//!
//! [`leaks`] finds credentials where none should be.
//!
//! Deliberately not here: sealing secrets at rest, key rings, rotation schedules, and anything that reads the process
//! environment itself (the snapshot is an argument).

mod checksum;
pub mod codes;
mod leak;
mod missing;
mod reference;
mod secret;
mod sources;

pub use checksum::{BASE62, checksum};
pub use leak::{Leak, Sureness, leaks};
pub use missing::MissingSecret;
pub use reference::{SecretRef, SecretRefError};
pub use secret::Secret;
pub use sources::Secrets;
