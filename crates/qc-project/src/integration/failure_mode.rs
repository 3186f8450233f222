//! Failure modes.

use std::time::Duration;

use qc_model::Name;

use super::Answer;
use crate::shape::{Fields, ProjectPath, Record, Spanned};

/// What can go wrong, how it is noticed, what then happens, and the scenario that proves it.
#[derive(Debug, Clone)]
pub struct FailureMode {
    /// Its id.
    pub id: Spanned<Name>,
    /// What goes wrong, in business words.
    pub failure: String,
    /// How it is noticed.
    pub detection: String,
    /// What the software does then.
    pub response: String,
    /// The system whose absence it is.
    pub system: Option<Spanned<Name>>,
    /// What the system declares for that.
    pub on_unavailable: Option<Spanned<Answer>>,
    /// Who takes over when that is not enough.
    pub escalation: Vec<Escalation>,
    /// The fault scenario that proves it.
    pub scenario: Option<ProjectPath>,
}

/// One level of an escalation.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// Who: id of a person or team.
    pub to: Spanned<Name>,
    /// After how long.
    pub after: Duration,
}

impl Record for FailureMode {
    const NAME: &'static str = "failure_mode";
    const DOC: &'static str =
        "What can go wrong, how it is noticed, what then happens, and the scenario that proves it.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let id = f.required("id", "The failure mode's id.");
        let failure = f.required("failure", "What goes wrong, in business words.");
        let detection = f.required("detection", "How it is noticed.");
        let response = f.required("response", "What the software does then.");
        let system = f.optional("system", "The system whose absence this is.");
        let on_unavailable = f.optional(
            "on_unavailable",
            "What is done then: the word that the system's `on_unavailable` declares.",
        );
        let escalation =
            f.required("escalation", "Who takes over when that is not enough, level by level.");
        let scenario =
            f.optional("scenario", "The acceptance scenario, with faults, that proves it.");
        Some(Self {
            id: id?,
            failure: failure?,
            detection: detection?,
            response: response?,
            system,
            on_unavailable,
            escalation: escalation?,
            scenario,
        })
    }
}

impl Record for Escalation {
    const NAME: &'static str = "escalation";
    const DOC: &'static str = "One level of an escalation.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let to = f.required("to", "Who: id of a person or team.");
        let after = f.required("after", "After how long.");
        Some(Self { to: to?, after: after? })
    }
}
