use qc_model::{Code, Finding};
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

    /// For `--json`: the problem document as it came, or one made from the findings.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "schema_version": 1,
            "exit": self.exit.number(),
            "problem": self.problem,
            "findings": self.findings,
        })
    }
}
