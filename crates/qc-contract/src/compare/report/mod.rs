//! A comparison, written for people and for machines.

mod human;
mod json;
mod machines;
mod markdown;

use super::Comparison;

/// How a comparison is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportFormat {
    /// For a terminal.
    Human,
    /// For a comment of a review or a changelog.
    Markdown,
    /// With a `schema_version`.
    Json,
    /// For code scanning.
    Sarif,
    /// For test reports of a pipeline.
    Junit,
    /// As annotations of GitHub Actions.
    Github,
}

impl ReportFormat {
    /// The names by which formats are asked for.
    pub const NAMES: [&'static str; 6] = ["human", "markdown", "json", "sarif", "junit", "github"];

    /// A format by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "human" => Self::Human,
            "markdown" => Self::Markdown,
            "json" => Self::Json,
            "sarif" => Self::Sarif,
            "junit" => Self::Junit,
            "github" => Self::Github,
            _ => return None,
        })
    }
}

impl Comparison {
    /// The comparison in a format, with an end of line.
    pub fn report(&self, format: ReportFormat) -> String {
        match format {
            ReportFormat::Human => human::human(self),
            ReportFormat::Markdown => markdown::markdown(self),
            ReportFormat::Json => pretty(&json::json(self)),
            ReportFormat::Sarif => pretty(&machines::sarif(self)),
            ReportFormat::Junit => machines::junit(self),
            ReportFormat::Github => machines::github(self),
        }
    }

    /// The comparison as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        json::json(self)
    }
}

fn pretty(value: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
