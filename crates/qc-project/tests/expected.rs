//! What the example of the README expects of its systems, and what is said when they change.

use std::collections::BTreeSet;
use std::path::PathBuf;

use qc_contract::pact::{Exchange, Pact};
use qc_model::Severity;
use qc_project::{
    Project, ProjectFiles,
    expected::{Expected, ExpectedOf, expected},
};

const NAME: &str = "customer-escalation";
const WORKFLOW: &str = "integrations/customer-escalation/workflow.yaml";
const TRACKER: &str = "connectors/tracker/openapi.yaml";

/// The example, where nothing goes wrong in these scenarios only: in the others the platform ends and starts again.
fn files(scenarios: &[&str]) -> ProjectFiles {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/customer-escalation");
    let mut files = ProjectFiles::read(&folder).expect("the example can be read");
    for name in ["happy-path", "malformed-event", "repeated-event"] {
        if !scenarios.contains(&name) {
            let path = format!("integrations/{NAME}/acceptance/{name}.yaml");
            edit(&mut files, &path, "\nwhen:\n", "\nwhen:\n  - restart: true\n");
        }
    }
    files
}

fn edit(files: &mut ProjectFiles, path: &str, from: &str, to: &str) {
    let text = files.text(path).expect("is there").to_owned();
    assert!(text.contains(from), "{from}");
    files.insert(path, text.replace(from, to));
}

fn found(files: &ProjectFiles) -> Expected {
    expected(&Project::load(files.clone()), NAME).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn needs(expected: &Expected) -> BTreeSet<&str> {
    expected.systems.iter().flat_map(|system| &system.needs).map(String::as_str).collect()
}

fn of<'e>(expected: &'e Expected, connector: &str) -> &'e ExpectedOf {
    let found = expected.systems.iter().find(|system| system.connector == connector);
    found.expect("something is expected of it")
}

/// What `qc check` says of the expectations, once they are in the project.
fn said(files: &ProjectFiles) -> Vec<String> {
    let findings = Project::load(files.clone()).check();
    let own = findings.iter().filter(|finding| finding.code.as_str() == "QC-P041");
    own.map(|finding| {
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.help.is_some(), "says what to do");
        finding.message.clone()
    })
    .collect()
}

fn written(mut files: ProjectFiles, expected: &Expected) -> ProjectFiles {
    for system in &expected.systems {
        let path = format!("integrations/{NAME}/expects/{}.json", system.connector);
        files.insert(&path, system.text());
    }
    files
}

#[test]
fn only_what_the_workflow_cannot_do_without_is_expected() {
    let files = files(&["happy-path", "malformed-event"]);
    let expected = found(&files);
    assert_eq!(needs(&expected), BTreeSet::from(["createIssue/id", "postMessage/id"]));
    assert_eq!(expected.scenarios, ["happy-path", "malformed-event"]);
    assert!(expected.left_out.is_empty());
    let tracker = of(&expected, "tracker");
    assert_eq!((tracker.interactions, tracker.needs.len()), (1, 1));
    assert!(tracker.spared >= 5, "the other fields of a ticket: {}", tracker.spared);

    let (pact, findings) = Pact::read("tracker.json", &tracker.text());
    assert_eq!(findings, [], "it is a Pact file without a fault");
    let pact = pact.expect("can be read");
    assert_eq!((pact.consumer.as_str(), pact.provider.as_str()), (NAME, "tracker"));
    let Exchange::Http { request, response } = &pact.interactions[0].exchange else {
        panic!("is a request")
    };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/issues"));
    assert_eq!(response.status, Some(201));
    let pact = &tracker.pact["interactions"][0];
    assert_eq!(pact["request"]["body"]["content"]["external_ref"], "CASE-1042");
    let answer = serde_json::json!({ "id": "TCK-1" });
    assert_eq!(pact["response"]["body"]["content"], answer);
    assert_eq!(pact["request"]["headers"]["idempotency-key"][0], "key-of-createIssue");
    let text = tracker.text().to_lowercase();
    assert!(!text.contains("authorization") && !text.contains("acceptance-"), "{text}");

    assert_eq!(tracker.text(), of(&found(&files), "tracker").text(), "the same each time");
    assert_eq!(said(&written(files, &expected)), [""; 0]);
}

#[test]
fn a_case_in_a_systems_path_is_a_state_of_it() {
    let expected = found(&files(&["happy-path"]));
    let crm = &of(&expected, "crm").pact["interactions"][0];
    let path = crm["request"]["path"].as_str().expect("has a path");
    assert_eq!(crm["providerStates"][0]["name"], format!("there is {path}"));
    assert_eq!(crm["response"].get("body"), None, "nothing of the answer is needed");
}

#[test]
fn of_two_fields_that_stand_in_for_each_other_one_is_expected() {
    let mut files = files(&["happy-path"]);
    edit(&mut files, WORKFLOW, "ticket: .id}", "ticket: (.id // .external_ref // .title)}");
    let scenario = "integrations/customer-escalation/acceptance/happy-path.yaml";
    edit(&mut files, scenario, r#" and .ticket == "TCK-1""#, "");
    let expected = found(&files);
    let of_tracker: Vec<&String> = of(&expected, "tracker").needs.iter().collect();
    assert_eq!(of_tracker, ["createIssue/id"], "what comes instead is another ticket");

    // The same text wherever it is taken from.
    edit(
        &mut files,
        WORKFLOW,
        "(.id // .external_ref // .title)",
        "(.external_ref // (.title | split(\":\")[0]))",
    );
    let expected = found(&files);
    assert_eq!(of(&expected, "tracker").needs.len(), 1, "{:?}", of(&expected, "tracker").needs);
}

#[test]
fn what_another_system_gets_of_an_answer_is_needed() {
    let mut files = files(&["happy-path"]);
    let text = files.text(WORKFLOW).expect("is there").to_owned();
    let (without_output, _) = text.split_once("\noutput:\n").expect("says what it answers");
    files.insert(WORKFLOW, format!("{without_output}\n"));
    let scenario = "integrations/customer-escalation/acceptance/happy-path.yaml";
    let said = "  output: ['.case_id == \"CASE-1042\" and .ticket == \"TCK-1\"']\n";
    edit(&mut files, scenario, said, "");
    // What the workflow answers is whatever its last task had, which nobody asked for.
    assert_eq!(needs(&found(&files)), BTreeSet::from(["createIssue/id"]));
}

#[test]
fn what_is_handed_on_whole_is_needed_whole() {
    let mut files = files(&["happy-path"]);
    edit(&mut files, WORKFLOW, "message: .id}", "message: .id, all: .}");
    let expected = found(&files);
    assert_eq!(of(&expected, "chat").spared, 0);
}

#[test]
fn a_description_that_lacks_what_is_needed_is_found() {
    let start = files(&["happy-path"]);
    let expected = found(&start);
    let start = written(start, &expected);
    let changed = |from: &str, to: &str| {
        let mut files = start.clone();
        edit(&mut files, TRACKER, from, to);
        said(&files)
    };
    let issue = "        id: {type: string";
    let said_of = changed(issue, "        number: {type: string");
    assert!(said_of.iter().any(|it| it.contains("the answer has no `/id`")), "{said_of:?}");
    let said_of = changed(issue, "        id: {type: integer");
    assert!(said_of.iter().any(|it| it.contains("the answer is another one")), "{said_of:?}");
    let said_of = changed("  /issues:\n", "  /tickets:\n");
    assert!(said_of.iter().any(|it| it.contains("there is no `POST /issues`")), "{said_of:?}");
    // What nobody needs may go, and another success may come.
    let spared = "        created_at: {";
    assert_eq!(changed(spared, "        made_at: {"), [""; 0]);
    assert_eq!(
        changed(
            "        \"201\":\n          description: The issue.",
            "        \"200\":\n          description: The issue."
        ),
        [""; 0]
    );
}

#[test]
fn what_was_written_before_does_not_keep_from_writing_anew() {
    let mut files = files(&["happy-path"]);
    files.insert("integrations/customer-escalation/expects/tracker.json", "{".to_owned());
    files.insert("integrations/customer-escalation/expects/nobody.json", "{}".to_owned());
    let codes: BTreeSet<String> =
        Project::load(files.clone()).check().iter().map(|it| it.code.to_string()).collect();
    assert!(codes.contains("QC-P041") && codes.contains("QC-Q001"), "{codes:?}");
    assert_eq!(needs(&found(&files)).len(), 2);
}

#[test]
fn what_cannot_be_told_is_said() {
    let told = |files: ProjectFiles| {
        let refused = expected(&Project::load(files), NAME).expect_err("cannot be told");
        refused.iter().map(|it| (it.code.to_string(), it.message.clone())).collect::<Vec<_>>()
    };
    let none = told(files(&[]));
    assert_eq!(none[0].0, "QC-P042");
    assert!(none[0].1.contains("no scenario in which nothing goes wrong"), "{none:?}");

    let mut failing = files(&["happy-path"]);
    let scenario = "integrations/customer-escalation/acceptance/happy-path.yaml";
    edit(&mut failing, scenario, "TCK-1", "TCK-2");
    let refused = told(failing);
    assert_eq!(refused[0].0, "QC-P042");
    assert!(refused[0].1.contains("does not pass"), "{refused:?}");
    assert_eq!(refused[1].0, "QC-T502", "and why");
}
