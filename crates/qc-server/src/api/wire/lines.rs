//! Lines of runs.

use qc_engine::LineView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Run;

/// So many of the runs behind are named.
const BEHIND: usize = 100;

/// A line in which runs wait for their turn.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Whose runs.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The key that they share.
    pub key: String,
    /// `working`; `blocked`: the run at its head failed and is in the way; or `parked`: it failed, and somebody decides
    /// about the key.
    pub state: String,
    /// The run at its head.
    pub first: Run,
    /// How many wait behind it.
    pub waiting: usize,
    /// Those, in their order; at most 100 are named.
    pub behind: Vec<String>,
}

impl From<&LineView> for Line {
    fn from(line: &LineView) -> Self {
        let blocked = line.first.state.status.is_terminal();
        Self {
            tenant: line.name.tenant.to_string(),
            environment: line.name.environment.to_string(),
            integration: line.name.integration.to_string(),
            key: line.name.key.clone(),
            state: match (blocked, line.parked) {
                (_, true) => "parked",
                (true, false) => "blocked",
                (false, false) => "working",
            }
            .to_owned(),
            first: Run::from(&line.first),
            waiting: line.behind.len(),
            behind: line.behind.iter().take(BEHIND).map(ToString::to_string).collect(),
        }
    }
}

/// Which line goes on without the run at its head.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeLine {
    /// Whose runs.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The key that they share.
    pub key: String,
    /// Why; it stands in the audit.
    pub reason: String,
}

/// A line went on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LineResumed {
    /// The run that left it; its dead letter is still open.
    pub left: String,
}

/// Which line is given up.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscardLine {
    /// Whose runs.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The key that they share.
    pub key: String,
    /// Why; it stands in the audit.
    pub reason: String,
    /// What the plan gave; left out, this is a plan and nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
}

/// A line that was given up, or would be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LineDiscarded {
    /// Whether it was done; otherwise this is a plan.
    pub done: bool,
    /// The failed run at its head.
    pub first: String,
    /// How many waited behind it.
    pub waiting: usize,
    /// Stands for exactly these runs.
    pub confirm: String,
}
