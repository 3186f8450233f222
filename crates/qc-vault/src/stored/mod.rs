//! Secrets in the store: sealed, versioned, changed together with their audit rows.
//!
//! One document, the head, holds every wrapped key, and every change of the vault writes it anew, compared and set. So
//! a change decides on what nobody has changed since, nodes see by one revision whether something is new, and no
//! value is ever sealed with a key that another node has just retired.

mod decide;
mod documents;
mod drill;
mod drops;
mod error;
mod guests;
mod keys;
mod own;
mod shelf;
mod tend;
mod vault;
mod view;

pub use drill::{Drill, Drilled};
pub use drops::{DROP_LONGEST, DropLink, random_code};
pub use error::VaultError;
pub use guests::{GUEST_KINDS, Guest, SealedValue, SealedValues};
pub use keys::{EnvironmentKeys, KeyShown, VaultStatus};
pub use shelf::Shelf;
pub(crate) use shelf::Shelved;
pub use vault::{Cadence, SetSecret, Vault, VaultParts};
pub use view::SecretShown;
