//! What became of the scenarios.

use std::time::Duration;

use qc_model::{Finding, Severity};
use serde_json::Value;

/// What became of all scenarios that ran.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each scenario, in the order of integrations and files.
    pub scenarios: Vec<ScenarioReport>,
    /// Failure modes that no passing fault scenario covers. Empty when only some scenarios were asked for.
    pub uncovered: Vec<Finding>,
}

/// What became of one scenario.
#[derive(Debug, Clone)]
pub struct ScenarioReport {
    /// The integration.
    pub integration: String,
    /// The scenario's name.
    pub scenario: String,
    /// What it shows.
    pub title: String,
    /// Its file.
    pub file: String,
    /// The failure modes that it is to prove.
    pub covers: Vec<String>,
    /// What did not come true; it passed when none is an error.
    pub findings: Vec<Finding>,
    /// How many runs there were.
    pub runs: usize,
    /// How many requests the simulators received.
    pub requests: u64,
    /// The journals of its runs, when it did not pass.
    pub journals: Vec<Value>,
    /// Virtual time from the first event to the last end of a run.
    pub elapsed: Duration,
}

impl ScenarioReport {
    /// Whether everything came true.
    pub fn passed(&self) -> bool {
        !self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl Report {
    /// Whether every scenario passed. Uncovered failure modes do not fail it: they are listed.
    pub fn passed(&self) -> bool {
        self.scenarios.iter().all(ScenarioReport::passed)
    }
}
