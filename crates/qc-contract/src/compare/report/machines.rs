//! For pipelines: SARIF 2.1.0, JUnit, annotations of GitHub Actions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::human::where_of;
use crate::compare::{Change, Comparison, Level, Rule};

/// Where a rule is explained.
const PAGE: &str = "docs/contract-rules.md";

pub(super) fn sarif(comparison: &Comparison) -> Value {
    let rules: BTreeMap<&str, &Rule> =
        comparison.changes.iter().map(|change| (&*change.rule.id, change.rule)).collect();
    let described = rules.values().map(|rule| {
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.explanation },
            "help": { "text": format!("{} See {PAGE}#{}", rule.action, rule.id) },
            "defaultConfiguration": { "level": sarif_level(rule.level) },
        })
    });
    let results = comparison.changes.iter().map(|change| {
        let mut result = json!({
            "ruleId": change.rule.id,
            "level": sarif_level(change.level),
            "message": { "text": format!("{} ({})", change.message, where_of(change)) },
            "partialFingerprints": { "contractChange/v1": fingerprint(change) },
        });
        if let Some(place) = change.new.place.as_ref().or(change.old.place.as_ref()) {
            result["locations"] = json!([{
                "physicalLocation": {
                    "artifactLocation": { "uri": place.file },
                    "region": {
                        "startLine": place.line,
                        "startColumn": place.column,
                        "endLine": place.end_line,
                        "endColumn": place.end_column,
                    },
                },
            }]);
        }
        result
    });
    json!({
        "version": "2.1.0",
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "runs": [{
            "tool": { "driver": { "name": "qc contract diff", "rules": described.collect::<Vec<_>>() } },
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn sarif_level(level: Level) -> &'static str {
    match level {
        Level::Breaking => "error",
        Level::Risky => "warning",
        Level::Additive => "note",
        Level::Cosmetic => "none",
    }
}

/// The same change has the same fingerprint wherever its lines move.
fn fingerprint(change: &Change) -> String {
    format!("{}:{}:{}", change.rule.id, change.old.pointer, change.new.pointer)
}

pub(super) fn junit(comparison: &Comparison) -> String {
    let failures = comparison.changes.iter().filter(|c| c.level == Level::Breaking).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"contract\" tests=\"{}\" failures=\"{failures}\">\n",
        comparison.changes.len().max(1),
    );
    if comparison.changes.is_empty() {
        text.push_str("  <testcase classname=\"contract\" name=\"no change\"/>\n");
    }
    for change in &comparison.changes {
        let name = xml(&format!("{}: {}", change.rule.id, where_of(change)));
        let _ = write!(
            text,
            "  <testcase classname=\"contract.{}\" name=\"{name}\"",
            change.area.as_str()
        );
        let message = xml(&change.message);
        if change.level == Level::Breaking {
            let action = xml(&change.rule.action);
            let _ = writeln!(
                text,
                ">\n    <failure message=\"{message}\">{action}</failure>\n  </testcase>"
            );
        } else {
            let _ = writeln!(
                text,
                ">\n    <system-out>{}: {message}</system-out>\n  </testcase>",
                change.level
            );
        }
    }
    text.push_str("</testsuite>\n");
    text
}

fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // Control characters have no place in XML 1.0.
            c if c.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

pub(super) fn github(comparison: &Comparison) -> String {
    let mut text = String::new();
    for change in comparison.changes.iter().filter(|change| change.level > Level::Cosmetic) {
        let command = match change.level {
            Level::Breaking => "error",
            Level::Risky => "warning",
            _ => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = change.new.place.as_ref().or(change.old.place.as_ref()) {
            properties.push(format!("file={}", property(&place.file)));
            properties.push(format!("line={}", place.line));
            properties.push(format!("col={}", place.column));
        }
        properties.push(format!("title={}", property(&change.rule.id)));
        let message =
            data(&format!("{} ({}). {}", change.message, where_of(change), change.rule.action));
        let _ = writeln!(text, "::{command} {}::{message}", properties.join(","));
    }
    let _ = writeln!(text, "::notice title=contract::{}", comparison.verdict);
    text
}

/// A workflow command ends at the line's end; what could end it earlier is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
