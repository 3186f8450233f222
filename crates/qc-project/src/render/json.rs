//! One JSON object.

use qc_model::Finding;
use serde_json::{Value, json};

use super::{JSON_VERSION, Summary};

pub(super) fn render(findings: &[Finding]) -> String {
    let Summary { errors, warnings, notes } = Summary::of(findings);
    let document = json!({
        "schema_version": JSON_VERSION,
        "summary": { "errors": errors, "warnings": warnings, "notes": notes },
        "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn finding_json(finding: &Finding) -> Value {
    let mut value = serde_json::to_value(finding).expect("a finding is plain data");
    value["page"] = json!(finding.code.page());
    value
}
