use bytes::Bytes;
use qc_model::{EnvironmentName, EventId, Name, RunId, TenantName, Timestamp, TxnId};
use serde::{Deserialize, Serialize};

/// What is fixed about a run when it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The run.
    pub id: RunId,
    /// The virtual bucket (0 to 1,023) that its owner leases.
    pub bucket: u16,
    /// Whose run it is.
    pub tenant: TenantName,
    /// Where it runs.
    pub environment: EnvironmentName,
    /// Which integration.
    pub integration: Name,
    /// Which trigger took the event.
    pub trigger: Name,
    /// The content hash of the release to which the run is pinned (hex SHA-256).
    pub release: String,
    /// The event that it handles.
    pub event: EventId,
    /// What the event is about in business words, such as the case's number; for finding the run.
    pub subject: Option<String>,
    /// The first run of a chain of replays: part of every effect key, so that a replay makes no
    /// effect twice. Its own id for a run that replays nothing.
    pub origin: RunId,
    /// The run that this one replays.
    pub replay_of: Option<RunId>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The id of the sender's trace (W3C, 32 hex digits), when it sent one; for finding the run.
    #[serde(default)]
    pub trace: Option<String>,
    /// Whether it goes before the others, or behind them.
    #[serde(default)]
    pub priority: Priority,
}

/// How a run stands among others when something is scarce.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// It goes first, though not always: what is critical.
    High,
    /// As usual.
    #[default]
    Normal,
    /// It gets what the others leave, and a small share in any case: a backfill, a mass import.
    Low,
}

impl Priority {
    /// Whether it is [`Priority::Low`].
    pub fn is_low(self) -> bool {
        self == Self::Low
    }

    /// Low or normal.
    pub fn low_if(low: bool) -> Self {
        if low { Self::Low } else { Self::Normal }
    }

    /// How far behind the others it goes, as tables have it: -1, 0, 1.
    pub fn behind(self) -> i64 {
        match self {
            Self::High => -1,
            Self::Normal => 0,
            Self::Low => 1,
        }
    }

    /// The priority that goes so far behind the others.
    pub fn of_behind(behind: i64) -> Self {
        match behind {
            ..0 => Self::High,
            0 => Self::Normal,
            1.. => Self::Low,
        }
    }
}

/// What changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// Where it stands.
    pub status: RunStatus,
    /// Why a run that is not at its end will go on: exactly one cause, or it is stuck.
    pub cause: LiveCause,
    /// The next moment at which a timer of the run is due. Timers live here and in the journal,
    /// nowhere else.
    pub wake_at: Option<Timestamp>,
    /// In a few words, for lists: the failure's code and title, or why it is parked.
    pub summary: Option<String>,
    /// When this was written.
    pub updated_at: Timestamp,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted or at work.
    Running,
    /// Waiting for a timer.
    Waiting,
    /// Waiting for a person or for something outside to be mended.
    Parked,
    /// Ended well.
    Completed,
    /// Ended with a failure; a dead letter stands for it.
    Faulted,
    /// Ended by somebody.
    Cancelled,
}

impl RunStatus {
    /// All, for tables and filters.
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Waiting,
        Self::Parked,
        Self::Completed,
        Self::Faulted,
        Self::Cancelled,
    ];

    /// Whether the run is at its end. (`dlq retry` may open a faulted run again.)
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Faulted | Self::Cancelled)
    }

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Faulted => "faulted",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Why a run will go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveCause {
    /// It is at its end.
    Ended,
    /// Its owner has an activity of it in memory.
    Activity,
    /// A timer is armed (`wake_at`).
    Timer,
    /// It is parked; the summary says for what.
    Parked,
    /// It stands in a line and waits for its turn.
    Turn,
    /// It waits for an event.
    Event,
    /// It waits for another run.
    Child,
    /// It waits for a person's task.
    Person,
    /// Its trigger is paused, or a system that is away holds it.
    Held,
    /// A limit had no room for it when it was accepted: it begins at `wake_at`.
    Queue,
}

impl LiveCause {
    /// All, for tables and filters.
    pub const ALL: [Self; 10] = [
        Self::Ended,
        Self::Activity,
        Self::Timer,
        Self::Parked,
        Self::Turn,
        Self::Event,
        Self::Child,
        Self::Person,
        Self::Held,
        Self::Queue,
    ];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Activity => "activity",
            Self::Timer => "timer",
            Self::Parked => "parked",
            Self::Turn => "turn",
            Self::Event => "event",
            Self::Child => "child",
            Self::Person => "person",
            Self::Held => "held",
            Self::Queue => "queue",
        }
    }

    /// The cause with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// A run as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// What is fixed.
    pub facts: RunFacts,
    /// What changes.
    pub state: RunState,
    /// Rises by one with every commit; the first is 1.
    pub version: u64,
    /// The transaction that wrote it last.
    pub last_txn: TxnId,
    /// How often it was claimed since its last commit; see [`Write::Claim`](crate::Write::Claim).
    #[serde(default)]
    pub claims: u32,
}

/// One entry of a run's journal. Its body is the engine's, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it happened.
    pub at: Timestamp,
    /// The body.
    pub body: Bytes,
}

/// A run that ended in failure and waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The run.
    pub run: RunId,
    /// Whose.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which integration.
    pub integration: Name,
    /// When it died.
    pub at: Timestamp,
    /// Open, or what was done about it.
    pub state: DeadState,
    /// Groups like failures: the same connector, operation, class and code.
    pub fingerprint: String,
    /// The failure's code.
    pub code: String,
    /// What happened, in a line.
    pub summary: String,
}

/// What was done about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadState {
    /// Nothing yet.
    Open,
    /// Its run was opened again.
    Retried,
    /// Somebody decided that it is not to be done.
    Discarded,
}

impl DeadState {
    /// All, for filters.
    pub const ALL: [Self; 3] = [Self::Open, Self::Retried, Self::Discarded];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Retried => "retried",
            Self::Discarded => "discarded",
        }
    }

    /// The state with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
