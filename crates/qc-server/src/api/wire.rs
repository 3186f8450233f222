//! What the API takes and gives, in its own types: they change only with the API's version.

use qc_store::{DeadLetter, RunHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The version of this form.
    pub schema_version: u32,
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins, when there is one: pass it on as `before` or `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page; it has a next one when it is full.
    pub fn new(items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let next = if items.len() >= limit { items.last().map(key) } else { None };
        Self { schema_version: 1, items, next }
    }
}

/// A run as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// `running`, `waiting`, `parked`, `completed`, `faulted` or `cancelled`.
    pub status: String,
    /// Why it will go on: `activity`, `timer`, `parked`; `ended` when it is at its end.
    pub cause: String,
    /// The failure, or what it is parked for, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whose it is.
    pub tenant: String,
    /// Where it runs.
    pub environment: String,
    /// Which integration.
    pub integration: String,
    /// Which trigger took the event.
    pub trigger: String,
    /// The release to which it is pinned.
    pub release: String,
    /// The event.
    pub event: String,
    /// What the event is about in business words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The first run of its chain of replays.
    pub origin: String,
    /// The run that it replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
    /// When its event was accepted.
    pub accepted_at: String,
    /// When it changed last.
    pub updated_at: String,
    /// When its next timer is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<String>,
    /// Rises with every step.
    pub version: u64,
}

impl From<&RunHead> for Run {
    fn from(head: &RunHead) -> Self {
        let (facts, state) = (&head.facts, &head.state);
        Self {
            run: facts.id.to_string(),
            status: state.status.as_str().to_owned(),
            cause: state.cause.as_str().to_owned(),
            summary: state.summary.clone(),
            tenant: facts.tenant.to_string(),
            environment: facts.environment.to_string(),
            integration: facts.integration.to_string(),
            trigger: facts.trigger.to_string(),
            release: facts.release.clone(),
            event: facts.event.to_string(),
            subject: facts.subject.clone(),
            origin: facts.origin.to_string(),
            replay_of: facts.replay_of.map(|run| run.to_string()),
            accepted_at: facts.accepted_at.to_string(),
            updated_at: state.updated_at.to_string(),
            wake_at: state.wake_at.map(|at| at.to_string()),
            version: head.version,
        }
    }
}

/// A run with its payloads and everything that happened in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunJournal {
    /// The version of this form.
    pub schema_version: u32,
    /// The run.
    pub run: Run,
    /// The workflow's input.
    pub input: Value,
    /// How it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// The journal, oldest first; each entry has `at` and `what`.
    pub journal: Vec<Value>,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunEnd {
    /// Well.
    Completed {
        /// The workflow's output.
        output: Value,
    },
    /// In failure.
    Faulted {
        /// The failure: class, code, title, detail, whether it was applied, what to do.
        failure: Value,
        /// The workflow language's error object.
        error: Value,
    },
    /// By somebody's decision.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// A run that ended in failure and waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Dead {
    /// The run.
    pub run: String,
    /// Whose.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Which integration.
    pub integration: String,
    /// When it died.
    pub at: String,
    /// `open`, `retried` or `discarded`.
    pub state: String,
    /// Groups like failures.
    pub fingerprint: String,
    /// The failure's code.
    pub code: String,
    /// What happened, in a line.
    pub summary: String,
}

impl From<&DeadLetter> for Dead {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            run: letter.run.to_string(),
            tenant: letter.tenant.to_string(),
            environment: letter.environment.to_string(),
            integration: letter.integration.to_string(),
            at: letter.at.to_string(),
            state: letter.state.as_str().to_owned(),
            fingerprint: letter.fingerprint.clone(),
            code: letter.code.clone(),
            summary: letter.summary.clone(),
        }
    }
}

/// How to replay a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Make all effects anew. Required with another input.
    #[serde(default)]
    pub new_effects: bool,
    /// Run with this input in place of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// Why something is done; it stands in the audit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words.
    pub reason: String,
}

/// Whether an ambiguous effect took place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "resolution", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResolveRequest {
    /// It did.
    Applied {
        /// What the workflow sees as the call's answer.
        #[serde(default)]
        output: Value,
    },
    /// It did not: the call is sent again.
    NotApplied {},
}

/// The id of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunReference {
    /// The run.
    pub run: String,
    /// Where to ask for it.
    pub status_url: String,
}

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

/// A release as stored.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Its hash.
    pub release: String,
    /// Of which integration.
    pub integration: String,
    /// The integration's version.
    pub version: String,
    /// The connectors and their versions.
    pub connectors: std::collections::BTreeMap<String, String>,
    /// How many files it has.
    pub files: usize,
    /// From what it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
    /// When it was stored.
    pub built_at: String,
    /// By whom.
    pub built_by: String,
}

/// A release to store: the original files of one integration; the server bundles them itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreRelease {
    /// The integration.
    pub integration: String,
    /// The hash that the sender computed; a different outcome here is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// From what it was built, such as a commit's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
    /// The files: path from the project's root to base64.
    pub files: std::collections::BTreeMap<String, String>,
}

/// The files of a release.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseFiles {
    /// The version of this form.
    pub schema_version: u32,
    /// The release.
    pub release: String,
    /// The files: path from the project's root to base64.
    pub files: std::collections::BTreeMap<String, String>,
}

/// What runs of one integration in one environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Where.
    pub environment: String,
    /// What.
    pub integration: String,
    /// The release.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The release before, to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// The addresses of its triggers; empty when it does not run on this node.
    pub triggers: Vec<String>,
    /// Whether it runs on this node.
    pub live: bool,
}

/// Which release to deploy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// Its hash, or the beginning of it.
    pub release: String,
}

/// One change of a deployment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentChange {
    /// Counts the changes, from 1.
    pub change: u64,
    /// `deployed` or `rolled_back`.
    pub how: String,
    /// The release.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
}

/// A token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The only environment in which it may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What it is for.
    pub role: String,
    /// What it is narrowed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What a new token shall be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What people call it.
    pub name: String,
    /// `admin`, `developer`, `operator`, `auditor`, `deployer` or `runtime`.
    pub role: String,
    /// The only environment in which it may act; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Narrower rights, as `environment/type/name-or-*:verb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// How long it holds, such as `90d`; left out, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
}

/// A new token; its text is shown here and never again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreatedToken {
    /// The secret text.
    pub secret: String,
    /// The token.
    pub token: Token,
}

/// The server itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// The version of this form.
    pub schema_version: u32,
    /// The program's version.
    pub version: String,
    /// The API's version.
    pub api_version: String,
    /// Its clock.
    pub now: String,
    /// When it started.
    pub started_at: String,
    /// Whether it takes work.
    pub ready: bool,
    /// The store's kind.
    pub store: String,
    /// Runs at work.
    pub runs_in_memory: usize,
    /// Whether it holds the right to run.
    pub leased: bool,
    /// Runs without a reason to go on; must be 0.
    pub stuck: u64,
    /// Dead letters that nobody has settled; counted up to 500.
    pub open_dead_letters: usize,
    /// Problems of what is deployed.
    pub findings: Vec<Value>,
}

/// One thing that just happened; more fields by `what`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// When.
    pub at: String,
    /// In which run.
    pub run: String,
    /// Of which integration.
    pub integration: String,
    /// `accepted`, `task`, `attempt`, `parked`, `ended` or `missed` (the reader was too slow).
    pub what: String,
}
