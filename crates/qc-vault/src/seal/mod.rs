//! Sealing values: a data key of an environment, a key of its own for every value, and a binding to the value's place.
//!
//! Pure: keys, randomness and places are arguments. The scheme is the envelope encryption of the large clouds' key
//! services: a key-encryption key, which the vault never holds, wraps data keys ([`KeyRing`](crate::KeyRing)); a data
//! key and a fresh salt give a key for one value (HKDF-SHA-256, RFC 5869); AES-256-GCM (NIST SP 800-38D) seals with it.

mod binding;
mod data_key;
mod sealed;

pub use binding::{Binding, PLATFORM_OWNED};
pub use data_key::{DataKey, KeyBytes};
pub(crate) use data_key::{hex, random};
pub use sealed::{SealError, Sealed};
