//! JUnit's XML: a test case for every finding, and a passing one when there is none.

use std::fmt::Write as _;

use qc_model::{Finding, Severity};

use super::Summary;

pub(super) fn render(findings: &[Finding]) -> String {
    let summary = Summary::of(findings);
    let tests = findings.len().max(1);
    let failures = summary.errors;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\"");
    put(
        &mut out,
        &format!("<testsuites name=\"qc check\" {head}>\n  <testsuite name=\"qc check\" {head}>\n"),
    );
    if findings.is_empty() {
        put(&mut out, "    <testcase classname=\"project\" name=\"all files\"/>\n");
    }
    for finding in findings {
        put(&mut out, &case(finding));
    }
    put(&mut out, "  </testsuite>\n</testsuites>\n");
    out
}

fn put(out: &mut String, text: &str) {
    out.write_str(text).expect("a String takes all text");
}

fn case(finding: &Finding) -> String {
    let file = finding.place.as_ref().map_or("project", |place| &*place.file);
    let name = format!("{} {}", finding.code, finding.message);
    let open = format!("    <testcase classname=\"{}\" name=\"{}\">", escape(file), escape(&name));
    let mut text = finding.to_string();
    for more in [&finding.cause, &finding.help].into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    let inner = match finding.severity {
        Severity::Error => format!(
            "<failure type=\"{}\" message=\"{}\">{}</failure>",
            finding.code,
            escape(&finding.message),
            escape(&text)
        ),
        Severity::Warning | Severity::Note => format!("<system-out>{}</system-out>", escape(&text)),
    };
    format!("{open}{inner}</testcase>\n")
}

/// Escapes text for XML 1.0; characters that it cannot hold become `?`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
