use serde_json::Value;

use crate::scene::{Ran, Scene};

const INTEGRATION: &str = "integrations/customer-escalation/integration.yaml";

fn wrong() -> Scene {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "tasks: [notifyTeam]", "tasks: [tellTeam]");
    scene
}

#[test]
fn each_format_is_what_its_readers_expect() {
    let scene = wrong();
    let json = scene.qc(&["check", "--format", "json"]).ends(100).json();
    assert_eq!(json["schema_version"], 1);
    let github = scene.qc(&["check", "--format", "github"]).ends(100);
    github.says(&format!("::error file={INTEGRATION},line=")).says("::notice ");
    let junit = scene.qc(&["check", "--format", "junit"]).ends(100);
    assert!(junit.out.starts_with("<?xml"), "{}", junit.out);
    junit.says("<testsuite").says("QC-P011");
    let sarif: Value = scene.qc(&["check", "--format", "sarif"]).ends(100).json();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert!(
        results.iter().any(|result| result["ruleId"] == "QC-P011" && result["level"] == "error")
    );
}

#[test]
fn an_unknown_format_is_refused_with_those_there_are() {
    let scene = Scene::example();
    scene.qc(&["check", "--format", "xml"]).ends(2).warns("junit").warns("sarif");
    scene.qc(&["test", "--format", "sarif"]).ends(2).warns("junit");
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let scene = wrong();
    let escape = '\u{1b}';
    let with = |pairs: &[(&str, &str)], arguments: &[&str]| {
        let mut command = scene.command(arguments);
        Ran::of(command.envs(pairs.iter().copied())).ends(100).out.contains(escape)
    };
    assert!(!with(&[], &["check"]));
    assert!(with(&[("CLICOLOR_FORCE", "1")], &["check"]));
    assert!(!with(&[("CLICOLOR_FORCE", "0")], &["check"]));
    assert!(!with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &["check"]));
    assert!(with(&[("NO_COLOR", "1")], &["check", "--color", "always"]));
    assert!(!with(&[("CLICOLOR_FORCE", "1")], &["check", "--format", "json"]));
}

#[test]
fn a_schema_is_there_for_every_kind_of_file() {
    let scene = Scene::empty();
    for kind in ["organisation", "integration", "workflow", "scenario", "connector", "simulator"] {
        let schema = scene.qc(&["schema", kind]).ends(0).json();
        assert!(schema["$schema"].as_str().unwrap().contains("2020-12"), "{kind}");
        assert!(schema.as_object().unwrap().len() > 2, "{kind}");
    }
    scene.qc(&["schema", "workflo"]).ends(2).warns("workflow").warns("simulator");
}

#[test]
fn shells_complete_the_verbs() {
    let scene = Scene::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.qc(&["completions", shell]).ends(0);
        script.says("simulate").says("completions");
    }
}

#[test]
fn the_same_files_make_the_same_release() {
    let hash = |scene: &Scene| {
        let built = scene.qc(&["release", "build", "--dry-run", "--json"]).ends(0).json();
        let hash = built["release"].as_str().unwrap().to_owned();
        assert_eq!(hash.len(), 64);
        hash
    };
    let (one, other) = (Scene::example(), Scene::example());
    assert_eq!(hash(&one), hash(&other));
    other.edit(INTEGRATION, "every: 90d", "every: 91d");
    assert_ne!(hash(&one), hash(&other));
}
