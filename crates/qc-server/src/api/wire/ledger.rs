//! What happened, and what failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened in the platform.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LedgerLine {
    /// Its place.
    pub seq: u64,
    /// When.
    pub at: String,
    /// `event`, `run`, `task`, `call`, `decision` or `audit`.
    pub kind: String,
    /// Whose.
    pub tenant: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Which integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Who, as `kind:id`.
    pub actor: String,
    /// What it concerns.
    pub subject: String,
    /// How it went.
    pub outcome: String,
    /// The error code, when it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Further facts.
    pub facts: Value,
}

/// The failures of a time, grouped.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// The version of this form.
    pub schema_version: u32,
    /// From when on.
    pub since: String,
    /// The groups, the most frequent first.
    pub groups: Vec<FailureGroup>,
    /// Whether there were more rows than were looked at.
    pub truncated: bool,
    /// Whoever asks is of these units, and is told of what belongs to them or to none; absent: nothing is left out for
    /// that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_units: Vec<String>,
}

/// Failures of one kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FailureGroup {
    /// `call`, `task`, `run`, `event` or `decision`.
    pub kind: String,
    /// The error code.
    pub code: String,
    /// What failed: a connector's operation, a task, a trigger.
    pub subject: String,
    /// Which integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How often.
    pub count: u64,
    /// The first of them.
    pub first_at: String,
    /// The last of them.
    pub last_at: String,
    /// What the last one said, when it said something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A run to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_run: Option<String>,
    /// The code's page.
    pub page: String,
}

/// Whether everything that was received is accounted for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Reconciliation {
    /// The version of this form.
    pub schema_version: u32,
    /// When it was asked.
    pub at: String,
    /// Whether no account has a gap.
    pub balanced: bool,
    /// All together.
    pub total: Account,
    /// One for each environment and integration.
    pub accounts: Vec<Account>,
    /// Whether there are more of them than are shown; the total has them all.
    pub truncated: bool,
    /// Whoever asks is of these units, and is told of what belongs to them or to none, in the total, too; absent: nothing
    /// is left out for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_units: Vec<String>,
}

/// What became of what was received: `received` is the sum of `completed`, `cancelled`, `failed`, `running`, `waiting`,
/// `parked` and the three that were pruned.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Where; left out when it is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Which integration; left out when it is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Accepted events and replays: one run each.
    pub received: u64,
    /// Those of them that are replays.
    pub replays: u64,
    /// Runs that ended well.
    pub completed: u64,
    /// Runs that somebody ended.
    pub cancelled: u64,
    /// Runs that ended in failure: dead letters, open or settled.
    pub failed: u64,
    /// Runs at work.
    pub running: u64,
    /// Runs that wait.
    pub waiting: u64,
    /// Parked runs.
    pub parked: u64,
    /// Completed runs that were removed when their time was over.
    pub pruned_completed: u64,
    /// Cancelled ones.
    pub pruned_cancelled: u64,
    /// Failed ones.
    pub pruned_failed: u64,
    /// Dead letters that nobody has settled.
    pub open_dead_letters: u64,
    /// Where what was counted in the transactions is not what is there; none when all is accounted for.
    pub gaps: Vec<AccountGap>,
}

/// A number that does not come out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AccountGap {
    /// Of what.
    pub what: String,
    /// How many there must be, by what was counted when it happened.
    pub counted: i64,
    /// How many there are.
    pub held: i64,
}
