//! Reports for people and machines.

use std::fmt::Write as _;
use std::time::Duration;

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
        let verdict = match (scenario.passed(), colour) {
            (true, false) => "ok  ",
            (true, true) => "\u{1b}[32mok\u{1b}[0m  ",
            (false, false) => "FAIL",
            (false, true) => "\u{1b}[1;31mFAIL\u{1b}[0m",
        };
        let name = format!("{}/{}", scenario.integration, scenario.scenario);
        put(&mut out, &format!("{verdict} {name}: {} ({})", scenario.title, facts(scenario)));
        if !scenario.findings.is_empty() {
            put(&mut out, &drawn(&scenario.findings, files, colour));
        }
    }
    if !report.uncovered.is_empty() {
        put(&mut out, "");
        put(&mut out, &drawn(&report.uncovered, files, colour));
    }
    let failed = report.scenarios.iter().filter(|scenario| !scenario.passed()).count();
    let mut last =
        format!("{}, {failed} failed", counted(report.scenarios.len() as u64, "scenario"));
    if !report.uncovered.is_empty() {
        let modes = counted(report.uncovered.len() as u64, "failure mode");
        write!(last, ", {modes} covered by none that passes").expect("a String takes all text");
    }
    put(&mut out, &last);
    out
}

/// What there was in a scenario: `1 run, 4 requests, 20 s of virtual time`.
fn facts(scenario: &ScenarioReport) -> String {
    let runs = counted(scenario.runs as u64, "run");
    let requests = counted(scenario.requests, "request");
    if scenario.elapsed.is_zero() {
        return format!("{runs}, {requests}");
    }
    format!("{runs}, {requests}, {} of virtual time", span_of_time(scenario.elapsed))
}

fn counted(count: u64, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
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

/// A length of time in its two largest units: `1.48 s`, `2 min 5 s`, `1 d`.
fn span_of_time(length: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if length < Duration::from_secs(60) {
        let text = format!("{:.3}", length.as_secs_f64());
        return format!("{} s", text.trim_end_matches('0').trim_end_matches('.'));
    }
    let mut rest = length.as_secs();
    let mut parts = Vec::new();
    for (seconds, unit) in UNITS {
        if rest >= seconds {
            parts.push(format!("{} {unit}", rest / seconds));
            rest %= seconds;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    parts.join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_short_to_read() {
        let shown = |milliseconds| span_of_time(Duration::from_millis(milliseconds));
        assert_eq!(shown(1), "0.001 s");
        assert_eq!(shown(1_480), "1.48 s");
        assert_eq!(shown(20_000), "20 s");
        assert_eq!(shown(125_000), "2 min 5 s");
        assert_eq!(shown(86_400_000), "1 d");
        assert_eq!(shown(90_061_000), "1 d 1 h");
        assert_eq!(shown(86_461_000), "1 d");
    }
}
