//! The error codes of the command line and the configuration. Each has a page in `docs/errors/`.

use qc_model::Code;

/// A setting that does not exist.
pub(crate) const UNKNOWN_SETTING: Code = Code::new("QC-K001");
/// A setting whose value cannot be used.
pub(crate) const BAD_SETTING: Code = Code::new("QC-K002");
/// The configuration file cannot be read.
pub(crate) const CONFIG_FILE: Code = Code::new("QC-K003");
/// The data directory cannot be used.
pub(crate) const DATA_DIRECTORY: Code = Code::new("QC-K004");
/// The address cannot be listened on.
pub(crate) const LISTEN: Code = Code::new("QC-K005");
/// The TLS files cannot be used.
pub(crate) const TLS: Code = Code::new("QC-K006");
/// There is no context: neither address nor token of a server.
pub(crate) const NO_CONTEXT: Code = Code::new("QC-K007");
/// The context file can be read by others, or not at all.
pub(crate) const CONTEXT_FILE: Code = Code::new("QC-K008");
/// The server does not answer.
pub(crate) const UNREACHABLE: Code = Code::new("QC-K009");
/// What the server answered is not understood.
pub(crate) const BAD_ANSWER: Code = Code::new("QC-K010");
/// The clocks of this machine and the server differ.
pub(crate) const CLOCK: Code = Code::new("QC-K011");
/// There is little room on the disk.
pub(crate) const DISK: Code = Code::new("QC-K012");
/// A file that the command needs cannot be read or written.
pub(crate) const FILE: Code = Code::new("QC-K013");
/// The program and the server are of different versions.
pub(crate) const VERSIONS: Code = Code::new("QC-K014");
/// Spans of traces were dropped.
pub(crate) const SPANS_DROPPED: Code = Code::new("QC-K015");
/// There is no database in the data directory.
pub(crate) const NO_DATABASE: Code = Code::new("QC-K016");
/// The session of the command line is over.
pub(crate) const SESSION_OVER: Code = Code::new("QC-K017");
/// Nobody signed in for the command line.
pub(crate) const NOT_SIGNED_IN: Code = Code::new("QC-K018");
/// What the command line names is not there.
pub(crate) const NOTHING_CHOSEN: Code = Code::new("QC-K020");
/// The program itself failed at a place that should never fail.
pub(crate) const CRASHED: Code = Code::new("QC-K021");
/// What was received is not all accounted for.
pub(crate) const IMBALANCE: Code = Code::new("QC-S028");

/// Messages of a queue are held back: they cannot be taken now.
pub(crate) const HELD: Code = Code::new("QC-B009");
/// What the command line says of what an integration keeps cannot be done, or is not there.
pub(crate) const NOT_KEPT: Code = Code::new("QC-R049");

/// A file is no export of the audit.
pub(crate) const AUDIT_FORM: Code = Code::new("QC-A031");
/// The entries of an export are not those that were signed.
pub(crate) const AUDIT_CHANGED: Code = Code::new("QC-A032");
/// A checkpoint of the audit is not signed by a key that is believed.
pub(crate) const AUDIT_SIGNATURE: Code = Code::new("QC-A033");
/// The audit contradicts a checkpoint from elsewhere.
pub(crate) const AUDIT_REWRITTEN: Code = Code::new("QC-A034");
/// Rows of the audit are missing.
pub(crate) const AUDIT_MISSING: Code = Code::new("QC-A035");
/// A key of the audit cannot be used.
pub(crate) const AUDIT_KEY: Code = Code::new("QC-A036");
/// A decision of the audit cannot be made again here.
pub(crate) const OTHER_POLICIES: Code = Code::new("QC-A045");
/// A load test could not be carried out.
pub(crate) const LOAD_TEST: Code = Code::new("QC-K022");
/// The command line is not understood.
pub(crate) const COMMAND_LINE: Code = Code::new("QC-K023");
/// A verb asks a server for what it does not name: a mistake of the program.
pub(crate) const UNNAMED_ACTION: Code = Code::new("QC-C015");
