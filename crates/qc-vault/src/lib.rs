//! Secrets: how files refer to them, where their values are found, and a type that cannot print them.
//!
//! Here: [`SecretRef`] (`secret://<name>`), [`Secret`] (never printed, wiped from memory), and [`Secrets`], which looks
//! a reference up for an environment in the vault, in a KV engine ([`KvKeeper`]), in mounted files, in a snapshot of the process environment, or in
//! memory.
//! A changed file is noticed at the next look-up, so that a rotation needs no restart, and `<name>.previous` stays
//! valid beside `<name>` while senders change over.
//!
//! [`leaks`] finds credentials where none should be.
//!
//! For secrets at rest: [`DataKey`] seals a value for its place ([`Binding`]), and a [`KeyRing`] wraps data keys with a
//! key-encryption key that is kept in a file, a variable, or a transit engine. [`Vault`] keeps sealed secrets in the
//! store, and the view of them that look-ups use.
//!
//! Deliberately not here: anything that reads the process environment itself (the snapshot is an argument).

mod checksum;
pub mod codes;
mod engine_login;
mod kv;
mod leak;
mod missing;
mod reference;
mod ring;
mod seal;
mod secret;
mod sources;
mod stored;

pub use checksum::{BASE62, checksum};
pub use engine_login::{EngineLogin, EngineLoginError};
pub use kv::{KvError, KvKeeper, KvParts, KvPlace, KvPlaceError, KvShelf};
pub use leak::{Leak, Sureness, leaks};
pub use missing::MissingSecret;
pub use reference::{SecretRef, SecretRefError};
pub use ring::{
    FileRing, KeyPlace, KeyPlaceError, KeyRing, KeyRingError, TransitKey, TransitRing,
    VariableRing, Wrapped,
};
pub use seal::{Binding, DataKey, KeyBytes, PLATFORM_OWNED, SealError, Sealed};
pub use secret::Secret;
pub use sources::Secrets;
pub use stored::{
    Cadence, DROP_LONGEST, Drill, Drilled, DropLink, EnvironmentKeys, GUEST_KINDS, Guest, KeyShown,
    SealedValue, SealedValues, SecretShown, SetSecret, Shelf, Vault, VaultError, VaultParts,
    VaultStatus, random_code,
};
