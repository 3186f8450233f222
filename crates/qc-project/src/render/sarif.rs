//! SARIF 2.1.0 (OASIS), as code-scanning services read it.

use std::fmt::Write as _;

use qc_model::{Finding, Place, Severity};
use serde_json::{Value, json};

pub(super) fn render(findings: &[Finding]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &rules)).collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|id| json!({ "id": id, "helpUri": format!("https://quickconnect.app/errors/{id}") }))
        .collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "qc",
                "informationUri": "https://quickconnect.app",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn result(finding: &Finding, rules: &[&str]) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = finding.message.clone();
    for more in [&finding.cause, &finding.help].into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rules.binary_search(&finding.code.as_str()).unwrap_or(0),
        "level": level,
        "message": { "text": text },
        "locations": finding.place.iter().map(location).collect::<Vec<_>>(),
    });
    if !finding.labels.is_empty() {
        let related = finding.labels.iter().map(|label| {
            let mut location = location(&label.place);
            location["message"] = json!({ "text": label.text });
            location
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(place: &Place) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&place.file), "uriBaseId": "%SRCROOT%" },
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    }})
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes all text");
        }
    }
    out
}
