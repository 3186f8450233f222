//! The codes of this crate's findings; each has a page in `docs/errors/`.

use qc_model::Code;

/// An operation that the simulator's file names is not in the OpenAPI document.
pub const UNKNOWN_OPERATION: Code = Code::new("QC-T001");
/// A collection that the simulator's file names is not a path of the OpenAPI document.
pub const UNKNOWN_COLLECTION: Code = Code::new("QC-T002");
/// A fault's `then` is not one of the known faults.
pub const UNKNOWN_FAULT: Code = Code::new("QC-T003");
/// A fault's `when` can never be true.
pub const IMPOSSIBLE_CONDITION: Code = Code::new("QC-T004");
/// A JSON Pointer or an id pattern is malformed.
pub const MALFORMED_PATTERN: Code = Code::new("QC-T005");
/// A simulator's folder lacks a file, or a file could not be read.
pub const UNREADABLE: Code = Code::new("QC-T006");
/// The outside ledger's file could not be opened for appending.
pub const LEDGER_FILE: Code = Code::new("QC-T007");
/// The address cannot be listened on, or is not a loopback address.
pub const ADDRESS: Code = Code::new("QC-T008");
/// The initial state in the simulator's file does not fit the document.
pub const INITIAL_STATE: Code = Code::new("QC-T009");
/// A batch of the simulator's file cannot be carried out.
pub const BAD_BATCH: Code = Code::new("QC-T010");
