//! Workflow commands of GitHub Actions.

use std::fmt::Write as _;

use qc_model::{Finding, Severity};

pub(super) fn render(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = &finding.place {
            properties.push(format!("file={}", property(&place.file)));
            properties.push(format!("line={}", place.line));
            properties.push(format!("col={}", place.column));
            properties.push(format!("endLine={}", place.end_line));
            // Ours is the column after the last character, theirs the last one.
            properties.push(format!("endColumn={}", place.end_column.saturating_sub(1).max(1)));
        }
        properties.push(format!("title={}", property(finding.code.as_str())));
        let mut text = finding.message.clone();
        for more in [&finding.cause, &finding.help].into_iter().flatten() {
            text.push('\n');
            text.push_str(more);
        }
        writeln!(out, "::{command} {}::{}", properties.join(","), data(&text))
            .expect("a String takes all text");
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
