//! The error codes of the doors: ingress (`I`) and the management API (`A`, from 010). Each has a page in `docs/errors/`.

pub use qc_engine::codes::{
    BAD_KEY, BAD_WORD, BULK_STATE, BULK_TOO_MANY, BULK_UNFIT, CONTRACT, GROUP_CHANGED, KEY_REUSED,
    MEDIA_TYPE, NO_BULK, NO_GROUP, NO_TENANT, VERSION_CONVERSION, VERSION_RETIRED,
};
use qc_model::Code;

/// There is no such trigger, or nothing is deployed there.
pub const NO_TRIGGER: Code = Code::new("QC-I001");
/// The method is not one that a trigger takes.
pub const TRIGGER_METHOD: Code = Code::new("QC-I002");
/// The body is larger than the trigger takes.
pub const BODY_TOO_LARGE: Code = Code::new("QC-I003");
/// The body is compressed, or in another character encoding than UTF-8.
pub const BODY_ENCODING: Code = Code::new("QC-I005");
/// The signature is missing or wrong, or its time is out of tolerance.
pub const SIGNATURE: Code = Code::new("QC-I006");
/// The request is no legal CloudEvent.
pub const NOT_AN_EVENT: Code = Code::new("QC-I007");
/// The trigger does not take events of this type.
pub const EVENT_TYPE: Code = Code::new("QC-I008");
/// The store has no room.
pub const STORE_FULL: Code = Code::new("QC-I013");
/// The store cannot be used now.
pub const STORE_UNAVAILABLE: Code = Code::new("QC-I014");
/// The server is ending.
pub const DRAINING: Code = Code::new("QC-I015");
/// An expression that reads the webhook's type or id failed.
pub const WEBHOOK_EXPRESSION: Code = Code::new("QC-I016");
/// A batch with too many events.
pub const BATCH_TOO_LARGE: Code = Code::new("QC-I017");
/// The body did not arrive in time, or broke off.
pub const BODY_INCOMPLETE: Code = Code::new("QC-I018");
/// The secret with which the sender signs is not here.
pub const NO_SIGNING_SECRET: Code = Code::new("QC-I019");
/// The run that was waited for was cancelled.
pub const RUN_CANCELLED: Code = Code::new("QC-I020");
/// The event was in the store and its outcome is not known.
pub const OUTCOME_UNKNOWN: Code = Code::new("QC-I021");
/// A provider's handshake does not carry the word, or come from the origin, that is configured.
pub const HANDSHAKE: Code = Code::new("QC-I022");
/// The sender says a version of the contract that is not there, or two at once.
pub const UNKNOWN_VERSION: Code = Code::new("QC-I050");
/// A limit is used up.
pub const LIMITED: Code = Code::new("QC-I060");
/// Runs begin one another in a circle.
pub const LOOP: Code = Code::new("QC-I061");

/// There is no such address in the API.
pub const NO_ROUTE: Code = Code::new("QC-A010");
/// The address does not take this method.
pub const ROUTE_METHOD: Code = Code::new("QC-A011");
/// The request's body is not what the operation takes.
pub const BAD_BODY: Code = Code::new("QC-A012");
/// A parameter is not what the operation takes.
pub const BAD_PARAMETER: Code = Code::new("QC-A013");
/// There is no such run.
pub const NO_RUN: Code = Code::new("QC-A014");
/// The run is not in a state for this.
pub const WRONG_STATE: Code = Code::new("QC-A015");
/// Somebody else changed it in between.
pub const CHANGED_MEANWHILE: Code = Code::new("QC-A016");
/// There is no such release.
pub const NO_RELEASE: Code = Code::new("QC-A017");
/// The gate holds a release.
pub const HELD: Code = Code::new("QC-D008");
/// A version of a contract was promised for longer.
pub const NOT_ENDED: Code = Code::new("QC-D009");
/// A consumer's expectations are published, and do not change.
pub const PUBLISHED: Code = Code::new("QC-D010");
/// The release cannot run in this environment.
pub const RELEASE_UNFIT: Code = Code::new("QC-A018");
/// A fault of the server itself.
pub const INTERNAL: Code = Code::new("QC-A019");
/// There is no such token.
pub const NO_TOKEN_RECORD: Code = Code::new("QC-A020");
/// What is stored is damaged.
pub const STORE_DAMAGED: Code = Code::new("QC-A021");
/// The operation took too long.
pub const TOO_SLOW: Code = Code::new("QC-A022");
/// Too many operations of the management API are under way.
pub const API_BUSY: Code = Code::new("QC-A024");
/// Nobody stands in such a line.
pub const NO_LINE: Code = Code::new("QC-A023");
/// More comes in at a trigger than its brief declares.
pub const TRAFFIC_ABOVE: Code = Code::new("QC-I070");
/// There is no such trigger to be paused.
pub const NO_TRIGGER_THERE: Code = Code::new("QC-I033");
/// The trigger is not in a state for what is asked.
pub const TRIGGER_STATE: Code = Code::new("QC-I034");
/// The audit's log has no checkpoint yet.
pub const NOT_SEALED: Code = Code::new("QC-A030");
/// There is no such grant.
pub const NO_GRANT: Code = Code::new("QC-A040");
/// A grant cannot be asked for, given or taken back so.
pub const GRANT: Code = Code::new("QC-A041");
/// A change takes approvals that are not there.
pub const NOT_APPROVED: Code = Code::new("QC-A046");
/// An approval is not there, or not of the one who asks.
pub const APPROVAL: Code = Code::new("QC-A047");
/// Something was to be rotated by now.
pub const ROTATION_OVERDUE: Code = Code::new("QC-A048");
/// There are no such policies.
pub const NO_POLICIES: Code = Code::new("QC-A042");
pub use qc_access::codes::{NOT_REVIEWED, POLICY};
