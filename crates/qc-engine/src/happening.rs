//! What happens, live: for the terminal and the console. Lossy by design; the ledger is the record.

use qc_model::{Class, Code, EnvironmentName, Name, RunId, Timestamp};
use qc_store::RunStatus;
use serde::Serialize;

/// One thing that just happened.
#[derive(Debug, Clone, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub run: RunId,
    /// Of which integration.
    pub integration: Name,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// An event was accepted.
    Accepted {
        /// What it is about.
        subject: Option<String>,
    },
    /// A task changed.
    Task {
        /// Its name.
        task: String,
        /// `started`, `completed`, `faulted`, `retrying`, ….
        state: &'static str,
        /// More, in words.
        detail: Option<String>,
    },
    /// One attempt of a call came to its end.
    Attempt {
        /// The task.
        task: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The request, without secrets: `POST https://…`.
        request: String,
        /// The status, when there was an answer.
        status: Option<u16>,
        /// How long it took.
        millis: u64,
        /// Why it failed, if it did.
        failure: Option<String>,
        /// What kind of failure that is.
        failed: Option<Failed>,
        /// Where the run runs.
        environment: EnvironmentName,
        /// The connector or the document that the operation is of.
        connector: Option<String>,
        /// The operation.
        operation: Option<String>,
        /// When it began.
        started_at: Timestamp,
        /// The W3C `traceparent` that went with it.
        traceparent: String,
    },
    /// The run was parked.
    Parked {
        /// Why.
        reason: String,
    },
    /// Something happened to what a person is asked.
    Person {
        /// The task's id.
        task: String,
        /// What is asked: `approve`, `choose`, `fill`, `stuck`.
        kind: &'static str,
        /// `opened`, `escalated`, `claimed`, `decided`, `acted`, `expired`, `closed`.
        state: &'static str,
        /// What is asked, in a line.
        title: String,
        /// Who is asked, or who did it.
        who: Option<String>,
    },
    /// The run is at its end.
    Ended {
        /// How.
        status: RunStatus,
        /// The failure, if it failed.
        failure: Option<String>,
        /// What kind of failure that is.
        failed: Option<Failed>,
        /// Where it ran.
        environment: EnvironmentName,
        /// When it was accepted.
        accepted_at: Timestamp,
        /// The run's place in its trace, as W3C `traceparent`.
        traceparent: String,
        /// The sender's, when it sent one.
        parent: Option<String>,
    },
}

/// The kind of a failure: few, and the same for every occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its class.
    pub class: Class,
    /// Its code.
    pub code: Code,
}
