use serde_json::Value;

use crate::scene::{Ran, Scene};

const INTEGRATION: &str = "integrations/customer-escalation/integration.yaml";
const WORKFLOW: &str = "integrations/customer-escalation/workflow.yaml";
const SCENARIO: &str = "integrations/customer-escalation/acceptance/happy-path.yaml";

/// The line and column, from 1, at which a text stands for the first time.
fn position(text: &str, wanted: &str) -> (u64, u64) {
    let before = &text[..text.find(wanted).unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    (line as u64, column as u64)
}

/// A file, the code of its finding, and the line and column at which it must stand.
type Expected = (&'static str, &'static str, (u64, u64));

/// A project in which every kind of file is wrong, and where.
fn broken() -> (Scene, Vec<Expected>) {
    let scene = Scene::example();
    let mut expected = Vec::new();
    let mut wrong = |file: &'static str, from: &str, to: &str, code: &'static str, at: &str| {
        scene.edit(file, from, to);
        expected.push((file, code, position(&scene.read(file), at)));
    };
    wrong(INTEGRATION, "owner: crm-team, on", "owner: crm-taem, on", "QC-P007", "crm-taem");
    wrong(INTEGRATION, "tenant: default", "tenant: defalt", "QC-P032", "defalt");
    wrong(WORKFLOW, "call: crm.putCaseState", "call: crm.putCaseStat", "QC-W", "crm.putCaseStat");
    wrong(
        SCENARIO,
        "trigger: case-escalated",
        "trigger: case-escalatd",
        "QC-T501",
        "case-escalatd",
    );
    wrong("quickconnect.yaml", "rotation:", "rotaton:", "QC-Q", "rotaton");
    wrong("connectors/chat/connector.yaml", "name: chat", "nam: chat", "QC-Q", "nam: chat");
    (scene, expected)
}

#[test]
fn all_findings_of_all_files_come_at_once_each_with_its_place() {
    let (scene, expected) = broken();
    let report = scene.qc(&["check", "--json"]).ends(100).json();
    assert_eq!(report["schema_version"], 1);
    let findings = report["findings"].as_array().unwrap();
    for (file, code, (line, column)) in expected {
        let there = findings.iter().any(|finding| {
            let place = &finding["place"];
            finding["severity"] == "error"
                && finding["code"].as_str().unwrap().starts_with(code)
                && place["file"] == file
                && (place["line"].as_u64(), place["column"].as_u64()) == (Some(line), Some(column))
        });
        assert!(there, "no {code} at {file}:{line}:{column} in {findings:#?}");
    }
    // A connector that cannot be read is not also said to be missing.
    let missing = |finding: &Value| finding["message"].as_str().unwrap().contains("no connector");
    assert!(!findings.iter().any(missing), "{findings:#?}");
    assert!(report["summary"]["errors"].as_u64().unwrap() >= 6);
}

#[test]
fn people_see_the_line_and_what_to_do() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "owner: crm-team, on", "owner: crm-taem, on");
    let (line, column) = position(&scene.read(INTEGRATION), "crm-taem");
    let ran = scene.qc(&["check"]).ends(100);
    let ran = ran.says("error[QC-P007]").says(&format!("--> {INTEGRATION}:{line}:{column}"));
    let ran = ran.says("^^^^^^^^").says("did you mean `crm-team`?").says("1 error, 3 notes");
    assert_eq!(ran.err, "");
}

#[test]
fn a_file_that_is_no_yaml_is_a_finding_and_the_others_are_checked_all_the_same() {
    let scene = Scene::example();
    scene.write("quickconnect.yaml", "organisation: [unclosed\n");
    scene.edit(WORKFLOW, "tracker.createIssue", "tracker.createIssu");
    let report = scene.qc(&["check", "--json"]).ends(100).json();
    let findings = report["findings"].as_array().unwrap();
    let at = |file: &str| findings.iter().any(|finding| finding["place"]["file"] == file);
    assert!(at("quickconnect.yaml") && at(WORKFLOW), "{findings:#?}");
}

#[test]
fn notes_never_fail_and_warnings_only_when_strict() {
    let scene = Scene::example();
    let clean = scene.qc(&["check", "--strict", "--json"]).ends(0).json();
    assert!(clean["summary"]["notes"].as_u64().unwrap() > 0);
    scene.edit(INTEGRATION, "    scenario: acceptance/lost-answer.yaml\n", "");
    scene.qc(&["check"]).ends(0).says("warning[QC-P028]");
    scene.qc(&["check", "--strict"]).ends(100).says("warning[QC-P028]");
}

#[test]
fn a_literal_secret_is_refused() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "secret: secret://crm/webhook", "secret: hunter2-hunter2");
    let ran = scene.qc(&["check"]).ends(100);
    ran.says("secret://");
}

#[test]
fn a_broken_project_makes_no_release_and_runs_no_scenario() {
    let (scene, _) = broken();
    let ran = scene.qc(&["test"]).ends(100);
    ran.says("error[QC-P007]").warns("no scenario was run");
    let ran: Ran = scene.qc(&["release", "build", "--dry-run"]).ends(100);
    assert!(!ran.out.contains("customer-escalation  "), "{}", ran.out);
    let errors: Value = serde_json::from_str(&scene.qc(&["test", "--json"]).ends(100).err).unwrap();
    assert_eq!(errors["exit"], 100);
}

/// An empty value is none: what needs one says so, and nothing is in force in silence without it.
#[test]
fn a_limit_whose_rate_is_empty_is_a_finding() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "    rate: 50/s\n", "    rate:\n");
    scene.qc(&["check"]).ends(100).says("QC-Q013").says("the limit needs `rate` or `concurrency`");
}

#[test]
fn a_trigger_whose_auth_is_empty_is_a_finding() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "auth: signature", "auth:");
    scene.qc(&["check"]).ends(100).says("QC-Q013").says("the trigger needs `auth`");
}
