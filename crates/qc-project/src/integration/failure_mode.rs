//! Failure modes.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::{Class, Name};
use serde_json::{Value, json};

use super::Answer;
use crate::shape::{
    Definitions, Fields, ProjectPath, Record, Shape, Spanned, read_word, word_schema,
};

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
    /// The failures of runs that it is, when it is no system's absence.
    pub matches: Option<Matches>,
    /// Who takes over when that is not enough; the integration's own when there is none.
    pub escalation: Vec<Escalation>,
    /// The fault scenario that proves it.
    pub scenario: Option<ProjectPath>,
}

/// Some of the failures that end or stop a run. What is not said is any.
#[derive(Debug, Clone)]
pub struct Matches {
    /// The system whose calls fail so.
    pub system: Option<Spanned<Name>>,
    /// What kind of failure it is.
    pub classes: Vec<ClassWord>,
    /// Its error code.
    pub codes: Vec<FailureCode>,
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassWord(pub Class);

/// An error code as in `docs/errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCode(pub String);

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
        let matches = f.optional(
            "matches",
            "The failures of runs that this is, when it is no system's absence.",
        );
        let escalation = f.several(
            "escalation",
            "Who takes over when that is not enough, level by level. Left out: the integration's own `escalation`.",
        );
        let scenario =
            f.optional("scenario", "The acceptance scenario, with faults, that proves it.");
        Some(Self {
            id: id?,
            failure: failure?,
            detection: detection?,
            response: response?,
            system,
            on_unavailable,
            matches,
            escalation,
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

impl Record for Matches {
    const NAME: &'static str = "failure_match";
    const DOC: &'static str =
        "Some of the failures that end or stop a run. What is left out is any.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let system = f.optional("system", "The system whose calls fail so: one of `systems`.");
        let classes = f.several("classes", "What kinds of failures, such as `auth`.");
        let codes = f.several("codes", "Their error codes, such as `QC-R002`.");
        Some(Self { system, classes, codes })
    }
}

impl Shape for ClassWord {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let words = Class::ALL.map(|class| (class.as_str(), Self(class)));
        read_word(&words, node, what, reader)
    }

    fn schema(_: &mut Definitions) -> Value {
        word_schema(&Class::ALL.map(|class| (class.as_str(), Self(class))))
    }
}

impl Shape for FailureCode {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?;
        let in_form = text.strip_prefix("QC-").is_some_and(|rest| {
            let mut rest = rest.chars();
            rest.next().is_some_and(|area| area.is_ascii_uppercase())
                && rest.clone().count() == 3
                && rest.all(|digit| digit.is_ascii_digit())
        });
        if !in_form {
            let message = format!("{what} is no error code");
            let finding = reader.error(qc_document::codes::INVALID_VALUE, node.span, message);
            reader.push(finding.help("codes look like `QC-R002`; `docs/errors` has them all"));
            return None;
        }
        Some(Self(text.to_owned()))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^QC-[A-Z][0-9]{3}$" })
    }
}
