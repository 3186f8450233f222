//! Mistakes about queues, polls and publications, each with the codes that must come of it.

use std::collections::BTreeSet;

use crate::{
    Project, ProjectFiles,
    acceptance::{Selection, run},
    compile::{build, release},
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const WORKFLOW: &str = "integrations/notify/workflow.yaml";
const TRIGGER: &str = "    kind: json\n    event_type: com.example.alert\n    auth: token\n";
const EMIT: &str = "\n  - say: {emit: {event: {with: {type: com.example.told, data: {}}}}}\n";
const POLL: &str = "    kind: poll\n    event_type: com.example.alert\n    poll: {connector: chat, operation: listMessages, every: 1m, items: .messages, \
                    cursor: '.items[-1].ref // .cursor', start: \"\"}\n";

/// A project whose trigger, and whatever else, is replaced.
fn with(trigger: &str, publishes: &str) -> ProjectFiles {
    let mut files = init(Template::Notify);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    assert!(text.contains(TRIGGER) && text.contains("\nfailure_modes:"));
    let text = text.replacen(TRIGGER, trigger, 1);
    let text = text.replacen("\nfailure_modes:", &format!("\n{publishes}\nfailure_modes:"), 1);
    files.insert(INTEGRATION, text);
    let workflow = files.text(WORKFLOW).unwrap_or_default().trim_end().to_owned();
    files.insert(WORKFLOW, format!("{workflow}{EMIT}"));
    files
}

fn codes(files: ProjectFiles) -> BTreeSet<String> {
    let findings = Project::load(files).check();
    let weighty = findings.iter().filter(|finding| finding.severity > qc_model::Severity::Note);
    for finding in weighty.clone() {
        assert!(!finding.to_string().contains("hunter2"), "a secret is repeated: {finding}");
    }
    weighty.map(|finding| finding.code.to_string()).collect()
}

fn amqp(source: &str, more: &str) -> String {
    format!("    kind: amqp\n    amqp: {source}\n    {more}\n")
}

#[test]
fn triggers_that_fetch_their_events() {
    let queue = "{broker: secret://shop/amqp, queue: orders}";
    let kind = "event_type: com.example.alert";
    let parts = |url: &str| {
        let rest = "user: qc, password: secret://shop/password";
        amqp(&format!("{{broker: {{url: \"{url}\", {rest}}}, queue: orders}}"), kind)
    };
    let poll = |from: &str, to: &str| {
        assert!(POLL.contains(from), "{from}");
        POLL.replace(from, to)
    };
    let cases: Vec<(String, &[&str])> = vec![
        (amqp(queue, kind), &[]),
        (amqp(queue, "types: [com.example.alert]"), &[]),
        (amqp(queue, "types: [a]\n    event_type: b"), &["QC-P005"]),
        (amqp(queue, "event_type: a\n    auth: token"), &["QC-P005"]),
        (amqp(queue, "event_type: a\n    poll: {}"), &["QC-P005", "QC-Q013"]),
        ("    kind: amqp\n    event_type: a\n".to_owned(), &["QC-Q013"]),
        (amqp("{broker: \"amqp://u:hunter2@h/v\", queue: q}", kind), &["QC-P006"]),
        (amqp("{broker: secret://b, queue: \"\"}", kind), &["QC-Q015"]),
        (amqp("{broker: secret://b, queue: q, prefetch: 0}", kind), &["QC-Q015"]),
        (amqp("{broker: secret://b, queue: q, prefetch: 1000}", kind), &["QC-Q015"]),
        (amqp("{broker: secret://b, que: q}", kind), &["QC-Q012", "QC-Q013"]),
        (parts("amqps://broker.test/shop"), &[]),
        (parts("amqps://${vars.channel}/shop"), &[]),
        (parts("amqps://${vars.broker}/shop"), &["QC-P009"]),
        (parts("amqps://u:hunter2@broker.test/shop"), &["QC-P006"]),
        (parts("http://broker.test"), &["QC-Q015"]),
        (POLL.to_owned(), &[]),
        (poll("every: 1m", "every: 10ms"), &["QC-P030"]),
        (poll("listMessages", "listMesages"), &["QC-W012"]),
        (poll("listMessages", "postMessage"), &["QC-P030"]),
        (poll("connector: chat", "connector: talk"), &["QC-P013", "QC-P014"]),
        (poll("items: .messages", "items: '.['"), &["QC-P021"]),
        (poll(", start: \"\"", ""), &["QC-Q013"]),
        (poll("    event_type: com.example.alert\n", ""), &["QC-Q013"]),
        ("    kind: json\n    event_type: a\n".to_owned(), &["QC-Q013"]),
    ];
    for (trigger, expected) in cases {
        let found = codes(with(&trigger, ""));
        let wanted: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(found, wanted, "{trigger}");
    }
}

#[test]
fn a_poll_without_keys_would_double_what_comes_after_a_crash() {
    let mut files = with(POLL, "");
    let key = "    idempotency: {key: .data.alert_id, window: 72h}\n";
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    assert!(text.contains(key));
    files.insert(INTEGRATION, text.replace(key, ""));
    assert!(codes(files).contains("QC-Q013"));
}

#[test]
fn publications() {
    let publishes = |kind: &str, exchange: &str, key: &str| {
        format!(
            "publishes:\n  told:\n    type: {kind}\n    to: {{amqp: {{broker: secret://shop/amqp, exchange: {exchange}, routing_key: '{key}'}}}}\n"
        )
    };
    let long = "x".repeat(256);
    for (publishes, expected) in [
        (publishes("com.example.told", "out", ".data.x"), &[][..]),
        (publishes("com.example.tld", "out", ".data.x"), &["QC-P050"]),
        (publishes("com.example.told", "out", ".["), &["QC-P021"]),
        (publishes("com.example.told", &long, ".x"), &["QC-Q015"]),
        (publishes(&long, "out", ".x"), &["QC-Q015"]),
        ("publishes: {told: {type: com.example.told}}\n".to_owned(), &["QC-Q013"]),
    ] {
        let found = codes(with(TRIGGER, &publishes));
        let wanted: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(found, wanted, "{publishes}");
    }
}

/// What is checked is what runs: the poll's operation stays in the release, and the publication is compiled.
#[test]
fn a_release_holds_what_fetches_and_publishes() {
    let publishes = "publishes:\n  told:\n    type: com.example.told\n    to: {amqp: {broker: secret://shop/amqp, exchange: out, \
                     routing_key: '\"told\"'}}\n";
    let project = Project::load(with(POLL, publishes));
    let bundle = build(&project, "notify").unwrap_or_else(|found| panic!("{found:#?}"));
    let compiled = release(&bundle.effective()).unwrap_or_else(|found| panic!("{found:#?}"));
    let release = &compiled.release;
    let trigger = &release.triggers["alert"];
    assert!(!trigger.kind.is_sent());
    let qc_engine::TriggerKind::Poll(poll) = &trigger.kind else { panic!("{trigger:?}") };
    assert!(release.connectors.policy(&poll.connector, &poll.operation).is_some());
    assert_eq!(release.publications["told"].kind, "com.example.told");
}

/// The contract of a publication is there, and what does not fit it is not emitted.
#[test]
fn a_publication_keeps_its_contract() {
    let publishes = "publishes:\n  told:\n    type: com.example.told\n    contract: contracts/told.schema.json\n    \
                     to: {amqp: {broker: secret://shop/amqp, exchange: out, routing_key: '\"told\"'}}\n";
    let missing = codes(with(TRIGGER, publishes));
    assert_eq!(missing, BTreeSet::from([crate::codes::MISSING_FILE.to_string()]));
    let passes = |contract: &str| {
        let mut files = with(TRIGGER, publishes);
        files.insert("integrations/notify/contracts/told.schema.json", contract.to_owned());
        let selection =
            Selection { scenario: Some("happy-path".to_owned()), ..Selection::default() };
        run(&Project::load(files), &selection).passed()
    };
    assert!(passes(r#"{"type": "object"}"#));
    assert!(!passes(r#"{"type": "object", "required": ["id"]}"#), "its data are empty");
}
