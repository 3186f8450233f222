//! Reports for people and machines.

use std::fmt::Write as _;

use qc_model::Finding;
use serde_json::{Value, json};

use super::{Report, ScenarioReport};
use crate::{
    ProjectFiles,
    render::{Format, escape_xml, render},
};

/// The version of the JSON shape.
const JSON_VERSION: u32 = 1;

/// For people.
pub fn human(report: &Report, files: &ProjectFiles, colour: bool) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        let verdict = if scenario.passed() { "ok  " } else { "FAIL" };
        let line = format!(
            "{verdict} {}/{}: {} ({} runs, {} requests, {} virtual)",
            scenario.integration,
            scenario.scenario,
            scenario.title,
            scenario.runs,
            scenario.requests,
            span_of_time(scenario.elapsed),
        );
        put(&mut out, &line);
        if !scenario.findings.is_empty() {
            put(&mut out, &drawn(&scenario.findings, files, colour));
        }
    }
    if !report.uncovered.is_empty() {
        put(&mut out, "");
        put(&mut out, &drawn(&report.uncovered, files, colour));
    }
    let failed = report.scenarios.iter().filter(|scenario| !scenario.passed()).count();
    put(&mut out, &format!("{} scenarios, {failed} failed", report.scenarios.len()));
    out
}

fn put(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes all text");
}

/// Findings without the line that counts them.
fn drawn(findings: &[Finding], files: &ProjectFiles, colour: bool) -> String {
    let text = render(Format::Human { colour }, findings, files);
    let body = text.trim_end().rsplit_once('\n').map_or("", |(body, _)| body);
    body.trim_end().to_owned()
}

fn span_of_time(length: std::time::Duration) -> String {
    format!("{:.3} s", length.as_secs_f64())
}

/// One JSON object.
pub fn json(report: &Report) -> String {
    let document = json!({
        "schema_version": JSON_VERSION,
        "passed": report.passed(),
        "scenarios": report.scenarios.iter().map(scenario_json).collect::<Vec<_>>(),
        "uncovered": report.uncovered,
    });
    let mut text = serde_json::to_string_pretty(&document).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn scenario_json(scenario: &ScenarioReport) -> Value {
    json!({
        "integration": scenario.integration,
        "scenario": scenario.scenario,
        "title": scenario.title,
        "file": scenario.file,
        "passed": scenario.passed(),
        "covers": scenario.covers,
        "runs": scenario.runs,
        "requests": scenario.requests,
        "virtual_ms": u64::try_from(scenario.elapsed.as_millis()).unwrap_or(u64::MAX),
        "findings": scenario.findings,
        "journals": scenario.journals,
    })
}

/// JUnit's XML.
pub fn junit(report: &Report) -> String {
    let failures = report.scenarios.iter().filter(|scenario| !scenario.passed()).count();
    let head = format!("tests=\"{}\" failures=\"{failures}\" errors=\"0\"", report.scenarios.len());
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    put(
        &mut out,
        &format!("<testsuites name=\"qc test\" {head}>\n  <testsuite name=\"qc test\" {head}>"),
    );
    for scenario in &report.scenarios {
        let name = format!(
            "classname=\"{}\" name=\"{}\"",
            escape_xml(&scenario.integration),
            escape_xml(&scenario.scenario)
        );
        if scenario.passed() {
            put(&mut out, &format!("    <testcase {name}/>"));
            continue;
        }
        let text: Vec<String> = scenario.findings.iter().map(ToString::to_string).collect();
        let message = text.first().map_or("", String::as_str);
        put(
            &mut out,
            &format!(
                "    <testcase {name}><failure message=\"{}\">{}</failure></testcase>",
                escape_xml(message),
                escape_xml(&text.join("\n")),
            ),
        );
    }
    put(&mut out, "  </testsuite>\n</testsuites>");
    out
}
