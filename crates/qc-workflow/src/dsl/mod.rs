//! The language: a typed workflow definition, and its reading from text with all problems at once.
//!
//! Here is only what the file says. What the words mean together (names, scopes, expressions) is
//! decided in `compile`.

mod authentication;
mod call;
mod components;
mod document;
mod duration;
mod event;
mod fields;
mod listen;
mod retry;
mod run;
mod schedule;
mod task;

pub(crate) use duration::value_ms;
pub(crate) use fields::is_expression;
pub(crate) use run::LATEST;

use std::{collections::BTreeMap, sync::Arc};

use qc_document::{Node, Source, Span};
use serde_json::Value;

pub use document::load;

use crate::{AuthenticationScheme, Backoff, ClientAuthentication, Cron, OutputShape, ReadAs};

/// A text and where it stood.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) text: Arc<str>,
    pub(crate) span: Span,
}

/// A workflow as its file says it.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub(crate) source: Source,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) input: Mould,
    pub(crate) output: Mould,
    pub(crate) components: Components,
    pub(crate) tasks: Vec<Task>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) definition: Arc<Value>,
}

impl Workflow {
    /// The namespace of its `document`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of its `document`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of its `document`.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// The reusable parts of `use`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Components {
    pub(crate) authentications: BTreeMap<Arc<str>, Credentials>,
    pub(crate) errors: BTreeMap<Arc<str>, ErrorDefinition>,
    pub(crate) functions: BTreeMap<Arc<str>, Task>,
    pub(crate) retries: BTreeMap<Arc<str>, RetryDefinition>,
    pub(crate) secrets: Vec<Text>,
    pub(crate) timeouts: BTreeMap<Arc<str>, Length>,
}

/// `input`, `output` or `export`: a schema, and an expression or template.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mould {
    pub(crate) schema: Option<Node>,
    pub(crate) shape: Option<Node>,
}

/// A task as its file says it.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) name: Text,
    pub(crate) node: Node,
    pub(crate) condition: Option<Text>,
    pub(crate) input: Mould,
    pub(crate) output: Mould,
    pub(crate) export: Mould,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) then: Option<Text>,
    pub(crate) kind: TaskKind,
}

/// What a task does.
#[derive(Debug, Clone)]
pub(crate) enum TaskKind {
    Do(Vec<Task>),
    Set(Node),
    Switch(Vec<Case>),
    For(Box<Loop>),
    Fork { compete: bool, branches: Vec<Task> },
    Try(Box<Attempt>),
    Raise(Raised),
    Wait(Length),
    Call(Box<Call>),
    Emit(Node),
    Listen(Box<Listen>),
    Run(Box<Subflow>),
}

/// `listen` and its `foreach`.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) to: Strategy,
    pub(crate) read: ReadAs,
    pub(crate) each: Option<EachEvent>,
}

/// Which events are taken, and how many.
#[derive(Debug, Clone)]
pub(crate) struct Strategy {
    pub(crate) mode: Mode,
    pub(crate) filters: Vec<EventFilter>,
    pub(crate) until: Option<Until>,
}

/// How many of the filters must have had their event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    One,
    Any,
    All,
}

/// What ends an `any`.
#[derive(Debug, Clone)]
pub(crate) enum Until {
    Condition(Text),
    Events(Box<Strategy>),
}

/// A filter of events.
#[derive(Debug, Clone)]
pub(crate) struct EventFilter {
    pub(crate) properties: Vec<(Text, Node)>,
    pub(crate) correlate: Vec<Correlation>,
}

/// What links an event to the run.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    pub(crate) name: Text,
    pub(crate) from: Text,
    pub(crate) expect: Option<Text>,
}

/// `foreach`: what is done with each event.
#[derive(Debug, Clone)]
pub(crate) struct EachEvent {
    pub(crate) item: Text,
    pub(crate) at: Text,
    pub(crate) tasks: Option<Vec<Task>>,
    pub(crate) output: Mould,
    pub(crate) export: Mould,
}

/// `run: workflow`.
#[derive(Debug, Clone)]
pub(crate) struct Subflow {
    pub(crate) namespace: Text,
    pub(crate) name: Text,
    pub(crate) version: Text,
    pub(crate) input: Option<Node>,
    pub(crate) awaited: bool,
}

/// `schedule`.
#[derive(Debug, Clone)]
pub(crate) enum Schedule {
    Every(u64),
    Cron(Cron),
    After(u64),
    On { strategy: Strategy, read: ReadAs },
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: Text,
    pub(crate) when: Option<Text>,
    pub(crate) then: Text,
}

#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) each: Text,
    pub(crate) at: Text,
    pub(crate) collection: Node,
    pub(crate) condition: Option<Text>,
    pub(crate) tasks: Vec<Task>,
}

#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) tasks: Vec<Task>,
    pub(crate) filter: ErrorFilter,
    pub(crate) variable: Text,
    pub(crate) when: Option<Text>,
    pub(crate) except_when: Option<Text>,
    pub(crate) retry: Option<Retry>,
    pub(crate) handler: Option<Vec<Task>>,
    pub(crate) then: Option<Text>,
}

/// `catch.errors.with`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrorFilter {
    pub(crate) kind: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) instance: Option<Arc<str>>,
    pub(crate) title: Option<Arc<str>>,
    pub(crate) detail: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Retry {
    Named(Text),
    Inline(RetryDefinition),
}

#[derive(Debug, Clone)]
pub(crate) struct RetryDefinition {
    pub(crate) when: Option<Text>,
    pub(crate) except_when: Option<Text>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) backoff: Backoff,
    pub(crate) count: Option<u32>,
    pub(crate) attempt_ms: Option<u64>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) jitter_ms: Option<(u64, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Raised {
    Named(Text),
    Inline(ErrorDefinition),
}

#[derive(Debug, Clone)]
pub(crate) struct ErrorDefinition {
    pub(crate) kind: Text,
    pub(crate) status: u16,
    pub(crate) title: Option<Text>,
    pub(crate) detail: Option<Text>,
    pub(crate) instance: Option<Text>,
}

#[derive(Debug, Clone)]
pub(crate) enum Timeout {
    Named(Text),
    After(Length),
}

/// A length of time: fixed, or computed when it is needed.
#[derive(Debug, Clone)]
pub(crate) enum Length {
    Fixed(u64),
    Computed(Text),
}

#[derive(Debug, Clone)]
pub(crate) enum Call {
    Http {
        method: String,
        endpoint: Text,
        headers: Option<Node>,
        query: Option<Node>,
        body: Option<Node>,
        authentication: Option<AuthenticationUse>,
        output: OutputShape,
        redirect: bool,
    },
    OpenApi {
        document: Text,
        operation: Text,
        parameters: Option<Node>,
        authentication: Option<AuthenticationUse>,
        output: OutputShape,
        redirect: bool,
    },
    Named {
        name: Text,
        with: Option<Node>,
    },
}

#[derive(Debug, Clone)]
pub(crate) enum AuthenticationUse {
    Named(Text),
    Inline(Credentials),
}

#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    Basic {
        username: Text,
        password: Text,
    },
    Bearer {
        token: Text,
    },
    OAuth2 {
        authority: Text,
        token_path: Text,
        client_id: Text,
        client_secret: Text,
        client_authentication: ClientAuthentication,
        scopes: Vec<Text>,
        audiences: Vec<Text>,
    },
    Secret {
        of: AuthenticationScheme,
        name: Text,
    },
}
