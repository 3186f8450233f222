//! The codes of this crate: QC-P for project files, QC-T5 for acceptance scenarios.

use qc_model::Code;
pub use qc_vault::codes::{LEAKED, MAY_BE_LEAKED};

/// The folder holds no `quickconnect.yaml`.
pub const NO_PROJECT: Code = Code::new("QC-P001");
/// A file of the project cannot be read.
pub const UNREADABLE: Code = Code::new("QC-P002");
/// The project has more files or bytes than it may.
pub const TOO_MUCH: Code = Code::new("QC-P003");
/// A file that nothing reads.
pub const UNREAD_FILE: Code = Code::new("QC-P004");
/// A key that has no meaning beside the others.
pub const MISPLACED_KEY: Code = Code::new("QC-P005");
/// A secret is written out instead of referred to.
pub const LITERAL_SECRET: Code = Code::new("QC-P006");
/// An owner is not in the directory.
pub const UNKNOWN_OWNER: Code = Code::new("QC-P007");
/// A file that is named is not there.
pub const MISSING_FILE: Code = Code::new("QC-P008");
/// A variable that no environment knows, or that one leaves open.
pub const VARIABLE: Code = Code::new("QC-P009");
/// A name that differs from its folder's or file's.
pub const NAME_DIFFERS: Code = Code::new("QC-P010");
/// A step that is bound to no task of the workflow.
pub const STEP_UNBOUND: Code = Code::new("QC-P011");
/// A task that calls a system belongs to no step.
pub const TASK_UNMAPPED: Code = Code::new("QC-P012");
/// A call goes to something that is no declared system.
pub const UNDECLARED_SYSTEM: Code = Code::new("QC-P013");
/// A system's connector is not there.
pub const UNKNOWN_CONNECTOR: Code = Code::new("QC-P014");
/// A system that no task calls.
pub const UNUSED_SYSTEM: Code = Code::new("QC-P015");
/// A side-effecting call without effect class.
pub const NO_EFFECT: Code = Code::new("QC-P016");
/// A side-effecting call without idempotency key and window.
pub const NO_KEY: Code = Code::new("QC-P017");
/// A side-effecting call without retry policy.
pub const NO_RETRY: Code = Code::new("QC-P018");
/// Rules refer to a task that is not there or makes no call.
pub const UNKNOWN_TASK: Code = Code::new("QC-P019");
/// Rules that are taken by name are not there.
pub const UNKNOWN_POLICY: Code = Code::new("QC-P020");
/// An expression of a project file does not compile.
pub const EXPRESSION: Code = Code::new("QC-P021");
/// An example does not fit its contract, or an invalid one does.
pub const EXAMPLE: Code = Code::new("QC-P022");
/// A contract is no valid schema.
pub const CONTRACT: Code = Code::new("QC-P023");
/// A trigger that anybody may use.
pub const OPEN_TRIGGER: Code = Code::new("QC-P024");
/// A secret that the workflow uses is not bound, or one is bound and not used.
pub const SECRET_BINDING: Code = Code::new("QC-P025");
/// A declared key that is not enforced yet.
pub const NOT_ENFORCED: Code = Code::new("QC-P026");
/// A signature scheme that is not there.
pub const SIGNATURE: Code = Code::new("QC-P027");
/// A failure mode without a fault scenario.
pub const UNPROVEN: Code = Code::new("QC-P028");
/// A field of an object that its schema does not have.
pub const UNKNOWN_FIELD: Code = Code::new("QC-P029");
/// Two things that contradict each other.
pub const CONTRADICTION: Code = Code::new("QC-P030");
/// The same id twice.
pub const DUPLICATE_ID: Code = Code::new("QC-P031");
/// A tenant that an environment does not take.
pub const TENANT: Code = Code::new("QC-P032");
/// An effect class that the connector does not support for the operation.
pub const EFFECT_UNSUPPORTED: Code = Code::new("QC-P033");
/// A trigger without idempotency.
pub const TRIGGER_WITHOUT_KEY: Code = Code::new("QC-P034");
/// There is no such integration.
pub const UNKNOWN_INTEGRATION: Code = Code::new("QC-P035");
/// A workflow that is to be run is in no integration of the project.
pub const UNKNOWN_WORKFLOW: Code = Code::new("QC-P037");
/// What is written about a breaking change is not there to be read.
pub const BREAKING_CHANGE: Code = Code::new("QC-P038");
/// What a consumer expects is not what is offered, or cannot be read.
pub const CONSUMER: Code = Code::new("QC-P039");
/// The generated part of a migration guide is not what would be generated.
pub const STALE_GUIDE: Code = Code::new("QC-P040");
/// What an integration was seen to expect of a system is not in the description of its connector.
pub const EXPECTED: Code = Code::new("QC-P041");
/// What an integration expects of its systems cannot be told from its scenarios.
pub const NOT_TOLD: Code = Code::new("QC-P042");
/// Something with that name is there already.
pub const EXISTS: Code = Code::new("QC-P036");
/// Something is published that no task emits.
pub const UNEMITTED: Code = Code::new("QC-P050");
/// What happens while a system is away is not said in full.
pub const SAYS_NOT_HOW: Code = Code::new("QC-P060");
/// A system falls back to itself.
pub const FALLBACK: Code = Code::new("QC-P061");
/// A failure mode says something else than what is declared for the system.
pub const RESPONSE: Code = Code::new("QC-P062");
/// A failure mode asks people, and says not after which failures.
pub const FAILURES_UNSAID: Code = Code::new("QC-P063");
/// A search key shows a field that not everybody may see.
pub const SENSITIVE_KEY: Code = Code::new("QC-P057");
/// A search key is of no task that calls another system, or there are too many.
pub const SEARCH_KEY: Code = Code::new("QC-P058");
/// A binding names what is not there, or leaves out what is called.
pub const BINDING: Code = Code::new("QC-P064");
/// A connector has the name of what an integration keeps.
pub const RESERVED_CONNECTOR: Code = Code::new("QC-P070");
/// The systems of a cross-reference table are not two of the integration's.
pub const TABLE_SYSTEMS: Code = Code::new("QC-P071");
/// An echo speaks of a task or trigger that is not there, or twice of one.
pub const ECHO_NAME: Code = Code::new("QC-P073");
/// A call to what the integration keeps has an effect class.
pub const KEPT_EFFECT: Code = Code::new("QC-P074");
/// A state or table that no task uses.
pub const KEPT_UNUSED: Code = Code::new("QC-P075");
/// An echo would suppress nothing, or too much.
pub const ECHO: Code = Code::new("QC-P076");
/// A limit cannot be kept as it is declared.
pub const LIMIT: Code = Code::new("QC-P100");
/// What happens to the excess does not go with the integration's class.
pub const CLASS: Code = Code::new("QC-P101");
/// A rule of the movement of data names something that is not there.
pub const MOVEMENT_NAME: Code = Code::new("QC-P090");
/// A rule of the movement of data that decides nothing.
pub const MOVEMENT_IDLE: Code = Code::new("QC-P091");
/// Rules go by regions, and a destination has none.
pub const NO_REGION: Code = Code::new("QC-P092");
/// Sensitive data are declared, and nothing says where they may go.
pub const NO_MOVEMENT: Code = Code::new("QC-P093");
/// An object is said to be what something sends or receives that is not there.
pub const OBJECT_PLACE: Code = Code::new("QC-P094");
/// Something goes out of which the policy lets a part not go, or nobody says what it is.
pub const MOVEMENT_DENIES: Code = Code::new("QC-P095");
/// A name that only people have.
pub const RESERVED_NAME: Code = Code::new("QC-P051");
/// The arguments of a human task are not in form.
pub const HUMAN_FORM: Code = Code::new("QC-P052");
/// What can be answered is not said, or cannot be.
pub const HUMAN_OPTIONS: Code = Code::new("QC-P053");
/// An escalation without an end.
pub const HUMAN_ESCALATION: Code = Code::new("QC-P054");
/// An expiry without a deadline.
pub const HUMAN_EXPIRY: Code = Code::new("QC-P055");
/// Rules for the request of a call that a person answers.
pub const HUMAN_RULES: Code = Code::new("QC-P056");

/// There is no traffic to test with.
pub const NO_LOAD: Code = Code::new("QC-P110");
/// A limit refuses what is declared to come.
pub const LIMIT_BELOW_PEAK: Code = Code::new("QC-P111");
/// The evidence of a load test is not about what is declared now.
pub const LOAD_EVIDENCE: Code = Code::new("QC-P112");
/// A connector's calls go together, and its simulator does not know how.
pub const UNSIMULATED_BATCH: Code = Code::new("QC-P113");

/// A scenario refers to something that is not there.
pub const SCENARIO_REFERENCE: Code = Code::new("QC-T501");
/// What a scenario expects did not come true.
pub const EXPECTATION: Code = Code::new("QC-T502");
/// A scenario could not be carried out.
pub const SCENARIO_BROKEN: Code = Code::new("QC-T503");
/// A failure mode that no passing fault scenario covers.
pub const UNCOVERED: Code = Code::new("QC-T504");
/// A fault was declared and never happened.
pub const FAULT_UNUSED: Code = Code::new("QC-T505");
