//! Triggers and what a pause holds.

use qc_engine::TriggerView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a trigger stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TriggerStanding {
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// Its name there.
    pub trigger: String,
    /// The form of what comes in: `cloudevents`, `json`, `webhook`, `amqp`, `poll`, ….
    pub kind: String,
    /// `open`; `paused`: runs do not begin; `releasing`: those that were held begin; `discarding`: they are cancelled.
    pub state: String,
    /// Since when, unless it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Who said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many runs are held.
    pub held: usize,
}

impl From<&TriggerView> for TriggerStanding {
    fn from(view: &TriggerView) -> Self {
        Self {
            environment: view.name.environment.to_string(),
            integration: view.name.integration.to_string(),
            trigger: view.name.trigger.to_string(),
            kind: view.kind.to_owned(),
            state: view.state.to_owned(),
            since: view.since.map(|at| at.to_string()),
            by: view.by.clone(),
            reason: view.reason.clone(),
            held: view.held,
        }
    }
}

/// Which trigger is paused or goes on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTrigger {
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// Its name there.
    pub trigger: String,
    /// Why; it stands in the audit.
    pub reason: String,
}

/// Of which trigger the held runs are cancelled.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardHeld {
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// Its name there.
    pub trigger: String,
    /// Why; it stands in the audit and with every run.
    pub reason: String,
    /// What the plan gave; left out, this is a plan and nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
}

/// Held runs that are being cancelled, or would be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldDiscarded {
    /// Whether it is being done; otherwise this is a plan.
    pub done: bool,
    /// How many runs.
    pub runs: usize,
    /// When the first of them was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_accepted_at: Option<String>,
    /// When the last of them was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted_at: Option<String>,
    /// Stands for exactly these runs.
    pub confirm: String,
}
