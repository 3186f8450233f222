//! The stable codes of this crate; each has a page under `docs/errors/`.

use qc_model::Code;

/// A feature of the standard that the profile leaves out.
pub const UNSUPPORTED: Code = Code::new("QC-W001");
/// A task says not exactly one thing to do.
pub const TASK_KIND: Code = Code::new("QC-W002");
/// An item of a task list is not `name: task`.
pub const TASK_ITEM: Code = Code::new("QC-W003");
/// Two tasks of one list have the same name.
pub const DUPLICATE_TASK: Code = Code::new("QC-W004");
/// `then` names no task of the same list.
pub const UNKNOWN_TASK: Code = Code::new("QC-W005");
/// A name that `use` does not define.
pub const UNKNOWN_REFERENCE: Code = Code::new("QC-W006");
/// A secret is written into the file.
pub const LITERAL_SECRET: Code = Code::new("QC-W007");
/// A secret-typed field is taken from data instead of from `$secrets`.
pub const SECRET_FROM_DATA: Code = Code::new("QC-W008");
/// The `document` section is not valid.
pub const DOCUMENT: Code = Code::new("QC-W009");
/// A text is no duration.
pub const DURATION: Code = Code::new("QC-W011");
/// A connector has no such operation.
pub const UNKNOWN_OPERATION: Code = Code::new("QC-W012");
/// A secret that `use.secrets` does not declare.
pub const UNKNOWN_SECRET: Code = Code::new("QC-W013");
/// A variable has a name that cannot be used.
pub const VARIABLE_NAME: Code = Code::new("QC-W014");
/// A function calls itself.
pub const RECURSIVE_FUNCTION: Code = Code::new("QC-W015");
/// The workflow has too many tasks or nests too deeply.
pub const TOO_LARGE: Code = Code::new("QC-W016");
/// An endpoint is no usable address.
pub const ENDPOINT: Code = Code::new("QC-W017");
/// A retry policy contradicts itself.
pub const RETRY_POLICY: Code = Code::new("QC-W018");
/// A JSON Schema in the workflow cannot be compiled.
pub const SCHEMA: Code = Code::new("QC-W019");
/// A `switch` has more than one case without `when`.
pub const SWITCH: Code = Code::new("QC-W020");
/// A call is sent once and parks the run when its outcome is unknown.
pub const SENT_ONCE: Code = Code::new("QC-W021");
/// A text in a data field looks like an expression and is not one.
pub const LOOKS_LIKE_EXPRESSION: Code = Code::new("QC-W022");
/// A filter of events cannot be used.
pub const EVENT_FILTER: Code = Code::new("QC-W023");
/// A schedule cannot be used.
pub const SCHEDULE: Code = Code::new("QC-W024");
/// A compensation refers to a task that is not there, or to one that cannot be compensated.
pub const COMPENSATION: Code = Code::new("QC-W025");
/// The arguments of `state.…` or `crossref.…` are not those that it has.
pub const KEPT_ARGUMENTS: Code = Code::new("QC-P072");

/// An expression failed while the run was executing.
pub const EXPRESSION_FAILED: Code = Code::new("QC-W101");
/// Data do not fit the schema that the workflow states.
pub const SCHEMA_MISMATCH: Code = Code::new("QC-W102");
/// A task took longer than its timeout.
pub const TASK_TIMEOUT: Code = Code::new("QC-W103");
/// The workflow took longer than its timeout.
pub const WORKFLOW_TIMEOUT: Code = Code::new("QC-W104");
/// The run was not over at its deadline.
pub const DEADLINE: Code = Code::new("QC-W115");
/// The run executed more tasks than a run may.
pub const STEP_BUDGET: Code = Code::new("QC-W105");
/// The workflow raised an error of its own.
pub const RAISED: Code = Code::new("QC-W106");
/// A loop's collection is no array.
pub const NOT_A_LIST: Code = Code::new("QC-W107");
/// The arguments of a call cannot be used.
pub const CALL_ARGUMENTS: Code = Code::new("QC-W108");
/// An expression for a duration gave something else.
pub const DURATION_VALUE: Code = Code::new("QC-W109");
/// Workflows run workflows more deeply than may be.
pub const NESTED_TOO_DEEPLY: Code = Code::new("QC-W110");
/// A workflow that another one runs was cancelled.
pub const CHILD_CANCELLED: Code = Code::new("QC-W111");
/// What a correlation expects is null.
pub const NOTHING_EXPECTED: Code = Code::new("QC-W112");
/// An event that a task emits is no CloudEvent.
pub const NO_CLOUD_EVENT: Code = Code::new("QC-W113");
/// The data of an emitted event do not fit the contract of their publication.
pub const BROKEN_PROMISE: Code = Code::new("QC-W114");
/// A system did not come back within the time for which a call is held for it.
pub const HELD_TOO_LONG: Code = Code::new("QC-R030");
/// Too many runs wait for a system.
pub const HELD_TOO_MANY: Code = Code::new("QC-R031");
