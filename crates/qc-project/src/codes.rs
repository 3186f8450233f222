//! The codes of this crate: QC-P for project files, QC-T5 for acceptance scenarios.

use qc_model::Code;

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
/// Something with that name is there already.
pub const EXISTS: Code = Code::new("QC-P036");
/// Something is published that no task emits.
pub const UNEMITTED: Code = Code::new("QC-P050");

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
