//! The error codes of this crate. Each has a page in `docs/errors/`.

use qc_model::Code;

/// A secret that is referred to is nowhere to be found.
pub const MISSING_SECRET: Code = Code::new("QC-V001");
/// A text is not a secret reference.
pub const BAD_REFERENCE: Code = Code::new("QC-V002");
/// A secret's file can be read by everybody.
pub const WORLD_READABLE: Code = Code::new("QC-V003");
/// A file holds what has the form of a credential.
pub const LEAKED: Code = Code::new("QC-V030");
/// A file holds what stands where a credential would, and looks like one.
pub const MAY_BE_LEAKED: Code = Code::new("QC-V031");
/// A secret was found but cannot be used: unreadable, empty, too large, or not text.
pub const UNUSABLE_SECRET: Code = Code::new("QC-V004");
/// Nothing can be stored in the vault, as no key-encryption key is set.
pub const VAULT_OFF: Code = Code::new("QC-V005");
/// The key ring that wraps the vault's data keys cannot be used.
pub const KEY_RING: Code = Code::new("QC-V006");
/// A value that another environment uses.
pub const SHARED_VALUE: Code = Code::new("QC-V007");
/// What the vault holds was changed, or copied from another place, and does not open.
pub const NOT_OPENING: Code = Code::new("QC-V008");
/// The vault does not hold what is named.
pub const NOTHING_THERE: Code = Code::new("QC-V009");
/// A secret, or its cadence or overlap, that the vault does not take.
pub const UNFIT_SECRET: Code = Code::new("QC-V010");
/// A secret whose time to be changed is past.
pub const OVERDUE: Code = Code::new("QC-V011");
/// The KV engine does not let us in, or does not let us see a secret.
pub const KV_DENIED: Code = Code::new("QC-V012");
/// The KV engine is sealed.
pub const KV_SEALED: Code = Code::new("QC-V013");
/// The KV engine cannot be reached.
pub const KV_UNAVAILABLE: Code = Code::new("QC-V014");
/// Secrets of a KV engine are known from before only.
pub const KV_STALE: Code = Code::new("QC-V015");
