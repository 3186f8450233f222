use crate::scene::Scene;

const INTEGRATION: &str = "integrations/customer-escalation/integration.yaml";
const ROUGH: &str = "integrations/customer-escalation/acceptance/rough-day.yaml";

#[test]
fn the_example_passes_and_every_failure_mode_is_proven() {
    let scene = Scene::example();
    let report = scene.qc(&["test", "--json"]).ends(0).json();
    assert_eq!(report["uncovered"], serde_json::json!([]));
    assert!(report["scenarios"].as_array().unwrap().iter().all(|one| one["passed"] == true));
}

#[test]
fn a_scenario_that_fails_fails_the_test_and_uncovers_its_failure_modes() {
    let scene = Scene::example();
    scene.edit(ROUGH, "createIssue: 3", "createIssue: 2");
    let ran = scene.qc(&["test"]).ends(100);
    let ran = ran
        .says("FAIL customer-escalation/rough-day")
        .says("error[QC-T502]")
        .says(&format!("--> {ROUGH}:"));
    let ran = ran
        .says("QC-T504")
        .says("`tracker-throttles`")
        .says("`crm-unavailable`")
        .says("`token-expired`");
    ran.says("1 failed");
    let junit = scene.qc(&["test", "--format", "junit"]).ends(100);
    junit.says("<failure").says("failures=\"1\"");
    // The others still pass on their own.
    scene.qc(&["test", "--scenario", "happy-path"]).ends(0);
}

#[test]
fn a_failure_mode_without_a_scenario_is_listed_and_fails_only_when_strict() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "    scenario: acceptance/lost-answer.yaml\n", "");
    let ran = scene.qc(&["test"]).ends(0);
    ran.says("no passing fault scenario covers the failure mode `answer-lost`");
    scene.qc(&["test", "--strict"]).ends(100);
}

#[test]
fn a_misspelt_name_is_not_a_test_that_passed() {
    let scene = Scene::example();
    scene.qc(&["test", "--scenario", "rough-dya"]).ends(3).warns("did you mean `rough-day`?");
    scene.qc(&["test", "--integration", "customer"]).ends(3).warns("QC-P035");
    let one = scene.qc(&["test", "--scenario", "rough-day", "--json"]).ends(0).json();
    assert_eq!(one["scenarios"].as_array().unwrap().len(), 1);
}

#[test]
fn errors_of_one_integration_do_not_stop_the_tests_of_another() {
    let scene = Scene::example();
    scene.qc(&["new", "integration", "orders"]).ends(0);
    scene.edit(INTEGRATION, "tasks: [notifyTeam]", "tasks: [tellTeam]");
    scene.qc(&["test"]).ends(100).warns("no scenario was run");
    scene.qc(&["test", "--integration", "orders"]).ends(0).says("orders/happy-path");
}
