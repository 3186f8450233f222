//! A compiled workflow: expressions parsed, names resolved, policies bound. Shared by all runs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use qc_contract::Schema;
use qc_document::Node;
use qc_expression::{Expression, Template};
use qc_model::Place;
use serde_json::Value;

use crate::{
    AuthenticationScheme, CallPolicy, ChildSite, ClientAuthentication, HumanKind, KeptDeed,
    OutputShape, ReadAs, RetryPolicy, Schedule, WorkflowRef,
    dsl::{ErrorFilter, Mode},
    event_filter::EventFilter,
};

/// A compiled workflow. Immutable, `Send + Sync`, shared behind an [`Arc`].
pub struct Program {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) definition: Arc<Value>,
    pub(crate) reads_workflow: bool,
    /// Whether any task listens.
    pub(crate) listens: bool,
    /// Whether any task can be undone.
    pub(crate) compensates: bool,
    /// Whether any call is held while its system is not there.
    pub(crate) holds: bool,
    pub(crate) input: Mould,
    pub(crate) output: Mould,
    pub(crate) timeout: Option<Length>,
    pub(crate) root: List,
    pub(crate) tasks: Vec<Task>,
    pub(crate) secrets: Vec<Arc<str>>,
    pub(crate) calls: Vec<CallSite>,
    pub(crate) children: Vec<ChildSite>,
    pub(crate) facts: Vec<TaskFact>,
    pub(crate) schedule: Option<Schedule>,
    /// What is promised of the data of emitted events, by their type.
    pub(crate) promised: BTreeMap<String, Vec<Schema>>,
}

impl Program {
    /// The namespace of the workflow's `document`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the workflow's `document`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the workflow's `document`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The workflow as written, as JSON.
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// Every place from which something is called, functions unfolded.
    pub fn calls(&self) -> impl Iterator<Item = &CallSite> {
        self.calls.iter()
    }

    /// Every place from which another workflow is run, functions unfolded.
    pub fn children(&self) -> impl Iterator<Item = &ChildSite> {
        self.children.iter()
    }

    /// When runs begin by themselves, as the workflow's own `schedule` says.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// The places of the tasks that are undone when the run fails.
    pub fn compensated(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().filter(|task| task.undo.is_some()).map(|task| &*task.pointer)
    }

    /// Whether any call is held while its system is not there.
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// Whether the call at this place is held while its system is not there.
    pub fn holds_at(&self, pointer: &str) -> bool {
        self.holds && self.tasks.iter().any(|task| &*task.pointer == pointer && task.may_be_held())
    }

    /// The names in `use.secrets`.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(|name| &**name)
    }

    /// Every task, functions unfolded, in the order of the file.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskFact> {
        self.facts.iter()
    }

    /// The workflow's input schema as written, when there is one.
    pub fn input_schema(&self) -> Option<&Value> {
        self.input.schema.as_ref().map(Schema::value)
    }

    pub(crate) fn task(&self, index: TaskIndex) -> &Task {
        &self.tasks[index as usize]
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("tasks", &self.facts.len())
            .finish_non_exhaustive()
    }
}

/// A task as others need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFact {
    /// Its place, such as `/do/0/createTicket`.
    pub pointer: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it does: `call`, `set`, …
    pub kind: &'static str,
    /// Where it stands in the file.
    pub place: Place,
}

/// A place in the workflow from which something is called.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSite {
    /// The task's place, such as `/do/0/createTicket`.
    pub pointer: Arc<str>,
    /// The task's name.
    pub task_name: Arc<str>,
    /// What is called.
    pub target: SiteTarget,
    /// The policy that holds there.
    pub policy: CallPolicy,
    /// Where the task stands in the file.
    pub place: Place,
}

/// What a place calls.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteTarget {
    /// An operation of a connector.
    Connector {
        /// The connector.
        connector: String,
        /// The operation.
        operation: String,
    },
    /// An operation of an OpenAPI document.
    OpenApi {
        /// The document's address as written.
        document: String,
        /// The operation.
        operation: String,
    },
    /// A plain HTTP request.
    Http {
        /// The method, in capitals.
        method: String,
        /// The endpoint as written.
        endpoint: String,
    },
    /// What the integration keeps for itself.
    Kept {
        /// What is done.
        deed: KeptDeed,
        /// With which state or table.
        place: String,
    },
    /// A person.
    Human {
        /// What is asked.
        ask: HumanKind,
        /// The arguments as written.
        with: Option<Box<Node>>,
    },
}

pub(crate) type TaskIndex = u32;

/// A list of tasks: indexes into the program.
pub(crate) type List = Arc<[TaskIndex]>;

/// A variable that an expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Context,
    Input,
    Output,
    Secrets,
    Workflow,
    Runtime,
    Task,
    Local(usize),
}

pub(crate) struct Expr {
    pub(crate) expression: Expression,
    pub(crate) slots: Box<[Slot]>,
}

/// What gives a value: nothing to compute, one expression, or a tree with expressions in it.
pub(crate) enum Shape {
    Constant(Arc<Value>),
    Expression(Expr),
    Template { template: Template, slots: Box<[Slot]> },
}

/// `input`, `output` or `export`.
#[derive(Default)]
pub(crate) struct Mould {
    pub(crate) schema: Option<Schema>,
    pub(crate) shape: Option<Shape>,
}

/// Where the flow goes after a task; a target is a position in the same list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Exit,
    End,
    To(usize),
}

pub(crate) enum Length {
    Fixed(u64),
    Computed(Expr),
}

pub(crate) struct Task {
    pub(crate) name: Arc<str>,
    pub(crate) pointer: Arc<str>,
    pub(crate) definition: Arc<Value>,
    pub(crate) condition: Option<Expr>,
    pub(crate) input: Mould,
    pub(crate) output: Mould,
    pub(crate) export: Mould,
    pub(crate) timeout: Option<Length>,
    pub(crate) then: Flow,
    pub(crate) kind: Kind,
    /// Whether it stands inside the `try` block of a task that retries.
    pub(crate) in_retry: bool,
    /// The task that undoes it.
    pub(crate) undo: Option<TaskIndex>,
}

impl Task {
    pub(crate) fn may_be_held(&self) -> bool {
        let Kind::Call(call) = &self.kind else { return false };
        call.unreachable.as_ref().is_some_and(|it| matches!(it.detour, Detour::Hold { .. }))
    }
}

pub(crate) enum Kind {
    Do(List),
    Set(Shape),
    Switch { cases: Vec<(Expr, Flow)>, fallback: Option<Flow> },
    For(Box<Loop>),
    Fork { compete: bool, branches: List },
    Try(Box<Attempt>),
    Raise(Box<Raise>),
    Wait(Length),
    Call(Box<Call>),
    Function { arguments: Option<Shape>, body: TaskIndex },
    Emit(Shape),
    Listen(Box<Listen>),
    Run(Box<Subflow>),
}

pub(crate) struct Listen {
    pub(crate) mode: Mode,
    /// At least one.
    pub(crate) filters: Vec<EventFilter>,
    pub(crate) until: Option<Until>,
    pub(crate) read: ReadAs,
    pub(crate) each: Option<EachEvent>,
}

pub(crate) enum Until {
    Condition(Expr),
    Events { mode: Mode, filters: Vec<EventFilter> },
}

pub(crate) struct EachEvent {
    pub(crate) body: Option<List>,
    pub(crate) output: Mould,
    pub(crate) export: Mould,
}

pub(crate) struct Subflow {
    pub(crate) workflow: WorkflowRef,
    /// The task's input when left out.
    pub(crate) input: Option<Shape>,
    pub(crate) awaited: bool,
}

pub(crate) struct Loop {
    pub(crate) collection: Shape,
    pub(crate) condition: Option<Expr>,
    pub(crate) body: List,
}

pub(crate) struct Attempt {
    pub(crate) body: List,
    pub(crate) filter: ErrorFilter,
    pub(crate) when: Option<Expr>,
    pub(crate) except_when: Option<Expr>,
    pub(crate) retry: Option<Retry>,
    pub(crate) handler: Option<List>,
    pub(crate) then: Option<Flow>,
}

pub(crate) struct Retry {
    pub(crate) policy: RetryPolicy,
    pub(crate) attempt_ms: Option<u64>,
    pub(crate) when: Option<Expr>,
    pub(crate) except_when: Option<Expr>,
}

pub(crate) struct Raise {
    pub(crate) kind: Wording,
    pub(crate) status: u16,
    pub(crate) title: Option<Wording>,
    pub(crate) detail: Option<Wording>,
    pub(crate) instance: Option<Wording>,
}

/// A text, or an expression that gives one.
pub(crate) enum Wording {
    Literal(Arc<str>),
    Expression(Expr),
}

pub(crate) struct Call {
    pub(crate) policy: CallPolicy,
    pub(crate) output: OutputShape,
    pub(crate) target: Target,
    pub(crate) unreachable: Option<Box<Unreachable>>,
}

/// What is done about a call whose system is not there.
pub(crate) struct Unreachable {
    pub(crate) system: Arc<str>,
    pub(crate) detour: Detour,
}

pub(crate) enum Detour {
    Hold {
        ttl_ms: u64,
        max: u32,
    },
    Call {
        /// The place of this call.
        pointer: Arc<str>,
        connector: String,
        operation: String,
        arguments: Option<Shape>,
        policy: CallPolicy,
    },
    LeaveOut {
        value: Option<Shape>,
    },
    Fail {
        escalate: Option<Arc<str>>,
    },
}

pub(crate) enum Target {
    Connector {
        connector: String,
        operation: String,
        arguments: Option<Shape>,
    },
    OpenApi {
        document: String,
        operation: String,
        arguments: Option<Shape>,
        authentication: Option<Credentials>,
        redirect: bool,
    },
    Http {
        method: String,
        endpoint: Endpoint,
        headers: Option<Shape>,
        query: Option<Shape>,
        body: Option<Shape>,
        authentication: Option<Credentials>,
        redirect: bool,
    },
    Kept {
        deed: KeptDeed,
        place: String,
        arguments: Option<Shape>,
    },
    Human {
        ask: HumanKind,
        arguments: Option<Shape>,
    },
}

pub(crate) enum Endpoint {
    Template(Vec<Part>),
    Expression(Expr),
}

pub(crate) enum Part {
    Literal(String),
    Variable(String),
}

pub(crate) enum Credentials {
    Basic {
        username: Wording,
        password: Wording,
    },
    Bearer {
        token: Wording,
    },
    OAuth2 {
        authority: Endpoint,
        token_path: String,
        client_id: Wording,
        client_secret: Wording,
        client_authentication: ClientAuthentication,
        scopes: Vec<Wording>,
        audiences: Vec<Wording>,
    },
    Secret {
        of: AuthenticationScheme,
        secret: String,
    },
}
