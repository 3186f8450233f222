use qc_model::{Code, Finding, Severity};
use serde_json::{Value, json};

use super::exit::Exit;

/// Why a command did not do what it should.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// The findings, the first being the reason.
    pub(crate) findings: Vec<Finding>,
    /// The server's problem document, when the server said so.
    pub(crate) problem: Option<Value>,
}

impl Trouble {
    /// With one finding.
    pub(crate) fn new(exit: Exit, finding: Finding) -> Self {
        Self { exit, findings: vec![finding], problem: None }
    }

    /// The command line or a setting is wrong.
    pub(crate) fn usage(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Finding::error(code, message).help(help))
    }

    /// What is named is not there.
    pub(crate) fn not_found(
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(Exit::NotFound, Finding::error(code, message).help(help))
    }

    /// What is there contradicts what is wanted.
    pub(crate) fn conflict(
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::new(Exit::Conflict, Finding::error(code, message).help(help))
    }

    /// A file cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let message = format!("{}: {error}", path.display());
        Self::usage(crate::codes::FILE, message, "check the path and its permissions")
    }

    /// Findings, as a check gives them.
    pub(crate) fn findings(findings: Vec<Finding>) -> Self {
        Self { exit: Exit::Findings, findings, problem: None }
    }

    /// A problem in the form of the server's, of what was found out here: a program reads one form only.
    fn of_finding(&self) -> Option<Value> {
        let first = self.findings.iter().find(|it| it.severity == Severity::Error);
        let first = first.or(self.findings.first())?;
        let meaning = first.code.meaning();
        let mut problem = json!({
            "type": first.code.page(),
            "page": first.code.page(),
            "title": first.message,
            "detail": first.cause.as_ref().unwrap_or(&first.message),
            "code": first.code,
            "class": meaning.class,
            "next_action": meaning.next_action,
            "hop": meaning.party.hop(),
        });
        if let Some(help) = &first.help {
            problem["help"] = json!(help);
        }
        Some(problem)
    }

    /// For `--json`: the problem document as it came, or one made from the findings.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "schema_version": 1,
            "exit": self.exit.number(),
            "problem": self.problem.clone().or_else(|| self.of_finding()),
            "findings": self.findings,
        })
    }
}
