//! A scenario that expects something else than what happens fails, and says at which line.

use qc_project::{Project, ProjectFiles, acceptance, scaffold};

const HAPPY: &str = "integrations/notify/acceptance/happy-path.yaml";
const AWAY: &str = "integrations/notify/acceptance/chat-unavailable.yaml";
const WORKFLOW: &str = "integrations/notify/workflow.yaml";

fn outcome(changes: &[(&str, &str, &str)], scenario: &str) -> Vec<String> {
    let mut files: ProjectFiles = scaffold::init(scaffold::Template::Notify);
    for (path, from, to) in changes {
        let text = files.text(path).expect("is there").to_owned();
        assert!(text.contains(from), "{path} has no `{from}`");
        files.insert(*path, text.replacen(from, to, 1));
    }
    let selection =
        acceptance::Selection { integration: None, scenario: Some(scenario.to_owned()) };
    let report = acceptance::run(&Project::load(files), &selection);
    assert_eq!(report.scenarios.len(), 1);
    assert_eq!(report.passed(), report.scenarios[0].findings.is_empty());
    report.scenarios[0].findings.iter().map(|f| format!("{}: {}", f.code, f.message)).collect()
}

#[test]
fn each_expectation_can_fail() {
    let cases: &[(&str, &str, &str, &str)] = &[
        (HAPPY, "ends: completed", "ends: faulted", "QC-T502: the run run_"),
        (HAPPY, "then:\n", "then:\n  runs: 2\n", "QC-T502: there are 1 runs, not 2"),
        (
            HAPPY,
            "requests: {postMessage: 1}",
            "requests: {postMessage: 2}",
            "QC-T502: `chat.postMessage` received 1 requests, not 2",
        ),
        (
            HAPPY,
            "effects: {postMessage: 1}",
            "effects: {postMessage: 3}",
            "QC-T502: `chat.postMessage` took effect 1 times, not 3",
        ),
        (
            HAPPY,
            "effects: {postMessage: 1}",
            "effects: {}",
            "QC-T502: `chat.postMessage` took effect 1 times, which `effects` does not list",
        ),
        (
            HAPPY,
            "== [\"warning: Disk is nearly full\"]",
            "== []",
            "QC-T502: it does not hold for what `chat` holds",
        ),
        (
            HAPPY,
            "then:\n",
            "then:\n  output: ['.nothing']\n",
            "QC-T502: it does not hold for the output",
        ),
        (
            HAPPY,
            "then:\n",
            "then:\n  dead_letters: [QC-N108]\n",
            "QC-T502: there is no dead letter with the code `QC-N108`",
        ),
        (HAPPY, "times: 3}", "times: 3, refused: true}", "QC-T503: the event was taken"),
        (HAPPY, ", refused: true", "", "QC-T503: the event was refused"),
        (HAPPY, "then:\n", "then:\n  elapsed_at_least: 1h\n", "QC-T502: it took"),
        (AWAY, "elapsed_at_most: 2m", "elapsed_at_most: 100ms", "QC-T502: it took"),
        (AWAY, "times: 3}", "times: 9}", "QC-T502: `chat.postMessage` received 10 requests, not 4"),
        (
            AWAY,
            "{operation: postMessage}",
            "{operation: postMessage, nth: 50}",
            "QC-T505: the fault `unavailable` at `chat` never happened",
        ),
        (
            AWAY,
            "then:\n",
            "settles_within: 1ms\nthen:\n",
            "QC-T503: 1 of 1 runs did not come to an end",
        ),
    ];
    for (path, from, to, expected) in cases {
        let scenario = path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".yaml"))
            .expect("is a scenario");
        let found = outcome(&[(path, from, to)], scenario);
        assert!(found.iter().any(|line| line.starts_with(expected)), "{from} → {to}: {found:#?}");
    }
}

/// The suite catches an integration that does a thing twice, or under two keys.
#[test]
fn a_doubled_effect_is_caught() {
    let doubled = "  - again:\n      call: chat.postMessage\n      with:\n        channel: operations\n        text: again\n        ref: ${ .ref }\n";
    let changes = [
        (
            WORKFLOW,
            "        ref: ${ .alert_id }\n",
            format!("        ref: ${{ .alert_id }}\n{doubled}"),
        ),
        (
            "integrations/notify/integration.yaml",
            "tasks: [tell]",
            "tasks: [tell, again]".to_owned(),
        ),
    ];
    let changes: Vec<(&str, &str, &str)> =
        changes.iter().map(|(path, from, to)| (*path, *from, to.as_str())).collect();
    let found = outcome(&changes, "happy-path");
    assert!(found.iter().any(|line| line.contains("took effect 2 times, not 1")), "{found:#?}");
}

#[test]
fn a_project_with_errors_fails_its_scenarios_and_says_why() {
    let found = outcome(&[(WORKFLOW, "chat.postMessage", "chat.postMesage")], "happy-path");
    assert!(found[0].starts_with("QC-T503"), "{found:#?}");
    assert!(found.len() > 1, "{found:#?}");
}

#[test]
fn failure_modes_without_a_passing_fault_scenario_are_listed() {
    let mut files = scaffold::init(scaffold::Template::Notify);
    let text = files.text(AWAY).expect("is there").replace("times: 3}", "times: 9}");
    files.insert(AWAY, text);
    let project = Project::load(files);
    let report = acceptance::run(&project, &acceptance::Selection::default());
    let named: Vec<&str> = report.uncovered.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(named, ["no passing fault scenario covers the failure mode `chat-unavailable`"]);
    let json: serde_json::Value =
        serde_json::from_str(&acceptance::json(&report)).expect("is JSON");
    assert_eq!((&json["schema_version"], &json["passed"]), (&1.into(), &false.into()));
    assert!(
        json["scenarios"]
            .as_array()
            .expect("is a list")
            .iter()
            .any(|s| !s["journals"].as_array().expect("is a list").is_empty())
    );
    let junit = acceptance::junit(&report);
    assert!(
        junit.contains("tests=\"3\" failures=\"1\"") && junit.contains("<failure message="),
        "{junit}"
    );
}

/// The same scenario gives the same outcome, run after run: time and chance are its own.
#[test]
fn scenarios_are_deterministic() {
    let run = || {
        let project = Project::load(scaffold::init(scaffold::Template::TicketSync));
        let report = acceptance::run(&project, &acceptance::Selection::default());
        report
            .scenarios
            .iter()
            .map(|s| (s.scenario.clone(), s.requests, s.elapsed))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

/// An event that comes when its limit is used up has its run do less, and only where a limit says so.
#[test]
fn the_lesser_way_is_shown_by_a_scenario() {
    const BRIEF: &str = "integrations/notify/integration.yaml";
    let lesser = (HAPPY, "times: 3}", "times: 3, degraded: true}");
    assert!(
        outcome(&[lesser], "happy-path").join(" ").contains("no limit of the integration has"),
        "there is no lesser way"
    );
    let limit = "limits: [{name: a, scope: tenant, rate: 9/s, protects: x, on_excess: {degrade: {rate: 9/s}}}]\nowners:";
    let limit = (BRIEF, "owners:", limit);
    let text = "if $runtime.metadata.degraded then \"less\" else \"\\(.level): \\(.title)\" end";
    let way = (WORKFLOW, "\"\\(.level): \\(.title)\"", text);
    assert_eq!(outcome(&[limit, way], "happy-path"), [""; 0]);
    let told = outcome(&[limit, way, lesser], "happy-path");
    assert!(told.join(" ").contains("it does not hold for what `chat` holds"), "{told:?}");
    let expected = (HAPPY, "warning: Disk is nearly full", "less");
    assert_eq!(outcome(&[limit, way, lesser, expected], "happy-path"), [""; 0]);
}
