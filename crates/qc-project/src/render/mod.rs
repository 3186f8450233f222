//! Findings for people and machines.

mod github;
mod human;
mod json;
mod junit;
mod sarif;

use qc_model::{Finding, Severity};

use crate::ProjectFiles;

pub(crate) use junit::escape as escape_xml;

/// The version of the JSON shape; it rises when a reader of the old one would misunderstand the new one.
pub const JSON_VERSION: u32 = 1;

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, drawn like the compiler's messages.
    Human {
        /// Whether with colours.
        colour: bool,
    },
    /// One JSON object.
    Json,
    /// Workflow commands of GitHub Actions, one line each.
    Github,
    /// JUnit's XML.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

/// The names of the formats, for the command line.
pub const FORMAT_NAMES: [&str; 5] = ["human", "json", "github", "junit", "sarif"];

impl Format {
    /// The format with this name; `colour` counts for `human` only.
    pub fn parse(name: &str, colour: bool) -> Option<Self> {
        Some(match name {
            "human" => Self::Human { colour },
            "json" => Self::Json,
            "github" => Self::Github,
            "junit" => Self::Junit,
            "sarif" => Self::Sarif,
            _ => return None,
        })
    }
}

/// How many findings of each weight there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Summary {
    /// Counts.
    pub fn of(findings: &[Finding]) -> Self {
        let count =
            |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }
}

/// Writes findings; the text ends with a newline. `files` is where the drawn source text comes from.
pub fn render(format: Format, findings: &[Finding], files: &ProjectFiles) -> String {
    match format {
        Format::Human { colour } => human::render(findings, files, colour),
        Format::Json => json::render(findings),
        Format::Github => github::render(findings),
        Format::Junit => junit::render(findings),
        Format::Sarif => sarif::render(findings),
    }
}

#[cfg(test)]
mod tests;
