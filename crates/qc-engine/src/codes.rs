//! The engine's error codes. Each has a page in `docs/errors`.

use qc_model::Code;

/// The media type is not one that the trigger takes.
pub const MEDIA_TYPE: Code = Code::new("QC-I004");
/// The data do not fit the trigger's contract.
pub const CONTRACT: Code = Code::new("QC-I009");
/// The idempotency key cannot be used.
pub const BAD_KEY: Code = Code::new("QC-I010");
/// The tenant cannot be found from the event.
pub const NO_TENANT: Code = Code::new("QC-I011");

/// The idempotency key was used before for another body.
pub const KEY_REUSED: Code = Code::new("QC-I012");

/// The store is too slow to take more.
pub const COMMITS_SLOW: Code = Code::new("QC-I037");
/// Runs wait too long for their place to take more.
pub const BACKLOG_OLD: Code = Code::new("QC-I038");
/// A tenant has as many open runs as it may.
pub const TENANT_QUOTA: Code = Code::new("QC-I039");
/// The disk of the store is nearly full.
pub const DISK_LOW: Code = Code::new("QC-I040");

/// An expression of the trigger failed on the event.
pub const TRIGGER_EXPRESSION: Code = Code::new("QC-R001");
/// A call may or may not have taken effect and must not be sent again unasked.
pub const AMBIGUOUS: Code = Code::new("QC-R002");
/// A run was in flight at too many ends of the process.
pub const POISON: Code = Code::new("QC-R003");
/// The release to which a run is pinned cannot be loaded.
pub const NO_RELEASE: Code = Code::new("QC-R004");
/// A run has no reason to go on: the platform's own fault.
pub const STUCK: Code = Code::new("QC-R005");
/// A call was cut off: its time was up, or it lost the race.
pub const CUT_OFF: Code = Code::new("QC-R007");
/// The code that performs a call panicked.
pub const BROKE_OFF: Code = Code::new("QC-R009");
/// An event that is to be published can go nowhere.
pub const UNROUTABLE: Code = Code::new("QC-B022");
/// The answer to a poll cannot be used.
pub const POLL_ANSWER: Code = Code::new("QC-B020");
/// What a poll brought cannot be taken now.
pub const POLL_NOT_TAKEN: Code = Code::new("QC-B021");
/// A workflow that is to be run is not deployed.
pub const NO_WORKFLOW: Code = Code::new("QC-R010");
/// A run for which another one waits is not in the store any more.
pub const CHILD_GONE: Code = Code::new("QC-R011");
/// An event does not fit the contract of a subscription.
pub const SUBSCRIPTION_CONTRACT: Code = Code::new("QC-R012");
/// An event has come through too many runs.
pub const ROUND: Code = Code::new("QC-R013");
/// A journal cannot be read.
pub const JOURNAL: Code = Code::new("QC-R008");
