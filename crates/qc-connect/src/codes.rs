//! The error codes of this crate. Each has a page in `docs/errors/`.

use qc_model::Code;

// Connector packages.

/// A connector's folder lacks a file that it needs.
pub const MISSING_FILE: Code = Code::new("QC-N001");
/// A connector's name is not the name of its folder.
pub const NAME_MISMATCH: Code = Code::new("QC-N002");
/// `operations` names an operation that the document does not have.
pub const UNKNOWN_OPERATION: Code = Code::new("QC-N003");
/// An operation that changes something has no declared effect class.
pub const UNDECLARED_EFFECT: Code = Code::new("QC-N004");
/// An expression in a connector is wrong.
pub const BAD_EXPRESSION: Code = Code::new("QC-N005");
/// A declared effect class lacks what it needs.
pub const INCOMPLETE_EFFECT: Code = Code::new("QC-N006");
/// A base URL is unusable.
pub const BAD_BASE_URL: Code = Code::new("QC-N008");
/// A variable that a connector uses has no value in the environment.
pub const MISSING_VARIABLE: Code = Code::new("QC-N009");
/// An error rule can never match or says nothing.
pub const BAD_ERROR_RULE: Code = Code::new("QC-N010");
/// The document says of an error that neither a rule nor its status tells what it means.
pub const UNMAPPED_ERROR: Code = Code::new("QC-N012");
/// An error rule comes after one that fits wherever it does.
pub const SHADOWED_RULE: Code = Code::new("QC-N013");
/// A declared limit is none that can be kept.
pub const BAD_LIMIT: Code = Code::new("QC-N011");

/// Calls of an operation cannot go together as it is declared.
pub const BAD_BATCH: Code = Code::new("QC-N014");

// Calls.

/// The arguments of a call break the contract.
pub const INVALID_REQUEST: Code = Code::new("QC-N101");
/// The release holds no such connector, operation or document.
pub const UNKNOWN_TARGET: Code = Code::new("QC-N102");
/// The connector has no base URL for the environment.
pub const NO_BASE_URL: Code = Code::new("QC-N103");
/// The other side could not be reached; nothing was sent.
pub const UNREACHABLE: Code = Code::new("QC-N104");
/// The request was sent, and no complete answer came.
pub const NO_ANSWER: Code = Code::new("QC-N105");
/// No answer within the time allowed.
pub const TIMED_OUT: Code = Code::new("QC-N106");
/// The other side answered with an error status.
pub const ERROR_STATUS: Code = Code::new("QC-N107");
/// The connector's error map recognised an error.
pub const MAPPED_ERROR: Code = Code::new("QC-N108");
/// The other side did not accept the credential.
pub const CREDENTIAL_REFUSED: Code = Code::new("QC-N109");
/// The token endpoint refused the client.
pub const TOKEN_REFUSED: Code = Code::new("QC-N110");
/// The token endpoint could not be reached or gave no usable answer.
pub const TOKEN_UNAVAILABLE: Code = Code::new("QC-N111");
/// The answer is larger than allowed.
pub const RESPONSE_TOO_LARGE: Code = Code::new("QC-N112");
/// The answer's body is cut off or is not what its media type says.
pub const RESPONSE_MALFORMED: Code = Code::new("QC-N113");
/// The answer breaks the contract.
pub const CONTRACT_DRIFT: Code = Code::new("QC-N114");
/// A redirect that is not followed.
pub const REDIRECT: Code = Code::new("QC-N115");
/// The key under which a call was first sent is no longer remembered by the other side.
pub const KEY_FORGOTTEN: Code = Code::new("QC-N116");
/// The read-back of an ambiguous call gave no verdict.
pub const NO_VERDICT: Code = Code::new("QC-N117");
/// A paginated answer could not be read to its end.
pub const PAGINATION: Code = Code::new("QC-N118");
/// A request cannot be built: a bad address, header or body.
pub const UNSENDABLE: Code = Code::new("QC-N119");
/// A call uses a secret that the integration does not declare.
pub const UNDECLARED_SECRET: Code = Code::new("QC-N120");
/// The HTTP client's settings are unusable.
pub const CLIENT_SETTINGS: Code = Code::new("QC-N121");
/// An address that comes from data is in a private network.
pub const OUT_OF_REACH: Code = Code::new("QC-N122");
/// A policy of the server forbids the call.
pub const FORBIDDEN_CALL: Code = Code::new("QC-N123");
/// The integration's binding does not include the operation, or hides what was answered.
pub const OUT_OF_BINDING: Code = Code::new("QC-N124");
/// The quota of the integration's binding is used up.
pub const QUOTA_USED: Code = Code::new("QC-N125");
/// The answer to calls that went in one request cannot be taken apart.
pub const BATCH_ANSWER: Code = Code::new("QC-N126");
/// A request was not sent, as its turn at the other system's limit is far away.
pub const NOT_ITS_TURN: Code = Code::new("QC-N127");
/// A call was not tried for those that wait for its system, as its quiet hours last.
pub const QUIET_HOURS: Code = Code::new("QC-N128");
/// A request names a blob that its run does not hold.
pub const BLOB_GONE: Code = Code::new("QC-N130");
/// A large body cannot be kept or read.
pub const BLOBS_UNUSABLE: Code = Code::new("QC-N131");

// Webhooks.

/// A signature's header is missing.
pub const SIGNATURE_MISSING: Code = Code::new("QC-N201");
/// A signature's header is not in its form.
pub const SIGNATURE_MALFORMED: Code = Code::new("QC-N202");
/// A signature does not fit.
pub const SIGNATURE_MISMATCH: Code = Code::new("QC-N203");
/// The signed time is too far from ours.
pub const SIGNATURE_STALE: Code = Code::new("QC-N204");
/// The secret is not in the form that the signature scheme needs.
pub const SIGNING_SECRET: Code = Code::new("QC-N205");
