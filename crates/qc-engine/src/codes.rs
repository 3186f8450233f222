//! The engine's error codes. Each has a page in `docs/errors`.

use qc_model::Code;
pub use qc_workflow::codes::RAISED;

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

/// The version of the contract that the sender speaks does not answer any more.
pub const VERSION_RETIRED: Code = Code::new("QC-I051");
/// The event fits its version and cannot be taken to the one of the workflow.
pub const VERSION_CONVERSION: Code = Code::new("QC-I052");

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
/// A run failed, and those of its key wait until somebody decides.
pub const KEY_PARKED: Code = Code::new("QC-R032");
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

/// There is no such group of failures.
pub const NO_GROUP: Code = Code::new("QC-I023");
/// What is said of a group of failures cannot be taken.
pub const BAD_WORD: Code = Code::new("QC-I024");
/// Others change a group of failures or a bulk at the same time.
pub const GROUP_CHANGED: Code = Code::new("QC-I025");
/// A bulk's filter, reason or rate does not do.
pub const BULK_UNFIT: Code = Code::new("QC-I026");
/// More runs pass the filter than a bulk takes.
pub const BULK_TOO_MANY: Code = Code::new("QC-I027");
/// There is no such bulk.
pub const NO_BULK: Code = Code::new("QC-I028");
/// A bulk is not in a state for this.
pub const BULK_STATE: Code = Code::new("QC-I029");
/// A value of a state is not as its writer expected it.
pub const STATE_CONFLICT: Code = Code::new("QC-R040");
/// An id is linked to another one already.
pub const LINK_CONFLICT: Code = Code::new("QC-R041");
/// A key, an id or a value is larger than what is kept.
pub const KEPT_TOO_LARGE: Code = Code::new("QC-R042");
/// A value does not fit the schema of its state.
pub const KEPT_SCHEMA: Code = Code::new("QC-R043");
/// An argument of a call to what is kept does not do.
pub const KEPT_ARGUMENT: Code = Code::new("QC-R044");
/// Others wrote the same at the same time, again and again.
pub const KEPT_CONTENDED: Code = Code::new("QC-R045");
/// What is kept cannot be read now.
pub const KEPT_UNREADABLE: Code = Code::new("QC-R046");
/// What a call writes could not be marked: its echo will not be recognised.
pub const ECHO_UNMARKED: Code = Code::new("QC-R047");
/// The release declares no state or table of that name.
pub const KEPT_UNKNOWN: Code = Code::new("QC-R048");

/// The provider says that an operation ends.
pub const OPERATION_ENDS: Code = Code::new("QC-R080");
/// There is no such finding of drift.
pub const NO_FINDING: Code = Code::new("QC-R081");

/// Past runs are played for another request just now.
pub const REHEARSAL_BUSY: Code = Code::new("QC-R090");

/// Fixtures of a trigger without a contract were asked for.
pub const NO_CONTRACT: Code = Code::new("QC-R091");

/// Data may not go where it was to go.
pub const DATA_DENIED: Code = Code::new("QC-R070");

/// A person cannot be asked what a workflow wants to ask.
pub const TASK_ARGUMENTS: Code = Code::new("QC-H001");
/// Nobody answered in time.
pub const TASK_EXPIRED: Code = Code::new("QC-H002");
/// There is no such task.
pub const NO_TASK: Code = Code::new("QC-H003");
/// The answer is to something else than what is shown.
pub const TASK_STALE: Code = Code::new("QC-H004");
/// The task is over.
pub const TASK_OVER: Code = Code::new("QC-H005");
/// Only a person answers.
pub const NOT_A_PERSON: Code = Code::new("QC-H006");
/// The person is not one of those who are asked.
pub const NOT_ASKED: Code = Code::new("QC-H007");
/// The answer does not fit the task.
pub const TASK_ANSWER: Code = Code::new("QC-H008");
/// The act is not one that the task offers.
pub const TASK_ACT: Code = Code::new("QC-H009");
/// It is not said what was seen.
pub const TASK_HASH: Code = Code::new("QC-H010");
