use bytes::Bytes;
use qc_model::{EnvironmentName, EventId, Name, RunId, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

/// One thing that happened in the platform. Holds no payload and no secret: payloads appear as
/// keyed hashes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// When.
    pub at: Timestamp,
    /// What kind of happening.
    pub kind: LedgerKind,
    /// Whose.
    pub tenant: TenantName,
    /// Where; None for what concerns the whole server.
    pub environment: Option<EnvironmentName>,
    /// Which integration.
    pub integration: Option<Name>,
    /// Which run.
    pub run: Option<RunId>,
    /// Which event.
    pub event: Option<EventId>,
    /// Who, as `kind:id`.
    pub actor: String,
    /// What it concerns: `connector.operation`, a trigger, a document, a task's pointer.
    pub subject: String,
    /// How it went, in one word: `accepted`, `ok`, `failed`, `retried`, `deployed`, ….
    pub outcome: String,
    /// The error code, when it went wrong.
    pub code: Option<String>,
    /// Further facts as a JSON object.
    pub facts: Bytes,
}

/// The kinds of happenings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    /// An event was accepted, or refused.
    Event,
    /// A run began, ended, was parked or opened again.
    Run,
    /// A task began, ended, failed, will be tried again.
    Task,
    /// One attempt of a call to another system.
    Call,
    /// A decision of the data plane: a limit, a route, a contract's verdict.
    Decision,
    /// A privileged action, grant or denial.
    Audit,
}

impl LedgerKind {
    /// All, for tables and filters.
    pub const ALL: [Self; 6] =
        [Self::Event, Self::Run, Self::Task, Self::Call, Self::Decision, Self::Audit];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Run => "run",
            Self::Task => "task",
            Self::Call => "call",
            Self::Decision => "decision",
            Self::Audit => "audit",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A row with its place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Rises with every row; gaps are possible.
    pub seq: u64,
    /// The row.
    pub row: LedgerRow,
    /// Of a row of the audit: its number among those of its writer. Rows of before there were
    /// numbers have none.
    pub mark: Option<AuditMark>,
}

/// The number of a row of the audit. Each writer counts its own rows, 1, 2, 3, …, in the
/// transactions that write them: a number that is missing is a row that somebody took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditMark {
    /// Who wrote it: SQLite has one writer, PostgreSQL one for each connection that writes at a time.
    pub writer: u32,
    /// Which of its rows it is.
    pub no: u64,
}

/// Which rows to read, oldest first. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerFilter {
    /// Only rows after this place.
    pub after: u64,
    /// Only rows at or after this moment.
    pub since: Option<Timestamp>,
    /// Only rows before this moment.
    pub until: Option<Timestamp>,
    /// Only these kinds; empty means all.
    pub kinds: Vec<LedgerKind>,
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// Only this run.
    pub run: Option<RunId>,
    /// Only this outcome.
    pub outcome: Option<String>,
    /// At most so many rows; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}
